"""Copying a gradebook to another database: all tables, and the version of their schema."""

import contextlib
import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy
from nbgrader.api import Assignment, Base, Student, SubmittedAssignment
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.orm import Session, undefer

from course.errors import CourseError
from course.files import unfinished_copy
from course.instructor.gradebook import mark_table

if TYPE_CHECKING:
    from sqlalchemy.engine import URL, Connection

VERSION_TABLE = "alembic_version"  # of the schema; not one of nbgrader's models
SUPPORTED = ("postgresql", "sqlite")
_ROWS_AT_ONCE = 1_000
# All reads see the same state, even while somebody grades.
_BEGIN = {"sqlite": "BEGIN", "postgresql": "BEGIN ISOLATION LEVEL REPEATABLE READ"}


def parse_target(text: str) -> "URL":
    """Return the URL of a database; the path of a file becomes absolute.

    Raises CourseError if the text is not the URL of a supported database.
    """
    try:
        url = make_url(text)
    except ArgumentError:
        raise CourseError(
            f"{_without_password(text)!r} is not the URL of a database: write it as"
            " postgresql+psycopg://USER@HOST/DATABASE or sqlite:////PATH/gradebook.db."
        ) from None
    if url.get_backend_name() not in SUPPORTED:
        raise CourseError(
            f"{_shown(url)} is neither a PostgreSQL nor an SQLite database: choose one of these."
        )
    if url.get_backend_name() == "sqlite":
        if url.database in (None, "", ":memory:"):
            raise CourseError(f"{text!r} does not name a file: write sqlite:////PATH/gradebook.db.")
        url = url.set(database=str(Path(str(url.database)).resolve()))
    return url


def copy_gradebook(source: str, target: "URL") -> dict[str, int]:
    """Copy a gradebook to an empty database, and return the number of rows in each table.

    The copy appears in one step, after its rows and scores have been compared with the original.
    Raises CourseError if the target contains anything, or if something cannot be copied.
    """
    with _target_engine(target) as engine, _snapshot(source) as old:
        try:
            with engine.begin() as new:
                if sqlalchemy.inspect(new).get_table_names():
                    raise CourseError(f"{_shown(target)} is not empty: specify an empty database.")
                counts = _copy_tables(old, new)
                _compare(old, new, counts)
        except SQLAlchemyError as error:
            raise CourseError(
                f"the gradebook cannot be copied to {_shown(target)} ({_reason(error)}): nothing"
                " was copied; fix the problem, then run the command again."
            ) from None
    return counts


@contextlib.contextmanager
def _snapshot(source: str) -> "Iterator[Connection]":
    """Yield a connection that sees one state of the original and never changes it."""
    engine = sqlalchemy.create_engine(source)
    try:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql(_BEGIN.get(connection.dialect.name, "BEGIN"))
            yield connection
            connection.exec_driver_sql("ROLLBACK")
    finally:
        engine.dispose()


@contextlib.contextmanager
def _target_engine(target: "URL") -> Iterator[sqlalchemy.Engine]:
    """Yield an engine for the target; a file is written under a temporary name first.

    PostgreSQL creates tables within a transaction, but Python's driver for SQLite does not. Raises
    CourseError if the file exists or its folder does not.
    """
    path = Path(str(target.database)) if target.get_backend_name() == "sqlite" else None
    unfinished = unfinished_copy(path) if path else None
    if path and unfinished:
        if path.exists():
            raise CourseError(f"{path} already exists: specify a file that does not exist.")
        if not path.parent.is_dir():
            raise CourseError(f"{path.parent} does not exist: specify an existing folder.")
        unfinished.unlink(missing_ok=True)
    engine = sqlalchemy.create_engine(
        target.set(database=str(unfinished)) if unfinished else target
    )
    try:
        yield engine
        engine.dispose()
        if path and unfinished:
            unfinished.rename(path)
    finally:
        engine.dispose()
        if unfinished:
            unfinished.unlink(missing_ok=True)


def _copy_tables(old: "Connection", new: "Connection") -> dict[str, int]:
    """Create all tables and copy their rows; return the number of rows in each table."""
    versions = old.execute(sqlalchemy.select(_version_table())).all()
    columns = sqlalchemy.inspect(old)
    for table in Base.metadata.sorted_tables:
        known = {each["name"] for each in columns.get_columns(table.name)}
        if missing := {each.name for each in table.columns} - known:
            raise CourseError(
                f"the table {table.name} of the gradebook has no column {min(missing)}, because an"
                " older nbgrader created it: run nbgrader db upgrade first."
            )
    Base.metadata.create_all(new)
    tables = _tables(old)
    for table in tables[len(Base.metadata.sorted_tables) :]:
        table.create(new)
    _version_table().create(new)
    new.execute(sqlalchemy.insert(_version_table()), [each._asdict() for each in versions])
    counts = {}
    for table in tables:
        counts[table.name] = 0
        query = sqlalchemy.select(table).execution_options(yield_per=_ROWS_AT_ONCE)
        for part in old.execute(query).mappings().partitions():
            new.execute(sqlalchemy.insert(table), [dict(row) for row in part])
            counts[table.name] += len(part)
    return counts


def _tables(connection: "Connection") -> list[sqlalchemy.Table]:
    """Return all tables with rows, those first to which the following ones refer."""
    return [*Base.metadata.sorted_tables, *mark_table.existing_tables(connection)]


def _version_table() -> sqlalchemy.Table:
    """Return the table with the version of the schema, as nbgrader creates it."""
    column = sqlalchemy.Column("version_num", sqlalchemy.String(32), nullable=False)
    return sqlalchemy.Table(VERSION_TABLE, sqlalchemy.MetaData(), column)


def _compare(old: "Connection", new: "Connection", counts: dict[str, int]) -> None:
    """Raise CourseError if the copy has different numbers of rows or different scores."""
    for table in _tables(old):
        number = new.scalar(sqlalchemy.select(sqlalchemy.func.count()).select_from(table))
        if number != counts[table.name]:
            raise CourseError(
                f"the table {table.name} has {counts[table.name]} rows, but {number} in the copy,"
                " so the copy was discarded: run the command again."
            )
    copied = _scores(new)
    for key, values in _scores(old).items():
        if not _are_equal(values, copied.get(key)):
            raise CourseError(
                f"the scores of {key[1]} in {key[0]} differ in the copy, so it was discarded: run"
                " the command again."
            )


def _scores(connection: "Connection") -> dict[tuple[str, str], list[Any]]:
    """Return the scores, time, and extension of each submission by (assignment, student)."""
    columns = ("score", "max_score", "late_submission_penalty", "needs_manual_grade")
    with Session(connection) as session:
        query = session.query(SubmittedAssignment, Assignment.name, Student.id)
        query = query.join(Assignment, SubmittedAssignment.assignment_id == Assignment.id)
        query = query.join(Student, SubmittedAssignment.student_id == Student.id)
        query = query.options(*(undefer(getattr(SubmittedAssignment, each)) for each in columns))
        return {
            (name, student): [
                *(getattr(submission, column) for column in columns),
                submission.timestamp,
                submission.extension,
            ]
            for submission, name, student in query
        }


def _are_equal(values: list[Any], others: list[Any] | None) -> bool:
    """Return whether two lists of values are equal; sums of scores may differ by rounding."""
    return others is not None and all(
        math.isclose(one, other, abs_tol=1e-9)
        if isinstance(one, float) and isinstance(other, float)
        else one == other
        for one, other in zip(values, others, strict=True)
    )


def _shown(url: "URL") -> str:
    """Return a database URL as text, with its password hidden."""
    return url.render_as_string(hide_password=True)


def _without_password(text: str) -> str:
    """Return a text that is not a URL, without what would be the user and password in one."""
    account, at, rest = text.rpartition("@")
    return account.partition("//")[0] + "//…@" + rest if at else text


def _reason(error: SQLAlchemyError) -> str:
    """Return the first line of the database's error message."""
    text = str(getattr(error, "orig", None) or error).strip()
    return (text.splitlines() or [type(error).__name__])[0][:200]
