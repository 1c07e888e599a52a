"""Students' code is analyzed in a process with limits, with the same result as without them."""

import itertools
import string
import time
import tracemalloc

import pytest

from course.instructor.analysis import cell_names
from course.instructor.student_text import code_analysis
from course.instructor.student_text.code_analysis import analyzed
from course.instructor.student_text.limited_worker import StudentTextError

ORDINARY = """
import numpy as np
def scale(images, factor=1 / 255):
    return np.asarray(images) * factor + offset
if images.any():
    ready = scale(images)
ready[0] = 1
class Net: pass
raise ValueError("not yet")
"""
SLOW = {
    "magics": "a =\x0c%pwd\n" * 900,
    "branches": "a = 1\nif a:\n    b = 2\n" * 4_000,
    "assignments": "a = 1\n" * 16_000,
    "parentheses": "(" * 50_000,
    "signs": "-" * 50_000 + "1",
    "string": "'''" + "a\n" * 40_000,
    "functions": "def f():\n    a\n" * 6_000,
    "lambdas": "lambda: " * 5_000 + "0",
    "help": "a?\n" * 20_000,
}


def test_an_analysis_in_limits_finds_the_same_names(monkeypatch):
    expected = cell_names.find_names(ORDINARY)
    with analyzed([ORDINARY]):
        monkeypatch.setattr(cell_names, "find_names", None)  # nothing is parsed in this process
        assert cell_names.find_names_in_submission(ORDINARY) == expected
    assert {"ready", "scale"} <= expected.bound
    assert expected.texts >= {"numpy", "scale", "Net", "not yet"}


@pytest.mark.parametrize("source", SLOW.values(), ids=SLOW)
def test_slow_code_costs_its_cell_the_analysis_and_no_other_cell(source, monkeypatch):
    start = time.process_time()
    with analyzed([source, ORDINARY]):
        monkeypatch.setattr(cell_names, "find_names", None)
        assert not cell_names.find_names_in_submission(ORDINARY).opaque
        names = cell_names.find_names_in_submission(source)
    assert names.opaque or names.mentioned <= {"a", "b", "f"}
    assert time.process_time() - start < 0.5


def test_a_cell_that_exceeds_a_limit_is_not_read_in_this_process(monkeypatch):
    """Its words would take forty times its size in memory."""
    words = map("".join, itertools.product(string.ascii_letters, repeat=4))
    source = "answer = 3 (\n# data:image/png;base64," + "+".join(itertools.islice(words, 400_000))
    tracemalloc.start()
    start = time.process_time()
    with analyzed([source, ORDINARY]):
        monkeypatch.setattr(cell_names, "find_names", None)
        assert cell_names.find_names_in_submission(source) == cell_names.UNKNOWN
        assert cell_names.find_names_in_submission(ORDINARY).bound >= {"ready", "scale"}
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5 * len(source) and time.process_time() - start < 0.5


def test_no_cell_is_read_in_this_process_if_the_limited_one_fails(monkeypatch):
    def fail(*arguments, **named):
        raise StudentTextError("it takes too much memory to process")

    monkeypatch.setattr(code_analysis, "call_limited", fail)
    with analyzed([ORDINARY]):
        assert cell_names.find_names_in_submission(ORDINARY) is cell_names.UNKNOWN


def test_a_submission_does_not_decide_what_is_known_about_a_cell_of_the_course():
    with cell_names.names_found_before({ORDINARY: cell_names.UNKNOWN}):
        assert cell_names.find_names_in_submission(ORDINARY) is cell_names.UNKNOWN
        assert cell_names.find_names(ORDINARY).bound >= {"ready", "scale"}
