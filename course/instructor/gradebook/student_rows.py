"""The gradebook's rows about one student: counting, renaming, and deleting them."""

from typing import TYPE_CHECKING

from nbgrader.api import Comment, Grade, Student, SubmittedAssignment, SubmittedNotebook
from sqlalchemy import delete, func, insert, select, update

if TYPE_CHECKING:
    from nbgrader.api import Gradebook
    from sqlalchemy import Select

# All tables with rows about students; each refers only to tables that follow it.
MODELS = (Grade, Comment, SubmittedNotebook, SubmittedAssignment, Student)


def count(gradebook: "Gradebook", student: str) -> dict[str, int]:
    """Return how many submissions, scores, and comments a student has.

    The keys are the singular nouns, such as "score".
    """
    notebooks = _notebooks(student)
    queries = {
        "submission": select(func.count(SubmittedAssignment.id)).where(
            SubmittedAssignment.student_id == student
        ),
        "score": select(func.count(Grade.id)).where(
            Grade.notebook_id.in_(notebooks),
            Grade.auto_score.is_not(None) | Grade.manual_score.is_not(None),
        ),
        "comment": select(func.count(Comment.id)).where(
            Comment.notebook_id.in_(notebooks),
            Comment.auto_comment.is_not(None) | Comment.manual_comment.is_not(None),
        ),
    }
    return {what: gradebook.db.scalar(query) for what, query in queries.items()}


def rename(gradebook: "Gradebook", old: str, new: str) -> None:
    """Give a student a new ID, in one transaction; do nothing if the old ID does not exist.

    The ID is a key that submissions refer to, so the student's row is copied first.
    """
    db, table = gradebook.db, Student.__table__
    _overwrite_what_is_deleted(gradebook)
    row = db.execute(select(table).where(table.c.id == old)).mappings().one_or_none()
    if row is None:
        return
    db.execute(insert(table).values({**row, "id": new}))
    submissions = SubmittedAssignment.__table__
    db.execute(update(submissions).where(submissions.c.student_id == old).values(student_id=new))
    db.execute(delete(table).where(table.c.id == old))
    db.commit()


def remove(gradebook: "Gradebook", student: str) -> None:
    """Delete a student and all of the student's submissions, scores, and comments at once."""
    _overwrite_what_is_deleted(gradebook)
    notebooks = _notebooks(student)
    conditions = {
        Grade: Grade.notebook_id.in_(notebooks),
        Comment: Comment.notebook_id.in_(notebooks),
        SubmittedNotebook: SubmittedNotebook.assignment_id.in_(_submissions(student)),
        SubmittedAssignment: SubmittedAssignment.student_id == student,
        Student: Student.id == student,
    }
    for model in MODELS:
        table = model.__table__
        gradebook.db.execute(delete(table).where(conditions[model]))
    gradebook.db.commit()


def erase_deleted_rows(gradebook: "Gradebook") -> None:
    """Rewrite the gradebook's tables, because deleted rows remain in a database's unused space."""
    gradebook.db.remove()
    with gradebook.engine.connect() as connection:
        connection = connection.execution_options(isolation_level="AUTOCOMMIT")
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("PRAGMA secure_delete = ON")
            connection.exec_driver_sql("VACUUM")
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        elif connection.dialect.name == "postgresql":
            for model in MODELS:
                connection.exec_driver_sql(f'VACUUM FULL "{model.__tablename__}"')


def _overwrite_what_is_deleted(gradebook: "Gradebook") -> None:
    """Make SQLite overwrite deleted rows with zeros; do nothing for other databases."""
    if gradebook.engine.dialect.name == "sqlite":
        gradebook.db.connection().exec_driver_sql("PRAGMA secure_delete = ON")


def _submissions(student: str) -> "Select":
    """Return a query for the keys of a student's submissions."""
    return select(SubmittedAssignment.id).where(SubmittedAssignment.student_id == student)


def _notebooks(student: str) -> "Select":
    """Return a query for the keys of a student's submitted notebooks."""
    return select(SubmittedNotebook.id).where(
        SubmittedNotebook.assignment_id.in_(_submissions(student))
    )
