"""Members of a class: the people in the roster, matched with student IDs in the gradebook."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from course.errors import CourseError
from course.instructor.roster.roster import (
    ROSTER_FILE_NAME,
    Person,
    Roster,
    read_course_roster,
    read_roster,
)

if TYPE_CHECKING:
    from nbgrader.api import Student

IDENTIFIERS = ("canvas_id", "sis_id", "login", "email")  # assigned by a learning platform


@dataclass(frozen=True)
class Member:
    """A person enrolled in the class."""

    person: Person
    student: str  # the ID in the gradebook
    row: list[str] | None = None  # in the roster; None if the roster does not contain the student
    is_contested: bool = False  # several students could be this person, so none was matched

    def cell(self, column: int | None) -> str:
        """Return a cell of the row in the roster, or "" if there is no such column."""
        return "" if column is None or self.row is None else self.row[column]


def read_collection_roster(root: Path, path: Path | None) -> Roster | None:
    """Return the roster with which to collect: the file `path`, by default that of the course.

    The students in another file than the course's own have the IDs of the course's roster, as far
    as it contains them. Raises CourseError if a student's ID is not certain.
    """
    own = read_course_roster(root)
    if path is None:
        return own
    roster = read_roster(path)
    if own is None or roster == own:
        return roster
    members = match_people({each.student: each for each in own}, roster)[: len(roster.people)]
    if contested := next((each.person for each in members if each.is_contested), None):
        raise CourseError(
            f"{contested.name or contested.student} in {path} could be more than one student in"
            f" {ROSTER_FILE_NAME}: add a column email, with the address in {path}, to"
            f" {ROSTER_FILE_NAME}."
        )
    people = [replace(each.person, student=each.student) for each in members]
    return replace(roster, people=people)


def match_members(
    students: Iterable["Student"],
    roster: Roster | None = None,
    collection_roster: Roster | None = None,
) -> list[Member]:
    """Return the people in the roster, in its order, then the `students` who are not in it.

    Without a roster, the students are the members. `collection_roster` is the roster with which
    submissions were collected. If it differs from `roster`, which may be a platform's export, it
    supplies further identifiers.
    """
    people = {
        each.id: _person_of(each, collection_roster)
        for each in sorted(students, key=lambda each: each.id)
    }
    if roster is None:
        return [Member(person, student) for student, person in people.items()]
    return match_people(people, roster, is_own=roster == collection_roster)


def match_people(
    students: Mapping[str, Person], roster: Roster, is_own: bool = False
) -> list[Member]:
    """Return the people in the roster, in its order, then the students who are not in it.

    `students` maps student IDs to people. `is_own` is True if their submissions were collected with
    this roster.
    """
    unmatched = dict(students)
    ids = frozenset(unmatched)
    matched: dict[str, str] = {}
    contested: set[str] = set()
    # First data that the instructor wrote, then IDs, which can be names that students chose.
    for find_people in (_find_by_data, _find_by_id):
        claims = {
            student: [
                each
                for each in find_people(roster, is_own, ids, student, person)
                if each.student not in matched
            ]
            for student, person in unmatched.items()
        }
        counts = Counter(each.student for people in claims.values() for each in people)
        for student, people in claims.items():
            if len(people) == 1 and counts[people[0].student] == 1:
                matched[people[0].student] = student
                del unmatched[student]
            else:
                contested |= {each.student for each in people}
    members = []
    for person, row in zip(roster, roster.rows, strict=True):
        student = matched.get(person.student, person.student)
        is_contested = person.student not in matched and (
            person.student in contested or student in {*matched.values(), *unmatched}
        )
        # No student ID contains a question mark, so no other student's scores are found.
        members.append(
            Member(person, f"{student}?" if is_contested else student, row, is_contested)
        )
    return members + [Member(person, student) for student, person in unmatched.items()]


def without_names(student: str) -> Any:
    """Return an object like nbgrader's Student that has an ID, but no names or email address."""
    empty = dict.fromkeys(("first_name", "last_name", "email", "lms_user_id"))
    return SimpleNamespace(id=student, **empty)


def first_and_last_name(person: Person) -> tuple[str, str]:
    """Return a person's first and last names; a full name is split before its last word."""
    if person.first_name or person.last_name or not person.name:
        return person.first_name, person.last_name
    first, _, last = person.name.rpartition(" ")
    return first, last


def _person_of(student: "Student", collection_roster: Roster | None) -> Person:
    """Return a student's data from the collection roster or, failing that, the gradebook."""
    for person in collection_roster or ():
        if person.student == student.id:
            return person
    first, last = student.first_name or "", student.last_name or ""
    return Person(
        student.id,
        name=f"{last}, {first}" if last and first else last or first,
        first_name=first,
        last_name=last,
        email=student.email or "",
        canvas_id=student.lms_user_id or "",
    )


def _find_by_data(
    roster: Roster, is_own: bool, ids: frozenset[str], student: str, person: Person
) -> list[Person]:
    """Return the only person with one of the student's identifiers or the name, as a list, or [].

    Students choose the names in a platform's export, so a name never overrides an identifier, which
    may be one of the gradebook's `ids`. `is_own` is as in `match_people`.
    """
    fields = ["student"] if is_own else []
    found = [roster.find(field, getattr(person, field)) for field in [*fields, *IDENTIFIERS]]
    if known := next((people for people in found if len(people) == 1), []):
        return known
    named = roster.find_by_name(person.name)
    others = ids - {student}
    is_contradicted = any(
        {getattr(each, field) for field in IDENTIFIERS} & others for each in named
    ) or any(each not in named for field in IDENTIFIERS for each in roster.find(field, student))
    return named if len(named) == 1 and not is_contradicted else []


def _find_by_id(
    roster: Roster, is_own: bool, ids: frozenset[str], student: str, person: Person
) -> list[Person]:
    """Return the people who could have a student ID: as an identifier, or derived from a name."""
    fields = ("student", "login", "email", "sis_id", "canvas_id")
    people = [each for field in fields for each in roster.find(field, student)]
    people += roster.find_by_name(student)
    # A submission collected from Canvas without a roster has an ID such as lovelaceada-4711.
    name, _, number = student.rpartition("-")
    if re.fullmatch(r"\d+", number):
        named = roster.find_by_name(name)
        people += [each for each in roster.find("canvas_id", number) if each in named]
    # An ID may be derived from a name or an email address, so a different identifier excludes it.
    return [each for each in dict.fromkeys(people) if not _has_other_identifier(each, person)]


def _has_other_identifier(one: Person, other: Person) -> bool:
    """Return True if two people have different identifiers of the same kind."""
    pairs = [(getattr(one, field), getattr(other, field)) for field in IDENTIFIERS]
    return any(a and b and a.casefold() != b.casefold() for a, b in pairs)
