"""The table of marks in the gradebook's database: what the gradebook's own tables cannot store.

The score and the comment of an answer are in nbgrader's tables. A row of this table says how they
were chosen, and repeats them as they were at that time. If they differ from the gradebook, somebody
has changed them elsewhere since, and the gradebook is right. nbgrader ignores the table.
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
MARKS = Table(
    "course_mark",
    METADATA,
    Column(
        "grade_id",
        String(32),
        # SQLite does not delete the row; `create` does.
        ForeignKey(Grade.__table__.c.id, ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("version", Integer, nullable=False),
    Column("items", Text, nullable=False),  # JSON: the selected rubric items
    Column("adjustment", Float),
    Column("comment", Text, nullable=False),  # without the labels of the items
    Column("flagged", Boolean, nullable=False),
    Column("grader", String(MAX_GRADER), nullable=False),
    Column("score", Float),  # as the gradebook had it when this row was written
    Column("written_comment", Text),  # as the gradebook had it when this row was written
)


def exists(bind: "Connection | Engine") -> bool:
    """Return whether a database contains the table; it is created when it is first used."""
    return sqlalchemy.inspect(bind).has_table(MARKS.name)


def create(gradebook: "Gradebook") -> None:
    """Create the table if it is missing, and delete the rows of scores that no longer exist."""
    METADATA.create_all(gradebook.engine)
    orphans = MARKS.c.grade_id.not_in(sqlalchemy.select(Grade.id))
    if gradebook.db.scalar(sqlalchemy.select(MARKS.c.grade_id).where(orphans).limit(1)):
        gradebook.db.execute(sqlalchemy.delete(MARKS).where(orphans))
    gradebook.db.commit()
