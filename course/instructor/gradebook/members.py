"""Who is in the class: the roster's people, and under which id the gradebook has each."""

import re
from dataclasses import dataclass

from course.instructor.roster.roster import Person


@dataclass(frozen=True)
class Member:
    """Somebody of the class.

    Attributes
    ----------
    person : Person
        As the roster has it, or made of what the gradebook has.
    student : str
        The student's id in the gradebook.
    row : list of str or None
        The line of the roster; None if there is none.
    """

    person: Person
    student: str
    row: list[str] | None = None


def members_of(students, roster=None, bridge=None):
    """Return who is in the class.

    Parameters
    ----------
    students : iterable of nbgrader.api.Student
    roster : Roster or None
        The class, perhaps as a platform has exported it.
    bridge : Roster or None
        The roster that submissions were collected with, where `roster` is another one.

    Returns
    -------
    list of Member
        Those of the roster in its order, then those that only the gradebook knows.
    """
    left = {each.id: _known(each, bridge) for each in sorted(students, key=lambda each: each.id)}
    if roster is None:
        return [Member(person, student) for student, person in left.items()]
    found = {}
    for ways in (_exactly, _by_what_platforms_know, _by_name):
        for student, person in list(left.items()):
            people = ways(roster, student, person)
            if len(people) == 1 and people[0].student not in found:
                found[people[0].student] = student
                del left[student]
    members = [
        Member(person, found.get(person.student, person.student), row)
        for person, row in zip(roster, roster.rows, strict=True)
    ]
    return members + [Member(person, student) for student, person in left.items()]


def first_and_last(person):
    """Return somebody's first and last names; of a whole name the last word is the last name."""
    if person.first_name or person.last_name or not person.name:
        return person.first_name, person.last_name
    first, _, last = person.name.rpartition(" ")
    return first, last


def _known(student, bridge):
    """Return what is known of a student of the gradebook."""
    for person in bridge or ():
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


def _exactly(roster, student, _):
    return [each for each in roster if each.student == student]


def _by_what_platforms_know(roster, student, person):
    known = [(what, getattr(person, what)) for what in ("canvas_id", "sis_id", "login", "email")]
    known += [(what, student) for what in ("student", "login", "email", "sis_id", "canvas_id")]
    for what, value in known:
        people = roster.find(**{what: value})
        if people:
            return people
    # What is collected from Canvas without a roster is called lovelaceada-4711.
    name, _, number = student.rpartition("-")
    people = roster.find(canvas_id=number) if re.fullmatch(r"\d+", number) else []
    return [each for each in people if each in roster.find_by_name(name)]


def _by_name(roster, student, person):
    return roster.find_by_name(person.name) or roster.find_by_name(student)
