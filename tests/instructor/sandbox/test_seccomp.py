"""The filter of system calls, run as the kernel of the system would run it."""

import errno
import struct

import pytest

from course.instructor.sandbox import seccomp

ALLOW, EPERM, ENOSYS = 0x7FFF0000, 0x50000 | errno.EPERM, 0x50000 | errno.ENOSYS
KILL = 0x80000000


def decoded(machine):
    return list(struct.iter_unpack("HBBI", seccomp.program(machine)))


def verdict(machine, number, arguments=(), architecture=None):
    """Run the program on a system call and return what it says."""
    architecture = architecture or seccomp.ARCHITECTURES[machine][1]
    data = struct.pack("<IIQ6Q", number, architecture, 0, *arguments, *[0] * (6 - len(arguments)))
    lines, place, held = decoded(machine), 0, 0
    while True:
        code, if_true, if_false, value = lines[place]
        place += 1
        if code == 0x06:  # return
            return value
        if code == 0x20:  # load a word of the data
            held = struct.unpack_from("<I", data, value)[0]
        else:
            holds = {0x15: held == value, 0x35: held >= value, 0x45: bool(held & value)}[code]
            place += if_true if holds else if_false


@pytest.fixture(params=seccomp.ARCHITECTURES)
def machine(request):
    return request.param


def column(machine):
    return seccomp.ARCHITECTURES[machine][0]


def test_the_program_is_one_that_linux_takes(machine):
    lines = decoded(machine)
    assert len(lines) <= 4096
    for place, (code, if_true, if_false, value) in enumerate(lines):
        assert code in (0x06, 0x15, 0x20, 0x35, 0x45)
        if code == 0x20:
            assert value % 4 == 0 and value < 64
        if code not in (0x06, 0x20):
            assert place + 1 + max(if_true, if_false) < len(lines)
    assert lines[-1][0] == 0x06


def test_what_is_denied_is_refused_and_all_else_is_not(machine):
    at = column(machine)
    denied = {numbers[at] for numbers in seccomp.DENIED.values()}
    assert len(denied) == len(seccomp.DENIED)
    special = {seccomp.CLONE3[at], *(numbers[at] for numbers in seccomp.SOCKETS)}
    for number in range(600):
        if number not in special:
            assert verdict(machine, number) == (EPERM if number in denied else ALLOW)
    assert verdict(machine, seccomp.CLONE3[at]) == ENOSYS


def test_only_local_sockets_are_allowed(machine):
    for numbers in seccomp.SOCKETS:
        for family in range(64):
            expected = ALLOW if family == 1 else EPERM
            assert verdict(machine, numbers[column(machine)], [family]) == expected


def test_threads_are_allowed_and_namespaces_are_not(machine):
    number = seccomp.CLONE[column(machine)]
    assert verdict(machine, number, [0x3D0F00]) == ALLOW  # pthread_create's
    assert verdict(machine, number, [0x1200011]) == ALLOW  # fork's
    for flag in (0x20000, 0x2000000, *(1 << bit for bit in range(26, 31))):
        assert verdict(machine, number, [flag | 17]) == EPERM


def test_urgent_bytes_are_refused_wherever_the_flags_stand(machine):
    for numbers, place in seccomp.MESSAGES.values():
        for flags in (0, 0x40, 1, 0x41):
            arguments = [1] * place + [flags]
            expected = EPERM if flags & 1 else ALLOW
            assert verdict(machine, numbers[column(machine)], arguments) == expected


def test_another_architecture_is_killed(machine):
    assert verdict(machine, 0, architecture=0x40000003) == KILL  # 32 bits, with other numbers


def test_the_other_table_of_x86_is_refused():
    assert verdict("x86_64", 0x40000000 | 101) == ENOSYS
