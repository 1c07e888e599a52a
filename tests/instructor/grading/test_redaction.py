import pytest

from course.instructor.grading.job import GradingJob
from course.instructor.grading.redaction import INPUT_WITHHELD, ErrorRedactor
from course.instructor.grading.reference_notebook import ReferenceNotebook
from course.instructor.sandbox.cell_error import CellError

HIDDEN_TEST = (
    "assert f(1) == 2\n### BEGIN HIDDEN TESTS\nassert f(4827) == 9654\n### END HIDDEN TESTS"
)


def redactor_of(source="raise ValueError('Divide by 255.')"):
    cells = [{"index": 0, "grade_id": "f", "source": source}]
    return ErrorRedactor(
        GradingJob("01-small", "ada", "small", cells, [], ReferenceNotebook([], {}, ""))
    )


def error(message, line=1, kind="ValueError", from_student=True):
    return CellError(kind, message, (line,), "f(1)", from_student=from_student)


def test_before_a_hidden_test_has_run_every_message_is_shown():
    assert redactor_of().redact_cell_error(error("4827")).message == "4827"
    assert redactor_of().redact_test_error(error("4827", line=1), HIDDEN_TEST).message == "4827"


def test_on_a_hidden_line_the_message_of_a_student_function_is_withheld():
    shown = redactor_of().redact_test_error(error("4827", line=3), HIDDEN_TEST)
    assert shown.message == INPUT_WITHHELD and shown.class_name == "ValueError"


@pytest.mark.parametrize("line", [1, 3])
def test_after_a_hidden_test_messages_are_withheld(line):
    redactor = redactor_of()
    redactor.record_test(HIDDEN_TEST)
    assert (
        redactor.redact_test_error(error("4827", line=line), HIDDEN_TEST).message == INPUT_WITHHELD
    )
    assert redactor.redact_cell_error(error("4827")).message == INPUT_WITHHELD
    # The name of a class can contain an input, too.
    assert redactor.redact_cell_error(error("", kind="E4827")).class_name == "Error"


def test_after_a_test_without_a_hidden_part_messages_are_shown():
    redactor = redactor_of()
    redactor.record_test("assert f(1) == 2")
    assert redactor.redact_cell_error(error("4827")).message == "4827"


@pytest.mark.parametrize(
    "message", ["Divide by 255.", "name 'ValueError' is not defined"], ids=["stub", "name"]
)
def test_texts_of_the_notebook_itself_are_shown(message):
    redactor = redactor_of()
    redactor.record_test(HIDDEN_TEST)
    assert redactor.redact_cell_error(error(message)).message == message


def test_messages_of_checks_and_of_the_grading_are_shown():
    redactor = redactor_of()
    redactor.record_test(HIDDEN_TEST)
    check = error("f(4827): got 1, expected 9654.", line=3, kind="CheckFailed", from_student=False)
    assert redactor.redact_test_error(check, HIDDEN_TEST) == check
    stopped = error("this cell ran for more than 6 s", kind="Stopped", from_student=False)
    assert redactor.redact_cell_error(stopped) == stopped
