"""`course mark`: grading written answers by question, on a local page."""

import contextlib
import getpass
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click

from course.errors import CourseError
from course.instructor import unfinished_change
from course.instructor.course_dir import assignment_names, open_api


@click.command("mark")
@click.argument("name", required=False)
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    metavar="N",
    show_default="any free port",
    help="Port of the page.",
)
@click.option(
    "--grader",
    metavar="NAME",
    show_default="your user name",
    help="Your name, which is saved with each mark; students do not see it.",
)
@click.option("--names", is_flag=True, help="Show the names of the students.")
@click.option("--no-browser", is_flag=True, help="Print the address and open no browser.")
@click.pass_obj
def command(
    root: Path,
    name: str | None,
    port: int | None,
    grader: str | None,
    names: bool,
    no_browser: bool,
) -> int:
    """Grade written answers by question, on a page in your browser.

    NAME is an assignment, such as 02-mnist; without it, all assignments. The page shows one
    question with its mark scheme and the answers of all students. Scores and comments are saved in
    the gradebook at once, so that the formgrader, feedback, and exports have them. Only this
    machine can open the page. Ctrl-C ends the command.
    """
    selected = assignment_names(root, [name] if name else ())
    unfinished_change.require_none(root)
    from course.instructor.gradebook import health
    from course.instructor.marking.course_marks import CourseMarks
    from course.instructor.marking.server import MarkingServer, PageOptions, serve

    api = open_api(root)
    health.require_gradebook(root, api.coursedir.db_url)
    with contextlib.ExitStack() as stack:
        database = stack.enter_context(ThreadPoolExecutor(1))
        gradebook = database.submit(lambda: api.gradebook).result()
        stack.callback(lambda: database.submit(gradebook.close).result())
        marks = database.submit(CourseMarks, root.resolve(), gradebook, selected).result()
        if not database.submit(marks.overview).result():
            what = name or "any assignment"
            raise CourseError(
                f"there is no graded submission of {what} with an answer that is graded by hand:"
                " run course grade first."
            )
        options = PageOptions(grader or _user_name(), names)
        serve(MarkingServer(marks, database, options), port or 0, not no_browser)
    return 0


def _user_name() -> str:
    """Return the name of the user, or "" if the system does not know it."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""
