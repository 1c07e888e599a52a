"""Apply mutations one at a time, and count those that a check notices."""

import argparse
import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from course.files import write_atomically
from course.instructor.regression.verdicts import REFERENCE
from tests.benchmarks.mutations.catalogue import MUTATIONS, Mutation
from tests.submissions import ROOT

RESULTS = Path("build", "mutations.json")
CHECKS = ("smoke", "tests")
# The problems of a smoke run that need no reference.
WITHOUT_REFERENCES = "smoke without references"


def main(arguments: list[str] | None = None) -> int:
    """Run the mutations and print the share that is noticed; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.mutations")
    parser.add_argument("--check", choices=CHECKS, default="smoke")
    parser.add_argument("--only", default="", help="only mutations whose names contain this")
    parser.add_argument("--survivors", action="store_true", help="only those that smoke misses")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--results", type=Path, default=ROOT / RESULTS)
    given = parser.parse_args(arguments)
    results = _read(given.results)
    chosen = [
        each
        for each in MUTATIONS
        if given.only in each.name
        and not (given.survivors and results.get(each.name, {}).get("smoke"))
    ]
    wanted = {given.check} | ({WITHOUT_REFERENCES} if given.check == "smoke" else set())
    missing = [each for each in chosen if not wanted <= results.get(each.name, {}).keys()]
    with ThreadPoolExecutor(given.workers) as executor:
        check = functools.partial(find_messages, check=given.check)
        for each, found in zip(missing, executor.map(check, missing), strict=True):
            results.setdefault(each.name, {}).update(found)
            write_atomically(given.results, json.dumps(results, indent=1))
            message = found[given.check]
            print(f"{each.name}: {'noticed: ' + message if message else 'SURVIVES'}", flush=True)
    for check in (given.check, WITHOUT_REFERENCES)[: 2 if given.check == "smoke" else 1]:
        noticed = [each for each in chosen if results[each.name][check]]
        print(f"{check} notices {len(noticed)} of {len(chosen)} mutations; it misses:")
        for each in chosen:
            if each not in noticed:
                print(f"  {each.name} ({each.place})")
    return 0


def find_messages(mutation: Mutation, check: str) -> dict[str, str]:
    """Return what a check says about a mutation, or "" if it passes, by the name of the check."""
    with tempfile.TemporaryDirectory() as folder:
        root = copy_course(Path(folder), mutation.assignment)
        apply(mutation, root)
        environment = os.environ | {"PYTHONPATH": str(root), "TF_CPP_MIN_LOG_LEVEL": "3"}
        arguments = _arguments(mutation, check)
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=root, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
    if check == "smoke":
        return _smoke_messages(done)
    if done.returncode == 0:
        return {check: ""}
    lines = done.stderr.splitlines() + done.stdout.splitlines()
    marks = ("FAILED ", "ERROR ")
    line = next((line for line in lines if line.startswith(marks)), f"exit {done.returncode}")
    return {check: line}


def _smoke_messages(done: "subprocess.CompletedProcess[str]") -> dict[str, str]:
    """Return the first problem that a smoke run found, with and without references."""
    if done.returncode != 0:
        line = (done.stderr.strip().splitlines() or ["no message"])[-1]
        if "CourseError" not in line:
            raise RuntimeError(done.stderr)
        return {"smoke": line, WITHOUT_REFERENCES: line}
    problems = json.loads(done.stdout.splitlines()[-1])
    others = [sentence for about, sentence in problems if about != REFERENCE]
    return {
        "smoke": next((sentence for _, sentence in problems), ""),
        WITHOUT_REFERENCES: next(iter(others), ""),
    }


def copy_course(folder: Path, assignment: str) -> Path:
    """Copy what a run of one notebook needs into a folder; return the root of the copy."""
    root = folder / "course"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "course", root / "course", ignore=ignored)
    shutil.copytree(ROOT / "tests", root / "tests", ignore=ignored)
    ignored = shutil.ignore_patterns("__pycache__", "results", "evidence")
    for name in ("source", "release"):
        shutil.copytree(ROOT / name / assignment, root / name / assignment, ignore=ignored)
    for name in ("nbgrader_config.py", "pyproject.toml", "docs", "README.md"):
        path = ROOT / name
        (shutil.copytree if path.is_dir() else shutil.copy)(path, root / name)
    return root


def apply(mutation: Mutation, root: Path) -> None:
    """Replace the text of a mutation in a copy of the course."""
    if mutation.is_of_package:
        path = root / mutation.place
        path.write_text(_replaced(path.read_text(encoding="utf-8"), mutation), encoding="utf-8")
        return
    (path,) = (root / "source" / mutation.assignment).glob("*.ipynb")
    notebook = json.loads(path.read_text(encoding="utf-8"))
    (cell,) = (cell for cell in notebook["cells"] if cell["id"] == mutation.place)
    cell["source"] = _replaced("".join(cell["source"]), mutation)
    path.write_text(json.dumps(notebook, indent=1), encoding="utf-8")


def _replaced(text: str, mutation: Mutation) -> str:
    """Return a text with the mutation's replacement."""
    if text.count(mutation.old) != 1:
        raise ValueError(f"{mutation.old!r} occurs {text.count(mutation.old)} times, not once.")
    return text.replace(mutation.old, mutation.new)


def _arguments(mutation: Mutation, check: str) -> list[str]:
    """Return the arguments of Python for a check."""
    if check == "smoke":
        return ["-m", "tests.benchmarks.mutations.smoke_verdicts", mutation.assignment]
    number = mutation.assignment.partition("-")[0]
    files = [*Path("tests", "notebooks").glob(f"test_{number}_*.py")]
    return ["-m", "pytest", "-q", "-x", *map(str, files)]


def _read(path: Path) -> dict[str, dict[str, str]]:
    """Return the results of earlier commands: a message per mutation and check."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


if __name__ == "__main__":
    sys.exit(main())
