"""`course try`: grading the solution and the empty release of an assignment."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from course.instructor.cli import options
from course.instructor.course_dir import assignment_names, source_notebook

if TYPE_CHECKING:
    from course.instructor.grading.trial import TriedTest


@click.command("try")
@options.names
@click.option(
    "--no-isolation",
    is_flag=True,
    help="Run the solution without a sandbox and with your permissions.",
)
@click.pass_obj
def command(root: Path, names: tuple[str, ...], no_isolation: bool) -> int:
    """Grade the solution and the empty release before you publish.

    NAME is an assignment, such as 02-mnist; without names, all assignments are tried. The current
    source is compiled and graded in a temporary folder: nothing in the course directory changes.
    The table shows what each test gives the solution and the empty release, and how many seconds it
    takes. The exit code is 1 if the solution does not earn all automatic points, or if the empty
    release earns any.
    """
    selected = assignment_names(root, names)
    from course import tables
    from course.instructor.grading import trial
    from course.instructor.marking import scheme_rules

    has_problems = False
    for name in selected:
        scheme_rules.check_mark_schemes(source_notebook(root, name))
        found = trial.try_assignment(root, name, isolated=not no_isolation)
        print(
            f"{name}: {found.points:g} automatic and {found.manual_points:g} manual points,",
            end=" ",
        )
        print(f"{found.seconds:.1f} s for the solution")
        if found.tests:
            print(tables.table([_row(test) for test in found.tests]), flush=True)
        for test in found.tests:
            if test.needs_evidence:
                print(f"{test.name} needs evidence, which this command does not create.")
        for problem in found.problems:
            print(f"course: {name}: {problem}", file=sys.stderr, flush=True)
            has_problems = True
    return 1 if has_problems else 0


def _row(test: "TriedTest") -> dict[str, str]:
    """Return one row of the printed table."""
    return {
        "test": test.name,
        "points": f"{test.points:g}",
        "solution": f"{test.solution:g}",
        "empty": f"{test.empty:g}",
        "seconds": f"{test.seconds:.2f}",
    }
