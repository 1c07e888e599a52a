"""Starting the forkserver while the slow imports of a command run."""

import os
from collections.abc import Sequence
from pathlib import Path

from course.errors import CourseError
from course.instructor.course_dir import load_config, mentions_keras, source_notebook
from course.instructor.sandbox.limits import WARM_MINUTES

WEEK = 7 * 24 * 3600  # seconds


def start_for_grading(root: Path, names: Sequence[str], isolated: bool = True) -> None:
    """Start the forkservers for the first assignment that has submissions, if there is one.

    Raises CourseError if kernels cannot be isolated on this machine.
    """
    submitted = [name for name in names if any(Path(root).glob(f"submitted/*/{name}"))]
    if submitted:
        _start(root, mentions_keras(source_notebook(root, submitted[0])), isolated)


def start_for_uploads(root: Path, names: Sequence[str], isolated: bool = True) -> None:
    """Start the forkservers for submissions that will arrive, and keep them for up to a week.

    Raises CourseError if kernels cannot be isolated on this machine.
    """
    from course.instructor.sandbox import forkserver_client

    forkserver_client.keep_shared(WEEK)
    uses_keras = any(mentions_keras(source_notebook(root, name)) for name in names)
    _start(root, uses_keras, isolated, stays_warm=False)  # ends with the command


def _start(root: Path, uses_keras: bool, isolated: bool, stays_warm: bool = True) -> None:
    """Start the forkserver that grades submissions, and the one that reads them."""
    from course.instructor.sandbox import forkserver_client
    from course.instructor.student_text import limited_call

    devices, warm_minutes = _configured(root)
    forkserver_client.stay_warm(warm_minutes if stays_warm else 0)
    forkserver_client.shared_forkserver(isolated, devices, uses_keras=uses_keras)
    limited_call.start()


def start_for_notebooks() -> None:
    """Start the forkserver for the course's own notebooks, on systems that support it."""
    from course.instructor.sandbox import bubblewrap, forkserver_client

    if bubblewrap.is_linux():
        backend = os.environ.get("KERAS_BACKEND", "tensorflow")
        forkserver_client.notebook_forkserver(os.environ | {"KERAS_BACKEND": backend})


def _configured(root: Path) -> tuple[list[str], float]:
    """Return the paths of the configured devices, and the minutes that a forkserver stays warm.

    If the configuration file is invalid, these are [] and 0.
    """
    try:
        settings = load_config(root).ExecuteIsolated
    except CourseError:  # nbgrader reports the error later
        return [], 0
    minutes = settings.get("warm_minutes", WARM_MINUTES)
    is_number = isinstance(minutes, int | float)
    return [str(path) for path in settings.get("devices", [])], minutes if is_number else 0
