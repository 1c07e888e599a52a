"""Manual scores: confirming those that are pending after a regrade, and counting missing ones."""

from typing import TYPE_CHECKING

from nbgrader.api import Assignment, Grade, SubmittedAssignment, SubmittedNotebook

if TYPE_CHECKING:
    from nbgrader.api import Gradebook
    from sqlalchemy.orm import Query


def confirm(gradebook: "Gradebook", assignment: str, student: str | None = None) -> int:
    """Confirm the pending manual scores of an assignment or one student; return their number."""
    pending = _pending(gradebook, assignment, student).filter(Grade.manual_score.is_not(None)).all()
    for grade in pending:
        grade.needs_manual_grade = False
    gradebook.db.commit()
    return len(pending)


def count_without_score(gradebook: "Gradebook", assignment: str, student: str | None = None) -> int:
    """Return the number of pending cells to which no grader has given a score."""
    return _pending(gradebook, assignment, student).filter(Grade.manual_score.is_(None)).count()


def _pending(gradebook: "Gradebook", assignment: str, student: str | None) -> "Query[Grade]":
    """Return a query for the grades of an assignment that are pending manual grading."""
    query = (
        gradebook.db.query(Grade)
        .join(SubmittedNotebook, Grade.notebook_id == SubmittedNotebook.id)
        .join(SubmittedAssignment, SubmittedNotebook.assignment_id == SubmittedAssignment.id)
        .join(Assignment, SubmittedAssignment.assignment_id == Assignment.id)
        .filter(Assignment.name == assignment, Grade.needs_manual_grade.is_(True))
    )
    return query if student is None else query.filter(SubmittedAssignment.student_id == student)
