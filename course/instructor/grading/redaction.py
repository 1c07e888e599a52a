"""Redaction of test outcomes, which hides the inputs and expected values of hidden tests.

A student's function receives the inputs of hidden tests and can save and reveal them, for example
in the message of an error. From the first hidden test onward, a message from the student's process
is therefore shown only if it cannot contain an input.

The graded notebook keeps the complete outcome of a test, for the formgrader. An additional output
with its own media type, the student view, holds what a feedback page shows instead.
"""

import ast
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from course.checks import CheckFailed
from course.instructor.analysis.cell_names import parse_cell
from course.instructor.sandbox.cell_error import STOPPED, CellError
from course.instructor.sandbox.cell_execution import is_builtin_exception

if TYPE_CHECKING:
    from nbformat import NotebookNode

    from course.instructor.grading.job import GradingJob


HIDDEN_TESTS = re.compile(
    r"^[ \t]*### BEGIN HIDDEN TESTS.*?### END HIDDEN TESTS[^\n]*\n?", re.S | re.M
)
# Saved in graded notebooks: different names would hide the outcomes of earlier gradings.
STUDENT_VIEW = "application/vnd.cnn-course.told+json"
GRADING_ERROR = "application/vnd.cnn-course.while-graded+json"
HIDDEN_CHECK_FAILED = "A hidden check failed."
INPUT_WITHHELD = "(message withheld: it may contain the input of a hidden test)"
EXPECTED_WITHHELD = "(message withheld: it may contain the value that a hidden test expects)"
UNDEFINED = re.compile(r"name '(\w+)' is not defined")


def hidden_lines(source: str) -> set[int]:
    """Return the line numbers of a test cell's hidden regions, including the markers."""
    lines: set[int] = set()
    for region in HIDDEN_TESTS.finditer(source):
        first = source.count("\n", 0, region.start()) + 1
        lines |= set(range(first, first + len(region[0].splitlines())))
    return lines


def without_hidden_tests(source: str) -> str:
    """Return a test cell's source as students get it."""
    return HIDDEN_TESTS.sub("", source)


class ErrorRedactor:
    """Redacts the errors of one submission, depending on which tests have run."""

    def __init__(self, job: "GradingJob") -> None:
        sources = [cell["source"] for cell in job.cells]
        self._submission = "\n".join(sources)
        self._harmless_texts = set().union(*map(_names_and_error_messages, sources))
        self._hidden_test_has_run = False

    def record_test(self, test_source: str) -> None:
        """Record that a test has run."""
        if HIDDEN_TESTS.search(test_source):
            self._hidden_test_has_run = True

    def redact_cell_error(self, error: CellError) -> CellError:
        """Return the error of a student's cell as the student may see it."""
        return self._redact(error) if error.from_student and self._hidden_test_has_run else error

    def redact_test_error(self, error: CellError, test_source: str) -> CellError:
        """Return the error of a test as the student may see it."""
        if not error.from_student:
            return error
        hidden = hidden_lines(test_source)
        # The outermost line counts too: a hidden line may call a function of a visible one.
        reached_hidden = bool(hidden) and max(error.lines, default=min(hidden)) >= min(hidden)
        return self._redact(error) if self._hidden_test_has_run or reached_hidden else error

    def _redact(self, error: CellError) -> CellError:
        """Remove everything that may contain an input from an error, including its class name."""
        undefined = UNDEFINED.fullmatch(error.message)
        text = undefined[1] if undefined else error.message
        message = error.message if text in {"", *self._harmless_texts} else INPUT_WITHHELD
        name = error.class_name
        is_harmless = is_builtin_exception(name) or name in self._harmless_texts
        return replace(
            error,
            class_name=name if is_harmless else "Error",
            message=message,
            parts=None,
            source_line=error.source_line if error.source_line in self._submission else "",
        )


def _names_and_error_messages(source: str) -> set[str]:
    """Return a cell's names and the messages of the errors that it raises.

    Not every part of the source is harmless: a list of all integers would contain every input.
    """
    texts = set()
    for node in ast.walk(parse_cell(source) or ast.Pass()):
        match node:
            case ast.Name(id=name) | ast.ClassDef(name=name):
                texts.add(name)
            case ast.Raise(exc=ast.Call(args=[ast.Constant(value=str(text))])):
                texts.add(text)
    return texts


def student_view_output(
    source: str, error: CellError | None, printed: str, items: list[str]
) -> dict[str, Any]:
    """Return the output that holds the student view of a test; the output displays nothing.

    The student view consists of "printed", the visible part of what was printed; "items", the
    messages of checks; "reason", the parts of the failed check's message; "hidden", true if the
    failing line is hidden; and "secret", the class of an error whose message must then be withheld,
    or None.
    """
    hidden = hidden_lines(source)
    view: dict[str, Any] = {"printed": printed, "items": items}
    view |= {"reason": None, "hidden": False, "secret": None}
    if error:
        # If the line is unknown, assume that it is hidden.
        view["hidden"] = not (set(error.lines) or hidden).isdisjoint(hidden)
        view["reason"] = error.parts or {"subject": _error_sentence(error, view["hidden"])}
        view["secret"] = None if _reveals_nothing(error) else error.class_name
    return _display_output({STUDENT_VIEW: view})


def grading_error_output(error: dict[str, Any]) -> dict[str, Any]:
    """Return the output that adds an error from grading to a student cell's submitted outputs."""
    content = {"ename": error["ename"], "evalue": error["evalue"]}
    text = "\n".join(["While this was graded:", *error["traceback"]])
    return _display_output({"text/plain": text, GRADING_ERROR: content})


def redact_outputs(
    outputs: "list[NotebookNode]", has_hidden_tests: bool, show_expected: bool = False
) -> "list[NotebookNode]":
    """Return a graded test cell's outputs as the student may see them.

    These are the visible printed text, errors without lines of code, the points, and the student
    view. `show_expected` permits complete messages of hidden checks. A cell that was graded
    before the student view existed shows less.
    """
    from nbformat import from_dict

    view = student_view(outputs)
    redacted, new_view = [], {"items": view.get("items", []), "reason": None}
    for output in outputs:
        if STUDENT_VIEW in output.get("data", {}):
            continue
        if output.output_type == "stream" and has_hidden_tests and not show_expected:
            output.text = view.get("printed", "")
        elif output.output_type == "error":
            new_view["reason"] = _visible_reason(output, view, has_hidden_tests, show_expected)
            output.evalue = str(CheckFailed(**new_view["reason"]))
            not_yet = "Not yet: " if output.ename == "CheckFailed" else ""
            output.traceback = [f"{not_yet}{output.evalue}"]
        redacted.append(output)
    return [*redacted, from_dict(_display_output({STUDENT_VIEW: new_view}))]


def student_view(outputs: "list[NotebookNode]") -> dict[str, Any]:
    """Return the student view in a graded test's outputs, or an empty dict."""
    views = (output.data[STUDENT_VIEW] for output in _with_media_type(outputs, STUDENT_VIEW))
    return next(views, {})


def split_grading_errors(
    outputs: "list[NotebookNode]",
) -> "tuple[list[NotebookNode], list[dict[str, str]]]":
    """Return the outputs that a student submitted, and the errors that grading added."""
    added = _with_media_type(outputs, GRADING_ERROR)
    submitted = [output for output in outputs if output not in added]
    return submitted, [output.data[GRADING_ERROR] for output in added]


def _with_media_type(outputs: "list[NotebookNode]", media_type: str) -> "list[NotebookNode]":
    return [output for output in outputs if media_type in output.get("data", {})]


def _visible_reason(
    output: "NotebookNode", view: dict[str, Any], has_hidden_tests: bool, show_expected: bool
) -> dict[str, str]:
    """Return the parts of a failed test's reason that the student may see."""
    if not view.get("reason"):
        # NotGraded concerns the submission as a whole.
        is_visible = show_expected or not has_hidden_tests or output.ename == "NotGraded"
        return {"subject": output.evalue if is_visible else HIDDEN_CHECK_FAILED}
    reason = dict(view["reason"])
    if view["hidden"] and not show_expected:
        if view["secret"]:
            return {"subject": f"{view['secret']} {EXPECTED_WITHHELD}"}
        reason.pop("expected", None)
    return reason


def _reveals_nothing(error: CellError) -> bool:
    """Return whether a hidden test's error cannot contain what the test expects."""
    return bool(
        error.parts
        or error.from_student  # `ErrorRedactor` has redacted it
        or error.class_name in (STOPPED, "NameError")
        # The instructor wrote the message of an assert; a library's message contains values.
        or (error.class_name == "AssertionError" and error.in_cell)
    )


def _error_sentence(error: CellError, is_hidden: bool) -> str:
    if error.class_name == STOPPED:
        return error.message
    if error.class_name == "AssertionError" and not error.message:
        return HIDDEN_CHECK_FAILED if is_hidden else f"This check failed: {error.source_line}"
    return ": ".join(filter(None, [error.class_name, error.message]))


def _display_output(data: dict[str, Any]) -> dict[str, Any]:
    data = {"text/plain": "", **data}
    return {"output_type": "display_data", "data": data, "metadata": {}}
