"""Messages between processes that do not trust each other: a JSON header and blocks of bytes.

A message consists of the sender's key, the number of the message, the length of the header, the
number of blocks, the length of each block, the header, and the blocks. The key has 16 bytes, and
each length or number 8, big-endian; the header is ASCII. Nothing is unpickled. Deadlines are in
`time.monotonic` seconds; None means no deadline.

Each sender chooses a random key and counts its messages, so other bytes in the stream are not taken
for a message. The receiver learns the key from the first message.

The sender applies the rules of the receiver to the encoded message, and refuses it before it sends
the first byte (`MessageRefused`). After any other failure, the position in the stream is unknown,
so the connection is never used again (`MessageError`). The only exception is a timeout of the
receiver, which can continue at the same byte (`MessageTimeout`).
"""

import itertools
import json
import math
import os
import secrets
import select
import socket
import struct
import time
from collections.abc import Generator, Sequence
from typing import Any, NoReturn

KEY_BYTES = 16
PREFIX = struct.Struct(f"!{KEY_BYTES}sQQQ")
UNLIMITED = 2**62
MAX_HEADER_BYTES = 64 * 2**20
MAX_BLOCKS = 100_000
MAX_ELEMENTS = 4_000_000  # in a header; each takes about 70 bytes once it is parsed
MAX_NESTING = 500  # far from Python's limit on recursion; see serialize.MAX_DEPTH
EXIT_CODE = 70  # of a worker after an invalid message; EX_SOFTWARE of sysexits.h
MALFORMED = "it sent a malformed message"
_BRACKETS = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}
_NO_BRACKETS = bytes(set(range(256)) - _BRACKETS.keys())

Header = bytes | bytearray


class MessageError(Exception):
    """The other process has ended, is too slow, or has sent an invalid message."""


class MessageTimeout(MessageError):
    """The other side did not answer in time."""


class ConnectionEnded(MessageError):
    """The other process has closed the connection, for example because it has ended."""


class MessageRefused(Exception):
    """A message was not sent because the receiver would refuse it; the message says why."""


class Connection:
    """One end of a socket that carries messages in both directions.

    `max_received` and `max_sent` limit the size of all blocks of a message together. Both ends must
    have the same limit for a direction.
    """

    def __init__(
        self, sock: socket.socket, max_received: int = UNLIMITED, max_sent: int = UNLIMITED
    ) -> None:
        self._socket = sock
        self._max_received = max_received
        self._max_sent = max_sent
        self._key = secrets.token_bytes(KEY_BYTES)
        self._other_key: bytes | None = None  # until the first message arrives
        self._sent = self._received = 0  # number of messages
        self._reading: Generator[None, None, tuple[bytearray, list[bytearray]]] | None = None
        self._failed = False

    def send(self, header: Any, blocks: Sequence[Any] = (), deadline: float | None = None) -> None:
        """Send a header and the bytes-like blocks that it refers to by index.

        The header is a JSON value, or the bytes of one that is encoded already. Raises
        MessageRefused if the message is invalid, and MessageError if the other process has ended or
        does not read the message in time.
        """
        encoded = header if isinstance(header, Header) else encode(header)
        views = [memoryview(block).cast("B") for block in blocks]
        lengths = [view.nbytes for view in views]
        if problem := _size_problem(len(encoded), len(views), sum(lengths), self._max_sent):
            raise MessageRefused(f"it has {problem}")
        prefix = PREFIX.pack(self._key, self._sent, len(encoded), len(views))
        head = b"".join([prefix, struct.pack(f"!{len(lengths)}Q", *lengths), encoded])
        self._require_intact()
        try:
            for part in (memoryview(head), *views):
                self._send_all(part, deadline)
        except BaseException:
            self._fail()
            raise
        self._sent += 1

    def receive(self, deadline: float | None = None) -> tuple[Any, list[bytearray]]:
        """Return the next message's header and its blocks.

        Raises MessageTimeout if the message is not complete in time, and MessageError if the other
        side has ended, or the message is malformed or too large.
        """
        encoded, blocks = self.receive_encoded(deadline)
        try:
            return parse(encoded), blocks
        except BaseException:
            self._fail()
            raise

    def receive_encoded(self, deadline: float | None = None) -> tuple[bytearray, list[bytearray]]:
        """Return the next message's header as it was sent, and its blocks."""
        self._require_intact()
        try:
            self._reading = self._reading or self._read_message()
            while True:
                try:
                    next(self._reading)
                except StopIteration as complete:
                    self._reading = None
                    return complete.value
                self._wait(select.POLLIN, deadline)
        except MessageTimeout:
            raise
        except BaseException:
            self._fail()
            raise

    def _fail(self) -> None:
        """Mark the connection as unusable."""
        self._failed = True

    def _require_intact(self) -> None:
        if self._failed:
            raise MessageError("an earlier message was incomplete")

    def _read_message(self) -> Generator[None, None, tuple[bytearray, list[bytearray]]]:
        """Return the next message; yield whenever the rest of it has not arrived."""
        prefix = yield from self._read(PREFIX.size)
        key, number, header_length, count = PREFIX.unpack(prefix)
        if number != self._received or key != (self._other_key or key):
            raise MessageError(MALFORMED)
        if problem := _size_problem(header_length, count, 0, self._max_received):
            raise MessageError(f"it sent {problem}")
        lengths = struct.unpack(f"!{count}Q", (yield from self._read(8 * count)))
        if problem := _size_problem(header_length, count, sum(lengths), self._max_received):
            raise MessageError(f"it sent {problem}")
        encoded = yield from self._read(header_length)
        blocks = []
        for length in lengths:
            blocks.append((yield from self._read(length)))
        self._other_key = key
        self._received += 1
        return encoded, blocks

    def _read(self, length: int) -> Generator[None, None, bytearray]:
        data = bytearray(length)
        view = memoryview(data)
        while view:
            try:
                count = self._socket.recv_into(view, 0, socket.MSG_DONTWAIT)
            except BlockingIOError:
                yield
                continue
            except OSError:
                count = 0
            if not count:
                raise ConnectionEnded("it ended")
            view = view[count:]
            if view:
                yield
        return data

    def _send_all(self, view: memoryview, deadline: float | None) -> None:
        while view:
            try:
                # Non-blocking: a receiver that stops reading must not block the sender.
                view = view[self._socket.send(view, socket.MSG_DONTWAIT) :]
            except BlockingIOError:
                self._wait(select.POLLOUT, deadline)
            except OSError:
                raise ConnectionEnded("it ended") from None

    def _wait(self, event: int, deadline: float | None) -> None:
        """Wait until the socket is ready; a slow flow of bytes does not extend the deadline."""
        remaining = None if deadline is None else deadline - time.monotonic()
        poll = select.poll()
        poll.register(self._socket, event)
        if remaining is not None and (remaining <= 0 or not poll.poll(remaining * 1000)):
            raise MessageTimeout("it did not answer in time")
        if remaining is None:
            poll.poll()


class WorkerConnection(Connection):
    """The worker's end of a connection: any failure ends the process at once.

    The code that runs in a worker, such as a test that calls a student's function, may catch every
    exception. It must not go on after an incomplete message.
    """

    def _fail(self) -> NoReturn:
        os._exit(EXIT_CODE)


def encode(header: Any) -> bytes:
    """Return a JSON value as the header of a message; raise MessageRefused if it is invalid."""
    try:
        encoded = json.dumps(header, allow_nan=False, separators=(",", ":")).encode("ascii")
    except RecursionError:
        raise MessageRefused("it has too many levels") from None
    except (TypeError, ValueError) as error:
        raise MessageRefused(f"it is not JSON ({error})") from None
    if problem := _header_problem(encoded):
        raise MessageRefused(f"it has {problem}")
    return encoded


def parse(
    encoded: Header, max_bytes: int = MAX_HEADER_BYTES, max_elements: int = MAX_ELEMENTS
) -> Any:
    """Return the JSON value of a header; raise MessageError if it is invalid or too large."""
    if problem := _header_problem(encoded, max_bytes, max_elements):
        raise MessageError(f"it sent {problem}")
    try:
        return json.loads(
            encoded.decode("ascii"),
            parse_float=_parse_float,
            parse_constant=_parse_float,
        )
    except (ValueError, RecursionError):
        raise MessageError(MALFORMED) from None


def _size_problem(header_bytes: int, blocks: int, block_bytes: int, max_bytes: int) -> str | None:
    """Return the limit that a message exceeds, or None; both ends apply this rule."""
    if header_bytes > MAX_HEADER_BYTES:
        return f"a header of more than {MAX_HEADER_BYTES // 2**20} MB"
    if blocks > MAX_BLOCKS:
        return "too many blocks"
    if block_bytes > max_bytes:
        return f"more than {max_bytes // 2**20} MB at once"
    return None


def _header_problem(
    encoded: Header, max_bytes: int = MAX_HEADER_BYTES, max_elements: int = MAX_ELEMENTS
) -> str | None:
    """Return the limit that a header exceeds, or None; both ends apply this rule."""
    if len(encoded) > max_bytes:
        return f"a header of more than {max_bytes / 2**20:.3g} MB"
    if _count(encoded, b"[{,") <= min(max_elements, MAX_NESTING):
        return None
    # Without escaped characters, every second part between quotation marks is outside of texts.
    parts = encoded.replace(rb"\\", b"").replace(rb"\"", b"").split(b'"')
    structure = b"".join(parts[::2])
    if _count(structure, b"[{,") > max_elements:
        return "too many elements at once"
    brackets = structure.translate(None, _NO_BRACKETS)
    if max(itertools.accumulate(map(_BRACKETS.__getitem__, brackets)), default=0) > MAX_NESTING:
        return "too many levels"
    return None


def _count(data: Header, characters: bytes) -> int:
    return sum(data.count(character) for character in characters)


def _parse_float(text: str) -> float:
    if not math.isfinite(number := float(text)):
        raise ValueError("a number is not finite")
    return number
