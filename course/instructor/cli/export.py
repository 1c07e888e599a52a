"""`course export`: writing scores to a file."""

from pathlib import Path

import click

from course.errors import CourseError
from course.instructor.cli import options


@click.command("export")
@click.argument("path", type=options.PATH)
@click.option(
    "--to",
    "file_format",
    type=click.Choice(["csv", "canvas", "moodle"]),
    default="csv",
    help="Format of the file.",
)
@options.roster
@click.option(
    "--student", "students", multiple=True, metavar="STUDENT", help="Only this student; repeatable."
)
@click.option(
    "--assignment", "names", multiple=True, metavar="NAME", help="Only this assignment; repeatable."
)
@click.option(
    "--waiting", is_flag=True, help="Include scores with a part that is pending manual grading."
)
@click.option("--zero", is_flag=True, help="Write 0 for students without a submission.")
@click.option("--force", is_flag=True, help="Replace an existing file.")
@click.pass_obj
def command(
    root: Path,
    path: Path,
    file_format: str,
    roster: Path | None,
    students: tuple[str, ...],
    names: tuple[str, ...],
    waiting: bool,
    zero: bool,
    force: bool,
) -> int:
    """Write the scores to the CSV file PATH."""
    from course.instructor import course_dir

    course_dir.check_course_dir(root)
    from course.instructor.export import plugins
    from course.instructor.gradebook import health

    api = course_dir.open_api(root)
    # Opening a missing gradebook would create one.
    state, message = health.check_gradebook(root, api.coursedir.db_url)
    if state != health.AVAILABLE:
        raise CourseError(message)
    plugin = plugins.PLUGINS[file_format](
        parent=api,
        to=str(path),
        roster=str(roster or ""),
        student=list(students),
        assignment=list(names),
        waiting=waiting,
        zero=zero,
        force=force,
    )
    with api.gradebook as gradebook:
        print(plugin.write(gradebook))
    return 0
