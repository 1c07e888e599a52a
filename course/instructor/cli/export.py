"""`course export`: writing scores to a file."""

from pathlib import Path
from typing import Any

import click

from course.instructor.cli import options
from course.instructor.course_dir import check_course_dir, open_api


@click.command("export")
@click.argument("path", type=options.PATH)
@click.option(
    "--to",
    type=click.Choice(["csv", "canvas", "moodle", "totals"]),
    default="csv",
    help="File format; totals has one row per student.",
)
@options.roster
@click.option(
    "--student", multiple=True, metavar="STUDENT", help="Export only this student; repeatable."
)
@click.option(
    "--assignment", multiple=True, metavar="NAME", help="Export only this assignment; repeatable."
)
@click.option(
    "--waiting", is_flag=True, help="Include scores that are partly pending manual grading."
)
@click.option("--zero", is_flag=True, help="Write 0 for students without a submission.")
@click.option("--force", is_flag=True, help="Replace an existing file.")
@click.pass_obj
def command(root: Path, path: Path, to: str, roster: Path | None, **settings: Any) -> int:
    """Write the scores to the CSV file PATH."""
    check_course_dir(root)
    from course.instructor.export import plugins
    from course.instructor.gradebook import health
    from course.instructor.lateness import due_dates

    api = open_api(root)
    health.require_gradebook(root, api.coursedir.db_url)
    due_dates.update_all_lateness(api, root)
    # The other options have the same names as the settings of the plugin.
    plugin = plugins.PLUGINS[to](parent=api, to=str(path), roster=str(roster or ""), **settings)
    with api.gradebook as gradebook:
        print(plugin.write(gradebook))
    return 0
