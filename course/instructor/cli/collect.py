"""`course collect`: collecting submissions."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from course.errors import CourseError
from course.instructor.cli import options
from course.instructor.course_dir import assignment_names, open_api

if TYPE_CHECKING:
    from course.instructor.collect.file_result import FileResult
    from course.instructor.collect.moodle_worksheet import Worksheet

MAX_LINES = 12  # maximum per upload and status; further files are only counted


@click.command("collect")
@click.argument("path", type=options.PATH)
@options.names
@options.roster
@options.student("Student who submitted everything in PATH.")
@options.replace_submissions
@click.option(
    "--force-older",
    is_flag=True,
    help="Replace existing submissions, even with older ones.",
)
@click.option(
    "--times",
    type=options.PATH,
    metavar="WORKSHEET",
    help="Moodle's grading worksheet for the assignment NAME, which has the submission times.",
)
@click.pass_obj
def command(
    root: Path,
    path: Path,
    names: tuple[str, ...],
    roster: Path | None,
    student: str | None,
    force: bool,
    force_older: bool,
    times: Path | None,
) -> int:
    """Collect submissions from a folder, archive, or notebook.

    PATH is a folder, a zip archive, or a notebook. NAME is an assignment that PATH may contain,
    such as 02-mnist; without names, it may contain any assignment. In this case, if more than half
    of the students in an export from Canvas or Moodle submitted the same assignment, notebooks for
    other assignments are flagged for manual review. The exit code is 1 if a file is flagged.

    A newer submission from the same platform replaces an older one.
    """
    selected = assignment_names(root, names)
    if times and len(names) != 1:
        raise CourseError(
            "a grading worksheet belongs to one assignment: name it, as in course collect"
            f" {path} {selected[0]} --times {times}, or leave out --times."
        )
    from course.instructor.collect import collection
    from course.instructor.collect.file_result import FileStatus
    from course.instructor.gradebook.excused import read_excused
    from course.instructor.gradebook.group_submissions import read_course_groups
    from course.instructor.gradebook.roster_matching import read_collection_roster
    from course.instructor.roster.roster import is_valid_student_id

    if student is not None and not is_valid_student_id(student):
        raise CourseError(f"{student!r} cannot be the name of a folder: choose another name.")
    class_roster = read_collection_roster(root, roster)
    read_course_groups(root)  # before anything is collected, because the table may be invalid
    worksheet = _read_worksheet(root, times) if times else None
    collect_options = collection.CollectOptions(
        class_roster, student, force, force_older, bool(names), worksheet
    )
    excused = read_excused(root)
    collected = collection.Collection(root, path, selected, collect_options)
    immediate = (FileStatus.COLLECTED, FileStatus.REPAIRED)
    grouped: dict[tuple[str, str, str], list[FileResult]] = {}
    for result in collected.run():
        if result.status not in immediate:
            # One student's files must not hide those of another. The details of one student's files
            # can all differ; only files without an owner are grouped by their details.
            whose = result.student or result.upload
            reason = "" if whose else result.details
            grouped.setdefault((result.status, whose, reason), []).append(result)
        elif not result.is_accompanying:
            print(_line(result), flush=True)
    for (status, whose, reason), results in sorted(grouped.items(), key=lambda item: item[0][0]):
        for result in results[:MAX_LINES]:
            print(_line(result))
        if len(results) > MAX_LINES:
            count = len(results) - MAX_LINES
            more = f"{count:,} more file{'s' * (count > 1)}"
            print(": ".join(filter(None, [status, reason, f"{more}{whose and f' of {whose}'}"])))
    for name, students in collected.missing().items():
        if missing := [each for each in students if (name, each) not in excused]:
            print(f"missing in {name}: {', '.join(missing)}")
    counts = Counter(result.status for result in collected.results)
    summary = ", ".join(f"{n:,} {status}" for status, n in counts.items())
    print(f"{counts.total():,} files: {summary}")
    print(f"list of all files: {collected.table}")
    return 1 if counts[FileStatus.MANUAL_REVIEW] else 0


def _read_worksheet(root: Path, path: Path) -> "Worksheet":
    """Read a grading worksheet, interpreting its times in the time zone of the course."""
    from course.instructor.collect.moodle_worksheet import read_worksheet
    from course.instructor.lateness.late_policy import course_time_zone

    return read_worksheet(path, course_time_zone(open_api(root)))


def _line(result: "FileResult") -> str:
    """Return the line to print for one file."""
    owner = "  ".join(each for each in (result.assignment, result.student) if each)
    reason = f": {result.details}" if result.details else ""
    file = f"  ({result.file})" if owner else ""
    return f"{owner or result.file}  {result.status}{reason}{file}"
