"""Points for text that two students share: the fewer others wrote the text, the more points.

Points are bits: one more point means that half as many others wrote the same text. Text that a
quarter of the class wrote gives no points (`COMMON_BITS`), and neither does the release's text.
Each view of an answer has a table of points, with one row and one column per student:

- code: answers whose tokens are nearly the same, regardless of names and layout. The points of
  all answers are added, because a single short answer proves little.
- rare_token: the rarest token that both students wrote in an answer, such as a wrong number.
- names: the rarest name in each answer; students choose their variables themselves.
- comments, words: passages of several words, which two people rarely write independently.

From each table, the points that a typical student shares with the most similar other student are
subtracted. Most honest students therefore share no points, even if there are few solutions.
"""

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from course.instructor.similarity.tokenization import Token, ngrams

COMMON_BITS = 2.0
MIN_SIMILARITY = 0.8  # Dice similarity of code that is nearly the same
NGRAM_LENGTHS = {"code": 3, "rare_token": 1, "names": 1, "comments": 2, "words": 5}
# The fraction of each word's bits that counts: the words of a passage are not independent.
PASSAGE_FACTOR = 0.25
# The minimum bits of a passage that only two students share: even in a small class, it is rare in
# the language. Each doubling of the number of students who share it subtracts one bit.
MIN_PASSAGE_BITS = 4.0
# The minimum number of words in an answer whose copies count as written by one student.
LONG_ANSWER = 20

Ngram = tuple[str, ...]
Sequences = Sequence[Sequence[Token]]


class AnswerView:
    """One view of an answer across the class, with the students who wrote each n-gram.

    `sequences` maps the index of a student to token sequences, and `writers` maps an n-gram that is
    not in the release to the students who wrote it.
    """

    def __init__(
        self,
        view: str,
        sequences: dict[int, Sequences],
        supplied: Sequences = (),
        solution: Sequences = (),
    ) -> None:
        self.view, self.sequences = view, sequences
        self.supplied_ngrams = self._ngrams_of(supplied)
        self.solution_ngrams = self._ngrams_of(solution)
        self.writers: defaultdict[Ngram, set[int]] = defaultdict(set)
        for student, texts in sequences.items():
            for ngram in self._ngrams_of(texts) - self.supplied_ngrams:
                self.writers[ngram].add(student)
        self.other_count = max(len(sequences) - 2, 0)
        # Many students find the solution, so it counts as written by a tenth of the class.
        self.solution_writers = max(1.0, self.other_count / 10)
        self._representatives = _representatives(sequences) if view == "words" else {}

    def _ngrams_of(self, sequences: Sequences) -> set[Ngram]:
        """Return the n-grams of token sequences."""
        length = NGRAM_LENGTHS[self.view]
        return {ngram for tokens in sequences for ngram in ngrams(tokens, length)}

    def rarity_bits(self, other_writers: float) -> float:
        """Return the rarity of text that two students and this number of others wrote."""
        return math.log2((self.other_count + self.solution_writers + 1) / (other_writers + 1))

    def other_writers(self, ngram: Ngram) -> int:
        """Return how many students wrote an n-gram besides the two who share it."""
        writers = {self._representatives.get(each, each) for each in self.writers.get(ngram, ())}
        return max(len(writers) - 2, 0)

    def shared_ngrams(self) -> Iterator[tuple[Ngram, tuple[np.ndarray, ...]]]:
        """Yield each n-gram that several students wrote, and the array index of their pairs."""
        for ngram, writers in self.writers.items():
            if len(writers) > 1:
                yield ngram, np.ix_(*[sorted(writers)] * 2)


def code_points(view: AnswerView, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the points for nearly identical code, and the code's similarity, for all pairs."""
    points, (similarity, to_solution) = np.zeros((count, count)), dice_similarity(view, count)
    for one, other in zip(*np.nonzero(np.triu(similarity >= MIN_SIMILARITY, 1)), strict=True):
        other_writers: float = count_as_similar(similarity, one, other)
        if min(to_solution[one], to_solution[other]) >= MIN_SIMILARITY:
            other_writers += view.solution_writers
        # The limit is half of the class instead of a quarter, because answers are added.
        points[one, other] = points[other, one] = max(0.0, view.rarity_bits(other_writers) - 1)
    return points, similarity


def count_as_similar(similarity: np.ndarray, one: int, other: int) -> int:
    """Return how many others are as similar to both students as the two are to each other."""
    threshold = similarity[one, other] - 1e-9
    similar = np.count_nonzero(np.minimum(similarity[one], similarity[other]) >= threshold)
    return max(int(similar) - 2, 0)


def dice_similarity(view: AnswerView, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the Dice similarity of all pairs, and that of each student to the solution."""
    contains = np.zeros((count + 1, max(len(view.writers), 1)), dtype=np.float32)
    for column, (ngram, writers) in enumerate(view.writers.items()):
        contains[sorted(writers), column] = 1
        contains[count, column] = ngram in view.solution_ngrams
    sizes = contains.sum(axis=1)
    similarity = 2 * (contains @ contains.T) / np.maximum(sizes[:, None] + sizes, 1)
    return similarity[:count, :count], similarity[count, :count]


def rare_token_points(view: AnswerView, count: int) -> np.ndarray:
    """Return the points of the rarest token that both students wrote, for all pairs."""
    points = np.zeros((count, count))
    students_with_rare_tokens = {
        student for writers in view.writers.values() if len(writers) <= 2 for student in writers
    }
    for ngram, pairs in view.shared_ngrams():
        bits = ngram_points(view, ngram)
        if len(view.writers[ngram]) == 2:
            # If many students write rare tokens, a coincidence is more likely.
            others = students_with_rare_tokens - view.writers[ngram]
            bits += _above_common(view.rarity_bits(len(others)))
        points[pairs] = np.maximum(points[pairs], bits)
    return points


def name_points(view: AnswerView, count: int) -> np.ndarray:
    """Return the points of the rarest name that both students chose, for all pairs."""
    points = np.zeros((count, count))
    for ngram, pairs in view.shared_ngrams():
        points[pairs] = np.maximum(points[pairs], ngram_points(view, ngram) / 2)
    return points


def passage_points(view: AnswerView, count: int) -> np.ndarray:
    """Return the points of all shared passages, for all pairs."""
    points = np.zeros((count, count))
    for ngram, pairs in view.shared_ngrams():
        points[pairs] += PASSAGE_FACTOR * ngram_points(view, ngram)
    return points


def ngram_points(view: AnswerView, ngram: Ngram) -> float:
    """Return the points of an n-gram that two students wrote."""
    other_writers = view.other_writers(ngram)
    is_in_solution = ngram in view.solution_ngrams
    bits = view.rarity_bits(other_writers + view.solution_writers * is_in_solution)
    if view.view in ("comments", "words"):
        bits = max(bits, MIN_PASSAGE_BITS - math.log2(other_writers + 1))
    return _above_common(bits)


def subtract_baseline(points: np.ndarray) -> np.ndarray:
    """Return the points beyond what a typical student shares with their most similar classmate.

    The typical student ranks a third of the way up, so that copies do not raise the baseline.
    """
    points = np.array(points)
    np.fill_diagonal(points, 0)
    if len(points) < 3:
        return points  # two students have no baseline
    maxima = np.sort(points.max(axis=1))
    return np.maximum(0, points - maxima[(len(points) - 1) // 3])


def _above_common(bits: float) -> float:
    """Return the bits above `COMMON_BITS`."""
    return max(0.0, bits - COMMON_BITS)


def _representatives(sequences: dict[int, Sequences]) -> dict[int, int]:
    """Map each student to the first student with the same text, if that text is long."""
    first: dict[Ngram, int] = {}
    representatives = {}
    for student, texts in sequences.items():
        words = tuple(token.text for tokens in texts for token in tokens)
        is_long = len(words) >= LONG_ANSWER
        representatives[student] = first.setdefault(words, student) if is_long else student
    return representatives
