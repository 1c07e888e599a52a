"""The tables of marks in the gradebook's database: what the gradebook's own tables cannot store.

The score and the comment of an answer are in nbgrader's tables. A row of this table says how they
were chosen, and repeats them as they were at that time. If they differ from the gradebook, somebody
has changed them elsewhere since, and the gradebook is right. A second table says who is to mark an
answer, and a third one who flagged it. nbgrader ignores these tables.
"""

from typing import TYPE_CHECKING

import sqlalchemy
from nbgrader.api import Grade
from sqlalchemy import Boolean, Column, Float, ForeignKey, Integer, MetaData, String, Table, Text

if TYPE_CHECKING:
    from nbgrader.api import Gradebook
    from sqlalchemy.engine import Connection, Engine

MAX_GRADER = 100  # characters

METADATA = MetaData()


def _grade_id() -> Column:
    """Return the key of all tables; SQLite does not delete the row, but `create` does."""
    key = ForeignKey(Grade.__table__.c.id, ondelete="CASCADE")
    return Column("grade_id", String(32), key, primary_key=True)


MARKS = Table(
    "course_mark",
    METADATA,
    _grade_id(),
    Column("version", Integer, nullable=False),
    Column("items", Text, nullable=False),  # JSON: the selected rubric items
    Column("adjustment", Float),
    Column("comment", Text, nullable=False),  # without the labels of the items
    Column("flagged", Boolean, nullable=False),
    Column("flag_reason", Text),  # for colleagues; students do not see it
    Column("grader", String(MAX_GRADER), nullable=False),
    Column("score", Float),  # as the gradebook had it when this row was written
    Column("written_comment", Text),  # as the gradebook had it when this row was written
)
ASSIGNEES = Table(
    "course_mark_assignee",
    METADATA,
    _grade_id(),
    Column("grader", String(MAX_GRADER), nullable=False),
)
FLAGS = Table(
    "course_mark_flag",
    METADATA,
    _grade_id(),
    Column("grader", String(MAX_GRADER), nullable=False),
)
TABLES = (MARKS, ASSIGNEES, FLAGS)


def existing_tables(bind: "Connection | Engine") -> list[Table]:
    """Return the tables that a database contains; they are created when they are first used."""
    inspector = sqlalchemy.inspect(bind)
    return [table for table in TABLES if inspector.has_table(table.name)]


def create(gradebook: "Gradebook") -> None:
    """Create the tables if they are missing, and delete the rows of scores that do not exist."""
    METADATA.create_all(gradebook.engine)
    for table in TABLES:
        orphans = table.c.grade_id.not_in(sqlalchemy.select(Grade.id))
        if gradebook.db.scalar(sqlalchemy.select(table.c.grade_id).where(orphans).limit(1)):
            gradebook.db.execute(sqlalchemy.delete(table).where(orphans))
    gradebook.db.commit()
