"""The page that a student gets: what each point was given or lost for, then the notebook."""

import re
from dataclasses import dataclass, field
from pathlib import Path

import jinja2
from markupsafe import Markup
from nbconvert.exporters import Exporter
from nbgrader import utils
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from course.grading.pages import safe_html

TEMPLATE = Path(__file__).with_name("feedback.html")
HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*$", re.M)
POINTS = re.compile(r"\s*\([^()]*\bpoints?\b[^()]*\)$")
LOST = re.compile(r"[^:]+: (not right|partly right|open)\.")  # as `marking.mark` prints it
ANSI = re.compile(r"\x1b\[[0-9;]*m")
PICTURES = ("image/png", "image/jpeg")
REASON = "**While this was graded:** "
FULL, PART, NONE, WAITING = "full", "part", "none", "waiting"
WORDS = {FULL: "right", PART: "partly right", NONE: "not yet", WAITING: "waits for a person"}
CODE_STYLES = {"light": "vs", "dark": "github-dark"}


class FeedbackExporter(Exporter):
    """Makes the page of a graded notebook; nbgrader_config.py names it."""

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
    anchor : str
        Of the cell below.
    score, points : float
    state : str
        FULL, PART, NONE or WAITING.
    reasons : list of str
        Why points were lost.
    comment : Markup
        A person's.
    """

    anchor: str
    score: float
    points: float
    state: str
    reasons: list = field(default_factory=list)
    comment: str = ""

    @property
    def words(self):
        """The state in words."""
        return WORDS[self.state]


@dataclass
class Exercise:
    """An exercise and its parts."""

    title: str
    parts: list = field(default_factory=list)

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
        if WAITING in states:
            return WAITING
        return states.pop() if len(states) == 1 else PART

    @property
    def words(self):
        """The state in words."""
        return WORDS[self.state]


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
    cells, notes = list(nb.cells), []
    if cells and cells[0].source.startswith(REASON):
        notes.append(cells.pop(0).source.replace("*", ""))
    shift = len(nb.cells) - len(cells)
    titles = _titles(cells)
    for index, error in known["while_graded"]:
        title = titles[index - shift] if index >= shift else ""
        where = f"A cell under “{title}”" if title else "A cell"
        notes.append(f"{where} failed while this was graded: {error['ename']}: {error['evalue']}")
    exercises = _exercises(cells, titles, known["waiting"])
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters["points"] = lambda number: f"{round(float(number), 2):g}"
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    parts = {part.anchor: part for exercise in exercises for part in exercise.parts}
    return template.render(
        assignment=known["assignment"],
        student=known["student"],
        title=next(iter(filter(None, titles)), known["assignment"]),
        score=max(0.0, known["score"]),
        points=known["max_score"],
        penalty=known["late_penalty"],
        waiting=sum(part.state == WAITING for part in parts.values()),
        exercises=exercises,
        notes=notes,
        cells=[_cell(cell, number, parts) for number, cell in enumerate(cells)],
        styles={scheme: Markup(_code_style(name)) for scheme, name in CODE_STYLES.items()},
    )


def _titles(cells):
    """Return for each cell the heading that it stands under, without its points."""
    titles, title = [], ""
    for cell in cells:
        if cell.cell_type == "markdown" and not utils.is_solution(cell):
            found = HEADING.findall(cell.source)
            title = POINTS.sub("", found[-1].strip("# ")) if found else title
        titles.append(title)
    return titles


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
        part = Part(f"cell-{number}", score, points, state)
        part.comment = Markup(safe_html(described.get("comment") or ""))
        if state in (PART, NONE):
            part.reasons = _reasons(cell)
        found[-1].parts.append(part)
    return found


def _reasons(cell):
    """Return why a cell did not give all of its points."""
    if cell.cell_type != "code" or utils.is_solution(cell):
        return [] if cell.metadata.nbgrader.get("comment") else ["No answer, or none that counts."]
    errors = [_sentence(each) for each in cell.outputs if each.output_type == "error"]
    if errors:
        return errors
    # A cell that gives a part prints a line for each item.
    printed = "".join(each.text for each in cell.outputs if each.output_type == "stream")
    lines = [line for line in printed.splitlines() if line.strip()]
    return [line for line in lines if LOST.match(line)] or lines


def _sentence(error):
    if error.ename in ("CheckFailed", "Stopped", "NotGraded"):
        return error.evalue
    return f"{error.ename}: {error.evalue}" if error.evalue else error.ename


def _cell(cell, number, parts):
    """Return what the template shows of a cell."""
    anchor = f"cell-{number}"
    shown = {"anchor": anchor, "kind": cell.cell_type, "part": parts.get(anchor)}
    shown["is_answer"] = utils.is_solution(cell)
    if cell.cell_type == "code":
        outputs = cell.outputs
        if anchor in parts and not shown["is_answer"]:
            # The number that a test ends with is the score, which stands there already.
            outputs = [each for each in outputs if each.output_type in ("stream", "error")]
        shown["source"] = Markup(
            highlight(cell.source, PythonLexer(), HtmlFormatter(cssclass="code"))
        )
        shown["outputs"] = list(filter(None, map(_output, outputs)))
    elif cell.cell_type == "markdown":
        shown["source"] = Markup(safe_html(cell.source, cell.get("attachments")))
    else:
        shown["source"] = cell.source
    return shown


def _output(output):
    """Return an output as (kind, content), or None."""
    if output.output_type == "stream":
        return ("text", ANSI.sub("", output.text).rstrip()) if output.text.strip() else None
    if output.output_type == "error":
        return "error", ANSI.sub("", "\n".join(output.traceback)) or output.ename
    for kind in PICTURES:
        if data := output.data.get(kind):
            # Base64 alone: what else stands there is no picture.
            clean = re.sub(r"[^A-Za-z0-9+/=]", "", data)
            return "picture", f"data:{kind};base64,{clean}"
    text = ANSI.sub("", output.data.get("text/plain", ""))
    return ("text", text.rstrip()) if text.strip() else None


def _code_style(name):
    return HtmlFormatter(style=name, cssclass="code").get_style_defs(".code")
