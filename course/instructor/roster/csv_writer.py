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
# Numbers, and Moodle's dash for an empty grade, are not formulas, despite the first character.
_NUMBER = re.compile(r"[+-]?\d+([.,]\d+)?|-")
# An email address, a login, or a number cannot call a function or start a program.
_IDENTIFIER = re.compile(r"[\w.@+-]+")


def escape_formula(text: str) -> str:
    """Return a text, preceded by an apostrophe if a spreadsheet would run it as a formula."""
    first = unicodedata.normalize("NFKC", text.lstrip()[:1])
    if first and first in "=+-@" and not _NUMBER.fullmatch(text):
        return f"'{text}"
    return text


def escape_identifier(text: str) -> str:
    """Return a platform's identifier for a person, escaped only if it could do harm.

    `+ada@example.org` is unchanged, so that a platform recognizes it; `=HYPERLINK(...)` is escaped.
    """
    return text if _IDENTIFIER.fullmatch(text) else escape_formula(text)


def format_points(value: float | None) -> str:
    """Return points as text with at most four decimals, or "" for None."""
    return "" if value is None else f"{value:.4f}".rstrip("0").rstrip(".")


def write_table(
    path: Path, rows: Iterable[Sequence[str]], byte_order_mark: bool = False, force: bool = False
) -> None:
    """Atomically write rows of text as a UTF-8 CSV file; `force` replaces an existing file."""
    if path.exists() and not (force and path.is_file()):
        remedy = "add --force to replace it" if path.is_file() else "name a file"
        raise CourseError(f"{path} already exists: {remedy}.")
    if not path.parent.is_dir():  # a mistyped folder is not created
        raise CourseError(f"Cannot write {path} (no such folder): name a different file.")
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    try:
        write_atomically(path, BYTE_ORDER_MARK * byte_order_mark + text.getvalue())
    except OSError as error:
        raise CourseError(
            f"Cannot write {path} ({error.strerror}): name a different file."
        ) from None
