"""The class: who is in it, by which names platforms know them.

A roster is a CSV file of our own, or what a platform exports as it is:

own        student, name, and any of email, login, canvas, sis, section
Canvas     Student (or LastName, FirstName), ID, SIS User ID, SIS Login ID, Section, assignments
Moodle     First name, Last name (or Surname), ID number, Email address, Username, grade items
worksheet  Identifier ("Participant 4711"), Full name, Email address, ...: of one assignment

They are what lib/gradebook_exporter.rb of Canvas writes, grade/export/txt/grade_export_txt.php of
Moodle, and mod/assign/gradingtable.php of Moodle as an assignment's grading worksheet.

A student's id is the column student, if there is one; else it is made of the login name, of the
part of the e-mail address before the @, of the ID number, or of the name: the first that is given.
"""

import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from course.errors import CourseError
from course.instructor.roster.csv_reader import read_table

FILE = "roster.csv"  # in the course directory, where no other is named
MAX_STUDENT = 60  # letters of a folder's name
POINTS_POSSIBLE = "Points Possible"
TEST_STUDENT = "Student, Test"  # whom Canvas makes for an instructor to look through
# What a student's id is made of: the first of these that a line has.
IDENTIFYING = ("student", "login", "email", "sis", "name", "canvas", "moodle")
# Heading of a column, in small letters, to what it says of a person.
COLUMNS = {
    "student_id": "student", "id": "canvas", "sis user id": "sis", "sis login id": "login",
    "name": "name", "full name": "name", "first name": "first_name", "last name": "last_name",
    "firstname": "first_name", "lastname": "last_name", "first_name": "first_name",
    "last_name": "last_name", "surname": "last_name", "email": "email", "e-mail": "email",
    "email address": "email", "username": "login",
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
    name : str
        The whole name, as the file has it.
    first_name, last_name, email : str
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
    points : list of str
        Canvas's row "Points Possible", or empty.
    """

    def __init__(self, people, header=(), rows=(), kind="own", points=()):
        self.people, self.header, self.rows = list(people), list(header), list(rows)
        self.kind, self.points = kind, list(points)

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


def of_course(root):
    """Return the roster that lies in a course directory, or None where none does."""
    path = Path(root, FILE)
    return read(path) if path.is_file() else None


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
    rows = read_table(path)
    if not rows:
        raise CourseError(f"the roster {path} is empty: its first line names the columns.")
    header = [cell.strip() for cell in rows[0][1]]
    kind, columns = _kind_of(header)
    if not {*IDENTIFYING, "last_name"} & set(columns.values()):
        raise CourseError(
            f"the roster {path} has no column that tells who is in the class: name them"
            " student,name in its first line."
        )
    people, kept, lines, points = [], [], {}, []
    for line, row in rows[1:]:
        row += [""] * (len(header) - len(row))
        if kind == "Canvas" and row[0].strip() == POINTS_POSSIBLE:
            points = row
        person = _person({what: row[at].strip() for at, what in columns.items()}, kind)
        if person is None and kind == "Canvas":
            continue
        if person is None:
            raise CourseError(
                f"the roster {path} has nothing in line {line} that a folder could be called by:"
                " give it a column student with a name for each."
            )
        same = _folded(person.student)
        if same in lines:
            raise CourseError(
                f"the roster {path} has {person.student!r} in the lines {lines[same]} and"
                f" {line}: give it a column student with a name of its own for each."
            )
        lines[same] = line
        people.append(person)
        kept.append(row)
    if not people:
        raise CourseError(f"the roster {path} has no student in it: write one a line.")
    return Roster(people, header, kept, kind, points)


def student_id(text):
    """Return a name for a student's folder, made of any name.

    Parameters
    ----------
    text : str

    Returns
    -------
    str
        Letters and digits of any script in small letters, dashes for the rest, at most 60 long;
        empty if nothing is left.
    """
    text = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())
    kept = "".join(each if _is_letter(each) else "-" for each in text)
    return re.sub("-+", "-", kept).strip("-")[:MAX_STUDENT].strip("-")


def _kind_of(header):
    """Return what kind of file has such headings, and place to meaning of those that count."""
    small = [cell.lower() for cell in header]
    if {"id", "section"} <= set(small) and {"student", "lastname"} & set(small):
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
        elif cell == "id" and kind == "own":
            what = "student"  # as in the file that `nbgrader db student import` takes
        if what and what not in columns.values():
            columns[at] = what
    return kind, columns


def _person(values, kind):
    """Return who a line is about, or None."""
    name = values.get("name", "")
    if kind == "Canvas" and not values["canvas"]:
        return None  # "Points Possible", "Manual Posting": lines that are about nobody
    if "moodle" in values:
        values["moodle"] = re.sub(r"^.*?(\d*)$", r"\1", values["moodle"])
    if "," in name and not values.get("last_name"):
        last, _, first = (part.strip() for part in name.partition(","))
        values |= {"last_name": last, "first_name": first}
    if not name:
        values["name"] = f"{values.get('first_name', '')} {values.get('last_name', '')}".strip()
    sortable = f"{values.get('last_name')}, {values.get('first_name')}"
    if kind == "Canvas" and sortable == TEST_STUDENT:
        return None
    for what in IDENTIFYING:
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
