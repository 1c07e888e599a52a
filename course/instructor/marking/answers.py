"""Students' answers to a question, from the graded notebooks in autograded/."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
from nbformat.v4.rwbase import rejoin_lines

from course.instructor.grading.reference_notebook import hash_of_code
from course.instructor.grading.submission import has_prose
from course.instructor.marking.questions import Question
from course.notebook_headings import heading_levels, section_headings

MAX_SHOWN_CELLS = 5  # cells with outputs near an answer
CACHE_SIZE = 2_000  # notebooks whose answers are kept in memory


@dataclass(frozen=True)
class AnswerCell:
    """A cell of an answer; `is_added` is True for a student's own cell beside the answer."""

    kind: str
    source: str
    attachments: dict[str, Any] = field(default_factory=dict)
    outputs: tuple[dict[str, Any], ...] = ()
    is_added: bool = False


@dataclass(frozen=True)
class AnswerText:
    """A student's answer to a question; `problem` is a sentence if there is none to read."""

    cells: tuple[AnswerCell, ...] = ()
    is_empty: bool = False
    problem: str = ""

    @property
    def digest(self) -> str:
        """A hash of what the student wrote: identical answers have the same one."""
        parts = [[each.kind, each.source.strip(), each.attachments] for each in self.cells]
        text = json.dumps([parts, self.is_empty, self.problem], sort_keys=True)
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


@dataclass(frozen=True)
class NearOutputs:
    """Outputs of a student's own run near an answer, and the heading above them."""

    outputs: tuple[dict[str, Any], ...] = ()
    section: str = ""


class AnswerReader:
    """Reads answers; a notebook is read again only if its file has changed."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._known: dict[tuple[str, Path], tuple[tuple[int, int], Question, AnswerText]] = {}

    def read(self, question: Question, student: str) -> AnswerText:
        """Return a student's answer."""
        path = self.path(question, student)
        try:
            status = path.stat()
        except OSError:
            return AnswerText(problem=f"{self._shown(path)} is missing")
        version = status.st_mtime_ns, status.st_ino
        known = self._known.get((question.key, path))
        if known and known[0] == version and known[1] == question:
            return known[2]
        cells = _read_cells(path)
        found = AnswerText(problem=f"{self._shown(path)} cannot be read")
        if cells is not None:
            found = _answer(question, cells)
        if len(self._known) >= CACHE_SIZE:
            self._known.clear()
        self._known[question.key, path] = version, question, found
        return found

    def outputs_near(self, question: Question, student: str) -> NearOutputs:
        """Return the outputs of the last section with code above a student's answer."""
        cells = _read_cells(self.path(question, student)) or []
        shown = [
            at
            for at in _code_near(cells, _position(question, cells) or 0)
            if cells[at].get("outputs")
        ][-MAX_SHOWN_CELLS:]
        if not shown:
            return NearOutputs()
        outputs = [each for at in shown for each in cells[at]["outputs"]]
        return NearOutputs(tuple(outputs), section_headings(cells)[shown[-1]])

    def path(self, question: Question, student: str) -> Path:
        """Return the path of a student's graded notebook."""
        folder = self._root / "autograded" / student / question.assignment
        return folder / f"{question.notebook}.ipynb"

    def _shown(self, path: Path) -> str:
        """Return a description of a file that names no student."""
        return f"the graded notebook {path.parent.name}/{path.name} of this student"


def _read_cells(path: Path) -> list[dict[str, Any]] | None:
    """Return the cells of a notebook, with texts that can be shown and stored, or None."""
    try:
        content = json.loads(path.read_text(encoding="utf-8", errors="replace"))
        # Files contain texts, also those of outputs, as lists of lines.
        cells = rejoin_lines(nbformat.from_dict(content))["cells"]
        return [
            cell | {"source": "".join(cell["source"]), "metadata": dict(cell["metadata"])}
            for cell in cells
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _answer(question: Question, cells: Sequence[dict[str, Any]]) -> AnswerText:
    """Return the answer in a notebook, with the student's own cells beside it."""
    at = _position(question, cells)
    if at is None:
        return AnswerText(problem=f"the graded notebook has no cell {question.name}")
    above = [] if question.is_task else [*_own_cells(question, cells[:at][::-1])][::-1]
    below = [*_own_cells(question, cells[at + 1 :])]
    own = [] if question.is_task else [_cell(cells[at])]
    is_unchanged = all(
        each.source.strip() in ("", question.empty.strip()) and not each.attachments for each in own
    )
    is_empty = is_unchanged and not above and not below
    return AnswerText((*above, *own, *below), is_empty)


def _code_near(cells: Sequence[dict[str, Any]], end: int) -> list[int]:
    """Return the positions of the code cells of the last section with code above a position.

    A section begins at a heading of at least the level of the question's heading. Tests are no
    code of the section.
    """
    levels = [heading_levels(cell) for cell in cells[:end]]
    question = next((at for at in range(end - 1, -1, -1) if levels[at]), 0)
    level = levels[question][-1] if end and levels[question] else 0
    found: list[int] = []
    for at in range(end - 1, -1, -1):
        if found and at < question and levels[at] and min(levels[at]) <= level:
            break
        settings = _settings(cells[at])
        is_test = settings.get("grade") and not settings.get("solution")
        if cells[at]["cell_type"] == "code" and not is_test:
            found.append(at)
    return found[::-1]


def _own_cells(question: Question, cells: Sequence[dict[str, Any]]) -> Iterator[AnswerCell]:
    """Yield a student's own cells up to the next answer or test."""
    for cell in cells:
        settings = _settings(cell)
        if settings.get("grade") or settings.get("solution") or settings.get("task"):
            return
        source = cell["source"]
        is_own = not settings.get("grade_id") and hash_of_code(source) not in question.supplied
        has_text = source.strip() and (cell["cell_type"] != "code" or has_prose(source))
        if is_own and (has_text or cell.get("attachments")):
            yield _cell(cell, is_added=True)


def _cell(cell: dict[str, Any], is_added: bool = False) -> AnswerCell:
    """Return a cell of a notebook as a part of an answer."""
    return AnswerCell(
        str(cell["cell_type"]),
        cell["source"],
        cell.get("attachments") or {},
        tuple(cell.get("outputs") or ()),
        is_added,
    )


def _position(question: Question, cells: Sequence[dict[str, Any]]) -> int | None:
    """Return the position of the question's answer among the cells of a notebook."""
    names = [_settings(cell).get("grade_id") for cell in cells]
    return names.index(question.name) if question.name in names else None


def _settings(cell: dict[str, Any]) -> dict[str, Any]:
    """Return nbgrader's metadata of a cell."""
    found = cell["metadata"].get("nbgrader")
    return found if isinstance(found, dict) else {}
