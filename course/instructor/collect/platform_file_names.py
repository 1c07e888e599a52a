"""Parses the paths that platforms generate: who submitted a file, and which attempt it is.

Canvas      doejohn_LATE_4711_90210_mnist.ipynb, or LATE_anon_x7Gq2_90210_mnist.ipynb, in one folder
Moodle      Ada Lovelace_4711_assignsubmission_file/mnist.ipynb, or _file_mnist.ipynb
nbgrader    ada+02-mnist+2026-03-01 12:00:00.000000 UTC/mnist.ipynb, or ada/02-mnist/mnist.ipynb
Drive       Ada Lovelace - mnist.ipynb, Ada Lovelace/mnist.ipynb, Copy of mnist (1).ipynb

Canvas: `lib/content_zipper.rb` of canvas-lms, which reduces a name to letters, digits and `_`, in
lower case. Moodle: `mod/assign/classes/downloader.php`; older versions end the folder with `_`.
nbgrader: `exchange/default/submit.py`. Drive: as Google Classroom names the copies it makes.
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
TIMESTAMP = "timestamp.txt"  # which nbgrader's exchange writes beside a submission
COPY_WORDS = r"(?:copy of|kopie von|copie de|copia de|cópia de|kopia)\s+"
COPY_PREFIX = re.compile(rf"^{COPY_WORDS}", re.I)
COPY_SUFFIX = re.compile(r"([ _]-[ _]copy|-copy\d*|[ _]copy( \d+)?)$", re.I)
COPY_NUMBER = re.compile(r"(?:[ _]?\((\d+)\)|-(\d{1,2}))$")


@dataclass(frozen=True)
class Origin:
    """What a path says about a file."""

    platform: str = ""  # "Canvas", "Moodle", "nbgrader" or ""
    name: str = ""  # the student's, as the platform writes it
    user_id: str = ""  # in Canvas, also of a hidden name; in Moodle the participant's number
    student: str = ""  # the student id, if nbgrader made the path
    attempt: float = 0  # increases with each attempt if the platform numbers or dates them, else 0
    timestamp: str = ""  # the submission time as nbgrader writes it, or ""
    file_name: str = ""  # as the student named the file


def parse_path(parts: tuple[str, ...], assignments: Collection[str]) -> Origin:
    """Return what a path says; only the file name if no platform generated the path."""
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
    """Return a file name without extension and marks of a copy, and the largest copy number."""
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
    """Return what a stem has before or after the notebook's name, such as a student's name.

    The stem is one from `strip_copy_marks`, such as "Ada Lovelace - mnist" or "mnist_ada". The
    result is "" if there is nothing else, or no separator.
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
