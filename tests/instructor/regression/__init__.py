"""Notebooks and runs for the tests of the regression."""

import os
import signal
import subprocess

from course.instructor.regression.notebook_run import NotebookRun
from course.instructor.regression.suite import CheckedRun
from tests.conftest import BIN, cell

# A notebook of the course in small: it records what it is told to.
PARAMETERS = cell("code", "profile = None\nseed = 0\nlength = 3", tags=["parameters"])


def record(text):
    """Return a cell that records metrics."""
    return cell("code", f"import course\ncourse.record({text})")


def run_of(seed=0, error=None, backend="tensorflow", **metrics):
    """Return a run of a made-up notebook that has recorded metrics."""
    return NotebookRun("01-small", "smoke", backend, seed, metrics=metrics, error=error)


def checked(run, bands=None, **options):
    """Return a run compared with bands, if there are any."""
    return CheckedRun(run, bands.judge(run) if bands else [], **options)


def start_run(root, *arguments, **environment):
    """Start `course run` in a course directory, as a process of its own."""
    return subprocess.Popen(
        [str(part) for part in (BIN / "course", "-C", root, "run", *arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"} | environment,
        text=True,
        start_new_session=True,
        # Where the tests run in the background, shells make them, and so this, ignore SIGINT.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
