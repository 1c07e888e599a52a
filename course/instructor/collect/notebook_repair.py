"""Repairing submitted notebooks so that they contain the release's cells and students' work."""

import itertools
import json
import warnings
from collections import Counter
from typing import Any

from course.instructor.collect.cell_matching import BY_GRADE_ID, Matching, match
from course.instructor.collect.notebook_reader import RepairError, is_valid_cell_id
from course.instructor.collect.released_assignment import (
    ReleasedAssignment,
    ReleasedCell,
    read_cells,
)
from course.instructor.grading.submission import safe_outputs

FORMAT = {"nbformat": 4, "nbformat_minor": 5}


def repair_notebook(
    notebook: dict[str, Any], release: ReleasedAssignment
) -> tuple[dict[str, Any], list[str]]:
    """Return a notebook whose cells grading can identify, and notes on the repairs.

    The notebook comes from `ParsedNotebook.content` and is not changed. Raises RepairError if two
    cells could be the same answer.
    """
    matching = match(release, read_cells(notebook))
    if matching.problems:
        raise RepairError("; ".join(matching.problems))
    released_at = {at: release.cells[released] for released, at in matching.pairs.items()}
    used_ids = {each for released in release.cells for each in released.ids}
    repaired: list[tuple[ReleasedCell | None, dict[str, Any]]] = []
    for position, cell in enumerate(notebook["cells"]):
        if position not in matching.duplicates:
            released = released_at.get(position)
            restored = _restore_cell(cell, released) if released else _added_cell(cell, used_ids)
            repaired.append((released, restored))
    for released in matching.missing:
        _insert_missing(repaired, released)
    content = {"cells": [cell for _, cell in repaired], "metadata": release.metadata, **FORMAT}
    return content, _notes(matching, release) + _make_valid(content)


def encode_notebook(notebook: dict[str, Any]) -> bytes:
    """Return the content of a notebook's file."""
    return (json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n").encode()


def is_valid(notebook: dict[str, Any]) -> bool:
    """Return True if a notebook is valid without changes."""
    import nbformat

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # nbformat replaces missing and duplicate ids
            nbformat.validate(notebook)
    except Exception:  # nbformat itself can fail while it describes what is invalid
        return False
    return True


def _restore_cell(cell: dict[str, Any], released: ReleasedCell) -> dict[str, Any]:
    """Return a submitted cell with the released type, id, metadata, and, if locked, source."""
    is_editable = released.is_answer or not released.is_required
    source = cell["source"] if is_editable else released.source
    return _make_cell(released.cell_type, next(iter(released.ids)), released.metadata, source, cell)


def _added_cell(cell: dict[str, Any], used_ids: set[str]) -> dict[str, Any]:
    """Return a cell that the student added, with a unique id that is added to `used_ids`."""
    cell_id: Any = cell.get("id")
    if not is_valid_cell_id(cell_id) or cell_id in used_ids:
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
    """Simplify the outputs of an invalid notebook, and return a note on this repair."""
    if is_valid(content):
        return []
    for cell in content["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"] = json.loads(json.dumps(safe_outputs(cell["outputs"])))
        cell.pop("attachments", None)
    if not is_valid(content):
        raise RepairError("the file is not a valid notebook")
    return ["invalid outputs removed"]


def _notes(matching: Matching, release: ReleasedAssignment) -> list[str]:
    """Return notes on the cells that were repaired."""
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
