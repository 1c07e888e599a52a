"""The times of submissions: in the table `submission_times.csv`, or in a file beside the notebook.

    assignment,student,submitted
    02-mnist,ada,2026-03-01 18:30

The table is for times that no platform wrote, and for corrections: its times count before those in
`timestamp.txt`. They are in the time zone of `c.LatePolicy.time_zone`, unless they name another
one.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from course.instructor import submission_time
from course.instructor.course_dir import assignment_names
from course.instructor.lateness.time_table import read_times

FILE_NAME = "submission_times.csv"
COLUMN = "submitted"
MAX_LISTED = 20  # students in a message


@dataclass
class SubmissionTimes:
    """The submission times of a course, in UTC; those in the table by (assignment, student)."""

    root: Path
    in_table: dict[tuple[str, str], datetime] = field(default_factory=dict)

    def of(self, student: str, assignment: str) -> datetime | None:
        """Return the time of a student's submission, or None if it is unknown."""
        known = self.in_table.get((assignment, student))
        return known or submission_time.read(self._folder(student, assignment))

    def problem(self, student: str, assignment: str) -> str:
        """Return the reason that the time beside a submission is not used, or ""."""
        if (assignment, student) in self.in_table:
            return ""
        return submission_time.problem(self._folder(student, assignment))

    def notices(
        self, assignment: str, students: Collection[str], marked_late: Iterable[str]
    ) -> list[str]:
        """Return sentences about what a person should add to the table, or correct in it.

        `students` are those with a submission, and `marked_late` those whose submission the
        platform marked as late.
        """
        sentences = []
        if unknown := [each for each in marked_late if not self.of(each, assignment)]:
            count = len(unknown)
            what = "1 submission is" if count == 1 else f"{count} submissions are"
            sentences.append(
                f"{what} marked late by Canvas, but without a time, so"
                f" {'it counts' if count == 1 else 'they count'} as on time ({_listed(unknown)}):"
                f" add the time to {FILE_NAME}"
            )
        rows = (student for name, student in self.in_table if name == assignment)
        if missing := [each for each in rows if each not in students]:
            sentences.append(
                f"{FILE_NAME} has a time for {_listed(missing)}, but there is no such folder in"
                " submitted/: correct the name"
            )
        return sentences

    def _folder(self, student: str, assignment: str) -> Path:
        return Path(self.root, "submitted", student, assignment)


def read_submission_times(root: Path, time_zone: str) -> SubmissionTimes:
    """Return the submission times of a course directory; raise CourseError if they are unclear."""
    rows = read_times(Path(root, FILE_NAME), COLUMN, time_zone)
    if names := {row.assignment for row in rows}:
        assignment_names(root, sorted(names))  # raises CourseError for an unknown one
    return SubmissionTimes(root, {(row.assignment, row.student): row.moment for row in rows})


def _listed(students: Collection[str]) -> str:
    """Return the names of students, of which a message lists only the first."""
    listed = ", ".join(list(students)[:MAX_LISTED])
    more = len(students) - MAX_LISTED
    return f"{listed}, and {more} more" if more > 0 else listed
