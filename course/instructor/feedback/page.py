"""A student's feedback page: the reasons for the score, followed by the notebook."""

import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape
from nbconvert.exporters import Exporter
from nbgrader import utils

from course.instructor import pages
from course.instructor.feedback import cell_renderer
from course.instructor.feedback.limited_renderer import CellText, PageBudget, render_texts
from course.instructor.grading import redaction
from course.instructor.grading.submission import HELPER_FILES, grading_note
from course.notebook_headings import MAX_HEADING, section_headings

if TYPE_CHECKING:
    from nbformat import NotebookNode

TITLE = re.compile(r"^#[ \t]++(\S.*)", re.M)
POINTS = re.compile(r"\bpoints?\b")
# Lines that `checks.show` prints for items that lost no points, and for the total.
NOTHING_LOST = re.compile(
    r"ok: |[^:]*+: (?:right|correct)\.|.*: (?:right|correct)\.$|[\d.]++ of [\d.]++ points\.$"
)
CORRECT, PARTIAL, INCORRECT, PENDING = "correct", "partial", "incorrect", "pending"
STATE_LABELS = {
    CORRECT: "correct",
    PARTIAL: "partly correct",
    INCORRECT: "not yet",
    PENDING: "pending manual grading",
}
# The Python version can be the cause of these errors, because students may use a newer one.
PYTHON = f"Python {sys.version_info.major}.{sys.version_info.minor}"
DEPENDS_ON_PYTHON = ("SyntaxError", "ImportError", "AttributeError")
MAX_NOTES = 20  # on cells that failed during grading
REASON_OMITTED = "Other reasons omitted: the page would be too large."
OUTPUT_OMITTED = Markup("<p><em>Output omitted: the page would be too large.</em></p>")
STATE_SYMBOLS = {CORRECT: "✓", PARTIAL: "◐", INCORRECT: "✗", PENDING: "…"}


class FeedbackExporter(Exporter):
    """An exporter from graded notebooks to feedback pages; nbgrader_config.py names this class.

    nbconvert's own HTML loads scripts from the network, and its templates do not escape values.
    """

    file_extension = ".html"
    output_mimetype = "text/html"

    def from_notebook_node(  # type: ignore[override]  # like HTMLExporter, it returns text
        self, nb: "NotebookNode", resources: dict[str, Any] | None = None, **more: Any
    ) -> tuple[str, dict[str, Any]]:
        """Return a notebook's page as HTML, and nbconvert's resources."""
        nb, resources = super().from_notebook_node(nb, resources, **more)
        return render_page(nb, resources["nbgrader"]), resources


@dataclass
class Note:
    """A remark about the grading, with a link if the remark is about a cell."""

    text: str
    anchor: str | None = None


@dataclass
class GradedCell:
    """A cell with points; `reasons` contains the parts of each failed check's message."""

    name: str  # the grade ID without the prefix test_
    anchor: str  # of the cell in the notebook below
    score: float
    points: float
    state: str
    reasons: list[dict[str, str]] = field(default_factory=list)
    comment: str = ""  # a grader's comment, as HTML


@dataclass
class Exercise:
    """An exercise with its graded cells, and notes that may explain lost points."""

    title: str
    graded_cells: list[GradedCell] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)

    @property
    def score(self) -> float:
        """The number of points awarded."""
        return sum(each.score for each in self.graded_cells)

    @property
    def points(self) -> float:
        """The maximum number of points."""
        return sum(each.points for each in self.graded_cells)

    @property
    def state(self) -> str:
        """The state of its graded cells; if they differ, pending or partial."""
        states = {each.state for each in self.graded_cells}
        if len(states) == 1:
            return states.pop()
        return PENDING if states == {CORRECT, PENDING} else PARTIAL


def render_page(nb: "NotebookNode", details: dict[str, Any]) -> str:
    """Return the HTML page of a notebook that `HideFromStudents` has redacted.

    `details` contains nbgrader's values (assignment, student, score, max_score, and late_penalty)
    and the values that `HideFromStudents` adds.
    """
    headings = section_headings(nb.cells)
    without_points = {heading: _without_points(heading) for heading in set(headings)}
    titles = [without_points[heading] for heading in headings]
    budget = PageBudget()
    exercises = _exercises(nb.cells, titles, details, budget)
    notes = _assign_notes(exercises, titles, details["grading_errors"], budget)
    graded_cells = {each.anchor: each for exercise in exercises for each in exercise.graded_cells}
    grading = grading_note(nb.cells[0]) if nb.cells else ""
    if grading:
        notes.insert(0, Note(grading))
    texts = [each.source for each in nb.cells if each.cell_type == "markdown"]
    title = next(filter(None, map(TITLE.search, texts)), None)
    sources = render_texts(
        [CellText(cell.cell_type, cell.source, cell.get("attachments", {})) for cell in nb.cells],
        budget,
    )
    cells = [
        _cell_values(cell, source, f"cell-{index}", graded_cells, budget)
        for index, (cell, source) in enumerate(zip(nb.cells, sources, strict=True))
        if index or not grading
    ]
    return pages.render(
        "feedback.html",
        STATE_LABELS=STATE_LABELS,
        STATE_SYMBOLS=STATE_SYMBOLS,
        code_style_sheet=cell_renderer.code_style_sheet,
        assignment=details["assignment"],
        student="your group" if details.get("is_group") else details["student"],
        title=title[1][:MAX_HEADING].strip() if title else details["assignment"],
        score=max(0.0, details["score"]),
        points=details["max_score"],
        penalty=details["late_penalty"],
        late_notice=details.get("late_notice", ""),
        helper_files=nb.metadata.get(HELPER_FILES, []),
        pending_count=sum(each.state == PENDING for each in graded_cells.values()),
        exercises=exercises,
        notes=notes,
        cells=cells,
    )


def _without_points(heading: str) -> str:
    """Return a heading without a final parenthesis that contains its points."""
    before, parenthesis, inside = heading.rpartition("(")
    is_at_end = parenthesis and inside.endswith(")") and ")" not in inside[:-1]
    return before.rstrip() if is_at_end and POINTS.search(inside) else heading


def _exercises(
    cells: "Sequence[NotebookNode]",
    titles: Sequence[str],
    details: Mapping[str, Any],
    budget: PageBudget,
) -> list[Exercise]:
    """Return the exercises; consecutive graded cells under one heading form an exercise."""
    exercises: list[Exercise] = []
    for index, (cell, title) in enumerate(zip(cells, titles, strict=True)):
        if not (utils.is_grade(cell) or utils.is_task(cell)):
            continue
        if not exercises or exercises[-1].title != title:
            exercises.append(Exercise(title))
        metadata = cell.metadata.nbgrader
        score, points = float(metadata.score or 0), float(metadata.points or 0)
        state = CORRECT if score >= points else PARTIAL if score > 0 else INCORRECT
        if metadata.grade_id in details["pending_manual_grading"]:
            state = PENDING
        name = metadata.grade_id.removeprefix("test_")
        graded_cell = GradedCell(name, f"cell-{index}", score, points, state)
        graded_cell.comment = cell_renderer.render_markdown(metadata.get("comment") or "")
        # A grader explains a score in a comment; the reasons of a test explain a different score.
        by_hand = metadata.grade_id in details["graded_by_hand"]
        if state in (PARTIAL, INCORRECT) and not by_hand:
            graded_cell.reasons = _within_budget(_reasons(cell), budget)
        exercises[-1].graded_cells.append(graded_cell)
    return exercises


def _reasons(cell: "NotebookNode") -> list[dict[str, str]]:
    """Return the reasons why a graded cell lost points; empty if a comment or note gives them."""
    if cell.cell_type != "code" or utils.is_solution(cell):
        if cell.metadata.nbgrader.get("comment"):
            return []
        return [{"subject": "There is no answer that can be graded."}]
    student_view = redaction.student_view(cell.outputs)
    if student_view.get("reason"):
        # A note above the exercises already says that the submission was not graded.
        is_in_note = any(each.get("ename") == "NotGraded" for each in cell.outputs)
        return [] if is_in_note else [student_view["reason"]]
    items = [item for item in student_view.get("items", []) if not NOTHING_LOST.match(item)]
    if not items:  # a check that does not use `checks.show`
        printed = "".join(each.text for each in cell.outputs if each.output_type == "stream")
        items = [line for line in printed.splitlines() if line.strip()]
    return [{"subject": item} for item in items or [redaction.HIDDEN_CHECK_FAILED]]


def _within_budget(reasons: list[dict[str, str]], budget: PageBudget) -> list[dict[str, str]]:
    """Return the reasons; a sentence replaces those that would make the page too large."""
    for index, reason in enumerate(reasons):
        if not budget.spend(sum(len(escape(part)) for part in reason.values())):
            return [*reasons[:index], {"subject": REASON_OMITTED}]
    return reasons


def _assign_notes(
    exercises: Iterable[Exercise],
    titles: Sequence[str],
    grading_errors: Iterable[tuple[int, dict[str, str]]],
    budget: PageBudget,
) -> list[Note]:
    """Add notes on grading errors to the exercises whose lost points they may explain.

    Returns the notes on errors that are outside all exercises, and a note with the number of
    omitted ones. There is no note if a test's reason already contains the error, or if nothing was
    lost.
    """
    unassigned: list[Note] = []
    count = left_out = 0
    lost = [each for each in exercises if each.state in (PARTIAL, INCORRECT)]
    reasons = [
        reason["subject"]
        for exercise in lost
        for graded_cell in exercise.graded_cells
        for reason in graded_cell.reasons
    ]
    for index, error in grading_errors:
        text = f"{error['ename']}: {error['evalue']}"
        version = f" (graded with {PYTHON})" if error["ename"] in DEPENDS_ON_PYTHON else ""
        note = Note(f"During grading, this cell failed: {text}{version}", f"cell-{index}")
        if any(text in reason for reason in reasons):
            continue  # the message of a test already shows the error
        same_section = [each for each in exercises if each.title == titles[index]]
        places = [each.notes for each in same_section if each in lost]
        if not same_section and lost:
            places = [unassigned]
        if count == MAX_NOTES or not budget.spend(len(escape(note.text)) * len(places)):
            left_out += bool(places)
            continue
        count += bool(places)
        for place in places:
            place.append(note)
    if left_out:
        unassigned.append(Note(f"More cells failed during grading: {left_out:,}."))
    return unassigned


def _cell_values(
    cell: "NotebookNode",
    source: Markup,
    anchor: str,
    graded_cells: dict[str, GradedCell],
    budget: PageBudget,
) -> dict[str, Any]:
    """Return the template's values for a cell; `source` is the cell's source as HTML."""
    graded_cell = graded_cells.get(anchor)
    values = {"anchor": anchor, "graded": graded_cell, "kind": cell.cell_type, "outputs": []}
    values |= {"source": source, "is_answer": utils.is_solution(cell)}
    if cell.cell_type == "code":
        outputs = cell.outputs
        if graded_cell and not values["is_answer"]:
            # The last value of a test is its score, which the page shows already.
            outputs = [each for each in outputs if each.output_type in ("stream", "error")]
        shown = filter(None, map(cell_renderer.render_output, outputs))
        values["outputs"] = [html if budget.spend(len(html)) else OUTPUT_OMITTED for html in shown]
    return values
