"""Students' code is analyzed in a process with limits, with the same result as without them."""

import time

import pytest

from course.instructor.analysis import cell_names
from course.instructor.student_text.code_analysis import analyzed

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
        monkeypatch.setattr(cell_names, "_find_names", None)  # nothing is parsed in this process
        assert cell_names.find_names(ORDINARY) == expected
    assert {"ready", "scale"} <= expected.bound
    assert expected.texts >= {"numpy", "scale", "Net", "not yet"}


@pytest.mark.parametrize("source", SLOW.values(), ids=SLOW)
def test_slow_code_costs_its_cell_the_analysis_and_no_other_cell(source, monkeypatch):
    start = time.process_time()
    with analyzed([source, ORDINARY]):
        monkeypatch.setattr(cell_names, "_find_names", None)
        assert not cell_names.find_names(ORDINARY).opaque
        names = cell_names.find_names(source)
    assert names.opaque or names.mentioned <= {"a", "b", "f"}
    assert time.process_time() - start < 0.5
