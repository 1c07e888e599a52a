"""Analysis of students' code in a process with limits, because parsers can take a long time."""

import contextlib
import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, fields
from typing import Any

from course.instructor.analysis.cell_names import (
    UNKNOWN,
    CellNames,
    find_names,
    names_found_before,
    unknown_names,
)
from course.instructor.student_text import limited_worker
from course.instructor.student_text.limited_call import call_limited
from course.instructor.student_text.limited_worker import StudentTextError
from course.instructor.student_text.time_limit import processor_time_limit

CELL_SECONDS = 1
NOTEBOOK_SECONDS = 10
CPU_SECONDS = NOTEBOOK_SECONDS + 5  # a cell can exceed its share in a call of a C function

serve = limited_worker.serve


@contextlib.contextmanager
def analyzed(sources: Iterable[str]) -> Iterator[None]:
    """Provide the names of students' cells to `find_names_in_submission` in the block.

    If the analysis of a cell takes too long, its names are unknown: it may use any name.
    """
    sources = list(dict.fromkeys(sources))
    with names_found_before(_find_in_limits(sources) if sources else {}):
        yield


def _find_in_limits(sources: list[str]) -> dict[str, CellNames]:
    """Return the names of each source, found in a process with limits."""
    content = json.dumps(sources).encode()
    try:
        found = call_limited(find_in_this_process, blocks=[content], cpu_seconds=CPU_SECONDS)
        return dict(zip(sources, map(_from_json, found), strict=True))
    except (StudentTextError, TypeError, ValueError, AttributeError, KeyError):
        return dict.fromkeys(sources, UNKNOWN)


def find_in_this_process(content: bytes) -> list[dict[str, Any]]:
    """Return the names of each source as JSON."""
    deadline = time.process_time() + NOTEBOOK_SECONDS
    return [_to_json(_find(source, deadline)) for source in json.loads(content)]


def _find(source: str, deadline: float) -> CellNames:
    """Return the names of a source, or only those that are certain without an analysis."""
    try:
        with processor_time_limit(max(0.01, min(CELL_SECONDS, deadline - time.process_time()))):
            return find_names(source)
    except (StudentTextError, RecursionError, MemoryError, SystemError, ValueError):
        return unknown_names(source)


def _to_json(names: CellNames) -> dict[str, Any]:
    """Return names as JSON, with lists in place of sets."""

    def listed(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: sorted(each) for key, each in value.items()}
        return value if isinstance(value, bool) else sorted(value)

    return {name: listed(value) for name, value in asdict(names).items()}


def _from_json(content: dict[str, Any]) -> CellNames:
    """Return the names in an answer; raise TypeError or ValueError if it is malformed."""

    def as_set(value: Any) -> frozenset[str]:
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise TypeError("not a list of names")
        return frozenset(value)

    values: dict[str, Any] = {}
    for field in fields(CellNames):
        value = content.pop(field.name)
        if field.name in ("functions", "passed"):
            values[field.name] = {str(key): as_set(each) for key, each in value.items()}
        else:
            values[field.name] = bool(value) if field.name == "opaque" else as_set(value)
    if content:
        raise ValueError("unknown fields")
    return CellNames(**values)
