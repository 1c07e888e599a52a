"""Training on the device: the same weights as with `fit`, on every backend that is installed."""

import os
import subprocess
import sys

import numpy as np
import pytest

from course.errors import CourseError
from course.experiments import device_data
from course.experiments.recipe import Recipe
from tests.submissions import ROOT

COUNT = 128
# Runs in a process of its own, because a process has one backend.
COMPARISON = """
import sys

import keras
import numpy as np
from keras import layers

import course
from course.experiments import device_data, device_training
from course.experiments.recipe import Recipe

mixed, averages, one_hot, augments = (name in sys.argv for name in (
    "mixed", "averages", "one-hot", "augments"))
random = np.random.default_rng(0)
labels = np.arange(140) % 3
images = random.normal(size=(140, 8, 8, 2)).astype("float32") + 0.5 * labels[:, None, None, None]
images, labels = images.astype("float32"), np.eye(3, dtype="float32")[labels] if one_hot else labels
validation = images[:70], labels[:70]


def build():
    keras.utils.set_random_seed(1)
    keras.config.set_dtype_policy("mixed_float16" if mixed else "float32")
    network = keras.Sequential([
        keras.Input((8, 8, 2)),
        layers.Conv2D(4, 3, use_bias=False),
        layers.BatchNormalization(),
        layers.ReLU(),
        # On PyTorch, `fit` draws one random mask more at its start.
        layers.Dropout(0.0 if keras.backend.backend() == "torch" else 0.25),
        layers.Flatten(),
        layers.Dense(8, activation="relu", kernel_regularizer=keras.regularizers.L2(0.01)),
        layers.Dense(3, activation="softmax", dtype="float32"),
    ])
    keras.config.set_dtype_policy("float32")
    optimizer = keras.optimizers.SGD(
        keras.optimizers.schedules.CosineDecay(0.1, 16), momentum=0.9, nesterov=True,
        weight_decay=1e-3, use_ema=averages, ema_momentum=0.8,
    )
    smoothed = keras.losses.CategoricalCrossentropy(label_smoothing=0.1)
    loss = smoothed if one_hot else "sparse_categorical_crossentropy"
    network.compile(optimizer, loss, metrics=["accuracy"])
    return network


run = course.Run("cpu", 3, keras.backend.backend(), "CPU")
# `fit` replaces the weights by their averages after each call, so then there is only one.
recipe = Recipe(
    epochs=1 if averages else 4, batch_size=32, on_device=True,
    max_shift=2 if augments else 0, flip=augments,
)
network = build()
training = device_data.DeviceSplit(images, labels, recipe.max_shift, recipe.augments)
history = device_training.train_on_device(
    run, network, recipe, training, device_data.DeviceSplit(*validation),
    keras.callbacks.Callback(),
)
reference, expected = build(), {}
for plan in device_data.plan_epochs(recipe, len(images), run.seed):
    indices = plan.indices.ravel()
    epoch_images = images[indices]
    if augments:
        epoch_images = device_data.augment(
            epoch_images, plan.corners.reshape(-1, 2), plan.flips.ravel(), 2
        )
    logs = reference.fit(
        epoch_images, labels[indices], 32, 1, validation_data=validation, verbose=0, shuffle=False
    ).history
    for name, values in logs.items():
        expected.setdefault(name, []).extend(values)
assert list(history) == ["loss", "accuracy", "val_loss", "val_accuracy"]
tolerance = 1e-2 if mixed else 1e-5
if averages:  # `fit` validates before it replaces the weights, and the device afterwards
    del expected["val_loss"]
    measured = network.evaluate(*validation, verbose=0, return_dict=True)
    expected["val_accuracy"] = [measured["accuracy"]]
for name, values in expected.items():
    np.testing.assert_allclose(history[name], values, rtol=tolerance, atol=tolerance / 10)
for one, other in zip(network.get_weights(), reference.get_weights(), strict=True):
    np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance / 10)
assert not np.allclose(network.get_weights()[0], build().get_weights()[0], atol=1e-2), "trained"
assert all(float(np.float32(value)) == value for value in history["val_accuracy"])
print("equal")
"""


@pytest.mark.slow
@pytest.mark.parametrize("switches", ["", "mixed one-hot", "averages", "augments one-hot"])
@pytest.mark.parametrize(
    "backend",
    ["tensorflow", pytest.param("jax", marks=pytest.mark.jax), "torch"],
)
def test_the_weights_are_those_of_fit(backend, switches):
    pytest.importorskip(backend)
    environment = os.environ | {"KERAS_BACKEND": backend, "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-c", COMPARISON, *switches.split()]
    found = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert found.stdout == "equal\n", found.stderr


def plans(count=COUNT, **recipe):
    recipe = Recipe(**{"epochs": 4, "batch_size": 30, "on_device": True} | recipe)
    return list(device_data.plan_epochs(recipe, count, seed=0))


def test_each_epoch_has_another_order_of_all_images_that_fill_a_batch():
    first, second, *_ = plans()
    for plan in (first, second):
        assert plan.indices.shape == (4, 30)
        assert len(set(plan.indices.ravel())) == 120
    assert not np.array_equal(first.indices, second.indices)
    left_out = [set(range(COUNT)) - set(plan.indices.ravel()) for plan in plans(epochs=40)]
    assert set.intersection(*left_out) == set(), "no image is always left out"
    (few,) = plans(count=20, epochs=1)
    assert sorted(few.indices.ravel()) == list(range(20)), "one batch, if there are few images"


def test_an_image_is_flipped_in_every_second_epoch():
    flips = []
    for plan in plans(batch_size=32, flip=True):
        flipped = np.zeros(COUNT, bool)
        flipped[plan.indices.ravel()] = plan.flips.ravel()
        flips.append(flipped)
    assert 0.3 < flips[0].mean() < 0.7
    assert np.array_equal(flips[0], flips[2]) and np.array_equal(flips[0], ~flips[1])
    assert not any(plan.flips.any() for plan in plans())


def test_shifts_are_uniform_in_both_directions():
    corners = np.concatenate([plan.corners for plan in plans(max_shift=2, epochs=20)]).reshape(
        -1, 2
    )
    for axis in (0, 1):
        values, counts = np.unique(corners[:, axis], return_counts=True)
        assert list(values) == [0, 1, 2, 3, 4] and counts.min() > 0.8 * counts.mean()
    assert abs(np.corrcoef(corners.T)[0, 1]) < 0.05
    assert not any(plan.corners.any() for plan in plans())


def test_augmented_images_equal_slices_of_the_padded_image():
    random = np.random.default_rng(0)
    images = random.integers(0, 255, (5, 7, 6, 3)).astype("uint8")
    corners, flips = random.integers(0, 5, (5, 2)), np.array([True, False, True, False, True])
    corners[0] = 0
    found = device_data.augment(images, corners, flips, max_shift=2)
    assert found.shape == images.shape and found.dtype == images.dtype
    padded = np.pad(images, ((0, 0), (2, 2), (2, 2), (0, 0)), "reflect")
    for image, (row, column), is_flipped, expected in zip(
        found, corners, flips, padded, strict=True
    ):
        expected = expected[row : row + 7, column : column + 6]
        assert np.array_equal(image, expected[:, ::-1] if is_flipped else expected)
    same = device_data.augment(images, np.full((5, 2), 2), np.zeros(5, bool), max_shift=2)
    assert np.array_equal(same, images)


def test_augmentation_without_images_on_the_device_is_an_error():
    with pytest.raises(CourseError, match="max_shift and flip of 'x' need on_device=True"):
        Recipe(max_shift=2).check("x")
