"""How a class stands: what each member has in each assignment."""

from dataclasses import dataclass, field, replace
from pathlib import Path

from nbgrader.api import Grade as GradebookGrade
from nbgrader.api import SubmittedAssignment, SubmittedNotebook
from sqlalchemy.orm import selectinload, undefer

from course.errors import CourseError
from course.instructor.gradebook.members import Member
from course.instructor.gradebook.scores import Grade, fill_in, is_graded
from course.instructor.roster.roster import Roster

NOTHING, NOT_GRADED, WAITING = "nothing handed in", "not graded yet", "some by hand still"


@dataclass
class Standing:
    """What a member has in an assignment.

    Attributes
    ----------
    score : float or None
        After the late penalty; None if there is none to export.
    reason : str
        Why there is none, or "".
    raw_score, penalty : float or None
    timestamp : str
        When it was handed in, or "".
    comment : str
        What persons have written to the student, a line a cell, each with the cell's name.
    """

    score: float | None = None
    reason: str = ""
    raw_score: float | None = None
    penalty: float | None = None
    timestamp: str = ""
    comment: str = ""


@dataclass
class Standings:
    """A class.

    Attributes
    ----------
    members : list of Member
    assignments : dict of str to (float, str)
        Name to points and due date.
    roster : Roster or None
    """

    members: list[Member]
    assignments: dict[str, tuple[float, str]]
    roster: Roster | None = None
    found: dict[tuple[str, str], Standing] = field(default_factory=dict)

    def of(self, member, name):
        """Return what a member has in an assignment."""
        return self.found[member.student, name]

    def with_scores(self):
        """Return the names of those assignments in which a member has a score."""
        return [
            name
            for name in self.assignments
            if any(self.of(member, name).score is not None for member in self.members)
        ]

    def strangers(self):
        """Return the ids of those whom the roster does not know; without a roster of nobody."""
        return [each.student for each in self.members if self.roster and each.row is None]

    def without_strangers(self):
        """Return the same for those alone whom the roster knows."""
        return replace(self, members=[each for each in self.members if each.row is not None])


@dataclass(frozen=True)
class Choice:
    """What is asked for.

    Attributes
    ----------
    students, names : sequence of str
        Only these students and assignments; none means all.
    waiting : bool
        Take the score so far where a part of it waits for a person.
    zero : bool
        Give 0 to who has handed in nothing, in assignments in which somebody has a score.
    """

    students: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    waiting: bool = False
    zero: bool = False


def read(gradebook, root, members, roster=None, choice=Choice()):
    """Return how a class stands.

    Parameters
    ----------
    gradebook : nbgrader.api.Gradebook
    root : Path
        The course directory.
    members : list of Member
    roster : Roster or None
        What they come from.
    choice : Choice

    Returns
    -------
    Standings

    Raises
    ------
    CourseError
        If there is no assignment yet, or a name is nobody's.
    """
    assignments = sorted(gradebook.assignments, key=lambda each: each.name)
    if not assignments:
        raise CourseError("there is nothing in the gradebook yet: run course release first.")
    known = [each.name for each in assignments]
    for name in set(choice.names) - set(known):
        raise CourseError(
            f"{name!r} is not an assignment in the gradebook: choose of {', '.join(known)}."
        )
    chosen = [each for each in assignments if not choice.names or each.name in choice.names]
    standings = Standings(
        _chosen(members, choice.students),
        {each.name: (each.max_score, str(each.duedate or "")) for each in chosen},
        roster,
    )
    for assignment in chosen:
        submissions = {each.student_id: each for each in _submissions(gradebook, assignment)}
        for member in standings.members:
            submission = submissions.get(member.student)
            if submission is not None:
                standing = _standing(gradebook, assignment.name, submission, choice.waiting)
            elif Path(root, "submitted", member.student, assignment.name).is_dir():
                standing = Standing(reason=NOT_GRADED)
            else:
                standing = Standing(reason=NOTHING)
            standings.found[member.student, assignment.name] = standing
    if choice.zero:
        for name in standings.with_scores():
            for member in standings.members:
                if standings.of(member, name).reason == NOTHING:
                    standings.found[member.student, name] = Standing(0.0, "", 0.0, 0.0)
    return standings


def _chosen(members, students):
    """Return those members who are named, by their id here or in the roster."""
    for student in students:
        if not any(student in (each.student, each.person.student) for each in members):
            raise CourseError(
                f"{student!r} is neither in the gradebook nor in the roster: see how it is spelt."
            )
    return [
        each
        for each in members
        if not students or each.student in students or each.person.student in students
    ]


def _submissions(gradebook, assignment):
    """Return an assignment's submissions with all that is asked of them, in a few queries.

    Left alone, nbgrader asks again for each number of each: a class of 200 took thrice as long.
    """
    asked = ("score", "max_score", "late_submission_penalty", "needs_manual_grade")
    notebooks = selectinload(SubmittedAssignment.notebooks)
    return (
        gradebook.db.query(SubmittedAssignment)
        .filter_by(assignment_id=assignment.id)
        .options(
            *(undefer(getattr(SubmittedAssignment, each)) for each in asked),
            notebooks.selectinload(SubmittedNotebook.grades).selectinload(GradebookGrade.cell),
            notebooks.selectinload(SubmittedNotebook.comments),
        )
        .all()
    )


def _standing(gradebook, name, submission, waiting):
    grade = Grade(name, submission.student_id)
    fill_in(gradebook, grade)
    if not is_graded(submission):
        return Standing(reason=NOT_GRADED)
    if grade.by_hand and not waiting:
        return Standing(reason=WAITING)
    comments = [
        f"{each.name}: {each.manual_comment.strip()}"
        for notebook in submission.notebooks
        for each in notebook.comments
        if (each.manual_comment or "").strip()
    ]
    return Standing(
        grade.score,
        "",
        submission.score,
        submission.late_submission_penalty or 0.0,
        str(submission.timestamp or ""),
        "\n".join(sorted(comments)),
    )
