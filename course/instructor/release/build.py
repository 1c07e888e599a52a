"""Compiling `source/` into `release/`."""

import contextlib
import filecmp
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
from nbgrader import utils
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.apps import NbGraderAPI

from course.errors import CourseError
from course.files import replacing_folder
from course.instructor.course_dir import first_error, open_api, source_notebook
from course.instructor.provided_files import provided_files
from course.instructor.release import lint, notebook_lint


def build(root: Path, name: str) -> list[str]:
    """Compile one assignment into `release/` and enter its cells in the gradebook.

    Returns the names of the attachments that are not released because no released text refers to
    them, such as images in solutions.

    Raises CourseError, without changing the old release, if the source breaks a rule of
    `lint.check_source`, if a notebook that has submissions was renamed, or if nbgrader rejects the
    source.
    """
    lint.check_source(source_notebook(root, name))
    with tempfile.TemporaryDirectory(prefix="release-") as temporary:
        compiled = _compile(root, name, Path(temporary))
        with replacing_folder(Path(root, "release", name)) as staging:
            shutil.copytree(compiled, staging, dirs_exist_ok=True)
        source = source_notebook(root, name)
        pair = (nbformat.read(each, as_version=4) for each in (source, compiled / source.name))
        return notebook_lint.removed_attachments(*pair)


@contextlib.contextmanager
def comparison(root: Path) -> Iterator[Callable[[str], list[str]]]:
    """Yield a function that returns the files of an assignment's release that are out of date.

    The paths are relative to the course directory; nothing in that directory is changed.
    """
    with tempfile.TemporaryDirectory(prefix="release-") as temporary:
        # All assignments share one gradebook, because nbgrader takes seconds to create one.
        database = f"sqlite:///{temporary}/gradebook.db"

        def stale_files(name: str) -> list[str]:
            compiled = _compile(root, name, Path(temporary, "release"), database)
            committed = Path(root, "release", name)
            return [f"release/{name}/{path}" for path in _differences(compiled, committed)]

        yield stale_files


def ensure_in_gradebook(root: Path, name: str) -> None:
    """Enter an assignment's cells in the gradebook if they are missing, as in a fresh clone."""
    source = source_notebook(root, name)
    api = open_api(root)
    with api.gradebook as gradebook:
        is_entered = _is_entered(gradebook, source, name)
    if not is_entered:
        with tempfile.TemporaryDirectory(prefix="release-") as temporary:
            _compile(root, name, Path(temporary))


def _is_entered(gradebook: Gradebook, source: Path, name: str) -> bool:
    """Return whether the gradebook contains every cell of an assignment."""
    try:
        notebook = gradebook.find_notebook(source.stem, name)
    except MissingEntry:
        return False
    if notebook.submissions:
        return True
    # nbgrader enters one cell at a time, so a killed process may have entered only some cells.
    cells = nbformat.read(source, as_version=4).cells
    kinds = utils.is_grade, utils.is_solution, utils.is_locked, utils.is_task
    expected = {
        cell.metadata.nbgrader.get("grade_id")
        for cell in cells
        if any(is_kind(cell) for is_kind in kinds)
    }
    return expected <= {cell.name for cell in notebook.source_cells}


def _compile(root: Path, name: str, directory: Path, database: str | None = None) -> Path:
    """Compile an assignment with nbgrader into a directory and return its folder there."""
    api = open_api(root)
    api.coursedir.release_directory = str(directory)
    if database:
        api.coursedir.db_url = database
    _check_name(api, source_notebook(root, name), name)
    result = api.generate_assignment(name, force=True)
    if not result["success"]:
        shutil.rmtree(directory, ignore_errors=True)
        raise CourseError(_refusal(name, first_error(result)))
    compiled = Path(directory, name)
    _remove_what_is_not_provided(compiled, source_notebook(root, name))
    return compiled


def _check_name(api: NbGraderAPI, source: Path, name: str) -> None:
    """Raise CourseError if a notebook was renamed and there are submissions for the old name."""
    with api.gradebook as gradebook:
        try:
            entered = gradebook.find_assignment(name).notebooks
        except MissingEntry:
            return
        for notebook in entered:
            if notebook.name != source.stem and notebook.submissions:
                raise CourseError(
                    f"there are submissions for source/{name}/{notebook.name}.ipynb, but the source"
                    f" is now {source.name}: give it its old name."
                )


def _refusal(name: str, reason: str) -> str:
    """Return the sentence for the reason why nbgrader does not compile an assignment."""
    # A preprocessor of the course raises whole sentences, which name the notebook and the cell.
    _, _, sentence = reason.partition(f"{CourseError.__name__}: ")
    return sentence or f"source/{name} does not compile: {reason}"


def _remove_what_is_not_provided(compiled: Path, source: Path) -> None:
    """Remove the files that nbgrader has copied but that students do not get."""
    kept = {*provided_files(source.parent), source.name}
    for path in sorted(compiled.rglob("*"), reverse=True):
        if path.is_dir() and not path.is_symlink():
            with contextlib.suppress(OSError):  # not empty
                path.rmdir()
        elif path.relative_to(compiled).as_posix() not in kept:
            path.unlink()


def _differences(compiled: Path, committed: Path) -> list[str]:
    """Return the relative paths of the files that differ between two folders."""
    files = {
        str(path.relative_to(folder))
        for folder in (compiled, committed)
        for path in folder.rglob("*")
        if path.is_file()
    }
    _, different, missing = filecmp.cmpfiles(compiled, committed, files, shallow=False)
    return sorted(different + missing)
