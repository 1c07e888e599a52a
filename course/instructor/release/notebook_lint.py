"""Lint rules for a source notebook as a whole: its kernel, parameters, and secret files."""

import ast
import difflib
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import nbformat

from course.errors import CourseError
from course.instructor.analysis.cell_names import parse_cell

TAG = "parameters"
HEADING = re.compile(r"^#{1,6} .*$", re.MULTILINE)
POINTS_IN_HEADING = re.compile(r"\((\d+(?:\.\d+)?) points?\b")
GRADED_IN_TOTAL = re.compile(r"\*\*What is graded:\*\* (\d+(?:\.\d+)?) points?")
# What students do not get: solutions, hidden tests, and mark schemes.
SECRET = re.compile(
    r"### BEGIN (SOLUTION|HIDDEN TESTS).*?### END \1|=== BEGIN (MARK SCHEME) ===.*?=== END \2 ===",
    re.DOTALL,
)


def read_source(path: Path) -> nbformat.NotebookNode:
    """Return a source notebook.

    Raises CourseError if the file is not a notebook, or if the notebook does not clearly define its
    kernel and its parameters.
    """
    try:
        notebook = nbformat.read(path, as_version=4)
    except Exception as error:  # nbformat raises many classes for an invalid file
        raise CourseError(
            f"cannot read the notebook {path} ({type(error).__name__}): restore it from git."
        ) from None
    for problem in (*_problems_of_kernel(notebook), *_problems_of_parameters(notebook)):
        raise CourseError(f"{path}: {problem}")
    return notebook


def find_released_secrets(notebook: nbformat.NotebookNode, names: Iterable[str]) -> Iterator[str]:
    """Yield a problem for each of the named files that only secret parts of a notebook use."""
    text = "\n".join(cell.source for cell in notebook.cells)
    shown = SECRET.sub("", text)
    for name in names:
        pattern = re.compile(rf"(?<![\w.]){re.escape(name)}(?!\w)")
        if pattern.search(text) and not pattern.search(shown):
            yield (
                f"{name} is used only in a solution, hidden test, or mark scheme, but the files"
                " beside a notebook are released: attach a picture to its cell, and write data into"
                " the test."
            )


def find_wrong_points(notebook: nbformat.NotebookNode) -> Iterator[str]:
    """Yield a problem for each number of points in the text that disagrees with the cells.

    These are the points in headings, such as `### Exercise 1: images (2 points)`, which are those
    of all graded cells up to the next heading, and the total after `**What is graded:**`. A heading
    that states no points may contain graded cells.
    """
    stated: list[tuple[str, float]] = []  # each heading that states points
    actual: list[float] = []
    is_open, total, summary = False, 0.0, None
    for cell in notebook.cells:
        metadata = cell.metadata.get("nbgrader", {})
        if cell.cell_type == "markdown" and not metadata.get("solution"):
            for heading in HEADING.finditer(cell.source):
                points = POINTS_IN_HEADING.search(heading[0])
                is_open = points is not None
                if points:
                    stated.append((heading[0].lstrip("# "), float(points[1])))
                    actual.append(0.0)
            summary = summary or GRADED_IN_TOTAL.search(cell.source)
        if metadata.get("grade") or metadata.get("task"):
            total += metadata.get("points", 0)
            if is_open:
                actual[-1] += metadata.get("points", 0)
    for (text, wanted), found in zip(stated, actual, strict=True):
        if wanted != found:
            yield (
                f"the cells under {text!r} have {found:g} points: correct the heading or the"
                " points of the cells."
            )
    if summary and float(summary[1]) != total:
        yield (
            f"the text says {summary[0]!r}, but the cells have {total:g} points: correct the text"
            " or the points of the cells."
        )


def removed_attachments(
    notebook: nbformat.NotebookNode, released: nbformat.NotebookNode
) -> list[str]:
    """Return the names of the attachments that the released notebook does not contain."""
    source, release = (
        Counter(name for cell in each.cells for name in cell.get("attachments", {}))
        for each in (notebook, released)
    )
    return sorted((source - release).elements())


def _problems_of_kernel(notebook: nbformat.NotebookNode) -> Iterator[str]:
    """Yield a problem if the metadata does not name a Python kernel completely."""
    kernel = notebook.metadata.get("kernelspec", {})
    parts = [kernel.get(key) for key in ("name", "display_name", "language")]
    if not all(isinstance(part, str) and part for part in parts) or parts[2] != "python":
        yield (
            "the metadata does not name a Python kernel (kernelspec): open the notebook in"
            " JupyterLab, choose the kernel Python 3, and save it."
        )


def _problems_of_parameters(notebook: nbformat.NotebookNode) -> Iterator[str]:
    """Yield a problem if it is unclear which cell contains the parameters."""
    cells = [
        (number, cell, cell.metadata.get("tags", []))
        for number, cell in enumerate(notebook.cells, start=1)
        if cell.cell_type == "code"
    ]
    tagged = [str(number) for number, _, tags in cells if TAG in tags]
    if len(tagged) > 1:
        yield f"the cells {' and '.join(tagged)} have the tag {TAG}: remove all but one."
    if tagged:
        return
    for number, cell, tags in cells:
        similar = difflib.get_close_matches(TAG, tags, 1, cutoff=0.75)
        if similar:
            yield f"the tag {similar[0]!r} of cell {number} is misspelled: write {TAG}."
        elif "nbgrader" not in cell.metadata and "profile" in _literals(cell.source):
            yield f"cell {number} sets profile but does not have the tag {TAG}: add the tag."


def _literals(source: str) -> set[str]:
    """Return the names to which a cell assigns literals."""
    tree = parse_cell(source) or ast.Module([], [])
    return {
        target.id
        for line in tree.body
        if isinstance(line, ast.Assign) and isinstance(line.value, ast.Constant)
        for target in line.targets
        if isinstance(target, ast.Name)
    }
