"""Members of a class: the people in the roster, matched with student IDs in the gradebook."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from course.instructor.roster.roster import Person, Roster

if TYPE_CHECKING:
    from nbgrader.api import Student


@dataclass(frozen=True)
class Member:
    """A person enrolled in the class."""

    person: Person
    student: str  # the id in the gradebook
    row: list[str] | None = None  # in the roster; None if only the gradebook contains the student

    def cell(self, column: int | None) -> str:
        """Return a cell of the row in the roster, or "" if there is no such column."""
        return "" if column is None or self.row is None else self.row[column]


def match_members(
    students: Iterable["Student"],
    roster: Roster | None = None,
    collection_roster: Roster | None = None,
) -> list[Member]:
    """Return the people in the roster, in its order, then those who are only in the gradebook.

    `collection_roster` is the roster with which submissions were collected. If it differs from
    `roster`, which may be a platform's export, it supplies further identifiers.
    """
    unmatched = {
        each.id: _person_of(each, collection_roster)
        for each in sorted(students, key=lambda each: each.id)
    }
    if roster is None:
        return [Member(person, student) for student, person in unmatched.items()]
    matched: dict[str, str] = {}
    for find_people in (_find_by_student_id, _find_by_platform_id, _find_by_name):
        for student, person in list(unmatched.items()):
            people = find_people(roster, student, person)
            if len(people) == 1 and people[0].student not in matched:
                matched[people[0].student] = student
                del unmatched[student]
    members = [
        Member(person, matched.get(person.student, person.student), row)
        for person, row in zip(roster, roster.rows, strict=True)
    ]
    return members + [Member(person, student) for student, person in unmatched.items()]


def first_and_last_name(person: Person) -> tuple[str, str]:
    """Return a person's first and last name; a full name is split before its last word."""
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


def _find_by_student_id(roster: Roster, student: str, person: Person) -> list[Person]:
    """Return the people with exactly this student id."""
    return [each for each in roster if each.student == student]


def _find_by_platform_id(roster: Roster, student: str, person: Person) -> list[Person]:
    """Return the people who share a learning platform's identifier with a student."""
    known = [(field, getattr(person, field)) for field in ("canvas_id", "sis_id", "login", "email")]
    known += [(field, student) for field in ("student", "login", "email", "sis_id", "canvas_id")]
    for field, value in known:
        if people := roster.find(field, value):
            return people
    # A submission collected from Canvas without a roster has an id such as lovelaceada-4711.
    name, _, number = student.rpartition("-")
    people = roster.find("canvas_id", number) if re.fullmatch(r"\d+", number) else []
    return [each for each in people if each in roster.find_by_name(name)]


def _find_by_name(roster: Roster, student: str, person: Person) -> list[Person]:
    """Return the people who have this person's name or, failing that, the student id as a name."""
    return roster.find_by_name(person.name) or roster.find_by_name(student)
