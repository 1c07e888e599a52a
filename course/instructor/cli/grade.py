"""`course grade`: grading submissions."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from course.errors import CourseError
from course.instructor.cli import forkserver_warmup, options
from course.instructor.cli.assignment_selection import find_for_each
from course.instructor.course_dir import assignment_names, open_api

if TYPE_CHECKING:
    from course.instructor.gradebook.group_submissions import CourseGroups
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
@options.no_isolation
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
    are graded. The exit code is 1 if a submission could not be graded, or if the roster or the
    table of groups cannot be read.
    """
    selected = assignment_names(root, names)
    # The kernels' imports take as long as nbgrader's, so both run at the same time.
    if not scheduler:
        forkserver_warmup.start_for_grading(root, selected, isolated=not no_isolation)
    from course.instructor.collect import submitted_folder
    from course.instructor.gradebook import enrollment, submission_results
    from course.instructor.gradebook.excused import read_excused
    from course.instructor.grading import class_grader, progress
    from course.instructor.lateness import due_dates, late_policy, submission_times
    from course.instructor.release import unreleased_changes

    def owner_in(name: str) -> str | None:
        return student and groups.in_assignment(name).submitter_for(student)

    def students_with_submissions(name: str) -> list[str]:
        return submission_results.list_students(root, "submitted", name, owner_in(name))

    grading_options = class_grader.GradingOptions(
        workers, scheduler, not no_isolation, force, outdated
    )
    api = open_api(root)
    due_dates.course_due_dates(api, root)
    times = submission_times.read_submission_times(root, late_policy.course_time_zone(api))
    excused = read_excused(root)
    progress_lines = progress.Progress()
    roster, groups, error = _read_class(root)
    known = {path.name for path in Path(root, "submitted").glob("*")} | set(groups.students)
    known |= {person.student for person in roster.people} if roster else set()
    extended = {each for _, each in due_dates.extensions(root)}
    if notice := due_dates.describe_unknown(due_dates.FILE_NAME, extended - known):
        print(f"course: {notice}.", file=sys.stderr, flush=True)
    for name, students in find_for_each(selected, bool(names), students_with_submissions):
        if not student:
            shared = groups.in_assignment(name)
            submitted = [*students, *shared.members_with_submission]
            excused_here = {each for assignment, each in excused if assignment == name}
            lines = []
            if roster:
                lines.append(enrollment.describe_missing(roster, submitted, excused_here))
                lines.append(enrollment.describe_unknown(roster, students))
            lines += [group.describe_choice() for group in shared.groups]
            for line in filter(None, lines):
                print(f"{name}: {line}", flush=True)
        late = submitted_folder.marked_late(root, students, name)
        everybody = submission_results.list_students(root, "submitted", name)
        for notice in times.notices(name, everybody, late):
            print(f"{name}: {notice}", flush=True)
        if changes := unreleased_changes.describe_changes(root, name):
            print(f"course: {changes}", file=sys.stderr, flush=True)
        progress_lines.expect(len(students))
        for grade in class_grader.grade(root, name, owner_in(name), grading_options):
            print(progress_lines.record(grade), flush=True)
    if roster:
        with open_api(root).gradebook as gradebook:
            enrollment.enter_names(gradebook, roster)
    print(progress_lines.summary(), flush=True)
    if error:  # again, because the lines about the submissions hide the first message
        raise error
    return 1 if any(grade.failed for grade in progress_lines.results) else 0


def _read_class(root: Path) -> "tuple[Roster | None, CourseGroups, CourseError | None]":
    """Return the roster of the course directory, the groups, and the error in their files.

    Grading needs neither, so an error is printed, and the groups are empty.
    """
    from course.instructor.gradebook.group_submissions import CourseGroups, read_course_groups
    from course.instructor.lateness.submission_times import SubmissionTimes
    from course.instructor.roster.roster import read_course_roster

    roster, groups = None, CourseGroups(root, SubmissionTimes(root))
    try:
        roster = read_course_roster(root)
        groups = read_course_groups(root)
    except CourseError as error:
        print(f"course: {error}", file=sys.stderr, flush=True)
        return roster, groups, error
    return roster, groups, None
