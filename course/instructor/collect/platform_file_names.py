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
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import UTC

from course.instructor import submission_time

# The possessive quantifiers and the limits keep matching fast, whatever a student's file is called.
CANVAS = re.compile(
    r"\A(?:(?P<name>(?!LATE_).+?)_)?(?:LATE_)?(?P<user>\d{1,18}+|anon_[^\W_]{1,40}+)"
    r"_(?P<file>\d{1,18}+)_(?P<rest>.+)",
    re.S,
)
MOODLE = re.compile(
    r"\A(?P<name>.+?)_(?P<number>\d{1,18}+)_assignsubmission_(?P<kind>file|onlinetext)"
    r"(?:_(?P<rest>.*))?",
    re.S,
)
EXCHANGE = re.compile(
    r"\A(?P<student>[^+]++)\+(?P<assignment>[^+]++)\+"
    r"(?P<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,6})? [A-Za-z0-9_/-]{1,40})(?:\+.*)?",
    re.S,
)
TIMESTAMP = "timestamp.txt"  # the file that nbgrader's exchange writes beside a submission
COPY_WORDS = ("copy of", "kopie von", "copie de", "copia de", "cópia de", "kopia")
COPY_PREFIX = re.compile(rf"(?:{'|'.join(COPY_WORDS)})\s+", re.I)
COPY_SUFFIX = re.compile(r"(?:[ _]-[ _]copy|-copy\d{0,6}|[ _]copy(?: \d{1,6})?)$", re.I)
COPY_NUMBER = re.compile(r"(?:[ _]?\((\d{1,6})\)|-(\d{1,2}))$")


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
    position: int = 0  # of the part of the path that the platform generated
    is_doubtful: bool = False  # if only some paths look like a platform's, deep in other folders

    @property
    def submitter(self) -> tuple[str, ...]:
        """Return what identifies the student on the platform, or () without a platform."""
        if not self.platform:
            return ()
        return self.platform, self.name, self.user_id, self.student


class PathParser:
    """A parser for the paths of one collection, which knows what all of them have in common."""

    def __init__(self, paths: Iterable[tuple[str, ...]], assignments: Collection[str]) -> None:
        """Compare the paths of all notebooks and archives; `assignments` are names of folders."""
        self.assignments = assignments
        paths = list(paths)
        self.level = _common_folders(paths)  # the position at which the uploads differ
        platforms = {parse_path(parts, assignments).platform for parts in paths}
        self.is_mixed = len(platforms) > 1

    def parse(self, outer: tuple[str, ...], file_name: str) -> Origin:
        """Return the origin of a file from the path of its upload and the file's own name.

        In a folder that a student filled, a path can be made to look like a platform's.
        """
        origin = parse_path(outer, self.assignments)
        if file_name != outer[-1]:
            origin = replace(origin, file_name=file_name)
        is_doubtful = bool(origin.platform and self.is_mixed and origin.position > self.level)
        return replace(origin, is_doubtful=is_doubtful)

    def upload(self, outer: tuple[str, ...]) -> tuple[str, ...]:
        """Return a key for the files that one person uploaded, as far as paths show it."""
        return parse_path(outer, self.assignments).submitter or outer[: self.level + 1]


def parse_path(parts: tuple[str, ...], assignments: Collection[str]) -> Origin:
    """Return a file's origin, which has only a file name if no platform generated the path."""
    for position, part in enumerate(parts):
        is_file = position == len(parts) - 1
        if match := EXCHANGE.fullmatch(part):
            return Origin(
                "nbgrader",
                student=match["student"],
                attempt=_seconds(match["time"]),
                timestamp=match["time"],
                file_name=parts[-1],
                position=position,
            )
        if match := MOODLE.fullmatch(part):
            file_name = (match["rest"] if is_file else "") or parts[-1]
            return Origin(
                "Moodle", match["name"], match["number"], file_name=file_name, position=position
            )
        if match := CANVAS.fullmatch(part):
            file_name = match["rest"] if is_file else parts[-1]
            user_id, attempt = match["user"], int(match["file"])
            name = match["name"] or user_id
            return Origin(
                "Canvas", name, user_id, attempt=attempt, file_name=file_name, position=position
            )
        if part in assignments and 0 < position < len(parts) - 1:
            student = parts[position - 1]
            return Origin("nbgrader", student=student, file_name=parts[-1], position=position - 1)
    return Origin(file_name=parts[-1])


def strip_copy_marks(file_name: str) -> tuple[str, int]:
    """Return a file name without its extension and copy marks, and the largest copy number."""
    stem, number = file_name.rpartition(".")[0] or file_name, 0
    while True:
        previous = stem
        stem = COPY_SUFFIX.sub("", _without_prefix(stem)).strip()
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
    if match := re.search(rf"{notebook}\Z", stem, re.I):
        before = stem[: match.start()]
        for words in COPY_WORDS:  # as in "Ada Lovelace - Copy of mnist"
            if before.rstrip().casefold().endswith(words):
                before = before.rstrip()[: -len(words)]
        rest = _strip_separators(before, from_end=True)
        if rest and rest != before:
            return _without_prefix(rest).strip()
    if match := re.match(notebook, stem, re.I):
        after = stem[match.end() :]
        rest = _strip_separators(after, from_end=False)
        if rest and rest != after:
            return _without_prefix(rest).strip()
    return ""


def _common_folders(paths: list[tuple[str, ...]]) -> int:
    """Return the number of folders that all paths have in common."""
    count = 0
    for names in zip(*(path[:-1] for path in paths), strict=False):
        if len(set(names)) > 1:
            break
        count += 1
    return count


def _without_prefix(stem: str) -> str:
    """Return a stem without the words that mark a copy at its beginning."""
    match = COPY_PREFIX.match(stem)
    return stem[match.end() :] if match else stem


def _strip_separators(text: str, from_end: bool) -> str:
    """Return a text without the spaces, hyphens, and underscores at its end or beginning."""
    letters = [n for n, char in enumerate(text) if not (char.isspace() or char in "-_")]
    if not letters:
        return ""
    return text[: letters[-1] + 1] if from_end else text[letters[0] :]


def _seconds(text: str) -> float:
    """Return the time in a path of nbgrader's exchange in seconds since 1970, or 0 if invalid."""
    try:
        return submission_time.parse(text).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return 0
