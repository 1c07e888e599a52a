"""Compare the speed of the smoke regression with that of sequential papermill processes.

    python -m tests.benchmarks.regression              # two repetitions, about seven minutes
    python -m tests.benchmarks.regression --count 1

Both run every solution notebook in the smoke profile, alternately and with a cold start; `course
run` also compares metrics with bands and writes its report. Prints the seconds of each and the
ratio of their means. Exits with 1 if a notebook fails or a metric is outside its band.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from course.instructor.sandbox.worker_pool import available_cores
from tests.submissions import ROOT

BIN = Path(sys.executable).parent
ENVIRONMENT = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}


def run_sequentially(folder):
    """Run each solution notebook in its own papermill process; return True if all passed."""
    passed = True
    for source in sorted(ROOT.glob("source/*/*.ipynb")):
        command = [str(BIN / "papermill"), "--no-progress-bar", "-p", "profile", "smoke"]
        command += ["-p", "seed", "0", "--cwd", str(folder), str(source)]
        passed = _passes([*command, str(folder / source.name)], folder) and passed
    return passed


def run_in_parallel(folder):
    """Run the smoke regression; return True if it passed."""
    for name in ("nbgrader_config.py", "source", "tests"):
        (folder / name).symlink_to(ROOT / name)
    return _passes([str(BIN / "course"), "run", "--profile", "smoke"], folder)


def _passes(command, folder):
    """Run a command; return True if it succeeds, else print the end of its output."""
    finished = subprocess.run(
        command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    if finished.returncode:
        print(finished.stdout[-2000:], finished.stderr[-2000:], sep="\n", file=sys.stderr)
    return finished.returncode == 0


def main(arguments=None):
    """Measure, print the result, and return 1 if anything failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=2, metavar="N", help="number of repetitions")
    count = parser.parse_args(arguments).count
    seconds = {run_sequentially: [], run_in_parallel: []}
    passed = True
    for _ in range(count):
        for method, durations in seconds.items():
            with tempfile.TemporaryDirectory() as folder:
                start = time.perf_counter()
                passed = method(Path(folder)) and passed
                durations.append(time.perf_counter() - start)
            print(f"{method.__name__.replace('_', ' '):22} {durations[-1]:6.1f} s", flush=True)
    slow, fast = (statistics.mean(each) for each in seconds.values())
    print(f"{available_cores()} cores: {slow / fast:.2f} times as fast")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
