"""`course figures`: drawing the figures at the top of the notebooks."""

from pathlib import Path

import click

from course.errors import CourseError
from course.instructor.cli import forkserver_start, options
from course.instructor.cli.run import parse_parameters
from course.instructor.course_dir import assignment_names, source_notebook


@click.command("figures")
@options.names
@click.option(
    "-p",
    "parameters",
    multiple=True,
    metavar="NAME=VALUE",
    help="Set another parameter of the notebooks; repeatable.",
)
@click.pass_obj
def command(root: Path, names: tuple[str, ...], parameters: tuple[str, ...]) -> int:
    """Draw the figures of finished results.

    Runs the solutions in the cpu profile, takes the figure of the cell tagged draws-result, and
    stores it in the student package. NAME is an assignment, such as 02-mnist; without names, the
    figures are drawn whose code has changed.
    """
    import nbformat

    from course.instructor.release import result_figures

    selected = {}
    for name in assignment_names(root, names):
        notebook = nbformat.read(source_notebook(root, name), as_version=4)
        if result_figures.cells_with_tag(notebook, result_figures.DRAWS_TAG):
            digest = result_figures.code_digest(notebook)
            if names or digest != result_figures.stored_digest(name):
                selected[name] = digest
        elif names:
            raise CourseError(
                f"source/{name} has no cell with the tag {result_figures.DRAWS_TAG}: add the tag to"
                " the cell that draws the finished result."
            )
    if not selected:
        print("Every figure was drawn by the present code.")
        return 0
    forkserver_start.start_for_notebooks()
    from course.instructor.regression import figure_runs

    executed = figure_runs.executed_notebooks(root, list(selected), parse_parameters(parameters))
    for name, path in executed:
        image = figure_runs.drawn_image(nbformat.read(path, as_version=4))
        size = result_figures.store(name, image, selected[name])
        print(f"{name}: the figure has {size // 1024} KB; now run course release {name}")
    return 0
