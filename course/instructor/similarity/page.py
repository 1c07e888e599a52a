"""Similar answers for the page that shows them side by side, with the shared text marked."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from course.instructor.similarity.comparison import ClassComparison
from course.instructor.similarity.rarity_scoring import NGRAM_LENGTHS, ngram_points
from course.instructor.similarity.submissions import Answer
from course.instructor.similarity.tokenization import Token, Views, ngrams
from course.instructor.student_text.layout_limits import limit_layout

# Levels of a character: not shared, shared within the group, and shared but rare in the class.
LEVELS = ("", "shared", "rare")
MAX_COLUMNS = 8
MAX_SHOWN = 10_000  # characters of a text; each can begin a mark, which takes 30 more


def mark_answers(comparison: ClassComparison, group: Sequence[int]) -> list[dict[str, Any]]:
    """Return the answers that give the first two students of a group points, most points first.

    Each answer is a dict with its name and one column per submission, which contains the student
    and the texts. A text is a list of (level, string) pairs.
    """
    one, other, *_ = group
    points: dict[str, float] = {}
    for (name, view), table in comparison.points.items():
        if comparison.excess_points[view][one, other] > 0:
            points[name] = points.get(name, 0) + table[one, other]
    return [
        {"name": name, "columns": [_column(comparison, name, each, group) for each in group]}
        for name in sorted(filter(points.get, points), key=lambda name: -points[name])
    ]


def _column(
    comparison: ClassComparison, name: str, index: int, group: Sequence[int]
) -> dict[str, Any]:
    """Return the marked answer of one submission."""
    submission = comparison.submissions[index]
    answer = submission.answers.get(name, Answer(True))
    partners = set(group) - {index}
    pairs = zip(answer.texts, answer.views, strict=True)
    texts = [_mark(comparison, name, text, views, partners) for text, views in pairs]
    return {"student": submission.student, "texts": texts}


def _mark(
    comparison: ClassComparison, name: str, text: str, views: Views, partners: set[int]
) -> list[tuple[str, str]]:
    """Return a text as (level, string) pairs; one that a browser lays out slowly is not marked."""
    if (limited := limit_layout(text[:MAX_SHOWN])) != text[:MAX_SHOWN]:
        return [(LEVELS[0], limited), *_omission(text)]
    levels = [0] * len(text)
    for view, sequences in views.items():
        answer_view, length = comparison.views.get((name, view)), NGRAM_LENGTHS[view]
        for tokens in sequences if answer_view else ():
            for last, ngram in enumerate(ngrams(tokens, length)):
                if answer_view is None or not partners & answer_view.writers.get(ngram, set()):
                    continue
                is_rare = ngram_points(answer_view, ngram) > 0
                if is_rare or length > 1:  # a single common token is a coincidence
                    shared = tokens[max(0, last + 1 - length) : last + 1]
                    _raise_level(levels, text, shared, 1 + is_rare)
    start = 0
    for line in text.split("\n"):
        # Supplied lines and indentation are not marked.
        is_supplied = line.strip() in comparison.supplied_lines
        unmarked = len(line) if is_supplied else len(line) - len(line.lstrip())
        levels[start : start + unmarked] = [0] * unmarked
        start += len(line) + 1
        if start <= len(text):
            levels[start - 1] = 0
    runs = groupby(range(len(text[:MAX_SHOWN])), key=levels.__getitem__)
    shown = [(LEVELS[level], "".join(text[at] for at in positions)) for level, positions in runs]
    return [*shown, *_omission(text)]


def _omission(text: str) -> list[tuple[str, str]]:
    """Return the note about the characters of a text that are not shown, if there are any."""
    omitted = len(text) - MAX_SHOWN
    return [(LEVELS[0], f"\n... ({omitted:,} more characters)")] if omitted > 0 else []


def _raise_level(levels: list[int], text: str, tokens: Sequence[Token], level: int) -> None:
    """Raise the level of tokens and of the white space between them."""
    end = tokens[0].start
    for token in tokens:
        start = end if not text[end : token.start].strip() else token.start
        end = token.end
        for at in range(start, end):
            levels[at] = max(levels[at], level)
