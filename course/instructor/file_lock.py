"""A lock file in a folder, held by one process at a time."""

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

from course.errors import CourseError


class LockHeldError(CourseError):
    """Another process holds a lock; the message says what that process is doing."""


@contextlib.contextmanager
def exclusive_lock(folder: Path, error_message: str) -> Iterator[None]:
    """Hold a folder's lock while the `with` block runs; create the folder if it is missing.

    Raises LockHeldError with the message if another process holds the lock. The operating system
    releases the lock of a killed process.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with Path(folder, "lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LockHeldError(error_message) from None
        yield
