"""The course directory as nbgrader sees it: where it lies, which assignments it has."""

import logging
import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from course.errors import CourseError

if TYPE_CHECKING:
    from traitlets.config import Config

CONFIG_NAME = "nbgrader_config.py"


def check_course_dir(root: Path) -> None:
    """Raise CourseError if a directory has no nbgrader_config.py."""
    if not Path(root, CONFIG_NAME).is_file():
        raise CourseError(
            f"{Path(root).resolve()} is not a course directory (it has no {CONFIG_NAME}): change to"
            " the course directory, or name it with -C."
        )


def load_config(root: Path) -> "Config":
    """Load a course directory's nbgrader_config.py as a traitlets configuration.

    Raises CourseError if the file is missing or fails; its text is one sentence.
    """
    from traitlets.config.loader import PyFileConfigLoader

    check_course_dir(root)
    path = Path(root, CONFIG_NAME)
    try:
        return PyFileConfigLoader(CONFIG_NAME, path=str(root)).load_config()
    except Exception as error:  # the file is a program, and can fail in any way
        reason = f"{type(error).__name__}: {error}"
        raise CourseError(f"{path} cannot be read ({reason}): correct that line.") from None


def assignment_names(root, wanted=()):
    """Return the names of the assignments in `source/`, or those wanted of them.

    Parameters
    ----------
    root : Path
        The course directory.
    wanted : sequence of str
        Names as the folders have them; none means all.

    Returns
    -------
    list of str
        In the order of the course.

    Raises
    ------
    CourseError
        If this is no course directory or an assignment is not in it.
    """
    root = Path(root)
    check_course_dir(root)
    known = sorted(path.parent.name for path in root.glob("source/*/*.ipynb"))
    for name in wanted:
        if name not in known:
            raise CourseError(
                f"{name!r} is not an assignment in {root / 'source'}: choose of {', '.join(known)}."
            )
    return [name for name in known if not wanted or name in wanted]


def source_notebook(root, name):
    """Return the path of an assignment's one source notebook."""
    (notebook,) = Path(root, "source", name).glob("*.ipynb")
    return notebook


def open_api(root):
    """Return nbgrader's API for a course directory, with the directory's own configuration.

    nbgrader would also take the configuration of the directory that the command is typed in, and
    with it perhaps the gradebook of another course. nbgrader's log is kept out of the terminal;
    each call of the API returns its own.
    """
    from nbgrader.apps import NbGraderAPI
    from nbgrader.apps.baseapp import NbGrader
    from sqlalchemy.exc import SAWarning

    # nbgrader 0.9 works with SQLAlchemy 2.1, which warns of changes to come on every submission.
    warnings.filterwarnings("ignore", category=SAWarning)
    app = NbGrader()
    app.load_cwd_config = False
    app.config_file = str(Path(root).resolve() / Path(CONFIG_NAME).stem)
    app.initialize([], root=str(Path(root).resolve()))
    app.log.handlers.clear()
    app.log.propagate = False
    app.log.setLevel(logging.INFO)
    return NbGraderAPI(coursedir=app.coursedir, parent=app)


def first_error(log):
    """Return the line of an nbgrader log that says what went wrong."""
    lines = [line.strip() for line in (log or "").splitlines() if line.strip()]
    # nbgrader ends with "see the above traceback"; the first exception's own line says more.
    exceptions = [
        line for line in lines if re.match(r"[\w.]*(Error|Exception|MissingEntry): ", line)
    ]
    return (exceptions or lines[-1:] or ["nbgrader gave no reason"])[0]
