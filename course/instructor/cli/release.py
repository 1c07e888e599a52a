"""`course release`: compiling assignments."""

import sys
from pathlib import Path

import click

from course.instructor.cli import options
from course.instructor.course_dir import assignment_names, source_notebook
from course.instructor.provided_files import refused_files
from course.instructor.shortened_list import shorten_list

MAX_LISTED = 5  # file names in a message, or deviations from the conventions


@click.command("release")
@options.names
@click.option(
    "--check", is_flag=True, help="Change nothing; fail if a release differs from its source."
)
@click.pass_obj
def command(root: Path, names: tuple[str, ...], check: bool) -> int:
    """Compile source/ into release/.

    NAME is an assignment, such as 02-mnist; without names, all assignments are compiled.
    """
    names_in_order = assignment_names(root, names)
    from course.instructor.marking import scheme_rules
    from course.instructor.release import build

    if check:
        with build.comparison(root) as stale_files:
            stale = [path for name in names_in_order for path in stale_files(name)]
        for path in stale:
            problem = "differs from what source/ compiles to: run course release."
            print(f"stale: {path} {problem}", file=sys.stderr)
        if not stale:
            print(f"up to date: {', '.join(names_in_order)}")
        return 1 if stale else 0
    for name in names_in_order:
        scheme_rules.check_mark_schemes(source_notebook(root, name))
        removed = build.build(root, name)
        print(f"compiled source/{name} into release/{name}")
        if removed:
            print(f"not released, because no text for students refers to it: {', '.join(removed)}")
        source = source_notebook(root, name)
        if refused := refused_files(source.parent, source.name):
            reason = "backups, outputs of runs, other notebooks, links, and files with solutions"
            listed = shorten_list(refused, MAX_LISTED)
            print(f"not released, because {reason} are not for students: {listed}")
        _print_deviations(name, source)
    return 0


def _print_deviations(name: str, source: Path) -> None:
    """Print where a released notebook deviates from the course's conventions."""
    import nbformat

    from course.instructor.release import conventions

    deviations = conventions.find_deviations(nbformat.read(source, as_version=4), name)
    for deviation in deviations[:MAX_LISTED]:
        print(f"note: {deviation}")
    if len(deviations) > MAX_LISTED:
        print(f"note: {len(deviations) - MAX_LISTED} more deviations from the conventions")
