"""Starting the zygote before the slow imports of the command that needs it."""

import os
from pathlib import Path

CONFIG_NAME = "nbgrader_config.py"


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
    from course.kernels.host import shared_zygote

    shared_zygote(isolated, devices(root))


def start_for_notebooks():
    """Begin to start the zygote of notebooks of our own, where there can be one."""
    from course.kernels import host, sandbox

    if sandbox.is_linux():
        backend = os.environ.get("KERAS_BACKEND", "tensorflow")
        host.notebook_zygote(os.environ | {"KERAS_BACKEND": backend})


def devices(root):
    """Return the devices that the configuration of a course directory lets in."""
    from traitlets.config.loader import PyFileConfigLoader

    try:
        config = PyFileConfigLoader(CONFIG_NAME, path=str(root)).load_config()
        return [str(path) for path in config.TwoKernels.get("devices", [])]
    except Exception:  # whatever is wrong with it, nbgrader is the one to say so
        return []
