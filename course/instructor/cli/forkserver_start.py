"""Starting the forkserver while the slow imports of a command run."""

import os
from collections.abc import Sequence
from pathlib import Path

from course.errors import CourseError
from course.instructor.course_dir import load_config, mentions_keras, source_notebook

WEEK = 7 * 24 * 3600  # seconds


def start_for_grading(root: Path, names: Sequence[str], isolated: bool = True) -> None:
    """Start the forkservers for the first of the assignments that has submissions, if any has.

    Raises CourseError if kernels cannot be isolated on this machine.
    """
    submitted = [name for name in names if any(Path(root).glob(f"submitted/*/{name}"))]
    if submitted:
        _start(root, mentions_keras(source_notebook(root, submitted[0])), isolated)


def start_for_uploads(root: Path, names: Sequence[str], isolated: bool = True) -> None:
    """Start the forkservers for submissions that will arrive, and keep them for days.

    Raises CourseError if kernels cannot be isolated on this machine.
    """
    from course.instructor.sandbox import forkserver_client

    forkserver_client.keep_shared(WEEK)
    uses_keras = any(mentions_keras(source_notebook(root, name)) for name in names)
    _start(root, uses_keras, isolated)


def _start(root: Path, uses_keras: bool, isolated: bool) -> None:
    """Start the forkserver that grades submissions, and the one that reads them."""
    from course.instructor.sandbox.forkserver_client import shared_forkserver
    from course.instructor.student_text import limited_call

    shared_forkserver(isolated, _configured_devices(root), uses_keras=uses_keras)
    limited_call.start()


def start_for_notebooks() -> None:
    """Start the forkserver for the course's own notebooks, on systems that support it."""
    from course.instructor.sandbox import bubblewrap, forkserver_client

    if bubblewrap.is_linux():
        backend = os.environ.get("KERAS_BACKEND", "tensorflow")
        forkserver_client.notebook_forkserver(os.environ | {"KERAS_BACKEND": backend})


def _configured_devices(root: Path) -> list[str]:
    """Return the devices that the configuration permits in the sandbox."""
    try:
        return [str(path) for path in load_config(root).ExecuteIsolated.get("devices", [])]
    except CourseError:  # nbgrader reports the error in the file
        return []
