"""The page that a student gets: what each point was given or lost for, then the notebook."""

import re
from dataclasses import dataclass, field

from nbconvert.exporters import Exporter
from nbgrader import utils

from course.instructor import pages
from course.instructor.feedback import cell_renderer as feedback_text
from course.instructor.grading import redaction
from course.instructor.grading.submission import GRADING_NOTE
from course.notebook_headings import section_headings

TITLE = re.compile(r"^#\s+(.+?)\s*$", re.M)
POINTS = re.compile(r"\s*\([^()]*\bpoints?\b[^()]*\)$")
# What `checks.show` says of what lost nothing, and of the points in all.
NOT_LOST = re.compile(r"ok: |[^:]*: right\.|.*: right\.$|[\d.]+ of [\d.]+ points\.$")
FULL, PART, NONE, WAITING = "full", "part", "none", "waiting"
WORDS = {FULL: "right", PART: "partly right", NONE: "not yet", WAITING: "waits for a person"}
SIGNS = {FULL: "✓", PART: "◐", NONE: "✗", WAITING: "…"}


class FeedbackExporter(Exporter):
    """Makes the page of a graded notebook; nbgrader_config.py names it.

    nbconvert's own HTML comes with scripts from a network, and its templates do not escape.
    """

    file_extension = ".html"
    output_mimetype = "text/html"

    def from_notebook_node(self, nb, resources=None, **more):
        """Return the page, and the resources."""
        nb, resources = super().from_notebook_node(nb, resources, **more)
        return render(nb, resources["nbgrader"]), resources


@dataclass
class Part:
    """A cell that gives points.

    Attributes
    ----------
    name : str
        Its grade id, for people.
    anchor : str
        Of the cell below.
    score, points : float
    state : str
        FULL, PART, NONE or WAITING.
    reasons : list of dict
        Why points were lost: what was tested, what came, what was expected, the hint.
    comment : Markup
        A person's.
    """

    name: str
    anchor: str
    score: float
    points: float
    state: str
    reasons: list = field(default_factory=list)
    comment: str = ""


@dataclass
class Exercise:
    """An exercise, its parts, and what happened in grading that may explain lost points."""

    title: str
    parts: list = field(default_factory=list)
    notes: list = field(default_factory=list)

    @property
    def score(self):
        """Points that were reached."""
        return sum(part.score for part in self.parts)

    @property
    def points(self):
        """Points that can be reached."""
        return sum(part.points for part in self.parts)

    @property
    def state(self):
        """The state of the whole."""
        states = {part.state for part in self.parts}
        if len(states) == 1:
            return states.pop()
        return WAITING if states == {FULL, WAITING} else PART


def render(nb, known):
    """Return the page of a notebook that holds nothing any more which its student may not read.

    Parameters
    ----------
    nb : NotebookNode
        Graded, from `HideFromStudents`.
    known : dict
        nbgrader's: assignment, student, score, max_score, late_penalty; and what
        `HideFromStudents` adds.

    Returns
    -------
    str
    """
    titles = _titles(nb.cells)
    exercises = _exercises(nb.cells, titles, known["pending_manual_grading"])
    notes = _notes(exercises, titles, known["grading_errors"])
    parts = {part.anchor: part for exercise in exercises for part in exercise.parts}
    first = nb.cells[0].source if nb.cells else ""
    if first.startswith(GRADING_NOTE):
        notes.insert(0, (first.replace("*", "").replace("&lt;", "<"), None))
    texts = [each.source for each in nb.cells if each.cell_type == "markdown"]
    title = next(filter(None, map(TITLE.search, texts)), None)
    cells = [
        _cell(cell, f"cell-{number}", parts)
        for number, cell in enumerate(nb.cells)
        if number or not first.startswith(GRADING_NOTE)
    ]
    return pages.render(
        "feedback.html",
        WORDS=WORDS,
        SIGNS=SIGNS,
        code_style=feedback_text.code_style,
        assignment=known["assignment"],
        student=known["student"],
        title=title[1] if title else known["assignment"],
        score=max(0.0, known["score"]),
        points=known["max_score"],
        penalty=known["late_penalty"],
        waiting=sum(part.state == WAITING for part in parts.values()),
        exercises=exercises,
        notes=notes,
        cells=cells,
    )


def _titles(cells):
    """Return the heading that each cell is under, without its points."""
    return [POINTS.sub("", heading) for heading in section_headings(cells)]


def _exercises(cells, titles, waiting):
    found = []
    for number, (cell, title) in enumerate(zip(cells, titles, strict=True)):
        if not (utils.is_grade(cell) or utils.is_task(cell)):
            continue
        if not found or found[-1].title != title:
            found.append(Exercise(title))
        described = cell.metadata.nbgrader
        score, points = float(described.score or 0), float(described.points or 0)
        state = FULL if score >= points else PART if score > 0 else NONE
        if described.grade_id in waiting:
            state = WAITING
        name = described.grade_id.removeprefix("test_")
        part = Part(name, f"cell-{number}", score, points, state)
        part.comment = feedback_text.markdown(described.get("comment") or "")
        if state in (PART, NONE):
            part.reasons = _reasons(cell)
        found[-1].parts.append(part)
    return found


def _reasons(cell):
    """Return why a cell did not give all of its points."""
    if cell.cell_type != "code" or utils.is_solution(cell):
        nothing = not cell.metadata.nbgrader.get("comment")
        return [{"subject": "There is no answer, or none that counts."}] if nothing else []
    said = redaction.student_view(cell.outputs)
    if said.get("reason"):
        # Of a submission that was not graded, a note says it once.
        is_said = any(each.get("ename") == "NotGraded" for each in cell.outputs)
        return [] if is_said else [said["reason"]]
    items = [item for item in said.get("items", []) if not NOT_LOST.match(item)]
    if not items:  # told in other words
        printed = "".join(each.text for each in cell.outputs if each.output_type == "stream")
        items = [line for line in printed.splitlines() if line.strip()] or [redaction.HIDDEN_CHECK_FAILED]
    return [{"subject": item} for item in items]


def _notes(exercises, titles, while_graded):
    """Put what failed in grading to the exercise that it may explain; return what is left.

    A note is a text and the anchor of the cell.
    """
    left = []
    lost = [each for each in exercises if each.state in (PART, NONE)]
    reasons = [reason["subject"] for each in lost for part in each.parts for reason in part.reasons]
    for number, error in while_graded:
        text = f"{error['ename']}: {error['evalue']}"
        note = f"While this was graded, this cell failed: {text}", f"cell-{number}"
        if any(text in reason for reason in reasons):
            continue  # its test says so itself
        under = [each for each in exercises if each.title == titles[number]]
        if not under and lost:
            left.append(note)
        for exercise in under:
            if exercise in lost:
                exercise.notes.append(note)
    return left


def _cell(cell, anchor, parts):
    """Return what the template shows of a cell."""
    part = parts.get(anchor)
    shown = {"anchor": anchor, "part": part, "kind": cell.cell_type, "outputs": []}
    shown["is_answer"] = utils.is_solution(cell)
    if cell.cell_type == "markdown":
        shown["source"] = feedback_text.markdown(cell.source, cell.get("attachments"))
    elif cell.cell_type == "raw":
        shown["source"] = feedback_text.plain(cell.source, "Text")
    else:
        outputs = cell.outputs
        if part and not shown["is_answer"]:
            # The number that a test ends with is the score, which stands there already.
            outputs = [each for each in outputs if each.output_type in ("stream", "error")]
        shown["source"] = feedback_text.code(cell.source)
        shown["outputs"] = list(filter(None, map(feedback_text.output, outputs)))
    return shown
