"""Warm forkservers, which outlive the command that started them and are used by later commands.

A command connects to one by a socket in a folder that only its user can enter. Each combination of
the code, its environment, and the sandbox has a forkserver of its own, so that none is out of date.
It holds no secrets: what kernels run goes to them directly, never through the forkserver.
"""

import contextlib
import fcntl
import functools
import hashlib
import os
import socket
import stat
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

PACKAGE = Path(__file__).parents[2]
MAX_PATH = 100  # bytes of a socket's path; the system permits 107


def connect(
    command: Sequence[str], start: Callable[[socket.socket, Path], None] | None = None
) -> tuple[socket.socket, Path] | None:
    """Return a connection to the warm forkserver for a command, and the path of its log.

    If none is running, `start` starts one that listens on a socket. Returns None if there is none,
    or if this machine has no private folder for the socket.
    """
    folder = _private_folder()
    if folder is None:
        return None
    address = folder / f"{_digest(command)}.socket"
    if len(os.fsencode(address)) > MAX_PATH:
        return None
    log = address.with_suffix(".log")
    connection = _connect(address)
    if connection or start is None:
        return (connection, log) if connection else None
    with Path(folder, "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # for milliseconds
        if connection := _connect(address):  # another command has started it meanwhile
            return connection, log
        _remove_unused(folder)
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
            listener.bind(str(address))
            listener.listen()
            start(listener, log)
            connection = _connect(address)
    return (connection, log) if connection else None


def _private_folder() -> Path | None:
    """Return a folder that only this user can enter, or None if there is none."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    name = "cnn-course" if runtime else f"cnn-course-{os.getuid()}"
    folder = Path(runtime or tempfile.gettempdir(), name)
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError:
        return None
    is_private = stat.S_ISDIR(found.st_mode) and not found.st_mode & 0o077
    return folder if is_private and found.st_uid == os.getuid() else None


def _connect(address: Path) -> socket.socket | None:
    """Return a connection to the forkserver at an address, or None if none is running."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        connection.connect(str(address))
    except OSError:
        connection.close()
        return None
    return connection


def _remove_unused(folder: Path) -> None:
    """Remove the sockets and logs of forkservers that have ended."""
    for address in folder.glob("*.socket"):
        if connection := _connect(address):
            connection.close()
            continue
        for path in (address, address.with_suffix(".log")):
            with contextlib.suppress(OSError):
                path.unlink()


def _digest(command: Sequence[str]) -> str:
    """Return a name for a command, this version of the package, and the installed packages."""
    return hashlib.sha256("\0".join([*command, _state_of_code()]).encode()).hexdigest()[:16]


@functools.cache
def _state_of_code() -> str:
    """Return the sizes and times of the package's files and of the folder of installed packages.

    The folders that the sandbox contains are identified by their inodes: if one is replaced, even
    with an identical copy, the sandbox of a running forkserver still contains the one before.
    They are read once: a command uses one version of the code.
    """
    paths = [*sorted(PACKAGE.rglob("*.py")), Path(sysconfig.get_path("purelib"))]
    found = [(path, path.stat()) for path in paths]
    parts = [f"{path}:{each.st_size}:{each.st_mtime_ns}" for path, each in found]
    folders = [each.stat() for each in (PACKAGE, Path(sys.base_prefix), Path(sys.prefix))]
    return "\0".join([*parts, *(f"{each.st_dev}:{each.st_ino}" for each in folders)])
