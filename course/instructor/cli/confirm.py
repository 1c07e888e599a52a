"""`course confirm`: confirming manual scores after a regrade."""

from pathlib import Path

import click

from course.errors import CourseError
from course.instructor.cli import options
from course.instructor.course_dir import assignment_names, open_api


@click.command("confirm")
@options.names
@options.student("Confirm only this student's scores.")
@click.pass_obj
def command(root: Path, names: tuple[str, ...], student: str | None) -> int:
    """Confirm the manual scores that are pending after a regrade.

    A regrade keeps all manual scores. Scores of tests, and of answers whose text has changed, are
    pending until you confirm them, here or in the formgrader. NAME is an assignment, such as
    02-mnist; without names, all assignments. Answers without a manual score stay pending.
    """
    selected = assignment_names(root, names)
    from course.instructor.gradebook import health, pending_scores
    from course.instructor.gradebook.group_submissions import read_course_groups

    api = open_api(root)
    health.require_gradebook(root, api.coursedir.db_url)
    with api.gradebook as gradebook:
        groups = read_course_groups(root, gradebook)
        known = {each.id for each in gradebook.students}.union(groups.students)
        if student is not None and student not in known:
            raise CourseError(f"{student!r} is not in the gradebook: check the spelling.")
        for name in selected:
            owner = student and groups.in_assignment(name).submitter_for(student)
            count = pending_scores.confirm(gradebook, name, owner)
            waiting = pending_scores.count_without_score(gradebook, name, owner)
            print(f"{name}: {count} confirmed, {waiting} without a manual score stay pending")
    return 0
