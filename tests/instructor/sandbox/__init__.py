"""Kernels for the tests: real ones, with small limits."""

import contextlib
import time
from pathlib import Path

from course.instructor.grading.serialize import Deserializer
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
def open_kernel(forkserver, files=(), module=STUDENT, **limits):
    """Start a kernel with small limits and close it at the end."""
    kernel = forkserver.start_kernel(module, Limits(**LIMITS | limits), files)
    try:
        yield kernel
    finally:
        kernel.close()


def run(kernel, source, seconds=30):
    """Run a cell and return the answer's header."""
    header, _ = kernel.request({"op": "run", "name": "cell", "source": source}, (), seconds)
    return header


def result_of(kernel, source, seconds=30):
    """Run a cell that must not fail and return the value that it assigns to `result`."""
    outcome = run(kernel, source, seconds)
    assert outcome["error"] is None, outcome["error"]
    header, blocks = kernel.request({"op": "fetch", "names": ["result"]})
    return Deserializer(blocks).deserialize(header["values"]["result"])


def descendants(process):
    """Return the process ids of all descendants of a process."""
    found = [process]
    for each in found:
        for children in Path(f"/proc/{each}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                found += map(int, children.read_text().split())
    return set(found[1:])


def state_of(process):
    """Return the state of a process and the id of its parent; raise OSError if it has ended."""
    # Other tests' processes are read, too, and a name may have bytes of any encoding.
    state, parent = Path(f"/proc/{process}/stat").read_bytes().rpartition(b")")[2].split()[:2]
    return state.decode(), int(parent)


def name_of(process):
    """Return the name of a process; raise OSError if it has ended."""
    return Path(f"/proc/{process}/comm").read_text(errors="replace").strip()


def running(processes):
    """Return the processes that have not ended."""
    found = set()
    for each in processes:
        with contextlib.suppress(OSError):
            found |= {each} if state_of(each)[0] not in "ZX" else set()
    return found


def wait_until(condition, seconds=5):
    """Wait until a condition holds and return True if it does in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True
