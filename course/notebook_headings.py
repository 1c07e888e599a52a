"""The section headings of a notebook's cells."""

import re
from collections.abc import Iterator

MAX_HEADING = 200  # characters; a student can write longer ones
_HEADING = re.compile(r"#{1,6}\s++(\S.*)?")
_MARKER = re.compile(r"### (BEGIN|END) ")  # nbgrader's markers look like headings
_FENCE = re.compile(r"\s*(```|~~~)")


def section_headings(cells):
    """Return the last heading in or above each cell, without the number signs; "" if there is none.

    Cells are dicts in the notebook format; each source is a string or a list of lines. Headings in
    students' answers and lines in code blocks are ignored, and long headings are truncated.
    """
    headings, heading = [], ""
    for cell in cells:
        if cell.get("cell_type") == "markdown" and not is_answer(cell):
            heading = [heading, *_headings_in("".join(cell["source"]))][-1]
        headings.append(heading)
    return headings


def from_last_heading(text: str, pattern: re.Pattern[str]) -> str:
    """Return a Markdown text from its last heading with a pattern, or all of it without one."""
    start, position = 0, 0
    for line, heading in _lines(text):
        if heading and pattern.search(heading[0].rstrip("# \t\xa0")):
            start = position
        position += len(line)
    return text[start:]


def heading_levels(cell: dict) -> list[int]:
    """Return the levels of the headings in a Markdown cell that is not an answer, from 1 to 6."""
    if cell.get("cell_type") != "markdown" or is_answer(cell):
        return []
    text = "".join(cell["source"])
    return [len(found[0].split()[0]) for _, found in _lines(text) if found]


def is_answer(cell: dict) -> bool:
    """Return True if nbgrader's metadata marks the cell as one that the student writes."""
    # A student's notebook can hold anything in its metadata.
    metadata = cell.get("metadata")
    nbgrader = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    return isinstance(nbgrader, dict) and nbgrader.get("solution") is True


def _headings_in(text: str) -> list[str]:
    """Return the headings in a Markdown text."""
    return [
        (heading[1] or "")[:MAX_HEADING].rstrip("# \t\xa0")
        for _, heading in _lines(text)
        if heading
    ]


def _lines(text: str) -> Iterator[tuple[str, re.Match[str] | None]]:
    """Yield the lines of a Markdown text with their ends, each with its heading, if it is one."""
    in_code_block = False
    for whole in text.splitlines(keepends=True):
        line = whole.splitlines()[0]
        is_fence = bool(_FENCE.match(line))
        in_code_block = in_code_block != is_fence
        is_text = not is_fence and not in_code_block and not _MARKER.match(line)
        yield whole, _HEADING.match(line) if is_text else None
