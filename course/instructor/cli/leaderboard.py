"""`course leaderboard`: ranking the measured accuracy of submitted weights."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from course.errors import CourseError
from course.instructor.cli import options
from course.instructor.cli.assignment_selection import find_for_each
from course.instructor.cli.evidence import print_measured
from course.instructor.course_dir import assignment_names

if TYPE_CHECKING:
    from course.instructor.leaderboard.ranking import Entry


@click.command("leaderboard")
@options.names
@click.option(
    "--budget",
    "budgets",
    multiple=True,
    metavar="DEVICE=SECONDS",
    show_default="the budget in the source",
    help="Limit on the training time on CPU or GPU, in seconds, such as GPU=60; repeatable.",
)
@click.option(
    "--pseudonyms",
    is_flag=True,
    help="Replace names with pseudonyms, so that you can publish the leaderboard.",
)
@click.pass_obj
def command(root: Path, names: tuple[str, ...], budgets: tuple[str, ...], pseudonyms: bool) -> int:
    """Rank the measured test accuracy of submitted weights.

    NAME is an assignment, such as 08-capstone; without names, all assignments whose evidence can be
    measured on test images. Seconds, device, and backend are self-reported and cannot be measured.
    The exit code is 1 if an entry is flagged for manual review, or if several students submitted
    the same weights.
    """
    seconds = dict(map(_parse_budget, budgets))
    selected = assignment_names(root, names)
    from course.instructor import evidence_measurement
    from course.instructor.gradebook.group_submissions import read_course_groups
    from course.instructor.gradebook.submission_results import list_students
    from course.instructor.leaderboard import display_names, ranking, writer

    with_leaderboard = [
        name for name in selected if evidence_measurement.has_leaderboard(root, name)
    ]
    without = [name for name in selected if name not in with_leaderboard]
    if without and (names or not with_leaderboard):
        raise CourseError(
            f"{without[0] if names else root / 'source'} has no leaderboard: define x_test and"
            f" y_test in a cell of the source that is tagged {evidence_measurement.TAG!r}."
        )
    choose_names = display_names.pseudonyms if pseudonyms else display_names.real_names
    groups = read_course_groups(root)
    is_flagged = False
    for name, students in find_for_each(
        with_leaderboard, bool(names), lambda name: list_students(root, "submitted", name)
    ):
        shared = groups.in_assignment(name)
        # Before the slow measurement, because the roster may be invalid.
        shown = choose_names(root, filter(shared.counts, students), shared)
        submissions = []
        for each in evidence_measurement.measure_evidence(root, name, shared=shared):
            print_measured(name, each)
            submissions.append(each)
        for group in evidence_measurement.same_weights(submissions):
            print(f"{name}  the same weights: {', '.join(group)}")
        board = ranking.rank(name, submissions, shown, seconds)
        for table in board.tables:
            print(f"{name}  {table.device}")
            for entry in table.ranked + table.over_budget:
                print(f"    {_line(entry)}")
        page = writer.write(root, board)
        count = sum(bool(entry.evidence.problems) for entry in board.entries)
        print(
            f"{name}: {len(board.entries)} measured, {count} of them flagged for manual review,"
            f" {board.without_evidence} without evidence\n{page}",
            flush=True,
        )
        is_flagged |= board.is_flagged
    return 1 if is_flagged else 0


def _parse_budget(text: str) -> tuple[str, float]:
    """Return the device and the seconds in a value of --budget, such as GPU=60."""
    from course.instructor.evidence_measurement import DEVICES, is_budget

    name, _, value = text.partition("=")
    device = name.upper()
    try:
        seconds = float(value)
    except ValueError:
        seconds = 0.0
    if device not in DEVICES or not is_budget(seconds):
        raise CourseError(
            f"--budget {text} is not a device with a number of seconds: write it as"
            " --budget CPU=900 or --budget GPU=120."
        )
    return device, seconds


def _line(entry: "Entry") -> str:
    """Return the line to print for an entry that is ranked or over the budget."""
    accuracy = f"{entry.evidence.test_accuracy_with_flips or 0:.2%}"
    student = entry.evidence.student
    is_known = entry.name == student or entry.name.endswith(f"({student})")
    name = entry.name if is_known else f"{entry.name} ({student})"
    is_over = "  over the budget" if entry.status == "over budget" else ""
    return f"{entry.rank or '-':>3}  {accuracy}  {name}{is_over}"
