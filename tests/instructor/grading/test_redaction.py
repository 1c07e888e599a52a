import pytest

from course.instructor.grading import grader_worker, redaction
from course.instructor.grading.grader_kernel import CellResult
from course.instructor.grading.job import GradingJob
from course.instructor.grading.redaction import (
    INPUT_WITHHELD,
    MAX_CHOSEN,
    STUDENT_VIEW,
    VISIBLE_CHECK_FAILED,
    Redactor,
)
from course.instructor.grading.reference_notebook import ReferenceNotebook
from course.instructor.sandbox.cell_error import STOPPED, CellError
from course.instructor.sandbox.cell_execution import describe_error

HIDDEN_TEST = (
    "assert f(1) == 2\n### BEGIN HIDDEN TESTS\nassert f(4827) == 9654, 'Twice.'\n"
    "### END HIDDEN TESTS"
)


def error(message, line=3, kind="ValueError", from_student=True, parts=None):
    return CellError(kind, message, (line,), "f(1)", parts=parts, from_student=from_student)


def view(result, visible=None, submission="raise ValueError('Divide by 255.')", failures=()):
    """Return the student view of HIDDEN_TEST in a submission of one cell."""
    cells = [{"index": 0, "grade_id": "f", "source": submission}]
    job = GradingJob("01-small", "ada", "small", cells, [], ReferenceNotebook([], {}, ""))
    output = Redactor(job).test_view(HIDDEN_TEST, result, visible, dict(failures))
    return output["data"][STUDENT_VIEW]


def subject(*arguments, **more):
    return view(*arguments, **more)["reason"]["subject"]


def test_on_a_hidden_line_the_message_of_a_student_function_is_withheld():
    assert subject(CellResult(error("4827"))) == f"ValueError: {INPUT_WITHHELD}"
    # The name of a class can contain an input, too.
    assert subject(CellResult(error("", kind="E4827"))) == "Error"


@pytest.mark.parametrize(
    ("submission", "message"),
    [
        ("raise ValueError('Divide by 255.')", "Divide by 255."),
        ("raise ValueError('no')", "name 'ValueError' is not defined"),
        ("def f(x):\n    import pandas.core as p", "No module named 'pandas'"),
        ("from scipy.signal import convolve", "No module named 'scipy.signal'"),
    ],
)
def test_texts_of_the_notebook_itself_are_shown(submission, message):
    shown = subject(CellResult(error(message)), submission=submission)
    assert shown == f"ValueError: {message}"


def test_a_visible_line_shows_only_what_it_showed_without_the_hidden_tests():
    failed = CellResult(error("4827", line=1), visible_printed="4827\n", visible_items=["4827"])
    assert subject(failed, CellResult()) == VISIBLE_CHECK_FAILED
    assert subject(failed) == f"ValueError: {INPUT_WITHHELD}"  # it was not run again
    clean = CellResult(error("1", line=1), visible_printed="one\n", visible_items=["one"])
    assert view(failed, clean) == {
        "printed": "one\n",
        "items": ["one"],
        "reason": {"subject": "ValueError: 1"},
        "hidden": False,
        "secret": None,
    }


def test_a_missing_name_is_explained_by_what_happened_without_the_hidden_tests():
    message = "name 'x' is not defined (the cell f ended with ValueError: 4827)"
    missing = CellResult(error(message, kind="NameError", from_student=False))
    assert subject(missing) == "NameError: name 'x' is not defined"
    failures = {"x": "the cell f ended with ValueError: 1"}
    explained = "NameError: name 'x' is not defined (the cell f ended with ValueError: 1)"
    assert subject(missing, failures=failures) == explained


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        (
            "this call ended the process: the process exited with code 72",
            "this call ended the process",
        ),
        ("this cell ended its process: it was killed by SIGUSR1", "this cell ended its process"),
        ("this call ended the process: it used too much memory", None),
        ("this test ran for more than 60 s", None),
    ],
)
def test_how_a_process_ended_is_not_shown(message, shown):
    stopped = error(message, kind=STOPPED, from_student=False)
    assert subject(CellResult(stopped)) == (shown or message)
    assert redaction.cell_view(stopped, None) == {"ename": STOPPED, "evalue": shown or message}
    # A student's class of the same name is no reason to believe the message.
    assert redaction.cell_view(error(message, kind=STOPPED), None) is None


def test_a_cell_shows_only_what_it_raised_without_the_hidden_tests():
    assert redaction.cell_view(error("4827"), None) is None
    assert redaction.cell_view(error("4827"), error("1")) == {"ename": "ValueError", "evalue": "1"}


@pytest.mark.parametrize("part", ["got", "subject", "hint"])
def test_a_reason_contains_a_limited_number_of_the_students_characters(part):
    parts = {"subject": "s", "got": "", "expected": "x" * 999, "hint": "Twice."} | {part: "x" * 999}
    failed = error("", kind="CheckFailed", from_student=False, parts=parts)
    shown = view(CellResult(failed, hidden_printed="x" * 999, hidden_items=["x" * 999]))
    assert shown["printed"] == "" and shown["items"] == []
    assert shown["reason"]["expected"] == "x" * 999  # removed when the page is written
    assert shown["reason"][part].count("x") <= MAX_CHOSEN
    if part != "hint":
        assert shown["reason"]["hint"] in ("Twice.", "...")


def test_a_value_found_is_cut_at_the_same_place_whatever_the_hidden_lines_expect():
    guesses = "barn owl,eagle owl,{},snowy owl,ural owl,little owl,boreal owl,pygmy owl,scops owl"
    source = HIDDEN_TEST.replace("9654, 'Twice.'", "'tawny owl', 'Twice.'")
    cut = []
    for guess in ("tawny owl", "tabby owl"):
        budget = redaction._Budget(source)
        reason = {"subject": "s", "got": guesses.format(guess), "expected": "e", "hint": "Twice."}
        limited = budget.limit_reason(reason)
        cut.append(limited["got"].replace(guess, "?"))
    assert cut[0] == cut[1] != guesses.format("?")


def test_printed_lines_share_the_limit_of_the_reason():
    lines = [f"{number:09}" for number in range(50)]
    printed = "".join(f"{line}\n" for line in lines)
    shown = view(CellResult(hidden_printed=printed, hidden_items=lines))
    assert 0 < len(shown["printed"]) <= MAX_CHOSEN
    assert shown["items"] == shown["printed"].split()
    quiz = view(CellResult(hidden_printed=printed, hidden_items=lines, quiz_items=lines))
    assert quiz["items"] == lines


def test_an_error_of_a_students_function_has_the_students_class():
    def shown(message, kind=grader_worker.StudentError):
        renamed = redaction.with_students_class(describe_error(kind(message), "test"))
        return renamed.class_name, renamed.message

    assert shown("Own: no: 4827") == ("Own", "no: 4827")
    assert shown("Own") == ("Own", "")
    assert shown("Stopped: this call ended the process") == ("Error", "this call ended the process")
    stopped = "this call ended the process: the process exited with code 72"
    assert shown(stopped, grader_worker.CallStopped) == (STOPPED, stopped)
    assert shown("Own: no", RuntimeError) == ("RuntimeError", "Own: no")


@pytest.mark.parametrize("kind", [grader_worker.StudentError, ValueError])
def test_a_page_shows_little_of_a_students_error_that_a_library_has_copied(kind):
    def student_function(x):
        raise grader_worker._rebuild_exception(kind.__name__, f"4827 {x * 1000}")

    def call():
        try:
            student_function("48")
        except Exception as found:
            # As keras.src.utils.traceback_utils does it.
            raise type(found)(f"Exception encountered: {found}") from None

    with pytest.raises(kind) as caught:
        call()
    found = redaction.with_students_class(describe_error(caught.value, "test"))
    assert found.from_student == (kind is grader_worker.StudentError)
    assert sum(map(str.isdigit, subject(CellResult(found)))) <= MAX_CHOSEN


def test_the_message_of_a_stop_is_limited_too():
    found = CellError(STOPPED, "4827 " * 1000)
    assert len(subject(CellResult(found))) <= MAX_CHOSEN + len("...")
