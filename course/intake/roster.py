"""The class: who is in it, by which names platforms know them.

A roster is a CSV file of our own, or what a platform exports as it is:

own        student, name, and any of email, login, canvas, sis, section
Canvas     Student, ID, SIS User ID, SIS Login ID, Section, then a column an assignment
Moodle     First name, Last name (or Surname), ID number, Email address, Username
worksheet  Identifier ("Participant 4711"), Full name, Email address, ...: of one assignment

Canvas: "How do I export grades in the Gradebook?" in its instructor guide. Moodle: "Grade export"
and, for the worksheet, "Offline grading" in "Using Assignment" of its documentation.
"""

import csv
import io
import re
import unicodedata
from dataclasses import dataclass

from course.errors import CourseError

MAX_STUDENT = 60  # letters of a folder's name
# Heading of a column, in small letters, to what it says of a person.
COLUMNS = {
    "student_id": "student", "id": "canvas", "sis user id": "sis", "sis login id": "login",
    "name": "name", "full name": "name", "first name": "first_name", "last name": "last_name",
    "surname": "last_name", "email": "email", "email address": "email", "username": "login",
    "login": "login", "id number": "sis", "sis": "sis", "canvas": "canvas", "section": "section",
    "identifier": "moodle", "moodle": "moodle",
}  # fmt: skip


@dataclass(frozen=True)
class Person:
    """A student.

    Attributes
    ----------
    student : str
        Name of the folder in `submitted/`, and the student's id in the gradebook.
    name, first_name, last_name, email : str
    login : str
        Canvas's "SIS Login ID", Moodle's "Username".
    canvas : str
        Canvas's own number of the user, "ID".
    sis : str
        Canvas's "SIS User ID", Moodle's "ID number".
    section : str
        Canvas's.
    moodle : str
        The participant's number in Moodle's grading worksheet, another in each assignment.
    """

    student: str
    name: str = ""
    first_name: str = ""
    last_name: str = ""
    email: str = ""
    login: str = ""
    canvas: str = ""
    sis: str = ""
    section: str = ""
    moodle: str = ""


class Roster:
    """People, in the order of their file.

    Parameters
    ----------
    people : list of Person
    header : list of str
        The file's headings as they stand there.
    rows : list of list of str
        The row of each person.
    kind : str
        "own", "Canvas", "Moodle" or "worksheet".
    """

    def __init__(self, people, header=(), rows=(), kind="own"):
        self.people, self.header, self.rows = list(people), list(header), list(rows)
        self.kind = kind

    def __iter__(self):
        return iter(self.people)

    def __len__(self):
        return len(self.people)

    def by(self, **fields):
        """Return who has these values, compared without capitals; an empty one is nobody's."""
        wanted = {name: _folded(value) for name, value in fields.items()}
        return [
            person
            for person in self.people
            if all(
                value and _folded(getattr(person, name)) == value for name, value in wanted.items()
            )
        ]

    def named(self, text):
        """Return who may be called so: first and last name in any order, login, address, folder.

        Canvas writes "lovelaceada" for "Lovelace, Ada", Moodle "Ada Lovelace".
        """
        wanted = _letters(text)
        return [person for person in self.people if wanted and wanted in _names_of(person)]


def read(path):
    """Return the roster in a CSV file.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Roster

    Raises
    ------
    CourseError
        If the file cannot be read, has no column that tells people apart, or two have one name.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CourseError(f"the roster {path} cannot be read ({error.strerror}).") from None
    rows = _rows(path, content)
    if not rows:
        raise CourseError(f"the roster {path} is empty: its first line names the columns.")
    header = [cell.strip() for cell in rows[0][1]]
    kind, columns = _kind_of(header)
    if not {"student", "login", "email", "sis", "name", "last_name"} & set(columns.values()):
        raise CourseError(
            f"the roster {path} has no column that tells who is in the class: name them"
            " student,name in its first line."
        )
    people, kept, lines = [], [], {}
    for line, row in rows[1:]:
        values = {what: row[at].strip() for at, what in columns.items() if at < len(row)}
        person = _person(values, kind)
        if person is None:
            continue
        if person.student in lines:
            raise CourseError(
                f"the roster {path} has {person.student!r} in the lines {lines[person.student]} and"
                f" {line}: give it a column student with a name of its own for each."
            )
        lines[person.student] = line
        people.append(person)
        kept.append(row)
    if not people:
        raise CourseError(f"the roster {path} has no student in it: write one a line.")
    return Roster(people, header, kept, kind)


def student_id(text):
    """Return a name for a student's folder: letters and digits of any script, the rest dashes."""
    text = unicodedata.normalize("NFC", text).lower()
    kept = "".join(each if _is_letter(each) else "-" for each in text)
    return re.sub("-+", "-", kept)[:MAX_STUDENT].strip("-")


def _rows(path, content):
    """Return the lines of a CSV file that hold anything, each with its number."""
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = content.decode(encoding)
        first = text.partition("\n")[0]
        separator = max(",;\t", key=first.count)
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
        return [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except (UnicodeDecodeError, csv.Error) as error:
        reason = "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
        raise CourseError(
            f"the roster {path} is no CSV file ({reason}): export it again, as CSV in UTF-8."
        ) from None


def _kind_of(header):
    """Return what kind of file has such headings, and place to meaning of those that count."""
    small = [cell.lower() for cell in header]
    if {"student", "id", "section"} <= set(small):
        kind = "Canvas"
    elif "identifier" in small:
        kind = "worksheet"
    elif {"first name", "username"} & set(small):
        kind = "Moodle"
    else:
        kind = "own"
    columns = {}
    for at, cell in enumerate(small):
        what = COLUMNS.get(cell)
        if cell == "student":
            what = "name" if kind == "Canvas" else "student"
        if what and what not in columns.values():
            columns[at] = what
    return kind, columns


def _person(values, kind):
    """Return who a line is about, or None: exports have lines that are about nobody."""
    name = values.get("name", "")
    if kind == "Canvas" and (
        name in ("Points Possible", "Student, Test") or not any(values.values())
    ):
        return None
    if kind == "Canvas" and not values.get("canvas"):
        return None  # "Manual Posting", and others between the headings and the class
    if "moodle" in values:
        values["moodle"] = values["moodle"].rpartition(" ")[2]
    if kind == "Canvas" and "," in name:
        last, _, first = (part.strip() for part in name.partition(","))
        values |= {"last_name": last, "first_name": first}
    if not name:
        values["name"] = f"{values.get('first_name', '')} {values.get('last_name', '')}".strip()
    for what in ("student", "login", "email", "sis", "name"):
        value = values.get(what, "")
        # The part before the @ is unlike everybody else's; whole, an address is no good name.
        candidate = student_id(value.partition("@")[0])
        if candidate:
            own = what == "student" and is_folder_name(value)
            return Person(**(values | {"student": value if own else candidate}))
    return None


def is_folder_name(text):
    """Return whether a name can be that of a student's folder as it stands."""
    return (
        0 < len(text) <= 100
        and text.isprintable()
        and text == text.strip()
        and not text.startswith((".", "-"))
        and not set(text) & set('/\\:*?"<>|+')
    )


def _names_of(person):
    words = _folded(person.name).replace(",", " ").split()
    names = {person.student, person.login, person.email, person.email.partition("@")[0]}
    names |= {"".join(words), "".join(words[::-1]), "".join([*words[1:], *words[:1]])}
    names |= {"".join([*words[-1:], *words[:-1]])}
    names |= {person.first_name + person.last_name, person.last_name + person.first_name}
    return {_letters(each) for each in names} - {""}


def _folded(text):
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _letters(text):
    """Return what is left of a name without capitals, spaces and punctuation."""
    return "".join(each for each in _folded(text) if _is_letter(each))


def _is_letter(each):
    # Marks belong to the letters of many scripts.
    return each.isalnum() or unicodedata.category(each).startswith("M")
