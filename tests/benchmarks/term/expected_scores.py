"""The scores that every student must have at the end of the term, computed from what was drawn.

This module uses nothing of the course's own code: neither its rules for late work nor its totals.
"""

import math
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fractions import Fraction

from tests.benchmarks.term.assignments import ALL, ITEMS, MARKED, RUBRIC, SIZES, Assignment
from tests.benchmarks.term.example_class import (
    GRACE,
    ExampleClass,
    Student,
    Upload,
    due_time,
    is_excused,
)

PERCENT_PER_DAY, MAX_PERCENT = 10, 40
WEIGHTS = {SIZES.name: 2}  # the others have 1
DROP_LOWEST = 1


@dataclass
class ExpectedScore:
    """What one submission must get: points by cell, comments, and the penalty."""

    upload: Upload
    cells: dict[str, Fraction] = field(default_factory=dict)  # with extra credit, by grade ID
    comment: str = ""
    penalty: Fraction = Fraction(0)

    @property
    def final(self) -> Fraction:
        """Return the score after the penalty."""
        return max(Fraction(0), sum(self.cells.values(), Fraction(0)) - self.penalty)


def submission_scores(example: ExampleClass) -> dict[tuple[Student, str], ExpectedScore]:
    """Return what each student's own submission must get, by student and assignment."""
    found = {}
    for assignment in ALL:
        for student in example.students:
            upload = example.counting_upload(student, assignment, 1)
            if upload and not student.is_dropped:
                found[student, assignment.name] = _score(example, upload)
    return found


def class_scores(example: ExampleClass) -> dict[tuple[Student, str], ExpectedScore]:
    """Return what counts for each student: in a group, the newest submission of a member."""
    own = submission_scores(example)
    found = dict(own)
    for student, group in example.groups.items():
        submitted = [
            own[member, SIZES.name]
            for member, name in example.groups.items()
            if name == group and (member, SIZES.name) in own
        ]
        if submitted:
            newest = max(submitted, key=lambda each: each.upload.time)
            found[student, SIZES.name] = newest
    return found


def totals(example: ExampleClass) -> dict[Student, set[Fraction]]:
    """Return each student's possible totals in percent: several if the lowest ones are equal."""
    scores = class_scores(example)
    found: dict[Student, set[Fraction]] = {}
    for student in example.students:
        shares = {
            each.name: scores[student, each.name].final / each.points
            if (student, each.name) in scores
            else Fraction(0)
            for each in ALL
            if not is_excused(student, each)
        }
        for dropped, share in shares.items():
            if share == min(shares.values()):
                kept = {name: WEIGHTS.get(name, 1) for name in shares if name != dropped}
                total = sum(weight * shares[name] for name, weight in kept.items())
                found.setdefault(student, set()).add(100 * total / sum(kept.values()))
    return found


def due(example: ExampleClass, student: Student, assignment: Assignment) -> datetime:
    """Return when a student's work is due."""
    return example.extensions.get((assignment.name, student), due_time(assignment))


def _comment_of_marks(upload: Upload) -> str:
    """Return what the student reads: the selected items with their points, then the comment."""
    labels = ITEMS[upload.mark]
    lines = "\n".join(f"- {label} (+{float(RUBRIC[label]):g})" for label in labels)
    return "\n\n".join(filter(None, [lines, upload.comment]))


def _score(example: ExampleClass, upload: Upload) -> ExpectedScore:
    """Return the score of one submission."""
    student, assignment = upload.student, upload.assignment
    found = ExpectedScore(upload)
    for question in assignment.questions:
        found.cells[question.test] = question.choices[upload.answers[question.answer]]
    found.cells[assignment.written] = Fraction(0)
    for (corrected, test), score in example.to_correct(assignment).items():
        if corrected is student:
            found.cells[test] = score
    for collection in (0, 1):
        for marked in example.to_mark(assignment, collection):
            if marked.student is student:
                found.cells[assignment.written] = marked.mark + marked.extra_credit
                found.comment = (
                    _comment_of_marks(marked)
                    if assignment is MARKED
                    else marked.comment or found.comment
                )
    late = upload.time - due(example, student, assignment)
    days = math.ceil((late - GRACE) / timedelta(days=1)) if late > GRACE else 0
    percent = min(MAX_PERCENT, PERCENT_PER_DAY * days)
    found.penalty = sum(found.cells.values(), Fraction(0)) * percent / 100
    return found
