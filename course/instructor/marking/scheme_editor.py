"""Changing the points of a rubric item, in the source notebook that contains the mark scheme."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

from course.errors import CourseError
from course.files import write_atomically
from course.instructor import file_lock
from course.instructor.course_dir import source_notebook
from course.instructor.marking.marks import is_number
from course.instructor.marking.questions import Question, scheme_of
from course.instructor.marking.rubric import DECIMALS, MarkScheme, with_points

LOCK = Path("build", "mark")
MAX_ITEM_POINTS = 9_999
TOLERANCE = 1e-9


def changed_question(question: Question, key: Any, points: Any) -> Question:
    """Return a question with other points for a rubric item; raise CourseError if not possible."""
    item = next((each for each in question.scheme.items if each.key == key), None)
    if item is None:
        raise CourseError("this item is no longer in the mark scheme: reload the page.")
    if not is_number(points) or abs(points) > MAX_ITEM_POINTS:
        raise CourseError(f"the points are not a number up to {MAX_ITEM_POINTS}: enter a number.")
    points = round(float(points), DECIMALS) + 0.0
    items = [
        replace(each, points=points) if each is item else each for each in question.scheme.items
    ]
    before, after = earnable(question.scheme), earnable(MarkScheme(items, ""))
    if after < question.max_score - TOLERANCE and after < before:
        raise CourseError(
            f"the items could then earn only {after:g} of the {question.max_score:g} points of this"
            " question: change the points of another item first."
        )
    return replace(question, scheme=MarkScheme(items, question.scheme.guidance))


def earnable(scheme: MarkScheme) -> float:
    """Return the sum of the positive points of a mark scheme."""
    return math.fsum(each.points for each in scheme.items if each.points > 0)


def write_points(root: Path, question: Question, key: str, points: float) -> None:
    """Write other points of a rubric item into the source notebook, atomically.

    Raises CourseError, and changes nothing, if the notebook has another mark scheme by now.
    """
    path = source_notebook(root, question.assignment)
    message = "another course mark is changing points now: try again."
    with file_lock.exclusive_lock(root / LOCK, message):
        try:
            text = path.read_text(encoding="utf-8")
            notebook = json.loads(text)
            cells = notebook["cells"]
            is_same = _summary(scheme_of(cells, question.scheme_cells)) == _summary(question.scheme)
            for at in question.scheme_cells:
                source = cells[at]["source"]
                changed = with_points("".join(source), key, points)
                is_text = isinstance(source, str)
                cells[at]["source"] = changed if is_text else changed.splitlines(keepends=True)
            found = _summary(scheme_of(cells, question.scheme_cells))
        except (OSError, ValueError, KeyError, TypeError, IndexError):
            raise CourseError(f"{path} cannot be read: restore it from your repository.") from None
        wanted = _summary(changed_question(question, key, points).scheme)
        if not is_same or found != wanted:
            raise CourseError(
                f"the mark scheme in {path} cannot be changed from here: change the points there,"
                " and reload the page."
            )
        end = "\n" if text.endswith("\n") else ""
        try:
            write_atomically(path, json.dumps(notebook, indent=1, ensure_ascii=False) + end)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise CourseError(f"{path} cannot be written ({reason}).") from None


def _summary(scheme: MarkScheme) -> tuple[Any, ...]:
    """Return what must not change while the points of an item do, and all points."""
    return scheme.guidance, [(each.key, each.points, each.text) for each in scheme.items]
