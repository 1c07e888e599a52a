"""Parsing the paths that platforms generate, to find the student and the attempt of a file.

Canvas      doejohn_LATE_4711_90210_mnist.ipynb, or LATE_anon_x7Gq2_90210_mnist.ipynb, in one folder
Moodle      Ada Lovelace_4711_assignsubmission_file/mnist.ipynb, or _file_mnist.ipynb
nbgrader    ada+02-mnist+2026-03-01 12:00:00.000000 UTC/mnist.ipynb, or ada/02-mnist/mnist.ipynb
Drive       Ada Lovelace - mnist.ipynb, Ada Lovelace/mnist.ipynb, Copy of mnist (1).ipynb

The sources are `lib/content_zipper.rb` of canvas-lms, which reduces a name to lowercase letters,
digits, and `_`; Moodle's `mod/assign/classes/downloader.php`, where older versions end the folder
name with `_`; nbgrader's `exchange/default/submit.py`; and the names of Google Classroom's copies.
"""

import itertools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from course.evidence.format import FOLDER
from course.instructor import submission_time
from course.instructor.collect.archive_reader import is_archive
from course.instructor.collect.released_assignment import ReleasedAssignment
from course.instructor.roster.roster import Roster

# Students choose their display names, and the platforms' numbers follow the display names. If such
# numbers occur twice, a name can therefore be read in several ways, and each match is one of them.
# The limits keep matching fast, whatever a student's file is called.
CANVAS = re.compile(
    r"(?:\A|_)(?=(?P<user>\d{1,18}|anon_[^\W_]{1,40})_(?P<file>\d{1,18})_(?P<rest>.))", re.S
)
MOODLE = re.compile(r"_(?P<number>\d{1,18})_assignsubmission_(?:file|onlinetext)(?=_|\Z)")
EXCHANGE = re.compile(
    r"\A(?P<student>[^+]++)\+(?P<assignment>[^+]++)\+"
    r"(?P<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,6})? [A-Za-z0-9_/-]{1,40})(?:\+.*)?",
    re.S,
)
MAX_READINGS = 10  # of one name
ROSTER_FIELDS = {"Canvas": "canvas_id", "Moodle": "participant_id", "nbgrader": "student"}
COPY_WORDS = ("copy of", "kopie von", "copie de", "copia de", "cópia de", "kopia")
COPY_PREFIX = re.compile(rf"(?:{'|'.join(COPY_WORDS)})\s+", re.I)
COPY_SUFFIX = re.compile(r"(?:[ _]-[ _]copy|-copy\d{0,6}|[ _]copy(?: \d{1,6})?)$", re.I)
COPY_NUMBER = re.compile(r"(?:[ _]?\((\d{1,6})\)|-(\d{1,2}))$")


@dataclass(frozen=True)
class Origin:
    """The origin of a file, as shown by its path."""

    platform: str = ""  # "Canvas", "Moodle", "nbgrader" or ""
    name: str = ""  # the student's name, as the platform writes it
    user_id: str = ""  # the Canvas user id (or anonymous id) or the Moodle participant id
    student: str = ""  # the student id, if nbgrader made the path
    attempt: float = 0  # increases with each attempt, or is 0 if the path does not show it
    submitted: datetime | None = None  # the time in nbgrader's path: UTC without a time zone
    is_late: bool = False  # Canvas marked the submission as late
    file_name: str = ""  # as the student named the file
    position: int = 0  # of the part of the path that the platform generated
    # Why the path does not show who submitted the file, although a part of it looks like a
    # platform's; the fields about the platform and the student are then empty.
    problem: str = ""

    @property
    def submitter(self) -> tuple[str, ...]:
        """Return what identifies the student on the platform, or () without a platform."""
        if not self.platform:
            return ()
        return self.platform, self.name, self.user_id, self.student


class PathParser:
    """A parser for the paths of one collection, which knows what all of them have in common.

    A part of a path counts as a platform's only where it cannot be a student's: at a position that
    is the same in all uploads, or at or above the position at which the uploads differ.
    """

    def __init__(
        self,
        paths: Iterable[tuple[str, ...]],
        releases: Iterable[ReleasedAssignment],
        roster: Roster | None = None,
    ) -> None:
        """Compare the paths of all notebooks and archives."""
        self.roster = roster
        releases = list(releases)
        self.assignments = {release.name for release in releases}
        self.file_names = {f"{FOLDER}.zip", *(release.file_name for release in releases)}
        self.uploads = paths = list(paths)
        # The position at which the uploads differ, apart from folders of assignments.
        self.level = _common_folders(paths, self.assignments)
        self.folder_position = self._find_folder_position(paths)
        found = [self._find_readings(parts) for parts in paths]
        positions = {readings[0].position if readings else None for readings in found}
        self.position = positions.pop() if len(positions) == 1 else None

    def parse(self, outer: tuple[str, ...], file_name: str) -> Origin:
        """Return the origin of a file from the path of its upload and the file's own name."""
        origin = self._choose(self._find_readings(outer)) or Origin(file_name=outer[-1])
        return origin if file_name == outer[-1] else replace(origin, file_name=file_name)

    def upload(self, outer: tuple[str, ...]) -> tuple[str, ...]:
        """Return a key that is the same for files that, by their paths, one person uploaded.

        A student's file name can add readings to the platform's own, which is the first one. Files
        that share an uncertain first reading share a key, which no certain upload has.
        """
        readings = self._find_readings(outer)
        chosen = self._choose(readings)
        if chosen and chosen.submitter:
            return chosen.submitter
        is_uncertain = len(readings) > 1 and readings[0].position <= self.level
        return ("uncertain", *readings[0].submitter) if is_uncertain else outer[: self.level + 1]

    def _find_readings(self, parts: tuple[str, ...]) -> list[Origin]:
        """Return the possible origins of a file, or [] if no platform generated the path.

        A name with a platform's numbers takes precedence over a folder in nbgrader's layout. Below
        the position at which the uploads differ, a student chose the names.
        """
        for position in range(len(parts)):
            if readings := find_readings(parts, position):
                return readings
            student = position - 1
            if (
                student < 0
                or parts[position] not in self.assignments
                or parts[position + 1 :] == ()
            ):
                continue
            if student == self.folder_position or student > self.level:
                origin = Origin("nbgrader", student=parts[student], file_name=parts[-1])
                return [replace(origin, position=student)]
        return []

    def _find_folder_position(self, paths: list[tuple[str, ...]]) -> int | None:
        """Return the position of the students' folders in nbgrader's layout, or None.

        The layout is STUDENT/ASSIGNMENT/FILE. Most of the folders at the position at which the
        uploads differ must have it, because one student can imitate it. If only one student
        submitted, the files must have the names of the release: in the folder of a class, files
        have other names.
        """
        has_layout: dict[str, bool] = {}
        for parts in paths:
            name, inner = parts[self.level], parts[self.level + 1 : -1]
            is_layout = bool(inner) and inner[0] in self.assignments
            has_layout[name] = has_layout.get(name, False) or is_layout
        if sum(has_layout.values()) * 2 > len(has_layout):
            return self.level
        position = self.level - 2
        is_single = position >= 0 and all(
            len(parts) == self.level + 1
            and parts[-2] in self.assignments
            and (parts[-1] in self.file_names or (len(paths) == 1 and is_archive(parts[-1])))
            for parts in paths
        )
        return position if is_single else None

    def _choose(self, readings: list[Origin]) -> Origin | None:
        """Return the only possible reading of a path, or an origin with a problem."""
        if not readings:
            return None
        first = readings[0]
        if first.position > self.level and first.position != self.position:
            problem = (
                f"the path looks like {first.platform}'s, but the paths of other files do not, or"
                " not at the same position"
            )
        elif first.problem:
            problem = "the time in the folder's name is invalid"
        elif len(readings) == 1:
            return first
        elif confirmed := self._confirmed(readings):
            return confirmed
        else:
            names = [f"{each.student or each.name!r}" for each in readings[:2]]
            shown = " or ".join(name[:60] for name in names)
            problem = (
                f"the name can be read in several ways, as that of {shown}, and the roster does not"
                " confirm exactly one by name and ID"
            )
        return Origin(file_name=first.file_name, position=first.position, problem=problem)

    def _confirmed(self, readings: list[Origin]) -> Origin | None:
        """Return the only reading whose ID is in the roster, if the name is the same person's."""
        if not self.roster or len(readings) > MAX_READINGS:
            return None
        known = [
            (each, person)
            for each in readings
            for person in self.roster.find(
                ROSTER_FIELDS[each.platform], each.user_id or each.student
            )
        ]
        if len(known) != 1:
            return None
        origin, person = known[0]
        return origin if person in self.roster.find_by_name(origin.name) else None


def find_readings(parts: tuple[str, ...], position: int) -> list[Origin]:
    """Return the possible origins of a file from one part of its path, at most MAX_READINGS + 1.

    The list is empty if the part does not look like a platform's.
    """
    is_file = position == len(parts) - 1
    return [
        replace(
            found,
            file_name=found.file_name if is_file and found.file_name else parts[-1],
            position=position,
        )
        for found in itertools.islice(_read_name(parts[position]), MAX_READINGS + 1)
    ]


def _read_name(part: str) -> Iterator[Origin]:
    """Yield the readings of a folder's or file's name, with the rest of it as the file name."""
    if match := EXCHANGE.fullmatch(part):
        try:
            moment = submission_time.parse(match["time"])
        except ValueError as error:
            yield Origin("nbgrader", student=match["student"], problem=str(error))
        else:
            yield Origin(
                "nbgrader",
                student=match["student"],
                attempt=moment.replace(tzinfo=UTC).timestamp(),
                submitted=moment,
            )
    for match in MOODLE.finditer(part):
        if name := part[: match.start()]:
            yield Origin("Moodle", name, match["number"], file_name=part[match.end() + 1 :])
    for match in CANVAS.finditer(part):
        user = match["user"]
        marked = f"_{part[: match.start()]}"
        name = marked.removesuffix("_LATE")[1:]
        yield Origin(
            "Canvas",
            name or user,
            user,
            attempt=int(match["file"]),
            # Canvas writes names in lowercase letters, so LATE is not part of a name.
            is_late=marked.endswith("_LATE"),
            file_name=part[match.start("rest") :],
        )


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


def _common_folders(paths: list[tuple[str, ...]], assignments: set[str]) -> int:
    """Return how many leading folders are the same in all paths or are always assignments."""
    count = 0
    for names in zip(*(path[:-1] for path in paths), strict=False):
        if len(set(names)) > 1 and not assignments.issuperset(names):
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
