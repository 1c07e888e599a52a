"""The questions of an assignment whose answers are graded by hand, with their mark schemes."""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course.errors import CourseError
from course.instructor.course_dir import source_notebook
from course.instructor.grading.reference_notebook import hash_of_code, without_mark_schemes
from course.instructor.marking.marks import MarkItem
from course.instructor.marking.rubric import MarkScheme, parse_mark_scheme, required_item
from course.notebook_headings import from_last_heading, section_headings

if TYPE_CHECKING:
    from nbgrader.api import Gradebook, Notebook

SOLUTION = re.compile(r"^### (?:BEGIN|END) SOLUTION[ \t]*\n?", re.M)
POINTS_AT_END = re.compile(r"\([^()]*\bpoints?\)$")


@dataclass(frozen=True)
class Question:
    """A cell that is graded by hand.

    `cell_id` and `comment_cell_id` are its keys in the gradebook, for scores and comments. `empty`
    is the text that students get in place of an answer. `supplied` are hashes of the notebook's
    cells without a grade id. A task has its answers in the cells below it. `scheme_cells` are the
    positions of the cells in source/ that can contain the mark scheme.
    """

    assignment: str
    notebook: str
    name: str
    title: str
    text: str  # Markdown, without the mark scheme
    model_answer: str
    is_code: bool
    is_task: bool
    scheme: MarkScheme
    max_score: float
    cell_id: str
    comment_cell_id: str | None
    empty: str = ""
    supplied: frozenset[str] = field(default_factory=frozenset, repr=False)
    scheme_cells: tuple[int, ...] = ()

    @property
    def key(self) -> str:
        """A short text that identifies the question."""
        parts = json.dumps([self.assignment, self.notebook, self.name])
        return hashlib.sha256(parts.encode()).hexdigest()[:16]

    @property
    def items(self) -> list[MarkItem]:
        """The items of the rubric."""
        found = []
        for each in self.scheme.items:
            needed = required_item(each, self.scheme.items)
            required = (needed.key, needed.label) if needed else ("", "")
            found.append(MarkItem(each.key, each.points, each.label, *required))
        return found

    @property
    def scheme_version(self) -> str:
        """A short text that changes with the items of the rubric."""
        return hashlib.sha256(repr(self.items).encode("utf-8", "replace")).hexdigest()[:16]

    @property
    def deducts(self) -> bool:
        """Whether all items of the rubric subtract from the maximum."""
        return bool(self.scheme.items) and all(each.points <= 0 for each in self.scheme.items)


def read_questions(root: Path, gradebook: "Gradebook", assignment: str) -> list[Question]:
    """Return the questions of an assignment in the order of its notebook.

    The gradebook says which cells are graded by hand, and the notebook in source/ contains the
    texts. Raises CourseError if that notebook cannot be read.
    """
    path = source_notebook(root, assignment)
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        cells = [each | {"source": "".join(each["source"])} for each in cells]
    except (OSError, ValueError, KeyError, TypeError):
        raise CourseError(f"{path} cannot be read: restore it from your repository.") from None
    record = next(
        (
            each
            for each in gradebook.find_assignment(assignment).notebooks
            if each.name == path.stem
        ),
        None,
    )
    return _questions(assignment, cells, record) if record else []


def _questions(
    assignment: str, cells: Sequence[dict[str, Any]], record: "Notebook"
) -> list[Question]:
    """Return the questions of a notebook."""
    solutions = {each.name: each for each in record.solution_cells}
    by_hand = {each.name: each for each in record.grade_cells if each.name in solutions}
    tasks = {each.name: each for each in record.task_cells}
    empty = {each.name: each.source or "" for each in record.source_cells}
    supplied = frozenset(hash_of_code(each["source"]) for each in cells if not _grade_id(each))
    headings = section_headings(cells)
    found, start = [], 0
    for at, cell in enumerate(cells):
        name = _grade_id(cell)
        graded = by_hand.get(name) or tasks.get(name)
        if graded is None:
            continue
        is_task = name in tasks
        positions = (at,) if is_task else (*_question_cell(cells, start, at), at)
        texts = [cells[each]["source"] for each in (positions if is_task else positions[:-1])]
        commented = tasks.get(name) or solutions.get(name)
        found.append(
            Question(
                assignment=assignment,
                notebook=record.name,
                name=name,
                title=POINTS_AT_END.sub("", headings[at]).rstrip() or name,
                text="\n\n".join(
                    from_last_heading(without_mark_schemes(each), POINTS_AT_END).strip()
                    for each in texts
                ).strip(),
                model_answer="" if is_task else SOLUTION.sub("", cell["source"]).strip(),
                is_code=cell["cell_type"] == "code",
                is_task=is_task,
                scheme=scheme_of(cells, positions),
                max_score=float(graded.max_score or 0),
                cell_id=graded.id,
                comment_cell_id=commented.id if commented else None,
                empty=empty.get(name, ""),
                supplied=supplied,
                scheme_cells=positions,
            )
        )
        start = at + 1
    return found


def scheme_of(cells: Sequence[dict[str, Any]], positions: Sequence[int]) -> MarkScheme:
    """Return the mark scheme in the cells at these positions."""
    return parse_mark_scheme("\n\n".join("".join(cells[at]["source"]) for at in positions))


def _question_cell(cells: Sequence[dict[str, Any]], start: int, end: int) -> tuple[int, ...]:
    """Return the position of the question's text, which is the last one before the answer."""
    found = [at for at in range(start, end) if cells[at]["cell_type"] == "markdown"]
    return tuple(found[-1:])


def _grade_id(cell: dict[str, Any]) -> str:
    """Return the grade id of a cell, or ""."""
    return str(cell.get("metadata", {}).get("nbgrader", {}).get("grade_id") or "")
