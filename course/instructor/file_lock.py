"""A lock file in a folder, held by one process at a time."""

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

from course.errors import CourseError


@contextlib.contextmanager
def exclusive_lock(folder: Path, error_message: str) -> Iterator[None]:
    """Hold the lock of a folder, which is created if missing, while the block runs.

    Raises CourseError with the message if another process holds it. The system releases the lock
    of a killed process.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with Path(folder, "lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CourseError(error_message) from None
        yield
