"""The measurements on a GPU: a training of several replicas is that of `fit`."""

import os
import subprocess
import sys

import pytest

from tests.benchmarks.gpu import table
from tests.submissions import ROOT

COMPARISON = """
import jax, keras, numpy as np
from tests.benchmarks.gpu.replicas import MATRIX_LAYERS, Job, Replicas

def build(layers):
    network = keras.Sequential([
        keras.Input((9, 9, 3)),
        layers.Conv2D(4, 3, strides=2, padding="same", activation="relu"),
        layers.BatchNormalization(),
        layers.MaxPooling2D(2),
        layers.Conv2D(4, 2, activation="relu"),
        layers.Flatten(),
        layers.Dense(3, activation="softmax", kernel_regularizer=keras.regularizers.L2(0.1)),
    ])
    optimizer = keras.optimizers.SGD(0.1, momentum=0.9)
    network.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return network

random = np.random.default_rng(0)
images, labels = random.integers(0, 256, (24, 9, 9, 3), np.uint8), np.arange(24, dtype="int32") % 3
splits = {"training": (images, labels), "test": (images[:7], labels[:7])}
replicas = Replicas(Job("small", "", lambda: build(MATRIX_LAYERS), 3, 24, 24), [0, 1])
replicas.lower(splits)
replicas.compile()
curves = replicas.train(splits, float("inf"))["curves"]
keras.utils.set_random_seed(1)
network = build(keras.layers)
scaled = images.astype("float32") / 255
history = network.fit(
    scaled, labels, 24, 3, validation_data=(scaled[:7], labels[:7]), verbose=0
).history
# The loss on the test images is not compared: ours does not contain the penalty.
for ours, theirs in [("loss", "loss"), ("accuracy", "accuracy"), ("test_accuracy", "val_accuracy")]:
    np.testing.assert_allclose(curves[ours][:, 1], history[theirs], rtol=1e-4)
assert not np.allclose(curves["loss"][:, 0], history["loss"], rtol=1e-2), "another seed"
print("equal")
"""


@pytest.mark.jax
@pytest.mark.slow
def test_replicas_are_trained_as_by_fit():
    pytest.importorskip("jax")
    environment = os.environ | {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-c", COMPARISON]
    found = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert found.stdout == "equal\n", found.stderr


def test_the_table_shows_intervals_of_students_t(capsys):
    pytest.importorskip("scipy")
    mean, half_width = table.interval([1.0, 2.0, 3.0])
    assert (mean, half_width) == (2.0, pytest.approx(4.302653 / 3**0.5))
    change, half_width = table.difference([2.0, 3.0, 4.0], [1.0, 2.0, 3.0])
    assert (change, half_width) == (1.0, pytest.approx(2.776445 * (2 / 3) ** 0.5))
    table.main([])
    lines = capsys.readouterr().out.splitlines()
    (row,) = (line for line in lines if line.startswith("I ") and "momentum 10" in line)
    assert "77.92 ± 0.22" in row
    (row,) = (line for line in lines if line.startswith("wide, 20 epochs"))
    assert "92.52 ± 0.25" in row
