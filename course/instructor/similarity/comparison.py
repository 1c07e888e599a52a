"""Comparison of all pairs of students in a class, and the most suspicious groups."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from course.instructor.similarity import rarity_scoring
from course.instructor.similarity.rarity_scoring import AnswerView, Sequences
from course.instructor.similarity.submissions import Answer, Submission, SuppliedText
from course.instructor.similarity.tokenization import Token

POINTS = {
    "rare_token": rarity_scoring.rare_token_points,
    "names": rarity_scoring.name_points,
    "comments": rarity_scoring.passage_points,
    "words": rarity_scoring.passage_points,
}
MIN_POINTS = 3.0  # for a pair to be listed
# A student joins a group by sharing this fraction of the first pair's points with every member.
GROUP_FRACTION = 0.6


@dataclass
class ClassComparison:
    """The comparison of a class; arrays are indexed by pairs of submissions.

    If several submissions have the same cells, only the first one is compared.
    """

    submissions: list[Submission]
    supplied_lines: set[str]
    views: dict[tuple[str, str], AnswerView] = field(default_factory=dict)  # by answer and view
    points: dict[tuple[str, str], np.ndarray] = field(default_factory=dict)  # by answer and view
    code_similarity: dict[str, np.ndarray] = field(default_factory=dict)  # by answer, from 0 to 1
    excess_points: dict[str, np.ndarray] = field(default_factory=dict)  # above baseline, by view

    @property
    def total_points(self) -> np.ndarray:
        """The points of all pairs."""
        count = len(self.submissions)
        return sum(self.excess_points.values(), np.zeros((count, count)))


def compare_submissions(supplied: SuppliedText, submissions: list[Submission]) -> ClassComparison:
    """Compare all pairs of submissions."""
    lines = "\n".join([*supplied.code, *supplied.texts]).split("\n")
    comparison = ClassComparison(submissions, {line.strip() for line in lines})
    count = len(submissions)
    sequences_by_view: dict[tuple[str, str], dict[int, Sequences]] = {}
    for index, submission in enumerate(submissions):
        for name, answer in submission.answers.items():
            for view, sequences in join_views(answer).items():
                if sequences:
                    sequences_by_view.setdefault((name, view), {})[index] = sequences
    supplied_sequences = join_views(Answer.supplied(True, supplied.code))
    supplied_sequences |= join_views(Answer.supplied(False, supplied.texts))
    totals: dict[str, np.ndarray] = {}
    for (name, view), written in sequences_by_view.items():
        is_solved = name in supplied.solutions
        solutions = [supplied.solutions[name]] if is_solved else []
        solution = join_views(Answer.supplied(True, solutions)).get(view, [])
        # A token that is rare in its answer stays rare if it occurs elsewhere in the release.
        ignored = () if view == "rare_token" and is_solved else supplied_sequences.get(view, ())
        answer_view = AnswerView(view, written, ignored, solution)
        if view == "code":
            points, similarity = rarity_scoring.code_points(answer_view, count)
            comparison.code_similarity[name] = similarity
        else:
            points = POINTS[view](answer_view, count)
        comparison.views[name, view], comparison.points[name, view] = answer_view, points
        combine = np.maximum if view == "rare_token" else np.add
        totals[view] = combine(totals[view], points) if view in totals else points
    comparison.excess_points = {
        view: rarity_scoring.subtract_baseline(total) for view, total in totals.items()
    }
    return comparison


def join_views(answer: Answer) -> dict[str, Sequences]:
    """Return the token sequences of all cells of an answer for each view."""
    joined: dict[str, list[list[Token]]] = {}
    for views in answer.views:
        for name, sequences in views.items():
            joined.setdefault(name, []).extend(sequences)
    return dict(joined)


def suspicious_groups(points: np.ndarray, max_groups: int) -> list[list[int]]:
    """Return the groups with the most points; each group begins with its most similar pair."""
    points = np.triu(points, 1)
    order = np.argsort(-points, axis=None, kind="stable")
    groups: list[list[int]] = []
    grouped_pairs: set[tuple[int, int]] = set()
    for one, other in zip(*np.unravel_index(order, points.shape), strict=True):
        if points[one, other] < MIN_POINTS or len(groups) == max_groups:
            break
        if (one, other) in grouped_pairs:
            continue
        group = _with_similar(points, [int(one), int(other)])
        grouped_pairs |= {(min(a, b), max(a, b)) for a in group for b in group}
        groups.append(group)
    return groups


def _with_similar(points: np.ndarray, pair: Sequence[int]) -> list[int]:
    """Return a pair and the submissions that share enough points with everyone in the group."""
    group = list(pair)
    threshold = GROUP_FRACTION * points[tuple(pair)]
    for third in range(len(points)):
        shared = [points[min(each, third), max(each, third)] for each in group]
        if third not in group and min(shared) >= threshold:
            group.append(third)
    return group
