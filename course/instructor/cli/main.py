"""Entry point of the `course` command: runs it and reports each error in one sentence."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from course.errors import CourseError

# Each package, with the extra in pyproject.toml that installs it.
EXTRAS = dict.fromkeys(["click", "jinja2", "latex2mathml", "nbclient", "nbconvert"], "instructor")
EXTRAS |= dict.fromkeys(["nbformat", "nbgrader", "papermill", "traitlets"], "instructor")
EXTRAS |= {"psycopg": "postgres"}
RESUME = "finished work is saved, so run the same command again to continue."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0 only if everything succeeded."""
    # nbgrader must find `alembic`, and Jupyter its kernels, even if no environment is activated.
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    try:
        from course.instructor.cli.commands import run_command_line

        code = run_command_line(list(sys.argv[1:] if arguments is None else arguments))
        sys.stdout.flush()
        return code
    except CourseError as error:
        return _fail(str(error))
    except ModuleNotFoundError as error:
        extra = EXTRAS.get((error.name or "").partition(".")[0])
        if not extra:
            raise
        install = f"pip install '.[{extra}]' in the course directory"
        if extra == "instructor":
            install = f"make demo or {install}"
        return _fail(f"this command needs {error.name}, which is not installed: run {install}.")
    except KeyboardInterrupt:
        return _fail(f"stopped: {RESUME}", 130)
    except BrokenPipeError:
        # As in `course grade | head`. At exit, Python would write the rest and fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _fail(f"stopped because no program reads the output anymore: {RESUME}")
    except Exception as error:
        if not _is_database_error(error):
            raise
        reason = " ".join(str(getattr(error, "orig", None) or error).split())
        return _fail(
            f"cannot use the gradebook ({reason}): check that its file or server is available, and"
            " that CourseDirectory.db_url in nbgrader_config.py is correct."
        )


def _fail(message: str, code: int = 1) -> int:
    """Print an error message and return the exit code."""
    print(f"course: {message}", file=sys.stderr)
    return code


def _is_database_error(error: Exception) -> bool:
    """Return whether the gradebook's database, or its invalid address, caused an error."""
    if "sqlalchemy.exc" not in sys.modules:
        return False
    from sqlalchemy.exc import ArgumentError, DBAPIError

    return isinstance(error, DBAPIError | ArgumentError)
