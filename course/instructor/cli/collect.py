"""`course collect`: collecting submissions."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from course.errors import CourseError
from course.instructor.cli import options

if TYPE_CHECKING:
    from course.instructor.collect.submission_finder import FileResult

MAX_LINES = 12  # files listed per state and reason; the others are counted


@click.command("collect")
@click.argument("path", type=options.PATH)
@options.names
@options.roster
@options.student("Student who submitted all of it.")
@click.option(
    "--force", is_flag=True, help="Replace submissions that exist; the replaced ones are saved."
)
@click.pass_obj
def command(
    root: Path,
    path: Path,
    names: tuple[str, ...],
    roster: Path | None,
    student: str | None,
    force: bool,
) -> int:
    """Collect submissions from a folder, archive or notebook.

    PATH is a folder, a zip archive, or a notebook.
    NAME is an assignment that PATH may contain, such as 02-mnist; without names, it may contain
    all assignments. The exit code is 1 if a file is flagged for manual review.
    """
    from course.instructor.course_dir import assignment_names

    selected = assignment_names(root, names)
    from course.instructor.collect import collection, submission_finder
    from course.instructor.roster import roster as rosters

    if student is not None and not rosters.is_valid_student_id(student):
        raise CourseError(f"{student!r} cannot be the name of a folder: choose another name.")
    class_roster = rosters.read_roster(roster) if roster else rosters.read_course_roster(root)
    collect_options = collection.CollectOptions(class_roster, student, force)
    collected = collection.Collection(root, path, selected, collect_options)
    grouped_states = (
        submission_finder.LEFT_OUT,
        submission_finder.OLDER,
        submission_finder.FOR_A_PERSON,
    )
    grouped: dict[tuple[str, str], list[FileResult]] = {}
    for row in collected.run():
        if row.state in grouped_states:
            grouped.setdefault((row.state, row.words), []).append(row)
        elif row.words != "evidence":
            print(_line(row), flush=True)
    for (state, reason), rows in sorted(grouped.items(), key=lambda item: item[0][0]):
        for row in rows[:MAX_LINES]:
            print(_line(row))
        if len(rows) > MAX_LINES:
            print(f"{state}: {reason}: {len(rows) - MAX_LINES:,} more files")
    for name, students in collected.missing().items():
        if students:
            print(f"missing in {name}: {', '.join(students)}")
    counts = Counter(row.state for row in collected.rows)
    print(f"{counts.total():,} files: {', '.join(f'{n:,} {state}' for state, n in counts.items())}")
    print(f"list of all files: {collected.folder / 'table.csv'}")
    return 1 if counts[submission_finder.FOR_A_PERSON] else 0


def _line(row: "FileResult") -> str:
    """Return the line of one file."""
    owner = "  ".join(each for each in (row.assignment, row.student) if each)
    reason = f": {row.words}" if row.words else ""
    return f"{owner or row.file}  {row.state}{reason}" + (f"  ({row.file})" if owner else "")
