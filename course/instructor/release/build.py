"""Compiling `source/` into `release/`."""

import contextlib
import filecmp
import shutil
import tempfile
from pathlib import Path

import nbformat
from nbgrader import utils
from nbgrader.api import MissingEntry

from course.errors import CourseError
from course.instructor.release import lint
from course.instructor.course_dir import first_error, open_api, source_notebook


def build(root, name):
    """Compile one assignment into `release/` and enter its cells in the gradebook.

    The old release stays whole until the new one is.

    Parameters
    ----------
    root : Path
        The course directory.
    name : str
        The assignment.

    Raises
    ------
    CourseError
        If a test cell needs what cannot cross between the two kernels of grading, or nbgrader
        refuses the source notebook; the reason is in the message.
    """
    lint.check(source_notebook(root, name))
    # nbgrader takes a path that is not absolute for one below the course directory.
    target = Path(root, "release", name).resolve()
    target.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".building-", dir=target.parent) as workshop:
        fresh = _generate(root, name, Path(workshop, "new"))
        if target.exists():
            target.rename(Path(workshop, "old"))
        fresh.rename(target)


@contextlib.contextmanager
def comparison(root):
    """Compare releases with what their sources compile to.

    Parameters
    ----------
    root : Path
        The course directory; nothing in it changes, the gradebook neither.

    Yields
    ------
    function
        Takes an assignment's name and returns the files that differ, as a list of paths below the
        course directory; empty where the release is fresh.
    """
    with tempfile.TemporaryDirectory(prefix="release-") as workshop:
        # One for all assignments: nbgrader takes seconds to make a gradebook.
        database = f"sqlite:///{workshop}/gradebook.db"

        def stale_files(name):
            fresh = _generate(root, name, Path(workshop, "new"), database)
            committed = Path(root, "release", name)
            return [f"release/{name}/{path}" for path in _differences(fresh, committed)]

        yield stale_files


def ensure_in_gradebook(root, name):
    """Enter an assignment's cells in the gradebook unless they are there.

    A fresh clone has releases but no gradebook.
    """
    source = source_notebook(root, name)
    api = open_api(root)
    with api.gradebook as gradebook:
        entered = _is_entered(gradebook, source, name)
    if not entered:
        with tempfile.TemporaryDirectory(prefix="release-") as workshop:
            _generate(root, name, Path(workshop, "new"))


def _is_entered(gradebook, source, name):
    """Return whether the gradebook has every cell of an assignment."""
    try:
        notebook = gradebook.find_notebook(source.stem, name)
    except MissingEntry:
        return False
    if notebook.submissions:
        return True
    # nbgrader enters cell by cell, so that a kill leaves some of them.
    cells = nbformat.read(source, as_version=4).cells
    kinds = utils.is_grade, utils.is_solution, utils.is_locked, utils.is_task
    wanted = {cell.metadata.nbgrader.grade_id for cell in cells if any(is_(cell) for is_ in kinds)}
    return wanted <= {cell.name for cell in notebook.source_cells}


def _generate(root, name, release_directory, database=None):
    """Let nbgrader compile into another directory; return the assignment's folder there."""
    api = open_api(root)
    api.coursedir.release_directory = str(release_directory)
    if database:
        api.coursedir.db_url = database
    result = api.generate_assignment(name, force=True)
    if not result["success"]:
        shutil.rmtree(release_directory, ignore_errors=True)
        raise CourseError(f"source/{name} does not compile: {first_error(result['log'])}")
    return Path(release_directory, name)


def _differences(fresh, committed):
    files = {
        path.relative_to(tree)
        for tree in (fresh, committed)
        for path in tree.rglob("*")
        if path.is_file()
    }
    return sorted(
        str(file)
        for file in files
        if not (fresh / file).is_file()
        or not (committed / file).is_file()
        or not filecmp.cmp(fresh / file, committed / file, shallow=False)
    )
