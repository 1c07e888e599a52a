"""A limit on the processor time of a block of code in the main thread of a process."""

import contextlib
import signal
from collections.abc import Iterator

from course.instructor.student_text.limited_worker import StudentTextError

REPEAT_SECONDS = 0.1  # a library that catches every exception is interrupted again


class _TimeIsUp(BaseException):
    """Raised in the running code; not an Exception, so that libraries do not catch it."""


@contextlib.contextmanager
def processor_time_limit(seconds: float) -> Iterator[None]:
    """Raise StudentTextError if a block in the main thread takes more processor time than this."""

    def stop(*_: object) -> None:
        raise _TimeIsUp

    previous = signal.signal(signal.SIGVTALRM, stop)
    try:
        signal.setitimer(signal.ITIMER_VIRTUAL, seconds, REPEAT_SECONDS)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    except _TimeIsUp:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        raise StudentTextError(f"it takes more than {seconds:g} s to process") from None
    finally:
        signal.signal(signal.SIGVTALRM, previous)
