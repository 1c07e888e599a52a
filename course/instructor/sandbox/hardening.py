"""The restrictions that a forked kernel imposes on itself before it runs any cell.

The order matters: namespaces, then a second fork (when the first process of a process namespace
ends, everything in it ends), limits, mounts, and finally dropping the privileges that these need.
"""

import ctypes
import math
import os
import resource
import socket
import sys
from pathlib import Path

from course.instructor.sandbox.limits import SCRATCH, Limits

libc = ctypes.CDLL(None, use_errno=True)

_NEWNS, _NEWCGROUP, _NEWUTS, _NEWIPC = 0x00020000, 0x02000000, 0x04000000, 0x08000000
_NEWUSER, _NEWPID, _NEWNET = 0x10000000, 0x20000000, 0x40000000
_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_REMOUNT, _MS_REC, _MS_PRIVATE = 1, 2, 4, 32, 16384, 1 << 18
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 1, 4, 24, 38
_PR_SET_CHILD_SUBREAPER = 36
_MOUNT_SETATTR, _AT_RECURSIVE, _MOUNT_ATTR_RDONLY = 442, 0x8000, 1  # on all architectures
NOBODY = 65534


def drop_root() -> None:
    """Become nobody if this process is root: the limit on processes does not apply to root."""
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
        # After a change of user, a process cannot access its own /proc/self to map users.
        libc.prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0)


def become_subreaper() -> None:
    """Become the parent of descendants whose parent has ended."""
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def enter_namespaces() -> None:
    """Enter new namespaces: users, mounts, processes, network, IPC, host name, and cgroups.

    The next forked process is the first process of the new process namespace.
    """
    user, group = os.geteuid(), os.getegid()
    _check(
        libc.unshare(_NEWUSER | _NEWNS | _NEWPID | _NEWNET | _NEWIPC | _NEWUTS | _NEWCGROUP),
        "unshare",
    )
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{group} {group} 1")


def mount_private_filesystems(limits: Limits) -> None:
    """Mount a private scratch folder, /tmp, /dev/shm, /dev/pts, and /proc; change to the first.

    Everything else becomes read-only: what a kernel could change there would outlive it.
    """
    _mount(None, "/", None, _MS_REC | _MS_PRIVATE)
    _make_mounts_read_only()
    for folder in (SCRATCH, "/tmp", "/dev/shm"):
        _mount_tmpfs(folder, f"size={limits.disk_mb}m,nr_inodes=20000,mode=700")
    _mount_tmpfs("/dev/pts", "size=4k,mode=500", _MS_RDONLY)
    # A partly masked /proc does not allow mounting a /proc with the kernel's own processes. Provide
    # only the files that libraries read at run time: no process has an entry, not even this one.
    files = {name: Path("/proc", name).read_bytes() for name in ("cpuinfo", "meminfo", "stat")}
    # Without a table of mounts, TensorFlow's first operation ends the process.
    files |= {"mounts": b"", "self/cmdline": b"python\0", "self/cpuset": b"/\n"}
    _mount_tmpfs("/proc", "size=1m,mode=755")
    for name, content in files.items():
        Path("/proc", name).parent.mkdir(exist_ok=True)
        Path("/proc", name).write_bytes(content)
    Path("/proc/self/exe").symlink_to(sys.executable)
    _mount_tmpfs("/proc", None, _MS_RDONLY | _MS_REMOUNT)
    socket.sethostname("kernel")
    os.chdir(SCRATCH)


def set_limits(limits: Limits, limit_processes: bool = True) -> None:
    """Set the limits that the system enforces on each process.

    Without a user namespace, the limit on processes would count all processes of this user.
    """
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    for kind, value in {
        resource.RLIMIT_AS: mapped + limits.memory_mb * 2**20,
        **({resource.RLIMIT_NPROC: limits.processes} if limit_processes else {}),
        resource.RLIMIT_FSIZE: limits.disk_mb * 2**20,
        resource.RLIMIT_NOFILE: 256,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_MEMLOCK: 0,
        resource.RLIMIT_NICE: 0,  # the priority can only be lowered
        resource.RLIMIT_RTPRIO: 0,
    }.items():
        resource.setrlimit(kind, (value, value))
    # More than any process can use before the notebook's time is up. At the first limit, SIGXCPU
    # ends the process; at the second, SIGKILL ends a process that ignores SIGXCPU, as the first one
    # of a namespace does.
    seconds = math.ceil(limits.notebook_seconds) * len(os.sched_getaffinity(0))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))


def die_with_parent() -> None:
    """Have this process killed when its parent ends."""
    _check(libc.prctl(_PR_SET_PDEATHSIG, 9, 0, 0, 0), "prctl")


def drop_privileges() -> None:
    """Drop all capabilities, for this process and any program it executes; filter system calls."""
    from course.instructor.sandbox import seccomp  # needs libseccomp, which only isolation needs

    for capability in range(64):
        libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)  # fails beyond the last capability
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # version 3, this process
    no_capabilities = (ctypes.c_uint32 * 6)()
    _check(libc.capset(header, no_capabilities), "capset")
    _check(libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl")
    seccomp.install_filter()


def _make_mounts_read_only() -> None:
    """Make every mount read-only, including each device: their files belong to the machine.

    Anyone who may write to a device may also set its times. On a read-only mount, a device can
    still be written to, because what is written does not change the file.
    """
    attributes = (ctypes.c_uint64 * 4)(_MOUNT_ATTR_RDONLY)  # to set, to clear, and two more fields
    arguments = [_MOUNT_SETATTR, -1, b"/", _AT_RECURSIVE, attributes, ctypes.sizeof(attributes)]
    result = libc.syscall(*(ctypes.c_long(n) if isinstance(n, int) else n for n in arguments))
    _check(result, "mount_setattr")


def _mount_tmpfs(folder: str, options: str | None, flags: int = 0) -> None:
    _mount("tmpfs", folder, options, _MS_NOSUID | _MS_NODEV | flags)


def _mount(kind: str | None, folder: str, options: str | None, flags: int) -> None:
    encoded = [None if text is None else text.encode() for text in (kind, folder, kind, options)]
    _check(libc.mount(encoded[0], encoded[1], encoded[2], flags, encoded[3]), f"mount {folder}")


def _check(result: int, call: str) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, f"{call}: {os.strerror(number)}")
