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
@click.option(
    "--site",
    "for_site",
    is_flag=True,
    help="Draw the figures of the web site instead: those that need real images or training.",
)
@click.pass_obj
def command(root: Path, names: tuple[str, ...], parameters: tuple[str, ...], for_site: bool) -> int:
    """Draw the figures of finished results.

    For each figure, the cell tagged draws-result, and the cells of the solution on which it
    depends, run in the cpu profile. The figure is stored in the student package. NAME is an
    assignment, such as 02-mnist; without names, only figures whose code has changed are drawn.
    """
    import nbformat

    from course.instructor.release import result_figures

    if for_site:
        if parameters:
            raise CourseError(
                "--site draws the figures with the notebook's own parameters: leave out -p."
            )
        return _draw_for_site(root, names)
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


def _draw_for_site(root: Path, names: tuple[str, ...]) -> int:
    """Draw the figures that the web site keeps: of the named notebooks, or of all changed ones."""
    import nbformat

    from course.instructor.site import kept_figures

    selected = {}
    for name in assignment_names(root, names):
        path = root / "release" / name / source_notebook(root, name).name
        if not path.is_file():
            raise CourseError(f"release/{name} has no notebook: run course release {name} first.")
        notebook = nbformat.read(path, as_version=4)
        source = nbformat.read(source_notebook(root, name), as_version=4)
        if names or not kept_figures.is_current(name, notebook, source):
            selected[name] = notebook, source
    if not selected:
        print("All figures are up to date with their code.")
        return 0
    forkserver_warmup.start_for_notebooks()
    from course.instructor.regression import figure_runs

    for name, (notebook, source) in selected.items():
        solved = figure_runs.run_solution(root, name, {}, kept_figures.SOLUTION_TAG)
        sizes = kept_figures.draw(name, notebook, source, solved)
        print(f"{name}: {len(sizes)} figures, {sum(sizes) // 1024} KB", flush=True)
    return 0
