"""Writing CSV files that are safe to open in a spreadsheet, because no cell is a formula."""

import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path

from course.errors import CourseError
from course.files import write_atomically

BYTE_ORDER_MARK = "\ufeff"
# Numbers, and Moodle's dash for an empty grade, are not formulas despite their first character.
_NUMBER = re.compile(r"[+-]?\d+([.,]\d+)?|-")
# Where a spreadsheet may split a cell, whatever separator the file uses: Excel uses the separator
# of the system's region, and LibreOffice the ones that were used last.
_SEPARATORS = re.compile(r"([;,\t\r\n])")
# An email address, a login, or a number cannot call a function or start a program.
_IDENTIFIER = re.compile(r"[\w.@+-]+")


def escape_formula(text: str) -> str:
    """Return text with an apostrophe before each part that a spreadsheet may run as a formula.

    The parts are the pieces into which separators could split the text.
    """
    if _NUMBER.fullmatch(text):  # possibly with a decimal comma
        return text
    return "".join(map(_escape_start, _SEPARATORS.split(text)))


def escape_comment(text: str) -> str:
    """Return an instructor's text with an apostrophe before it if it starts like a formula."""
    return _escape_start(text)


def escape_identifier(text: str) -> str:
    """Return a platform's identifier for a person, escaped only if it could do harm.

    `+ada@example.org` is unchanged, so that a platform recognizes it; `=HYPERLINK(...)` is escaped.
    """
    return text if _IDENTIFIER.fullmatch(text) else escape_formula(text)


def _escape_start(text: str) -> str:
    """Return text, preceded by an apostrophe if it starts like a formula, possibly quoted."""
    first = unicodedata.normalize("NFKC", text.lstrip().lstrip('" \t')[:1])[:1]
    is_formula = first and first in "=+-@" and not _NUMBER.fullmatch(text.strip())
    return f"'{text}" if is_formula else text


def format_points(value: float | None) -> str:
    """Return points as text with at most four decimals, or "" for None."""
    return "" if value is None else f"{value:.4f}".rstrip("0").rstrip(".")


def format_table(rows: Iterable[Sequence[str]]) -> str:
    """Return rows of text as the content of a CSV file."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def write_table(
    path: Path, rows: Iterable[Sequence[str]], byte_order_mark: bool = False, force: bool = False
) -> None:
    """Atomically write rows of text as a UTF-8 CSV file; `force` replaces an existing file.

    Raises CourseError if the file exists and `force` is False, or if it cannot be written.
    """
    if path.exists() and not (force and path.is_file()):
        remedy = "add --force to replace it" if path.is_file() else "name a file"
        raise CourseError(f"{path} already exists: {remedy}.")
    if not path.parent.is_dir():  # a mistyped folder is not created
        raise CourseError(f"Cannot write {path} (no such folder): name a different file.")
    try:
        write_atomically(path, BYTE_ORDER_MARK * byte_order_mark + format_table(rows))
    except OSError as error:
        raise CourseError(
            f"Cannot write {path} ({error.strerror}): name a different file."
        ) from None
