"""An assignment as it was handed out: what submitted notebooks are recognised and mended by."""

import json
import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from course.errors import CourseError

HANDS_IN_EVIDENCE = "evidence.hand_in("
BINDS = re.compile(r"^(?:(?:def|class)[ \t]+(\w+)|(\w+)[ \t]*=(?!=))", re.M)


@dataclass(frozen=True)
class NotebookCell:
    """A cell of a notebook, with what it can be known by.

    Attributes
    ----------
    place : int
        In its notebook, from 0.
    cell_type : str
        "code", "markdown" or "raw".
    source : str
        Its text as it stands there.
    ids : frozenset of str
        The cell's id, and the one that Colab keeps in the metadata.
    grade_id : str or None
        nbgrader's name of it, as its metadata claims.
    """

    place: int
    cell_type: str
    source: str
    ids: frozenset = frozenset()
    grade_id: str | None = None

    @cached_property
    def text(self):
        """The text without what editors change: white space at the ends of lines."""
        return "\n".join(line.rstrip() for line in self.source.splitlines()).strip()

    @cached_property
    def binds(self):
        """The functions, classes and variables that stand at the left margin of a code cell."""
        if self.cell_type != "code":
            return frozenset()
        return frozenset(a or b for a, b in BINDS.findall(self.source))


@dataclass(frozen=True)
class ReleasedCell(NotebookCell):
    """A cell of the release.

    Attributes
    ----------
    metadata : dict
        All of its metadata.
    is_needed : bool
        Whether grading needs it: an answer, a test, a locked cell.
    is_answer : bool
        Whether students write in it and it counts.
    """

    metadata: dict = field(default_factory=dict, compare=False, hash=False)
    is_needed: bool = False
    is_answer: bool = False


@dataclass(frozen=True)
class ReleasedAssignment:
    """A release.

    Attributes
    ----------
    name : str
        The assignment.
    file_name : str
        Of its notebook.
    metadata : dict
        The notebook's.
    cells : list of Known
    asks_for_evidence : bool
        Whether a folder of evidence is handed in with it.
    """

    name: str
    file_name: str
    metadata: dict
    cells: list

    @property
    def stem(self):
        """The notebook's name without its ending."""
        return Path(self.file_name).stem

    @cached_property
    def asks_for_evidence(self):
        """Whether students hand in evidence of a training."""
        return any(HANDS_IN_EVIDENCE in cell.source for cell in self.cells)


def read_releases(root, names):
    """Return the releases of assignments.

    Parameters
    ----------
    root : Path
        The course directory.
    names : list of str
        Assignments.

    Returns
    -------
    list of Reference

    Raises
    ------
    CourseError
        If one has not been released.
    """
    found = []
    for name in names:
        notebooks = sorted(Path(root, "release", name).glob("*.ipynb"))
        if not notebooks:
            raise CourseError(
                f"{Path(root, 'release', name)} holds no notebook, so nothing can be known as"
                f" {name}: run course release {name} first."
            )
        content = json.loads(notebooks[0].read_text(encoding="utf-8"))
        cells = [_known(place, cell) for place, cell in enumerate(content["cells"])]
        found.append(ReleasedAssignment(name, notebooks[0].name, content["metadata"], cells))
    return found


def read_cells(notebook):
    """Return the cells of a submitted notebook, which `reading.parse` has made plain."""
    return [
        NotebookCell(place, cell["cell_type"], cell["source"], _ids(cell), grade_id_of(cell))
        for place, cell in enumerate(notebook["cells"])
    ]


def identify_assignment(references, cells):
    """Return the reference that a notebook's cells come from, or None if that cannot be told.

    Only what stands in a single release counts: all of them have a cell called `setup`.

    Parameters
    ----------
    references : list of Reference
    cells : list of Cell
        The submitted notebook's.
    """
    traces = set().union(*(_traces(cell) for cell in cells)) if cells else set()
    own = [set().union(*(_traces(cell) for cell in each.cells)) for each in references]
    counts = []
    for number, mine in enumerate(own):
        others = set().union(*(each for n, each in enumerate(own) if n != number))
        counts.append(len((mine - others) & traces))
    if not counts or max(counts) == 0:
        return None
    best, *rest = sorted(counts, reverse=True)
    if rest and rest[0] * 2 > best:
        return None
    return references[counts.index(best)]


def grade_id_of(cell):
    """Return the grade id that a cell's metadata claims, or None."""
    claimed = cell["metadata"].get("nbgrader")
    name = claimed.get("grade_id") if isinstance(claimed, dict) else None
    return name if isinstance(name, str) else None


def _known(place, cell):
    described = cell["metadata"].get("nbgrader", {})
    return ReleasedCell(
        place,
        cell["cell_type"],
        "".join(cell["source"]),
        _ids(cell),
        described.get("grade_id"),
        cell["metadata"],
        any(described.get(kind) for kind in ("grade", "solution", "locked", "task")),
        bool(described.get("solution") or described.get("task")),
    )


def _ids(cell):
    found = cell.get("id"), cell["metadata"].get("id")
    return frozenset(each for each in found if isinstance(each, str) and each)


def _traces(cell):
    found = {("id", each) for each in cell.ids}
    if cell.grade_id:
        found.add(("grade id", cell.grade_id))
    if len(cell.text) >= 20:
        found.add((cell.cell_type, cell.text))
    return found
