"""Scores of a class: one score, or the reason for its absence, per member and assignment."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from nbgrader.api import Grade, SubmittedAssignment, SubmittedNotebook
from sqlalchemy.orm import selectinload, undefer

from course.errors import CourseError
from course.instructor.gradebook.group_submissions import CourseGroups
from course.instructor.gradebook.roster_matching import Member
from course.instructor.gradebook.submission_results import final_score, is_graded
from course.instructor.lateness.submission_times import SubmissionTimes
from course.instructor.roster.roster import Roster

if TYPE_CHECKING:
    from nbgrader.api import Assignment, Gradebook

NOT_SUBMITTED = "nothing submitted"
CONTESTED = "several students could be this person: add a column student_id to the roster"
UNCLEAR = "unclear which submission of the group counts"
NOT_GRADED = "not graded yet"
PENDING = "pending manual grading"
EXCUSED = "excused"


@dataclass
class MemberScore:
    """A member's score on an assignment, after the late penalty.

    `score` is None if there is no score to export; `missing_reason` then says why. `comment`
    contains the graders' comments, one line per cell, each beginning with the cell's name.
    """

    score: float | None = None
    missing_reason: str = ""
    raw_score: float | None = None
    penalty: float | None = None
    timestamp: str = ""  # of the submission
    comment: str = ""


@dataclass
class ClassScores:
    """The scores of a class.

    `assignments` maps a name to the points and the due date, which is "" if there is none. `scores`
    maps (student, assignment) to a score. `notes` contains sentences about groups for which it is
    unclear which submission counts.
    """

    members: list[Member]
    assignments: dict[str, tuple[float, str]]
    roster: Roster | None = None
    scores: dict[tuple[str, str], MemberScore] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def score_of(self, member: Member, assignment: str) -> MemberScore:
        """Return a member's score on an assignment."""
        return self.scores[member.student, assignment]

    def excuse(self, excused: set[tuple[str, str]]) -> None:
        """Remove the scores of excused students; `excused` contains (assignment, student) pairs."""
        for member in self.members:
            for name in self.assignments:
                if {(name, member.student), (name, member.person.student)} & excused:
                    self.scores[member.student, name] = MemberScore(missing_reason=EXCUSED)

    def scored_assignments(self) -> list[str]:
        """Return the names of the assignments in which at least one member has a score."""
        return [
            name
            for name in self.assignments
            if any(self.score_of(member, name).score is not None for member in self.members)
        ]


@dataclass(frozen=True)
class ScoreSelection:
    """The scores to read; an empty tuple of students or assignments selects all of them."""

    students: tuple[str, ...] = ()
    assignments: tuple[str, ...] = ()
    include_pending: bool = False  # use the score so far if part of it is pending manual grading
    zero_if_missing: bool = False  # 0 without a submission, if any member has a score


def read_class_scores(
    gradebook: "Gradebook",
    root: Path,
    members: list[Member],
    roster: Roster | None = None,
    selection: ScoreSelection = ScoreSelection(),
    groups: CourseGroups | None = None,
) -> ClassScores:
    """Return the selected scores; a member of a group has the score of the group's submission.

    Raises CourseError if a selected assignment or student is unknown, or if the gradebook has no
    assignments.
    """
    groups = groups or CourseGroups(root, SubmissionTimes(root))
    assignments = sorted(gradebook.assignments, key=lambda each: each.name)
    if not assignments:
        raise CourseError("there is no assignment in the gradebook: run course release first.")
    known = [each.name for each in assignments]
    for name in set(selection.assignments) - set(known):
        raise CourseError(
            f"{name!r} is not an assignment in the gradebook: choose from {', '.join(known)}."
        )
    selected = [each for each in assignments if each.name in (selection.assignments or known)]
    class_scores = ClassScores(
        _select_members(members, selection.students),
        {each.name: (each.max_score, str(each.duedate or "")) for each in selected},
        roster,
    )
    for assignment in selected:
        submissions = {each.student_id: each for each in read_submissions(gradebook, assignment)}
        shared = groups.in_assignment(assignment.name)
        students = {member.student for member in class_scores.members}
        class_scores.notes += [
            f"{assignment.name}: {group.describe_choice()}"
            for group in shared.groups
            if group.is_unclear and students.intersection(group.members)
        ]
        for member in class_scores.members:
            student = shared.counted_for(member.student)
            submission = submissions.get(student)
            if member.is_contested:
                score = MemberScore(missing_reason=CONTESTED)
            elif shared.lacks_choice(member.student):
                score = MemberScore(missing_reason=UNCLEAR)
            elif submission is not None:
                score = _member_score(submission, selection.include_pending)
            elif Path(root, "submitted", student, assignment.name).is_dir():
                score = MemberScore(missing_reason=NOT_GRADED)
            else:
                score = MemberScore(missing_reason=NOT_SUBMITTED)
            class_scores.scores[member.student, assignment.name] = score
    if selection.zero_if_missing:
        for name in class_scores.scored_assignments():
            for member in class_scores.members:
                if class_scores.score_of(member, name).missing_reason == NOT_SUBMITTED:
                    class_scores.scores[member.student, name] = MemberScore(0.0, "", 0.0, 0.0)
    return class_scores


def _select_members(members: list[Member], students: Sequence[str]) -> list[Member]:
    """Return the members with these IDs in the gradebook or roster; without IDs, all members."""
    if not students:
        return members
    for student in students:
        if not any(student in (each.student, each.person.student) for each in members):
            raise CourseError(
                f"{student!r} is neither in the gradebook nor in the roster: check the spelling."
            )
    return [each for each in members if {each.student, each.person.student} & set(students)]


def read_submissions(gradebook: "Gradebook", assignment: "Assignment") -> list[SubmittedAssignment]:
    """Return an assignment's submissions with all values that scores need, in a few queries.

    By default, nbgrader queries each value of each submission separately, which takes three times
    as long for a class of 200.
    """
    columns = ("score", "max_score", "late_submission_penalty", "needs_manual_grade")
    notebooks = selectinload(SubmittedAssignment.notebooks)
    return (
        gradebook.db.query(SubmittedAssignment)
        .filter_by(assignment_id=assignment.id)
        .options(
            *(undefer(getattr(SubmittedAssignment, each)) for each in columns),
            notebooks.selectinload(SubmittedNotebook.grades).selectinload(Grade.cell),
            notebooks.selectinload(SubmittedNotebook.comments),
        )
        .all()
    )


def _member_score(submission: SubmittedAssignment, include_pending: bool) -> MemberScore:
    """Return the score of a submission, or the reason why there is none to export."""
    if not is_graded(submission):
        return MemberScore(missing_reason=NOT_GRADED)
    if submission.needs_manual_grade and not include_pending:
        return MemberScore(missing_reason=PENDING)
    comments = [
        f"{each.name}: {each.manual_comment.strip()}"
        for notebook in submission.notebooks
        for each in notebook.comments
        if (each.manual_comment or "").strip()
    ]
    return MemberScore(
        final_score(submission),
        raw_score=submission.score,
        penalty=submission.late_submission_penalty or 0.0,
        timestamp=str(submission.timestamp or ""),
        comment="\n".join(sorted(comments)),
    )
