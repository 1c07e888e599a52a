"""`course figures`: drawing the figures at the top of the notebooks."""

from pathlib import Path

import click

from course.errors import CourseError
from course.instructor.cli import forkserver_warmup, options
from course.instructor.cli.run import parse_parameters
from course.instructor.course_dir import assignment_names, source_notebook


@click.command("figures")
@options.names
@options.parameters
@click.pass_obj
def command(root: Path, names: tuple[str, ...], parameters: tuple[str, ...]) -> int:
    """Draw the figures of finished results.

    For each figure, the cell tagged draws-result, and the cells of the solution on which it
    depends, run in the cpu profile. The figure is stored in the student package. NAME is an
    assignment, such as 02-mnist; without names, only figures whose code has changed are drawn.
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
        print("All figures are up to date with their code.")
        return 0
    forkserver_warmup.start_for_notebooks()
    from course.instructor.regression import figure_runs

    values = parse_parameters(parameters)
    for name, digest in selected.items():
        size = result_figures.store(name, figure_runs.draw(root, name, values), digest)
        print(f"{name}: drawn, {size // 1024} KB; now run course release {name}", flush=True)
    return 0
