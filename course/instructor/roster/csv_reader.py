"""CSV files as platforms and spreadsheets write them."""

import contextlib
import csv
import io

from course.errors import CourseError

SEPARATORS = ",;\t"


def read_table(path):
    """Return the lines of a CSV file that hold anything.

    UTF-8 with or without a byte-order mark, or UTF-16 with one; separated by commas, semicolons or
    tabs, whichever makes the most columns of the headings.

    Parameters
    ----------
    path : Path

    Returns
    -------
    list of tuple of (int, list of str)
        The number of the line at which a row ends, and its cells.

    Raises
    ------
    CourseError
        If there is no such file, or it is no CSV file.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CourseError(
            f"{path} cannot be read ({error.strerror}): see that it is there and may be read."
        ) from None
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = content.decode(encoding)
        reader = _reader(text, max(SEPARATORS, key=lambda each: _columns(text, each)))
        return [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except (UnicodeDecodeError, csv.Error) as error:
        reason = "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
        raise CourseError(
            f"{path} is no CSV file ({reason}): export it again, as CSV in UTF-8."
        ) from None


def _reader(text, separator):
    return csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)


def _columns(text, separator):
    with contextlib.suppress(csv.Error):
        return len(next(_reader(text, separator), ()))
    return 0
