"""`course similar`: listing suspiciously similar submissions."""

from pathlib import Path

import click

from course.instructor.cli import options
from course.instructor.cli.assignment_selection import find_for_each
from course.instructor.course_dir import assignment_names


@click.command("similar")
@options.names
@options.count("--most", "Maximum number of pairs or groups to list.", default=20)
@click.pass_obj
def command(root: Path, names: tuple[str, ...], most: int) -> int:
    """List suspiciously similar submissions.

    NAME is an assignment, such as 02-mnist; without names, all assignments that have submissions
    are compared. A page for each assignment shows the similar parts side by side. The exit code is
    1 if a submission cannot be read.
    """
    selected = assignment_names(root, names)
    from course.instructor.gradebook.group_submissions import read_course_groups
    from course.instructor.similarity import report

    groups = read_course_groups(root)

    def compare(name: str) -> report.SimilarityReport:
        return report.find_similar(root, name, most, groups.in_assignment(name))

    has_problems = False
    for name, found in find_for_each(selected, bool(names), compare):
        has_problems |= bool(found.problems)
        print(f"{name}: {found.summary}")
        for line in found.problems + found.same_cells + found.shared_evidence:
            print(f"         {line}")
        for group in found.groups:
            print(f"  {group.points:5.1f}  {', '.join(group.students)}")
            for reason in group.reasons:
                print(f"         {reason}")
        print(f"{report.CAUTION}\n{found.path}", flush=True)
    return 1 if has_problems else 0
