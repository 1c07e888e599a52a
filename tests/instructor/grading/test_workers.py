"""The two workers and what they do with each other's messages, malformed and oversized ones too."""

import socket
import struct
import time

import numpy as np
import pytest

from course.instructor.grading.serialize import Serializer
from course.instructor.sandbox import bubblewrap, messages
from course.instructor.sandbox.forkserver_client import shared_forkserver
from course.instructor.sandbox.kernel_client import KernelEnded
from course.instructor.sandbox.limits import Limits
from tests.instructor.sandbox import GRADER, LIMITS, STUDENT, result_of, run

ENDED = f"exited with code {messages.EXIT_CODE}"
# As Hypothesis does, the test goes on after an exception.
TEST = """
outcomes = []
for number in range(3):
    try:
        outcomes.append(function(number))
    except Exception as error:
        outcomes.append(str(error))
print(outcomes)
"""
COMMAND = {"op": "run", "name": "command", "source": "print('executed')", "value": ["int", "0x0"]}


@pytest.fixture(scope="module")
def forkserver():
    if problem := bubblewrap.isolation_problem():
        pytest.skip(problem)
    return shared_forkserver(uses_keras=False)


@pytest.fixture
def student(forkserver):
    kernel = forkserver.start_kernel(STUDENT, Limits(**LIMITS))
    yield kernel
    kernel.close()


@pytest.fixture
def grader(forkserver):
    """Return a grader kernel whose test has called a student's function and awaits the answer."""
    kernel = forkserver.start_kernel(GRADER, Limits(**LIMITS), with_answers=True)
    values = messages.encode({"values": {"function": ["function", 5, "function", None]}})
    command = {"op": "run", "name": "test", "source": TEST, "names": ["function"], "forget": []}
    kernel.send(command, [values])
    assert kernel.receive(20)[0] == {"op": "student_request"}
    yield kernel
    kernel.close()


def frame(header, number=0, key=None, length=None):
    """Return a message for the answer channel; without a key, one that is the first there."""
    length = len(header) if length is None else length
    return struct.pack("!16sQQQ", key or b"k" * 16, number, length, 0) + header


def answer_all(grader, *blocks, count=3):
    """Answer all calls of the test with the same blocks and return what the test printed."""
    for number in range(count):
        if number:
            assert grader.receive(20)[0] == {"op": "student_request"}
        grader.answer({}, blocks)
    done, _ = grader.receive(20)
    assert done["op"] == "done" and done["result"]["error"] is None
    return done["result"]["printed"]


MALFORMED = {
    "garbage": b"garbage that is not a message but long enough for one",
    "header that is too large": frame(b"", length=messages.MAX_HEADER_BYTES + 1),
    "another number": frame(messages.encode(COMMAND), number=1),
    "command of the same number twice": frame(messages.encode(COMMAND)) * 2,
    "half a header": frame(b'{"value"'),
    "other key": frame(b"{}") + frame(messages.encode(COMMAND), 1, b"x" * 16),
    "not JSON": frame(b"{}}"),
    "not ASCII": frame('{"value": "é"}'.encode()),
    "nothing": b"",
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_message_ends_the_graders_process_even_if_a_test_goes_on(grader, name):
    grader._answers._socket.sendall(MALFORMED[name])
    grader._answers._socket.shutdown(socket.SHUT_WR)
    with pytest.raises(KernelEnded, match=ENDED):
        while True:
            message, _ = grader.receive(20)
            assert message["op"] == "student_request"


def test_an_answer_is_never_executed_as_a_command(grader):
    grader.answer(COMMAND, [messages.encode(COMMAND), messages.encode(COMMAND)])
    assert grader.receive(20)[0] == {"op": "student_request"}
    assert answer_all(grader, messages.encode(COMMAND), count=2) == "[0, 0, 0]\n"


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"{",
        b"[" * 100_000,
        b"NaN",
        b'{"value": ["float", 1e999999]}',
        '{"value": ["str", "é"]}'.encode(),
        b"[1, 2]",
        b"null",
        b'{"refused": true}',
    ],
)
def test_a_malformed_answer_of_a_student_fails_only_its_own_call(grader, header):
    printed = answer_all(grader, header)
    assert "executed" not in printed and "[0" not in printed
    grader.send(COMMAND)
    done, _ = grader.receive(20)
    assert done["result"]["printed"] == "executed\n"


def test_only_requested_names_get_values(forkserver):
    kernel = forkserver.start_kernel(GRADER, Limits(**LIMITS))
    values = messages.encode({"values": {name: ["int", "0x1"] for name in ("result", "abs")}})
    command = {"op": "run", "name": "test", "source": "print(result, abs(-2))", "names": ["result"]}
    kernel.send(command, [values])
    assert kernel.receive(20)[0]["result"]["printed"] == "1 2\n"
    kernel.close()


def test_arguments_that_cannot_be_sent_are_an_error_of_the_test(forkserver):
    kernel = forkserver.start_kernel(GRADER, Limits(**LIMITS), with_answers=True)
    values = messages.encode({"values": {"function": ["function", 5, "function", None]}})
    source = "import numpy as np\nfunction(np.zeros(2**21))"
    kernel.send({"op": "run", "name": "test", "source": source, "names": ["function"]}, [values])
    error = kernel.receive(20)[0]["result"]["error"]
    assert error["class_name"] == "TypeError"
    assert error["message"].endswith(
        "cannot be passed to the function: it has more than 8 MB at once"
    )
    kernel.close()


def test_handles_are_random(student, forkserver):
    other = forkserver.start_kernel(STUDENT, Limits(**LIMITS))
    handles = []
    for kernel in (student, other):
        run(kernel, "functions = [lambda: 0 for _ in range(50)]")
        header, _ = kernel.request({"op": "fetch", "names": ["functions"]})
        handles.append([node[1] for node in header["values"]["functions"][1]])
    other.close()
    assert len({*handles[0], *handles[1]}) == 100
    assert min(max(handles[0]), max(handles[1])) > 2**55
    for each in handles:
        assert each != sorted(each)


def test_a_result_that_is_too_large_to_be_sent_does_not_end_the_students_process(student):
    run(student, "import numpy as np\nresult = np.zeros(2**21)\ndef large(x): return result")
    header, blocks = student.request({"op": "fetch", "names": ["result", "large", "nothing"]})
    assert header["values"].keys() == {"result", "large"} and not blocks
    assert {node[0] for node in header["values"].values()} == {"unserializable"}
    header, blocks = student.request({"op": "fetch", "names": ["large"]})
    call = {"op": "call", "handle": header["values"]["large"][1], "arguments": [["none"]]}
    header, blocks = student.request(call | {"named": {}})
    assert header["refused"] and not blocks
    assert result_of(student, "result = 1") == 1


def test_a_header_that_is_too_large_after_encoding_is_not_sent(student):
    run(student, r"result = '\u00e9' * 12 * 2**20")
    header, _ = student.request({"op": "fetch", "names": ["result"]})
    assert header["values"]["result"][0] == "unserializable"


def test_a_large_array_is_sent(student):
    array = np.arange(2**20, dtype="int8")
    run(student, "def same(x): return x * 1\nsame")
    header, _ = student.request({"op": "fetch", "names": ["same"]})
    serializer = Serializer()
    call = {"op": "call", "handle": header["values"]["same"][1], "named": {}}
    call["arguments"] = [serializer.serialize(array)]
    _, blocks = student.request(call, serializer.blocks)
    assert blocks[0] == array.tobytes()


def test_a_cell_full_of_magics_is_refused_and_a_few_magics_run(student):
    """IPython would need seconds for the first one, and minutes for a longer one."""
    start = time.monotonic()
    error = run(student, "a =\x0c%pwd\n" * 900)["error"]
    assert time.monotonic() - start < 2
    assert error["class_name"] == "ValueError"
    assert "too long for 900 of them: use fewer, or split the cell" in error["message"]
    assert run(student, "where = %pwd\n" * 20)["error"] is None
