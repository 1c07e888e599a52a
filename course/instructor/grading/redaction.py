"""The student view of a result: what a feedback page may show without revealing hidden tests.

A student's function receives the inputs of hidden tests. From then on, everything that comes from
its process can contain an input: values, printed text, error messages, names of layers, exit codes.
A submission that loses points is therefore run again without the hidden tests, in new processes,
and everything that a page shows about its cells and about the visible lines of tests comes from
this second run. The run with the hidden tests contributes only its points and, for each test, what
its hidden lines show, of which the student's code can choose at most MAX_CHOSEN characters.

The graded notebook keeps the complete outcome of a test, for the formgrader. An additional output
with its own media type, the student view, holds what a feedback page shows instead.
"""

import ast
import inspect
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from course import checks
from course.checks import CheckFailed
from course.gradable.rejection_reasons import SENTENCES
from course.instructor.analysis.cell_names import find_names_in_submission, parse_cell
from course.instructor.grading import unusable_values
from course.instructor.sandbox.cell_error import STOPPED, UNDEFINED, CellError
from course.instructor.sandbox.cell_execution import is_builtin_exception

if TYPE_CHECKING:
    from nbformat import NotebookNode

    from course.instructor.grading.grader_kernel import CellResult
    from course.instructor.grading.job import GradingJob


HIDDEN_TESTS_MARKER = re.compile(
    r"^[ \t]*+### (BEGIN) HIDDEN TESTS|### END HIDDEN TESTS[^\n]*+\n?", re.M
)
# Saved in graded notebooks: other names would hide the outcomes of earlier grading.
STUDENT_VIEW = "application/vnd.cnn-course.told+json"
GRADING_ERROR = "application/vnd.cnn-course.while-graded+json"
# Characters on a page, per test, that can come from a process that knows a hidden input. A text of
# the test itself counts as one character.
MAX_CHOSEN = 80
HIDDEN_CHECK_FAILED = "A hidden check failed."
VISIBLE_CHECK_FAILED = (
    "A visible check failed during grading, but not when the cells were run again without the"
    " hidden tests. Run this test in your notebook several times: its result may depend on chance"
    " or on earlier calls of your functions."
)
INPUT_WITHHELD = "(message withheld: it may contain the input of a hidden test)"
EXPECTED_WITHHELD = "(message withheld: it may contain the value that a hidden test expects)"
NO_MODULE = re.compile(r"No module named '([\w.]+)'")
# The class name that messages show for an exception whose class the student defined.
STUDENTS_OWN = "Error"
_OUT_OF_MEMORY = "it used too much memory"


def hidden_lines(source: str) -> set[int]:
    """Return the line numbers of a test cell's hidden regions, including the markers."""
    lines: set[int] = set()
    for start, end in _hidden_regions(source):
        first = source.count("\n", 0, start) + 1
        lines |= set(range(first, first + len(source[start:end].splitlines())))
    return lines


def without_hidden_tests(source: str) -> str:
    """Return a test cell's source as students get it."""
    kept, position = [], 0
    for start, end in _hidden_regions(source):
        kept.append(source[position:start])
        position = end
    return "".join([*kept, source[position:]])


def _hidden_regions(source: str) -> list[tuple[int, int]]:
    """Return the start and the end of each hidden region.

    A single regular expression for a whole region would be slow for text with many markers.
    """
    regions, start = [], None
    for marker in HIDDEN_TESTS_MARKER.finditer(source):
        if marker[1]:
            start = marker.start() if start is None else start
        elif start is not None:
            regions.append((start, marker.end()))
            start = None
    return regions


class Redactor:
    """Composes the student views of one submission."""

    def __init__(self, job: "GradingJob") -> None:
        self._harmless_texts = set().union(
            # Not every part of a source is harmless: a list of all integers contains every input.
            *(find_names_in_submission(cell["source"]).texts for cell in job.cells)
        )

    def test_view(
        self,
        source: str,
        result: "CellResult",
        visible: "CellResult | None",
        failures: Mapping[str, str],
    ) -> dict[str, Any]:
        """Return the output with the student view of a test that ran with its hidden lines.

        `visible` is the result of its visible lines in the run without hidden tests, or None if
        they have not been run there; `failures` maps the names that are missing in that run to the
        failures of the cells that should define them.
        """
        budget = _Budget(source)
        reason, is_hidden, secret = None, False, None
        if error := result.error:
            hidden = hidden_lines(source)
            if visible and visible.error:
                reason = _reason(visible.error)
            elif is_stop(error):
                reason = budget.limit_reason({"subject": without_exit_code(error.message)})
            # If the line is unknown, assume that it is hidden. If the visible lines were not run
            # again, everything in the message can contain a hidden input.
            elif visible and (set(error.lines) or hidden).isdisjoint(hidden):
                reason = {"subject": VISIBLE_CHECK_FAILED}
            else:
                is_hidden = True
                secret = None if _reveals_nothing(error) else error.class_name
                reason = budget.limit_reason(self._hidden_reason(error, failures))
        if visible:
            printed, items = visible.visible_printed, visible.visible_items
            shown = budget.limit(result.hidden_printed, result.quiz_items)
            hidden_items = result.hidden_items
        else:
            printed, items = "", []
            text = result.visible_printed + result.hidden_printed
            shown = budget.limit(text, result.quiz_items)
            hidden_items = result.visible_items + result.hidden_items
        lines = shown.splitlines()
        items = [*items, *(item for item in hidden_items if item in lines)]
        return _view_output(printed + shown, items, reason, is_hidden, secret)

    def _hidden_reason(self, error: CellError, failures: Mapping[str, str]) -> dict[str, str]:
        """Return the reason for a failure on a hidden line."""
        if error.from_student:
            return {"subject": f"{self._class_name(error)}: {self._message(error)}".rstrip(": ")}
        missing = UNDEFINED.match(error.message)
        if error.class_name == "NameError" and missing:
            failure = failures.get(missing[1])
            explanation = f" ({failure})" if failure else ""
            return {"subject": f"NameError: {missing[0]}{explanation}"}
        return _reason(error, is_hidden=True)

    def _class_name(self, error: CellError) -> str:
        name = error.class_name
        return name if is_builtin_exception(name) or name in self._harmless_texts else "Error"

    def _message(self, error: CellError) -> str:
        """Return the message of a student's error if it is a text of the submission itself."""
        quoted = UNDEFINED.fullmatch(error.message) or NO_MODULE.fullmatch(error.message)
        text = quoted[1] if quoted else error.message
        return error.message if text in {"", *self._harmless_texts} else INPUT_WITHHELD


class _Budget:
    """Limits the text of a test's view that a student's process can choose.

    A student's process chooses the whole value that a check got. In this value, a text of the
    hidden lines costs as much as any other text; otherwise, the position where the value is cut
    would reveal which guesses are right.
    """

    def __init__(self, source: str) -> None:
        self._source = source
        self._left = MAX_CHOSEN

    def limit_reason(self, reason: dict[str, str]) -> dict[str, str]:
        """Return a reason whose parts are cut where the budget ends."""
        # The instructor chose the expected value; pages show it only if the settings say so.
        visible = without_hidden_tests(self._source)
        sources = {"got": visible, "subject": self._source, "hint": self._source}
        limited = {
            name: self._cut(reason[name], source)
            for name, source in sources.items()
            if reason.get(name)
        }
        return reason | limited

    def limit(self, printed: str, quiz_items: Iterable[str]) -> str:
        """Return the lines of a printed text before the first line that exceeds the budget."""
        kept, trusted = [], set(quiz_items)
        for line in printed.splitlines():
            cost = 1 if line in trusted else self._cost(line)
            if cost > self._left:
                break
            self._left -= cost
            kept.append(line)
        return "".join(f"{line}\n" for line in kept)

    def _cost(self, line: str) -> int:
        """Return the number of symbols in a line, or any number that exceeds the budget left."""
        count = 1  # the end of the line
        for _ in _symbol_starts(line, self._source):
            count += 1
            if count > self._left:
                break
        return count

    def _cut(self, text: str, source: str) -> str:
        for start in _symbol_starts(text, source):
            if self._left == 0:
                return text[:start] + "..."
            self._left -= 1
        return text


def _symbol_starts(text: str, source: str) -> Iterator[int]:
    """Yield the position at which each symbol of a text starts.

    A symbol is the longest text of the test cell's source or of the checks that occurs there or,
    if none does, a character.
    """
    # Compiling takes a hundredth of a second: the pattern for the checks is compiled only once.
    patterns = [_pattern(_constants(source)), _pattern(_constants_of_checks())]
    start = 0
    while start < len(text):
        yield start
        found = [pattern.match(text, start) for pattern in patterns]
        start = max([start + 1, *(each.end() for each in found if each)])


@lru_cache(maxsize=256)
def _pattern(texts: frozenset[str]) -> re.Pattern[str]:
    """Return a pattern for the longest of some texts; without texts, it matches nothing."""
    longest_first = sorted(filter(None, texts), key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")


def cell_view(error: CellError | None, visible: CellError | None) -> dict[str, str] | None:
    """Return the class and message of a cell's error that a page may show, or None.

    `error` is the cell's error in the run with hidden tests, and `visible` that in the run without.
    """
    if visible:
        return {"ename": visible.class_name, "evalue": visible.message}
    if error and is_stop(error):  # such a cell is not run again
        return {"ename": STOPPED, "evalue": without_exit_code(error.message)}
    return None


def is_stop(error: CellError) -> bool:
    """Return whether a cell, a test, or a call was stopped or has ended its process."""
    return error.class_name == STOPPED and not error.from_student


def with_students_class(error: CellError) -> CellError:
    """Return an error with the student's own class instead of STUDENTS_OWN."""
    # A built-in exception that the student's code raised keeps its class.
    if not (error.from_student and error.class_name == STUDENTS_OWN):
        return error
    name, _, message = error.message.partition(": ")
    is_ours = name in (STOPPED, "CheckFailed", "NotGraded")  # these have a special meaning here
    return replace(error, class_name=STUDENTS_OWN if is_ours else name, message=message)


def without_exit_code(message: str) -> str:
    """Return the message about a stop without what the process can choose, such as its exit code.

    An exit code does not help an honest student, but a process could use it to encode an input.
    """
    what, colon, why = message.partition(": ")
    if not colon or "process" not in what:
        return message
    return message if why == _OUT_OF_MEMORY else what


@lru_cache(maxsize=256)
def _constants(source: str) -> frozenset[str]:
    """Return the string constants in a test cell's code, including fixed parts of f-strings."""
    nodes = ast.walk(parse_cell(source) or ast.Pass())
    return frozenset(node.value for node in nodes
                     if isinstance(node, ast.Constant) and isinstance(node.value, str))  # fmt: skip


@lru_cache(maxsize=1)
def _constants_of_checks() -> frozenset[str]:
    reasons = {text for sentence in SENTENCES.values() for text in sentence.split("{}")}
    reasons |= {text[:1].upper() + text[1:] for text in reasons}
    modules = map(inspect.getsource, (checks, unusable_values))
    return frozenset(reasons).union(*map(_constants, modules))


def clean_view(result: "CellResult") -> dict[str, Any]:
    """Return the output with the student view of a test in a notebook without hidden tests."""
    reason = _reason(result.error) if result.error else None
    return _view_output(result.visible_printed, result.visible_items, reason)


def _view_output(
    printed: str,
    items: list[str],
    reason: dict[str, str] | None,
    is_hidden: bool = False,
    secret: str | None = None,
) -> dict[str, Any]:
    """Return the output that holds the student view of a test; the output displays nothing.

    The student view consists of "printed", the visible part of what was printed; "items", the
    messages of checks; "reason", the parts of the failed check's message; "hidden", true if the
    failing line is hidden; and "secret", the class of an error whose message must then be withheld,
    or None.
    """
    view = {"printed": printed, "items": items, "reason": reason}
    return _display_output({STUDENT_VIEW: view | {"hidden": is_hidden, "secret": secret}})


def grading_error_output(
    error: dict[str, Any] | None, view: dict[str, str] | None
) -> dict[str, Any]:
    """Return the output that adds an error from grading to a student cell's submitted outputs.

    `view` is the part of it that a page shows, or None.
    """
    text = "\n".join(["While this was graded:", *error["traceback"]]) if error else ""
    return _display_output({"text/plain": text, GRADING_ERROR: view or {}})


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
        if output.output_type == "stream" and (view or has_hidden_tests) and not show_expected:
            output.text = view.get("printed", "")
        elif output.output_type == "error":
            new_view["reason"] = _visible_reason(output, view, has_hidden_tests, show_expected)
            if output.ename not in ("CheckFailed", "NotGraded"):
                output.ename = "Error"  # the name of a class can contain an input, too
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
    return submitted, [output.data[GRADING_ERROR] for output in added if output.data[GRADING_ERROR]]


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
        or error.from_student  # `Redactor` limits its message
        or error.class_name == "NameError"
        # The instructor wrote the message of an assert; a library's message can contain values.
        or (error.class_name == "AssertionError" and error.in_cell)
    )


def _reason(error: CellError, is_hidden: bool = False) -> dict[str, str]:
    """Return the parts of the reason for a failure, including the value that a check expects."""
    if error.parts:
        return dict(error.parts)
    if is_stop(error):
        return {"subject": error.message}
    if error.class_name == "AssertionError" and not error.message:
        text = HIDDEN_CHECK_FAILED if is_hidden else f"This check failed: {error.source_line}"
        return {"subject": text}
    return {"subject": ": ".join(filter(None, [error.class_name, error.message]))}


def _display_output(data: dict[str, Any]) -> dict[str, Any]:
    data = {"text/plain": "", **data}
    return {"output_type": "display_data", "data": data, "metadata": {}}
