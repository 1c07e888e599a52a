"""What a forked kernel does to itself before it runs a line of anybody's.

The order matters: namespaces, then a second fork (the first process of a process namespace ends
everything in it when it ends), mounts, limits, and last the rights that all of this needed.
"""

import ctypes
import os
import resource
import socket
import sys
from pathlib import Path

from course.instructor.sandbox import seccomp
from course.instructor.sandbox.limits import SCRATCH

libc = ctypes.CDLL(None, use_errno=True)

_NEWNS, _NEWCGROUP, _NEWUTS, _NEWIPC = 0x00020000, 0x02000000, 0x04000000, 0x08000000
_NEWUSER, _NEWPID, _NEWNET = 0x10000000, 0x20000000, 0x40000000
_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_REC, _MS_PRIVATE = 1, 2, 4, 16384, 1 << 18
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 1, 4, 24, 38
_PR_SET_CHILD_SUBREAPER = 36
NOBODY = 65534


def leave_root():
    """Become nobody where this is root: the limit on processes does not bind root."""
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
        # The change of user hides /proc/self from its own process, which then maps no users.
        libc.prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0)


def adopt_orphans():
    """Become the parent of grandchildren whose parent has ended."""
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def enter_namespaces():
    """Leave the users, mounts, processes, network, host name and memory segments of the others.

    The next fork is the first process of the new process namespace.
    """
    user, group = os.geteuid(), os.getegid()
    _check(
        libc.unshare(_NEWUSER | _NEWNS | _NEWPID | _NEWNET | _NEWIPC | _NEWUTS | _NEWCGROUP),
        "unshare",
    )
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{group} {group} 1")


def mount_own(limits):
    """Mount an own scratch, /tmp, /dev/shm, /dev/pts and an empty /proc, and go to the scratch."""
    _mount(None, "/", None, _MS_REC | _MS_PRIVATE)
    for place in (SCRATCH, "/tmp", "/dev/shm"):
        _tmpfs(place, f"size={limits.disk_mb}m,nr_inodes=20000,mode=700")
    _tmpfs("/dev/pts", "size=4k,mode=500", _MS_RDONLY)
    # Instead of a mount of its own processes, which a partly masked /proc does not allow: files
    # that libraries read at run time. No process has an entry, not even this one.
    facts = {name: Path("/proc", name).read_bytes() for name in ("cpuinfo", "meminfo", "stat")}
    # TensorFlow's first operation ends the process where it finds no table of mounts.
    facts |= {"mounts": b"", "self/cmdline": b"python\0", "self/cpuset": b"/\n"}
    _tmpfs("/proc", "size=1m,mode=755")
    for name, content in facts.items():
        Path("/proc", name).parent.mkdir(exist_ok=True)
        Path("/proc", name).write_bytes(content)
    Path("/proc/self/exe").symlink_to(sys.executable)
    _tmpfs_read_only("/proc")
    socket.sethostname("kernel")
    os.chdir(SCRATCH)


def limit(limits, of_user=True):
    """Set the limits that the system enforces on each process.

    Without a user namespace, the limit on processes would count all that this user runs: leave it
    out then, with `of_user=False`.
    """
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    for kind, value in {
        resource.RLIMIT_AS: mapped + limits.memory_mb * 2**20,
        **({resource.RLIMIT_NPROC: limits.processes} if of_user else {}),
        resource.RLIMIT_FSIZE: limits.disk_mb * 2**20,
        resource.RLIMIT_NOFILE: 256,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_MEMLOCK: 0,
    }.items():
        resource.setrlimit(kind, (value, value))


def end_with_parent():
    """Be killed when the parent ends."""
    _check(libc.prctl(_PR_SET_PDEATHSIG, 9, 0, 0, 0), "prctl")


def drop_rights():
    """Give up every capability, now and for every program started from here, and filter calls."""
    for capability in range(64):
        libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)  # fails past the last one there is
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # version 3, this process
    nothing = (ctypes.c_uint32 * 6)()
    _check(libc.capset(header, nothing), "capset")
    _check(libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl")
    seccomp.forbid(libc)


def _tmpfs(place, options, flags=0):
    _mount("tmpfs", place, options, _MS_NOSUID | _MS_NODEV | flags)


def _tmpfs_read_only(place):
    remount = 32
    _mount("tmpfs", place, None, _MS_NOSUID | _MS_NODEV | _MS_RDONLY | remount)


def _mount(kind, place, options, flags):
    encoded = [None if text is None else text.encode() for text in (kind, place, kind, options)]
    _check(libc.mount(encoded[0], encoded[1], encoded[2], flags, encoded[3]), f"mount {place}")


def _check(result, what):
    if result:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
