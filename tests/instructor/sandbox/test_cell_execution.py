"""Running cells: their values, their output, their errors and their interruption."""

import time

import pytest

from course.instructor.sandbox import cell_execution
from course.instructor.sandbox.kernel_client import KernelEnded
from tests.instructor.sandbox import GRADER, open_kernel, result_of, run


def test_names_that_a_cell_assigns_exist_in_the_next(kernel):
    assert run(kernel, "numbers = [1, 2]") == {"error": None, "value": None, "late": False}
    assert result_of(kernel, "result = sum(numbers)") == 3


@pytest.mark.parametrize(
    ("last_line", "value"),
    [
        ("2.5", "2.5"),
        ("True", "1.0"),
        ("None", None),
        ("x = 3", None),
        ("import numpy as np\nnp.int64(0)", "0.0"),
        ("import numpy as np\nnp.float32(1.5)", "1.5"),
        ("import numpy as np\nnp.array([1.0, 1.0])", "nan"),
        ("'5'", "nan"),
        ("10**400", "nan"),
    ],
)
def test_the_value_of_the_last_line_is_a_number_nan_or_none(kernel, last_line, value):
    assert run(kernel, last_line)["value"] == value


def test_an_error_is_data(kernel):
    error = run(kernel, "x = 1\n\nx / 0")["error"]
    assert error == {
        "class_name": "ZeroDivisionError",
        "message": "division by zero",
        "parts": None,
        "lines": [3],
        "in_cell": True,
        "source_line": "x / 0",
        "from_student": False,
    }


def test_the_line_is_the_cells_own_if_the_error_is_raised_deeper(kernel):
    error = run(kernel, "import json\n\njson.loads('{')")["error"]
    assert (error["class_name"], error["lines"][-1]) == ("json.decoder.JSONDecodeError", 3)


def test_a_syntax_error_is_data_too(kernel):
    error = run(kernel, "x = 1\nif x\n    pass")["error"]
    assert (error["class_name"], error["lines"], error["source_line"]) == (
        "SyntaxError",
        [2],
        "if x",
    )


def test_a_failed_check_is_identified_by_its_class(kernel):
    source = "from course import checks\nchecks.equal('x', 1, 2, 'Count again.')"
    error = run(kernel, source)["error"]
    assert error["class_name"] == "CheckFailed"
    assert error["message"] == "x: got 1, expected 2. Count again."
    parts = {"subject": "x", "got": "got 1", "expected": "expected 2", "hint": "Count again."}
    assert error["parts"] == parts


@pytest.mark.parametrize("leave", ["raise SystemExit(3)", "raise KeyboardInterrupt", "exit()"])
def test_an_exit_does_not_end_the_kernel(kernel, leave):
    run(kernel, leave)
    assert result_of(kernel, "result = 1") == 1


def test_an_error_without_a_readable_message_is_data(kernel):
    source = "class E(Exception):\n    def __str__(self):\n        1 / 0\nraise E"
    assert run(kernel, source)["error"]["message"] == ""


def test_a_message_is_truncated_and_free_of_control_characters(kernel):
    source = "raise ValueError('\\x1b[31mred\\x1b]0;title\\x07 \\ud800\\u202e' + 'x' * 10_000)"
    message = run(kernel, source)["error"]["message"]
    assert message.startswith("red �xxx")
    assert len(message) == 4000
    message.encode()


def test_magics_and_shell_commands_run(kernel):
    source = "%matplotlib inline\nlines = !echo fine\nresult = list(lines)"
    assert result_of(kernel, source) == ["fine"]


def test_output_is_stored_up_to_a_limit():
    buffer = cell_execution.OutputBuffer(10)
    for text in ("\x1b[1m12345", *"1234"):
        buffer.write(text)
    assert buffer.text() == "123451\n... (output is longer than the limit)\n"


def test_a_flood_of_text_is_truncated(forkserver):
    with open_kernel(forkserver, module=GRADER) as kernel:
        for source in ("for _ in range(10**6): print('x' * 100)", "!yes | head -c 100000000"):
            kernel.send({"op": "run", "name": "cell", "source": source})
            done, _ = kernel.receive(30)
            assert done["op"] == "done" and done["result"]["error"] is None
            assert len(done["result"]["printed"]) < 5000


def test_an_endless_loop_is_interrupted_and_the_kernel_keeps_running(kernel):
    outcome = run(kernel, "x = 5\nwhile True:\n    pass", seconds=0.3)
    assert outcome["late"]
    assert outcome["error"]["class_name"] == "KeyboardInterrupt"
    assert result_of(kernel, "result = x") == 5


def test_an_interrupt_after_the_cell_does_nothing(kernel):
    run(kernel, "x = 1")
    kernel.interrupt()
    time.sleep(0.5)  # until the forkserver has passed it on
    assert result_of(kernel, "result = x") == 1


@pytest.mark.parametrize(
    "source",
    [
        "sum(range(10**13))",
        "while True:\n try:\n  while True: sum(range(9999))\n except KeyboardInterrupt: pass",
        "import signal, time\nsignal.signal(2, signal.SIG_IGN)\ntime.sleep(100)",
    ],
)
def test_code_that_does_not_stop_ends_the_kernel_with_a_reason(kernel, source):
    run(kernel, "1")
    with pytest.raises(KernelEnded, match=r"ran for more than 0\.9 s and did not stop"):
        run(kernel, source, seconds=0.9)
    with pytest.raises(KernelEnded, match="did not stop"):
        run(kernel, "1")


def test_kernels_draw_different_random_numbers(forkserver):
    source = (
        "import random, numpy as np, keras\n"
        "result = random.random(), float(np.random.rand()), float(keras.random.uniform(()))"
    )
    with open_kernel(forkserver) as one, open_kernel(forkserver) as other:
        for a, b in zip(result_of(one, source), result_of(other, source), strict=True):
            assert a != b


def test_files_are_in_the_working_directory_of_the_cells(forkserver):
    files = [("data/table.csv", b"1,2"), ("helper.py", b"answer = 42")]
    with open_kernel(forkserver, files) as kernel:
        source = "import helper\nresult = open('data/table.csv').read(), helper.answer"
        assert result_of(kernel, source) == ("1,2", 42)


def test_files_that_do_not_fit_are_skipped(forkserver):
    files = [("big", bytes(2**24)), ("also-big", bytes(2**24)), ("a" * 300, b""), ("small", b"1")]
    for module in (None, GRADER):
        options = {"module": module} if module else {}
        with open_kernel(forkserver, files, **options) as kernel:
            assert kernel.end_reason is None


def test_the_error_of_a_deep_recursion_is_short(kernel):
    source = "import sys\nsys.setrecursionlimit(15_000)\ndef f(n):\n    return f(n - 1)\n\nf(0)"
    error = run(kernel, source)["error"]
    assert (error["class_name"], error["lines"]) == ("RecursionError", [6, 4])


def test_a_message_of_any_length_is_shortened_at_once(kernel):
    start = time.monotonic()
    error = run(kernel, r"raise ValueError('\x1b[0' * 30_000_000)", seconds=10)["error"]
    assert len(error["message"]) <= 4000
    assert time.monotonic() - start < 3
