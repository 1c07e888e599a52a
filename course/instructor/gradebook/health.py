"""Checks that a gradebook exists and is intact, without the slow import of nbgrader."""

import contextlib
import os
import re
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

from course.errors import CourseError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.engine import URL

AVAILABLE, MISSING, BUSY, UNUSABLE = "available", "missing", "busy", "unusable"
SERVER_TIMEOUT_SECONDS = 3
_COUNTS = "select (select count(*) from assignment), (select count(*) from student)"


def check_gradebook(root: Path, db_url: str = "") -> tuple[str, str]:
    """Return a gradebook's state (AVAILABLE, MISSING, BUSY, or UNUSABLE), and a message about it.

    `db_url` is the value of `c.CourseDirectory.db_url`; an empty value means nbgrader's default.
    """
    if db_url and not db_url.startswith("sqlite"):
        return _check_server(db_url)
    file_name = re.sub(r"^sqlite[^:]*:///|\?.*$", "", db_url) or "gradebook.db"
    return _check_file(Path(root, file_name))


def require_gradebook(root: Path, db_url: str = "") -> None:
    """Raise CourseError unless a course's gradebook can be used.

    Call this before opening the gradebook, because opening a missing one would create it.
    """
    state, message = check_gradebook(root, db_url)
    if state != AVAILABLE:
        raise CourseError(message)


def _check_file(path: Path) -> tuple[str, str]:
    """Return the state of an SQLite gradebook, and a message."""
    if not path.is_file():
        return MISSING, f"{path} does not exist yet: run course release to create it."
    if not os.access(path, os.R_OK | os.W_OK):
        return UNUSABLE, f"{path} is not both readable and writable: change its permissions."
    try:
        # Not read-only, because the first connection rolls back any transaction that was cut off.
        uri = f"{path.resolve().as_uri()}?mode=rw"
        with contextlib.closing(sqlite3.connect(uri, uri=True, timeout=2)) as database:
            (verdict,) = database.execute("pragma quick_check(1)").fetchone()
            if verdict == "ok":
                counts = _describe_counts(database.execute(_COUNTS).fetchone())
                return AVAILABLE, f"{path}, SQLite: {counts}"
    except sqlite3.DatabaseError as error:
        verdict = str(error)
        if "locked" in verdict:
            return BUSY, f"{path} is in use by another command: wait until that command has ended."
        if "no such table" in verdict:
            return UNUSABLE, f"{path} is not an nbgrader gradebook ({verdict}): move it elsewhere."
    return UNUSABLE, f"{path} is damaged ({verdict}): replace it with your last backup."


def _check_server(db_url: str) -> tuple[str, str]:
    """Return the state of a gradebook on a database server, and a message."""
    try:
        import sqlalchemy

        url = sqlalchemy.engine.make_url(db_url)
        # An unreachable server must not delay the other checks.
        is_postgresql = url.get_backend_name() == "postgresql"
        options = {"connect_timeout": SERVER_TIMEOUT_SECONDS} if is_postgresql else {}
        with sqlalchemy.create_engine(url, connect_args=options).connect() as connection:
            if not sqlalchemy.inspect(connection).has_table("assignment"):
                return MISSING, f"{_without_password(url)} is empty: run course release to fill it."
            counts = connection.execute(sqlalchemy.text(_COUNTS)).fetchone()
    except ModuleNotFoundError as error:
        return UNUSABLE, (
            f"c.CourseDirectory.db_url needs {error.name}, which is not installed: run pip install"
            " --constraint constraints.txt -e '.[postgres]' in the course directory."
        )
    except Exception as error:  # drivers and sqlalchemy raise many exception classes
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        return UNUSABLE, (
            f"cannot open the gradebook at c.CourseDirectory.db_url ({reason}): start its server,"
            " or correct the URL in nbgrader_config.py."
        )
    return AVAILABLE, f"{_without_password(url)}: {_describe_counts(counts)}"


def _without_password(url: "URL") -> str:
    """Return a database URL as text, with its password hidden."""
    return url.render_as_string(hide_password=True)


def _describe_counts(counts: "Sequence[int] | None") -> str:
    """Return how many assignments and students there are, as text."""
    assignments, students = counts or (0, 0)
    return (
        f"{assignments} assignment{'s' * (assignments != 1)},"
        f" {students} student{'s' * (students != 1)}"
    )
