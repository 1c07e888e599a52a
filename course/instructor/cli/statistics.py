"""`course statistics`: the results of a class in an assignment."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from course.instructor.cli import options
from course.instructor.cli.assignment_selection import find_for_each
from course.instructor.course_dir import assignment_names

if TYPE_CHECKING:
    from course.instructor.statistics.class_statistics import CellStatistics


@click.command("statistics")
@options.names
@click.pass_obj
def command(root: Path, names: tuple[str, ...]) -> int:
    """Show which tests a class failed, and why.

    NAME is an assignment, such as 02-mnist; without names, all assignments that have graded
    submissions. A page shows the scores, the most frequent messages of each test, and the tests
    that may be wrong, such as those that nearly everyone fails.
    """
    selected = assignment_names(root, names)
    from course import tables
    from course.instructor.statistics import class_statistics, writer

    for name, found in find_for_each(
        selected, bool(names), lambda name: class_statistics.read_statistics(root, name)
    ):
        print(f"{name}: {len(found.scores)} graded")
        if found.cells:
            print(tables.table([_row(cell) for cell in found.cells]))
        for cell in found.cells:
            if cell.suspicion:
                print(f"{cell.name}: {cell.suspicion}")
        print(writer.write(root, found), flush=True)
    return 0


def _row(cell: "CellStatistics") -> dict[str, str]:
    """Return one row of the printed table."""
    message, count = cell.messages[0] if cell.messages else ("", 0)
    return {
        "cell": cell.name,
        "points": f"{cell.points:g}",
        "mean": f"{cell.mean:.2f}" if cell.scores else "-",
        "lost points": f"{cell.lost} of {len(cell.scores)}" if cell.scores else "-",
        "most frequent message": f"{count} x {message[:60]}" if message else "",
    }
