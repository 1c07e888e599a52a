"""The trainings of 06-dropout-batchnorm whose results the course keeps.

Three kinds: the small network of sections 1 and 2 on 2,000 images, its learning rates with and
without batch normalization, and six of the seven experiments on all images. The last were trained
on a GPU by `tests.benchmarks.gpu`; their curves come from its file of results, thinned.
"""

import functools
import json
from pathlib import Path
from typing import Any

import numpy as np

FULL_SIZE = Path(__file__).parents[1] / "gpu" / "h100.json"
# The epochs whose values are kept; the curves change quickly at first.
KEPT_EPOCHS = (1, 2, 3, 4, 5, 7, 10, 12, 15, 20, 25, 30, 35, 40, 45, 50)
LAST_EPOCHS = 5
# The cells with the trainings of sections 1 to 3, and how the part begins that is left out.
CELLS = {
    "load-data": "plotting",
    "small-network": "plotting",
    "memorize": "small, ",
    "learning-rates": "lines, ",
}
# VII has three seeds and 37 epochs only, so it is not kept.
EXPERIMENTS = ("I", "II", "III", "IV", "V", "VI")


@functools.cache
def names() -> dict[str, Any]:
    """Return what the cells of the notebook define that these trainings use, on the cpu profile."""
    import keras
    from keras import layers

    import course
    from course import datasets, plotting
    from tests.submissions import source_cells

    cells = source_cells("06-dropout-batchnorm")
    found: dict[str, Any] = {"keras": keras, "layers": layers, "np": np, "course": course}
    found |= {"datasets": datasets, "plotting": plotting, "display": lambda figure: None}
    found["run"] = course.Run("cpu", 0, keras.backend.backend(), "CPU")
    for name, end in CELLS.items():
        code, *_ = cells[name].partition(f"\n\n\n{end}")
        exec(compile(code, name, "exec"), found)
    return found


def small(seed: int, optimizer: str = "", curves: bool = False, **changes: Any) -> dict[str, float]:
    """Train the small network of sections 1 and 2; return accuracies and losses.

    With `curves`, also return both validation curves, on which early stopping is judged.
    """
    found = names()
    if optimizer:
        changes["optimizer"] = eval(optimizer, found)
    network, history = found["train_small"](seed, **changes)
    few, losses = found["few"], history["val_loss"]
    accuracy = network.evaluate(found["x_train"][:few], found["y_train"][:few], verbose=0)[1]
    values = {
        "training_accuracy": accuracy,
        "validation_accuracy": history["val_accuracy"][-1],
        "validation_loss": losses[-1],
        "epoch_of_smallest_loss": 1 + int(np.argmin(losses)),
        "accuracy_at_smallest_loss": history["val_accuracy"][int(np.argmin(losses))],
    }
    for name, key in {"loss": "val_loss", "accuracy": "val_accuracy"}.items():
        for epoch, value in enumerate(history[key] if curves else [], 1):
            values[f"validation_{name}@{epoch}"] = value
    return values


def sweep(seed: int, batch_norm: bool) -> dict[str, float]:
    """Return the training accuracy in the last epoch of a short training for each learning rate."""
    found = names()["accuracies_by_rate"](seed, batch_norm)
    return {f"accuracy_at_{rate:g}": value for rate, value in found.items()}


def full_size(seed: int, name: str) -> dict[str, float]:
    """Return the thinned curves of an experiment on all images, and the means of the last epochs.

    The validation images are the 10,000 test images, as in the notebook.
    """
    runs = json.loads(FULL_SIZE.read_text(encoding="utf-8"))["runs"]
    wanted = {"network": name, "configuration": "momentum 10", "seed": seed}
    (run,) = (each for each in runs if {key: each.get(key) for key in wanted} == wanted)
    curves = run["curves"]
    means = {
        key: np.add(curves[f"validation_{key}"], curves[f"test_{key}"]) / 2
        for key in ("accuracy", "loss")
    }
    values = {
        "training_accuracy": np.array(curves["training_accuracy"]),
        "validation_accuracy": means["accuracy"],
        "validation_loss": means["loss"],
    }
    found = {key: float(each[-LAST_EPOCHS:].mean()) for key, each in values.items()}
    for key, each in values.items():
        found |= {f"{key}@{epoch}": float(each[epoch - 1]) for epoch in KEPT_EPOCHS}
    return found


JOBS = {
    "no regularization": small,
    "dropout": functools.partial(small, dropout=True),
    "constant rate": functools.partial(
        small, dropout=True, optimizer="keras.optimizers.SGD(0.01, momentum=0.9)"
    ),
    "Adam": functools.partial(small, optimizer="keras.optimizers.Adam(falling(0.001))"),
    "AdamW": functools.partial(
        small, optimizer="keras.optimizers.AdamW(falling(0.001), weight_decay=0.5)"
    ),
    "validation curves": functools.partial(small, curves=True),
    "without batch normalization": functools.partial(sweep, batch_norm=False),
    "with batch normalization": functools.partial(sweep, batch_norm=True),
    **{name: functools.partial(full_size, name=name) for name in EXPERIMENTS},
}
