"""`course feedback`: writing feedback pages."""

import sys
from pathlib import Path

import click

from course.errors import CourseError
from course.instructor.cli import options
from course.instructor.course_dir import assignment_names, open_api


@click.command("feedback")
@options.names
@options.student("Write only this student's page.")
@click.option(
    "--for",
    "kind",
    type=click.Choice(["zip", "moodle"]),
    help="Also write an archive of the pages: with one folder per student, or to upload to Moodle.",
)
@options.workers("pages to write")
@click.pass_obj
def command(
    root: Path,
    names: tuple[str, ...],
    student: str | None,
    kind: str | None,
    workers: int | None,
) -> int:
    """Write feedback pages for graded submissions.

    NAME is an assignment, such as 02-mnist; without names, pages are written for all assignments
    that have graded submissions.
    """
    selected = assignment_names(root, names)
    from course.instructor.student_text import limited_call

    limited_call.start()
    from course.instructor.feedback import page_writer as feedback_pages
    from course.instructor.feedback import platform_archive
    from course.instructor.gradebook import health, submission_results
    from course.instructor.gradebook.group_submissions import read_course_groups
    from course.instructor.grading import outdated_results
    from course.instructor.lateness import due_dates

    groups, graded = read_course_groups(root), []
    has_problems = False
    for name in selected:
        shared = groups.in_assignment(name)
        for group in shared.groups:
            if any(shared.lacks_choice(each) for each in group.members if student in (None, each)):
                print(f"course: {name}: {group.describe_choice()}", file=sys.stderr, flush=True)
                has_problems = True
        owner = student and shared.counted_for(student)
        try:
            students = submission_results.list_students(root, "autograded", name, owner)
        except CourseError:
            if names:
                raise
            continue
        graded += feedback_pages.request_pages(name, students, shared, student)
    if not graded:
        raise CourseError(
            f"there are no graded submissions in {root / 'autograded'}: run course grade first."
        )
    api = open_api(root)
    health.require_gradebook(root, api.coursedir.db_url)
    for name in {page.assignment for page in graded}:
        due_dates.update_lateness(api, root, name)
        students_here = {page.student for page in graded if page.assignment == name}
        with api.gradebook as gradebook:
            for line in outdated_results.describe_outdated(root, gradebook, name, students_here):
                print(f"course: {line}.", file=sys.stderr, flush=True)
    written: dict[str, dict[str, Path]] = {}  # pages by assignment and student
    for page in feedback_pages.write_pages(root, graded, workers):
        if page.problem:
            print(f"course: {page.problem}", file=sys.stderr, flush=True)
            has_problems = True
        for path in page.paths:
            print(path, flush=True)
            each, name = path.parts[-3:-1]
            written.setdefault(name, {})[each] = path
    for name, pages in written.items() if kind else ():
        try:
            path, left_out = platform_archive.write_archive(root, name, pages, str(kind))
        except CourseError as error:  # the other assignments still get theirs
            print(f"course: {error}", file=sys.stderr)
            has_problems = True
            continue
        if left_out:
            print(
                f"course: {path.name} does not contain the pages of {', '.join(left_out)}: their"
                " work was not collected from Moodle.",
                file=sys.stderr,
            )
            has_problems = True
        print(path)
    return 1 if has_problems else 0
