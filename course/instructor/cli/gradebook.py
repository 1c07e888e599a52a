"""`course gradebook`: copying the gradebook to another database."""

import contextlib
from pathlib import Path

import click

from course.instructor import unfinished_change
from course.instructor.course_dir import assignment_names, open_api


@click.group("gradebook", no_args_is_help=False)
def command() -> None:
    """Copy the gradebook to another database."""


@command.command("copy")
@click.argument("url")
@click.pass_obj
def copy(root: Path, url: str) -> int:
    """Copy the whole gradebook to the empty database at URL.

    URL is an SQLAlchemy URL, such as postgresql+psycopg://USER@HOST/DATABASE or
    sqlite:////PATH/gradebook.db. Everything is copied: cells, students, scores, manual scores, and
    comments. The gradebook of the course directory does not change.
    """
    names = assignment_names(root)
    from course.instructor.gradebook import health, transfer
    from course.instructor.grading.journal import Journal

    api = open_api(root)
    source = api.coursedir.db_url
    health.require_gradebook(root, source)
    target = transfer.parse_target(url)
    with contextlib.ExitStack() as stack:
        for name in names:
            stack.enter_context(Journal(root, name).exclusive())
        unfinished_change.require_none(root)
        counts = transfer.copy_gradebook(source, target)
    print(
        f"copied and compared: {sum(counts.values()):,} rows, with the scores of"
        f" {counts['submitted_assignment']:,} submissions by {counts['student']:,} students"
    )
    print("To use the copy, set this line in nbgrader_config.py:")
    shown = target.set(password=None).render_as_string()
    print(f"    c.CourseDirectory.db_url = {shown!r}")
    if target.password is not None:
        print("The line does not contain the password: store it in ~/.pgpass.")
    return 0
