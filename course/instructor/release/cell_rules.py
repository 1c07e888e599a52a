"""nbgrader's rules for the cells of a source notebook: their metadata and their markers.

nbgrader refuses a notebook that breaks one of them, but its messages do not name the cell.
"""

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from nbformat import NotebookNode
from nbgrader.nbgraderformat import SCHEMA_VERSION

FLAGS = ("grade", "solution", "locked")  # nbgrader requires them; it also knows "task"
SETTINGS = {*FLAGS, "task", "schema_version", "grade_id", "points", "checksum", "cell_type"}
GRADE_ID = re.compile(r"[a-zA-Z0-9_-]+")
# The regions that a release omits, with the flags of the cells that may contain them.
REGIONS = {
    "SOLUTION": (("solution",), "an answer"),
    "HIDDEN TESTS": (("grade",), "a test"),
    "MARK SCHEME": ((), ""),  # anywhere: see nbgrader_config.py
}
AUTOTEST = re.compile(r"^\s*#.*AUTOTEST", re.MULTILINE)
CHOOSE = "in JupyterLab, choose its type again under Create Assignment"
MAX_SHOWN = 60  # characters of a cell


def find_problems(notebook: NotebookNode) -> Iterator[str]:
    """Yield one sentence for each cell that nbgrader would refuse; it says what to do."""
    first: dict[str, int] = {}
    for number, cell in enumerate(notebook.cells, start=1):
        problem = _problem_of_cell(cell)
        grade_id = _settings(cell).get("grade_id")
        if not problem and grade_id and is_nbgraders(cell):
            earlier = first.setdefault(grade_id, number)
            if earlier != number:
                problem = f"has the same ID as cell {earlier}: give one of the two another ID"
        if problem:
            yield f"{describe_cell(cell, number)} {problem}."


def describe_cell(cell: NotebookNode, number: int) -> str:
    """Return the number of a cell, counted from 1, and its ID or else its first line."""
    name = _settings(cell).get("grade_id")
    if not isinstance(name, str) or not GRADE_ID.fullmatch(name):
        line = next((each for each in str(cell.get("source", "")).splitlines() if each.strip()), "")
        name = repr(line if len(line) <= MAX_SHOWN else f"{line[:MAX_SHOWN]}...")
    return f"cell {number} ({name})"


def is_nbgraders(cell: NotebookNode) -> bool:
    """Return whether a release enters a cell in the gradebook."""
    return any(_settings(cell).get(flag) for flag in (*FLAGS, "task"))


def _settings(cell: NotebookNode) -> Mapping[str, Any]:
    """Return nbgrader's metadata of a cell, or nothing if there is none that can be read."""
    settings = cell.get("metadata", {}).get("nbgrader")
    return settings if isinstance(settings, Mapping) else {}


def _problem_of_cell(cell: NotebookNode) -> str:
    """Return what nbgrader refuses in one cell, or ""."""
    if not isinstance(cell.get("source"), str):
        return "has no text: restore the notebook from git"
    problems = [_problem_of_settings(cell), *map(lambda kind: _problem_of_region(cell, kind), REGIONS)]
    if cell.cell_type == "code" and AUTOTEST.search(cell.source) and not _settings(cell).get("grade"):
        problems.append(f"has an AUTOTEST line, but is not a test: {CHOOSE}")
    return next(filter(None, problems), "")


def _problem_of_settings(cell: NotebookNode) -> str:
    """Return what nbgrader refuses in the metadata of a cell, or ""."""
    if "nbgrader" not in cell.metadata:
        return ""
    settings = cell.metadata["nbgrader"]
    if not isinstance(settings, Mapping):
        return f"has invalid nbgrader metadata: {CHOOSE}"
    version = settings.get("schema_version", 0)
    if not isinstance(version, int) or version < SCHEMA_VERSION:
        return "has the metadata of an older nbgrader: make a backup, then run nbgrader update source"
    if version > SCHEMA_VERSION:
        return "has the metadata of a newer nbgrader: install that version of nbgrader"
    if unknown := sorted(set(settings) - SETTINGS):
        return f"has unknown nbgrader metadata ({', '.join(unknown)}): remove it"
    for flag in (*FLAGS, "task"):
        if not isinstance(settings.get(flag, None if flag in FLAGS else False), bool):
            return f"does not say in its nbgrader metadata whether it is {flag!r}: {CHOOSE}"
    checksum, kind = settings.get("checksum", "0" * 32), settings.get("cell_type", cell.cell_type)
    if not isinstance(checksum, str) or len(checksum) != 32:
        return "has an invalid checksum in its nbgrader metadata: remove the checksum"
    if kind not in ("raw", "code", "markdown"):
        return "has an invalid cell_type in its nbgrader metadata: remove the cell_type"
    return _problem_of_grade_id(cell) or _problem_of_points(settings) or _problem_of_type(cell)


def _problem_of_grade_id(cell: NotebookNode) -> str:
    """Return what is wrong with the ID of a cell, or ""."""
    grade_id = _settings(cell).get("grade_id", "")
    if not grade_id and is_nbgraders(cell):
        return "has no ID: give it one under Create Assignment in JupyterLab"
    if grade_id and not (isinstance(grade_id, str) and GRADE_ID.fullmatch(grade_id)):
        return (
            f"has the ID {str(grade_id)[:MAX_SHOWN]!r}: use only the letters a to z and A to Z,"
            " digits, hyphens, and underscores"
        )
    return ""


def _problem_of_points(settings: Mapping[str, Any]) -> str:
    """Return what is wrong with the points of a cell, or ""."""
    if "points" not in settings:
        if settings["grade"] or settings.get("task"):
            return "is graded, but has no points: set them under Create Assignment in JupyterLab"
        return ""
    points = settings["points"]
    if isinstance(points, bool) or not isinstance(points, int | float):
        return f"has {str(points)[:MAX_SHOWN]!r} as its points: use a number"
    if not (math.isfinite(points) and points >= 0):
        return f"has {points:g} points: use 0 or more"
    return ""


def _problem_of_type(cell: NotebookNode) -> str:
    """Return what is wrong with the type of a cell, or ""."""
    settings = _settings(cell)
    if settings.get("task"):
        return "" if cell.cell_type == "markdown" else "is a task, but not a text: make it Markdown"
    if cell.cell_type != "markdown" or settings["grade"] == settings["solution"]:
        return ""
    if settings["grade"]:
        return f"is a test, but contains text: make it a code cell, or {CHOOSE}"
    return f"is a written answer without points: {CHOOSE} as a manually graded answer"


def _problem_of_region(cell: NotebookNode, kind: str) -> str:
    """Return what is wrong with the markers of one kind of region in a cell, or ""."""
    flags, place = REGIONS[kind]
    begin, end = f"BEGIN {kind}", f"END {kind}"
    is_open = found = False
    for line in cell.source.split("\n"):
        if begin in line:
            if is_open:
                return f"has a second {begin} before {end}: add {end} before it"
            is_open = found = True
        elif end in line:
            if not is_open:
                return f"has {end} without {begin} above it: add {begin}, or remove {end}"
            is_open = False
    if is_open:
        return f"has {begin} without {end} below it: add {end}"
    if found and flags and not any(_settings(cell).get(flag) for flag in flags):
        return f"has {begin}, but is not {place}: move the lines to such a cell, or {CHOOSE}"
    return ""
