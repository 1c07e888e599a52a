"""Starting the zygote before the slow imports of the command that needs it."""

import os
from pathlib import Path

from course.errors import CourseError
from course.instructor.course_dir import CONFIG_NAME, load_config


def start(root, isolated=True):
    """Begin to start this process's zygote as the configuration of a course directory says.

    Parameters
    ----------
    root : Path
        The course directory; where it has no configuration, nothing is started.
    isolated : bool
        Whether kernels run in the sandbox.

    Raises
    ------
    CourseError
        If kernels cannot be isolated here.
    """
    if not Path(root, CONFIG_NAME).is_file() or not any(Path(root).glob("submitted/*/*")):
        return
    from course.instructor.sandbox.forkserver_client import shared_zygote

    shared_zygote(isolated, devices(root))


def start_for_notebooks():
    """Begin to start the zygote of notebooks of our own, where there can be one."""
    from course.instructor.sandbox import bubblewrap, forkserver_client

    if bubblewrap.is_linux():
        backend = os.environ.get("KERAS_BACKEND", "tensorflow")
        forkserver_client.notebook_zygote(os.environ | {"KERAS_BACKEND": backend})


def devices(root):
    """Return the devices that the configuration of a course directory lets in."""
    try:
        return [str(path) for path in load_config(root).TwoKernels.get("devices", [])]
    except CourseError:  # nbgrader reports what is wrong with the file
        return []
