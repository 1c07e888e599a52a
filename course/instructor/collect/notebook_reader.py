"""Reading, identifying, and repairing submitted notebooks in a process with limits.

A submitted file is parsed, identified, matched with the release, and repaired in that process. The
repaired notebook comes back as text, which the instructor's process does not parse.
"""

import base64
import binascii
import itertools
import json
import math
import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from course.instructor.collect import notebook_repair
from course.instructor.collect.archive_reader import MAX_STUDENT_BYTES
from course.instructor.collect.notebook_repair import RepairError
from course.instructor.collect.released_assignment import (
    NotebookCell,
    ReleasedAssignment,
    identify_assignment,
    parse_release,
    read_cells,
)
from course.instructor.student_text import limited_worker, notebook_parser
from course.instructor.student_text.limited_call import call_limited
from course.instructor.student_text.limited_worker import StudentTextError
from course.instructor.student_text.size_limits import MAX_NOTEBOOK_BYTES

CPU_SECONDS = 10  # for one notebook; a normal one takes a tenth of a second
UPLOAD_CPU_SECONDS = 60  # for all notebooks of one upload
MAX_OBJECTS = 2_000_000  # in a file; outputs of 100 MB have fewer braces
# Limits of a file that is collected unchanged. nbgrader's own commands and the formgrader read it
# without limits; at these values, that takes 1 s and 40 MB. The course's notebooks have at most
# 5,000 values.
MAX_UNCHANGED_BYTES = 20 * 2**20
MAX_UNCHANGED_VALUES = 100_000
MAX_TEXTS = 20  # notes or names that the process may return
MAX_CHARACTERS = 500  # of each
STUDENT_PARAMETER = re.compile(r"^student *= *(['\"])([^'\"\n]{1,100})\1", re.M)
CONFLICT_MARKER = re.compile(rb"^(?:<{7}|>{7}) ?", re.M)  # as git writes them
CONFLICT = (
    "the file contains merge-conflict markers (<<<<<<< and >>>>>>>), which git writes: ask for a"
    " notebook without them"
)

serve = limited_worker.serve
# nbformat compiles its schema on first use, which takes longer than reading a notebook. The
# processes that are forked after this import share the compiled one.
notebook_repair.is_valid_file(b'{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}')


@dataclass
class ReadNotebook:
    """A submitted notebook as it is collected."""

    assignment: str = ""  # possibly one that is not collected; "" if no release matches
    problem: str = ""  # the reason for a manual review, or ""
    repaired: bytes = b""  # the content of the repaired file, or b"" if no repair was needed
    notes: list[str] = field(default_factory=list)  # about the repairs
    has_answers: bool = True  # False if the student wrote nothing into the released notebook
    claimed_names: list[str] = field(default_factory=list)  # of the student, in the notebook


@dataclass
class ReadingBudget:
    """What may still be spent on the notebooks of one upload: processor time, and disk space."""

    seconds: float = field(default_factory=lambda: UPLOAD_CPU_SECONDS)
    repaired_bytes: int = field(default_factory=lambda: MAX_STUDENT_BYTES)

    def spend_on_repaired(self, size: int) -> None:
        """Subtract the size of a repaired notebook, or raise RepairError if it is too large."""
        if size > MAX_NOTEBOOK_BYTES:
            limit = MAX_NOTEBOOK_BYTES // 2**20
            raise RepairError(f"the repaired notebook would be larger than {limit} MB")
        if size > self.repaired_bytes:
            raise RepairError(
                "the repaired notebooks of the upload would be larger than"
                f" {MAX_STUDENT_BYTES // 2**20:,} MB: collect this file alone"
            )
        self.repaired_bytes -= size


def read(
    releases: Sequence[ReleasedAssignment],
    content: bytes,
    budget: ReadingBudget,
    others: Sequence[ReleasedAssignment] = (),
) -> ReadNotebook:
    """Return the notebook in a submitted file; raise RepairError if it cannot be read.

    `others` are the assignments that are not collected. A notebook of one of them is identified,
    but not repaired.
    The processor time is subtracted from the budget of the upload.
    """
    if budget.seconds <= 0:
        raise RepairError(
            f"the other notebooks of the upload took {UPLOAD_CPU_SECONDS} s to read: collect this"
            " file alone"
        )
    if not content.strip():
        raise RepairError("the file is empty")
    if CONFLICT_MARKER.search(content):
        raise RepairError(CONFLICT)
    if content.count(b"{") > MAX_OBJECTS:
        raise RepairError("the file has too many elements to be a notebook")
    known = [*releases, *others]
    names = [[release.name, release.file_name] for release in known]
    blocks = [content, *(release.content for release in known)]
    limit, start, seconds = min(CPU_SECONDS, math.ceil(budget.seconds)), time.monotonic(), None
    try:
        result = call_limited(process, names, len(releases), blocks=blocks, cpu_seconds=limit)
        seconds = result.get("seconds") if isinstance(result, dict) else None
    except StudentTextError as error:
        raise RepairError(str(error)) from None
    finally:
        # A process that was stopped did not report how much time it took.
        passed = min(time.monotonic() - start, limit)
        is_valid = isinstance(seconds, int | float) and 0 <= seconds <= passed
        budget.seconds -= seconds if is_valid and seconds is not None else passed
    return _checked(result, {release.name for release in known})


def process(
    names: Sequence[Sequence[str]], count: int, content: bytes, *released: bytes
) -> dict[str, Any]:
    """Return the fields of `ReadNotebook` and the processor time, in the process with limits."""
    return _process(names, count, content, *released) | {"seconds": time.process_time()}


def _process(
    names: Sequence[Sequence[str]], count: int, content: bytes, *released: bytes
) -> dict[str, Any]:
    """Return the fields of `ReadNotebook` for a file.

    `names` are the names of the assignments and of their notebooks, and `released` the contents of
    those notebooks; the first `count` are collected. Raises StudentTextError if the file is not a
    notebook.
    """
    known = [
        parse_release(name, file_name, data)
        for (name, file_name), data in zip(names, released, strict=True)
    ]
    notebook, notes = notebook_parser.parse(content)
    cells = read_cells(notebook)
    releases, others = known[:count], known[count:]
    release, nearest = identify_assignment(releases, cells), identify_assignment(known, cells)
    result: dict[str, Any] = {"claimed_names": _claimed_names(cells)}
    if nearest in others:
        return result | {"assignment": nearest.name}
    if release is None:
        course = releases[0].name if len(releases) == 1 else "this course"
        return result | {"problem": f"the notebook does not belong to {course}"}
    result["assignment"] = release.name
    try:
        repaired, more_notes = notebook_repair.repair_notebook(notebook, release)
    except RepairError as error:
        return result | {"problem": str(error)}
    notes += more_notes
    if not notes and not _is_small(content):
        notes = ["removed content that grading does not use"]
    if not notes and not notebook_repair.is_valid_file(content):
        notes = ["invalid content removed"]
    if notes:
        # Non-ASCII text would take four times as much memory while it is decoded.
        encoded = base64.b64encode(notebook_repair.encode_notebook(repaired))
        result["repaired"] = encoded.decode("ascii")
    has_answers = notebook_repair.has_answers(repaired, release)
    return result | {"notes": notes, "has_answers": has_answers}


def _is_small(content: bytes) -> bool:
    """Return True if a program without limits can read a valid file in a second."""
    if len(content) > MAX_UNCHANGED_BYTES:
        return False
    # A comma or bracket precedes each value; most files have few of them even in their texts.
    if sum(map(content.count, (b",", b"[", b"{"))) <= MAX_UNCHANGED_VALUES:
        return True
    count, level = 0, [json.loads(content)]
    while level and count <= MAX_UNCHANGED_VALUES:
        count += len(level)
        level = list(itertools.chain.from_iterable(map(_values, level)))
    return count <= MAX_UNCHANGED_VALUES


def _values(value: Any) -> Iterable[Any]:
    """Return the values in a list or an object, or nothing for another value."""
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _claimed_names(cells: Sequence[NotebookCell]) -> list[str]:
    """Return the values of the parameter `student` in the code cells."""
    found = (STUDENT_PARAMETER.search(cell.source) for cell in cells if cell.cell_type == "code")
    return [match[2] for match in found if match]


def _checked(result: Any, assignments: set[str]) -> ReadNotebook:
    """Return a result after checking it, because its process has read a student's text."""
    fields = result if isinstance(result, dict) else {}
    notebook = ReadNotebook()
    if fields.get("assignment") in assignments:
        notebook.assignment = fields["assignment"]
    elif not fields.get("problem"):
        raise RepairError("the file cannot be processed")
    notebook.problem = "; ".join(_texts([fields.get("problem")]))
    try:
        notebook.repaired = base64.b64decode(fields.get("repaired", ""), validate=True)
    except (binascii.Error, TypeError, ValueError):
        raise RepairError("the file cannot be processed") from None
    notebook.has_answers = fields.get("has_answers") is not False
    notebook.notes = _texts(fields.get("notes"))
    notebook.claimed_names = _texts(fields.get("claimed_names"))
    return notebook


def _texts(values: Any) -> list[str]:
    """Return the texts in a list, in printable form and within limits."""
    texts = [each for each in values if isinstance(each, str)] if isinstance(values, list) else []
    return [
        "".join(char if char.isprintable() else "?" for char in text[:MAX_CHARACTERS])
        for text in texts[:MAX_TEXTS]
        if text
    ]
