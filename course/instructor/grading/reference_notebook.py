"""The reference notebook: the instructor's version, against which submissions are graded."""

import ast
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
from nbformat import NotebookNode

from course.instructor.course_dir import mentions_keras
from course.instructor.provided_files import provided_files
from course.instructor.thread_safe_parsing import parse_python

if TYPE_CHECKING:
    from nbgrader.api import Gradebook

GRADING_PROFILE = "smoke"
PARTIAL_CREDIT_TAG = "partial-credit"
MARK_SCHEME_MARKER = re.compile(r"^=== (BEGIN|END) MARK SCHEME ===.*\n?", re.M)


@dataclass(frozen=True)
class ReferenceNotebook:
    """The instructor's version of a notebook, used to restore and grade submissions.

    `order` lists the grade ids of the source notebook. `cells` maps a grade id to the cell's record
    in the gradebook, including hidden tests: cell_type, source, locked, grade, solution, task,
    points, checksum, and partial. `parameters` is code that sets every parameter for grading.
    `uses_keras` is False if the notebook never mentions Keras. `ungraded` are hashes of the
    cells without a grade id. `fingerprint` is a hash of everything that determines a score.
    """

    order: list[str]
    cells: dict[str, dict[str, Any]]
    parameters: str
    uses_keras: bool = True
    fingerprint: str = ""
    ungraded: list[str] = field(default_factory=list)

    def is_test(self, name: str | None) -> bool:
        """Return whether a grade id belongs to an autograder test."""
        cell = self.cells.get(name) if name else None
        return bool(cell and cell["grade"] and not cell["solution"] and cell["cell_type"] == "code")

    def is_locked_code(self, name: str | None) -> bool:
        """Return whether a grade id belongs to a locked code cell that is not a test."""
        cell = self.cells.get(name) if name else None
        return bool(cell and cell["locked"] and not cell["grade"] and cell["cell_type"] == "code")

    def is_unchanged(self, cell: Mapping[str, Any]) -> bool:
        """Return whether a cell has no grade id and the same code as such a cell of the source."""
        return cell["grade_id"] is None and hash_of_code(cell["source"]) in self.ungraded


def hash_of_code(source: str) -> str:
    """Return a hash of a cell's code, ignoring whitespace at its beginning and end."""
    return hashlib.sha256(source.strip().encode("utf-8", "replace")).hexdigest()[:16]


def without_mark_schemes(source: str) -> str:
    """Return a cell's source without the regions between the markers of mark schemes."""
    kept, position, start = [], 0, None
    for marker in MARK_SCHEME_MARKER.finditer(source):
        if marker[1] == "BEGIN" and start is None:
            start = marker.start()
        elif marker[1] == "END" and start is not None:
            kept.append(source[position:start])
            position, start = marker.end(), None
    return "".join([*kept, source[position:]])


def read_reference(gradebook: "Gradebook", source: Path) -> ReferenceNotebook:
    """Return the reference notebook for a notebook in `source/`.

    The cells, including hidden tests, come from the gradebook, in which compiling the assignment
    saved them. The source notebook provides their order, the parameters, and the tags for partial
    credit.
    """
    record = gradebook.find_notebook(source.stem, source.parent.name)
    points = {cell.name: cell.max_score for cell in record.grade_cells}
    solutions = {cell.name for cell in record.solution_cells}
    tasks = {cell.name: cell.max_score for cell in record.task_cells}
    nb = nbformat.read(source, as_version=4)
    order = [cell.metadata.get("nbgrader", {}).get("grade_id") for cell in nb.cells]
    partial = tagged_cells(nb, PARTIAL_CREDIT_TAG)
    cells = {
        cell.name: {
            "cell_type": cell.cell_type,
            "source": cell.source,
            "locked": cell.locked,
            "checksum": cell.checksum,
            "grade": cell.name in points,
            "solution": cell.name in solutions,
            "task": cell.name in tasks,
            "points": points.get(cell.name, tasks.get(cell.name)),
            "partial": cell.name in partial,
        }
        for cell in record.source_cells
    }
    in_source = [name for name in order if name in cells]
    order = [*in_source, *sorted(cells.keys() - set(in_source))]
    ungraded = [
        hash_of_code(cell.source)
        for cell in nb.cells
        if "grade_id" not in cell.metadata.get("nbgrader", {})
    ]
    reference = ReferenceNotebook(
        order, cells, _grading_parameters(nb), mentions_keras(source), ungraded=ungraded
    )
    return replace(reference, fingerprint=_fingerprint(reference, source.parent))


def _fingerprint(reference: ReferenceNotebook, folder: Path) -> str:
    """Return a hash of the tests, the locked code, the points, and the files in a source folder.

    The texts of other cells are left out: correcting an instruction changes no score.
    """
    parts: list[Any] = [reference.parameters]
    for name in reference.order:
        cell = dict(reference.cells[name])
        if not (reference.is_test(name) or reference.is_locked_code(name)):
            del cell["source"]
        if not cell["solution"]:
            del cell["checksum"]  # that of an answer shows whether the answer was changed
        parts.append([name, cell])
    for path, content in sorted(provided_files(folder).items()):
        parts.append([path, hashlib.sha256(content).hexdigest()])
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def tagged_cells(nb: NotebookNode | dict[str, Any], tag: str) -> set[str | None]:
    """Return the grade ids of a source notebook's cells that have a tag."""
    return {
        cell["metadata"].get("nbgrader", {}).get("grade_id")
        for cell in nb["cells"]
        if tag in cell["metadata"].get("tags", [])
    }


def _grading_parameters(nb: NotebookNode) -> str:
    """Return code that sets the profile to smoke and other parameters to the source's values."""
    lines = []
    for cell in nb.cells:
        if "parameters" in cell.metadata.get("tags", []):
            for statement in parse_python(cell.source).body:
                if isinstance(statement, ast.Assign):
                    name = ast.unparse(statement.targets[0])
                    is_profile = name == "profile"
                    value = repr(GRADING_PROFILE) if is_profile else ast.unparse(statement.value)
                    lines.append(f"{name} = {value}")
    return "\n".join(lines) or f"profile = {GRADING_PROFILE!r}"
