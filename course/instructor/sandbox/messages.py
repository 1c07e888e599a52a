"""Messages between processes that do not trust each other: a JSON header and blocks of bytes.

A frame is the length of the header, the number of blocks, the length of each block, the header,
the blocks; every length is 8 bytes, big-endian. Nothing is unpickled, and a receiver decides how
much it takes and how long it waits.
"""

import contextlib
import json
import select
import struct
import time

LENGTH = struct.Struct("!Q")
MAX_HEADER = 64 * 2**20
MAX_BLOCKS = 100_000
MAX_PARTS = 4_000_000  # of a header, each of which takes 70 bytes or so once it is read


class WireError(Exception):
    """The other side is gone, too slow, or sends what no honest kernel sends."""


class Silence(WireError):
    """The other side has not answered in time."""


def send(sock, header, blocks=(), deadline=None):
    """Send a message.

    Parameters
    ----------
    sock : socket.socket
        A connected stream socket.
    header : object
        What JSON can hold.
    blocks : sequence of bytes-like
        Raw data that the header refers to by index.
    deadline : float, optional
        In `time.monotonic` seconds; None waits for ever.

    Raises
    ------
    WireError
        If the other side is gone or does not take the message before the deadline.
    """
    try:
        encoded = json.dumps(header).encode()
    except RecursionError:
        raise WireError("it was to be told what is too deeply nested") from None
    views = [memoryview(block).cast("B") for block in blocks]
    lengths = [len(encoded), len(views), *(view.nbytes for view in views)]
    head = b"".join(map(LENGTH.pack, lengths)) + encoded
    for part in (memoryview(head), *views):
        _send_all(sock, part, deadline)


def receive(sock, max_bytes, deadline=None):
    """Receive a message.

    Parameters
    ----------
    sock : socket.socket
        A connected stream socket.
    max_bytes : int
        The largest sum of block lengths that is taken.
    deadline : float, optional
        In `time.monotonic` seconds; None waits for ever.

    Returns
    -------
    header : object
        As JSON decodes it.
    blocks : list of bytearray
        The raw data.

    Raises
    ------
    Silence
        If the message is not complete at the deadline.
    WireError
        If the other side is gone or what comes is no message or too large.
    """
    header_length, count = (LENGTH.unpack(_take(sock, 8, deadline))[0] for _ in range(2))
    if header_length > MAX_HEADER or count > MAX_BLOCKS:
        raise WireError("it sent no message that can be read")
    lengths = [LENGTH.unpack(_take(sock, 8, deadline))[0] for _ in range(count)]
    if sum(lengths) > max_bytes:
        raise WireError(f"it sent more than {max_bytes // 2**20} MB at once")
    encoded = _take(sock, header_length, deadline)
    blocks = [_take(sock, length, deadline) for length in lengths]
    if sum(map(encoded.count, (b",", b"[", b"{"))) > MAX_PARTS:
        raise WireError("it sent too many things at once")
    try:
        return json.loads(bytes(encoded)), blocks
    except (ValueError, RecursionError):
        raise WireError("it sent no message that can be read") from None


def _take(sock, length, deadline):
    data = bytearray(length)
    view = memoryview(data)
    while view:
        _wait(sock, select.POLLIN, deadline)
        try:
            count = sock.recv_into(view)
        except OSError:
            count = 0
        if not count:
            raise WireError("it ended")
        view = view[count:]
    return data


def _send_all(sock, view, deadline):
    while view:
        _wait(sock, select.POLLOUT, deadline)
        with contextlib.suppress(BlockingIOError):
            try:
                # Not more than fits: a receiver that stops reading must not block the sender.
                view = view[sock.send(view, _DONT_WAIT) :]
            except (BrokenPipeError, ConnectionError):
                raise WireError("it ended") from None


def _wait(sock, event, deadline):
    poll = select.poll()
    poll.register(sock, event)
    left = None if deadline is None else max(0, deadline - time.monotonic())
    if not poll.poll(None if left is None else left * 1000):
        raise Silence("it did not answer in time")


_DONT_WAIT = 0x40  # MSG_DONTWAIT of Linux
