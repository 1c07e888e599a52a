"""Entering the roster's names in the gradebook, and comparing the roster with submissions."""

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from course.instructor.gradebook.roster_matching import (
    first_and_last_name,
    match_members,
    without_names,
)
from course.instructor.roster.roster import ROSTER_FILE_NAME, Roster
from course.instructor.shortened_list import shorten_list

if TYPE_CHECKING:
    from nbgrader.api import Gradebook

MAX_LISTED = 10  # students in a message


def enter_names(gradebook: "Gradebook", roster: Roster) -> int:
    """Enter names, email addresses, and Canvas IDs from the roster; return the number of changes.

    The formgrader and nbgrader's exports show them. The number is that of the students whose data
    changed. Students who are not in the gradebook yet are not added, and values that are empty in
    the roster are not changed.
    """
    known = {each.id: each for each in gradebook.students}
    changed = 0
    for member in match_members(known.values(), roster, roster):
        if member.row is None or member.student not in known:
            continue
        first, last = first_and_last_name(member.person)
        values = {"first_name": first, "last_name": last}
        values |= {"email": member.person.email, "lms_user_id": member.person.canvas_id}
        student = known[member.student]
        new = {
            name: value
            for name, value in values.items()
            if value and value != getattr(student, name)
        }
        if new:
            gradebook.update_or_create_student(member.student, **new)
            changed += 1
    return changed


def describe_missing(roster: Roster, students: Iterable[str], excused: Collection[str] = ()) -> str:
    """Return a sentence about the students of a roster who have not submitted, or "".

    `excused` contains the IDs of students who do not have to submit.
    """
    submitted = {each: without_names(each) for each in students}
    members = match_members(submitted.values(), roster, roster)
    missing = [
        each.person.student
        for each in members
        if each.row is not None
        and each.student not in submitted
        and each.person.student not in excused
    ]
    if not missing:
        return ""
    counts = f"{len(missing)} of {len(roster.people)}"
    return f"{counts} in the roster did not submit: {shorten_list(missing, MAX_LISTED)}"


def describe_unknown(roster: Roster, students: Iterable[str]) -> str:
    """Return a sentence about students with submissions who are not in the roster, or ""."""
    members = match_members(map(without_names, students), roster, roster)
    unknown = [each.student for each in members if each.row is None]
    if not unknown:
        return ""
    return f"submitted, but not in {ROSTER_FILE_NAME}: {shorten_list(unknown, MAX_LISTED)}"
