"""Compare the speed of `course grade` and stock nbgrader: `python -m tests.benchmarks.grading`.

Both grade the same solved submissions of 02-mnist in the smoke profile: `nbgrader autograde` with
nbgrader's default configuration, and `course grade`. All scores must agree. The benchmark prints:

- seconds and submissions per minute of both, and their ratio, including start-up;
- the same without start-up: the time per additional submission, from a small and a large class;
- the lower bound: the time of one submission's cells in preloaded kernels, alone, per core;
- peak memory of all processes (shared pages are divided among the processes that share them), and
  with `--memory N` that of a class of N.
"""

import argparse
import os
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil

from course import tables
from course.instructor.sandbox.worker_pool import available_cores
from tests.submissions import create_fixture_class

ASSIGNMENT = "02-mnist"
SMALL = 2  # submissions, one for each core of a small machine
BIN = Path(sys.executable).parent
STOCK = """
c = get_config()
# Differs from the defaults in two settings: mark schemes may be in locked cells, and the timeout of
# 30 s per cell is too short on a busy machine.
c.ClearMarkScheme.enforce_metadata = False
c.Execute.timeout = 120
"""
SCORES = """
    SELECT submitted_assignment.student_id, base_cell.name, grade.auto_score
    FROM grade JOIN base_cell ON base_cell.id = grade.cell_id
    JOIN submitted_notebook ON submitted_notebook.id = grade.notebook_id
    JOIN submitted_assignment ON submitted_assignment.id = submitted_notebook.assignment_id
"""


def main():
    """Measure and print; fail if scores differ."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=20, help="submissions (default: 20)")
    parser.add_argument("--repeat", type=int, default=1, help="runs of both (default: 1)")
    parser.add_argument(
        "--memory", type=int, metavar="N", help="also measure the memory of a class of N"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        bounds = lower_bound(Path(folder, "bound"))
        print(
            f"lower bound: {statistics.median(bounds):.2f} s per submission"
            f" on {available_cores()} cores",
            flush=True,
        )
        rows = []
        for repetition in range(options.repeat):
            rows.append(compare(Path(folder, str(repetition)), options.count, bounds))
            print(tables.table(rows[-1:]), flush=True)
        if options.repeat > 1:
            print(tables.table(rows))
        if options.memory:
            for count in (options.count, options.memory):
                root = make_class(Path(folder, f"memory-{count}"), count, stock=False)
                seconds, peak = timed(*course_grade(root))
                print(
                    f"{count} submissions: {seconds:.1f} s, peak memory {peak:.0f} MB", flush=True
                )


def compare(folder, count, bounds):
    """Grade a small and a large class with both engines and return the measurements."""
    seconds, peaks, roots = {}, {}, {}
    for name, command, stock in [("stock", stock_nbgrader, True), ("course", course_grade, False)]:
        for size in (SMALL, count):
            root = roots[name] = make_class(folder / f"{name}-{size}", size, stock)
            seconds[name, size], peaks[name] = timed(*command(root))
    if scores(roots["stock"]) != scores(roots["course"]):
        sys.exit("the two engines do not give the same scores")
    each = {
        name: (seconds[name, count] - seconds[name, SMALL]) / (count - SMALL)
        for name in ("stock", "course")
    }
    return {
        "submissions": count,
        "stock s": f"{seconds['stock', count]:.1f}",
        "course s": f"{seconds['course', count]:.1f}",
        "per minute": f"{60 * count / seconds['course', count]:.0f}",
        "ratio": f"{seconds['stock', count] / seconds['course', count]:.1f}",
        "stock each": f"{each['stock']:.2f}",
        "course each": f"{each['course']:.2f}",
        "ratio without start-up": f"{each['stock'] / each['course']:.1f}",
        "times the lower bound": f"{each['course'] / statistics.median(bounds):.2f}",
        "stock MB": f"{peaks['stock']:.0f}",
        "course MB": f"{peaks['course']:.0f}",
    }


def make_class(root, count, stock):
    """Create a compiled, ungraded class of solved submissions that differ in a comment."""
    create_fixture_class(root, ASSIGNMENT, names=["solved"])
    solved = root / "submitted" / "solved"
    (path,) = solved.glob("*/*.ipynb")
    text = path.read_text(encoding="utf-8")
    for number in range(count):
        student = root / "submitted" / f"student-{number:03}" / ASSIGNMENT / path.name
        student.parent.mkdir(parents=True)
        own_text = text.replace("num_classes = 10", f"num_classes = 10  # student {number}", 1)
        student.write_text(own_text, encoding="utf-8")
    shutil.rmtree(solved)
    if stock:
        (root / "nbgrader_config.py").write_text(STOCK, encoding="utf-8")
    run(BIN / "nbgrader", "generate_assignment", ASSIGNMENT, "--force", cwd=root)
    return root


def stock_nbgrader(root):
    """Return the command that grades with stock nbgrader, and its working directory."""
    return [BIN / "nbgrader", "autograde", ASSIGNMENT], root


def course_grade(root):
    """Return the command that grades with this course's engine, and its working directory."""
    return [BIN / "course", "grade", ASSIGNMENT], root


def lower_bound(root):
    """Return seconds that a submission's cells take in preloaded kernels, alone, per core."""
    from course.instructor.grading import class_grader, notebook_grader
    from course.instructor.sandbox.forkserver_client import Forkserver

    make_class(root, 1, stock=False)
    _, job = class_grader.AssignmentGrader(root, ASSIGNMENT).prepare("student-000")
    with Forkserver() as forkserver:
        runs = [notebook_grader.grade_with(forkserver, job).cell_seconds for _ in range(4)]
    return [seconds / available_cores() for seconds in runs[1:]]


def timed(command, root):
    """Run a command and return its seconds and the peak memory of all its processes in MB."""
    start = time.perf_counter()
    process = subprocess.Popen(
        [str(part) for part in command],
        cwd=root,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    peak = PeakMemory(process.pid)
    _, errors = process.communicate()
    seconds = time.perf_counter() - start
    if process.returncode:
        sys.exit(f"{command[0]} failed: {errors[-2000:]}")
    return seconds, peak.stop()


class PeakMemory:
    """Measures the memory of a process and its descendants twice per second."""

    def __init__(self, process):
        self.process = psutil.Process(process)
        self.megabytes = 0
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.measure)
        self.thread.start()

    def measure(self):
        """Update the largest sum until `stop` is called."""
        while not self.stopped.wait(0.5):
            total = 0
            try:
                for each in [self.process, *self.process.children(recursive=True)]:
                    try:
                        total += each.memory_full_info().pss
                    except psutil.Error:
                        continue
            except psutil.Error:
                return
            self.megabytes = max(self.megabytes, total / 2**20)

    def stop(self):
        """Stop measuring and return the peak in MB."""
        self.stopped.set()
        self.thread.join()
        return self.megabytes


def scores(root):
    """Return every automatic score of a class."""
    with sqlite3.connect(root / "gradebook.db") as database:
        return sorted(database.execute(SCORES).fetchall())


def run(*command, cwd):
    """Run a command that must succeed."""
    subprocess.run(
        [str(part) for part in command], cwd=cwd, env=environment(), check=True, capture_output=True
    )


def environment():
    """Return the environment of both engines: smoke profile, TensorFlow without its messages."""
    return {
        **os.environ,
        "COURSE_PROFILE": "smoke",
        "KERAS_BACKEND": "tensorflow",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "PATH": f"{BIN}:{os.environ['PATH']}",
    }


if __name__ == "__main__":
    main()
