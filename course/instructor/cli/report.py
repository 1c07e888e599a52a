"""`course report`: writing the report page."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from course.instructor.cli import options
from course.instructor.cli.run import result_line
from course.instructor.course_dir import check_course_dir, open_api

if TYPE_CHECKING:
    from course.instructor.gradebook.submission_results import SubmissionResult


@click.command("report")
@click.option(
    "--gradebook",
    type=options.PATH,
    metavar="DIR",
    show_default="the course directory",
    help="Course directory whose gradebook supplies the scores.",
)
@click.pass_obj
def command(root: Path, gradebook: Path | None) -> int:
    """Write a report on the gradebook and the saved runs.

    The page is build/report/index.html.
    """
    check_course_dir(root)
    from course import tables
    from course.instructor.gradebook import health, submission_results
    from course.instructor.lateness import due_dates
    from course.instructor.regression import report
    from course.instructor.regression.checked_run import load_checked_runs

    graded = gradebook or root
    api = open_api(graded)
    if health.check_gradebook(graded, api.coursedir.db_url)[0] != health.MISSING:
        due_dates.update_all_lateness(api, graded)
    grades = submission_results.read_results(graded)
    checked_runs = load_checked_runs(root)
    page = report.write(root / "build" / "report", grades, checked_runs)
    if grades:
        print(tables.table([_score_row(grade) for grade in grades]))
    for each in checked_runs:
        print(result_line(each))
    print(f"report: {page}")
    return 0


def _score_row(grade: "SubmissionResult") -> dict[str, str]:
    """Return one row of the score table."""
    return {
        "assignment": grade.assignment,
        "student": grade.student,
        "points": f"{grade.score:g}",
        "of": f"{grade.max_score:g}",
        "manual grading": "pending" if grade.needs_manual_grading else "done",
    }
