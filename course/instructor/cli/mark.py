"""`course mark`: grading written answers by question, on a local page."""

import contextlib
import getpass
import subprocess
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
    show_default="the user name of Git",
    help="Your name, which is saved with each mark; students do not see it.",
)
@click.option(
    "--graders",
    metavar="NAMES",
    help="Share the answers among these graders, whose names are separated by commas.",
)
@click.option("--names", is_flag=True, help="Show the names of the students.")
@click.option("--no-browser", is_flag=True, help="Print the address and open no browser.")
@click.pass_obj
def command(
    root: Path,
    name: str | None,
    port: int | None,
    grader: str | None,
    graders: str | None,
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
    from course.instructor.marking import sharing
    from course.instructor.marking.course_marks import CourseMarks
    from course.instructor.marking.server import MarkingServer, PageOptions, serve

    sharers = sharing.parse_graders(graders) if graders is not None else []
    if graders is not None and not sharers:
        raise CourseError("--graders has no name: separate the names of the graders by commas.")
    api = open_api(root)
    health.require_gradebook(root, api.coursedir.db_url)
    with contextlib.ExitStack() as stack:
        database = stack.enter_context(ThreadPoolExecutor(1))
        gradebook = database.submit(lambda: api.gradebook).result()
        stack.callback(lambda: database.submit(gradebook.close).result())
        marks = database.submit(CourseMarks, root.resolve(), gradebook, selected).result()
        progress = database.submit(marks.overview).result()
        if not progress:
            what = name or "any assignment"
            raise CourseError(
                f"there is no graded submission of {what} with an answer that is graded by hand:"
                " run course grade first."
            )
        for each in progress:
            if sharers:
                database.submit(marks.share, each.question, sharers).result()
            if each.outdated:
                place = f"{each.question.assignment}, {each.question.title}"
                print(
                    f"{place}: the points of the mark scheme have changed since {each.outdated}"
                    " of the answers were marked; the page lists the scores that would change."
                )
        options = PageOptions(grader or _user_name(root), names)
        serve(MarkingServer(marks, database, options), port or 0, not no_browser)
    return 0


def _user_name(root: Path) -> str:
    """Return the name of the user in Git, or else on this system; "" if it is only root."""
    command = ["git", "-C", str(root), "config", "user.name"]
    with contextlib.suppress(OSError):
        found = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
        if found:
            return found
    with contextlib.suppress(OSError, KeyError):
        name = getpass.getuser()
        return "" if name == "root" else name
    return ""
