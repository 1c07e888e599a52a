"""Kernels for the tests: real ones, with small limits."""

import contextlib
import time
from pathlib import Path

from course.instructor.grading.serialize import Unpacker
from course.instructor.sandbox.limits import Limits

LIMITS = {
    "memory_mb": 1000,
    "processes": 48,
    "disk_mb": 16,
    "output_kb": 4,
    "message_mb": 8,
}
STUDENT, GRADER = (
    "course.instructor.grading.student_worker",
    "course.instructor.grading.grader_worker",
)


@contextlib.contextmanager
def kernel_of(zygote, files=(), module=STUDENT, **limits):
    """Open a kernel with small limits and close it at the end."""
    kernel = zygote.kernel(module, Limits(**LIMITS | limits), files)
    try:
        yield kernel
    finally:
        kernel.close()


def run(kernel, source, seconds=30):
    """Run a cell and return what came of it."""
    header, _ = kernel.ask({"op": "run", "name": "cell", "source": source}, (), seconds)
    return header


def result_of(kernel, source, seconds=30):
    """Run a cell that must not fail and return what it has bound to `result`."""
    outcome = run(kernel, source, seconds)
    assert outcome["error"] is None, outcome["error"]
    header, blocks = kernel.ask({"op": "fetch", "names": ["result"]})
    return Unpacker(blocks).unpack(header["values"]["result"])


def descendants(process):
    """Return the numbers of all processes that descend from one."""
    found = [process]
    for each in found:
        for children in Path(f"/proc/{each}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                found += map(int, children.read_text().split())
    return set(found[1:])


def living(processes):
    """Return those of the processes that have not ended."""
    found = set()
    for each in processes:
        with contextlib.suppress(OSError):
            state = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()[0]
            found |= {each} if state not in "ZX" else set()
    return found


def until(holds, seconds=5):
    """Wait until something holds and return whether it does in time."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True
