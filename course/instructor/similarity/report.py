"""The whole of `course similar` for one assignment: what is listed, and the page."""

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from course.instructor.gradebook.submission_results import list_students
from course.instructor.sandbox.execute import printable
from course.instructor.similarity import page
from course.instructor.similarity import explanation
from course.instructor.similarity import comparison
from course.instructor.similarity import submissions
from course.instructor.similarity import shared_evidence as trainings

CAUTION = (
    "Nothing here proves anything, and nothing is decided: read both texts, and ask the students."
)


@dataclass
class SimilarGroup:
    """Students whose work is alike.

    Attributes
    ----------
    students : list of str
    points : float
        Of the two who are most alike.
    reasons : list of str
        What these two share.
    places : list of dict
        What they wrote there, for the page.
    """

    students: list
    points: float
    reasons: list
    places: list = field(repr=False)


@dataclass
class SimilarityReport:
    """What was found in an assignment.

    Attributes
    ----------
    summary : str
        How many were compared, and what their pairs have in common as a rule.
    same, evidence : list of str
        A line for each group whose cells are all the same, whose evidence is.
    rows : list of Row
        The most remarkable first.
    problems : list of str
        What could not be read.
    path : Path
        The page.
    """

    summary: str
    same: list
    evidence: list
    rows: list
    problems: list
    path: Path


def find_similar(root, name, most):
    """Compare what was handed in for an assignment, and write the page.

    Parameters
    ----------
    root : Path
        The course directory.
    name : str
        The assignment.
    most : int
        Rows that are listed.

    Returns
    -------
    Similar
    """
    handout, works, problems = submissions.read(root, name)
    problems = [printable(problem) for problem in problems]
    copies = defaultdict(list)
    for work in works:
        copies[work.cells].append(work)
    same = [_same(group) for group in copies.values() if len(group) > 1]
    # One stands for all whose cells are the same, so that many copies do not look usual.
    found = comparison.compare(handout, [group[0] for group in copies.values()])
    points = found.points
    more = {group[0].student: len(group) - 1 for group in copies.values()}
    rows = [
        SimilarGroup(
            [_called(found.works[each].student, more) for each in group],
            float(points[group[0], group[1]]),
            explanation.reasons(found, *group[:2]),
            page.side_by_side(found, group[: page.MOST_COLUMNS]),
        )
        for group in comparison.groups(points, most)
    ]
    students = list_students(root, "submitted", name)
    evidence = [printable(line) for line in trainings.same(root, name, students)]
    summary = _summary(len(works), points)
    path = Path(root, "build", "similar", f"{name}.html")
    page.write(
        path,
        assignment=name,
        caution=CAUTION,
        summary=summary,
        same=same,
        evidence=evidence,
        rows=rows,
        problems=problems,
    )
    return SimilarityReport(summary, same, evidence, rows, problems, path)


def _same(group):
    bytewise = len({work.file for work in group}) == 1
    what = "the same file, byte for byte" if bytewise else "the same cells, with other outputs"
    return f"{', '.join(printable(work.student) for work in group)}: {what}"


def _called(student, more):
    count = more[student]
    return printable(student) + (f" (and {count} with the same cells)" if count else "")


def _summary(count, points):
    pairs = points[np.triu_indices(len(points), 1)]
    if not pairs.size:
        return f"{count} with work of their own, nothing to compare."
    return (
        f"{count} with work of their own, {pairs.size:,} pairs, of which"
        f" {np.mean(pairs == 0):.1%} have no points and"
        f" {np.count_nonzero(pairs >= comparison.LEAST)} have {comparison.LEAST:g} or more."
    )
