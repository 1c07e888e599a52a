"""Run the notebooks on the platforms of the table, and print a report: see `make platforms`."""

import os
import shutil
import sys
from pathlib import Path

import click

from tests.platforms.platform_run import PlatformResult, grade_uploads, run_platform
from tests.platforms.public_course import PublicCourse
from tests.platforms.table import read_platforms
from tests.submissions import ROOT

PLATFORMS = read_platforms()
STEPS = ("environment", "installation", "notebooks", "grading")


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(PLATFORMS)), metavar="[PLATFORM]...")
@click.option("--assignment", "assignments", multiple=True, help="Run only these notebooks.")
@click.option("--folder", type=click.Path(path_type=Path), default=ROOT / "build" / "platforms")
def main(names: tuple[str, ...], assignments: tuple[str, ...], folder: Path) -> None:
    """Run the notebooks on platforms, all by default; exit with 1 if one of them fails."""
    shutil.rmtree(folder, ignore_errors=True)
    course = PublicCourse(folder / "public-course", assignments)
    results = []
    for name in names or PLATFORMS:
        result = run_platform(PLATFORMS[name], course, folder / name)
        if (folder / name / "uploads").is_dir():
            grade_uploads(course, folder / name, result)
        results.append(result)
        print(_summary(result), flush=True)
    report = "\n".join([_table(results), "", *map(_summary, results)])
    (folder / "report.md").write_text(report, encoding="utf-8")
    print(f"\n{_table(results)}")
    sys.exit(any(result.problems for result in results))


def _table(results: list[PlatformResult]) -> str:
    """Return a table of all platforms in Markdown."""
    lines = [
        "| Platform | Result | Size | " + " | ".join(f"{step.title()}" for step in STEPS) + " |",
        "|---|---|---" + "|---" * len(STEPS) + "|",
    ]
    for result in results:
        seconds = " | ".join(f"{result.seconds.get(step, 0):.0f} s" for step in STEPS)
        state = "failed" if result.problems else "passed"
        lines.append(f"| {result.name} | {state} | {result.megabytes:,.0f} MB | {seconds} |")
    return "\n".join(lines)


def _summary(result: PlatformResult) -> str:
    """Return what the installation changed on a platform, and its problems, as Markdown."""
    changed = ", ".join(f"{name} {change}" for name, change in result.changed.items())
    lines = [f"{result.name}: the installation changed {changed or 'nothing'}"]
    lines += [f"- explained in the guide: {line}" for line in result.explained]
    lines += [f"- FAILED: {problem}" for problem in result.problems]
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    main()
