"""Sentences that describe what two submissions have in common."""

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

from course.instructor.sandbox.cell_execution import printable
from course.instructor.similarity.comparison import ClassComparison
from course.instructor.similarity.rarity_scoring import (
    AnswerView,
    Ngram,
    count_as_similar,
    ngram_points,
)
from course.instructor.similarity.submissions import ADDED_CELLS
from course.instructor.similarity.tokenization import ngrams

MAX_NAMES = 4
MAX_WORDS = 1_000  # words of a text that are compared in order, in quadratic time
MAX_EXCERPT = 70  # characters
IDENTICAL, RENAMED, NEARLY = "identical", "identical except for names", "nearly identical"


def explain_pair(comparison: ClassComparison, one: int, other: int) -> list[str]:
    """Return sentences on what two submissions have in common, most points first."""
    excess = {view: points[one, other] for view, points in comparison.excess_points.items()}
    views = sorted((view for view in excess if excess[view] > 0), key=lambda view: -excess[view])
    return [sentence for view in views for sentence in EXPLAIN[view](comparison, one, other)]


def list_names(names: Sequence[str]) -> str:
    """Join names with commas and "and"; a long list ends with the number of omitted names."""
    if len(names) <= MAX_NAMES:
        return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
    return f"{', '.join(names[:MAX_NAMES])} and {len(names) - MAX_NAMES} more"


def _similar_answers(comparison: ClassComparison, view: str, one: int, other: int) -> list[str]:
    """Return the answers that give a pair points in a view, most points first."""
    points = {
        name: table[one, other] for (name, each), table in comparison.points.items() if each == view
    }
    return sorted((name for name in points if points[name] > 0), key=lambda name: -points[name])


def _explain_code(comparison: ClassComparison, one: int, other: int) -> Iterator[str]:
    """Yield a sentence about the answers with the same code."""
    names_by_kind: dict[str, list[str]] = {IDENTICAL: [], RENAMED: [], NEARLY: []}
    counts = []
    for name in _similar_answers(comparison, "code", one, other):
        similarity, kind = comparison.code_similarity[name], NEARLY
        if similarity[one, other] >= 1:
            first, second = (_token_texts(comparison, name, "names", each) for each in (one, other))
            kind = IDENTICAL if first == second else RENAMED
        names_by_kind[kind].append(name)
        similar = count_as_similar(similarity, one, other)
        counts.append((similar, comparison.views[name, "code"].other_count))
    answers = "; ".join(
        f"{list_names(names)} {kind}" for kind, names in names_by_kind.items() if names
    )
    (fewest, class_size), most = min(counts), max(counts)[0]
    writers = str(fewest) if fewest == most else f"{fewest} to {most}"
    yield f"code: {answers} (written by {writers} of the {class_size} others)"


def _explain_words(comparison: ClassComparison, one: int, other: int) -> Iterator[str]:
    """Yield a sentence about the matching words of each similar text."""
    for name in _similar_answers(comparison, "words", one, other):
        first, second = (
            _token_texts(comparison, name, "words", each)[:MAX_WORDS] for each in (one, other)
        )
        blocks = SequenceMatcher(None, first, second, autojunk=False).get_matching_blocks()
        same = sum(block.size for block in blocks if block.size > 2)
        longest = max(blocks, key=lambda block: block.size)
        passage = " ".join(first[longest.a : longest.a + longest.size])
        label = name if name in ADDED_CELLS.values() else f"written answer {name}"
        yield (
            f"{label}: {same} of {min(len(first), len(second))} words match in order,"
            f" for example “{_excerpt(passage)}”"
        )


def _explain_rare_token(comparison: ClassComparison, one: int, other: int) -> Iterator[str]:
    """Yield a sentence about the rarest token that both students wrote."""
    (name, *_) = _similar_answers(comparison, "rare_token", one, other)
    view = comparison.views[name, "rare_token"]
    shared = _shared_ngrams(view, one, other)
    (rarest, *_) = sorted(shared, key=lambda ngram: (-ngram_points(view, ngram), -len(ngram[0])))
    yield f"code of {name} contains “{_excerpt(rarest[0])}” ({_other_writers(view, rarest)})"


def _explain_names(comparison: ClassComparison, one: int, other: int) -> Iterator[str]:
    """Yield a sentence about the rarest names that both students chose."""
    found = []
    for name in _similar_answers(comparison, "names", one, other)[:MAX_NAMES]:
        view = comparison.views[name, "names"]
        shared = _shared_ngrams(view, one, other)
        rarest = max(shared, key=lambda ngram: ngram_points(view, ngram))
        found.append(f"“{_excerpt(rarest[0])}” in {name} ({_other_writers(view, rarest)})")
    yield f"names: {', '.join(found)}"


def _explain_comments(comparison: ClassComparison, one: int, other: int) -> Iterator[str]:
    """Yield a sentence about the longest shared comment of each answer."""
    found = []
    for name in _similar_answers(comparison, "comments", one, other)[:MAX_NAMES]:
        view = comparison.views[name, "comments"]
        shared = set(_shared_ngrams(view, one, other))
        comments = [
            " ".join(token.text for token in comment)
            for comment in view.sequences[one]
            if any(ngram in shared and ngram_points(view, ngram) for ngram in ngrams(comment, 2))
        ]
        found.append(f"“{_excerpt(max(comments, key=len))}” in {name}")
    yield f"comments: {', '.join(found)}"


EXPLAIN = {
    "code": _explain_code,
    "words": _explain_words,
    "rare_token": _explain_rare_token,
    "names": _explain_names,
    "comments": _explain_comments,
}


def _shared_ngrams(view: AnswerView, one: int, other: int) -> list[Ngram]:
    """Return the n-grams that both students wrote."""
    return [ngram for ngram, writers in view.writers.items() if {one, other} <= writers]


def _token_texts(comparison: ClassComparison, name: str, view: str, index: int) -> list[str]:
    """Return the tokens of a submission's answer as strings."""
    answer_view = comparison.views.get((name, view))
    sequences = answer_view.sequences.get(index, ()) if answer_view else ()
    return [token.text for tokens in sequences for token in tokens]


def _other_writers(view: AnswerView, ngram: Ngram) -> str:
    """Return a phrase with the number of other students who wrote an n-gram."""
    return f"written by {view.other_writers(ngram) or 'none'} of the {view.other_count} others"


def _excerpt(text: str) -> str:
    """Return the beginning of a text on one line."""
    text = " ".join(printable(text).split())
    return text if len(text) <= MAX_EXCERPT else f"{text[: MAX_EXCERPT - 1]}…"
