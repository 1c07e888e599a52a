import pytest

from course.instructor.grading.job import Job, Kit
from course.instructor.grading.redaction import WITHHELD, Reasons

HIDDEN_TEST = (
    "assert f(1) == 2\n### BEGIN HIDDEN TESTS\nassert f(4827) == 9654\n### END HIDDEN TESTS"
)


def reasons(source="raise ValueError('Divide by 255.')"):
    cells = [{"index": 0, "grade_id": "f", "source": source}]
    return Reasons(Job("01-small", "ada", "small", cells, [], Kit([], {}, "")))


def error(message, line=1, kind="ValueError", from_student=True):
    return {
        "class": kind,
        "message": message,
        "line": line,
        "lines": [line],
        "text": "f(1)",
        "from_student": from_student,
    }


def test_before_a_hidden_test_has_run_every_message_stands():
    assert reasons().of_cell(error("4827"))["message"] == "4827"
    assert reasons().of_test(error("4827", line=1), HIDDEN_TEST)["message"] == "4827"


def test_in_the_hidden_part_the_message_of_a_students_function_is_withheld():
    shown = reasons().of_test(error("4827", line=3), HIDDEN_TEST)
    assert shown["message"] == WITHHELD and shown["class"] == "ValueError"


@pytest.mark.parametrize("line", [1, 3])
def test_after_a_hidden_test_a_message_could_hold_what_it_handed_in(line):
    told = reasons()
    told.note(HIDDEN_TEST)
    assert told.of_test(error("4827", line=line), HIDDEN_TEST)["message"] == WITHHELD
    assert told.of_cell(error("4827"))["message"] == WITHHELD
    # A class, too, can be named like a number.
    assert told.of_cell(error("", kind="E4827"))["class"] == "Error"


def test_a_test_without_a_hidden_part_tells_nothing():
    told = reasons()
    told.note("assert f(1) == 2")
    assert told.of_cell(error("4827"))["message"] == "4827"


@pytest.mark.parametrize(
    "message", ["Divide by 255.", "name 'ValueError' is not defined"], ids=["stub", "name"]
)
def test_words_of_the_notebook_itself_stand(message):
    told = reasons()
    told.note(HIDDEN_TEST)
    assert told.of_cell(error(message))["message"] == message


def test_what_a_check_or_the_grading_says_stands():
    told = reasons()
    told.note(HIDDEN_TEST)
    check = error("f(4827): got 1, expected 9654.", line=3, kind="CheckFailed", from_student=False)
    assert told.of_test(check, HIDDEN_TEST) == check
    stopped = error("this cell ran for more than 6 s", kind="Stopped", from_student=False)
    assert told.of_cell(stopped) == stopped
