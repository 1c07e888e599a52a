"""Safe rendering of students' text on the formgrader's pages; nbgrader_config.py uses this module.

nbgrader's page template converts text cells and code with filters and, unlike nbconvert's own
templates, does not sanitize the result: a script in a written answer would run in a grader's
browser, with that grader's rights. Therefore, `RenderCells` renders all cells beforehand, within
limits, and `rendered_source` replaces the template's filters.
"""

import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from jinja2 import pass_context
from jinja2.runtime import Context
from markupsafe import Markup
from nbconvert.preprocessors import Preprocessor

from course.instructor.feedback.cell_renderer import ANSI_ESCAPE, IMAGE_TYPES, NOT_BASE64
from course.instructor.feedback.limited_renderer import CellText, PageBudget, render_texts
from course.instructor.student_text.layout_limits import limit_layout
from course.instructor.student_text.size_limits import MAX_TEXT_CHARACTERS

if TYPE_CHECKING:
    from nbformat import NotebookNode

# The formgrader's own pages contain inline scripts and styles. They load everything else from the
# same server; students' images are embedded.
CONTENT_SECURITY_POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self' 'unsafe-inline'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'self'",
    ]
)

STUDENT_TEXT = Markup('<div style="contain: paint">{}</div>')
COURSE_TEXT = Markup(
    '<div style="contain: paint; border-left: 4px solid #337ab7; padding-left: 10px">'
    '<small style="color: #337ab7">From the assignment; students cannot change this cell.</small>'
    "{}</div>"
)
FOLDERS_OF_STUDENTS = {"submitted", "autograded", "feedback", "originals"}


class RenderCells(Preprocessor):
    """Renders every cell of a graded notebook within limits; reduces outputs to text and images."""

    def preprocess(self, nb: "NotebookNode", resources: dict) -> tuple["NotebookNode", dict]:
        """Add the rendered HTML to each cell; remove outputs that would make the page too large."""
        texts = [
            CellText(cell.cell_type, cell.source, cell.get("attachments", {})) for cell in nb.cells
        ]
        budget = PageBudget()
        for cell, html in zip(nb.cells, render_texts(texts, budget), strict=True):
            # Nothing in a student's text can cover the scores and buttons beside it, or look like
            # text from the course, such as a mark scheme.
            frame = COURSE_TEXT if _is_of_course(cell) else STUDENT_TEXT
            cell["rendered"] = frame.format(html)
            if cell.cell_type == "raw":
                cell.cell_type = "markdown"  # the template shows raw cells as HTML
            elif cell.cell_type == "code":
                outputs = [_plain_output(output) for output in cell.outputs]
                cell.outputs = [each for each in outputs if budget.spend(len(str(each)))]
        return nb, _with_escaped_texts(resources)


@pass_context
def rendered_source(context: Context, source: str, metadata: Any = None) -> Markup:
    """Return the rendered HTML of the template's current cell, or the escaped source.

    The template uses this filter for text cells and for code.
    """
    cell = context.get("cell", {})
    return cell["rendered"] if "rendered" in cell else Markup.escape(source)


def unchanged(html: Markup) -> Markup:
    """Return HTML unchanged; this replaces a filter that would search the HTML for Markdown."""
    return html


def secure_pages() -> None:
    """Send a Content-Security-Policy with each formgrader page, and refuse unsafe requests.

    Call this only in the formgrader's process, because it imports the formgrader. nbgrader has no
    setting for the policy, and a setting of the Jupyter server would apply to JupyterLab as well.
    """
    from nbgrader.server_extensions.formgrader.base import BaseHandler
    from tornado.web import HTTPError

    def prepare(handler: Any) -> Any:
        request = handler.request
        site = request.headers.get("Sec-Fetch-Site", "")
        course_path = handler.get_argument("path", "")
        if reason := refusal(unquote(request.path), course_path, site):
            raise HTTPError(403, reason)
        return super(BaseHandler, handler).prepare()

    def set_default_headers(handler: Any) -> None:
        super(BaseHandler, handler).set_default_headers()
        handler.set_header("Content-Security-Policy", CONTENT_SECURITY_POLICY)
        handler.set_header("Referrer-Policy", "same-origin")

    BaseHandler.set_default_headers = set_default_headers
    BaseHandler.prepare = prepare


def refusal(path: str, course_path: str, site: str) -> str:
    """Return the reason to refuse a request, or "" to accept it.

    nbgrader's templates write part of the address into a script, and `?path=` makes nbgrader load
    the configuration in any folder, even one that a student submitted.
    """
    if course_path and site == "cross-site":
        return "A page on a different site tried to open this course: open it from JupyterLab."
    if any(char in '"<>\\' or not char.isprintable() for char in path):
        return "The address contains a character that is not allowed in the names of a course."
    if not FOLDERS_OF_STUDENTS.isdisjoint(Path(course_path).parts):
        return "This folder contains students' submissions: open a course directory."
    return ""


def _is_of_course(cell: "NotebookNode") -> bool:
    """Return whether a cell is a locked text cell, which grading restores from the assignment."""
    settings = cell.metadata.get("nbgrader", {})
    return cell.cell_type == "markdown" and bool(settings.get("locked"))


def _with_escaped_texts(resources: dict) -> dict:
    """Return a page's resources with all strings escaped, because the template does not do so.

    Among them are students' names, which students choose on Canvas and Moodle.
    """
    escaped = copy.copy(resources)  # keeps the default value of nbconvert's defaultdict
    for key, value in resources.items():
        if isinstance(value, str):
            escaped[key] = Markup.escape(value)
    return escaped


def _plain_output(output: "NotebookNode") -> "NotebookNode":
    """Return an output with only its text or image, of limited length."""
    if "text" in output:
        output.text = _shortened(output.text)
    if "traceback" in output:
        output.traceback = [_shortened("\n".join(output.traceback))]
    if "data" in output:
        images = {kind: output.data[kind] for kind in IMAGE_TYPES if output.data.get(kind)}
        data = {kind: NOT_BASE64.sub("", image) for kind, image in images.items()}
        text = _shortened(output.data.get("text/plain", ""))
        output.data = type(output)({**data, "text/plain": text})
        output.metadata = type(output)()
    return output


def _shortened(text: str) -> str:
    """Return the beginning of a text, without color codes, in a form that browsers can show."""
    omitted = len(text) - MAX_TEXT_CHARACTERS
    note = f"\n... ({omitted:,} more characters)" if omitted > 0 else ""
    return limit_layout(ANSI_ESCAPE.sub("", text[:MAX_TEXT_CHARACTERS]) + note)
