"""The seccomp filter of a kernel: it denies calls that escapes would use and notebooks do not.

libseccomp supplies the system call numbers. Import this module before forking: the import searches
for the library in a subprocess.
"""

import errno
import platform

from pyseccomp import ALLOW, ERRNO, KILL_PROCESS, MASKED_EQ, NE, Arch, Arg, Attr, SyscallFilter

ARCHITECTURES = {"x86_64": Arch.X86_64, "aarch64": Arch.AARCH64}
DENIED = (
    *("ptrace", "process_vm_readv", "process_vm_writev", "pidfd_getfd", "kcmp"),
    # Namespaces and mounts, through which a kernel could leave its own.
    *("unshare", "setns", "mount", "umount2", "pivot_root", "chroot", "open_tree", "move_mount"),
    *("fsopen", "fsconfig", "fsmount", "fspick", "mount_setattr"),
    *("open_by_handle_at", "name_to_handle_at"),
    # Large parts of Linux with many vulnerabilities.
    *("bpf", "perf_event_open", "userfaultfd", "io_uring_setup", "add_key", "request_key"),
    *("keyctl", "kexec_load", "init_module", "finit_module", "delete_module", "swapon", "reboot"),
    *("acct", "quotactl", "syslog"),
    # Memory that counts toward neither the limit on the address space nor a mounted folder.
    *("memfd_create", "memfd_secret", "shmget", "msgget"),
)
# Maps a system call to the position of its flags among its arguments.
MESSAGE_CALLS = {
    "sendto": 3, "recvfrom": 3, "sendmsg": 2, "recvmsg": 2, "sendmmsg": 3, "recvmmsg": 3
}  # fmt: skip
NAMESPACE_FLAGS = [1 << bit for bit in (17, *range(25, 31))]  # CLONE_NEWNS, CLONE_NEWCGROUP, …
AF_UNIX = MSG_OOB = 1


def build_filter(machine: str) -> SyscallFilter:
    """Return the filter for "x86_64" or "aarch64"; a call of another architecture kills."""
    rules = SyscallFilter(ALLOW)
    rules.remove_arch(Arch.NATIVE)
    rules.add_arch(ARCHITECTURES[machine])
    rules.set_attr(Attr.ACT_BADARCH, KILL_PROCESS)
    deny = ERRNO(errno.EPERM)
    for name in DENIED:
        rules.add_rule_exactly(deny, name)
    # The C library falls back from clone3, whose flags a filter cannot read, to clone.
    rules.add_rule_exactly(ERRNO(errno.ENOSYS), "clone3")
    for flag in NAMESPACE_FLAGS:
        rules.add_rule_exactly(deny, "clone", Arg(0, MASKED_EQ, flag, flag))
    # Unix sockets stay inside the kernel; AF_VSOCK, for one, crosses network namespaces.
    for name in ("socket", "socketpair"):
        rules.add_rule_exactly(deny, name, Arg(0, NE, AF_UNIX))
    # Urgent data on a Unix socket, which nothing needs, has had exploitable bugs.
    for name, position in MESSAGE_CALLS.items():
        rules.add_rule_exactly(deny, name, Arg(position, MASKED_EQ, MSG_OOB, MSG_OOB))
    return rules


def install_filter() -> None:
    """Install the filter for this process, permanently; this requires no_new_privs."""
    build_filter(platform.machine()).load()
