"""Whether a gradebook is there and whole, told without nbgrader, which takes seconds to import."""

import contextlib
import os
import re
import sqlite3
from pathlib import Path

THERE, NONE_YET, BUSY, UNUSABLE = "there", "none yet", "busy", "unusable"
SERVER_SECONDS = 3  # to answer in
_COUNTS = "select (select count(*) from assignment), (select count(*) from student)"


def look(root, address=""):
    """Look at the gradebook of a course directory.

    Parameters
    ----------
    root : Path
        The course directory.
    address : str
        `c.CourseDirectory.db_url` as its configuration has it; empty for nbgrader's own choice.

    Returns
    -------
    state : str
        THERE, NONE_YET, BUSY or UNUSABLE.
    text : str
        What there is, or a sentence with what to do.
    """
    if address and not address.startswith("sqlite"):
        return _look_at_server(address)
    named = re.sub(r"^sqlite[^:]*:///|\?.*$", "", address) or "gradebook.db"
    return _look_at_file(Path(root, named))


def _look_at_file(path):
    if not path.is_file():
        return NONE_YET, f"{path} is not there yet: course release makes it."
    if not os.access(path, os.R_OK | os.W_OK):
        return UNUSABLE, f"{path} may not be read and written: give yourself the right to."
    try:
        # Not read-only: a write that a kill cut short is taken back by the first who looks.
        where = f"{path.resolve().as_uri()}?mode=rw"
        with contextlib.closing(sqlite3.connect(where, uri=True, timeout=2)) as database:
            (verdict,) = database.execute("pragma quick_check(1)").fetchone()
            if verdict == "ok":
                return THERE, f"{path}, SQLite: {_counted(database.execute(_COUNTS).fetchone())}"
    except sqlite3.DatabaseError as error:
        verdict = str(error)
        if "locked" in verdict:
            return BUSY, f"{path} is in use by another command: wait until that has ended."
        if "no such table" in verdict:
            return UNUSABLE, f"{path} is no gradebook of nbgrader's ({verdict}): move it away."
    return UNUSABLE, f"{path} is damaged ({verdict}): put your last backup in its place."


def _look_at_server(address):
    try:
        import sqlalchemy

        url = sqlalchemy.engine.make_url(address)
        # A server that does not answer must not hold the others up.
        is_postgresql = url.get_backend_name() == "postgresql"
        options = {"connect_timeout": SERVER_SECONDS} if is_postgresql else {}
        with sqlalchemy.create_engine(url, connect_args=options).connect() as connection:
            if not sqlalchemy.inspect(connection).has_table("assignment"):
                return NONE_YET, f"{_without_password(url)} is empty: course release fills it."
            counts = connection.execute(sqlalchemy.text(_COUNTS)).fetchone()
    except ModuleNotFoundError as error:
        return UNUSABLE, (
            f"c.CourseDirectory.db_url needs {error.name}, which is not installed: run pip install"
            " --constraint constraints.txt -e '.[postgres]' in the course's directory."
        )
    except Exception as error:  # drivers and sqlalchemy raise many kinds
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        return UNUSABLE, (
            f"the gradebook of c.CourseDirectory.db_url cannot be opened ({reason}): start its"
            " server, or correct that line in nbgrader_config.py."
        )
    return THERE, f"{_without_password(url)}: {_counted(counts)}"


def _without_password(url):
    return url.render_as_string(hide_password=True)


def _counted(counts):
    assignments, students = counts
    return (
        f"{assignments} assignment{'s' * (assignments != 1)},"
        f" {students} student{'s' * (students != 1)}"
    )
