"""Honest and forged evidence of the trainings of 06-dropout-batchnorm.

The training is real and uses the course's own functions, but only a few synthetic images: 36 for
training and 20 for validation, where a student uses 2,000.
"""

import functools
import io
import json
import os
import tempfile
from pathlib import Path

import numpy as np

from tests.submissions import capstone_trainings

ASSIGNMENT = "06-dropout-batchnorm"
CHOSEN = "iii"
HUGE = 10 * 2**30  # bytes


@functools.cache
def honest():
    """Return the files of an honest `evidence` folder, as a dict of names to contents."""
    import keras

    import course
    from course import datasets, evidence, experiments
    from tests.submissions import source_cells

    cells = source_cells(ASSIGNMENT)
    names = {"keras": keras, "layers": keras.layers}
    for name in ("seven", "build_network"):
        exec(compile(cells[name], name, "exec"), names)
    specifications = names["seven"]
    (x_train, y_train), (x_val, y_val) = datasets.load_cifar10("smoke")
    trained = experiments.train_each(
        course.Run("smoke", 0, "tensorflow", "CPU"),
        specifications,
        names["build_network"],
        (x_train[:36] / np.float32(255), y_train[:36]),
        (x_val[:20] / np.float32(255), y_val[:20]),
        epochs=1,
        batch_size=18,
    )
    previous = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            evidence.save(course.Run("cpu", 0, "tensorflow", "CPU"), trained, "III")
        finally:
            os.chdir(previous)
        return {path.name: path.read_bytes() for path in Path(folder, "evidence").iterdir()}


def forged():
    """Return a folder with better metrics and the weights of another experiment."""
    files = dict(honest())
    record = json.loads(files["ii.json"])
    record["validation_accuracy"] = record["history"]["val_accuracy"][-1] = 0.9137
    files["ii.json"] = json.dumps(record).encode()
    files["vi.json"] = files["vi.json"][:200]
    del files["vii.json"]
    # The weights of I, which has no batch normalization, under the name of III.
    weights = np.load(io.BytesIO(files["iii.npz"]))
    arrays = [weights[name] for name in weights.files if weights[name].ndim > 1]
    packed = io.BytesIO()
    np.savez(packed, **{f"weight_{number}": array for number, array in enumerate(arrays)})
    return files | {"iii.npz": packed.getvalue()}


def huge():
    """Return an honest folder with a weights file of 10 GiB, given as a number of zero bytes."""
    return honest() | {"iii.npz": HUGE}


def single():
    """Return a folder with the evidence of III alone."""
    return {name: content for name, content in honest().items() if name.startswith("iii.")}


FOLDERS = {"honest": honest, "forged": forged, "huge": huge, "single": single}
FOLDERS |= capstone_trainings.FOLDERS
