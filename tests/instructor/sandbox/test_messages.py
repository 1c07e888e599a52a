"""Messages between processes, and malformed, oversized, partial, late or missing ones."""

import json
import math
import select
import socket
import struct
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course.instructor.sandbox import messages
from tests.submissions import ROOT

MB = 2**20
KEY = b"k" * messages.KEY_BYTES
COMMAND = {"op": "run", "name": "cell", "source": "builtins.abs = None"}


class Pair:
    """A connection that receives, one that sends, and the socket of the second."""

    def __init__(self, max_bytes=MB):
        self.socket, self.raw = socket.socketpair()
        self.ours = messages.Connection(self.socket, max_received=max_bytes)
        self.theirs = messages.Connection(self.raw, max_sent=max_bytes)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.socket.close()
        self.raw.close()


@pytest.fixture
def pair():
    with Pair() as pair:
        yield pair


def soon(seconds=0.2):
    return time.monotonic() + seconds


def lengths(*numbers, key=KEY, number=0):
    return key + struct.pack(f"!{1 + len(numbers)}Q", number, *numbers)


def frame(header, *blocks, key=KEY, number=0):
    prefix = lengths(len(header), len(blocks), *map(len, blocks), key=key, number=number)
    return prefix + header + b"".join(blocks)


def nested(depth):
    return b"[" * depth + b"]" * depth


@pytest.mark.parametrize(
    "header", [{}, {"a": [1, None, True, "é\ud800\U0001f600"]}, [], 'te"x\\t', 5, -0.5, None]
)
def test_a_message_arrives_as_it_was_sent(pair, header):
    array = np.arange(6, dtype="float32")
    pair.theirs.send(header, [b"", b"abc", array])
    received, blocks = pair.ours.receive(soon())
    assert received == header
    assert blocks == [b"", b"abc", array.tobytes()]


def test_a_header_can_be_forwarded_without_parsing_it(pair):
    pair.theirs.send(COMMAND, [b"block"])
    encoded, blocks = pair.ours.receive_encoded(soon())
    with Pair() as other:
        other.theirs.send(encoded, blocks)
        assert other.ours.receive(soon()) == (COMMAND, [b"block"])


def test_messages_arrive_one_by_one_in_order(pair):
    for number in range(10):
        pair.theirs.send(number, [bytes(number)])
    for number in range(10):
        assert pair.ours.receive(soon()) == (number, [bytes(number)])


def test_a_large_message_is_received_while_it_is_being_sent():
    block = np.random.default_rng(0).bytes(8 * MB)
    with Pair(8 * MB) as pair:
        sender = threading.Thread(target=pair.theirs.send, args=({}, [block], soon(20)))
        sender.start()
        assert pair.ours.receive(soon(20))[1] == [block]
        sender.join()


MALFORMED = {
    "garbage": b"garbage that is not a message, and another message that is none",
    "second number": frame(b"{}", number=1),
    "half of the JSON": frame(b"{"),
    "not text": frame(b"\xff\xfe"),
    "not ASCII": frame('"é"'.encode()),
    "UTF-16": frame('{"a": 1}'.encode("utf-16-le")),
    "byte-order mark": frame(b"\xef\xbb\xbf{}"),
    "empty": frame(b""),
    "two values": frame(b"{}{}"),
    "a level too many": frame(nested(messages.MAX_NESTING + 1)),
    "many levels": frame(nested(100_000)),
    "many open levels": frame(b"[" * 100_000),
    "many digits": frame(b"1" * 5000),
    "NaN": frame(b"NaN"),
    "infinity": frame(b"[Infinity]"),
    "a large exponent": frame(b"-1e999999"),
    "a huge header": lengths(2**63, 0),
    "a large header": lengths(messages.MAX_HEADER_BYTES + 1, 0),
    "very many blocks": lengths(2, 2**63),
    "too many blocks": lengths(2, messages.MAX_BLOCKS + 1),
    "a large block": lengths(2, 1, MB + 1),
    "two huge blocks": lengths(2, 2, 2**63, 2**63),
    "a huge block": lengths(2, 1, 2**64 - 1),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_or_too_large_messages_are_refused_at_once_and_forever(pair, name):
    sender = threading.Thread(
        target=pair.raw.sendall, args=(MALFORMED[name] + frame(b"1", number=1),)
    )
    sender.start()
    start = time.monotonic()
    for _ in range(3):
        with pytest.raises(messages.MessageError) as refused:
            pair.ours.receive(soon(10))
        assert not isinstance(refused.value, messages.MessageTimeout)
    assert time.monotonic() - start < 1
    pair.socket.close()
    sender.join()


def test_a_message_with_another_key_or_number_is_refused():
    for key, number in ((b"x" * messages.KEY_BYTES, 1), (KEY, 0), (KEY, 2)):
        with Pair() as pair:
            pair.raw.sendall(frame(b"0"))
            assert pair.ours.receive(soon()) == (0, [])
            pair.raw.sendall(frame(b"1", key=key, number=number))
            with pytest.raises(messages.MessageError, match="malformed"):
                pair.ours.receive(soon())


def test_each_connection_has_another_key():
    with Pair() as one, Pair() as other:
        keys = {each._key for each in (one.ours, one.theirs, other.ours, other.theirs)}
    assert len(keys) == 4


def test_a_header_with_too_many_elements_is_not_parsed(pair):
    header = b"[" + b"{}," * (messages.MAX_ELEMENTS // 2) + b"{}]"
    sender = threading.Thread(target=pair.raw.sendall, args=(frame(header),))
    sender.start()
    start = time.monotonic()
    with pytest.raises(messages.MessageError, match="too many elements"):
        pair.ours.receive(soon(10))
    assert time.monotonic() - start < 3
    sender.join()


@pytest.mark.parametrize("text", ["[", "{", ",", '"[', "\\", '\\"{'])
def test_brackets_and_commas_in_a_text_do_not_count(text):
    header = {"a": text * 10_000, "b": [text]}
    assert messages.parse(messages.encode(header), max_elements=10) == header


INVALID_HEADERS = {
    "larger after encoding": lambda: "é" * (messages.MAX_HEADER_BYTES // 6 + 1),
    "elements": lambda: [0] * (messages.MAX_ELEMENTS + 2),
    "levels": lambda: json.loads(nested(messages.MAX_NESTING + 1)),
    "nan": lambda: math.nan,
    "infinity": lambda: [math.inf],
    "digits": lambda: 10**5000,
    "bytes": lambda: {"a": b"bytes"},
    "key": lambda: {1j: 2},
}


@pytest.mark.parametrize("name", INVALID_HEADERS)
def test_a_sender_refuses_what_a_receiver_would_refuse_and_sends_nothing(pair, name):
    with pytest.raises(messages.MessageRefused):
        pair.theirs.send(INVALID_HEADERS[name](), (), soon(5))
    assert not select.select([pair.socket], [], [], 0)[0]
    pair.theirs.send("next")
    assert pair.ours.receive(soon()) == ("next", [])


def test_a_sender_refuses_a_deeply_nested_header(pair):
    deep = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(messages.MessageRefused, match="levels"):
        pair.theirs.send(deep, (), soon(5))


@pytest.mark.parametrize("blocks", [[bytes(MB), b"1"], [b""] * (messages.MAX_BLOCKS + 1)])
def test_a_sender_refuses_too_many_or_too_large_blocks_and_sends_nothing(pair, blocks):
    with pytest.raises(messages.MessageRefused):
        pair.theirs.send({}, blocks, soon(5))
    assert not select.select([pair.socket], [], [], 0)[0]
    pair.theirs.send("next")
    assert pair.ours.receive(soon()) == ("next", [])


def test_a_late_message_is_continued_at_the_same_byte(pair):
    whole = frame(b'{"a": 1}', b"block", b"")
    for byte in whole:
        with pytest.raises(messages.MessageTimeout):
            pair.ours.receive(soon(0))
        pair.raw.sendall(bytes([byte]))
    assert pair.ours.receive(soon(0)) == ({"a": 1}, [b"block", b""])


def test_the_rest_of_a_message_is_awaited_until_the_deadline(pair):
    whole = frame(b'{"a": 1}', b"block")
    for start, end in ((0, 0), (0, 3), (3, 16), (16, 40), (40, len(whole) - 1)):
        pair.raw.sendall(whole[start:end])
        begin = time.monotonic()
        with pytest.raises(messages.MessageTimeout):
            pair.ours.receive(soon(0.05))
        assert 0.04 < time.monotonic() - begin < 10  # a busy machine, but it ends


def test_half_a_message_before_the_end_counts_as_an_end(pair):
    pair.raw.sendall(frame(b"{}", b"block")[:-1])
    pair.raw.close()
    with pytest.raises(messages.MessageError, match="ended"):
        pair.ours.receive(soon())


def test_a_slow_sender_does_not_extend_the_deadline(pair):
    data = frame(json.dumps("x" * 1000).encode())

    def drip():
        for byte in data[:40]:
            pair.raw.send(bytes([byte]))
            time.sleep(0.02)

    sender = threading.Thread(target=drip)
    sender.start()
    start = time.monotonic()
    with pytest.raises(messages.MessageTimeout):
        pair.ours.receive(soon(0.3))
    assert time.monotonic() - start < 0.6
    sender.join()


def test_bytes_that_never_stop_do_not_extend_the_deadline(pair):
    class Endless:
        def __init__(self):
            self.data = lengths(messages.MAX_HEADER_BYTES, 0)

        def recv_into(self, view, *arguments):
            view[:1], self.data = self.data[:1] or b" ", self.data[1:]
            return 1

        def fileno(self):
            return pair.socket.fileno()

    pair.raw.send(b"readable")
    start = time.monotonic()
    with pytest.raises(messages.MessageTimeout):
        messages.Connection(Endless()).receive(soon(0.1))
    assert time.monotonic() - start < 1


def test_a_receiver_that_does_not_read_does_not_block_the_sender():
    with Pair(8 * MB) as pair:
        start = time.monotonic()
        with pytest.raises(messages.MessageTimeout):
            pair.theirs.send({}, [bytes(8 * MB)], soon(0.2))
        assert time.monotonic() - start < 1
        with pytest.raises(messages.MessageError, match="incomplete"):
            pair.theirs.send({})


def test_a_sender_learns_that_the_receiver_has_ended(pair):
    pair.socket.close()
    with pytest.raises(messages.MessageError, match="ended"):
        pair.theirs.send({}, [bytes(MB)], soon())


# In a worker, code that catches every exception cannot go on after a failure.

WORKER = """
import resource, socket, sys
from course.instructor.sandbox import messages
sock = socket.socket(fileno=int(sys.argv[1]))
connection = messages.WorkerConnection(sock)
resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))
for _ in range(3):
    try:
        connection.receive()
    except BaseException:
        pass
print("went on")
"""


FATAL = {
    "nothing": b"",
    "half a message": frame(b"{}")[:-1],
    "half of the JSON": frame(b"{"),
    "a large header": lengths(messages.MAX_HEADER_BYTES + 1, 0),
    "a block larger than its memory": lengths(2, 1, 2**31) + b"{}",
    "the same number twice": frame(b"{}") * 2,
}


@pytest.mark.parametrize("name", FATAL)
def test_a_worker_ends_after_an_invalid_message_whatever_its_code_catches(name):
    with Pair() as pair:
        arguments = [sys.executable, "-c", WORKER, str(pair.socket.fileno())]
        worker = subprocess.Popen(
            arguments, cwd=ROOT, pass_fds=[pair.socket.fileno()], stdout=subprocess.PIPE
        )
        pair.raw.sendall(FATAL[name])
        pair.raw.shutdown(socket.SHUT_WR)
        printed, _ = worker.communicate(timeout=20)
    assert (worker.returncode, printed) == (messages.EXIT_CODE, b"")


# Generated variations.

generated = settings(max_examples=60)
texts = st.text(st.characters(), max_size=20) | st.text('[]{},"\\é', max_size=20)
numbers = st.integers() | st.floats() | st.integers(10**20, 10**30)
headers = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(texts, inner, max_size=5),
    max_leaves=20,
)
# Around the small limits below.
edges = st.lists(st.just(0), min_size=4, max_size=8) | st.integers(1, 4).map(
    lambda depth: json.loads(nested(depth))
)
edges |= st.text("aé", min_size=20, max_size=40)
blocks = st.lists(st.binary(max_size=40), max_size=4)
SMALL = {"MAX_HEADER_BYTES": 150, "MAX_BLOCKS": 3, "MAX_ELEMENTS": 6, "MAX_NESTING": 2}
command = messages.encode(COMMAND)
commands = st.sampled_from(
    [command, frame(command), frame(command, number=1), frame(command, key=b"x" * 16, number=1)]
)


@generated
@given(headers | edges, blocks)
def test_what_a_sender_accepts_is_what_a_receiver_accepts(header, data):
    try:
        encoded = json.dumps(header).encode()
    except (ValueError, RecursionError):
        encoded = None
    with pytest.MonkeyPatch.context() as patch, Pair(100) as pair, Pair(100) as raw:
        for name, limit in SMALL.items():
            patch.setattr(messages, name, limit)
        patch.setattr(messages._header_problem, "__defaults__", (150, 6))
        patch.setattr(messages.parse, "__defaults__", (150, 6))
        try:
            pair.theirs.send(header, data, soon(5))
            accepted = True
        except messages.MessageRefused:
            accepted = False
        if accepted:
            assert pair.ours.receive(soon(5)) == (header, data)
        elif encoded is not None:
            compact = json.dumps(header, separators=(",", ":")).encode()
            raw.raw.sendall(frame(compact, *data))
            with pytest.raises(messages.MessageError):
                raw.ours.receive(soon(5))
        assert not select.select([pair.socket], [], [], 0)[0]


@st.composite
def hostile_bytes(draw):
    """Return a valid message, then bytes that contain commands and end anywhere."""
    first = frame(b'{"value": 1}')
    parts = [
        draw(st.binary(max_size=60)),
        draw(commands),
        lengths(draw(st.sampled_from([0, 2, 8, 70 * MB, 2**63])), draw(st.integers(0, 3)),
                *draw(st.lists(st.integers(0, 200) | st.just(2**64 - 1), max_size=3)), number=1),
        frame(draw(st.sampled_from([b"{", b"", nested(600), b'"\xc3\xa9"', command[:-1]])),
              number=1),
        draw(commands),
    ]  # fmt: skip
    data = b"".join(draw(st.permutations(parts)))
    return first, data[: draw(st.integers(0, len(data)))], draw(st.integers(1, 50))


@generated
@given(hostile_bytes())
def test_no_order_is_read_out_of_hostile_bytes(message):
    """The receiver reads the valid message, then at most complete ones, and none after a failure.

    A command counts only if it has the right key and number and starts where a message may start.
    """
    first, data, size = message
    complete = data.startswith(frame(command, number=1))
    with Pair() as pair:
        received, failed = [], False
        for start in range(0, len(first + data), size):
            pair.raw.sendall((first + data)[start : start + size])
            try:
                received.append(pair.ours.receive(soon(0))[0])
                assert not failed
            except messages.MessageTimeout:
                assert not failed
            except messages.MessageError:
                failed = True
        assert received[:1] in ([], [{"value": 1}])
        assert complete or COMMAND not in received


@generated
@given(st.lists(st.tuples(headers, blocks), max_size=3), st.lists(st.integers(1, 90), min_size=1))
def test_parts_of_any_size_with_pauses_arrive_as_the_messages_that_were_sent(sent, sizes):
    with Pair() as source, Pair() as pair:
        accepted = []
        for message in sent:
            try:
                source.theirs.send(*message)
                accepted.append(message)
            except messages.MessageRefused:
                pass
        source.raw.shutdown(socket.SHUT_WR)
        data = b"".join(iter(lambda: source.socket.recv(65536), b""))
        received, position = [], 0
        while position < len(data):
            size = sizes[position % len(sizes)]
            pair.raw.sendall(data[position : position + size])
            position += size
            try:
                while True:
                    received.append(pair.ours.receive(soon(0)))
            except messages.MessageTimeout:
                pass
        assert received == accepted
