"""The class roster: its students, and the names and IDs that platforms use for them.

A roster is a CSV file in the course's own format, or an unchanged export of a platform:

own        student, name, and optionally email, login, canvas, sis, section, group
Canvas     Student (or LastName, FirstName), ID, SIS User ID, SIS Login ID, Section, assignments
Moodle     First name, Last name (or Surname), ID number, Email address, Username, grade items
worksheet  Identifier ("Participant 4711"), Full name, Email address, ... (for one assignment)

Sources: lib/gradebook_exporter.rb in Canvas; grade/export/txt/grade_export_txt.php and, for an
assignment's grading worksheet, mod/assign/gradingtable.php in Moodle.

A student's id is the value in the column `student` (in an export of Canvas, `student_id`). Without
one, the id is derived from the first of these that is present: login, the part of the email address
before the @, ID number, name, Canvas's ID, and participant number.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from course.errors import CourseError
from course.instructor.csv_files.csv_reader import read_table

ROSTER_FILE_NAME = "roster.csv"  # the default, in the course directory
MAX_STUDENT_ID = 60  # characters
MAX_STUDENT_ID_BYTES = 200  # leaves room for the prefixes and suffixes of temporary files
POINTS_POSSIBLE = "Points Possible"
TEST_STUDENT = "Student, Test"  # the account that Canvas uses for an instructor's student view
# A student's id is derived from the first of these fields whose value has a letter or digit.
ID_FIELDS = ("student", "login", "email", "sis_id", "name", "canvas_id", "participant_id")
# Maps a column's header, in lower case, to a field of `Person`.
FIELDS = {
    "student_id": "student", "id": "canvas_id", "sis user id": "sis_id", "sis login id": "login",
    "name": "name", "full name": "name", "first name": "first_name", "last name": "last_name",
    "firstname": "first_name", "lastname": "last_name", "first_name": "first_name",
    "last_name": "last_name", "surname": "last_name", "email": "email", "e-mail": "email",
    "email address": "email", "username": "login", "login": "login", "id number": "sis_id",
    "sis": "sis_id", "canvas": "canvas_id", "section": "section", "group": "group",
    "identifier": "participant_id", "moodle": "participant_id",
}  # fmt: skip


@dataclass(frozen=True)
class Person:
    """A student; a field that the roster does not have is empty."""

    student: str  # the id in the gradebook, and the name of the folder in submitted/
    name: str = ""  # the full name, as written in the file
    first_name: str = ""
    last_name: str = ""
    email: str = ""
    login: str = ""  # Canvas's "SIS Login ID", Moodle's "Username"
    canvas_id: str = ""  # Canvas's own user id, "ID"
    sis_id: str = ""  # Canvas's "SIS User ID", Moodle's "ID number"
    section: str = ""  # in Canvas
    group: str = ""  # the group that submits together: see roster/groups.py
    participant_id: str = ""  # in Moodle's grading worksheet; different for each assignment


@dataclass
class Roster:
    """The students of a class in file order, with the file's header and the students' rows."""

    people: list[Person]
    header: list[str]
    rows: list[list[str]]
    kind: str  # "own", "Canvas", "Moodle", or "worksheet"
    points_possible: list[str]  # Canvas's row with this name, or empty

    def __iter__(self) -> Iterator[Person]:
        return iter(self.people)

    def find(self, field: str, value: str) -> list[Person]:
        """Return the students whose field has this value, ignoring case; "" never matches."""
        wanted = _normalize(value)
        return [
            person
            for person in self.people
            if wanted and _normalize(getattr(person, field)) == wanted
        ]

    def find_by_name(self, text: str) -> list[Person]:
        """Return the students who have this name in any word order, or this login, email, or id.

        Canvas writes "lovelaceada" for "Lovelace, Ada"; Moodle writes "Ada Lovelace".
        """
        return list(self._by_name.get(_letters(text), ()))

    def find_by_display_name(self, text: str) -> list[Person]:
        """Return the students who have this name; a student's identifiers do not count as names.

        Students choose their display names, so a display name could be another student's login.
        Only a student without a name in the roster is found by login, email, or id.
        """
        letters = _letters(text)
        return [
            person
            for person in self._by_name.get(letters, ())
            if letters in _forms_of_name(person) or not _forms_of_name(person)
        ]

    @cached_property
    def _by_name(self) -> dict[str, list[Person]]:
        """The students, by each form of their names and identifiers."""
        found: dict[str, list[Person]] = {}
        for person in self.people:
            for name in _name_variants(person):
                found.setdefault(name, []).append(person)
        return found


def read_course_roster(root: Path) -> Roster | None:
    """Return the roster in a course directory, or None if there is none."""
    path = Path(root, ROSTER_FILE_NAME)
    return read_roster(path) if path.is_file() else None


def read_roster(path: Path) -> Roster:
    """Read a roster from a CSV file; raise CourseError if it does not identify its students."""
    return make_roster(path, read_table(path))


def make_roster(path: Path, table: list[tuple[int, list[str]]]) -> Roster:
    """Return the roster in `table`, the rows of the file `path` with their line numbers.

    Raises CourseError if the rows do not identify the students.
    """
    if not table:
        raise CourseError(f"The roster {path} is empty: write the column names in its first line.")
    header = [cell.strip() for cell in table[0][1]]
    kind, fields = _read_header(header)
    if not {*ID_FIELDS, "last_name"} & set(fields.values()):
        raise CourseError(
            f"The roster {path} has no column that identifies students: write student,name in its"
            " first line."
        )
    people: list[Person] = []
    rows: list[list[str]] = []
    lines: dict[str, int] = {}
    points_possible: list[str] = []
    for line, row in table[1:]:
        row += [""] * (len(header) - len(row))
        values = {field: row[at].strip() for at, field in fields.items()}
        # A student can have this name, but then the row has an ID.
        if kind == "Canvas" and row[0].strip() == POINTS_POSSIBLE and not values.get("canvas_id"):
            points_possible = row
            continue
        person = _make_person(values, kind)
        if person is None:
            if kind == "Canvas":
                continue
            raise CourseError(
                f"The roster {path} has no value on line {line} that can serve as a student id: add"
                " a column named student_id with an id for each student."
            )
        key = _normalize(person.student)
        if key in lines:
            raise CourseError(
                f"The roster {path} has {person.student!r} on both line {lines[key]} and line"
                f" {line}: give each student a unique id in a column named student_id."
            )
        lines[key] = line
        people.append(person)
        rows.append(row)
    if not people:
        raise CourseError(f"The roster {path} has no students: write one student per line.")
    return Roster(people, header, rows, kind, points_possible)


def make_student_id(text: str) -> str:
    """Return a student id made from any text, with lowercase letters, digits, and hyphens.

    Letters and digits of any script are allowed. The id has at most `MAX_STUDENT_ID` characters
    and is empty if the text has no letters or digits.
    """
    text = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())
    text = "".join(char if _is_letter(char) else "-" for char in text)
    text = re.sub("-+", "-", text).strip("-")[:MAX_STUDENT_ID]
    # File systems limit the number of bytes, of which a letter has up to four.
    return text.encode()[:MAX_STUDENT_ID_BYTES].decode(errors="ignore").strip("-")


def is_valid_student_id(text: str) -> bool:
    """Return True if a text can be used, unchanged, as a student id and a folder name.

    Characters with a meaning in glob patterns or URLs are not allowed, because nbgrader uses ids
    in both.
    """
    return (
        0 < len(text) <= 100
        and text.isprintable()
        and len(text.encode()) <= MAX_STUDENT_ID_BYTES
        and text == text.strip()
        and not text.startswith((".", "-"))
        and not set(text) & set('/\\:*?"<>|+[]{}%#')
    )


def student_column(header: Sequence[str]) -> int | None:
    """Return the index of the column with student ids in a table's header, or None."""
    _, fields = _read_header([cell.strip() for cell in header])
    return next((at for at, field in fields.items() if field == "student"), None)


def is_same_id(one: str, other: str) -> bool:
    """Return True if two ids differ at most in what people and file systems may ignore.

    These differences are those of case, whitespace, and Unicode form.
    """
    return _normalize(one) == _normalize(other)


def _read_header(header: list[str]) -> tuple[str, dict[int, str]]:
    """Return the kind of roster with this header, and the field of each used column, by index."""
    lower = [cell.lower() for cell in header]
    if {"id", "section"} <= set(lower) and {"student", "lastname"} & set(lower):
        kind = "Canvas"
    elif "identifier" in lower:
        kind = "worksheet"
    elif {"first name", "username"} & set(lower):
        kind = "Moodle"
    else:
        kind = "own"
    fields: dict[int, str] = {}
    for at, cell in enumerate(lower):
        field = FIELDS.get(cell)
        if cell == "student":
            field = "name" if kind == "Canvas" else "student"
        elif cell == "id" and kind == "own":
            field = "student"  # as in the file that `nbgrader db student import` reads
        if field and field not in fields.values():
            fields[at] = field
    return kind, fields


def _make_person(values: dict[str, str], kind: str) -> Person | None:
    """Return the student described by a row's values, or None if no student or id is in them."""
    name = values.get("name", "")
    if kind == "Canvas" and not values["canvas_id"]:
        return None  # rows such as "Points Possible" and "Manual Posting"
    if "participant_id" in values:
        number = values["participant_id"]
        values["participant_id"] = number[len(number.rstrip("0123456789")) :]
    if "," in name and not values.get("last_name"):
        last, _, first = (part.strip() for part in name.partition(","))
        values |= {"last_name": last, "first_name": first}
    if not name:
        values["name"] = f"{values.get('first_name', '')} {values.get('last_name', '')}".strip()
    sortable_name = f"{values.get('last_name')}, {values.get('first_name')}"
    if kind == "Canvas" and sortable_name == TEST_STUDENT:
        return None
    for field in ID_FIELDS:
        value = values.get(field, "")
        # The part before the @ is enough to distinguish students, and makes a shorter folder name.
        student = make_student_id(value.partition("@")[0])
        if student:
            is_given = field == "student" and is_valid_student_id(value)
            return Person(**(values | {"student": value if is_given else student}))
    return None


def _name_variants(person: Person) -> set[str]:
    """Return the forms of a person's name, and the identifiers, as letters and digits only."""
    others = person.student, person.login, person.email, person.email.partition("@")[0]
    return (_forms_of_name(person) | {_letters(each) for each in others}) - {""}


def _forms_of_name(person: Person) -> set[str]:
    """Return a person's name in each possible word order, as letters and digits only."""
    words = _normalize(person.name).replace(",", " ").split()
    orders = words, words[::-1], words[1:] + words[:1], words[-1:] + words[:-1]
    names = {person.first_name + person.last_name, person.last_name + person.first_name}
    return {_letters(name) for name in [*map("".join, orders), *names]} - {""}


def _normalize(text: str) -> str:
    """Return a text with case, Unicode compatibility forms, and whitespace normalized."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _letters(text: str) -> str:
    """Return the letters and digits of a normalized text."""
    return "".join(char for char in _normalize(text) if _is_letter(char))


def _is_letter(char: str) -> bool:
    """Return True for a letter, a digit, or a combining mark, which belongs to a letter."""
    return char.isalnum() or unicodedata.category(char).startswith("M")
