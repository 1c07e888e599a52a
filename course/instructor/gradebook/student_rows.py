"""The gradebook's rows about one student: counting, renaming, moving, and deleting them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from nbgrader.api import Assignment, Comment, Grade, Student, SubmittedAssignment, SubmittedNotebook
from sqlalchemy import delete, func, insert, select, update

from course.instructor.gradebook import mark_table

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


def remove(gradebook: "Gradebook", student: str, moves: Mapping[str, str]) -> None:
    """Delete a student and all of the student's submissions, scores, and comments at once.

    `moves` maps the assignments whose submissions are kept to the students who get them; such a
    submission replaces one of that student. Nothing happens if the student does not exist.
    """
    _overwrite_what_is_deleted(gradebook)
    db, table = gradebook.db, SubmittedAssignment.__table__
    if db.get(Student, student) is None:
        return
    for assignment, new in moves.items():
        _remove_submissions(gradebook, _submissions(new, assignment))
        if db.get(Student, new) is None:
            db.execute(insert(Student.__table__).values(id=new))
        moved = table.c.id == db.scalar(_submissions(student, assignment))
        db.execute(update(table).where(moved).values(student_id=new))
    _remove_submissions(gradebook, _submissions(student))
    db.execute(delete(Student.__table__).where(Student.id == student))
    db.commit()


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
            names = [model.__tablename__ for model in MODELS]
            names += [table.name for table in mark_table.existing_tables(connection)]
            for name in names:
                connection.exec_driver_sql(f'VACUUM FULL "{name}"')


def _overwrite_what_is_deleted(gradebook: "Gradebook") -> None:
    """Make SQLite overwrite deleted rows with zeros; do nothing for other databases."""
    if gradebook.engine.dialect.name == "sqlite":
        gradebook.db.connection().exec_driver_sql("PRAGMA secure_delete = ON")


def _remove_submissions(gradebook: "Gradebook", submissions: "Select") -> None:
    """Delete the submissions with these keys, and what belongs to them; do not commit."""
    keys = list(gradebook.db.scalars(submissions))
    notebooks = select(SubmittedNotebook.id).where(SubmittedNotebook.assignment_id.in_(keys))
    conditions = {
        Grade: Grade.notebook_id.in_(notebooks),
        Comment: Comment.notebook_id.in_(notebooks),
        SubmittedNotebook: SubmittedNotebook.assignment_id.in_(keys),
        SubmittedAssignment: SubmittedAssignment.id.in_(keys),
    }
    grades = select(Grade.id).where(conditions[Grade])
    for table in mark_table.existing_tables(gradebook.db.connection()):
        gradebook.db.execute(delete(table).where(table.c.grade_id.in_(grades)))
    for model, condition in conditions.items():
        gradebook.db.execute(delete(model.__table__).where(condition))


def _submissions(student: str, assignment: str | None = None) -> "Select":
    """Return a query for the keys of a student's submissions, by default in all assignments."""
    found = select(SubmittedAssignment.id).where(SubmittedAssignment.student_id == student)
    if assignment is None:
        return found
    return found.join(Assignment).where(Assignment.name == assignment)


def _notebooks(student: str) -> "Select":
    """Return a query for the keys of a student's submitted notebooks."""
    return select(SubmittedNotebook.id).where(
        SubmittedNotebook.assignment_id.in_(_submissions(student))
    )
