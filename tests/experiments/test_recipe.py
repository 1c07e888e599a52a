"""Recipes: settings that change a training, and settings that only speed it up."""

import keras
import numpy as np
import pytest
from keras import layers

import course
from course import experiments
from course.errors import CourseError
from course.experiments import device_training

IMAGE_COUNT = 90


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return course.Run("cpu", 3, keras.backend.backend(), "CPU")


@pytest.fixture(scope="module")
def data():
    random, labels = np.random.default_rng(0), np.arange(IMAGE_COUNT) % 3
    images = random.normal(size=(IMAGE_COUNT, 6, 6, 2)) + 0.5 * labels[:, None, None, None]
    return images.astype("float32"), labels


def build(specification):
    """Return a network with batch normalization, dropout and a penalty."""
    network = keras.Sequential(
        [
            keras.Input((6, 6, 2)),
            layers.Conv2D(4, 3, activation="relu"),
            layers.BatchNormalization(),
            layers.Dropout(0.25),
            layers.Flatten(),
            layers.Dense(8, activation="relu", kernel_regularizer=keras.regularizers.L2(0.01)),
            layers.Dense(3, activation="softmax", dtype=specification.get("last", "float32")),
        ]
    )
    loss = "sparse_categorical_crossentropy"
    network.compile(keras.optimizers.SGD(0.02), loss, metrics=["accuracy"])
    return network


def train(run, data, specification=None, **recipe):
    images, labels = data
    (result,) = experiments.train_each(
        run,
        [{"name": "one"} | (specification or {})],
        build,
        (images[:60], labels[:60]),
        (images[60:], labels[60:]),
        **{"epochs": 3, "batch_size": 16} | recipe,
    )
    return result


def test_float16_learns_nearly_the_same_with_float32_weights(run, data):
    plain, mixed = train(run, data), train(run, data, mixed_precision=True)
    assert mixed.history["loss"] == pytest.approx(plain.history["loss"], rel=0.1)
    assert mixed.history["loss"] != plain.history["loss"]
    assert mixed.network.layers[0].compute_dtype == "float16"
    assert {weight.dtype for weight in mixed.network.weights} == {"float32"}
    assert keras.config.dtype_policy().name == "float32", "the policy is restored"


def test_probabilities_in_float16_are_an_error(run, data):
    with pytest.raises(CourseError, match="the last layer of 'one' computes in float16"):
        train(run, data, {"last": None}, mixed_precision=True)
    assert keras.config.dtype_policy().name == "float32"


def test_the_learning_rate_rises_to_the_given_one_and_stays_constant(run, data):
    from course.experiments.recipe import Recipe

    schedule = Recipe(batch_size=16, learning_rate=0.3, warmup_epochs=2).schedule(image_count=60)
    rates = [float(np.asarray(schedule(step))) for step in range(12)]
    steps = 2 * 4
    assert rates[:steps] == pytest.approx([0.3 * step / steps for step in range(steps)], abs=1e-6)
    assert rates[steps:] == pytest.approx([0.3] * 4, abs=1e-6)
    warm = train(run, data, learning_rate=0.3, warmup_epochs=2)
    assert float(np.asarray(warm.network.optimizer.learning_rate)) == pytest.approx(0.3)


def test_a_learning_rate_replaces_that_of_the_compiled_network(run, data):
    same, other = train(run, data, learning_rate=0.02), train(run, data, learning_rate=0.1)
    assert same.history == train(run, data).history
    assert other.history != same.history


@pytest.mark.parametrize("mixed_precision", [False, True])
def test_a_momentum_replaces_that_of_the_compiled_network(run, data, mixed_precision):
    switches = {"epochs": 2, "mixed_precision": mixed_precision}
    recorded = train(run, data, momentum=0.9, **switches)

    def build_with_momentum(specification):
        network = build(specification)
        optimizer = keras.optimizers.SGD(0.02, momentum=0.9)
        network.compile(optimizer, network.loss, metrics=["accuracy"])
        return network

    images, labels = data
    (compiled,) = experiments.train_each(
        run,
        [{"name": "compiled with it"}],
        build_with_momentum,
        (images[:60], labels[:60]),
        (images[60:], labels[60:]),
        batch_size=16,
        **switches,
    )
    assert recorded.history == compiled.history
    assert recorded.history != train(run, data, **switches).history


def test_a_momentum_for_an_optimizer_without_one_is_an_error(run, data):
    def build_with_adam(specification):
        network = build(specification)
        network.compile("adam", network.loss, metrics=["accuracy"])
        return network

    with pytest.raises(CourseError, match="the optimizer of 'one', Adam, has no momentum"):
        experiments.train_each(run, [{"name": "one"}], build_with_adam, data, data, momentum=0.9)


def test_a_saved_result_is_loaded_only_for_the_same_recipe(run, data):
    first = train(run, data, on_device=True)
    assert train(run, data, on_device=True).seconds == first.seconds
    assert train(run, data).seconds != first.seconds


def test_speed_is_in_images_per_second_and_nothing_is_saved(run, data, tmp_path):
    for switches in ({}, {"on_device": True}):
        speed = experiments.speed(run, {"name": "one"}, build, data, batch_size=16, **switches)
        assert 100 < speed < 1e7
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("recipe", "sentence"),
    [
        ({"epoch": 3}, "a recipe has no attribute 'epoch': choose one of epochs, batch_size"),
        ({"epochs": 0}, "epochs of 'one' must be an integer of 1 or greater, not 0"),
        (
            {"warmup_epochs": -1},
            "warmup_epochs of 'one' must be an integer of 0 or greater, not -1",
        ),
        (
            {"on_device": True, "max_shift": True},
            "max_shift of 'one' must be an integer of 0 or greater, not True",
        ),
        ({"flip": True}, "max_shift and flip of 'one' need on_device=True"),
        (
            {"learning_rate": "fast"},
            "learning_rate of 'one' must be a float greater than 0 and less than 100, .* 'fast'",
        ),
        (
            {"learning_rate": 0.0},
            "learning_rate of 'one' must be a float greater than 0 and less than 100, .* not 0.0",
        ),
        (
            {"learning_rate": float("nan")},
            "learning_rate of 'one' must be a float greater than 0 and less than 100, .* not nan",
        ),
        ({"momentum": 1.0}, "momentum of 'one' must be a float .* less than 1.0, .* not 1.0"),
        ({"momentum": 0}, "momentum of 'one' must be a float of at least 0.0 .* not 0"),
    ],
)
def test_an_invalid_recipe_is_an_error(run, data, recipe, sentence):
    with pytest.raises(CourseError, match=sentence):
        train(run, data, **recipe)


def test_the_history_does_not_depend_on_how_long_the_steps_took(run, data, tmp_path, monkeypatch):
    """An epoch that takes longer is divided into more calls to the device."""
    histories = []
    for name, seconds in {"divided": 0, "whole": 1000}.items():
        monkeypatch.setattr(device_training, "UNDIVIDED_SECONDS", seconds)
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)  # so that no saved result is loaded
        histories.append(train(run, data, on_device=True, batch_size=1, epochs=4).history)
    assert histories[0] == histories[1]


def test_a_specification_sets_the_augmentation_of_its_own_network(run, data):
    plain = train(run, data, on_device=True)
    shifted = train(run, data, {"max_shift": 1, "flip": True}, on_device=True)
    assert shifted.history["loss"] != plain.history["loss"]
    images, labels = data
    both = experiments.train_each(
        run,
        [{"name": "one"}, {"name": "one, augmented", "max_shift": 1, "flip": True}],
        build,
        (images[:60], labels[:60]),
        (images[60:], labels[60:]),
        epochs=3,
        batch_size=16,
        on_device=True,
    )
    assert [each.history for each in both] == [plain.history, shifted.history]
