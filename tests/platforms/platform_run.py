"""A student's work on a platform: installing the course, running the notebooks, and packing."""

import re
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path

from nbformat import NotebookNode

from tests.platforms.environment import Environment
from tests.platforms.notebook_run import NotebookRun, run_notebook
from tests.platforms.public_course import PublicCourse
from tests.platforms.table import Platform
from tests.submissions import ROOT

INSTALL_COMMAND = re.compile(r'In a terminal, run: (pip install "([^"]+)")')
FAILED_INSTALLATION = "The course package is not installed. "
PACKING_SECONDS = 20  # a student who waits longer in silence thinks that the cell hangs
# The first lines of these messages; pip prints one line for each package after the second.
CONFLICTS = ("ERROR: pip's dependency resolver", "requires", "incompatible")
# Evidence of the smoke profile is not accepted, whatever the platform.
NEEDS_TRAINING = {"test_evidence", "test_metrics", "test_weights"}


@dataclass
class PlatformResult:
    """What a platform shows."""

    name: str
    problems: list[str] = field(default_factory=list)
    changed: dict[str, str] = field(default_factory=dict)  # by the installation
    explained: list[str] = field(default_factory=list)  # red lines that the guide explains
    megabytes: float = 0
    seconds: dict[str, float] = field(default_factory=dict)


def run_platform(platform: Platform, course: PublicCourse, folder: Path) -> PlatformResult:
    """Do a student's work on a platform; the files to upload are in `folder / "uploads"`."""
    shutil.rmtree(folder, ignore_errors=True)
    result = PlatformResult(platform.name)
    environment = Environment(platform, folder, **course.git_variables)
    try:
        _work(platform, course, folder, environment, result)
    except Exception as error:
        result.problems.append(str(error))
    finally:
        environment.delete()
    return result


def grade_uploads(course: PublicCourse, folder: Path, result: PlatformResult) -> None:
    """Collect and grade what a platform's student uploads."""
    start = time.monotonic()
    try:
        print(course.run("collect", folder / "uploads", "--student", result.name), flush=True)
        for name in course.names:
            course.run("grade", name)
            for test, points in course.lost_points(result.name, name).items():
                if test not in NEEDS_TRAINING:
                    result.problems.append(f"{name}: {test} lost {points:g} points")
    except Exception as error:
        result.problems.append(str(error))
    result.seconds["grading"] = time.monotonic() - start


def _work(
    platform: Platform,
    course: PublicCourse,
    folder: Path,
    environment: Environment,
    result: PlatformResult,
) -> None:
    """Install the course and run every notebook."""
    start = time.monotonic()
    environment.create()
    result.seconds["environment"] = time.monotonic() - start
    before = environment.versions()
    if platform.requirements:
        start = time.monotonic()
        environment.pip("install", "--no-compile", "-r", "requirements.txt", cwd=course.repository)
        result.seconds["installation"] = time.monotonic() - start
    else:
        _fail_to_install(platform, course, folder, environment, result)
    start = time.monotonic()
    for name in course.names:
        work = folder / name
        run = _run(course, name, work, environment)
        if command := INSTALL_COMMAND.search(run.error):
            result.problems += [f"{name}: {line}" for line in run.red]
            begin = time.monotonic()
            environment.pip("install", command[2])
            result.seconds["installation"] = time.monotonic() - begin
            run = _run(course, name, work, environment)
        if name == course.names[0]:
            result.seconds.setdefault("installation", run.seconds.get("install", 0))
            result.changed = _changes(before, environment.versions())
            result.megabytes = environment.megabytes
        _review(platform, course, name, run, work, result)
        untouched = course.untouched_notebook(name)
        run = _run(course, name, folder / "untouched" / name, environment, untouched)
        result.problems += [
            f"{name}, untouched: {each}" for each in untouched_problems(untouched, run)
        ]
        _collect_upload(platform, course, name, work)
    result.seconds["notebooks"] = time.monotonic() - start - result.seconds["installation"]
    unexpected = result.changed.keys() - set(platform.installs or result.changed)
    result.problems += [f"the installation changes {each}" for each in sorted(unexpected)]


def _run(
    course: PublicCourse,
    name: str,
    work: Path,
    environment: Environment,
    notebook: NotebookNode | None = None,
) -> NotebookRun:
    """Run a notebook, the solved one by default, in a new folder with what students get."""
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    course.copy_provided_files(name, work)
    (work / "course").mkdir()  # a student's folder for everything about this course
    notebook = notebook or course.solved_notebook(name)
    return run_notebook(notebook, course.file_name(name), environment, work)


def untouched_problems(notebook: NotebookNode, run: NotebookRun) -> list[str]:
    """Return what Run All shows a student although no exercise is reached yet."""
    ids = [cell.id for cell in notebook.cells]
    first_answer = next(
        cell.id
        for cell in notebook.cells
        if cell.cell_type == "code" and cell.metadata.get("nbgrader", {}).get("solution")
    )
    problems = [f"red text in {line}" for line in run.red]
    if not run.error:
        problems.append("no cell fails without an answer")
    elif ids.index(run.last_cell) < ids.index(first_answer):
        problems.append(f"{run.last_cell} fails: {run.error}")
    return problems


def _fail_to_install(
    platform: Platform,
    course: PublicCourse,
    folder: Path,
    environment: Environment,
    result: PlatformResult,
) -> None:
    """Check the message of the install cell where git cannot reach the repository."""
    work = folder / "offline"
    work.mkdir(parents=True)
    name = course.names[0]
    notebook = course.solved_notebook(name)
    run = run_notebook(
        notebook, course.file_name(name), environment, work, GIT_ALLOW_PROTOCOL="none"
    )
    expected = platform.offline or "In a terminal, run: pip install"
    if FAILED_INSTALLATION not in run.error or expected not in run.error:
        result.problems.append(f"a failed installation is not explained: {run.error or 'no error'}")
    shutil.rmtree(work)


def _review(
    platform: Platform,
    course: PublicCourse,
    name: str,
    run: NotebookRun,
    work: Path,
    result: PlatformResult,
) -> None:
    """Add what is wrong with a run to the result."""
    guide = " ".join((ROOT / "docs" / "students.md").read_text(encoding="utf-8").split())
    explained = all(text in guide for text in platform.red) and bool(platform.red)
    for line in run.red:
        if explained and line.startswith("install: ") and any(part in line for part in CONFLICTS):
            result.explained.append(line)
        else:
            result.problems.append(f"{name}: red text in {line}")
    if run.error:
        result.problems.append(f"{name}: {run.error}")
        return
    output = run.packing_output
    place = "This cell cannot read the notebook." if platform.notebook == "nowhere" else "Upload "
    if place not in output:
        result.problems.append(f"{name}: the last cell does not print '{place}': {output}")
    seconds = max(run.seconds.values())
    packing = list(run.seconds.values())[-1]
    if packing > PACKING_SECONDS:
        result.problems.append(f"{name}: packing takes {packing:.0f} s")
    print(f"{result.name} {name}: {sum(run.seconds.values()):.0f} s (longest {seconds:.0f} s)")


def _collect_upload(platform: Platform, course: PublicCourse, name: str, work: Path) -> None:
    """Copy what the student uploads: the archive, and the notebook if it is not in it."""
    uploads = work.parent / "uploads" / name
    uploads.mkdir(parents=True)
    for archive in work.glob("*-submission.zip"):
        shutil.copy(archive, uploads)
    if platform.notebook == "nowhere":
        shutil.copy(work.parent / f"{work.name}.ipynb", uploads / course.file_name(name))


def _changes(before: dict[str, str], after: dict[str, str]) -> dict[str, str]:
    """Return what an installation has changed, as text by package."""
    changes = {}
    for package in sorted(before.keys() | after.keys()):
        old, new = before.get(package), after.get(package)
        if old != new:
            changes[package] = f"{old} -> {new}" if old and new else new or "removed"
    return changes
