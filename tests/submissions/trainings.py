"""What a student hands in of the trainings of 06-dropout-batchnorm, honestly or not.

The training is a real one, by the course's own doors, though on a few synthetic pictures: three
dozen to learn from, a share of the 2,000 that a student validates on.
"""

import functools
import io
import json
import os
import tempfile
from pathlib import Path

import numpy as np

ASSIGNMENT = "06-dropout-batchnorm"
CHOSEN = "iii"
HUGE = 10 * 2**30  # bytes


@functools.cache
def honest():
    """Return the files of an honest `evidence` folder: name to content."""
    import keras

    import course
    from course import datasets, evidence, experiments
    from tests.submissions import source_cells

    cells = source_cells(ASSIGNMENT)
    names = {"keras": keras, "layers": keras.layers}
    for name in ("first-three", "other_four", "build_network"):
        exec(compile(cells[name], name, "exec"), names)
    seven = names["first_three"] + names["other_four"]
    (images, labels), (others, their_labels) = datasets.load_cifar10("smoke")
    trained = experiments.train_each(
        course.Run("smoke", 0, "tensorflow", "CPU"),
        seven,
        names["build_network"],
        (images[:36] / np.float32(255), labels[:36]),
        (others[:20] / np.float32(255), their_labels[:20]),
        epochs=1,
        batch_size=18,
    )
    here = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            evidence.save(course.Run("cpu", 0, "tensorflow", "CPU"), trained, "III")
        finally:
            os.chdir(here)
        return {path.name: path.read_bytes() for path in Path(folder, "evidence").iterdir()}


def forged():
    """Return the folder of somebody who wrote better numbers into it, and other weights."""
    files = dict(honest())
    better = json.loads(files["ii.json"])
    better["validation_accuracy"] = better["history"]["val_accuracy"][-1] = 0.9137
    files["ii.json"] = json.dumps(better).encode()
    files["vi.json"] = files["vi.json"][:200]
    del files["vii.json"]
    # The weights of I, which has no batch normalisation, under the name of III.
    weights = np.load(io.BytesIO(files["iii.npz"]))
    few = [weights[name] for name in weights.files if weights[name].ndim > 1]
    packed = io.BytesIO()
    np.savez(packed, **{f"weight_{number}": array for number, array in enumerate(few)})
    return files | {"iii.npz": packed.getvalue()}


def huge():
    """Return an honest folder whose weights take ten gigabytes; a number is so many zeros."""
    return honest() | {"iii.npz": HUGE}


FOLDERS = {"honest": honest, "forged": forged, "huge": huge}
