"""Honest and forged evidence of the training of 08-capstone.

The training is real and uses the notebook's own cells, but only 20 synthetic images, which are also
its validation images, so that a second of training reaches a high accuracy.
"""

import functools
import io
import json
import os
import tempfile
from pathlib import Path

import numpy as np

ASSIGNMENT = "08-capstone"
CELLS = ("options", "build_network", "residual_block", "one_cycle", "compile")


@functools.cache
def honest(widths=(8, 8, 8)):
    """Return the files of an honest `evidence` folder, as a dict of names to contents."""
    import keras

    import course
    from course import datasets, evidence, experiments
    from tests.submissions import source_cells

    cells = source_cells(ASSIGNMENT)
    # In the smoke profile, the steps would not be compiled, and 60 of them take longer.
    run = course.Run("cpu", 0, keras.backend.backend(), "CPU")
    (images, labels), _ = datasets.load_cifar10("smoke")
    images, labels = images[:20], keras.utils.to_categorical(labels[:20], 10)
    names = {"keras": keras, "layers": keras.layers, "course": course, "experiments": experiments}
    names |= {"run": run, "np": np, "x_train": images, "y_train": labels}
    for name in CELLS:
        exec(compile(cells[name], name, "exec"), names)
    options = {"batch_normalization": True, "shortcuts": True, "one_cycle": True}
    options |= {"widths": list(widths), "epochs": 60, "batch_size": 20, "learning_rate": 0.1}
    mine = {**names["plain"], "name": "mine", **options}
    previous = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)  # which gets the folders results and evidence
        try:
            trained = experiments.train_each(
                run, [mine], names["build_network"], (images, labels), (images, labels),
                on_device=True,
            )  # fmt: skip
            evidence.save(run, trained, "mine")
        finally:
            os.chdir(previous)
        return {path.name: path.read_bytes() for path in Path(folder, "evidence").iterdir()}


def edited(**changes):
    """Return a folder whose record was edited by hand."""
    files = dict(honest())
    record = json.loads(files["mine.json"]) | changes
    return files | {"mine.json": json.dumps(record).encode()}


def signed(**changes):
    """Return a folder whose record was edited, with a new key, as a careful forger would do."""
    from course.evidence.format import record_key

    files = dict(honest())
    record = json.loads(files["mine.json"]) | changes
    with np.load(io.BytesIO(files["mine.npz"])) as weights:
        halves = [weights[f"weight_{number}"] for number in range(len(weights.files))]
    record["key"] = record_key(record, halves)
    return files | {"mine.json": json.dumps(record).encode()}


def with_accuracy(accuracy):
    """Return a folder in which only the last epoch has another validation accuracy."""
    accuracy = float(np.float32(accuracy))
    history = json.loads(honest()["mine.json"])["history"]
    history["val_accuracy"][-1], history["val_loss"][-1] = accuracy, 1.0
    return signed(history=history, validation_accuracy=accuracy)


def specification():
    """Return the specification of the honest record."""
    return json.loads(honest()["mine.json"])["specification"]


FOLDERS = {
    "capstone": honest,
    "edited accuracy": lambda: edited(validation_accuracy=0.9370),
    "other weights": lambda: honest() | {"mine.npz": honest((4, 4, 4))["mine.npz"]},
    "modest": lambda: with_accuracy(0.8012),
    "over the budget": lambda: signed(seconds=3601.5),
    "hidden seconds": lambda: edited(seconds=12.5),
    "smoke": lambda: signed(profile="smoke"),
    "forbidden option": lambda: signed(specification=specification() | {"dropout": 0.5}),
    "other network": lambda: signed(specification=specification() | {"blocks": 2}),
}
