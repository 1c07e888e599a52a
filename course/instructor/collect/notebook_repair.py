"""Putting a submitted notebook right: the cells of the release, with what the student wrote."""

import json
import warnings
from collections import Counter

from course.instructor.collect import cell_matching
from course.instructor.collect.notebook_reader import RepairError, valid_id
from course.instructor.collect.released_assignment import read_cells

FORMAT = {"nbformat": 4, "nbformat_minor": 5}


def repair_notebook(notebook, reference):
    """Return a notebook that grading knows every cell of, and what was done to it.

    Parameters
    ----------
    notebook : dict
        From `reading.parse`; it is not changed.
    reference : Reference
        What was handed out.

    Returns
    -------
    mended : dict
        The notebook.
    notes : list of str
        A few words each; empty where nothing of the cells had to be mended.

    Raises
    ------
    CannotBeMended
        If two cells may be the same answer.
    """
    cells = read_cells(notebook)
    found = cell_matching.match(reference, cells)
    if found.problems:
        raise RepairError("; ".join(found.problems))
    known_at = {place: reference.cells[known] for known, place in found.pairs.items()}
    own_ids = {each for known in reference.cells for each in known.ids}
    mended, used = [], set()
    for place, cell in enumerate(notebook["cells"]):
        if place in found.surplus:
            continue
        known = known_at.get(place)
        mended.append((known, _as_known(cell, known) if known else _extra(cell, own_ids, used)))
    for known in found.missing:
        _put_back(mended, known)
    content = {"cells": [cell for _, cell in mended], "metadata": reference.metadata, **FORMAT}
    return content, _notes(found, reference) + _make_valid(content)


def encode_notebook(notebook):
    """Return a notebook as the bytes of its file."""
    return (json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n").encode()


def _as_known(cell, known):
    """Return a submitted cell with the type, id and metadata of the release's."""
    source = cell["source"] if known.is_answer or not known.is_needed else known.source
    return _cell(known.cell_type, next(iter(known.ids)), known.metadata, source, cell)


def _extra(cell, own_ids, used):
    """Return a cell that the student has added, under an id that is nobody's."""
    id_ = cell.get("id")
    if not valid_id(id_) or id_ in own_ids or id_ in used:
        number = 1
        while f"added-{number}" in used | own_ids:
            number += 1
        id_ = f"added-{number}"
    used.add(id_)
    return _cell(cell["cell_type"], id_, {}, cell["source"], cell)


def _cell(kind, id_, metadata, source, submitted):
    content = {"cell_type": kind, "id": id_, "metadata": metadata, "source": source}
    if kind == "code":
        content["outputs"] = submitted.get("outputs", [])
        content["execution_count"] = submitted.get("execution_count")
    elif isinstance(submitted.get("attachments"), dict):
        content["attachments"] = submitted["attachments"]
    return content


def _put_back(mended, known):
    """Insert a cell of the release behind the nearest one that comes before it there."""
    before = [n for n, (each, _) in enumerate(mended) if each and each.place < known.place]
    place = max(before, key=lambda number: mended[number][0].place) + 1 if before else 0
    id_ = next(iter(known.ids))
    mended.insert(place, (known, _cell(known.cell_type, id_, known.metadata, known.source, {})))


def is_valid(notebook):
    """Return whether a notebook is one to every reader as it stands."""
    import nbformat

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # a missing or doubled id, which would be made anew
            nbformat.validate(notebook)
    except Exception:  # in describing what is wrong, nbformat itself may fail
        return False
    return True


def _make_valid(content):
    """Make sure that grading can read it; outputs that no reader takes are made plain."""
    from course.instructor.grading.submission import safe_outputs

    if is_valid(content):
        return []
    for cell in content["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"] = json.loads(json.dumps(safe_outputs(cell["outputs"])))
        cell.pop("attachments", None)
    if not is_valid(content):
        raise RepairError("it is no valid notebook")
    return ["outputs that are none left out"]


def _notes(found, reference):
    needed = {known.place for known in reference.cells if known.is_needed}
    how = Counter(how for place, how in found.how.items() if place in needed)
    notes = []
    lost = how.total() - how[cell_matching.BY_GRADE_ID]
    if lost:
        ways = [f"{how[way]} by {way}" for way in WAYS if how[way]]
        notes.append(f"metadata of {lost} cells lost, found {', '.join(ways)}")
    if found.surplus:
        notes.append(f"{len(found.surplus)} cells that stood there twice")
    deleted = [known for known in found.missing if not known.is_answer]
    if deleted:
        notes.append(f"{len(deleted)} deleted cells put back")
    answers = [known.grade_id for known in found.missing if known.is_answer]
    if answers:
        notes.append(f"no answer {', '.join(answers)}: put back empty")
    return notes


WAYS = (cell_matching.BY_ID, cell_matching.BY_TEXT, cell_matching.BY_NAME, cell_matching.BY_POSITION)
