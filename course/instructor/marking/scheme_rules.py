"""Rules for the mark schemes of a source notebook, so that their items can be used for marking."""

from collections.abc import Iterator
from pathlib import Path

from nbformat import NotebookNode
from nbgrader import utils

from course.errors import CourseError
from course.instructor.marking.rubric import (
    BEGIN,
    parse_mark_scheme,
    required_item,
    unreadable_items,
)
from course.instructor.release import cell_rules, notebook_lint

TOLERANCE = 1e-9  # of a sum of decimal fractions


def check_mark_schemes(path: Path) -> None:
    """Raise CourseError, with one line per problem, if a source notebook breaks a rule."""
    notebook = notebook_lint.read_source(path)
    if any(cell_rules.find_problems(notebook)):
        return  # the release refuses it, and says why
    if problems := list(find_problems(notebook)):
        raise CourseError("\n".join(f"{path}: {problem}" for problem in problems))


def find_problems(notebook: NotebookNode) -> Iterator[str]:
    """Yield one sentence for each problem of the mark scheme above, or in, a cell graded by hand.

    A mark scheme without rubric items, which only contains prose, has no problems.
    """
    sources: list[str] = []  # since the last cell that is graded by hand
    place = ""
    for number, cell in enumerate(notebook.cells, start=1):
        if BEGIN in cell.source:
            place = place if sources else cell_rules.describe_cell(cell, number)
            sources.append(cell.source)
        if utils.is_task(cell) or (utils.is_grade(cell) and utils.is_solution(cell)):
            settings = cell.metadata.nbgrader
            for problem in _problems("\n".join(sources), settings.grade_id, settings.points):
                yield f"{place} {problem}."
            sources = []


def _problems(source: str, answer: str, points: float) -> Iterator[str]:
    """Yield what is wrong with the mark scheme of an answer."""
    for unreadable in unreadable_items(source):
        yield (
            f"has a rubric item whose points cannot be read, {unreadable!r}: begin it with a signed"
            " number in bold and a space, such as **+0.5** or **-1**"
        )
    items = parse_mark_scheme(source).items
    labels = [item.label for item in items]
    if "" in labels:
        yield "has a rubric item without text: write what its points are for"
    for label in dict.fromkeys(filter(None, labels)):
        if labels.count(label) > 1:
            yield (
                f"has {labels.count(label)} rubric items with the label {label!r}: change what is"
                " before their first colon or period, so that their labels differ"
            )
    for item in items:
        if item.required is not None and required_item(item, items) is None:
            yield (
                f"has a rubric item, {item.label!r}, that requires item {item.required}: write the"
                " number of another item of this mark scheme, counted from 1"
            )
    total = sum(item.points for item in items if item.points > 0)
    if items and total < points - TOLERANCE:
        yield (
            f"has rubric items that can earn {total:g} of the {points:g} points of {answer}: add"
            " items, or change their points"
        )
