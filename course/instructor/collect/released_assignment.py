"""Released assignments, which are used to identify and repair submitted notebooks."""

import contextlib
import itertools
import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from course.errors import CourseError
from course.instructor.course_dir import assignment_names, is_hidden

SAVES_EVIDENCE = "evidence.save("
DEFINITION = re.compile(r"^(?:(?:def|class)[ \t]+(\w+)|(\w+)[ \t]*=(?!=))", re.M)
MIN_IDENTIFYING_TEXT = 20  # characters; shorter texts occur in any notebook


@dataclass(frozen=True)
class NotebookCell:
    """A cell of a notebook, with everything that can identify it."""

    position: int  # in its notebook, from 0
    cell_type: str
    source: str
    ids: frozenset[str] = frozenset()  # the cell's id, and the one that Colab saves in its metadata
    grade_id: str | None = None  # in the cell's metadata, which a student can change

    @cached_property
    def text(self) -> str:
        """Return the source without whitespace at line ends, which editors change."""
        return "\n".join(line.rstrip() for line in self.source.splitlines()).strip()

    @cached_property
    def defined_names(self) -> frozenset[str]:
        """Return the names of functions, classes, and variables defined at the top level."""
        if self.cell_type != "code":
            return frozenset()
        return frozenset(a or b for a, b in DEFINITION.findall(self.source))


@dataclass(frozen=True)
class ReleasedCell(NotebookCell):
    """A cell of a release."""

    metadata: dict[str, Any] = field(default_factory=dict, compare=False, hash=False)
    is_required: bool = False  # by grading: an answer, a test, or a locked cell
    is_answer: bool = False  # a graded cell that students edit


@dataclass(frozen=True)
class ReleasedAssignment:
    """The release of an assignment."""

    name: str
    file_name: str  # of its notebook
    metadata: dict[str, Any]  # of its notebook
    cells: list[ReleasedCell]
    content: bytes = field(default=b"", repr=False)  # of its notebook's file
    provided: frozenset[str] = frozenset()  # the names of the files beside its notebook

    @cached_property
    def stem(self) -> str:
        """Return the notebook's file name without its extension."""
        return Path(self.file_name).stem

    @cached_property
    def requires_evidence(self) -> bool:
        """Return True if students submit evidence of a training run."""
        return any(SAVES_EVIDENCE in cell.source for cell in self.cells)


def read_releases(root: Path, names: Sequence[str]) -> list[ReleasedAssignment]:
    """Return the releases of assignments; raise CourseError if one has not been released."""
    releases = []
    for name in names:
        found = sorted(Path(root, "release", name).glob("*.ipynb"))
        notebooks = [path for path in found if not is_hidden(path)]
        if not notebooks:
            raise CourseError(
                f"{Path(root, 'release', name)} has no notebook, so no submission can be"
                f" identified as {name}: run course release {name} first."
            )
        release = parse_release(name, notebooks[0].name, notebooks[0].read_bytes())
        provided = frozenset(path.name for path in notebooks[0].parent.iterdir())
        releases.append(replace(release, provided=provided))
    return releases


def read_other_releases(root: Path, names: Sequence[str]) -> list[ReleasedAssignment]:
    """Return the releases of all other assignments that can be read, to identify notebooks."""
    found = []
    for name in sorted(set(assignment_names(root)) - set(names)):
        with contextlib.suppress(CourseError, OSError, ValueError, LookupError):
            found += read_releases(root, [name])
    return found


def parse_release(name: str, file_name: str, content: bytes) -> ReleasedAssignment:
    """Return the release of an assignment from the content of its notebook's file."""
    notebook = json.loads(content)
    cells = [_read_released_cell(*numbered) for numbered in enumerate(notebook["cells"])]
    return ReleasedAssignment(name, file_name, notebook["metadata"], cells, content)


def read_cells(notebook: dict[str, Any]) -> list[NotebookCell]:
    """Return the cells of a submitted notebook that `notebook_parser.parse` returned."""
    return [
        NotebookCell(position, cell["cell_type"], cell["source"], _ids(cell), _grade_id(cell))
        for position, cell in enumerate(notebook["cells"])
    ]


def identify_assignment(
    releases: Sequence[ReleasedAssignment], cells: Sequence[NotebookCell]
) -> ReleasedAssignment | None:
    """Return the release that a submitted notebook's cells come from, or None if it is unclear.

    Only features that are unique to one release count: every release has a cell called `setup`.
    """
    features = [_features(each.cells) for each in releases]
    release_counts = Counter(itertools.chain.from_iterable(features))
    identifying = {each for each in _features(cells) if release_counts[each] == 1}
    counts = [len(identifying & own) for own in features]
    best, second, *_ = [*sorted(counts, reverse=True), 0, 0]
    if best == 0 or second * 2 > best:
        return None
    return releases[counts.index(best)]


def _grade_id(cell: dict[str, Any]) -> str | None:
    """Return the grade id in a cell's metadata, or None."""
    claimed = cell["metadata"].get("nbgrader")
    name = claimed.get("grade_id") if isinstance(claimed, dict) else None
    return name if isinstance(name, str) else None


def _read_released_cell(position: int, cell: dict[str, Any]) -> ReleasedCell:
    """Return a cell of a release from its JSON."""
    nbgrader = cell["metadata"].get("nbgrader", {})
    return ReleasedCell(
        position,
        cell["cell_type"],
        "".join(cell["source"]),
        _ids(cell),
        nbgrader.get("grade_id"),
        cell["metadata"],
        any(nbgrader.get(kind) for kind in ("grade", "solution", "locked", "task")),
        bool(nbgrader.get("solution") or nbgrader.get("task")),
    )


def _ids(cell: dict[str, Any]) -> frozenset[str]:
    """Return the ids of a cell from its JSON."""
    ids = cell.get("id"), cell["metadata"].get("id")
    return frozenset(each for each in ids if isinstance(each, str) and each)


def _features(cells: Sequence[NotebookCell]) -> set[tuple[str, str]]:
    """Return the ids, grade ids, and texts of cells, which can identify their assignment."""
    features = {("id", each) for cell in cells for each in cell.ids}
    features |= {("grade id", cell.grade_id) for cell in cells if cell.grade_id}
    long_cells = [cell for cell in cells if len(cell.text) >= MIN_IDENTIFYING_TEXT]
    return features | {(cell.cell_type, cell.text) for cell in long_cells}
