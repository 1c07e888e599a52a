"""A lock in a folder, which one process at a time has."""

import contextlib
import fcntl
from pathlib import Path

from course.errors import CourseError


@contextlib.contextmanager
def alone(folder, otherwise):
    """Keep other processes that ask for the same away; a killed one keeps nobody away.

    Parameters
    ----------
    folder : Path
        Where the lock lies; it is made.
    otherwise : str
        What the error says where another process is there already.

    Raises
    ------
    CourseError
        If there is one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with Path(folder, "lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CourseError(otherwise) from None
        yield
