"""How much it tells that two students wrote the same: by how few others in the class did.

Everything is counted in bits, the points of the list: one more says that half as many others wrote
so. What a quarter of the class writes is no evidence (`COMMON`), and neither is what the release
holds. A class has a table of points for each way of looking at it, with a row and a column for each
student:

- code: answers whose tokens are nearly the same whatever names and layout are, all of them added,
  since one of them alone says little of a short exercise;
- odd: the most unusual token that both wrote in one place, such as a wrong number;
- names: the most unusual name in each answer; variables are the student's own choice;
- comments, words: passages of so many words, which nobody finds twice by chance.

Of each table, what an ordinary student shares with the one who is most alike is taken off. So
honest students mostly have no points in common, however few ways there are to solve an exercise.
"""

import math
from collections import defaultdict

import numpy as np

from course.instructor.similarity.tokenization import grams

COMMON = 2.0  # bits
NEARLY = 0.8  # share of the grams of both
STEPS = {"code": 3, "odd": 1, "names": 1, "comments": 2, "words": 5}  # pieces of a gram
PASSAGE = 0.25  # of the bits of each word: where one knows the last word, the next is half a choice
# Bits of a passage that only two have, in however small a class: rare in any language. One less
# for each time that twice as many have it.
FLOOR = 4.0
LONG = 20  # words; an answer of so many that is the same counts as one person's, however many copy


class Place:
    """What a class wrote in one place, looked at in one way.

    Attributes
    ----------
    view : str
        A key of `STEPS`.
    written : dict of int to list of list of Piece
        By student.
    holders : dict of tuple to set of int
        Gram to those who wrote it; grams of the release are left out.
    known, usual : set of tuple
        Grams of the release, and of the solution, which many find by themselves.
    others, finders : float
        How many wrote here beside two of them, and for how many the solution counts.
    """

    def __init__(self, view, written, released=(), solution=()):
        self.view, self.written = view, written
        self.known = {gram for each in released for gram in grams(each, STEPS[view])}
        self.usual = {gram for each in solution for gram in grams(each, STEPS[view])}
        self.holders = defaultdict(set)
        for student, sequences in written.items():
            for gram in {gram for each in sequences for gram in grams(each, STEPS[view])}:
                if gram not in self.known:
                    self.holders[gram].add(student)
        self.others = max(len(written) - 2, 0)
        # The solution counts as a tenth of the class, that is there even if nobody wrote it.
        self.finders = max(1.0, self.others / 10)
        self._first = _first_of_same(written) if view == "words" else {}

    def bits(self, also):
        """Return how rare it is, beside two students, if so many others wrote it."""
        return math.log2((self.others + self.finders + 1) / (also + 1))

    def also(self, gram):
        """Return how many wrote a gram beside two who did."""
        holders = self.holders.get(gram, ())
        return max(len({self._first.get(each, each) for each in holders}) - 2, 0)

    def shared(self):
        """Yield (gram, its holders as an index of pairs) for what two or more wrote."""
        for gram, holders in self.holders.items():
            if len(holders) > 1:
                yield gram, np.ix_(*[sorted(holders)] * 2)


def code_points(place, count):
    """Return the points of code that is nearly the same, and how alike it is: two tables."""
    points, alike, like_solution = np.zeros((count, count)), *likeness(place, count)
    for one, other in zip(*np.nonzero(np.triu(alike >= NEARLY, 1)), strict=True):
        also = others_like(alike, one, other)
        if min(like_solution[one], like_solution[other]) >= NEARLY:
            also += place.finders
        # An answer that half of the class has says little, but many such answers say something.
        points[one, other] = points[other, one] = max(0.0, place.bits(also) - 1)
    return points, alike


def others_like(alike, one, other):
    """Return how many are as like both as these two are like each other."""
    least = alike[one, other] - 1e-9
    return max(np.count_nonzero(np.minimum(alike[one], alike[other]) >= least) - 2, 0)


def likeness(place, count):
    """Return for each pair, and for each with the solution, the share of what both wrote (Dice)."""
    has = np.zeros((count + 1, max(len(place.holders), 1)), dtype=np.float32)
    for column, (gram, holders) in enumerate(place.holders.items()):
        has[sorted(holders), column] = 1
        has[count, column] = gram in place.usual
    sizes = has.sum(axis=1)
    shares = 2 * (has @ has.T) / np.maximum(sizes[:, None] + sizes, 1)
    return shares[:count, :count], shares[count, :count]


def odd_points(place, count):
    """Return the points of the most unusual piece of code that both have."""
    points = np.zeros((count, count))
    alone = {
        student for holders in place.holders.values() if len(holders) <= 2 for student in holders
    }
    for gram, pairs in place.shared():
        bits = worth(place, gram)
        if len(place.holders[gram]) == 2:
            # Where many write what nobody else does, two of them meet more easily.
            bits += _beyond(place.bits(len(alone - place.holders[gram])))
        points[pairs] = np.maximum(points[pairs], bits)
    return points


def name_points(place, count):
    """Return the points of the most unusual name that both chose."""
    points = np.zeros((count, count))
    for gram, pairs in place.shared():
        points[pairs] = np.maximum(points[pairs], worth(place, gram) / 2)
    return points


def passage_points(place, count):
    """Return the points of all words that stand in the same passages."""
    points = np.zeros((count, count))
    for gram, pairs in place.shared():
        points[pairs] += PASSAGE * worth(place, gram)
    return points


def worth(place, gram):
    """Return the bits of a gram that two have written."""
    also = place.also(gram)
    bits = place.bits(also + place.finders * (gram in place.usual))
    if place.view in ("comments", "words"):
        bits = max(bits, FLOOR - math.log2(also + 1))
    return _beyond(bits)


def unusual(table):
    """Return a table of points without what an ordinary student shares with the most alike one.

    An ordinary one is at a third of the class, so that many who copied do not look ordinary.
    """
    table = np.array(table)
    np.fill_diagonal(table, 0)
    if len(table) < 3:
        return table  # of two students, neither is ordinary
    nearest = np.sort(table.max(axis=1))
    return np.maximum(0, table - nearest[(len(table) - 1) // 3])


def _beyond(bits):
    return max(0.0, bits - COMMON)


def _first_of_same(written):
    """Return for each student the first one whose long text is the same."""
    first, found = {}, {}
    for student, sequences in written.items():
        text = tuple(piece.text for each in sequences for piece in each)
        found[student] = first.setdefault(text, student) if len(text) >= LONG else student
    return found
