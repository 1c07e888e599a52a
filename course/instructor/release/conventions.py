"""The course's conventions for a source notebook, which do not affect whether it can be graded."""

import ast
import re
from collections.abc import Iterator

from nbformat import NotebookNode
from nbgrader import utils

from course.instructor.analysis.cell_names import parse_cell
from course.instructor.release.preprocessors import TITLE
from course.instructor.release.result_figures import (
    DRAWS_TAG,
    SHOWS_TAG,
    cells_with_tag,
    code_digest,
    stored_digest,
)
from course.plotting.result_figure import alt_text

# Text in a cell that students run but need not read, and a title for it.
MACHINERY = {
    "{{INSTALL}}": "Install the course's package",
    "plotting.result(": "The finished result",
    "course.record(": "Record the results",
    "packing.pack(": "Pack the submission",
}
HINTS = ("Hint 1", "Hint 2")
_EXERCISE = re.compile(r"^### (Exercise \w+)", re.MULTILINE)
_PROMPT = re.compile(r"^\*\*(Predict|What happened):\*\*", re.MULTILINE)


def find_deviations(notebook: NotebookNode, name: str) -> list[str]:
    """Return one sentence for each place where an assignment's notebook deviates."""
    return [
        *_untitled_cells(notebook),
        *_problems_of_figure(notebook, name),
        *_missing_hints(notebook),
        *_open_predictions(notebook),
    ]


def _untitled_cells(notebook: NotebookNode) -> Iterator[str]:
    """Yield a sentence for each check or auxiliary cell that the release does not collapse."""
    for cell in notebook.cells:
        if cell.cell_type != "code" or cell.source.startswith(TITLE):
            continue
        titles = [title for text, title in MACHINERY.items() if text in cell.source]
        if utils.is_grade(cell) and not utils.is_solution(cell):
            titles = ["Check exercise N"]
        if titles:
            yield f"{cell.id} is not collapsed for students: begin it with {TITLE}{titles[0]}."


def _problems_of_figure(notebook: NotebookNode, name: str) -> Iterator[str]:
    """Yield a sentence for each problem with the figure of the finished result."""
    showing, drawing = (cells_with_tag(notebook, tag) for tag in (SHOWS_TAG, DRAWS_TAG))
    if len(showing) != 1 or len(drawing) != 1:
        yield (
            f"{len(showing)} cells have the tag {SHOWS_TAG}, and {len(drawing)} have the tag"
            f" {DRAWS_TAG}: give each tag to one code cell, so that the finished result is shown"
            " before anything runs."
        )
        return
    position = notebook.cells.index(showing[0])
    if "{{INSTALL}}" not in notebook.cells[position - 1].source:
        yield (
            f"{showing[0].id} does not follow the install cell: move it there, because it needs the"
            " course's package when a student runs all cells."
        )
    tree = parse_cell(showing[0].source)
    if not tree or [ast.unparse(line) for line in tree.body] != [
        "from course import plotting",
        f"plotting.result({name!r})",
    ]:
        yield (
            f'{showing[0].id} contains code besides plotting.result("{name}") and its import:'
            " remove the other code."
        )
    if not alt_text(name):
        yield (
            f"the figure of {name} has no alternative text: describe it in"
            " course/plotting/result_figures/alt_texts.toml."
        )
    if code_digest(notebook) != stored_digest(name):
        yield (
            f"the figure of {name} was not drawn by the current code: run course figures {name},"
            f" then course release {name}."
        )


def _missing_hints(notebook: NotebookNode) -> Iterator[str]:
    """Yield a sentence for each exercise with a test that does not offer two hints."""
    exercise, text, has_code = "", "", False
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and not utils.is_solution(cell):
            if headings := list(_EXERCISE.finditer(cell.source)):
                exercise, text, has_code = headings[-1][1], "", False
            text += cell.source[headings[-1].start() :] if headings else cell.source
        has_code |= cell.cell_type == "code" and utils.is_solution(cell)
        if exercise and has_code and utils.is_grade(cell) and not utils.is_solution(cell):
            for hint in HINTS:
                if f"<details><summary>{hint}</summary>\n\n" not in text:
                    yield (
                        f"{exercise} has no {hint}: add <details><summary>{hint}</summary>, an"
                        " empty line, the hint, an empty line, and </details> to its text."
                    )
            exercise = ""


def _open_predictions(notebook: NotebookNode) -> Iterator[str]:
    """Yield a sentence for each prediction without a result, or result without a prediction."""
    before = ("", "")  # the kind of the last paragraph, and the ID of its cell
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and not utils.is_solution(cell):
            for prompt in _PROMPT.finditer(cell.source):
                if (before[0], prompt[1]) == ("Predict", "Predict"):
                    yield _open_prediction(before[1])
                if prompt[1] == "What happened" and before[0] != "Predict":
                    yield (
                        f"{cell.id} says what happened, but nothing was predicted: add a paragraph"
                        " that begins with **Predict:** above the result."
                    )
                before = prompt[1], cell.id
    if before[0] == "Predict":
        yield _open_prediction(before[1])


def _open_prediction(cell_id: str) -> str:
    """Return the sentence about a prediction whose result is not stated."""
    return (
        f"{cell_id} asks for a prediction, but no paragraph says what happened: add one that begins"
        " with **What happened:** after the result."
    )
