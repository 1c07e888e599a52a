"""Matching submitted cells to released cells, even if metadata no longer identifies them."""

import difflib
import itertools
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from course.instructor.collect.released_assignment import (
    NotebookCell,
    ReleasedAssignment,
    ReleasedCell,
)

BY_GRADE_ID, BY_ID, BY_TEXT = "grade id", "id", "text"
BY_NAME, BY_POSITION = "defined names", "position"
MIN_SIMILARITY = 0.6  # between the texts of an edited cell and the released cell that it matches
MIN_SIMILARITY_GAP = 0.2  # between the best candidate and every other one
MAX_COMPARED = 1_500  # characters of each text: the time to compare them is quadratic
MAX_CANDIDATES = 30  # cells between two matched neighbors


@dataclass
class Matching:
    """The result of matching; a position is the index of a cell in its notebook."""

    pairs: dict[int, int] = field(default_factory=dict)  # released -> submitted position
    methods: dict[int, str] = field(default_factory=dict)  # released position -> BY_...
    duplicates: set[int] = field(default_factory=set)  # submitted positions
    missing: list[ReleasedCell] = field(default_factory=list)  # only cells that grading requires
    problems: list[str] = field(default_factory=list)  # reasons for a manual review


def match(release: ReleasedAssignment, cells: Sequence[NotebookCell]) -> Matching:
    """Match a submission's cells to those of the release.

    Cells are matched by grade id, then by cell id, text, defined names, and finally by position
    between matched neighbors. Nothing is guessed: several candidates for one cell are a problem.
    """
    matcher = _Matcher(release, cells)
    matcher.match_by_grade_id()
    matcher.match_by_id()
    matcher.match_by_text()
    matcher.match_by_name()
    matcher.match_by_position()
    matcher.drop_duplicates()
    result = matcher.result
    result.missing = [cell for cell in matcher.unmatched() if cell.is_required]
    return result


class _Matcher:
    """The state while a submission's cells are matched to those of the release."""

    def __init__(self, release: ReleasedAssignment, cells: Sequence[NotebookCell]) -> None:
        self.released_cells, self.cells = release.cells, cells
        self.result = Matching()
        self.used: set[int] = set()  # submitted positions
        self.ambiguous: set[int] = set()  # released positions

    def match_by_grade_id(self) -> None:
        """Match cells whose metadata contains the grade id of a released cell."""
        for released in self.released_cells:
            if released.grade_id:
                same = [cell for cell in self._free() if cell.grade_id == released.grade_id]
                self._choose(released, same, BY_GRADE_ID)

    def match_by_id(self) -> None:
        """Match cells of the same type that share an id with a released cell."""
        for released in self.unmatched():
            kind = released.cell_type
            same = [c for c in self._free() if c.ids & released.ids and c.cell_type == kind]
            self._choose(released, same, BY_ID)

    def match_by_text(self) -> None:
        """Match unchanged cells if the submission has at least as many copies as the release."""
        groups: dict[tuple[str, str], list[ReleasedCell]] = {}
        for released in self.unmatched():
            if released.text:
                groups.setdefault((released.cell_type, released.text), []).append(released)
        for key, group in groups.items():
            same = [cell for cell in self._free() if (cell.cell_type, cell.text) == key]
            # If some copies are missing, only their neighbors show which of them was edited.
            if len(same) < len(group):
                continue
            for released, cell in zip(group, same, strict=False):
                self._pair(released, cell, BY_TEXT)
            if any(released.is_required for released in group):
                self._drop(same[len(group) :])

    def match_by_name(self) -> None:
        """Match answers by the names that only one cell of the release defines."""
        counts = Counter(name for cell in self.released_cells for name in cell.defined_names)
        for released in self.unmatched():
            unique = {name for name in released.defined_names if counts[name] == 1}
            if released.is_answer and unique:
                same = [cell for cell in self._free() if unique <= cell.defined_names]
                if len({cell.text for cell in same}) == 1:
                    self._choose(released, same, BY_NAME)

    def match_by_position(self) -> None:
        """Match the cells between matched neighbors, separately for each cell type."""
        for missing, present in self._gaps():
            for kind in ("code", "markdown"):
                self._match_gap(
                    [released for released in missing if released.cell_type == kind],
                    [cell for cell in present if cell.cell_type == kind],
                )

    def drop_duplicates(self) -> None:
        """Drop copies of required cells that were not matched by grade id."""
        texts = set()
        for position, method in self.result.methods.items():
            if method != BY_GRADE_ID and self.released_cells[position].is_required:
                cell = self.cells[self.result.pairs[position]]
                texts.add((cell.cell_type, cell.text))
        self._drop(c for c in self._free() if c.text and (c.cell_type, c.text) in texts)

    def unmatched(self) -> list[ReleasedCell]:
        """Return the cells of the release that are neither matched nor ambiguous."""
        decided = self.result.pairs.keys() | self.ambiguous
        return [cell for cell in self.released_cells if cell.position not in decided]

    def _match_gap(self, missing: list[ReleasedCell], present: list[NotebookCell]) -> None:
        """Match cells of one type between two matched neighbors."""
        answers = [each for each in missing if each.is_answer]
        if not answers or not present:
            return
        # Editors add empty cells; none of them is an answer if there is another candidate.
        present = [cell for cell in present if cell.text] or present
        copies: dict[str, list[NotebookCell]] = {}
        for cell in present:
            copies.setdefault(cell.text, []).append(cell)
        present = [same[0] for same in copies.values()]
        # A locked cell that was not matched by its text was deleted or edited, and is restored.
        # The cells that are present are therefore assumed to be those that students may edit.
        editable = [each for each in missing if each.is_answer or not each.is_required]
        pairs: list[tuple[ReleasedCell, NotebookCell]] = []
        if len(present) > MAX_CANDIDATES:
            pass
        elif len(editable) == len(present):
            pairs = list(zip(editable, present, strict=True))
            locked = [each for each in missing if each not in editable]
            if any(_resembles_other(cell, released, locked) for released, cell in pairs):
                pairs = []
        else:
            pairs = _match_by_similarity(answers, present, missing)
        if not pairs:
            names = ", ".join(str(each.grade_id) for each in answers)
            numbers = ", ".join(str(cell.position + 1) for cell in present[:MAX_CANDIDATES])
            self.ambiguous |= {each.position for each in answers}
            self.result.problems.append(f"any of cells {numbers} could be the answer to {names}")
            return
        for released, cell in pairs:
            self._pair(released, cell, BY_POSITION)
            if released.is_required:
                self._drop(copies[cell.text][1:])

    def _choose(self, released: ReleasedCell, same: list[NotebookCell], method: str) -> None:
        """Match a released cell to the only possible candidate; equal texts count as one."""
        if not same:
            return
        if released.is_answer:
            edited = [cell for cell in same if cell.text not in ("", released.text)]
            if len({cell.text for cell in edited}) > 1:
                numbers = " and ".join(str(cell.position + 1) for cell in edited)
                self.ambiguous.add(released.position)
                self.used |= {cell.position for cell in same}
                self.result.problems.append(
                    f"cells {numbers} are different answers to {released.grade_id}"
                )
                return
            same.sort(key=lambda cell: (cell not in edited, not cell.text))
        elif not released.is_required:
            same.sort(key=lambda cell: cell.text != released.text)
        self._pair(released, same[0], method)
        if released.is_required:
            # A copy of a test is dropped, unless the student changed it to something else.
            texts = {"", released.text, same[0].text}
            self._drop(cell for cell in same[1:] if cell.text in texts)

    def _pair(self, released: ReleasedCell, cell: NotebookCell, method: str) -> None:
        """Record a match."""
        self.result.pairs[released.position] = cell.position
        self.result.methods[released.position] = method
        self.used.add(cell.position)

    def _drop(self, cells: Iterable[NotebookCell]) -> None:
        """Record duplicates."""
        positions = {cell.position for cell in cells}
        self.result.duplicates |= positions
        self.used |= positions

    def _free(self) -> list[NotebookCell]:
        """Return the submitted cells that are neither matched nor dropped."""
        return [cell for cell in self.cells if cell.position not in self.used]

    def _gaps(self) -> Iterator[tuple[list[ReleasedCell], list[NotebookCell]]]:
        """Yield the unmatched cells between each pair of matched neighbors that are in order."""
        anchors = [(-1, -1), *_longest_increasing(sorted(self.result.pairs.items()))]
        anchors.append((len(self.released_cells), len(self.cells)))
        unmatched, free = self.unmatched(), self._free()
        for (low, first), (high, last) in itertools.pairwise(anchors):
            yield (
                [each for each in unmatched if low < each.position < high],
                [each for each in free if first < each.position < last],
            )


def _longest_increasing(pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the longest subsequence of sorted pairs whose second positions also increase.

    Its pairs belong to the cells that were not moved.
    """
    ends: list[int] = []  # the smallest last position of a subsequence of each length
    indices: list[int] = []  # the index of the pair with that position
    previous: list[int | None] = []
    for index, (_, position) in enumerate(pairs):
        at = bisect_left(ends, position)
        previous.append(indices[at - 1] if at else None)
        ends[at : at + 1], indices[at : at + 1] = [position], [index]
    result, last = [], indices[-1] if indices else None
    while last is not None:
        result.append(pairs[last])
        last = previous[last]
    return result[::-1]


def _match_by_similarity(
    answers: list[ReleasedCell], present: list[NotebookCell], missing: list[ReleasedCell]
) -> list[tuple[ReleasedCell, NotebookCell]]:
    """Pair the only answer with the cell that clearly resembles it most; return [] if unclear."""
    if len(answers) != 1:
        return []
    (answer,) = answers
    ranked = sorted(((_similarity(answer, cell), cell) for cell in present), key=lambda x: -x[0])
    best, cell = ranked[0]
    others = [similarity for similarity, _ in ranked[1:2]]
    others += [_similarity(each, cell) for each in missing if each is not answer]
    if best >= MIN_SIMILARITY and best - max(others, default=0.0) >= MIN_SIMILARITY_GAP:
        return [(answer, cell)]
    return []


def _resembles_other(
    cell: NotebookCell, released: ReleasedCell, locked: list[ReleasedCell]
) -> bool:
    """Return True if a cell resembles one of the locked cells more than the released cell."""
    return any(
        (similarity := _similarity(each, cell)) >= MIN_SIMILARITY
        and similarity > _similarity(released, cell)
        for each in locked
    )


def _similarity(first: NotebookCell, second: NotebookCell) -> float:
    """Return the similarity of two cells' texts, from 0 to 1, or 0 if it is too low to matter."""
    texts = first.text[:MAX_COMPARED], second.text[:MAX_COMPARED]
    matcher = difflib.SequenceMatcher(None, *texts, autojunk=False)
    # An upper bound that is fast to compute; see `_match_by_similarity`.
    if matcher.quick_ratio() < MIN_SIMILARITY - MIN_SIMILARITY_GAP:
        return 0.0
    return matcher.ratio()
