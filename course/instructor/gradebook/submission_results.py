"""Results of graded submissions, as the gradebook stores them."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from nbgrader.api import GradeCell, MissingEntry
from sqlalchemy.engine import make_url

from course.errors import CourseError
from course.instructor.course_dir import open_api

if TYPE_CHECKING:
    from nbgrader.api import Gradebook, SubmittedAssignment


@dataclass
class SubmissionResult:
    """The result of one submission; `score` is None if the gradebook has no score."""

    assignment: str
    student: str
    score: float | None = None
    max_score: float | None = None
    needs_manual_grading: bool = False
    seconds: float = 0.0  # how long grading took
    note: str = "graded"  # or "already graded", or a sentence about a problem
    failed: bool = False  # the submission could not be graded
    test_seconds: dict[str, float] = field(default_factory=dict)  # of each test, by grade ID


def read_results(root: Path) -> list[SubmissionResult]:
    """Return every result in the gradebook, sorted by assignment and student; [] without one."""
    api = open_api(root)
    database = make_url(api.coursedir.db_url)
    # Opening a missing gradebook would create one.
    if database.drivername == "sqlite" and not Path(str(database.database)).is_file():
        return []
    with api.gradebook as gradebook:
        results = [
            SubmissionResult(assignment.name, submission.student.id)
            for assignment in gradebook.assignments
            for submission in assignment.submissions
        ]
        for result in results:
            fill_in_score(gradebook, result)
    return sorted(results, key=lambda result: (result.assignment, result.student))


def list_students(
    root: Path, folder: str, assignment: str, student: str | None = None
) -> list[str]:
    """Return the students who have an assignment in `folder`: "submitted" or "autograded".

    Raises CourseError if there are none, or if the requested student is not one of them.
    """
    paths = [path for path in Path(root, folder).glob(f"*/{assignment}") if path.is_dir()]
    students = sorted(path.parent.name for path in paths if student in (None, path.parent.name))
    if not students:
        path = Path(root, folder, student or "STUDENT", assignment)
        step = f"run course grade {assignment} first"
        if folder == "submitted":
            step = "copy submissions to that folder or run course collect"
        raise CourseError(f"there is nothing in {path}: {step}.")
    return students


def is_graded(submission: "SubmittedAssignment") -> bool:
    """Return whether every test cell of a submission has a score."""
    for notebook in submission.notebooks:
        # Manually graded cells (tasks, and grade cells that are answers) have no automatic score.
        answers = {cell.name for cell in notebook.notebook.solution_cells}
        for grade in notebook.grades:
            is_test = isinstance(grade.cell, GradeCell) and grade.name not in answers
            if is_test and grade.auto_score is None:
                return False
    return True


def final_score(submission: "SubmittedAssignment") -> float:
    """Return the score minus the late penalty, but at least 0, as in nbgrader's own exports."""
    return max(0.0, submission.score - (submission.late_submission_penalty or 0))


def fill_in_score(gradebook: "Gradebook", result: SubmissionResult) -> None:
    """Fill in a result's scores and grading state, if the gradebook contains the submission."""
    try:
        submission = gradebook.find_submission(result.assignment, result.student)
    except MissingEntry:
        return
    result.score = final_score(submission)
    result.max_score = submission.max_score
    result.needs_manual_grading = submission.needs_manual_grade
