"""The trainings of 08-capstone whose results the course keeps.

In the ladder of changes, each network has one change more than the one before it. The controls
differ from a network of the ladder in the options that are given. All networks are trained by the
notebook's own cells, with all images of the cpu profile, and their own seed.
"""

import functools
from typing import Any

CELLS = (
    "load-data", "options", "build_network", "residual_block", "one_cycle", "compile",
    "train-plain", "train-full",
)  # fmt: skip
# The changes in order; each includes those before it.
CHANGES: dict[str, dict[str, Any]] = {
    "plain": {},
    "+ standardized inputs": {"standardize": True},
    "+ He initialization": {"he_normal": True},
    "+ batch normalization": {"batch_normalization": True, "learning_rate": 0.4},
    "+ shortcuts": {"shortcuts": True},
    "+ one-cycle": {"one_cycle": True, "learning_rate": 0.8},
    "+ weight decay": {"weight_decay": 0.005},
    "+ label smoothing": {"label_smoothing": 0.1},
    "+ shifts and flips": {"max_shift": 2, "flip": True},
    "+ averaging": {"averaging": True},
}
# Controls: (the network of the ladder, its other options).
CONTROLS: dict[str, tuple[str, dict[str, Any]]] = {
    # Is the rate of the first networks too small?
    "plain, rate 0.05": ("plain", {"learning_rate": 0.05}),
    "plain, rate 0.1": ("plain", {"learning_rate": 0.1}),
    # How much of a gain is due to the rate, which two changes raise?
    "He initialization, rate 0.1": ("+ He initialization", {"learning_rate": 0.1}),
    "He initialization, rate 0.4": ("+ He initialization", {"learning_rate": 0.4}),
    "batch normalization, rate 0.02": ("+ batch normalization", {"learning_rate": 0.02}),
    "shortcuts, rate 0.8": ("+ shortcuts", {"learning_rate": 0.8}),
    "one-cycle, peak 0.4": ("+ one-cycle", {"learning_rate": 0.4}),
    # Do shifts and flips help in longer trainings?
    "12 epochs without shifts and flips": ("+ label smoothing", {"epochs": 12}),
    "12 epochs": ("+ shifts and flips", {"epochs": 12}),
    # What does the solution gain by its last third?
    "solution, 12 epochs": ("+ shifts and flips", {"widths": [32, 96, 192], "epochs": 12}),
}


def names(seed: int) -> dict[str, Any]:
    """Return what the cells of the notebook define, in the cpu profile."""
    import keras
    import numpy as np

    import course
    from course import datasets, experiments, training
    from tests.submissions import source_cells

    cells = source_cells("08-capstone")
    found: dict[str, Any] = {"keras": keras, "layers": keras.layers, "np": np, "course": course}
    found |= {"datasets": datasets, "experiments": experiments, "training": training}
    found["run"] = course.Run("cpu", seed, keras.backend.backend(), "CPU")
    for name in CELLS:
        # The last two cells define a function and then train.
        code = cells[name]
        for end in ("(plain_result", "full = "):
            code, *_ = code.partition(f"\n\n\n{end}")
        exec(compile(code, name, "exec"), found)
    return found


def configuration(found: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the configuration with all changes up to a name."""
    changed = dict(found["plain"])
    for change, options in CHANGES.items():
        changed |= options
        if change == name:
            break
    return changed | {"name": name}


def rung(seed: int, name: str) -> dict[str, float]:
    """Train the network with all changes up to a name; return its accuracies."""
    return _measure(seed, lambda found: configuration(found, name))


def control(seed: int, name: str) -> dict[str, float]:
    """Train the network of a control; return its accuracies."""
    rung, options = CONTROLS[name]
    return _measure(seed, lambda found: configuration(found, rung) | options | {"name": name})


def solution(seed: int) -> dict[str, float]:
    """Train the network of the solution, which takes about twelve minutes."""

    def choose(found: dict[str, Any]) -> dict[str, Any]:
        from tests.submissions import source_cells

        found["full"] = configuration(found, "+ shifts and flips")
        exec(source_cells("08-capstone")["mine"], found)
        return found["mine"]

    return _measure(seed, choose)


def _measure(seed: int, choose: Any) -> dict[str, float]:
    """Train a network; return its accuracies and the seconds that its training took."""
    import os
    import tempfile

    found = names(seed)
    # `train` saves its results in the current folder.
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        (result,) = found["train"](choose(found))
        os.chdir("/")
    values = {"seconds": result.seconds, "training_accuracy": result.training_accuracy}
    for split, (images, labels) in {
        "validation": (found["x_val"], found["y_val"]),
        "test": (found["x_test"], found["y_test"]),
    }.items():
        plain, with_flips = found["accuracies"](result.network, images, labels)
        values |= {f"{split}_accuracy": plain, f"{split}_accuracy_with_flips": with_flips}
    return values


JOBS = {name: functools.partial(rung, name=name) for name in CHANGES}
JOBS |= {name: functools.partial(control, name=name) for name in CONTROLS}
JOBS |= {"solution": solution}
