"""Which submitted cell is which cell of the release, where metadata does not say it any more."""

import difflib
import itertools
from bisect import bisect_left
from dataclasses import dataclass, field

BY_GRADE_ID, BY_ID, BY_TEXT = "grade id", "id", "text"
BY_NAME, BY_POSITION = "what it defines", "position"
LIKE = 0.6  # of its text that an edited cell shares with what it was, to be taken for it
UNLIKE = 0.2  # by how much less any other has to share


@dataclass
class Matching:
    """What was found.

    Attributes
    ----------
    pairs : dict of int to int
        Place in the release to place in the submission.
    how : dict of int to str
        Place in the release to what it was known by.
    surplus : set of int
        Places in the submission of cells that stand there twice.
    missing : list of Known
        What grading needs and is not there.
    problems : list of str
        What a person has to decide.
    """

    pairs: dict = field(default_factory=dict)
    how: dict = field(default_factory=dict)
    surplus: set = field(default_factory=set)
    missing: list = field(default_factory=list)
    problems: list = field(default_factory=list)


def match(reference, cells):
    """Match a submission's cells with those of the release.

    By grade id, by cell id, by text, by what a cell defines, and at last by its position between
    neighbours that are known. Nothing is guessed: where two cells may be the one, that is a
    problem for a person.

    Parameters
    ----------
    reference : Reference
    cells : list of Cell
        The submission's.

    Returns
    -------
    Matching
    """
    search = _Search(reference, cells)
    search.by_grade_id()
    search.by_id()
    search.by_text()
    search.by_name()
    search.by_position()
    search.drop_twins()
    found = search.found
    open_ = {cell.place for cell in search.undecided}
    found.missing = [
        cell
        for cell in reference.cells
        if cell.is_needed and cell.place not in found.pairs and cell.place not in open_
    ]
    return found


class _Search:
    def __init__(self, reference, cells):
        self.known, self.cells = reference.cells, cells
        self.found = Matching()
        self.taken = set()  # places in the submission
        self.undecided = []

    def by_grade_id(self):
        for known in self.known:
            if known.grade_id:
                self._choose(
                    known, [c for c in self._free() if c.grade_id == known.grade_id], BY_GRADE_ID
                )

    def by_id(self):
        for known in self._open():
            same = [c for c in self._free() if c.ids & known.ids and c.cell_type == known.cell_type]
            self._choose(known, same, BY_ID)

    def by_text(self):
        groups = {}
        for known in self._open():
            if known.text:
                groups.setdefault((known.cell_type, known.text), []).append(known)
        for (kind, text), wanted in groups.items():
            same = [c for c in self._free() if (c.cell_type, c.text) == (kind, text)]
            # Fewer than there should be: which of them has been edited, its neighbours tell.
            if len(same) < len(wanted):
                continue
            for known, cell in zip(wanted, same, strict=False):
                self._pair(known, cell, BY_TEXT)
            if any(known.is_needed for known in wanted):
                self._drop(same[len(wanted) :])

    def by_name(self):
        owners = {}
        for known in self.known:
            for name in known.binds:
                owners.setdefault(name, []).append(known)
        for known in self._open():
            own = {name for name in known.binds if len(owners[name]) == 1}
            if known.is_answer and own:
                same = [c for c in self._free() if c.cell_type == "code" and own <= c.binds]
                if len({c.text for c in same}) == 1:
                    self._choose(known, same, BY_NAME)

    def by_position(self):
        for wanted, present in self._gaps():
            for kind in ("code", "markdown"):
                self._fill(
                    [each for each in wanted if each.cell_type == kind],
                    [each for each in present if each.cell_type == kind],
                )

    def drop_twins(self):
        """Drop copies of cells that grading needs; with its metadata, a copy is dropped before."""
        known = set()
        for place, how in self.found.how.items():
            if how != BY_GRADE_ID and self.known[place].is_needed:
                cell = self.cells[self.found.pairs[place]]
                known.add((cell.cell_type, cell.text))
        self._drop([c for c in self._free() if c.text and (c.cell_type, c.text) in known])

    def _fill(self, wanted, present):
        """Match what is left between two known neighbours."""
        if not any(each.is_needed for each in wanted):
            return
        texts = {}
        for cell in present:
            texts.setdefault(cell.text, []).append(cell)
        present = [same[0] for same in texts.values()]
        # A locked cell that is not there by its text was deleted, or edited for nothing: it is put
        # back. So what is there belongs to the cells that students write in.
        writable = [each for each in wanted if each.is_answer or not each.is_needed]
        answers = [each for each in wanted if each.is_answer]
        if not answers or not present:
            return
        if len(writable) == len(present):
            pairs = list(zip(writable, present, strict=True))
            locked = [each for each in wanted if each not in writable]
            if any(_looks_like(cell, locked, known) for known, cell in pairs):
                pairs = None
        else:
            pairs = _most_alike(answers, present, wanted)
        if pairs is None:
            names = ", ".join(each.grade_id for each in answers)
            places = ", ".join(str(cell.place + 1) for cell in present)
            self.undecided += answers
            self.found.problems.append(
                f"which of the cells {places} is the answer {names} cannot be told"
            )
            return
        for known, cell in pairs:
            self._pair(known, cell, BY_POSITION)
            if known.is_needed:
                self._drop(texts[cell.text][1:])

    def _choose(self, known, same, how):
        """Take the one of several cells that can only be it; the same text twice is one cell."""
        if not same:
            return
        if known.is_answer:
            written = [cell for cell in same if cell.text != known.text]
            if len({cell.text for cell in written}) > 1:
                places = " and ".join(str(cell.place + 1) for cell in written)
                self.undecided.append(known)
                self.taken |= {cell.place for cell in same}
                self.found.problems.append(
                    f"the cells {places} both are the answer {known.grade_id}, and differ"
                )
                return
            same = (written or same) + [cell for cell in same if written and cell not in written]
        elif len(same) > 1 and not known.is_needed:
            same = [cell for cell in same if cell.text == known.text] or same
            self._pair(known, same[0], how)
            return
        self._pair(known, same[0], how)
        # A copy of a test is dropped; one that a student has made something else of is kept.
        own = {known.text, same[0].text}
        self._drop(cell for cell in same[1:] if cell.text in own)

    def _pair(self, known, cell, how):
        self.found.pairs[known.place] = cell.place
        self.found.how[known.place] = how
        self.taken.add(cell.place)

    def _drop(self, cells):
        places = {cell.place for cell in cells}
        self.found.surplus |= places
        self.taken |= places

    def _open(self):
        undecided = {each.place for each in self.undecided}
        return [
            known
            for known in self.known
            if known.place not in self.found.pairs and known.place not in undecided
        ]

    def _free(self):
        return [cell for cell in self.cells if cell.place not in self.taken]

    def _gaps(self):
        """Return what is left between each two neighbours that are known and in order."""
        anchors = [(-1, -1), *_in_order(sorted(self.found.pairs.items()))]
        anchors.append((len(self.known), len(self.cells)))
        open_, free = self._open(), self._free()
        for (low, first), (high, last) in itertools.pairwise(anchors):
            yield (
                [each for each in open_ if low < each.place < high],
                [each for each in free if first < each.place < last],
            )


def _in_order(pairs):
    """Return the longest run of pairs that rises on both sides: cells that were not moved."""
    ends, places, before = [], [], []
    for number, (_, place) in enumerate(pairs):
        at = bisect_left(ends, place)
        before.append(places[at - 1] if at else None)
        ends[at : at + 1], places[at : at + 1] = [place], [number]
    run, number = [], places[-1] if places else None
    while number is not None:
        run.append(pairs[number])
        number = before[number]
    return run[::-1]


def _most_alike(answers, present, wanted):
    """Return pairs of answers and the cells that have most of their text, or None if unsure."""
    if len(answers) != 1:
        return None
    (answer,) = answers
    ranked = sorted(((_alike(answer, cell), cell) for cell in present), key=lambda each: -each[0])
    best, cell = ranked[0]
    second = ranked[1][0] if len(ranked) > 1 else 0.0
    others = [_alike(known, cell) for known in wanted if known is not answer]
    if best >= LIKE and best - max([second, *others]) >= UNLIKE:
        return [(answer, cell)]
    return None


def _looks_like(cell, locked, known):
    """Return whether a cell is rather one of the locked cells than the known one."""
    return any(
        _alike(each, cell) >= LIKE and _alike(each, cell) > _alike(known, cell) for each in locked
    )


def _alike(one, other):
    return difflib.SequenceMatcher(None, one.text, other.text, autojunk=False).ratio()
