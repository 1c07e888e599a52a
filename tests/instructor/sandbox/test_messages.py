"""Messages between processes, and malformed, late or missing ones."""

import json
import socket
import struct
import threading
import time

import numpy as np
import pytest

from course.instructor.sandbox import messages

MB = 2**20


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def soon(seconds=0.2):
    return time.monotonic() + seconds


def frame(header, *blocks):
    parts = [len(header), len(blocks), *map(len, blocks)]
    return b"".join(struct.pack("!Q", part) for part in parts) + header + b"".join(blocks)


@pytest.mark.parametrize("header", [{}, {"a": [1, None, True, "é\ud800"]}, [], "text", 5, None])
def test_a_message_arrives_as_it_was_sent(pair, header):
    ours, theirs = pair
    array = np.arange(6, dtype="float32")
    messages.send(theirs, header, [b"", b"abc", array])
    received, blocks = messages.receive(ours, MB, soon())
    assert received == header
    assert blocks == [b"", b"abc", array.tobytes()]


def test_messages_arrive_one_by_one_in_order(pair):
    ours, theirs = pair
    for number in range(10):
        messages.send(theirs, number, [bytes(number)])
    for number in range(10):
        assert messages.receive(ours, MB, soon()) == (number, [bytes(number)])


def test_a_large_message_is_received_while_it_is_being_sent(pair):
    ours, theirs = pair
    block = np.random.default_rng(0).bytes(8 * MB)
    sender = threading.Thread(target=messages.send, args=(theirs, {}, [block], soon(20)))
    sender.start()
    assert messages.receive(ours, 8 * MB, soon(20))[1] == [block]
    sender.join()


@pytest.mark.parametrize(
    "data",
    [
        b"garbage that is not a message",
        frame(b"{"),
        frame(b"\xff\xfe"),
        frame(b""),
        frame(b"[" * 100_000 + b"]" * 100_000),
        frame(b"1" * 5000),
        struct.pack("!QQ", 2**63, 0),
        struct.pack("!QQ", messages.MAX_HEADER_BYTES + 1, 0),
        struct.pack("!QQ", 2, 2**63),
        struct.pack("!QQ", 2, messages.MAX_BLOCKS + 1),
        struct.pack("!QQQ", 2, 1, MB + 1),
        struct.pack("!QQQQ", 2, 2, 2**63, 2**63),
        struct.pack("!QQQ", 2, 1, 2**64 - 1),
    ],
)
def test_malformed_or_too_large_messages_are_refused_at_once(pair, data):
    ours, theirs = pair
    sender = threading.Thread(target=theirs.sendall, args=(data,))
    sender.start()
    start = time.monotonic()
    with pytest.raises(messages.MessageError) as refused:
        messages.receive(ours, MB, soon(10))
    assert not isinstance(refused.value, messages.MessageTimeout)
    assert time.monotonic() - start < 1
    sender.join()


def test_a_header_with_too_many_elements_is_not_parsed(pair):
    ours, theirs = pair
    header = b"[" + b"{}," * messages.MAX_ELEMENTS + b"{}]"
    sender = threading.Thread(target=theirs.sendall, args=(frame(header),))
    sender.start()
    start = time.monotonic()
    with pytest.raises(messages.MessageError, match="too many elements"):
        messages.receive(ours, MB, soon(10))
    assert time.monotonic() - start < 3
    sender.join()


def test_the_rest_of_a_message_is_awaited_until_the_deadline(pair):
    ours, theirs = pair
    whole = frame(b'{"a": 1}', b"block")
    for length in (0, 3, 8, 20, len(whole) - 1):
        theirs.sendall(whole[:length])
        start = time.monotonic()
        with pytest.raises(messages.MessageTimeout):
            messages.receive(ours, MB, soon(0.05))
        assert 0.04 < time.monotonic() - start < 0.5


def test_half_a_message_before_the_end_counts_as_an_end(pair):
    ours, theirs = pair
    theirs.sendall(frame(b"{}", b"block")[:-1])
    theirs.close()
    with pytest.raises(messages.MessageError, match="ended"):
        messages.receive(ours, MB, soon())


def test_a_slow_sender_does_not_extend_the_deadline(pair):
    ours, theirs = pair
    data = frame(json.dumps("x" * 1000).encode())

    def drip():
        for byte in data[:40]:
            theirs.send(bytes([byte]))
            time.sleep(0.02)

    sender = threading.Thread(target=drip)
    sender.start()
    start = time.monotonic()
    with pytest.raises(messages.MessageTimeout):
        messages.receive(ours, MB, soon(0.3))
    assert time.monotonic() - start < 0.6
    sender.join()


def test_a_receiver_that_does_not_read_does_not_block_the_sender(pair):
    _, theirs = pair
    start = time.monotonic()
    with pytest.raises(messages.MessageTimeout):
        messages.send(theirs, {}, [bytes(8 * MB)], soon(0.2))
    assert time.monotonic() - start < 1


def test_a_sender_learns_that_the_receiver_has_ended(pair):
    ours, theirs = pair
    ours.close()
    with pytest.raises(messages.MessageError, match="ended"):
        messages.send(theirs, {}, [bytes(8 * MB)], soon())


def test_a_deeply_nested_header_raises_an_error(pair):
    nested = []
    for _ in range(100_000):
        nested = [nested]
    with pytest.raises(messages.MessageError, match="nested"):
        messages.send(pair[0], nested)
