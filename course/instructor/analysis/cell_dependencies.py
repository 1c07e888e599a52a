"""The cells on which a test can depend, found without running them.

Grading skips the other cells, most of which explore, plot, or tabulate data. The analysis of the
source cannot be exact: for example, it misses changes to a list through an alias. Grading therefore
skips only cells of the assignment that the student has not changed, because their effects are known
from grading the solution notebook.

Which cells run is decided once, before any cell runs: otherwise, a student's cell could raise an
error in order to have a test repeated.
"""

from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any, Protocol

from course.instructor.analysis.cell_names import CellNames, find_names, find_names_in_submission

CodeCell = Mapping[str, Any]  # as in a grading job
# Names that the search may visit, which takes about half a second. The course's notebooks need
# thousands.
MAX_VISITS = 1_000_000


class Reference(Protocol):
    """The properties of a reference notebook that this analysis needs."""

    @property
    def cells(self) -> Mapping[str, Mapping[str, Any]]:
        """The records of the cells, by grade id."""

    def is_test(self, name: str | None) -> bool:
        """Return whether a grade id belongs to a test."""

    def is_locked_code(self, name: str | None) -> bool:
        """Return whether a grade id belongs to a locked code cell that is not a test."""

    def is_unchanged(self, cell: CodeCell) -> bool:
        """Return whether a cell is a released cell without a grade id, with its code unchanged."""


def find_required_cells(cells: Sequence[CodeCell], reference: Reference) -> set[int]:
    """Return the positions of the cells that have to run before the tests.

    These are the cells on which a later test can depend, and those that cannot be skipped, such as
    cells that students may have changed. If the cells use so many names that the search would take
    too long, these are all cells that are not tests.
    """
    try:
        return _find_required_cells(cells, reference)
    except _TooManyVisitsError:
        return _all_but_tests(cells, reference)


def _all_but_tests(cells: Sequence[CodeCell], reference: Reference) -> set[int]:
    """Return the positions of the cells that are not tests."""
    return {at for at, cell in enumerate(cells) if not reference.is_test(cell["grade_id"])}


def _find_required_cells(cells: Sequence[CodeCell], reference: Reference) -> set[int]:
    """Return the positions of the required cells, or raise _TooManyVisitsError."""
    names = [find_names_in_submission(cell["source"]) for cell in cells]
    imported = frozenset().union(*(each.imported for each in names))
    functions = _Functions(
        {name: each.functions[name] for each in names for name in each.functions}
    )
    # Objects from locked cells count as unmodified: a released cell that modified one would break
    # the notebook itself.
    provided = frozenset().union(
        *(
            each.bound
            for each, cell in zip(names, cells, strict=True)
            if reference.is_locked_code(cell["grade_id"])
        )
    )
    # A test may call a function from any cell that has run, under another name or as a method. The
    # function may then read names that later cells have bound.
    read_by_functions: set[str] = set()
    while True:
        required = _walk(cells, reference, names, functions, imported, provided, read_by_functions)
        found = [names[position] for position in required]
        if any(each.opaque and each.read_by_functions for each in found):
            return _all_but_tests(cells, reference)
        read = functions.with_names_read(
            frozenset().union(*(each.read_by_functions for each in found))
        )
        if read <= read_by_functions:
            return required
        read_by_functions |= read


def _walk(
    cells: Sequence[CodeCell],
    reference: Reference,
    names: Sequence[CellNames],
    functions: "_Functions",
    imported: Set[str],
    provided: Set[str],
    read_by_functions: Set[str],
) -> set[int]:
    """Return the positions of the required cells if tests also need `read_by_functions`.

    This is live variable analysis: walk backward and track the names that a later test may need. A
    cell that binds a name does not end the search for it, because an error may precede the binding.
    """
    live = set(read_by_functions)
    needs_all = False  # whether a later required cell may read any name
    required = set()
    for position in reversed(range(len(cells))):
        grade_id = cells[position]["grade_id"]
        if reference.is_test(grade_id):
            # Use the test's source from the reference: the student may have changed the test.
            needed = find_names(reference.cells[grade_id]["source"]).needed
            live |= functions.with_names_read(needed)
            continue
        cell = names[position]
        modified = cell.bound | (_modified_objects(cell, imported) - provided)
        # Cells with imports always run: modules are used everywhere, and importing costs little.
        is_skippable = reference.is_unchanged(cells[position]) and not (
            cell.opaque or cell.imported
        )
        if needs_all or not is_skippable or modified & live:
            required.add(position)
            needs_all |= cell.opaque
            live |= functions.with_names_read(cell.needed)
    return required


def any_cell_needs(names: Set[str], cells: Iterable[CodeCell], reference: Reference) -> bool:
    """Return whether a cell that is not a test may read one of the names before binding it."""
    for cell in cells:
        if not reference.is_test(cell["grade_id"]):
            used = find_names_in_submission(cell["source"])
            if used.opaque or used.needed & names:
                return True
    return False


class _TooManyVisitsError(Exception):
    """The search exceeds MAX_VISITS."""


class _Functions:
    """The names that each function of the notebook reads, and the number of names visited."""

    def __init__(self, names_read: Mapping[str, Set[str]]) -> None:
        self.names_read = names_read
        self.visits = 0

    def with_names_read(self, names: Iterable[str]) -> set[str]:
        """Return the names and all names that functions among them read, directly or indirectly."""
        found: set[str] = set()
        pending = set(names)
        while pending:
            found |= pending
            read = [self.names_read.get(name, frozenset()) for name in pending]
            self.visits += len(pending) + sum(map(len, read))
            if self.visits > MAX_VISITS:
                raise _TooManyVisitsError
            pending = set().union(*read) - found
        return found


def _modified_objects(cell: CellNames, imported: Set[str]) -> Set[str]:
    """Return the names whose objects a cell may modify without binding the name.

    These include the objects that it passes to one of the notebook's own functions.
    """
    # `cell.passed.keys() - imported` would take time proportional to the size of `imported`.
    own_functions = [name for name in cell.passed if name not in imported]
    return cell.modified.union(*(cell.passed[name] for name in own_functions)) - imported
