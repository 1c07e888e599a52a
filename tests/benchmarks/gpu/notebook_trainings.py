"""The trainings of solution notebooks, run by `course.experiments` as the notebooks run them.

The notebook defines what is trained: the statements on which a training depends are executed, up
to the call of `experiments.train_each`, whose arguments are used.
"""

import ast
import contextlib
import inspect
import io
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from unittest import mock

import numpy as np

from course import experiments
from tests.benchmarks.gpu.notebook_slices import last_call, required, statements
from tests.benchmarks.gpu.plan import Measurement, Part
from tests.submissions import source_cells

WARM_UP_SEED = 1_000
TEST_NAMES = ("x_test", "y_test")


@dataclass(frozen=True)
class Training:
    """The arguments of a notebook's call of `experiments.train_each`, and its test images."""

    run: Any
    specifications: list[dict]
    build: Callable[[dict], Any]
    training_data: tuple
    validation_data: tuple
    recipe: dict[str, Any]
    test_data: tuple | None


class _TrainingFound(BaseException):
    """Ends the training statement, which does not catch it, because it is no Exception."""

    def __init__(self, arguments: inspect.BoundArguments) -> None:
        super().__init__()
        self.arguments = arguments.arguments


def find_training(assignment: str, profile: str, cell: str = "") -> Training:
    """Return the last training of a cell or, without a cell, of the notebook."""
    cells = source_cells(assignment)
    # As papermill does, replace the profile of the cell with the parameters.
    cells["parameters"] = f"{cells['parameters']}\nprofile = {profile!r}"
    found = statements(cells)
    position = last_call(found, "train_each", cell)
    signature = inspect.signature(experiments.train_each)

    def stop(*arguments: Any, **options: Any) -> None:
        bound = signature.bind(*arguments, **options)
        bound.apply_defaults()
        raise _TrainingFound(bound)

    names: dict[str, Any] = {"__name__": "__main__"}
    with (
        mock.patch.object(experiments, "train_each", stop),
        contextlib.redirect_stdout(io.StringIO()),
    ):
        try:
            for each in required(found, position, {*TEST_NAMES}):
                module = ast.Module([each.node], type_ignores=[])
                exec(compile(module, f"{assignment}, cell {each.cell}", "exec"), names)
        except _TrainingFound as training:
            values = dict(training.arguments)
        else:
            raise ValueError(f"the last statement of {assignment} does not call train_each")
    recipe = values.pop("recipe") | {key: values.pop(key) for key in ("epochs", "batch_size")}
    has_test_data = names.keys() >= {*TEST_NAMES}
    test_data = tuple(names[each] for each in TEST_NAMES) if has_test_data else None
    return Training(**values, recipe=recipe, test_data=test_data)


class SolutionPart(Part):
    """The training of a solution notebook on the device: seconds and accuracy for each seed."""

    preparation_seconds = 90.0  # a whole training, in which the backend compiles

    def __init__(self, assignment: str, profile: str, seeds: list[int], cell: str = "") -> None:
        self._assignment, self._profile, self._cell = assignment, profile, cell
        title = f"solution of {assignment}, {profile} profile"
        super().__init__([Measurement(f"{title}, seed {seed}", 60, seed) for seed in seeds])

    def prepare(self, chosen: list[Measurement]) -> None:
        """Execute the cells, and train once with another seed, which also compiles."""
        self._training = find_training(self._assignment, self._profile, self._cell)
        start = time.perf_counter()
        self._train(WARM_UP_SEED)
        for each in chosen:
            each.seconds = time.perf_counter() - start

    def measure(self, measurement: Measurement, deadline: float) -> list[dict[str, Any]]:
        """Train with one seed."""
        training, rows = self._training, []
        for result in self._train(measurement.subject):
            row = {
                "kind": "solution",
                "assignment": self._assignment,
                "network": result.name,
                "configuration": result.specification,
                "seed": measurement.subject,
                "recipe": {
                    name: value
                    for name, value in (training.recipe | {"on_device": True}).items()
                    if name not in result.specification
                },
                "parameters": result.parameters,
                "epochs": result.epochs,
                "seconds": round(result.seconds, 3),
                "training_accuracy": result.training_accuracy,
                "validation_accuracy": result.validation_accuracy,
            }
            if training.test_data:
                row |= test_accuracies(result.network, *training.test_data)
            rows.append(row)
        return rows

    def _train(self, seed: int) -> list[experiments.Result]:
        """Train all networks with a seed, without results of earlier trainings."""
        training = self._training
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            return experiments.train_each(
                replace(training.run, seed=seed),
                training.specifications,
                training.build,
                training.training_data,
                training.validation_data,
                **training.recipe | {"on_device": True},
            )


def test_accuracies(network: Any, images: Any, labels: Any) -> dict[str, float]:
    """Return the accuracy on test images, and that of the mean with their mirror images."""
    classes = labels if labels.ndim == 1 else labels.argmax(-1)
    outputs = network.predict(images, batch_size=500, verbose=0)
    mirrored = network.predict(images[:, :, ::-1], batch_size=500, verbose=0)
    return {
        "test_accuracy": float(np.mean(outputs.argmax(-1) == classes)),
        "test_accuracy_with_flips": float(np.mean((outputs + mirrored).argmax(-1) == classes)),
    }


# What a measurement of speed changes in a specification, and the switches of its recipe.
Variant = tuple[dict[str, Any], dict[str, Any]]
# The augmentation needs on_device.
STILL = {"max_shift": 0, "flip": False}
LOOPS: dict[str, Variant] = {
    "fit": (STILL, {"on_device": False}),
    "on device": (STILL, {"on_device": True}),
    "on device, with its augmentation": ({}, {"on_device": True}),
}
LOOPS_OF_06: dict[str, Variant] = {
    f"{loop}, batch {batch_size}{', float16' * mixed}": (
        {"batch_size": batch_size},
        {"on_device": loop == "on device", "mixed_precision": mixed},
    )
    for loop, batch_size, mixed in [
        ("fit", 32, False),
        ("on device", 32, False),
        ("fit", 320, False),
        ("on device", 320, False),
        ("on device", 320, True),
    ]
}


class SpeedPart(Part):
    """Images per second of `fit` and of training on the device, for one network of a notebook."""

    preparation_seconds = 10.0

    def __init__(
        self,
        assignment: str,
        profile: str,
        variants: dict[str, Variant],
        network: str = "",
        cell: str = "",
    ) -> None:
        """`network` is the name of a specification; by default, it is the first one."""
        self._assignment, self._network, self._profile = assignment, network, profile
        self._variants, self._cell = variants, cell
        title = f"speed of {assignment} {network}".strip() + f", {profile} profile"
        super().__init__([Measurement(f"{title}, {name}", 20, name) for name in variants])

    def prepare(self, chosen: list[Measurement]) -> None:
        """Execute what defines the training."""
        self._training = find_training(self._assignment, self._profile, self._cell)
        self._specification = next(
            each for each in self._training.specifications if self._network in ("", each["name"])
        )

    def measure(self, measurement: Measurement, deadline: float) -> list[dict[str, Any]]:
        """Train for three epochs."""
        training, (changes, switches) = self._training, self._variants[measurement.subject]
        specification = self._specification | changes | {"epochs": 3}
        switches = {"mixed_precision": training.recipe.get("mixed_precision", False)} | switches
        images_per_second = experiments.speed(
            training.run, specification, training.build, training.training_data, **switches
        )
        return [
            {
                "kind": "speed",
                "assignment": self._assignment,
                "network": specification["name"],
                "configuration": measurement.subject,
                "specification": specification,
                "recipe": switches,
                "images_per_second": round(images_per_second),
            }
        ]


os.environ.setdefault("MPLBACKEND", "Agg")  # the statements may draw figures
