"""Parsing the paths that platforms generate, to find the student and the attempt of a file.

Canvas      doejohn_LATE_4711_90210_mnist.ipynb, or LATE_anon_x7Gq2_90210_mnist.ipynb, in one folder
Moodle      Ada Lovelace_4711_assignsubmission_file/mnist.ipynb, or _file_mnist.ipynb
nbgrader    ada+02-mnist+2026-03-01 12:00:00.000000 UTC/mnist.ipynb, or ada/02-mnist/mnist.ipynb
Drive       Ada Lovelace - mnist.ipynb, Ada Lovelace/mnist.ipynb, Copy of mnist (1).ipynb

The sources are `lib/content_zipper.rb` of canvas-lms, which reduces a name to lowercase letters,
digits, and `_`; Moodle's `mod/assign/classes/downloader.php`, where older versions end the folder
name with `_`; nbgrader's `exchange/default/submit.py`; and the names of Google Classroom's copies.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime

CANVAS = re.compile(
    r"(?:(?P<name>(?!LATE_).+?)_)?(?:LATE_)?(?P<user>\d+|anon_[^\W_]+)_(?P<file>\d+)_(?P<rest>.+)",
    re.S,
)
MOODLE = re.compile(
    r"(?P<name>.+?)_(?P<number>\d+)_assignsubmission_(?P<kind>file|onlinetext)(?:_(?P<rest>.*))?",
    re.S,
)
EXCHANGE = re.compile(
    r"(?P<student>[^+]+)\+(?P<assignment>[^+]+)\+"
    r"(?P<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?) (?P<zone>\w+)(?:\+.*)?",
    re.S,
)
TIMESTAMP = "timestamp.txt"  # the file that nbgrader's exchange writes beside a submission
COPY_WORDS = r"(?:copy of|kopie von|copie de|copia de|cópia de|kopia)\s+"
COPY_PREFIX = re.compile(rf"^{COPY_WORDS}", re.I)
COPY_SUFFIX = re.compile(r"([ _]-[ _]copy|-copy\d*|[ _]copy( \d+)?)$", re.I)
COPY_NUMBER = re.compile(r"(?:[ _]?\((\d+)\)|-(\d{1,2}))$")


@dataclass(frozen=True)
class Origin:
    """The origin of a file, as its path shows it."""

    platform: str = ""  # "Canvas", "Moodle", "nbgrader" or ""
    name: str = ""  # the student's name, as the platform writes it
    user_id: str = ""  # the Canvas user id (also of a hidden name) or the Moodle participant id
    student: str = ""  # the student id, if nbgrader made the path
    attempt: float = 0  # increases with each attempt, or is 0 if the path does not show it
    timestamp: str = ""  # the submission time as nbgrader writes it, or ""
    file_name: str = ""  # as the student named the file


def parse_path(parts: tuple[str, ...], assignments: Collection[str]) -> Origin:
    """Return a file's origin, which has only a file name if no platform generated the path."""
    for position, part in enumerate(parts):
        is_file = position == len(parts) - 1
        if match := EXCHANGE.fullmatch(part):
            return Origin(
                "nbgrader",
                student=match["student"],
                attempt=parse_utc(match["time"]),
                timestamp=f"{match['time']} {match['zone']}",
                file_name=parts[-1],
            )
        if match := MOODLE.fullmatch(part):
            file_name = (match["rest"] if is_file else "") or parts[-1]
            return Origin("Moodle", match["name"], match["number"], file_name=file_name)
        if match := CANVAS.fullmatch(part):
            file_name = match["rest"] if is_file else parts[-1]
            user_id, attempt = match["user"], int(match["file"])
            name = match["name"] or user_id
            return Origin("Canvas", name, user_id, attempt=attempt, file_name=file_name)
        if part in assignments and 0 < position < len(parts) - 1:
            return Origin("nbgrader", student=parts[position - 1], file_name=parts[-1])
    return Origin(file_name=parts[-1])


def strip_copy_marks(file_name: str) -> tuple[str, int]:
    """Return a file name without its extension and copy marks, and the largest copy number."""
    stem, number = file_name.rpartition(".")[0] or file_name, 0
    while True:
        previous = stem
        stem = COPY_SUFFIX.sub("", COPY_PREFIX.sub("", stem)).strip()
        if match := COPY_NUMBER.search(stem):
            number = max(number, int(match[1] or match[2]))
            stem = stem[: match.start()].strip()
        if stem == previous:
            return stem, number


def is_renamed(file_name: str, released_stem: str) -> bool:
    """Return True if a file name differs from the release's by more than a student's name."""
    stem, number = strip_copy_marks(file_name)
    is_copy = number > 0 or stem != file_name.removesuffix(".ipynb")
    return is_copy or (stem != released_stem and not strip_notebook_name(stem, released_stem))


def strip_notebook_name(stem: str, released_stem: str) -> str:
    """Return the text before or after the notebook's name in a stem, such as a student's name.

    The stem comes from `strip_copy_marks`: for example, "Ada Lovelace - mnist" or "mnist_ada". The
    result is "" if the stem has no other text or no separator.
    """
    notebook = re.escape(released_stem)
    separator = r"(?:\s+-\s+|[_\s]+|-)"
    for pattern in (
        rf"(?P<rest>.+?){separator}(?:{COPY_WORDS})?{notebook}",
        rf"{notebook}{separator}(?P<rest>.+)",
    ):
        if match := re.fullmatch(pattern, stem, re.I | re.S):
            return COPY_PREFIX.sub("", match["rest"]).strip()
    return ""


def parse_utc(text: str) -> float:
    """Return a UTC time such as "2026-03-01 12:00:00" in seconds since 1970, or 0 if invalid."""
    time_format = "%Y-%m-%d %H:%M:%S.%f" if "." in text else "%Y-%m-%d %H:%M:%S"
    try:
        return datetime.strptime(text, time_format).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return 0
