"""The table of due dates, `due_dates.csv`, and entering its dates in the gradebook.

    assignment,student,due
    02-mnist,,2026-03-01 18:00
    02-mnist,ada,2026-03-08 18:00

A row without a student is for the whole class, and one with a student is an extension. Times are in
the time zone of `c.LatePolicy.time_zone`, unless they specify a different one. Penalties are
recomputed from the current scores, so that they include manual scores.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from nbgrader.api import MissingEntry
from sqlalchemy.exc import SQLAlchemyError

from course.errors import CourseError
from course.instructor.course_dir import assignment_names
from course.instructor.lateness.late_policy import (
    LatePolicy,
    course_time_zone,
    describe_delay,
    late_penalties,
)
from course.instructor.lateness.submission_times import read_submission_times
from course.instructor.lateness.time_table import read_times
from course.instructor.shortened_list import shorten_list

if TYPE_CHECKING:
    from nbgrader.api import Gradebook, SubmittedAssignment, SubmittedNotebook
    from nbgrader.apps import NbGraderAPI
    from nbgrader.preprocessors import AssignLatePenalties

FILE_NAME = "due_dates.csv"
COLUMN = "due"


@dataclass
class DueDates:
    """Due dates in UTC: of the class by assignment, and of students by (assignment, student)."""

    of_class: dict[str, datetime] = field(default_factory=dict)
    of_student: dict[tuple[str, str], datetime] = field(default_factory=dict)


def read_due_dates(root: Path, time_zone: str) -> DueDates:
    """Return the due dates in a course directory; without a file, there are none.

    Raises CourseError if the file is not such a table, or if an assignment has an extension but no
    due date.
    """
    path = Path(root, FILE_NAME)
    found = DueDates()
    for row in read_times(path, COLUMN, time_zone, is_for_class=True):
        if row.student:
            found.of_student[row.assignment, row.student] = row.moment
        else:
            found.of_class[row.assignment] = row.moment
    for name, student in found.of_student:
        if name not in found.of_class:
            raise CourseError(
                f"{path} has an extension for {student} in {name}, but no due date for {name}: add"
                " a row for this assignment without a student."
            )
    return found


def course_due_dates(api: "NbGraderAPI", root: Path) -> DueDates:
    """Return the due dates of a course; raise CourseError for an invalid row or assignment."""
    found = read_due_dates(root, course_time_zone(api))
    if found.of_class:
        assignment_names(root, list(found.of_class))  # raises CourseError if one is unknown
    return found


def extensions(root: Path) -> set[tuple[str, str]]:
    """Return the pairs (assignment, student) of the rows that are extensions."""
    return set(read_due_dates(root, "UTC").of_student)


def describe_unknown(file_name: str, students: Collection[str]) -> str:
    """Return a sentence about IDs in a table that nobody in the class has, or "" without any."""
    if not students:
        return ""
    ids = f"ID{'s' * (len(students) != 1)} {shorten_list(sorted(students))}"
    return f"nobody in the class has the {ids} in {file_name}: check the spelling"


def update_lateness(
    api: "NbGraderAPI", root: Path, assignment: str, students: Collection[str] = ()
) -> int:
    """Enter an assignment's due dates and recompute all penalties; return how many changed.

    Nothing is graded. Without a due date in the table, those in the gradebook are not changed.
    `students` are those whose submission times are entered, too; their scores must be those of the
    submissions that are now in `submitted/`. Returns 0 if the gradebook does not contain the
    assignment. Raises CourseError if the plugin for late penalties fails.
    """
    late = late_penalties(api)
    due_dates = course_due_dates(api, root)
    times = read_submission_times(root, course_time_zone(api))
    changed = 0
    with api.gradebook as gradebook:
        try:
            found = gradebook.find_assignment(assignment)
        except MissingEntry:
            return 0
        if assignment in due_dates.of_class:
            found.duedate = due_dates.of_class[assignment]
        for submission in found.submissions:
            set_extension(submission, due_dates)
            if submission.student_id in students:
                submission.timestamp = times.of(submission.student_id, assignment)
        gradebook.db.flush()
        gradebook.db.expire_all()
        for submission in gradebook.find_assignment(assignment).submissions:
            try:
                changed += _update_penalties(submission, late)
            except SQLAlchemyError:
                raise
            except Exception as error:  # a plugin can raise anything
                raise CourseError(
                    f"the plugin for late penalties failed ({type(error).__name__}: {error}):"
                    " correct it, or set a different one in nbgrader_config.py."
                ) from None
        gradebook.db.commit()
    return changed


def update_all_lateness(api: "NbGraderAPI", root: Path) -> None:
    """Recompute the penalties of all assignments, in case manual scores or due dates changed."""
    for name in assignment_names(root):
        update_lateness(api, root, name)


def late_notice(
    gradebook: "Gradebook",
    assignment: str,
    student: str,
    policy: LatePolicy,
    is_group: bool = False,
) -> str:
    """Return the sentences about lateness for a feedback page, or "" if the work was on time."""
    submission = gradebook.find_submission(assignment, student)
    seconds = submission.total_seconds_late if submission.assignment.duedate else 0
    if seconds <= 0:
        return ""
    zone = ZoneInfo(policy.time_zone)
    due = submission.duedate.replace(tzinfo=UTC).astimezone(zone)
    whose = "your group's" if is_group else "your"
    extended = f" (with {whose} extension)" if submission.extension else ""
    return (
        f"Submitted {describe_delay(seconds)} after the due date{extended},"
        f" {due:%Y-%m-%d %H:%M} {policy.time_zone}. {policy.rule()}"
    ).strip()


def set_extension(submission: "SubmittedAssignment", due_dates: DueDates) -> None:
    """Set a submission's extension from the table.

    The extension is not changed if the table has no due date for the assignment.
    """
    assignment = submission.assignment
    if assignment.name in due_dates.of_class:
        due = due_dates.of_student.get((assignment.name, submission.student_id))
        submission.extension = due - assignment.duedate if due else None


def penalty_of(
    notebook: "SubmittedNotebook", submission: "SubmittedAssignment", late: "AssignLatePenalties"
) -> float | None:
    """Return the points that a notebook loses for lateness, or None if it loses none."""
    # nbgrader adds an extension to the due date even if there is none.
    seconds = submission.total_seconds_late if submission.assignment.duedate else 0
    if seconds <= 0:
        return None
    penalty = late.plugin_inst.late_submission_penalty(
        submission.student_id, notebook.score, seconds
    )
    return None if penalty is None else late._check_late_penalty(notebook, penalty)


def _update_penalties(submission: "SubmittedAssignment", late: "AssignLatePenalties") -> int:
    """Recompute the penalties of a submission's notebooks; return how many changed."""
    changed = 0
    for notebook in submission.notebooks:
        penalty = penalty_of(notebook, submission, late)
        if (penalty or 0) != (notebook.late_submission_penalty or 0):
            notebook.late_submission_penalty = penalty
            changed += 1
    return changed
