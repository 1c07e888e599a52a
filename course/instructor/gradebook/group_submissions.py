"""Determining whose submission counts for each student if groups submit together.

The gradebook has a submission only under the student who submitted it. All commands that look up a
student's submission use this module, so that the same submission counts everywhere.
"""

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course.files import files_below
from course.instructor import submission_time
from course.instructor.course_dir import open_api
from course.instructor.gradebook import health
from course.instructor.gradebook.roster_matching import match_members, without_names
from course.instructor.lateness.late_policy import course_time_zone
from course.instructor.lateness.submission_times import SubmissionTimes, read_submission_times
from course.instructor.roster.groups import Groups, read_groups
from course.instructor.roster.roster import Roster, read_course_roster

if TYPE_CHECKING:
    from nbgrader.api import Gradebook


@dataclass(frozen=True)
class Group:
    """A group for one assignment, with the members who submitted something themselves.

    `counted` is the member whose submission counts for all. It is None if nobody submitted, or if
    it is unclear which of several submissions counts; in this case, each submitter's own counts.
    """

    name: str
    members: tuple[str, ...]
    submitters: tuple[str, ...] = ()
    counted: str | None = None

    @property
    def is_unclear(self) -> bool:
        """True if several members submitted, but it is unclear which submission counts for all."""
        return bool(self.submitters) and self.counted is None

    def describe_choice(self) -> str:
        """Return a sentence about the choice among several submissions, or ""."""
        if len(self.submitters) < 2:
            return ""
        if self.is_unclear:
            others = set(self.members) - set(self.submitters)
            rest = f", and there is no score for {_listed(sorted(others))}" if others else ""
            return (
                f"group {self.name}: {_listed(self.submitters)} submitted different work, and it is"
                f" unclear which is the newest, so each keeps their own{rest}: delete all but one"
                " from submitted/, or add the time of each to submission_times.csv."
            )
        replaced = [each for each in self.submitters if each != self.counted]
        return (
            f"group {self.name}: the submission of {self.counted} counts for all members, not that"
            f" of {_listed(replaced)}."
        )


@dataclass(frozen=True)
class GroupSubmissions:
    """The groups for one assignment; a student without a group works alone."""

    groups: tuple[Group, ...] = ()

    @cached_property
    def _by_member(self) -> dict[str, Group]:
        """The group of each student who has one."""
        return {member: group for group in self.groups for member in group.members}

    def group_of(self, student: str) -> Group | None:
        """Return a student's group, or None."""
        return self._by_member.get(student)

    def counted_for(self, student: str) -> str:
        """Return the student whose submission counts for a student, who may be the same."""
        group = self.group_of(student)
        return group.counted if group and group.counted else student

    def counts(self, student: str) -> bool:
        """Return whether a student's own submission counts, rather than that of another member."""
        return self.counted_for(student) == student

    def submitter_for(self, student: str) -> str:
        """Return a student who submitted; for others, the member whose submission counts."""
        group = self.group_of(student)
        return student if group and student in group.submitters else self.counted_for(student)

    def readers_of(self, student: str) -> tuple[str, ...]:
        """Return the students for whom a student's submission counts.

        There are none if the submission of another member of the group counts instead.
        """
        group = self.group_of(student)
        if group is None or group.counted is None:
            return (student,)
        return group.members if group.counted == student else ()

    def lacks_choice(self, student: str) -> bool:
        """Return whether a student gets no score because it is unclear which submission counts."""
        group = self.group_of(student)
        return group is not None and group.is_unclear and student not in group.submitters

    def is_one_group(self, students: Iterable[str]) -> bool:
        """Return whether all these students are in the same group."""
        found = {self.group_of(each) for each in students}
        return len(found) == 1 and None not in found

    @property
    def members_with_submission(self) -> list[str]:
        """The members of the groups in which at least one member submitted."""
        return [each for group in self.groups if group.submitters for each in group.members]


WITHOUT_GROUPS = GroupSubmissions()


@dataclass(frozen=True)
class CourseGroups:
    """The groups of a course.

    `ids` maps the student IDs in the table of groups to those in submitted/ and the gradebook; a
    student who cannot be identified is left out. `recorded` maps (assignment, student) to the
    submission time in the gradebook, or to None if the time is unknown.
    """

    root: Path
    times: SubmissionTimes
    groups: Groups = field(default_factory=Groups)
    ids: Mapping[str, str] = field(default_factory=dict)
    recorded: Mapping[tuple[str, str], datetime | None] = field(default_factory=dict)

    @property
    def students(self) -> list[str]:
        """The students who have a group, or work alone, according to the table or the roster."""
        return [self.ids[each] for each in self.groups.students if each in self.ids]

    def in_assignment(self, name: str) -> GroupSubmissions:
        """Return the groups for an assignment, and whose submission counts in each."""
        found = []
        for group, students in self.groups.members(name).items():
            members = tuple(self.ids[each] for each in students if each in self.ids)
            found.append(Group(group, members, *self._choose(name, members)))
        return GroupSubmissions(tuple(found))

    def _choose(self, name: str, members: Iterable[str]) -> tuple[tuple[str, ...], str | None]:
        """Return the members who submitted, and whose submission counts for all, if that is clear.

        Only submissions in submitted/ count, so that deleting one there takes effect. The gradebook
        is used only if no member has a submission in submitted/.
        """
        folders = {each: Path(self.root, "submitted", each, name) for each in members}
        folders = {each: folder for each, folder in folders.items() if folder.is_dir()}
        times = {each: self.times.of(each, name) for each in folders}
        if not folders:
            recorded = [each for each in members if (name, each) in self.recorded]
            times = {each: self.recorded[name, each] for each in recorded}
        if len(times) < 2:
            return tuple(times), next(iter(times), None)
        known = sorted(time for time in times.values() if time)
        if len(known) == len(times) and known[-1] > known[-2]:
            return tuple(times), next(each for each, time in times.items() if time == known[-1])
        return tuple(times), min(folders) if folders and _are_same(folders.values()) else None


def read_course_groups(root: Path, gradebook: "Gradebook | None" = None) -> CourseGroups:
    """Return the groups in a course directory.

    `gradebook` is an open gradebook; by default, the function opens that of the course, if it
    exists. Raises CourseError if the table of groups, the roster, or the table of submission times
    is invalid.
    """
    roster = read_course_roster(root)
    groups = read_groups(root, roster)
    if not groups.students:
        return CourseGroups(root, SubmissionTimes(root))
    times = read_submission_times(root, course_time_zone(open_api(root)))
    students = {path.name: without_names(path.name) for path in root.glob("submitted/[!.]*/")}
    recorded: dict[tuple[str, str], datetime | None] = {}
    with _open(root, gradebook) as found:
        if found is not None:
            students |= {each.id: each for each in found.students}
            recorded = _recorded_times(found)
        ids = _ids(groups, students, roster)
    return CourseGroups(root, times, groups, ids, recorded)


@contextlib.contextmanager
def _open(root: Path, gradebook: "Gradebook | None") -> "Iterator[Gradebook | None]":
    """Yield `gradebook`, or else the course's gradebook, or None if that cannot be read."""
    if gradebook is not None:
        yield gradebook
        return
    api = open_api(root)
    # Opening a missing gradebook would create one.
    if health.check_gradebook(root, api.coursedir.db_url)[0] != health.AVAILABLE:
        yield None
        return
    with api.gradebook as found:
        yield found


def _recorded_times(gradebook: "Gradebook") -> dict[tuple[str, str], datetime | None]:
    """Return the submission times in the gradebook, in UTC, by (assignment, student)."""
    from nbgrader.api import Assignment, SubmittedAssignment

    rows = gradebook.db.query(
        Assignment.name, SubmittedAssignment.student_id, SubmittedAssignment.timestamp
    ).join(SubmittedAssignment, SubmittedAssignment.assignment_id == Assignment.id)
    return {(name, student): time for name, student, time in rows}


def _ids(groups: Groups, students: Mapping[str, Any], roster: Roster | None) -> dict[str, str]:
    """Return a dict from student IDs in the roster to those in submitted/ and the gradebook."""
    if roster is None:
        return {each: each for each in groups.students}
    members = match_members(students.values(), roster, roster)
    return {
        each.person.student: each.student
        for each in members
        if each.row is not None and not each.is_contested
    }


def _are_same(folders: Iterable[Path]) -> bool:
    """Return whether submissions have the same files, apart from timestamp.txt.

    Files that are too large to compare count as different.
    """
    contents = []
    for folder in folders:
        skipped: list[tuple[str, int]] = []
        is_time = submission_time.TIMESTAMP.__eq__
        contents.append(sorted(files_below(folder, is_time, too_large=skipped)))
        if skipped or contents[-1] != contents[0]:
            return False
    return True


def _listed(students: Iterable[str]) -> str:
    """Return student IDs as text, such as "ada, bob and cy"."""
    *others, last = students
    return f"{', '.join(others)} and {last}" if others else last
