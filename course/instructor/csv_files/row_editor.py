"""Changing and removing rows of a hand-edited CSV file without changing its other rows."""

import csv
import io
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from course.files import write_atomically
from course.instructor.csv_files.csv_reader import find_separator, read_text_and_table

# A line and its line ending, as Python's csv module recognizes them.
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n|\Z)")


def edit_rows(path: Path, edit: Callable[[list[str]], Sequence[str] | None]) -> int:
    """Replace each row after the header with what `edit` returns, or remove it if that is None.

    Returns the number of changed and removed rows. The file keeps its encoding and separator, and
    is written only if a row changes. Raises CourseError if it is not a valid CSV file.
    """
    text, encoding, table = read_text_and_table(path)
    if len(table) < 2:
        return 0
    lines = _LINE.findall(text)
    separator = find_separator(text)
    end = table[0][0]
    kept, changed = lines[:end], 0
    for line, row in table[1:]:
        start, end = end, line
        new = edit(list(row))
        if new is not None and list(new) == row:
            kept += lines[start:end]
            continue
        changed += 1
        if new is not None:
            last = lines[end - 1]
            kept.append(_format(new, separator) + last[len(last.rstrip("\r\n")) :])
    if changed:
        write_atomically(path, "".join(kept + lines[end:]).encode(encoding))
    return changed


def _format(row: Sequence[str], separator: str) -> str:
    """Return a row as a line of a CSV file, without the line ending."""
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=separator, lineterminator="").writerow(row)
    return text.getvalue()
