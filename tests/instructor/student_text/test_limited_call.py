"""Functions on students' text run in a process with limits on time and memory."""

import json
import time

import pytest

from course.instructor.sandbox.kernel_client import EngineError
from course.instructor.student_text import code_analysis, limited_call, notebook_parser
from course.instructor.student_text.limited_worker import StudentTextError
from course.instructor.student_text.time_limit import processor_time_limit


def test_too_much_processor_time_ends_the_process():
    sources = json.dumps([f"def {name}():\n    a\n" * 6_000 for name in "abcd"]).encode()
    with pytest.raises(StudentTextError, match="it takes more than 1 s to process"):
        limited_call.call_limited(
            code_analysis.find_in_this_process, blocks=[sources], cpu_seconds=1
        )


def test_a_machine_that_is_too_busy_is_no_evidence_against_the_text(monkeypatch):
    monkeypatch.setattr(limited_call, "PATIENCE", 0.1)
    sources = json.dumps([f"def {name}():\n    a\n" * 6_000 for name in "abcd"]).encode()
    with pytest.raises(EngineError, match=r"5 s of work in 0\.5 s: close other programs"):
        limited_call.call_limited(
            code_analysis.find_in_this_process, blocks=[sources], cpu_seconds=5
        )


def test_the_call_after_a_failed_one_works():
    for _ in range(2):
        with pytest.raises(StudentTextError, match="the file is empty"):
            limited_call.call_limited(notebook_parser.parse, blocks=[b""])


def test_an_answer_of_millions_of_values_is_not_read():
    with pytest.raises(StudentTextError, match="too many elements"):
        limited_call._decode([b"[" + b"0," * limited_call.MAX_ELEMENTS + b"0]"])


def test_a_malformed_answer_is_a_problem_of_the_text():
    for results in ([], [b"{"], [b"[" * 100_000]):
        with pytest.raises(StudentTextError, match="a malformed answer"):
            limited_call._decode(results)


def test_a_part_of_the_work_can_have_its_own_limit():
    start = time.process_time()
    with pytest.raises(StudentTextError, match=r"more than 0\.1 s"), processor_time_limit(0.1):
        while True:
            try:
                time.process_time()
            except Exception:
                pytest.fail("the limit must not be an ordinary exception")
    assert time.process_time() - start < 1
    with processor_time_limit(0.1):
        pass
    sum(range(10**7))  # takes longer than the limit of a block that has ended
