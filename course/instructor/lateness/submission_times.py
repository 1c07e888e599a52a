"""Submission times, from the table `submission_times.csv` or a `timestamp.txt` in a submission.

    assignment,student,submitted
    02-mnist,ada,2026-03-01 18:30

The table is for times that no platform recorded, and for corrections: its times take precedence
over those in `timestamp.txt`. They are in the time zone of `c.LatePolicy.time_zone`, unless they
specify a different one.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from course.instructor import submission_time
from course.instructor.course_dir import assignment_names
from course.instructor.lateness.time_table import read_times
from course.instructor.shortened_list import shorten_list

FILE_NAME = "submission_times.csv"
COLUMN = "submitted"


@dataclass
class SubmissionTimes:
    """The submission times of a course, in UTC; `in_table` has (assignment, student) as keys."""

    root: Path
    in_table: dict[tuple[str, str], datetime] = field(default_factory=dict)

    def of(self, student: str, assignment: str) -> datetime | None:
        """Return the time of a student's submission, or None if it is unknown."""
        known = self.in_table.get((assignment, student))
        return known or submission_time.read(self._folder(student, assignment))

    def problem(self, student: str, assignment: str) -> str:
        """Return the reason why the `timestamp.txt` of a submission is invalid, or ""."""
        if (assignment, student) in self.in_table:
            return ""
        return submission_time.problem(self._folder(student, assignment))

    def notices(
        self, assignment: str, students: Collection[str], marked_late: Iterable[str]
    ) -> list[str]:
        """Return sentences about what a person should add to the table or correct in it.

        `students` are the students with a submission; `marked_late` are those whose submission the
        platform marked as late.
        """
        sentences = []
        if unknown := [each for each in marked_late if not self.of(each, assignment)]:
            count = len(unknown)
            what = "1 submission is" if count == 1 else f"{count} submissions are"
            effect = "has no time, so it counts" if count == 1 else "have no time, so they count"
            sentences.append(
                f"{what} marked late by Canvas, but {effect} as on time ({shorten_list(unknown)}):"
                f" add the time to {FILE_NAME}"
            )
        rows = (student for name, student in self.in_table if name == assignment)
        if missing := [each for each in rows if each not in students]:
            sentences.append(
                f"{FILE_NAME} has a time for {shorten_list(missing)}, but submitted/ does not"
                " contain this submission: correct the name"
            )
        return sentences

    def _folder(self, student: str, assignment: str) -> Path:
        return Path(self.root, "submitted", student, assignment)


def read_submission_times(root: Path, time_zone: str) -> SubmissionTimes:
    """Return the submission times of a course; raise CourseError if the table is invalid."""
    rows = read_times(Path(root, FILE_NAME), COLUMN, time_zone)
    if names := {row.assignment for row in rows}:
        assignment_names(root, sorted(names))  # raises CourseError if one is unknown
    return SubmissionTimes(root, {(row.assignment, row.student): row.moment for row in rows})
