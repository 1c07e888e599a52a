"""`course grade`: grading submissions."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from course.errors import CourseError
from course.instructor.cli import forkserver_start, options
from course.instructor.cli.assignment_selection import find_for_each
from course.instructor.course_dir import assignment_names, open_api

if TYPE_CHECKING:
    from course.instructor.roster.roster import Roster


@click.command("grade")
@options.names
@options.student("Grade only this student's submission.")
@click.option("--force", is_flag=True, help="Regrade submissions that are already graded.")
@click.option(
    "--outdated", is_flag=True, help="Regrade submissions that were graded with older tests."
)
@options.workers("submissions to grade")
@options.scheduler("Grade")
@click.option(
    "--no-isolation",
    is_flag=True,
    help="Run submissions without a sandbox and with your permissions; only for trusted work.",
)
@click.pass_obj
def command(
    root: Path,
    names: tuple[str, ...],
    student: str | None,
    force: bool,
    outdated: bool,
    workers: int | None,
    scheduler: str | None,
    no_isolation: bool,
) -> int:
    """Grade the submissions in submitted/.

    NAME is an assignment, such as 02-mnist; without names, all assignments that have submissions
    are graded. The exit code is 1 if a submission could not be graded.
    """
    selected = assignment_names(root, names)
    # The kernels' imports take as long as nbgrader's, so both run at the same time.
    if not scheduler:
        forkserver_start.start_for_grading(root, selected, isolated=not no_isolation)
    from course.instructor.gradebook import enrollment, submission_results
    from course.instructor.gradebook.excused import read_excused
    from course.instructor.grading import class_grader, progress
    from course.instructor.lateness import due_dates
    from course.instructor.release import unreleased_changes

    def students_with_submissions(name: str) -> list[str]:
        return submission_results.list_students(root, "submitted", name, student)

    grading_options = class_grader.GradingOptions(
        workers, scheduler, not no_isolation, force, outdated
    )
    due_dates.course_due_dates(open_api(root), root)
    excused = read_excused(root)
    progress_lines = progress.Progress()
    roster = _read_roster(root)
    for name, students in find_for_each(selected, bool(names), students_with_submissions):
        if roster and not student:
            excused_here = {each for assignment, each in excused if assignment == name}
            if missing := enrollment.describe_missing(roster, students, excused_here):
                print(f"{name}: {missing}", flush=True)
        if changes := unreleased_changes.describe_changes(root, name):
            print(f"course: {changes}", file=sys.stderr, flush=True)
        progress_lines.expect(len(students))
        for grade in class_grader.grade(root, name, student, grading_options):
            print(progress_lines.record(grade), flush=True)
    if roster:
        with open_api(root).gradebook as gradebook:
            enrollment.enter_names(gradebook, roster)
    print(progress_lines.summary())
    return 1 if any(grade.failed for grade in progress_lines.results) else 0


def _read_roster(root: Path) -> "Roster | None":
    """Return the roster of the course directory; an unreadable one does not prevent grading."""
    from course.instructor.roster.roster import read_course_roster

    try:
        return read_course_roster(root)
    except CourseError as error:
        print(f"course: {error}", file=sys.stderr, flush=True)
        return None
