"""Starting the forkserver while the slow imports of a command run."""

import os
from pathlib import Path

from course.errors import CourseError
from course.instructor.course_dir import CONFIG_NAME, load_config


def start_for_grading(root: Path, isolated: bool = True) -> None:
    """Start the forkserver as a course directory configures it, if there are submissions to grade.

    Raises CourseError if kernels cannot be isolated on this machine.
    """
    if not Path(root, CONFIG_NAME).is_file() or not any(Path(root).glob("submitted/*/*")):
        return
    from course.instructor.sandbox.forkserver_client import shared_forkserver

    shared_forkserver(isolated, _configured_devices(root))


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
