"""Starting the forkserver while the slow imports of a command run."""

import os
from collections.abc import Sequence
from pathlib import Path

from course.errors import CourseError
from course.instructor.course_dir import load_config, mentions_keras, source_notebook
from course.instructor.sandbox.limits import WARM_MINUTES


def start_for_grading(root: Path, names: Sequence[str], isolated: bool = True) -> None:
    """Start the forkservers for the first of the assignments that has submissions, if any has.

    Raises CourseError if kernels cannot be isolated on this machine.
    """
    for name in names:
        if any(Path(root).glob(f"submitted/*/{name}")):
            from course.instructor.sandbox import forkserver_client
            from course.instructor.student_text import limited_call

            devices, warm_minutes = _configured(root)
            forkserver_client.stay_warm(warm_minutes)
            uses_keras = mentions_keras(source_notebook(root, name))
            forkserver_client.shared_forkserver(isolated, devices, uses_keras=uses_keras)
            limited_call.start()  # it reads the submissions
            return


def start_for_notebooks() -> None:
    """Start the forkserver for the course's own notebooks, on systems that support it."""
    from course.instructor.sandbox import bubblewrap, forkserver_client

    if bubblewrap.is_linux():
        backend = os.environ.get("KERAS_BACKEND", "tensorflow")
        forkserver_client.notebook_forkserver(os.environ | {"KERAS_BACKEND": backend})


def _configured(root: Path) -> tuple[list[str], float]:
    """Return the configured devices, and the minutes that a forkserver stays warm."""
    try:
        settings = load_config(root).ExecuteIsolated
    except CourseError:  # nbgrader reports the error in the file
        return [], 0
    minutes = settings.get("warm_minutes", WARM_MINUTES)
    is_number = isinstance(minutes, int | float)
    return [str(path) for path in settings.get("devices", [])], minutes if is_number else 0
