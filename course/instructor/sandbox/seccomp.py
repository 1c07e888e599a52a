"""The seccomp filter of a kernel: system calls that no notebook needs and every escape does.

The numbers are those of Linux; a machine of another architecture than these two gets no filter and
so no isolation.
"""

import ctypes
import errno
import platform
import struct

# name: (x86-64, aarch64)
DENIED = {
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "pidfd_getfd": (438, 438),
    "kcmp": (312, 272),
    # Namespaces and mounts: the way out of the ones a kernel is put into.
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "open_by_handle_at": (304, 265),
    "name_to_handle_at": (303, 264),
    # Large parts of Linux that are rich in holes.
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "kexec_load": (246, 104),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "swapon": (167, 224),
    "reboot": (169, 142),
    "acct": (163, 89),
    "quotactl": (179, 60),
    "syslog": (103, 116),
    # Memory that neither the address space nor a mounted directory counts.
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    "msgget": (68, 186),
}
CLONE, CLONE3 = (56, 220), (435, 435)
SOCKETS = [(41, 198), (53, 199)]  # socket, socketpair: their first argument is the family
# name: numbers, place of the flags
MESSAGES = {
    "sendto": ((44, 206), 3),
    "recvfrom": ((45, 207), 3),
    "sendmsg": ((46, 211), 2),
    "recvmsg": ((47, 212), 2),
    "sendmmsg": ((307, 269), 3),
    "recvmmsg": ((299, 243), 3),
}
ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
NEW_NAMESPACES = 0x7E020000  # all CLONE_NEW* flags
AF_UNIX = 1
MSG_OOB = 1

_LOAD, _AND, _JEQ, _JGE, _JSET, _RETURN = 0x20, 0x54, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16  # offsets in struct seccomp_data
_ALLOW, _KILL, _ERROR = 0x7FFF0000, 0x80000000, 0x00050000
_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 22, 2


def program(machine):
    """Return the filter as the bytes of a BPF program for a machine ("x86_64" or "aarch64")."""
    column, architecture = ARCHITECTURES[machine]

    def instruction(code, value, if_true=0, if_false=0):
        return struct.pack("HBBI", code, if_true, if_false, value)

    def refuse(number, error):
        return [instruction(_JEQ, number, 0, 1), instruction(_RETURN, _ERROR | error)]

    def refuse_unless_argument(number, code, value, if_true, if_false, place=0):
        # Four instructions behind the comparison of the number: load, test, error, allow.
        return [
            instruction(_JEQ, number, 0, 4),
            instruction(_LOAD, _ARGUMENTS + 8 * place),
            instruction(code, value, if_true, if_false),
            instruction(_RETURN, _ERROR | errno.EPERM),
            instruction(_RETURN, _ALLOW),
        ]

    lines = [
        instruction(_LOAD, _ARCHITECTURE),
        instruction(_JEQ, architecture, 1, 0),
        instruction(_RETURN, _KILL),
        instruction(_LOAD, _NUMBER),
    ]
    if machine == "x86_64":  # the x32 table has other numbers
        lines += [instruction(_JGE, 0x40000000, 0, 1), instruction(_RETURN, _ERROR | errno.ENOSYS)]
    for numbers in DENIED.values():
        lines += refuse(numbers[column], errno.EPERM)
    # The C library falls back from clone3, whose flags a filter cannot see, to clone.
    lines += refuse(CLONE3[column], errno.ENOSYS)
    # A local socket goes nowhere; AF_VSOCK, for one, would cross network namespaces.
    for numbers in SOCKETS:
        lines += refuse_unless_argument(numbers[column], _JEQ, AF_UNIX, 1, 0)
    # Urgent bytes on a local socket, which nobody needs, have let programs into the system.
    for numbers, place in MESSAGES.values():
        lines += refuse_unless_argument(numbers[column], _JSET, MSG_OOB, 0, 1, place)
    lines += refuse_unless_argument(CLONE[column], _JSET, NEW_NAMESPACES, 0, 1)
    lines.append(instruction(_RETURN, _ALLOW))
    return b"".join(lines)


def forbid(libc):
    """Put the filter on this process, for good; needs no_new_privs."""
    code = program(platform.machine())
    buffer = ctypes.create_string_buffer(code, len(code))

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))

    filter_program = Program(len(code) // 8, ctypes.addressof(buffer))
    if libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(filter_program), 0, 0):
        raise OSError(ctypes.get_errno(), "seccomp")
