"""`course grade`: grading submissions."""

import sys
from pathlib import Path

import click

from course.instructor.cli import forkserver_start, options
from course.instructor.cli.assignment_selection import find_for_each
from course.instructor.course_dir import assignment_names


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
    from course.instructor.gradebook import submission_results
    from course.instructor.grading import class_grader, progress
    from course.instructor.release import unreleased_changes

    def students_with_submissions(name: str) -> list[str]:
        return submission_results.list_students(root, "submitted", name, student)

    grading_options = class_grader.GradingOptions(
        workers, scheduler, not no_isolation, force, outdated
    )
    progress_lines = progress.Progress()
    for name, students in find_for_each(selected, bool(names), students_with_submissions):
        if changes := unreleased_changes.describe_changes(root, name):
            print(f"course: {changes}", file=sys.stderr, flush=True)
        progress_lines.expect(len(students))
        for grade in class_grader.grade(root, name, student, grading_options):
            print(progress_lines.record(grade), flush=True)
    print(progress_lines.summary())
    return 1 if any(grade.failed for grade in progress_lines.results) else 0
