"""The command group `course` and its parser."""

import importlib
import sys
from pathlib import Path

import click

from course import __version__
from course.instructor.cli.options import PATH


class _OrderedGroup(click.Group):
    """A command group whose help lists the commands in the order in which they are used."""

    def list_commands(self, context: click.Context) -> list[str]:
        return list(self.commands)


@click.group(
    cls=_OrderedGroup,
    no_args_is_help=False,
    context_settings={"help_option_names": ["-h", "--help"], "show_default": True},
)
@click.version_option(__version__, message="course %(version)s")
@click.option(
    "-C",
    "root",
    type=PATH,
    default=".",
    metavar="DIR",
    show_default="the current directory",
    help="Course directory.",
)
@click.pass_context
def course(context: click.Context, root: Path) -> None:
    """Compile, publish, collect, and grade the course "Building CNNs with Keras"."""
    context.obj = root


_GRADING = ["release", "trial", "publish", "site", "collect", "grade", "watch", "mark", "confirm"]
_GRADING += ["evidence", "leaderboard", "similar", "feedback", "statistics", "export", "student"]
_GRADING.append("gradebook")
_TESTING = ["run", "figures", "report", "doctor"]
for _name in _GRADING + _TESTING:
    course.add_command(importlib.import_module(f"course.instructor.cli.{_name}").command)


def run_command_line(arguments: list[str]) -> int:
    """Parse arguments, run the command, and return its exit code, which is 2 for a usage error."""
    try:
        # `course.main` would exit silently on a broken pipe and replace a KeyboardInterrupt.
        with course.make_context("course", arguments) as context:
            return course.invoke(context)
    except click.exceptions.Exit as exit_:  # --help and --version
        return exit_.exit_code
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "course"
        message = " ".join(error.format_message().split())
        print(f"course: {message} Run {command} --help for usage.", file=sys.stderr)
        return 2
