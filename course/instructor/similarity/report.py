"""The similarity report of an assignment: the output of `course similar`, and the page."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from course.files import write_atomically
from course.instructor import pages
from course.instructor.gradebook.group_submissions import GroupSubmissions
from course.instructor.gradebook.submission_results import list_students
from course.instructor.sandbox.cell_execution import printable
from course.instructor.similarity.comparison import (
    MIN_POINTS,
    compare_submissions,
    suspicious_groups,
)
from course.instructor.similarity.explanation import explain_pair
from course.instructor.similarity.page import MAX_COLUMNS, mark_answers
from course.instructor.similarity.shared_evidence import find_shared_evidence
from course.instructor.similarity.submissions import Submission, read_submissions

CAUTION = "Similarity is not proof of copying: read both submissions, and talk to the students."


@dataclass
class SimilarGroup:
    """Students whose submissions are similar; points and reasons are those of the first pair."""

    students: list[str]
    points: float
    reasons: list[str]
    answers: list[dict[str, Any]] = field(repr=False)  # for the page


@dataclass
class SimilarityReport:
    """The findings about an assignment, as lines of text, and the path of the page."""

    summary: str
    same_cells: list[str]  # one line per group
    shared_evidence: list[str]  # one line per group
    groups: list[SimilarGroup]  # most points first
    problems: list[str]  # one line per submission that cannot be read
    path: Path


def find_similar(
    root: Path, name: str, max_groups: int, shared: GroupSubmissions
) -> SimilarityReport:
    """Compare the submissions of an assignment and write the page.

    Of the submissions of a group in `shared`, only the one that counts is compared. If it is
    unclear which one counts, all are, but not with each other: members may submit the same work.
    Raises CourseError if there are no submissions or the assignment has not been released.
    """
    students = list(filter(shared.counts, list_students(root, "submitted", name)))
    supplied, submissions, problems = read_submissions(root, name, students)
    by_digest = defaultdict(list)
    for submission in submissions:
        by_digest[submission.cells_digest].append(submission)
    copies = list(by_digest.values())
    # One submission represents its copies, so that copies do not make their text look common.
    comparison = compare_submissions(supplied, [same[0] for same in copies])
    points = comparison.total_points
    for one, other in zip(*np.nonzero(np.triu(points, 1)), strict=True):
        if shared.is_one_group(each.student for each in copies[one] + copies[other]):
            points[one, other] = points[other, one] = 0
    groups = [
        SimilarGroup(
            [_label(copies[index], shared) for index in group],
            float(points[group[0], group[1]]),
            explain_pair(comparison, *group[:2]),
            mark_answers(comparison, group[:MAX_COLUMNS]),
        )
        for group in suspicious_groups(points, max_groups)
    ]
    report = SimilarityReport(
        _summarize(len(submissions), points),
        [
            _describe_copies(same, shared)
            for same in copies
            if len(same) > 1 and not shared.is_one_group(each.student for each in same)
        ],
        [printable(line) for line in find_shared_evidence(root, name, students, shared)],
        groups,
        [printable(problem) for problem in problems],
        Path(root, "build", "similar", f"{name}.html"),
    )
    page = pages.render("similarity.html", assignment=name, caution=CAUTION, report=report)
    write_atomically(report.path, page)
    return report


def _describe_copies(same: Sequence[Submission], shared: GroupSubmissions) -> str:
    """Return a line about submissions with the same cells."""
    is_same_file = len({each.file_digest for each in same}) == 1
    kind = "the same file, byte for byte" if is_same_file else "the same cells, different outputs"
    return f"{', '.join(_name(each, shared) for each in same)}: {kind}"


def _label(same: Sequence[Submission], shared: GroupSubmissions) -> str:
    """Return the first student's name and the number of other submissions with the same cells."""
    others = f" (and {len(same) - 1} with the same cells)" if len(same) > 1 else ""
    return _name(same[0], shared) + others


def _name(submission: Submission, shared: GroupSubmissions) -> str:
    """Return a student's ID, with the group."""
    group = shared.group_of(submission.student)
    return printable(f"{submission.student} (group {group.name})" if group else submission.student)


def _summarize(count: int, points: np.ndarray) -> str:
    """Return how many pairs were compared and how many have points."""
    submissions = f"{count} submission{'s' * (count != 1)} with answers"
    pairs = points[np.triu_indices(len(points), 1)]
    if not pairs.size:
        return f"{submissions}, no pairs to compare."
    return (
        f"{submissions}, {pairs.size:,} pairs: {np.mean(pairs == 0):.1%} have no points,"
        f" {np.count_nonzero(pairs >= MIN_POINTS)} have {MIN_POINTS:g} or more."
    )
