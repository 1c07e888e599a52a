"""Small notebooks and runs for the tests of the regression."""

import os
import signal
import subprocess

from course.instructor.regression.checked_run import CheckedRun
from course.instructor.regression.run_records import NotebookRun
from tests.conftest import BIN, cell

# The parameters of a small notebook that has the structure of the course's own.
PARAMETERS = cell("code", "profile = None\nseed = 0\nlength = 3", tags=["parameters"])


def record(arguments):
    """Return a cell that records metrics."""
    return cell("code", f"import course\ncourse.record({arguments})")


def run_of(seed=0, error=None, backend="tensorflow", kinds=None, **metrics):
    """Return a run of an invented notebook with metrics, whose kinds can be given by name."""
    return NotebookRun(
        "01-small", "smoke", backend, seed, metrics=metrics, kinds=kinds or {}, error=error
    )


def checked(run, bands=None, **options):
    """Return a run with its verdicts, if there are bands."""
    return CheckedRun(run, bands.judge(run) if bands else [], **options)


def start_run(root, *arguments, **environment):
    """Start `course run` in a course directory, in its own process."""
    return subprocess.Popen(
        [str(part) for part in (BIN / "course", "-C", root, "run", *arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"} | environment,
        text=True,
        start_new_session=True,
        # A shell that runs the tests in the background makes its children ignore SIGINT.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
