"""Changes in a source notebook since its release, found by comparing it with the gradebook."""

from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbgrader import utils
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.apps import NbGraderAPI
from nbgrader.converters import GenerateAssignment
from nbgrader.preprocessors import SaveCells
from sqlalchemy.engine import make_url
from traitlets.utils.importstring import import_item

from course.errors import CourseError
from course.instructor.course_dir import open_api, source_notebook
from course.instructor.shortened_list import shorten_list

MAX_LISTED = 5  # cells in a message


def describe_changes(root: Path, name: str) -> str | None:
    """Return a sentence if an assignment's graded or locked cells have changed since its release.

    Submissions are graded with the cells that the release entered in the gradebook. Returns None if
    they are the same, or if the assignment has never been released.
    """
    api, source = open_api(root), source_notebook(root, name)
    database = make_url(api.coursedir.db_url)
    # Opening a missing gradebook would create one.
    if database.drivername == "sqlite" and not Path(str(database.database)).is_file():
        return None
    try:
        with api.gradebook as gradebook:
            released = _released_cells(gradebook, source)
    except MissingEntry:
        return None
    try:
        current = _compiled_cells(api, source)
    except CourseError as error:
        return f"{error} Grading uses the release."
    except Exception as error:  # nbgrader and its steps raise many types for an invalid source
        changes = f"it does not compile: {type(error).__name__}"
    else:
        changed = sorted(
            each
            for each in current.keys() | released.keys()
            if current.get(each) != released.get(each)
        )
        if not changed:
            return None
        changes = f"cells {shorten_list(changed, MAX_LISTED)}"
    return (
        f"source/{name} has changed since its release ({changes}), and grading uses the release: to"
        f" use the new version, run course release {name}, then course grade {name} --outdated."
    )


def _released_cells(gradebook: Gradebook, source: Path) -> dict[str, tuple[Any, ...]]:
    """Return the data that the gradebook contains about each cell, by grade id."""
    notebook = gradebook.find_notebook(source.stem, source.parent.name)
    points = {cell.name: cell.max_score for cell in [*notebook.grade_cells, *notebook.task_cells]}
    solutions = {cell.name for cell in notebook.solution_cells}
    return {
        cell.name: (
            cell.cell_type,
            cell.source,
            cell.locked,
            points.get(cell.name),
            cell.name in solutions,
        )
        for cell in notebook.source_cells
    }


def _compiled_cells(api: NbGraderAPI, source: Path) -> dict[str, tuple[Any, ...]]:
    """Return the data that a release would enter in the gradebook for each cell, by grade id."""
    found = {}
    for cell in _compile(api, source).cells:
        kinds = utils.is_grade, utils.is_solution, utils.is_locked, utils.is_task
        is_grade, is_solution, is_locked, is_task = (bool(is_kind(cell)) for is_kind in kinds)
        if is_grade or is_solution or is_locked or is_task:
            settings = cell.metadata.nbgrader
            points = float(settings.points) if is_grade or is_task else None
            found[settings.grade_id] = (
                cell.cell_type,
                cell.source,
                is_locked,
                points,
                is_solution,
            )
    return found


def _compile(api: NbGraderAPI, source: Path) -> NotebookNode:
    """Return a source notebook as it is when a release saves its cells in the gradebook."""
    converter = GenerateAssignment(coursedir=api.coursedir, parent=api)
    exporter = converter.exporter_class(parent=converter, config=converter.config)
    for each in converter.preprocessors:
        step = import_item(each) if isinstance(each, str) else each
        if issubclass(step, SaveCells):
            break
        exporter.register_preprocessor(step)
    ids = {"student": ".", "assignment": source.parent.name, "notebook": source.stem}
    resources = {"nbgrader": ids | {"db_url": api.coursedir.db_url}}
    text, _ = exporter.from_filename(str(source), resources)
    return nbformat.reads(text, as_version=4)
