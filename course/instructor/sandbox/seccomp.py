"""The seccomp filter for processes that run cells: an allowlist of the system calls they need.

A call that is not listed fails with ENOSYS, as on a Linux that does not have it, so that libraries
fall back to an older call. The list was determined by tracing the notebooks of the course, and
compared with the default profile of Docker (https://github.com/moby/profiles), which allows more.

Not listed are calls by which a process could leave the sandbox, get more than one share of the
processor (setsid: Linux divides the processor among sessions), observe other processes (inotify,
file leases, mincore), control which files are in the page cache, which all processes share
(fadvise64, readahead, some advice of madvise), or occupy Linux memory that no limit counts (SysV
IPC, POSIX message queues, keys, locks on parts of a file, messages waiting at a Unix socket that
listens, memory that processes share without a file).

libseccomp supplies the system call numbers. Import this module before forking: the import searches
for the library in a subprocess.
"""

import errno
import platform

from pyseccomp import (
    ALLOW,
    EQ,
    ERRNO,
    KILL_PROCESS,
    MASKED_EQ,
    Arch,
    Arg,
    Attr,
    SyscallFilter,
    resolve_syscall,
)

ARCHITECTURES = {"x86_64": Arch.X86_64, "aarch64": Arch.AARCH64}
# Some calls exist on only one architecture.
ALLOWED = (
    # Files and folders.
    *("open", "openat", "openat2", "creat", "close", "close_range", "dup", "dup2", "dup3"),
    *("read", "pread64", "readv", "preadv", "write", "pwrite64", "writev", "pwritev"),
    *("lseek", "ftruncate", "truncate", "fallocate", "fsync", "fdatasync"),
    *("sendfile", "copy_file_range", "ioctl", "umask", "access", "faccessat", "faccessat2"),
    *("stat", "fstat", "lstat", "newfstatat", "statx", "statfs", "fstatfs"),
    *("getdents", "getdents64", "getcwd", "chdir", "fchdir", "mkdir", "mkdirat", "rmdir"),
    *("rename", "renameat", "renameat2", "link", "linkat", "unlink", "unlinkat"),
    *("symlink", "symlinkat", "readlink", "readlinkat", "chmod", "fchmod", "fchmodat"),
    *("fchmodat2", "utime", "utimes", "utimensat", "futimesat"),
    *("getxattr", "lgetxattr", "fgetxattr", "listxattr", "llistxattr", "flistxattr"),
    # Memory.
    *("brk", "munmap", "mremap", "mprotect", "msync", "membarrier"),
    # Processes and threads.
    *("fork", "vfork", "execve", "exit", "exit_group", "wait4", "waitid", "getpid", "getppid"),
    *("gettid", "getpgid", "getpgrp", "getsid", "set_tid_address"),
    *("set_robust_list", "get_robust_list", "rseq", "futex", "arch_prctl", "sched_yield"),
    *("sched_getaffinity", "sched_getparam", "sched_getscheduler"),
    *("sched_get_priority_max", "sched_get_priority_min", "getpriority", "setpriority"),
    *("getrlimit", "setrlimit", "prlimit64", "getrusage", "times", "getcpu", "capget"),
    *("getuid", "geteuid", "getgid", "getegid", "getresuid", "getresgid", "getgroups"),
    # Signals.
    *("rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "rt_sigpending", "rt_sigsuspend"),
    *("rt_sigtimedwait", "sigaltstack", "kill", "tkill", "tgkill", "pause", "restart_syscall"),
    # Clocks, and the kinds of timers of which a process has only one each.
    *("gettimeofday", "time", "clock_gettime", "clock_getres", "nanosleep", "clock_nanosleep"),
    *("alarm", "getitimer", "setitimer"),
    # Pipes and waiting for descriptors. RLIMIT_NOFILE limits how many there are.
    *("pipe", "pipe2", "eventfd", "eventfd2", "poll", "ppoll", "select", "pselect6"),
    *("epoll_create", "epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2"),
    # The kernel's own socket, and pairs of sockets, each of which holds at most 200 KB.
    *("getsockname", "getpeername", "getsockopt", "shutdown"),
    # The machine.
    *("uname", "sysinfo", "getrandom"),
)
# What notebooks need from calls that can also do something else: pairs of the position of an
# argument and the values that it may have.
FCNTL_COMMANDS = (0, 1, 2, 3, 4, 1030, 1032)  # F_DUPFD, …, F_SETFL, F_DUPFD_CLOEXEC, F_GETPIPE_SZ
PRCTL_OPTIONS = (1, 2, 3, 4, 15, 16, 21, 23, 38, 39, 0x53564D41)
# Signal at the parent's end, dumpable, name, seccomp's mode, capabilities, no_new_privs, names of
# memory areas.
AF_UNIX = MSG_OOB = 1
# Advice about a process's own memory: normal, discard (now or when needed), children, huge pages,
# dumps, and guard pages, which the stacks of threads need.
MADVISE_ADVICE = (0, 4, 8, 10, 11, 14, 15, 16, 17, 18, 19, 102, 103)
ALLOWED_VALUES = {"fcntl": (1, FCNTL_COMMANDS), "prctl": (0, PRCTL_OPTIONS)}
ALLOWED_VALUES |= {"socketpair": (0, (AF_UNIX,)), "madvise": (2, MADVISE_ADVICE)}
# Shared memory that belongs to no file stays allocated after a process has discarded its pages, so
# that no limit counts it. Libraries use /dev/shm instead, whose size is limited.
MAP_PRIVATE = 2
MAP_TYPE = 0xF
MAP_ANONYMOUS = 0x20
LOW_BITS = 0xFFFFFFFF  # of a register; Linux ignores the others in these arguments
NAMESPACE_FLAGS = sum(1 << bit for bit in (17, *range(25, 31)))  # CLONE_NEWNS, CLONE_NEWCGROUP, …
# Urgent data on a Unix socket, which nothing needs, has had exploitable bugs.
MESSAGE_CALLS = {"sendto": 3, "recvfrom": 3}  # with the positions of their flags


def build_filter(machine: str) -> SyscallFilter:
    """Return the filter for "x86_64" or "aarch64"; another architecture's call ends the process."""
    architecture = ARCHITECTURES[machine]
    rules = SyscallFilter(ERRNO(errno.ENOSYS))
    rules.remove_arch(Arch.NATIVE)
    rules.add_arch(architecture)
    rules.set_attr(Attr.ACT_BADARCH, KILL_PROCESS)

    def allow(name: str, *arguments: Arg) -> None:
        if resolve_syscall(architecture, name) >= 0:
            rules.add_rule_exactly(ALLOW, name, *arguments)

    for name in ALLOWED:
        allow(name)
    for name, (position, values) in ALLOWED_VALUES.items():
        for value in values:
            allow(name, Arg(position, MASKED_EQ, LOW_BITS, value))
    allow("mmap", Arg(3, MASKED_EQ, MAP_TYPE, MAP_PRIVATE))
    allow("mmap", Arg(3, MASKED_EQ, MAP_ANONYMOUS, 0))
    # The C library falls back from clone3, whose flags a filter cannot read, to clone.
    allow("clone", Arg(0, MASKED_EQ, NAMESPACE_FLAGS, 0))
    for name, position in MESSAGE_CALLS.items():
        no_urgent_data = Arg(position, MASKED_EQ, MSG_OOB, 0)
        # A message without an address goes to the other socket of the pair.
        allow(name, no_urgent_data, *([Arg(4, EQ, 0)] if name == "sendto" else ()))
    # There is no network, and notebooks that look for one handle this error.
    rules.add_rule_exactly(ERRNO(errno.EPERM), "socket")
    return rules


def install_filter() -> None:
    """Install the filter for this process, permanently; this requires no_new_privs."""
    build_filter(platform.machine()).load()
