"""Entry point of the `course` command: runs it and reports each error in one sentence."""

import contextlib
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from course.errors import CourseError
from course.instructor.sandbox.cell_execution import printable

# Each package, with the extra in pyproject.toml that installs it.
EXTRAS = dict.fromkeys(["click", "jinja2", "latex2mathml", "nbclient", "nbconvert"], "instructor")
EXTRAS |= dict.fromkeys(["nbformat", "nbgrader", "papermill", "traitlets"], "instructor")
EXTRAS |= {"psycopg": "postgres"} | dict.fromkeys(["furo", "myst_nb", "sphinx", "ziamath"], "site")
RESUME = "finished work is saved, so run the same command again to continue."


class _PrintableStream(io.TextIOBase):
    """Writes only printable text to another stream: any line may contain a student's text."""

    encoding = "utf-8"

    def __init__(self, stream: TextIO, removed: str = "") -> None:
        self._stream = stream
        self._removed = str.maketrans("", "", removed)

    def write(self, text: str) -> int:
        """Write text without the characters that control a terminal."""
        if not isinstance(text, str):  # click tests whether a stream accepts bytes
            raise TypeError("not a text")
        self._stream.write(printable(text).translate(self._removed))
        return len(text)

    def flush(self) -> None:
        """Flush the other stream."""
        self._stream.flush()

    def fileno(self) -> int:
        """Return the file descriptor of the other stream."""
        return self._stream.fileno()

    def isatty(self) -> bool:
        """Return whether the other stream is a terminal."""
        return self._stream.isatty()

    def writable(self) -> bool:
        """Return True."""
        return True


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0 only if everything succeeded."""
    with (
        contextlib.redirect_stdout(_PrintableStream(sys.stdout, removed="\r")),
        contextlib.redirect_stderr(_PrintableStream(sys.stderr)),  # a progress bar needs \r
    ):
        return _run(arguments)


def _run(arguments: Sequence[str] | None) -> int:
    """Run the command line, print an error in one sentence, and return the exit code."""
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
    """Return whether the gradebook's database or an invalid database URL caused an error."""
    if "sqlalchemy.exc" not in sys.modules:
        return False
    from sqlalchemy.exc import ArgumentError, DBAPIError

    return isinstance(error, DBAPIError | ArgumentError)
