"""Measure the smoke regression against one papermill process after the other.

    python -m tests.benchmarks.regression              # two repetitions, some seven minutes
    python -m tests.benchmarks.regression --count 1

Both run every solution notebook in the smoke profile, cold: each command starts from nothing, and
`course run` also compares with bands and writes its report. They take turns. Prints the seconds of
each and the ratio of their means; exits with 1 if a notebook fails or a metric lies outside.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from course.instructor.sandbox.executor import available_cores
from tests.submissions import ROOT

BIN = Path(sys.executable).parent
ENVIRONMENT = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}


def one_after_the_other(folder):
    """Run each solution notebook by a papermill process of its own; returns whether all passed."""
    passed = True
    for source in sorted(ROOT.glob("source/*/*.ipynb")):
        command = [str(BIN / "papermill"), "--no-progress-bar", "-p", "profile", "smoke"]
        command += ["-p", "seed", "0", "--cwd", str(folder), str(source)]
        passed = _passes([*command, str(folder / source.name)], folder) and passed
    return passed


def side_by_side(folder):
    """Run the smoke regression; returns whether it passed."""
    for name in ("nbgrader_config.py", "source", "tests"):
        (folder / name).symlink_to(ROOT / name)
    return _passes([str(BIN / "course"), "run", "--profile", "smoke"], folder)


def _passes(command, folder):
    finished = subprocess.run(
        command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    if finished.returncode:
        print(finished.stdout[-2000:], finished.stderr[-2000:], sep="\n", file=sys.stderr)
    return finished.returncode == 0


def main(arguments=None):
    """Measure, print, and return 1 if anything failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=2, metavar="N", help="repetitions")
    count = parser.parse_args(arguments).count
    seconds = {one_after_the_other: [], side_by_side: []}
    passed = True
    for _ in range(count):
        for way, taken in seconds.items():
            with tempfile.TemporaryDirectory() as folder:
                start = time.perf_counter()
                passed = way(Path(folder)) and passed
                taken.append(time.perf_counter() - start)
            print(f"{way.__name__.replace('_', ' '):22} {taken[-1]:6.1f} s", flush=True)
    slow, fast = (statistics.mean(taken) for taken in seconds.values())
    print(f"{available_cores()} cores: {slow / fast:.2f} times as fast")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
