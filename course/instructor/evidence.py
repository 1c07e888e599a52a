"""What students handed in of their long trainings, measured on real pictures.

The network is the one that the source notebook's own cells build, so nothing of a submission runs
here: its numbers and weights are read as data, by `course.evidence`.
"""

import contextlib
import io
from dataclasses import dataclass, field
from pathlib import Path

import nbformat

import course
from course import evidence
from course.errors import CourseError
from course.instructor.course_dir import source_notebook
from course.instructor.gradebook.scores import students_of

TAG = "evidence"  # of the cells that make pictures and networks


@dataclass
class Finding:
    """What is known of one student's training.

    Attributes
    ----------
    student : str
    experiment : str
        The one whose weights were handed in, or "".
    profile : str
        In which it was trained, or "".
    stated, measured : float or None
        Its validation accuracy.
    problems : list of str
        A sentence each, for a person to look at.
    weights : list of ndarray
    """

    student: str
    experiment: str = ""
    profile: str = ""
    stated: float | None = None
    measured: float | None = None
    problems: list = field(default_factory=list)
    weights: list = field(default_factory=list, repr=False)


def asks_for_evidence(root, name):
    """Return whether an assignment has cells for evidence."""
    return bool(_cells(root, name))


def examine(root, name, student=None):
    """Yield a Finding for each student who handed in an assignment.

    Parameters
    ----------
    root : Path
        The course directory.
    name : str
        The assignment.
    student : str, optional

    Raises
    ------
    CourseError
        If the assignment asks for no evidence, nobody has handed in, the real pictures cannot be
        had, or the source's own cells fail.
    """
    cells = _cells(root, name)
    if not cells:
        raise CourseError(f"{name} asks for no evidence: no cell of its source is tagged {TAG!r}.")
    students = students_of(root, "submitted", name, student)
    made = {}  # what the source's cells make, by profile
    for each in students:
        found = evidence.read(Path(root, "submitted", each, name, "evidence"))
        finding = Finding(each, problems=found["problems"])
        for experiment, weights in found["weights"].items():
            finding.experiment, finding.weights = experiment, weights
            _measure(finding, found["metrics"], made, cells)
        yield finding


def same_weights(findings):
    """Return the groups of students whose weights are the same."""
    return evidence.identical({each.student: each.weights for each in findings})


def _measure(finding, metrics, made, cells):
    record = metrics[finding.experiment]
    profile = record.get("profile")
    if profile not in ("cpu", "gpu"):
        finding.problems.append(f"{finding.experiment}: trained in no profile with real pictures.")
        return
    if profile not in made:
        made[profile] = _made(cells, profile)
    names = made[profile]
    specification = next(
        (each for each in _specifications(names) if each["name"] == finding.experiment), None
    )
    if specification is None:
        finding.problems.append("its weights are of no experiment of this assignment.")
        return
    network = names["build_network"](specification)
    images, labels = names["x_val"], names["y_val"]
    finding.profile, finding.stated = profile, record.get("validation_accuracy")
    finding.problems += evidence.problems_of_metrics(
        record, specification, network.count_params(), {profile: len(images)}
    )
    misfits = evidence.problems_of_weights(network, finding.weights, record)
    finding.problems += misfits
    if not misfits:
        finding.measured, problem = evidence.claimed_and_measured(
            network, finding.weights, images, labels, finding.stated
        )
        finding.problems += [problem] if problem else []


def _cells(root, name):
    notebook = nbformat.read(source_notebook(root, name), as_version=4)
    return [
        (cell.id, cell.source)
        for cell in notebook.cells
        if cell.cell_type == "code" and TAG in cell.metadata.get("tags", [])
    ]


def _made(cells, profile):
    """Return the names that the source's tagged cells make in a profile."""
    import keras
    import numpy as np

    names = {"keras": keras, "layers": keras.layers, "np": np, "course": course}
    names["run"] = course.Run(profile, 0, keras.backend.backend(), "CPU")
    for module in ("checks", "counting", "datasets", "experiments", "plotting", "training"):
        exec(f"from course import {module}", names)
    for cell_id, source in cells:
        try:
            # What the cells print is for students.
            with contextlib.redirect_stdout(io.StringIO()):
                exec(compile(source, cell_id, "exec"), names)
        except CourseError:
            raise
        except Exception as error:
            raise CourseError(
                f"the source's own cell {cell_id} fails ({type(error).__name__}: {error}): mend it."
            ) from None
    missing = [name for name in ("build_network", "x_val", "y_val") if name not in names]
    if missing:
        raise CourseError(
            f"the source's cells tagged {TAG!r} make no {missing[0]}: tag the one that does."
        )
    return names


def _specifications(names):
    """Yield the specifications in all lists that the cells made."""
    for value in list(names.values()):
        if isinstance(value, list):
            yield from (each for each in value if isinstance(each, dict) and "name" in each)
