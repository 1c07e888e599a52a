"""The system call filter, executed as Linux would execute it."""

import errno
import struct
import tempfile
from functools import lru_cache

import pytest
from pyseccomp import Arch, resolve_syscall

from course.instructor.sandbox import bubblewrap, seccomp

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


def test_denied_calls_are_refused_and_others_are_not(machine):
    denied = {number_of(name, machine) for name in seccomp.DENIED}
    assert len(denied) == len(seccomp.DENIED) and min(denied) >= 0
    special = {number_of(name, machine) for name in ("clone3", "socket", "socketpair")}
    for number in range(600):
        if number not in special:
            assert verdict(machine, number) == (EPERM if number in denied else ALLOW)
    assert verdict(machine, number_of("clone3", machine)) == ENOSYS


def test_the_numbers_are_those_of_linux():
    numbers = {"ptrace": (101, 117), "mount": (165, 40), "bpf": (321, 280), "clone3": (435, 435)}
    for name, expected in numbers.items():
        found = resolve_syscall(Arch.X86_64, name), resolve_syscall(Arch.AARCH64, name)
        assert found == expected


def test_only_unix_sockets_are_allowed(machine):
    for name in ("socket", "socketpair"):
        for family in range(64):
            expected = ALLOW if family == 1 else EPERM
            assert verdict(machine, number_of(name, machine), [family]) == expected


def test_threads_are_allowed_and_namespaces_are_not(machine):
    number = number_of("clone", machine)
    assert verdict(machine, number, [0x3D0F00]) == ALLOW  # flags of pthread_create
    assert verdict(machine, number, [0x1200011]) == ALLOW  # flags of fork
    for flag in (0x20000, 0x2000000, *(1 << bit for bit in range(26, 31))):
        assert verdict(machine, number, [flag | 17]) == EPERM


def test_urgent_data_is_refused_in_every_call(machine):
    for name, position in seccomp.MESSAGE_CALLS.items():
        for flags in (0, 0x40, 1, 0x41):
            arguments = [1] * position + [flags]
            expected = EPERM if flags & 1 else ALLOW
            assert verdict(machine, number_of(name, machine), arguments) == expected


def test_another_architecture_is_killed(machine):
    assert verdict(machine, 0, architecture=0x40000003) == KILL  # 32-bit x86, with other numbers


def test_calls_by_x32_numbers_are_killed():
    assert verdict("x86_64", 0x40000000 | 101) == KILL
