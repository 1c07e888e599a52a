"""Measuring, on real images, the accuracy of weights that students submit from long training runs.

The network is built by the source notebook's own cells. Nothing in a submission is executed:
`course.evidence` reads its metrics as JSON and its weights as arrays of numbers.

The source's cells tagged `evidence` define `build_network`, `x_val`, and `y_val`. They can also
define the following names:

check_configuration    raises CourseError for a specification that is not allowed; every other
                       specification is allowed. Without this function, only the specifications
                       in the cells' lists are allowed
x_test, y_test         images on which the accuracy for the leaderboard is measured
budget                 seconds of training: a number, or one for each device, such as {"cpu": 900}
"""

import ast
import contextlib
import io
import json
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat

import course
from course import evidence
from course.counting import layer_rows
from course.errors import CourseError
from course.evidence.format import BACKENDS, MAX_WEIGHTS_BYTES, printable_text
from course.instructor.analysis.cell_names import find_names, parse_cell
from course.instructor.course_dir import source_notebook
from course.instructor.gradebook.group_submissions import WITHOUT_GROUPS, GroupSubmissions
from course.instructor.gradebook.submission_results import list_students
from course.instructor.sandbox.start_messages import start_messages_hidden
from course.instructor.student_text.limited_worker import StudentTextError
from course.instructor.student_text.time_limit import processor_time_limit

if TYPE_CHECKING:
    import numpy as np

TAG = "evidence"  # tag of the cells that load images and build networks
DEVICES = ("CPU", "GPU")
# Limits of a student's own configuration, far above those of a network that trains in minutes.
MAX_CONFIGURATION_CHARACTERS = 4_000  # as JSON
MAX_BUILD_SECONDS = 60  # of processor time; a network with 200 layers takes 2
MAX_PARAMETERS = MAX_WEIGHTS_BYTES // 2  # all that a file of float16 values can contain
MAX_COSTS = {"macs": 10**10, "activations": 10**8}
# Chance alone exceeds five standard errors once in three million networks. Both sets come from the
# same ten classes, and test images are rarely easier, so a larger difference has another cause.
STANDARD_ERRORS = 5

# Reasons for the leaderboard, which students may see: they contain no text of a submission.
UNREADABLE = "Its files are incomplete or cannot be read."
NOT_MEASURABLE = "Its evidence cannot be measured."
SMOKE_PROFILE = "It was not trained on real images."
UNKNOWN_EXPERIMENT = "It does not belong to any experiment in this assignment."
NOT_ALLOWED = "Its configuration is not allowed."
WRONG_METRICS = "Its metrics are impossible, or belong to another training run."
WRONG_WEIGHTS = "Its weights do not fit the network that its configuration describes."
WRONG_KEY = "Its weights and its metrics are not from one training run, or were changed afterward."


@dataclass
class MeasuredEvidence:
    """One student's evidence: the experiment whose weights it contains, and its accuracies.

    `reported_accuracy` and `measured_accuracy` are those on the validation set. Each problem is a
    sentence, which can contain a student's text; a submission that has a problem is flagged for
    manual review. `reasons` say the same without a student's text.
    """

    student: str
    experiment: str = ""
    profile: str = ""
    reported_accuracy: float | None = None
    measured_accuracy: float | None = None
    test_accuracy: float | None = None
    test_accuracy_with_flips: float | None = None
    test_images: int = 0
    # As the student reports them; empty if they are not possible values.
    device: str = ""
    backend: str = ""
    seconds: float | None = None
    parameters: int | None = None  # of the network as built
    budget: float | None = None  # seconds, for the device
    is_missing: bool = False  # the student submitted no evidence at all
    weights_fingerprint: str | None = None
    group: str = ""  # of the student, or empty
    problems: list[str] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)

    def flag(self, reason: str, *sentences: str) -> None:
        """Add problems that have the same reason."""
        self.problems += sentences
        if sentences and reason not in self.reasons:
            self.reasons.append(reason)


class _RejectedSpecification(Exception):
    """Raised if a specification is not allowed; the arguments are a reason and a problem."""


def requires_evidence(root: Path, name: str) -> bool:
    """Return whether the source of an assignment has cells tagged `evidence`."""
    return bool(_tagged_cells(_read_source(root, name)))


def has_leaderboard(root: Path, name: str) -> bool:
    """Return whether the cells tagged `evidence` in an assignment's source define `x_test`."""
    cells = _tagged_cells(_read_source(root, name))
    return any("x_test" in find_names(source).bound for _, source in cells)


def measure_evidence(
    root: Path,
    name: str,
    student: str | None = None,
    shared: GroupSubmissions = WITHOUT_GROUPS,
) -> Iterator[MeasuredEvidence]:
    """Yield the measured evidence of one student, or of each student who submitted an assignment.

    If several members of a group submitted, only the submission that counts is measured. Raises
    CourseError if the assignment requires no evidence, nobody has submitted it, the real images are
    not available, or a cell of the source notebook fails.
    """
    notebook = _read_source(root, name)
    cells = _tagged_cells(notebook)
    if not cells:
        raise CourseError(
            f"{name} does not ask for evidence: no cell in its source is tagged {TAG!r}."
        )
    cells = [("imports", _used_imports(notebook, cells)), *cells]
    if student:
        students = list_students(root, "submitted", name, shared.submitter_for(student))
    else:
        students = list(filter(shared.counts, list_students(root, "submitted", name)))
    names_by_profile: dict[str, dict[str, Any]] = {}
    for each in students:
        group = shared.group_of(each)
        result = MeasuredEvidence(each, group=group.name if group else "")
        try:
            _measure_student(result, Path(root, "submitted", each, name), cells, names_by_profile)
        except CourseError:  # caused by the source or the images, so it concerns the whole class
            raise
        except Exception as error:
            reason = printable_text(f"{type(error).__name__}: {error}", 200)
            result.flag(NOT_MEASURABLE, f"the evidence cannot be measured ({reason}).")
        yield result


def same_weights(results: list[MeasuredEvidence]) -> list[list[str]]:
    """Return lists of the students who submitted the same weights and are not all in one group."""
    group_of = {each.student: each.group for each in results}
    found = evidence.group_by_fingerprint(
        {each.student: each.weights_fingerprint for each in results}
    )
    return [
        students
        for students in found
        if not group_of[students[0]] or len({group_of[each] for each in students}) > 1
    ]


def _measure_student(
    result: MeasuredEvidence,
    folder: Path,
    cells: list[tuple[str, str]],
    names_by_profile: dict[str, dict[str, Any]],
) -> None:
    """Read the evidence in a submission's folder and measure the accuracy of its weights."""
    result.is_missing = not os.path.lexists(folder / "evidence")
    found = evidence.read(folder / "evidence")
    result.flag(UNREADABLE, *found["problems"])
    for experiment, weights in found["weights"].items():
        metrics = found["metrics"][experiment]
        result.experiment = printable_text(experiment)
        result.weights_fingerprint = evidence.weights_fingerprint(weights) if weights else None
        _fill_in_reported(result, metrics)
        profile = metrics.get("profile")
        if profile not in ("cpu", "gpu"):
            result.flag(
                SMOKE_PROFILE,
                f"{result.experiment}: the network was not trained in a profile with real images.",
            )
            continue
        if profile not in names_by_profile:
            names_by_profile[profile] = _execute(cells, profile)
        result.profile = profile
        _measure(result, metrics, weights, names_by_profile[profile])


def _fill_in_reported(result: MeasuredEvidence, metrics: dict[str, Any]) -> None:
    """Copy the device, backend, and training time that a student reports, if they are possible."""
    device, backend, seconds = (metrics.get(name) for name in ("device", "backend", "seconds"))
    result.device = device if device in DEVICES else ""
    result.backend = backend if backend in BACKENDS else ""
    result.seconds = seconds if type(seconds) is float and 0 < seconds < math.inf else None


def _measure(
    result: MeasuredEvidence,
    metrics: dict[str, Any],
    weights: list["np.ndarray"],
    names: dict[str, Any],
) -> None:
    """Check the metrics and weights of a student, and measure the accuracy of the weights."""
    try:
        specification, network = _build(metrics, weights, names)
    except _RejectedSpecification as rejected:
        result.flag(*rejected.args)
        return
    images, labels = names["x_val"], names["y_val"]
    result.reported_accuracy = metrics.get("validation_accuracy")
    result.parameters, result.budget = network.count_params(), _budget(names, result.device)
    problems = evidence.find_metric_problems(
        metrics, specification, network.count_params(), {result.profile: len(images)}
    )
    result.flag(WRONG_METRICS, *problems)
    weight_problems = evidence.find_weight_problems(network, weights)
    result.flag(WRONG_WEIGHTS, *weight_problems)
    result.flag(WRONG_KEY, *evidence.find_changes(metrics, weights))
    if not weight_problems:
        result.measured_accuracy, problem = evidence.compare_accuracy(
            network, weights, images, labels, result.reported_accuracy
        )
        if problem:
            result.flag(_other_accuracy(result), problem)
        if "x_test" in names:
            _measure_test_accuracy(result, network, names["x_test"], names["y_test"], len(images))


def _other_accuracy(result: MeasuredEvidence) -> str:
    """Return the reason for a reported accuracy that differs from the measured one."""
    reported = result.reported_accuracy
    is_fraction = type(reported) is float and 0 <= reported <= 1
    stated = f"{reported:.1%}" if is_fraction else "the stated one"
    return f"Its validation accuracy is {result.measured_accuracy:.1%}, not {stated}."


def _measure_test_accuracy(
    result: MeasuredEvidence,
    network: Any,
    images: "np.ndarray",
    labels: "np.ndarray",
    validation_images: int,
) -> None:
    """Measure the test accuracy; one that is far above the validation accuracy is a problem."""
    result.test_images = len(images)
    test = result.test_accuracy = evidence.measure_accuracy(network, images, labels)
    result.test_accuracy_with_flips = evidence.measure_accuracy(network, images, labels, flips=True)
    validation = result.measured_accuracy or 0.0
    # The standard error of the difference, if both sets are samples of the same distribution.
    pooled = (test * len(images) + validation * validation_images) / (
        len(images) + validation_images
    )
    error = math.sqrt(pooled * (1 - pooled) * (1 / len(images) + 1 / validation_images))
    if test - validation > STANDARD_ERRORS * error:
        sentence = (
            f"The test accuracy, {test:.1%}, is {(test - validation) / error:.0f} standard errors"
            f" above the validation accuracy, {validation:.1%}, which suggests training on test"
            " images."
        )
        result.flag(sentence, sentence)


def _build(
    metrics: dict[str, Any], weights: list["np.ndarray"], names: dict[str, Any]
) -> tuple[dict[str, Any], Any]:
    """Return the specification of a student's network, and the network.

    Raises _RejectedSpecification if the specification is not allowed.
    """
    if "check_configuration" not in names:
        for specification in _specifications(names):
            if specification["name"] == metrics["name"]:
                return specification, names["build_network"](specification)
        raise _RejectedSpecification(
            UNKNOWN_EXPERIMENT, "the weights do not belong to any experiment in this assignment."
        )
    own: Any = metrics.get("specification")
    try:
        with processor_time_limit(MAX_BUILD_SECONDS):
            _check_configuration(own, metrics["name"], names)
            with _limited_parameters(MAX_PARAMETERS):
                network = names["build_network"](_copy(own))
            _check_cost(network)
        return own, network
    except (CourseError, StudentTextError) as error:
        problem = str(error).rstrip(".")
    except Exception as error:  # such as OverflowError, for a value that the check did not expect
        problem = f"{type(error).__name__}: {error}"
    raise _RejectedSpecification(
        NOT_ALLOWED, f"the configuration is not allowed ({printable_text(problem, 200)})."
    )


def _check_configuration(specification: Any, name: str, names: dict[str, Any]) -> None:
    """Raise CourseError if a student's own configuration is not allowed."""
    if type(specification) is not dict or specification.get("name") != name:
        raise CourseError('it is not a dict whose "name" is that of the experiment')
    if len(json.dumps(specification)) > MAX_CONFIGURATION_CHARACTERS:
        raise CourseError(f"it has more than {MAX_CONFIGURATION_CHARACTERS:,} characters")
    names["check_configuration"](_copy(specification))


@contextlib.contextmanager
def _limited_parameters(limit: int) -> Iterator[None]:
    """Raise CourseError before a network that is built in the block has too many parameters.

    The weights of a layer with a billion units would fill the memory before they can be counted.
    """
    from keras.layers import Layer

    add_weight, total = Layer.add_weight, 0

    def add_limited_weight(layer: Layer, shape: Any = None, *args: Any, **settings: Any) -> Any:
        nonlocal total
        total += math.prod(shape if isinstance(shape, tuple | list) else [shape or 1])
        if total > limit:
            raise CourseError(f"its network has more than {limit:,} parameters")
        return add_weight(layer, shape, *args, **settings)

    Layer.add_weight = add_limited_weight
    try:
        yield
    finally:
        Layer.add_weight = add_weight


def _check_cost(network: Any) -> None:
    """Raise CourseError if a network is too expensive to measure."""
    rows = layer_rows(network)
    for key, limit in MAX_COSTS.items():
        if (found := sum(row[key] for row in rows)) > limit:
            raise CourseError(f"its network has {found:,} {key} per image, more than {limit:,}")


def _copy(specification: dict[str, Any]) -> dict[str, Any]:
    """Return a copy of JSON data, which the source's cells may change."""
    return json.loads(json.dumps(specification))


def _budget(names: dict[str, Any], device: str) -> float | None:
    """Return the seconds that training may take on a device, or None if there is no limit."""
    budget = names.get("budget")
    return budget.get(device.lower()) if isinstance(budget, dict) else budget


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
    """Return the notebook's import statements that bind a name mentioned in the cells."""
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
    with start_messages_hidden():
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
                f"cell {cell_id} of the source notebook failed ({type(error).__name__}: {error}):"
                " fix the cell."
            ) from None
    required = ["build_network", "x_val", "y_val", *["y_test"] * ("x_test" in names)]
    missing = [name for name in required if name not in names]
    if missing:
        raise CourseError(
            f"the source's cells tagged {TAG!r} do not define {missing[0]}: tag the cell that"
            " defines it."
        )
    budget = names.get("budget")
    seconds = list(budget.values()) if isinstance(budget, dict) else [budget] * ("budget" in names)
    if not all(is_budget(each) for each in seconds) or (
        isinstance(budget, dict) and not set(budget) <= {device.lower() for device in DEVICES}
    ):
        raise CourseError(
            f"budget in the source's cells tagged {TAG!r} is {budget!r}: set it to a number of"
            ' seconds, or to a dict such as {"cpu": 900, "gpu": 120}.'
        )
    return names


def is_budget(seconds: Any) -> bool:
    """Return whether a value is a positive number of seconds."""
    return type(seconds) in (int, float) and 0 < seconds < math.inf


def _specifications(names: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the experiment specifications in all lists that the names refer to."""
    for value in list(names.values()):
        if isinstance(value, list):
            yield from (each for each in value if isinstance(each, dict) and "name" in each)
