"""The section heading that each cell of a notebook is under."""

import re

_HEADING = re.compile(r"#{1,6}\s+(.*?)[\s#]*$")
_MARKER = re.compile(r"### (BEGIN|END) ")  # nbgrader's markers look like headings
_FENCE = re.compile(r"\s*(```|~~~)")


def section_headings(cells):
    """Return the heading of the section that each cell is in.

    Parameters
    ----------
    cells : list of dict
        A notebook's cells in the notebook format; a source is a string or a list of lines.

    Returns
    -------
    list of str
        One per cell: the last heading in or above it, without the number signs; "" if there is
        none. Headings in a student's answer and lines of code blocks are ignored.
    """
    headings, heading = [], ""
    for cell in cells:
        if cell.get("cell_type") == "markdown" and not _is_answer(cell):
            heading = [heading, *_headings_in("".join(cell["source"]))][-1]
        headings.append(heading)
    return headings


def _is_answer(cell: dict) -> bool:
    """Return True if nbgrader's metadata mark the cell as one that the student writes."""
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
            found.append(match[1])
    return found
