"""Submission times, as text in the `timestamp.txt` of a submission."""

import codecs
import re
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

TIMESTAMP = "timestamp.txt"  # the file that nbgrader's exchange writes beside a submission
MAX_BYTES = 200  # of a timestamp.txt; a time has about 30
TIME = re.compile(
    r"(?P<time>\d{4}-\d\d-\d\d[ T]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?)"
    r" ?(?P<zone>Z|[+-]\d\d:?\d\d|[A-Za-z][A-Za-z0-9_+/-]{1,39})?"
)
UTC_NAMES = {"", "Z", "UTC", "GMT"}
YEARS = range(1970, 2101)  # programs that read the time fail for the first and last years
HINT = "write it as 2026-03-01 18:00:00 UTC"


def read(folder: Path) -> datetime | None:
    """Return the time in a submission's `timestamp.txt`, or None if there is no valid one."""
    try:
        return _read(folder)
    except ValueError:
        return None


def problem(folder: Path) -> str:
    """Return why the time in a submission's `timestamp.txt` is ignored, or "" if it is not."""
    try:
        _read(folder)
    except ValueError as error:
        return f"{TIMESTAMP} is ignored, so the submission counts as on time: {error}"
    return ""


def decode(content: bytes) -> str:
    """Return the text of a `timestamp.txt`, without the byte-order mark that Windows adds."""
    encoding = "utf-8-sig"
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16"
    return content[:MAX_BYTES].decode(encoding, errors="replace").strip()


def parse(text: str) -> datetime:
    """Return a time as nbgrader stores it: in UTC, as a datetime without a time zone.

    A time without a time zone is in UTC. Raises ValueError, whose message says what to do, if the
    text is not a date and a time with an optional time zone that Python knows: nbgrader would
    ignore the zone in "18:30 MEZ" and interpret "01.03.2026" as January 3.
    """
    match = TIME.fullmatch(text.strip())
    if not match:
        raise ValueError(f"{_shown(text)} is not a time that can be read: {HINT}")
    zone = match["zone"] or ""
    try:
        moment = datetime.fromisoformat(match["time"])
        if zone not in UTC_NAMES:
            if zone[0] in "+-":
                moment = datetime.fromisoformat(match["time"] + zone)
            else:
                moment = moment.replace(tzinfo=ZoneInfo(zone))
            moment = moment.astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError, KeyError, OSError):
        what = "its time zone is unknown" if zone not in UTC_NAMES else "there is no such time"
        raise ValueError(f"{_shown(text)} cannot be read ({what}): {HINT}") from None
    if moment.year not in YEARS:
        raise ValueError(
            f"{_shown(text)} is not between the years {YEARS[0]} and {YEARS[-1]}: {HINT}"
        )
    return moment


def parse_local(text: str, time_zone: str) -> datetime:
    """Return a time as UTC, like `parse`; without a time zone of its own, it is in `time_zone`."""
    match = TIME.fullmatch(text)
    return parse(text if not match or match["zone"] else f"{text} {time_zone}")


def format_time(moment: datetime) -> str:
    """Return a time that `parse` returned as nbgrader's exchange writes it."""
    return f"{moment.isoformat(sep=' ', timespec='microseconds')} UTC"


def _read(folder: Path) -> datetime | None:
    """Return a submission's time, or None if there is no file; raise ValueError if it is invalid.

    nbgrader's own parser ignores an unknown time zone, and guesses the missing parts of a time.
    """
    path = folder / TIMESTAMP
    try:
        if path.is_symlink() or not path.is_file():
            return None
        with path.open("rb") as file:
            return parse(decode(file.read(MAX_BYTES)))
    except OSError as error:
        raise ValueError(f"the file cannot be read ({error.strerror})") from None


def _shown(text: str) -> str:
    """Return the first 60 characters of a string, quoted for a message."""
    return repr("".join(char if char.isprintable() else "?" for char in text[:60]))
