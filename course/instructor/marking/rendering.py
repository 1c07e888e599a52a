"""Students' answers as HTML, within limits: no answer costs another anything."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from course.instructor.feedback.cell_renderer import render_output
from course.instructor.feedback.limited_renderer import CellText, PageBudget, render_texts
from course.instructor.marking.answers import AnswerText
from course.instructor.student_text.size_limits import MAX_CELL_SECONDS, MAX_PAGE_SECONDS

# All cells that are rendered together have time for the slowest text that is allowed.
CELLS_AT_ONCE = MAX_PAGE_SECONDS // MAX_CELL_SECONDS - 4
MAX_OUTPUT_HTML = 4_000_000  # characters
CELL = Markup('<div class="cell{}">{}</div>\n')
ADDED = Markup('<p class="label">Cell that the student added</p>{}')
TOO_LARGE = Markup("<p><em>The other outputs are too large to show here.</em></p>")


class _BudgetOfEach(PageBudget):
    """A budget that every text has for itself."""

    def complete(self, text: CellText, result: Mapping[str, str], images: Sequence[str]) -> Markup:
        """Return a rendered text with its images, or the text as it was written."""
        return PageBudget().complete(text, result, images)


def render_answers(texts: Iterable[AnswerText]) -> dict[str, Markup]:
    """Return the HTML of each answer by its digest."""
    unique = {each.digest: each for each in texts}
    cells = [
        (digest, cell) for digest, text in unique.items() for cell in text.cells
    ]  # in the order in which they are shown
    parts: dict[str, list[Markup]] = {digest: [] for digest in unique}
    for start in range(0, len(cells), CELLS_AT_ONCE):
        chunk = cells[start : start + CELLS_AT_ONCE]
        sources = [CellText(cell.kind, cell.source, cell.attachments) for _, cell in chunk]
        for (digest, cell), html in zip(chunk, render_texts(sources, _BudgetOfEach()), strict=True):
            shown = ADDED.format(html) if cell.is_added else html
            shown += render_outputs(cell.outputs)
            parts[digest].append(CELL.format(" added" if cell.is_added else "", shown))
    return {digest: Markup("").join(found) for digest, found in parts.items()}


def render_outputs(outputs: Iterable[Mapping[str, Any]]) -> Markup:
    """Return outputs of code cells as HTML."""
    found, left = Markup(""), MAX_OUTPUT_HTML
    for output in outputs:
        html = render_output(output)
        left -= len(html)
        if left < 0:
            return found + TOO_LARGE
        found += html
    return found
