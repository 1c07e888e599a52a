"""CSV files that spreadsheets may open: nothing in them is a formula, and none is half-written."""

import csv
import io
import re
import unicodedata

from course.errors import CourseError
from course.files import write_atomically

BYTE_ORDER_MARK = "\ufeff"
# Numbers, and the dash that Moodle writes for nothing: no formula, though they may begin like one.
_PLAIN = re.compile(r"[+-]?\d+([.,]\d+)?|-")
# An e-mail address, a login, a number: it calls no function and starts no program.
_IDENTIFIER = re.compile(r"[\w.@+-]+")


def harmless(text):
    """Return a text that no spreadsheet takes for a formula: an apostrophe stands before such."""
    first = unicodedata.normalize("NFKC", text.lstrip()[:1])
    if first and first in "=+-@" and not _PLAIN.fullmatch(text):
        return f"'{text}"
    return text


def identifier(text):
    """Return a text by which a platform knows a person: as it is wherever that does no harm.

    `+ada@example.org` stays, or its platform would not find her; `=HYPERLINK(...)` does not.
    """
    return text if _IDENTIFIER.fullmatch(text) else harmless(text)


def number(value):
    """Return points as text, with a dot and four decimals at most."""
    return f"{value:.4f}".rstrip("0").rstrip(".")


def write(path, rows, byte_order_mark=False, force=False):
    """Write rows of text as CSV in UTF-8, the whole file or nothing.

    Parameters
    ----------
    path : Path
    rows : iterable of list of str
    byte_order_mark : bool
    force : bool
        Replace a file that is there.

    Raises
    ------
    CourseError
        If the file is there already, or cannot be written.
    """
    if path.exists() and not (force and path.is_file()):
        how = "add --force to replace it" if path.is_file() else "name a file"
        raise CourseError(f"{path} is there already: {how}.")
    if not path.parent.is_dir():  # a folder with a slip in its name is not made
        raise CourseError(f"{path} cannot be written (no such folder): name another file.")
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    try:
        write_atomically(path, BYTE_ORDER_MARK * byte_order_mark + text.getvalue())
    except OSError as error:
        raise CourseError(
            f"{path} cannot be written ({error.strerror}): name another file."
        ) from None
