"""A memory cgroup for each kernel, where the machine permits it (cgroup v2).

It counts all memory of a kernel's processes together, including what the operating system uses for
them, such as the buffers of pipes and sockets. The other limits also apply without it.
"""

import atexit
import contextlib
import itertools
import os
import tempfile
from functools import lru_cache
from pathlib import Path

from course.instructor.sandbox.limits import PRELOADED_MB, Limits

MOUNT = Path("/sys/fs/cgroup")
OWN = Path("/proc/self/cgroup")
PREFIX = "course-kernel-"
FOLDERS = 3  # in memory: the scratch folder, /tmp, and /dev/shm
_numbers = itertools.count()
_remaining: list[Path] = []  # of kernels whose processes had not ended yet


class MemoryCgroup:
    """The cgroup of one kernel. `descriptor` permits a process that writes "0" to it to join."""

    def __init__(self, path: Path, limits: Limits) -> None:
        """Create a cgroup; raises OSError if the machine does not permit it."""
        self.path = path
        path.mkdir()
        try:
            limit = limits.memory_mb + PRELOADED_MB + FOLDERS * limits.disk_mb
            (path / "memory.max").write_text(str(limit * 2**20))
            with contextlib.suppress(OSError):  # a system without swap space has no such file
                (path / "memory.swap.max").write_text("0")
            (path / "memory.oom.group").write_text("1")
            self.descriptor = os.open(path / "cgroup.procs", os.O_WRONLY | os.O_CLOEXEC)
        except OSError:
            self.remove()
            raise

    def remove(self) -> None:
        """Remove the cgroup now, or later if its processes have not ended yet."""
        _remaining.append(self.path)
        remove_remaining()


def create(limits: Limits) -> MemoryCgroup | None:
    """Return a new cgroup with the limits of a kernel, or None if there is none on this machine."""
    folder, _ = find_parent()
    if folder is None:
        return None
    remove_remaining()
    with contextlib.suppress(OSError):
        return MemoryCgroup(folder / f"{PREFIX}{os.getpid()}-{next(_numbers)}", limits)
    return None


@lru_cache
def find_parent(mount: Path = MOUNT, own: Path = OWN) -> tuple[Path | None, str]:
    """Return the folder in which this process can create memory cgroups, or None and the reason."""
    try:
        lines = own.read_text().splitlines()
    except OSError:
        lines = []
    path = next((line.removeprefix("0::/") for line in lines if line.startswith("0::/")), None)
    controllers = mount / "cgroup.controllers"
    if path is None or not controllers.is_file() or "memory" not in controllers.read_text().split():
        return None, "this machine has no cgroup v2 with the memory controller"
    # A cgroup with processes, such as this process's own, passes its controllers on only if it is
    # the root; the next one above it does so otherwise.
    for folder in (mount / path, (mount / path).parent):
        with contextlib.suppress(OSError):
            if "memory" not in (folder / "cgroup.subtree_control").read_text().split():
                continue
            if not os.access(folder / "cgroup.procs", os.W_OK):  # needed to move a process
                continue
            Path(tempfile.mkdtemp(prefix=PREFIX, dir=folder)).rmdir()
            return folder, ""
    return None, "this user cannot create cgroups (see systemd-run --user --scope)"


@atexit.register
def remove_remaining() -> None:
    """Remove the cgroups of kernels that have ended."""
    for path in list(_remaining):
        try:
            path.rmdir()
        except FileNotFoundError:
            _remaining.remove(path)
        except OSError:  # a process has not ended yet
            continue
        else:
            _remaining.remove(path)
