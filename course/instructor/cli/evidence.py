"""`course evidence`: measuring submitted weights."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from course.instructor.cli import options
from course.instructor.course_dir import assignment_names

if TYPE_CHECKING:
    from course.instructor.evidence_measurement import MeasuredEvidence


@click.command("evidence")
@options.names
@options.student("Measure only this student's weights.")
@click.pass_obj
def command(root: Path, names: tuple[str, ...], student: str | None) -> int:
    """Measure the accuracy of the weights that students submitted.

    NAME is an assignment, such as 06-dropout-batchnorm; without names, all assignments that require
    evidence are measured. The exit code is 1 if a submission is flagged for manual review, or if
    several students submitted the same weights.
    """
    selected = assignment_names(root, names)
    from course.instructor import evidence_measurement
    from course.instructor.gradebook.group_submissions import read_course_groups

    if not names:
        selected = [name for name in selected if evidence_measurement.requires_evidence(root, name)]
    groups = read_course_groups(root)
    total, flagged, has_equal_weights = 0, 0, False
    for name in selected:
        submissions = []
        shared = groups.in_assignment(name)
        for each in evidence_measurement.measure_evidence(root, name, student, shared):
            print_measured(name, each)
            submissions.append(each)
        for group in evidence_measurement.same_weights(submissions):
            has_equal_weights = True
            print(f"{name}  the same weights: {', '.join(group)}")
        total += len(submissions)
        flagged += sum(bool(each.problems) for each in submissions)
    print(f"{total} measured, {flagged} of them flagged for manual review")
    return 1 if flagged or has_equal_weights else 0


def print_measured(name: str, submission: "MeasuredEvidence") -> None:
    """Print a line for one submission of an assignment, and a line for each of its problems."""
    print(_line(name, submission), flush=True)
    for problem in submission.problems:
        print(f"    {problem}")


def _line(name: str, submission: "MeasuredEvidence") -> str:
    """Return the line to print for one submission."""
    reported, measured = (
        f"{accuracy:.1%}" if isinstance(accuracy, float) else "-"
        for accuracy in (submission.reported_accuracy, submission.measured_accuracy)
    )
    training = f"{submission.experiment or 'no weights'}  {submission.profile}".rstrip()
    verdict = "needs review" if submission.problems else "agrees"
    accuracies = f"reported {reported}, measured {measured}"
    if submission.test_accuracy_with_flips is not None:
        accuracies += (
            f", test {submission.test_accuracy:.1%},"
            f" with flips {submission.test_accuracy_with_flips:.1%}"
        )
    return f"{name}  {submission.student}  {training}  {accuracies}  {verdict}"
