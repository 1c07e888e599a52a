"""Run the trainings that are missing from a file of measurements; see the package's docstring."""

import argparse
import csv
import io
import multiprocessing
import sys
import time
from importlib import import_module
from pathlib import Path

from course import measurements
from course.files import write_atomically

Rows = dict[tuple[str, int, str], float]


def main(arguments: list[str] | None = None) -> int:
    """Run the missing trainings and write each result immediately; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.measurements")
    parser.add_argument("assignment", help="such as 05-deeper-cnn")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--only", default="", help="only the trainings whose names contain this")
    parser.add_argument("--folder", type=Path, default=measurements.FOLDER)
    given = parser.parse_args(arguments)
    path = given.folder / f"{given.assignment}.csv"
    names = list(_jobs(given.assignment))
    rows = _read(path)
    # By seed first: whatever is interrupted has about the same number of seeds for each name.
    for seed in range(given.seeds):
        for name in names:
            if given.only in name and not any(key[:2] == (name, seed) for key in rows):
                start = time.monotonic()
                found = _run(given.assignment, name, seed)
                rows = _read(path) | {(name, seed, key): value for key, value in found.items()}
                _write(path, rows, names)
                print(f"{name}, seed {seed}: {found}, {time.monotonic() - start:.0f} s", flush=True)
    return 0


def _jobs(assignment: str) -> dict:
    """Return the trainings of an assignment."""
    module = f"tests.benchmarks.measurements.lesson_{assignment.partition('-')[0]}"
    return import_module(module).JOBS


def _run(assignment: str, name: str, seed: int) -> dict[str, float]:
    """Run one training in a new process."""
    # A new process does not import a `__main__` of a package, so it needs this module's full name.
    module = import_module("tests.benchmarks.measurements.__main__")
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(module._run_here, (assignment, name, seed))


def _run_here(assignment: str, name: str, seed: int) -> dict[str, float]:
    """Run one training in this process."""
    found = _jobs(assignment)[name](seed)
    return {metric: float(value) for metric, value in found.items()}


def _read(path: Path) -> Rows:
    """Return the rows of a file; none if it does not exist."""
    if not path.is_file():
        return {}
    return {(name, seed, key): value for name, seed, key, value in measurements.read_rows(path)}


def _write(path: Path, rows: Rows, names: list[str]) -> None:
    """Write rows in the order of the trainings, then of the seeds."""
    order = {name: number for number, name in enumerate(names)}
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(measurements.COLUMNS)
    for (name, seed, metric), value in sorted(
        rows.items(), key=lambda item: (order.get(item[0][0], len(order)), *item[0][:2])
    ):
        writer.writerow([name, seed, metric, f"{value:.6g}"])
    write_atomically(path, text.getvalue())


if __name__ == "__main__":
    sys.exit(main())
