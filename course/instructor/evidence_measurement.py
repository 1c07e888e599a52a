"""Measuring, on real images, the accuracy of weights that students submit from long training runs.

The network is built by the source notebook's own cells. Nothing in a submission is executed:
`course.evidence` reads its metrics and weights as plain data.
"""

import ast
import contextlib
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat

import course
from course import evidence
from course.errors import CourseError
from course.evidence.format import printable_text
from course.instructor.analysis.cell_names import find_names, parse_cell
from course.instructor.course_dir import source_notebook
from course.instructor.gradebook.submission_results import list_students

if TYPE_CHECKING:
    import numpy as np

TAG = "evidence"  # tag of the cells that load images and build networks


@dataclass
class MeasuredEvidence:
    """One student's evidence: the experiment whose weights it contains, and its accuracies.

    The accuracies are measured on the validation set. Each problem is a sentence; a submission that
    has a problem is flagged for manual review.
    """

    student: str
    experiment: str = ""
    profile: str = ""
    reported_accuracy: float | None = None
    measured_accuracy: float | None = None
    problems: list[str] = field(default_factory=list)
    weights: list["np.ndarray"] = field(default_factory=list, repr=False)


def requires_evidence(root: Path, name: str) -> bool:
    """Return whether the source of an assignment has cells tagged `evidence`."""
    return bool(_tagged_cells(_read_source(root, name)))


def measure_evidence(
    root: Path, name: str, student: str | None = None
) -> Iterator[MeasuredEvidence]:
    """Yield the measured evidence of one student, or of each student who submitted an assignment.

    Raises CourseError if the assignment requires no evidence, nobody has submitted it, the real
    images are not available, or a cell of the source notebook fails.
    """
    notebook = _read_source(root, name)
    cells = _tagged_cells(notebook)
    if not cells:
        raise CourseError(
            f"{name} does not ask for evidence: no cell in its source is tagged {TAG!r}."
        )
    cells = [("imports", _used_imports(notebook, cells)), *cells]
    students = list_students(root, "submitted", name, student)
    names_by_profile: dict[str, dict[str, Any]] = {}
    for each in students:
        result = MeasuredEvidence(each)
        try:
            _measure_student(result, Path(root, "submitted", each, name), cells, names_by_profile)
        except CourseError:  # the source or the images: it concerns the whole class
            raise
        except Exception as error:
            reason = printable_text(f"{type(error).__name__}: {error}", 200)
            result.problems.append(f"the evidence cannot be measured ({reason}).")
        yield result


def same_weights(results: list[MeasuredEvidence]) -> list[list[str]]:
    """Return the groups of students who submitted the same weights."""
    fingerprints = {
        each.student: evidence.weights_fingerprint(each.weights) if each.weights else None
        for each in results
    }
    return evidence.group_by_fingerprint(fingerprints)


def _measure_student(
    result: MeasuredEvidence,
    folder: Path,
    cells: list[tuple[str, str]],
    names_by_profile: dict[str, dict[str, Any]],
) -> None:
    """Read the evidence in a submission's folder and measure the accuracy of its weights."""
    found = evidence.read(folder / "evidence")
    result.problems = found["problems"]
    for experiment, weights in found["weights"].items():
        result.experiment, result.weights = printable_text(experiment), weights
        metrics = found["metrics"][experiment]
        profile = metrics.get("profile")
        if profile not in ("cpu", "gpu"):
            result.problems.append(
                f"{result.experiment}: the network was not trained in a profile with real images."
            )
            continue
        if profile not in names_by_profile:
            names_by_profile[profile] = _execute(cells, profile)
        _measure(result, profile, metrics, names_by_profile[profile])


def _measure(
    result: MeasuredEvidence, profile: str, metrics: dict[str, Any], names: dict[str, Any]
) -> None:
    """Check the metrics and weights of a student, and measure the accuracy of the weights."""
    specification = next(
        (each for each in _specifications(names) if each["name"] == metrics["name"]), None
    )
    if specification is None:
        result.problems.append("the weights do not belong to any experiment in this assignment.")
        return
    network = names["build_network"](specification)
    images, labels = names["x_val"], names["y_val"]
    result.profile, result.reported_accuracy = profile, metrics.get("validation_accuracy")
    result.problems += evidence.find_metric_problems(
        metrics, specification, network.count_params(), {profile: len(images)}
    )
    weight_problems = evidence.find_weight_problems(network, result.weights, metrics)
    result.problems += weight_problems
    if not weight_problems:
        result.measured_accuracy, problem = evidence.compare_accuracy(
            network, result.weights, images, labels, result.reported_accuracy
        )
        result.problems += [problem] if problem else []


def _read_source(root: Path, name: str) -> nbformat.NotebookNode:
    """Return the source notebook of an assignment."""
    return nbformat.read(source_notebook(root, name), as_version=4)


def _tagged_cells(notebook: nbformat.NotebookNode) -> list[tuple[str, str]]:
    """Return the id and the source of each code cell tagged `evidence`."""
    return [
        (cell.id, cell.source)
        for cell in notebook.cells
        if cell.cell_type == "code" and TAG in cell.metadata.get("tags", [])
    ]


def _used_imports(notebook: nbformat.NotebookNode, cells: list[tuple[str, str]]) -> str:
    """Return the notebook's import statements whose names occur in the cells."""
    trees = [parse_cell(cell.source) for cell in notebook.cells if cell.cell_type == "code"]
    used = set().union(*(find_names(source).mentioned for _, source in cells))
    return "\n".join(
        ast.unparse(statement)
        for tree in trees
        for statement in (tree.body if tree else [])
        if isinstance(statement, ast.Import | ast.ImportFrom)
        and used & {alias.asname or alias.name.partition(".")[0] for alias in statement.names}
    )


def _execute(cells: list[tuple[str, str]], profile: str) -> dict[str, Any]:
    """Execute cells of a source notebook under a profile and return the names they define."""
    import keras

    names: dict[str, Any] = {"run": course.Run(profile, 0, keras.backend.backend(), "CPU")}
    for cell_id, source in cells:
        try:
            # The cells' output is intended for students.
            with contextlib.redirect_stdout(io.StringIO()):
                exec(compile(source, cell_id, "exec"), names)
        except CourseError:
            raise
        except Exception as error:
            raise CourseError(
                f"cell {cell_id} of the source fails ({type(error).__name__}: {error}): correct it."
            ) from None
    missing = [name for name in ("build_network", "x_val", "y_val") if name not in names]
    if missing:
        raise CourseError(
            f"the source's cells tagged {TAG!r} do not define {missing[0]}: tag the cell that does."
        )
    return names


def _specifications(names: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the experiment specifications in all lists that the names refer to."""
    for value in list(names.values()):
        if isinstance(value, list):
            yield from (each for each in value if isinstance(each, dict) and "name" in each)
