"""What the gradebook has of a class."""

from dataclasses import dataclass
from pathlib import Path

from nbgrader.api import GradeCell, MissingEntry
from sqlalchemy.engine import make_url

from course.errors import CourseError
from course.instructor.course_dir import open_api


@dataclass
class Grade:
    """What became of one submission.

    Attributes
    ----------
    assignment, student : str
        Whose submission.
    score, max_score : float or None
        Points as the gradebook has them; None where there is no score.
    by_hand : bool
        Whether cells wait for a person in the formgrader.
    seconds : float
        How long grading took.
    note : str
        "graded", "graded before", or one sentence on what befell it.
    failed : bool
        Whether the submission could not be graded.
    """

    assignment: str
    student: str
    score: float | None = None
    max_score: float | None = None
    by_hand: bool = False
    seconds: float = 0.0
    note: str = "graded"
    failed: bool = False


def scores(root):
    """Return every score in the gradebook.

    Parameters
    ----------
    root : Path
        The course directory.

    Returns
    -------
    list of Grade
        In the order of assignments, then students; empty where there is no gradebook.
    """
    api = open_api(root)
    database = make_url(api.coursedir.db_url)
    # Opening a gradebook that is not there would make one.
    if database.drivername == "sqlite" and not Path(database.database).is_file():
        return []
    with api.gradebook as gradebook:
        found = [
            Grade(assignment.name, submission.student.id)
            for assignment in gradebook.assignments
            for submission in assignment.submissions
        ]
        for result in found:
            fill_in(gradebook, result)
    return sorted(found, key=lambda result: (result.assignment, result.student))


def students_of(root, stage, name, student=None):
    """Return who has something in `submitted/` or `autograded/` for an assignment."""
    students = sorted(
        path.parent.name for path in Path(root, stage).glob(f"*/{name}") if path.is_dir()
    )
    if student is not None:
        students = [each for each in students if each == student]
    if not students:
        whose = student or "STUDENT"
        step = "put submissions there" if stage == "submitted" else f"run course grade {name} first"
        raise CourseError(f"there is nothing in {Path(root, stage, whose, name)}: {step}.")
    return students


def is_graded(submission):
    """Return whether every test cell of a submission has its score."""
    for notebook in submission.notebooks:
        # What a person grades has no automatic score: tasks, and grade cells that are answers.
        answers = {cell.name for cell in notebook.notebook.solution_cells}
        for each in notebook.grades:
            is_test = isinstance(each.cell, GradeCell) and each.name not in answers
            if is_test and each.auto_score is None:
                return False
    return True


def fill_in(gradebook, result):
    """Fill in a grade's points, where the gradebook has the submission."""
    try:
        submission = gradebook.find_submission(result.assignment, result.student)
    except MissingEntry:
        return
    # As nbgrader's own exports have it: the penalty for lateness takes at most all points.
    result.score = max(0.0, submission.score - (submission.late_submission_penalty or 0))
    result.max_score = submission.max_score
    result.by_hand = submission.needs_manual_grade
