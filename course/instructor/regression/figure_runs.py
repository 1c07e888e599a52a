"""Runs of the cells that draw the figures of finished results."""

import base64
import json
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from course.errors import CourseError
from course.instructor.course_dir import source_notebook
from course.instructor.regression import notebook_execution, run_store
from course.instructor.regression.plan import Plan
from course.instructor.regression.run_records import RunJob
from course.instructor.release.result_figures import DRAWS_TAG, cells_with_tag, required_cells

PROFILE = "cpu"  # real data on any machine: the figure shows what a student gets


def draw(root: Path, name: str, parameters: dict[str, Any]) -> bytes:
    """Run the cells on which the figure of an assignment depends, and return the PNG image.

    Raises CourseError as `run_solution` does.
    """
    return _drawn_image(run_solution(root, name, parameters))


def run_solution(
    root: Path, name: str, parameters: dict[str, Any], tag: str = DRAWS_TAG
) -> NotebookNode:
    """Run the cells of a solution with a tag, and those on which they depend; return the notebook.

    A saved run of `course run` is used if nothing on which it depends has changed since. Raises
    CourseError if a cell fails; deviations from the bands do not matter here.
    """
    source = source_notebook(root, name)
    (job,) = Plan(root / "build" / "runs", {name: source}, PROFILE, [0], parameters).jobs
    saved = run_store.load(job.folder)
    if saved and not saved.error and saved.digest == job.run.digest:
        return nbformat.read(saved.notebook, as_version=4)
    notebook = nbformat.reads(job.text, as_version=4)
    notebook.cells = required_cells(notebook, tag)
    # Without a folder, the run leaves nothing behind that a complete run could mistake for its own.
    job = RunJob(job.run, job.source, nbformat.writes(notebook), folder="")
    run, executed = notebook_execution.execute(job)
    if run.error:
        raise CourseError(f"source/{name} failed under the {PROFILE} profile: {run.error}.")
    return nbformat.from_dict(json.loads(executed))


def _drawn_image(notebook: NotebookNode) -> bytes:
    """Return the last PNG image that the executed notebook's cell for the figure shows."""
    (cell,) = cells_with_tag(notebook, DRAWS_TAG)
    images = [output["data"].get("image/png") for output in cell.outputs if "data" in output]
    for image in filter(None, reversed(images)):
        return base64.b64decode(image)
    raise CourseError(
        f"the cell tagged {DRAWS_TAG} shows no figure: make the figure the value of its last line."
    )
