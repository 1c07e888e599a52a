"""Calls to the course's functions on students' text, each in its own process with limits.

Parsers, regular expressions, and templates can take time and memory that grow faster than their
input. Therefore, students' text is not parsed, analyzed, or rendered in the instructor's process.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any

from course.errors import CourseError
from course.instructor.sandbox import forkserver_client
from course.instructor.sandbox.forkserver_client import Forkserver, shared_forkserver
from course.instructor.sandbox.kernel_client import EngineError, Kernel, KernelEnded
from course.instructor.sandbox.limits import Limits
from course.instructor.student_text.limited_worker import OUT_OF_TIME, StudentTextError
from course.instructor.student_text.size_limits import MAX_ELEMENTS

CPU_SECONDS = 20
MEMORY_MB = 2048
# Wall-clock time per second of processor time. A process that takes longer waits for this machine.
PATIENCE = 4
# Parts of errors that are not evidence against the text: the process was late or left no report.
NO_REPORT = ("ran for more than", "did not answer in time", "SIGINT", "it ended")


def call_limited(
    function: Callable[..., Any],
    *arguments: Any,
    blocks: Sequence[bytes] = (),
    cpu_seconds: int = CPU_SECONDS,
    memory_mb: int = MEMORY_MB,
) -> Any:
    """Call a function in a process with limits and return its result.

    The process is isolated if this machine can isolate processes, sees none of the course's files,
    and ends after the call. It takes 30 ms to start, and the first one of a command 0.7 s.

    Parameters
    ----------
    function : callable
        A function at the top level of a module that contains `serve = limited_worker.serve`.
    *arguments
        Values that JSON can represent.
    blocks : sequence of bytes
        Further positional arguments of type bytes, such as the content of a file.
    cpu_seconds, memory_mb : int
        Limits on processor time and on memory.

    Returns
    -------
    value
        The function's result after a round trip through JSON. All strings in it can be encoded as
        UTF-8. A caller that depends on the types in it must check them, because the process has
        handled students' text.

    Raises
    ------
    StudentTextError
        If the function raises an error or exceeds a limit; the message is a clause that says which.
    EngineError
        If this machine is too busy to complete the call, which is no evidence against the text.
    KernelEnded
        If the command is being stopped.
    CourseError
        If this machine cannot start such processes.
    """
    limits = Limits(
        call_seconds=cpu_seconds, memory_mb=memory_mb, processes=16, disk_mb=1, message_mb=256
    )
    request = {"module": function.__module__, "function": function.__name__}
    request["arguments"] = list(arguments)  # type: ignore[assignment]
    kernel = _start(function.__module__, limits)
    try:
        answer, results = kernel.request(request, blocks, seconds=PATIENCE * cpu_seconds)
    except KernelEnded as error:
        if forkserver_client.is_stopped() or isinstance(error, EngineError):
            raise
        if any(each in str(error) for each in NO_REPORT):
            raise EngineError(
                f"a process did not finish {cpu_seconds} s of work in {PATIENCE * cpu_seconds} s:"
                " close other programs, and run the command again."
            ) from None
        raise StudentTextError(_describe(str(error), cpu_seconds)) from None
    finally:
        kernel.close()
    if problem := answer.get("problem"):
        raise StudentTextError(str(problem)[:1000])
    return _decode(results)


def preload(module: str) -> None:
    """Import a module in the forkserver, before processes are forked that call its functions."""
    forkserver = _forkserver()
    forkserver.wait_until_ready()
    # The forkserver imports the module before it starts the process.
    forkserver.start_kernel(module, Limits()).close()


def start() -> None:
    """Start the forkserver without waiting until it is ready."""
    _forkserver()


def _start(module: str, limits: Limits) -> Kernel:
    """Start a process, with a second attempt if the forkserver has just ended."""
    forkserver = _forkserver()
    try:
        return forkserver.start_kernel(module, limits)
    except KernelEnded:
        if forkserver.alive or forkserver_client.is_stopped():
            raise
    return _forkserver().start_kernel(module, limits)


def _forkserver() -> Forkserver:
    """Return the forkserver for students' text, isolated if this machine can isolate processes."""
    # Whether this machine can isolate takes 0.3 s to find out; a warm forkserver shows that it can.
    try:
        return shared_forkserver(uses_keras=False)
    except CourseError:
        return shared_forkserver(isolated=False, uses_keras=False)


def _describe(reason: str, cpu_seconds: int) -> str:
    """Return why a process ended, as a clause about the text that it processed."""
    if f"exited with code {OUT_OF_TIME}" in reason:
        return f"it takes more than {cpu_seconds} s to process"
    if "SIGKILL" in reason:  # in a call in C, or because the system has no memory left
        return f"it takes more than {cpu_seconds} s or too much memory to process"
    if "memory" in reason:
        return "it takes too much memory to process"
    return f"it cannot be processed ({reason})"


def _decode(results: Sequence[bytes | bytearray]) -> Any:
    """Return the JSON value in an answer, which may not have too many elements."""
    data = bytes(results[0]) if len(results) == 1 else b""
    if _count_values(data) > MAX_ELEMENTS and _count_values(_without_texts(data)) > MAX_ELEMENTS:
        raise StudentTextError("it has too many elements to process")
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        raise StudentTextError("it cannot be processed (a malformed answer)") from None


def _count_values(data: bytes) -> int:
    """Return the number of commas and brackets, each of which may precede a value."""
    return sum(map(data.count, (b",", b"[", b"{")))


def _without_texts(data: bytes) -> bytes:
    """Return JSON with the strings removed, unless there are too many of them."""
    plain = data.replace(rb"\\", b"").replace(rb"\"", b"")
    # A comma or bracket precedes each value, or each pair of a name and a value, which has at most
    # four quotation marks.
    if plain.count(b'"') > 4 * MAX_ELEMENTS:
        return data
    # Without escaped characters, every second part between quotation marks is outside of texts.
    return b"".join(plain.split(b'"')[::2])
