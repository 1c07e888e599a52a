"""Grading submissions and writing feedback pages, one submission at a time."""

import time
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbgrader.api import GradeCell, MissingEntry
from sqlalchemy.engine import make_url

from course.errors import CourseError
from course.grading.coursework import first_error, open_api, source_notebook
from course.grading.releases import ensure_in_gradebook


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
        "graded", "graded before", or one sentence on why not.
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


def grade(root, name, student=None, force=False):
    """Grade an assignment's submissions and yield a `Grade` as each is done.

    Parameters
    ----------
    root : Path
        The course directory.
    name : str
        The assignment.
    student : str, optional
        Only this student's submission.
    force : bool
        Grade again what is graded already.

    Yields
    ------
    Grade
        One a submission, in the students' alphabetical order.

    Raises
    ------
    CourseError
        If there is no submission to grade.
    """
    students = _students(root, "submitted", name, student)
    ensure_in_gradebook(root, name)
    api = open_api(root)
    for each in students:
        start = time.perf_counter()
        result = Grade(name, each)
        problem = _unreadable(Path(root, "submitted", each, name), source_notebook(root, name).name)
        if problem is None:
            # nbgrader skips what lies in autograded/, even what a kill or a lost gradebook left.
            outcome = api.autograde(name, each, force=force or not _is_graded(api, result))
            if "KeyboardInterrupt" in outcome.get("error", ""):
                raise KeyboardInterrupt
            if not outcome["success"]:
                problem = f"submitted/{each}/{name} was not graded: {first_error(outcome['log'])}"
            elif "Skipping existing assignment" in outcome["log"]:
                result.note = "graded before"
        if problem is None:
            _read_score(api, result)
        else:
            result.note, result.failed = problem, True
        result.seconds = time.perf_counter() - start
        yield result


def feedback(root, name, student=None):
    """Write the feedback pages of an assignment's graded submissions.

    Parameters
    ----------
    root, name, student
        As in `grade`.

    Yields
    ------
    Path
        The page of each student, as it is written.
    """
    api = open_api(root)
    for each in _students(root, "autograded", name, student):
        outcome = api.generate_feedback(name, each, force=True)
        if not outcome["success"]:
            raise CourseError(f"no feedback for {each} in {name}: {first_error(outcome['log'])}")
        yield from Path(root, "feedback", each, name).glob("*.html")


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
    found = []
    with api.gradebook as gradebook:
        pairs = sorted(
            (assignment.name, submission.student.id)
            for assignment in gradebook.assignments
            for submission in assignment.submissions
        )
    for name, student in pairs:
        result = Grade(name, student)
        _read_score(api, result)
        found.append(result)
    return found


def _students(root, stage, name, student):
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


def _unreadable(folder, file_name):
    """Return a sentence on why a submission cannot be read, or None."""
    path = folder / file_name
    if not path.is_file():
        there = ", ".join(sorted(each.name for each in folder.glob("*.ipynb"))) or "no notebook"
        return f"{path} is missing (there is {there}): rename what was handed in to {file_name}."
    try:
        nbformat.read(path, as_version=4)
    except Exception as error:  # nbformat raises many kinds; each means that no cell can be read
        # Parsers quote the text they choke on; the first line says where.
        reason = str(error).splitlines()[0].split(": '")[0] if str(error) else type(error).__name__
        return f"{path} is not a readable notebook ({reason}): ask for it to be handed in again."
    return None


def _is_graded(api, result):
    """Return whether every test cell of a submission has its score in the gradebook."""
    with api.gradebook as gradebook:
        try:
            submission = gradebook.find_submission(result.assignment, result.student)
        except MissingEntry:
            return False
        for notebook in submission.notebooks:
            # What a person grades has no automatic score: tasks, and grade cells that are answers.
            answers = {cell.name for cell in notebook.notebook.solution_cells}
            for grade in notebook.grades:
                is_test = isinstance(grade.cell, GradeCell) and grade.name not in answers
                if is_test and grade.auto_score is None:
                    return False
    return True


def _read_score(api, result):
    with api.gradebook as gradebook:
        submission = gradebook.find_submission(result.assignment, result.student)
        # As nbgrader's own exports have it: the penalty for lateness takes at most all points.
        result.score = max(0.0, submission.score - (submission.late_submission_penalty or 0))
        result.max_score = submission.max_score
        result.by_hand = submission.needs_manual_grade
