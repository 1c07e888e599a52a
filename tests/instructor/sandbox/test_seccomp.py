"""The system call filter, executed as Linux would execute it."""

import errno
import fcntl
import mmap
import struct
import tempfile
from functools import lru_cache

import pytest
from pyseccomp import Arch, resolve_syscall

from course.instructor.sandbox import bubblewrap, seccomp

# Refused on purpose, so nobody should add one to the list without a reason.
REFUSED = [
    # Leaving the sandbox, or having more rights.
    *("ptrace", "process_vm_readv", "process_vm_writev", "pidfd_getfd", "kcmp", "process_madvise"),
    *("unshare", "setns", "mount", "umount2", "pivot_root", "chroot", "open_tree", "move_mount"),
    *("fsopen", "fsconfig", "fsmount", "fspick", "mount_setattr", "clone3", "personality"),
    *("open_by_handle_at", "name_to_handle_at", "setuid", "setresuid", "setgroups", "capset"),
    *("bpf", "perf_event_open", "userfaultfd", "io_uring_setup", "seccomp", "modify_ldt"),
    *("kexec_load", "init_module", "finit_module", "delete_module", "swapon", "reboot", "acct"),
    *("quotactl", "syslog", "mknod", "mknodat", "execveat", "setsockopt"),
    # Observing other processes, which share files and the page cache, or disturbing them.
    *("inotify_init", "inotify_init1", "inotify_add_watch", "fanotify_init", "fanotify_mark"),
    *("mincore", "cachestat", "preadv2", "sync", "syncfs", "flock"),
    # More than one share of the processor.
    *("setsid", "setpgid", "sched_setattr", "sched_setscheduler"),
    *("fadvise64", "readahead", "sync_file_range"),
    # Kernel memory that no limit counts.
    *("semget", "semop", "semctl", "semtimedop", "msgget", "msgsnd", "msgctl", "shmget", "shmat"),
    *("mq_open", "add_key", "request_key", "keyctl", "memfd_create", "memfd_secret"),
    *("vmsplice", "splice", "tee", "io_setup", "timer_create", "timerfd_create", "signalfd4"),
    *("rt_sigqueueinfo", "rt_tgsigqueueinfo", "bind", "listen", "accept", "accept4", "connect"),
    *("sendmsg", "recvmsg", "sendmmsg", "recvmmsg", "mlock", "mlock2", "mlockall", "setxattr"),
    *("fsetxattr", "lsetxattr", "remap_file_pages", "landlock_create_ruleset"),
]
F_OFD_SETLK, F_SETPIPE_SZ = 37, 1031
MADV_COLD, MADV_PAGEOUT, MADV_POPULATE_READ = 20, 21, 22
MAP_SHARED_VALIDATE = 3
ALLOW, EPERM, ENOSYS = 0x7FFF0000, 0x50000 | errno.EPERM, 0x50000 | errno.ENOSYS
KILL = 0x80000000
AUDIT_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
# BPF operations: load, bitwise and, return; jump if equal, greater, greater or equal, a bit is set.
LOAD, AND, RETURN = 0x20, 0x54, 0x06
JUMPS = {
    0x15: lambda a, b: a == b,
    0x25: lambda a, b: a > b,
    0x35: lambda a, b: a >= b,
    0x45: lambda a, b: bool(a & b),
}


@lru_cache
def instructions(machine):
    with tempfile.TemporaryFile() as file:
        seccomp.build_filter(machine).export_bpf(file)
        file.seek(0)
        return list(struct.iter_unpack("HBBI", file.read()))


def number_of(name, machine):
    return resolve_syscall(seccomp.ARCHITECTURES[machine], name)


def verdict(machine, number, arguments=(), architecture=None):
    """Run the filter on a system call and return its verdict."""
    architecture = architecture or AUDIT_ARCHITECTURES[machine]
    data = struct.pack("<IIQ6Q", number, architecture, 0, *arguments, *[0] * (6 - len(arguments)))
    program, position, register = instructions(machine), 0, 0
    while True:
        code, if_true, if_false, value = program[position]
        position += 1
        if code == RETURN:
            return value
        if code == LOAD:
            register = struct.unpack_from("<I", data, value)[0]
        elif code == AND:
            register &= value
        else:
            position += if_true if JUMPS[code](register, value) else if_false


@pytest.fixture(params=seccomp.ARCHITECTURES)
def machine(request):
    return request.param


def test_both_architectures_of_the_sandbox_have_a_filter():
    assert tuple(seccomp.ARCHITECTURES) == bubblewrap.ARCHITECTURES


def test_the_filter_is_a_valid_program(machine):
    program = instructions(machine)
    assert len(program) <= 4096
    for position, (code, if_true, if_false, value) in enumerate(program):
        assert code in (LOAD, AND, RETURN, *JUMPS)
        if code == LOAD:
            assert value % 4 == 0 and value < 64
        if code in JUMPS:
            assert position + 1 + max(if_true, if_false) < len(program)
    assert program[-1][0] == RETURN


CONDITIONAL = {"clone", "mmap", "socket", *seccomp.ALLOWED_VALUES, *seccomp.MESSAGE_CALLS}


def test_only_the_listed_calls_are_allowed(machine):
    allowed = {number_of(name, machine) for name in seccomp.ALLOWED} - {-1}
    conditional = {number_of(name, machine) for name in CONDITIONAL}
    assert len(conditional) == len(CONDITIONAL) and min(conditional) >= 0
    assert not allowed & conditional
    # Linux has fewer than 500; the rest stands for those that it will get.
    for number in range(1000):
        if number not in conditional:
            assert verdict(machine, number) == (ALLOW if number in allowed else ENOSYS)


@pytest.mark.parametrize("name", REFUSED)
def test_calls_that_escape_observe_or_fill_memory_are_refused(machine, name):
    number = number_of(name, machine)
    if number >= 0:
        assert verdict(machine, number) == ENOSYS
        assert verdict(machine, number, [1, 1, 1, 1, 1, 1]) == ENOSYS


def test_the_numbers_are_those_of_linux():
    numbers = {"ptrace": (101, 117), "mount": (165, 40), "bpf": (321, 280), "clone3": (435, 435)}
    for name, expected in numbers.items():
        found = resolve_syscall(Arch.X86_64, name), resolve_syscall(Arch.AARCH64, name)
        assert found == expected


def test_only_pairs_of_unix_sockets_are_allowed(machine):
    for family in range(64):
        assert verdict(machine, number_of("socket", machine), [family]) == EPERM
        expected = ALLOW if family == 1 else ENOSYS
        assert verdict(machine, number_of("socketpair", machine), [family]) == expected


def test_a_message_goes_only_to_the_other_socket_of_a_pair(machine):
    number = number_of("sendto", machine)
    assert verdict(machine, number, [1, 1, 1, 0, 0, 0]) == ALLOW
    assert verdict(machine, number, [1, 1, 1, 0, 0x7FFF00000000, 16]) == ENOSYS


def test_a_descriptor_cannot_watch_lease_lock_or_enlarge_anything(machine):
    number = number_of("fcntl", machine)
    refused = ["F_GETLK", "F_SETLK", "F_SETLKW", "F_SETOWN", "F_SETSIG", "F_SETLEASE", "F_NOTIFY"]
    numbers = [getattr(fcntl, name) for name in refused] + [F_OFD_SETLK, F_SETPIPE_SZ]
    for command in numbers:
        for garbage in (0, 1 << 32):  # Linux ignores the upper half
            assert verdict(machine, number, [3, garbage | command]) == ENOSYS
    for command in (fcntl.F_DUPFD, fcntl.F_GETFL, fcntl.F_SETFD, fcntl.F_DUPFD_CLOEXEC):
        assert verdict(machine, number, [3, 1 << 32 | command]) == ALLOW


def test_advice_cannot_load_or_evict_pages_of_files_or_merge_pages(machine):
    number = number_of("madvise", machine)
    allowed = [mmap.MADV_NORMAL, mmap.MADV_DONTNEED, mmap.MADV_FREE, mmap.MADV_HUGEPAGE]
    refused = [mmap.MADV_WILLNEED, mmap.MADV_REMOVE, mmap.MADV_MERGEABLE, MADV_COLD, MADV_PAGEOUT]
    for advice in (*allowed, *refused, MADV_POPULATE_READ):
        expected = ALLOW if advice in allowed else ENOSYS
        for garbage in (0, 1 << 32):  # Linux ignores the upper half
            assert verdict(machine, number, [4096, 4096, garbage | advice]) == expected


def test_memory_is_private_or_belongs_to_a_file(machine):
    number = number_of("mmap", machine)
    for kind in (mmap.MAP_SHARED, mmap.MAP_PRIVATE, MAP_SHARED_VALIDATE):
        for anonymous in (0, mmap.MAP_ANONYMOUS):
            for others in (0, mmap.MAP_POPULATE, 0x40000):  # MAP_HUGETLB
                is_allowed = kind == mmap.MAP_PRIVATE or not anonymous
                found = verdict(machine, number, [0, 4096, 3, kind | anonymous | others, 3, 0])
                assert found == (ALLOW if is_allowed else ENOSYS)


def test_threads_are_allowed_and_namespaces_are_not(machine):
    number = number_of("clone", machine)
    assert verdict(machine, number, [0x3D0F00]) == ALLOW  # flags of pthread_create
    assert verdict(machine, number, [0x1200011]) == ALLOW  # flags of fork
    for flag in (0x20000, 0x2000000, *(1 << bit for bit in range(26, 31))):
        assert verdict(machine, number, [flag | 17]) == ENOSYS


def test_urgent_data_is_refused_in_every_call(machine):
    for name, position in seccomp.MESSAGE_CALLS.items():
        for flags in (0, 0x40, 1, 0x41):
            arguments = [1] * position + [flags]  # and no address
            expected = ENOSYS if flags & 1 else ALLOW
            assert verdict(machine, number_of(name, machine), arguments) == expected


def test_another_architecture_is_killed(machine):
    assert verdict(machine, 0, architecture=0x40000003) == KILL  # 32-bit x86, with other numbers


def test_calls_by_x32_numbers_are_killed():
    assert verdict("x86_64", 0x40000000 | 101) == KILL
