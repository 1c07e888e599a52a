"""Reading the CSV files that learning platforms and spreadsheets write."""

import codecs
import contextlib
import csv
import io
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from course.errors import CourseError
from course.instructor.csv_files import php_csv

if TYPE_CHECKING:
    import _csv

SEPARATORS = ",;\t"
MAX_FIELD = 16 * 2**20  # characters; Moodle's worksheets contain what students typed


def read_table(path: Path) -> list[tuple[int, list[str]]]:
    """Return the non-empty rows of a CSV file, each with the number of the line on which it ends.

    The encoding is UTF-8 with or without a byte-order mark, or UTF-16 with one. The separator is
    a comma, semicolon, or tab, whichever splits the header into the most columns. Raises
    CourseError if the file cannot be read.
    """
    return read_text_and_table(path)[2]


def read_text_and_table(path: Path) -> tuple[str, str, list[tuple[int, list[str]]]]:
    """Return the text of a CSV file, its encoding, and what `read_table` returns."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CourseError(
            f"Cannot read {path} ({error.strerror}): check the path and the file's permissions."
        ) from None
    encoding = "utf-8-sig" if content.startswith(codecs.BOM_UTF8) else "utf-8"
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16"
    csv.field_size_limit(MAX_FIELD)
    try:
        text = content.decode(encoding)
        return text, encoding, _read_rows(text)
    except (UnicodeDecodeError, csv.Error) as error:
        reason = "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
        raise CourseError(
            f"{path} is not a valid CSV file ({reason}): export it again, as CSV in UTF-8."
        ) from None


def find_separator(text: str) -> str:
    """Return the separator that splits the header of a CSV file into the most columns."""
    return max(SEPARATORS, key=lambda each: _count_columns(text, each))


def read_named_columns(
    path: Path, columns: Sequence[str], required: Collection[str]
) -> list[tuple[int, dict[str, str]]]:
    """Return the rows after the header as dicts by column name, each with its line number.

    The columns may be in any order; the cells of an optional column that is missing are empty.
    Raises CourseError if a required column is missing or a column is unknown.
    """
    table = read_table(path)
    header = [cell.strip().lower() for cell in table[0][1]] if table else []
    if not set(required) <= set(header) <= set(columns):
        found = f"has the columns {', '.join(header)}" if header else "is empty"
        raise CourseError(f"{path} {found}: write {','.join(columns)} in its first line.")
    empty = dict.fromkeys(columns, "")
    return [
        (line, empty | dict(zip(header, (cell.strip() for cell in row), strict=False)))
        for line, row in table[1:]
    ]


def _read_rows(text: str) -> list[tuple[int, list[str]]]:
    """Return the non-empty rows of CSV text, each with the number of the line on which it ends."""
    separator = find_separator(text)
    if '\\"' in text:
        rows = php_csv.read_rows(text, separator)
    else:
        reader = _make_reader(text, separator)
        rows = ((reader.line_num, row) for row in reader)
    return [(line, row) for line, row in rows if any(cell.strip() for cell in row)]


def _make_reader(text: str, separator: str) -> "_csv.Reader":
    """Return a strict reader for CSV text."""
    return csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)


def _count_columns(text: str, separator: str) -> int:
    """Return the number of columns in the first row, or 0 if it cannot be parsed."""
    with contextlib.suppress(csv.Error):
        return len(next(_make_reader(text, separator), ()))
    return 0
