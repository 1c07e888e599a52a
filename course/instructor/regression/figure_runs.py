"""Runs of solution notebooks for the figures of finished results."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

from course.errors import CourseError
from course.instructor.course_dir import source_notebook
from course.instructor.regression import run_store
from course.instructor.regression.plan import Plan
from course.instructor.regression.suite import RegressionSuite
from course.instructor.release.result_figures import DRAWS_TAG, cells_with_tag

PROFILE = "cpu"  # real data on any machine; what the figure shows is what a student gets


def executed_notebooks(
    root: Path, names: list[str], parameters: dict[str, Any]
) -> Iterator[tuple[str, Path]]:
    """Yield (assignment, path) for each executed notebook.

    A saved run of `course run` is used if nothing on which it depends has changed since. Raises
    CourseError if a notebook fails; deviations from the bands do not matter here.
    """
    for name in names:
        sources = {name: source_notebook(root, name)}
        plan = Plan(root / "build" / "runs", sources, PROFILE, [0], parameters)
        (job,) = plan.jobs
        run = run_store.load(job.folder)
        if not run or run.error or run.digest != job.run.digest:
            (checked,) = RegressionSuite(root, plan).run(1, None, 1)
            run = checked.run
            plan.finish()
        if run.error:
            raise CourseError(f"source/{name} does not run in the profile {PROFILE}: {run.error}.")
        yield name, Path(job.run.notebook)


def drawn_image(notebook: NotebookNode) -> bytes:
    """Return the PNG image that the executed notebook's cell for the figure shows."""
    (cell,) = cells_with_tag(notebook, DRAWS_TAG)
    images = [output["data"].get("image/png") for output in cell.outputs if "data" in output]
    for image in filter(None, reversed(images)):
        return base64.b64decode(image)
    raise CourseError(
        f"the cell tagged {DRAWS_TAG} shows no figure: make the figure the value of its last line."
    )
