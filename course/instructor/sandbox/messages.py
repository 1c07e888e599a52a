"""Messages between processes that do not trust each other: a JSON header and blocks of bytes.

A message consists of the length of the header, the number of blocks, the length of each block, the
header, and the blocks; each length or number takes 8 bytes, big-endian. Nothing is unpickled, and
the receiver decides how much it accepts and how long it waits. Deadlines are in `time.monotonic`
seconds; None means no deadline.
"""

import contextlib
import json
import select
import socket
import struct
import time
from collections.abc import Sequence
from typing import Any

LENGTH = struct.Struct("!Q")
MAX_HEADER_BYTES = 64 * 2**20
MAX_BLOCKS = 100_000
MAX_ELEMENTS = 4_000_000  # in a header; each takes about 70 bytes once it is parsed


class MessageError(Exception):
    """The other process has ended, is too slow, or has sent an invalid message."""


class MessageTimeout(MessageError):
    """The other side did not answer in time."""


def send(
    sock: socket.socket, header: Any, blocks: Sequence[Any] = (), deadline: float | None = None
) -> None:
    """Send a JSON header and the bytes-like blocks that it refers to by index.

    Raises MessageError if the other process has ended or does not read the message in time.
    """
    try:
        encoded = json.dumps(header).encode()
    except RecursionError:
        raise MessageError("the message for it is too deeply nested") from None
    views = [memoryview(block).cast("B") for block in blocks]
    lengths = [len(encoded), len(views), *(view.nbytes for view in views)]
    head = b"".join(map(LENGTH.pack, lengths)) + encoded
    for part in (memoryview(head), *views):
        _send_all(sock, part, deadline)


def receive(
    sock: socket.socket, max_bytes: int, deadline: float | None = None
) -> tuple[Any, list[bytearray]]:
    """Return the next message's header and its blocks, which may have up to `max_bytes` in total.

    Raises MessageTimeout if the message is not complete in time, and MessageError if the other side
    has ended, or the message is malformed or too large.
    """
    header_length, count = (LENGTH.unpack(_receive_exactly(sock, 8, deadline))[0] for _ in range(2))
    if header_length > MAX_HEADER_BYTES or count > MAX_BLOCKS:
        raise MessageError("it sent a malformed message")
    lengths = [LENGTH.unpack(_receive_exactly(sock, 8, deadline))[0] for _ in range(count)]
    if sum(lengths) > max_bytes:
        raise MessageError(f"it sent more than {max_bytes // 2**20} MB at once")
    encoded = _receive_exactly(sock, header_length, deadline)
    blocks = [_receive_exactly(sock, length, deadline) for length in lengths]
    if sum(map(encoded.count, (b",", b"[", b"{"))) > MAX_ELEMENTS:
        raise MessageError("it sent too many elements at once")
    try:
        return json.loads(bytes(encoded)), blocks
    except (ValueError, RecursionError):
        raise MessageError("it sent a malformed message") from None


def _receive_exactly(sock: socket.socket, length: int, deadline: float | None) -> bytearray:
    data = bytearray(length)
    view = memoryview(data)
    while view:
        _wait(sock, select.POLLIN, deadline)
        try:
            count = sock.recv_into(view)
        except OSError:
            count = 0
        if not count:
            raise MessageError("it ended")
        view = view[count:]
    return data


def _send_all(sock: socket.socket, view: memoryview, deadline: float | None) -> None:
    while view:
        _wait(sock, select.POLLOUT, deadline)
        with contextlib.suppress(BlockingIOError):
            try:
                # Non-blocking: a receiver that stops reading must not block the sender.
                view = view[sock.send(view, socket.MSG_DONTWAIT) :]
            except ConnectionError:
                raise MessageError("it ended") from None


def _wait(sock: socket.socket, event: int, deadline: float | None) -> None:
    poll = select.poll()
    poll.register(sock, event)
    remaining = None if deadline is None else max(0, deadline - time.monotonic())
    if not poll.poll(None if remaining is None else remaining * 1000):
        raise MessageTimeout("it did not answer in time")
