"""`course feedback`: writing feedback pages."""

import sys
from pathlib import Path

import click

from course.errors import CourseError
from course.instructor.cli import options
from course.instructor.course_dir import assignment_names


@click.command("feedback")
@options.names
@options.student("Write only this student's page.")
@options.workers("pages to write")
@click.pass_obj
def command(root: Path, names: tuple[str, ...], student: str | None, workers: int | None) -> int:
    """Write feedback pages for graded submissions.

    NAME is an assignment, such as 02-mnist; without names, pages are written for all graded
    assignments.
    """
    selected = assignment_names(root, names)
    from course.instructor.student_text import limited_call

    limited_call.start()
    from course.instructor.feedback import page_writer as feedback_pages
    from course.instructor.gradebook import submission_results

    graded = []
    for name in selected:
        try:
            students = submission_results.list_students(root, "autograded", name, student)
        except CourseError:
            if names:
                raise
            continue
        graded += [(name, each) for each in students]
    if not graded:
        raise CourseError(
            f"there are no graded submissions in {root / 'autograded'}: run course grade first."
        )
    has_problems = False
    for page in feedback_pages.write_pages(root, graded, workers):
        if page.problem:
            print(f"course: {page.problem}", file=sys.stderr, flush=True)
            has_problems = True
        else:
            print(page.path, flush=True)
    return 1 if has_problems else 0
