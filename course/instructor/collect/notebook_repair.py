"""Repairing submitted notebooks so that they contain the release's cells and students' work."""

import itertools
import json
import warnings
from collections import Counter
from typing import Any

from course.instructor.collect.cell_matching import BY_GRADE_ID, Matching, match
from course.instructor.collect.released_assignment import (
    ReleasedAssignment,
    ReleasedCell,
    read_cells,
)
from course.instructor.grading.submission import CELL_ID, safe_outputs
from course.instructor.student_text.limited_worker import SURROGATE

FORMAT = {"nbformat": 4, "nbformat_minor": 5}
MAX_VALIDATED_CELLS = 300  # one by one, which takes a second
# Of text typed into a locked text cell, which is moved below it; shorter text can be a typo.
MIN_ADDED_TEXT = 10  # characters


class RepairError(Exception):
    """An error for a notebook that needs manual review; the message is the reason."""


def repair_notebook(
    notebook: dict[str, Any], release: ReleasedAssignment
) -> tuple[dict[str, Any], list[str]]:
    """Return a notebook whose cells grading can identify, and notes on the repairs.

    The notebook comes from `notebook_parser.parse` and is not changed. Raises RepairError if it is
    unclear which cell is an answer, or if the result is not a valid notebook.
    """
    matching = match(release, read_cells(notebook))
    if matching.problems:
        raise RepairError("; ".join(matching.problems))
    released_at = {at: release.cells[released] for released, at in matching.pairs.items()}
    used_ids = {each for released in release.cells for each in released.ids}
    repaired: list[tuple[ReleasedCell | None, dict[str, Any]]] = []
    notes = _notes(matching, release)
    for position, cell in enumerate(notebook["cells"]):
        if position in matching.duplicates:
            continue
        released = released_at.get(position)
        restored = _restore_cell(cell, released) if released else _added_cell(cell, used_ids)
        repaired.append((released, restored))
        if released and _has_own_text(cell, released):
            own = _added_cell(cell | {"source": _own_text(cell, released)}, used_ids)
            repaired.append((None, own))
            notes.append(f"text typed into the locked cell {released.grade_id} moved below it")
    for released in matching.missing:
        _insert_missing(repaired, released)
    content = {"cells": [cell for _, cell in repaired], "metadata": release.metadata, **FORMAT}
    return content, notes + _make_valid(content)


def has_answers(repaired: dict[str, Any], release: ReleasedAssignment) -> bool:
    """Return True if a repaired notebook has an answer, or a cell that the student added.

    Other code cells of the release do not count: they contain settings, such as the student's name.
    The result is also True if the release has no answers.
    """
    released = {each: cell for cell in release.cells for each in cell.ids}
    for cell in read_cells(repaired):
        original = next((released[each] for each in cell.ids if each in released), None)
        if cell.text and (original is None or cell.text != original.text):
            is_setting = original and not original.is_answer and original.cell_type == "code"
            if not is_setting:
                return True
    return not any(cell.is_answer for cell in release.cells)


def encode_notebook(notebook: dict[str, Any]) -> bytes:
    """Return the content of a notebook's file, with unpaired surrogates replaced."""
    text = json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
    return SURROGATE.sub("\ufffd", text).encode()


def is_valid_file(content: bytes) -> bool:
    """Return True if the notebook in a file is valid without changes, and its text can be encoded.

    JSON can contain an unpaired surrogate, which cannot be encoded in a file.
    """
    notebook = json.loads(content)
    return not SURROGATE.search(json.dumps(notebook, ensure_ascii=False)) and _is_valid(notebook)


def _is_valid(notebook: dict[str, Any]) -> bool:
    """Return True if a notebook is valid without changes."""
    import nbformat

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # nbformat replaces missing and duplicate ids
            nbformat.validate(notebook)
    except Exception:  # nbformat itself can fail while it describes what is invalid
        return False
    return True


def _has_own_text(cell: dict[str, Any], released: ReleasedCell) -> bool:
    """Return True if a student typed text, such as the answer, into a locked text cell."""
    is_locked_text = released.is_required and not released.is_answer
    if not is_locked_text or released.cell_type != "markdown" or cell["cell_type"] == "code":
        return False
    return len(_own_text(cell, released)) >= MIN_ADDED_TEXT


def _own_text(cell: dict[str, Any], released: ReleasedCell) -> str:
    """Return the lines of an edited cell that are not in the release."""
    supplied = {line.strip() for line in released.source.splitlines()}
    lines = cell["source"].splitlines()
    return "\n".join(line for line in lines if line.strip() not in supplied).strip()


def _restore_cell(cell: dict[str, Any], released: ReleasedCell) -> dict[str, Any]:
    """Return a submitted cell with the released type, id, metadata, and, if locked, source."""
    is_editable = released.is_answer or not released.is_required
    source = cell["source"] if is_editable else released.source
    return _make_cell(released.cell_type, next(iter(released.ids)), released.metadata, source, cell)


def _added_cell(cell: dict[str, Any], used_ids: set[str]) -> dict[str, Any]:
    """Return a cell that the student added, with a unique id that is added to `used_ids`."""
    cell_id: Any = cell.get("id")
    if not (isinstance(cell_id, str) and CELL_ID.fullmatch(cell_id)) or cell_id in used_ids:
        names = (f"added-{number}" for number in itertools.count(1))
        cell_id = next(name for name in names if name not in used_ids)
    used_ids.add(cell_id)
    return _make_cell(cell["cell_type"], cell_id, {}, cell["source"], cell)


def _make_cell(
    kind: str, cell_id: str, metadata: dict[str, Any], source: str, submitted: dict[str, Any]
) -> dict[str, Any]:
    """Return a cell with the outputs or attachments of the submitted cell."""
    content: dict[str, Any] = {"cell_type": kind, "id": cell_id, "metadata": metadata}
    content["source"] = source
    if kind == "code":
        content["outputs"] = submitted.get("outputs", [])
        content["execution_count"] = submitted.get("execution_count")
    elif isinstance(submitted.get("attachments"), dict):
        content["attachments"] = submitted["attachments"]
    return content


def _insert_missing(
    repaired: list[tuple[ReleasedCell | None, dict[str, Any]]], released: ReleasedCell
) -> None:
    """Insert a released cell after the nearest cell that precedes it in the release."""
    preceding = [
        (other.position, at)
        for at, (other, _) in enumerate(repaired)
        if other and other.position < released.position
    ]
    at = max(preceding)[1] + 1 if preceding else 0
    repaired.insert(at, (released, _restore_cell({"source": released.source}, released)))


def _make_valid(content: dict[str, Any]) -> list[str]:
    """Simplify the outputs and attachments that are invalid, and return notes on these repairs."""
    if _is_valid(content):
        return []
    notes = []
    cells = content["cells"]
    for cell in cells:
        if len(cells) <= MAX_VALIDATED_CELLS and _is_valid(content | {"cells": [cell]}):
            continue
        if cell["cell_type"] == "code":
            cell["outputs"] = json.loads(json.dumps(safe_outputs(cell["outputs"])))
            notes.append("invalid outputs removed")
        elif cell.pop("attachments", None):
            notes.append("invalid attachments removed")
    if not _is_valid(content):
        raise RepairError("the file is not a valid notebook")
    return list(dict.fromkeys(notes))


def _notes(matching: Matching, release: ReleasedAssignment) -> list[str]:
    """Return notes on the repairs that the matching of cells implies."""
    counts = Counter(
        method
        for position, method in matching.methods.items()
        if method != BY_GRADE_ID and release.cells[position].is_required
    )
    notes = []
    if counts:
        methods = ", ".join(f"{count} by {method}" for method, count in counts.items())
        notes.append(f"metadata missing in {counts.total()} cells (matches: {methods})")
    if matching.duplicates:
        notes.append(f"{len(matching.duplicates)} duplicate cells removed")
    deleted = [cell for cell in matching.missing if not cell.is_answer]
    if deleted:
        notes.append(f"{len(deleted)} deleted cells restored")
    answers = [str(cell.grade_id) for cell in matching.missing if cell.is_answer]
    if answers:
        notes.append(f"missing answers restored as empty cells: {', '.join(answers)}")
    return notes
