"""A course directory: its configuration, its assignments, and nbgrader's API for it."""

import logging
import re
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course.errors import CourseError

if TYPE_CHECKING:
    from nbgrader.apps import NbGraderAPI
    from traitlets.config import Config

CONFIG_NAME = "nbgrader_config.py"
# nbgrader uses the path as a file name pattern, and SQLAlchemy and Alembic use it in a URL.
UNUSABLE_CHARACTERS = re.compile(r"[*?\[%\x00-\x1f\x7f]")


def check_course_dir(root: Path) -> None:
    """Raise CourseError if a directory has no nbgrader_config.py or a path nbgrader cannot use."""
    if not Path(root, CONFIG_NAME).is_file():
        raise CourseError(
            f"{Path(root).resolve()} is not a course directory (it has no {CONFIG_NAME}): change to"
            " the course directory or specify it with -C."
        )
    if found := UNUSABLE_CHARACTERS.search(str(Path(root).resolve())):
        raise CourseError(
            f"the path of the course directory, {str(Path(root).resolve())!r}, contains"
            f" {found[0]!r}, which nbgrader cannot use: rename the folder."
        )


def load_config(root: Path) -> "Config":
    """Load a course directory's nbgrader_config.py as a traitlets configuration.

    Raises CourseError if the file is missing or raises an error.
    """
    from traitlets.config.loader import PyFileConfigLoader

    check_course_dir(root)
    path = Path(root, CONFIG_NAME)
    try:
        return PyFileConfigLoader(CONFIG_NAME, path=str(root)).load_config()
    except Exception as error:  # the file is a program that can fail in any way
        reason = f"{type(error).__name__}: {error}"
        raise CourseError(f"cannot read {path} ({reason}): correct the file.") from None


def assignment_names(root: Path, requested: Sequence[str] = ()) -> list[str]:
    """Return the names of the requested assignments, or of all in `source/`, in alphabetical order.

    Raises CourseError if a name is unknown or `root` is not a course directory.
    """
    root = Path(root)
    check_course_dir(root)
    notebooks = root.glob("source/*/*.ipynb")
    known = sorted({path.parent.name for path in notebooks if not is_hidden(path)})
    for name in requested:
        if name not in known:
            raise CourseError(
                f"{name!r} is not an assignment in {root / 'source'}: choose from"
                f" {', '.join(known)}."
            )
    return [name for name in known if not requested or name in requested]


def source_notebook(root: Path, name: str) -> Path:
    """Return the path of an assignment's only source notebook; raise CourseError otherwise."""
    folder = Path("source", name)
    found = sorted(path for path in Path(root, folder).glob("*.ipynb") if not is_hidden(path))
    if len(found) != 1:
        names = f"{len(found)} notebooks ({', '.join(each.name for each in found)})"
        step = "move the others to another folder" if found else "add it"
        raise CourseError(
            f"{folder} has {names if found else 'no notebook'}, but an assignment must have exactly"
            f" one: {step}."
        )
    return found[0]


def is_hidden(path: Path) -> bool:
    """Return whether a file or its folder is hidden, such as .~lock.ipynb of an editor."""
    return path.name.startswith(".") or path.parent.name.startswith(".")


def mentions_keras(source: Path) -> bool:
    """Return whether a notebook mentions Keras, so that running it probably requires Keras."""
    return "keras" in source.read_text("utf-8").lower()


def open_api(root: Path) -> "NbGraderAPI":
    """Return nbgrader's API for a course directory, without log output in the terminal.

    By itself, nbgrader would also load the configuration of the current directory, which may
    name the gradebook of another course. Each API call returns its log.
    """
    from nbgrader.apps import NbGraderAPI
    from nbgrader.apps.baseapp import NbGrader
    from sqlalchemy.exc import SAWarning

    # SQLAlchemy 2.1 warns of future changes for every submission; nbgrader 0.9 works with 2.1.
    warnings.filterwarnings("ignore", category=SAWarning)
    app = NbGrader()
    app.load_cwd_config = False
    app.config_file = str(Path(root).resolve() / Path(CONFIG_NAME).stem)
    app.initialize([], root=str(Path(root).resolve()))
    app.log.handlers[:] = [logging.NullHandler()]
    app.log.propagate = False
    app.log.setLevel(logging.INFO)
    return NbGraderAPI(coursedir=app.coursedir, parent=app)


def first_error(outcome: Mapping[str, Any]) -> str:
    """Return the line that states the error in the result of a call to nbgrader's API."""
    # There is no log if the call failed before it began, for example because of its configuration.
    text = outcome.get("log") or outcome.get("error") or ""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    # The last line is "see the above traceback"; the first exception's own line is more specific.
    exceptions = [
        line for line in lines if re.match(r"[\w.]*(Error|Exception|MissingEntry): ", line)
    ]
    return (exceptions or lines[-1:] or ["nbgrader reported no reason"])[0]
