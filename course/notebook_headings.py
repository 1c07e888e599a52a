"""The section headings of a notebook's cells."""

import re

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


def is_answer(cell: dict) -> bool:
    """Return True if nbgrader's metadata marks the cell as one that the student writes."""
    # A student's notebook can hold anything in its metadata.
    metadata = cell.get("metadata")
    nbgrader = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    return isinstance(nbgrader, dict) and nbgrader.get("solution") is True


def _headings_in(text: str) -> list[str]:
    """Return the headings in a Markdown text."""
    found, in_code_block = [], False
    for line in text.splitlines():
        if _FENCE.match(line):
            in_code_block = not in_code_block
        elif not in_code_block and not _MARKER.match(line) and (match := _HEADING.match(line)):
            found.append((match[1] or "")[:MAX_HEADING].rstrip("# \t\xa0"))
    return found
