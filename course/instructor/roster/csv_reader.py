"""Reading the CSV files that learning platforms and spreadsheets write."""

import contextlib
import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING

from course.errors import CourseError
from course.instructor.roster import php_csv

if TYPE_CHECKING:
    import _csv

SEPARATORS = ",;\t"
MAX_FIELD = 16 * 2**20  # characters; Moodle's worksheets contain what students typed


def read_table(path: Path) -> list[tuple[int, list[str]]]:
    """Return the non-empty rows of a CSV file, each with the number of the line on which it ends.

    The encoding is UTF-8 with or without a byte-order mark, or UTF-16 with one. The separator is
    a comma, semicolon, or tab, whichever splits the header into the most columns.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CourseError(
            f"Cannot read {path} ({error.strerror}): check the path and the file's permissions."
        ) from None
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    csv.field_size_limit(MAX_FIELD)
    try:
        text = content.decode(encoding)
        return _read_rows(text)
    except (UnicodeDecodeError, csv.Error) as error:
        reason = "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
        raise CourseError(
            f"{path} is not a valid CSV file ({reason}): export it again, as CSV in UTF-8."
        ) from None


def _read_rows(text: str) -> list[tuple[int, list[str]]]:
    """Return the non-empty rows of a text, each with the number of the line on which it ends."""
    separator = max(SEPARATORS, key=lambda each: _count_columns(text, each))
    if '\\"' in text:
        rows = php_csv.read_rows(text, separator)
    else:
        reader = _make_reader(text, separator)
        rows = ((reader.line_num, row) for row in reader)
    return [(line, row) for line, row in rows if any(cell.strip() for cell in row)]


def _make_reader(text: str, separator: str) -> "_csv.Reader":
    """Return a strict CSV reader for a text."""
    return csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)


def _count_columns(text: str, separator: str) -> int:
    """Return the number of columns in the first row, or 0 if it cannot be parsed."""
    with contextlib.suppress(csv.Error):
        return len(next(_make_reader(text, separator), ()))
    return 0
