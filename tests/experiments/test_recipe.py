"""Recipes: what changes a training, and what changes only how it is computed."""

import keras
import numpy as np
import pytest
from keras import layers

import course
from course import experiments
from course.errors import CourseError

PICTURES = 90


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return course.Run("cpu", 3, keras.backend.backend(), "CPU")


@pytest.fixture(scope="module")
def pictures():
    random, labels = np.random.default_rng(0), np.arange(PICTURES) % 3
    images = random.normal(size=(PICTURES, 6, 6, 2)) + 0.5 * labels[:, None, None, None]
    return images.astype("float32"), labels


def build(specification):
    """Return a network with all that a recipe could upset: statistics, dropout, a penalty."""
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


def train(run, pictures, specification=None, **recipe):
    images, labels = pictures
    (result,) = experiments.train_each(
        run,
        [{"name": "one"} | (specification or {})],
        build,
        (images[:60], labels[:60]),
        (images[60:], labels[60:]),
        **{"epochs": 3, "batch_size": 16} | recipe,
    )
    return result


@pytest.mark.parametrize(
    "switches",
    [{"on_device": True}, {"steps_per_call": 3}, {"on_device": True, "steps_per_call": 5}],
    ids=str,
)
def test_a_faster_way_is_the_same_training_to_the_last_digit(run, pictures, switches):
    plain, faster = train(run, pictures), train(run, pictures, **switches)
    assert faster.seconds != plain.seconds, "it was trained, not kept"
    assert faster.history == plain.history
    assert faster.training_accuracy == plain.training_accuracy
    pairs = zip(plain.network.get_weights(), faster.network.get_weights(), strict=True)
    for number, (before, after) in enumerate(pairs):
        assert np.array_equal(before, after), number


def test_on_the_device_the_pictures_are_found_by_their_numbers(run, pictures):
    from course.experiments.recipe import Table

    images, labels = pictures
    table = Table((images[:60], labels[:60]), (images[60:], labels[60:]))
    network = build({"name": "one"})
    whole = table.before(network)
    for (numbers, known), part in zip(table.parts, (slice(0, 60), slice(60, 90)), strict=True):
        assert np.array_equal(known, labels[part])
        direct = np.asarray(network(images[part]))
        assert np.allclose(np.asarray(whole(numbers)), direct, atol=1e-6)
    assert len(whole.trainable_weights) == len(network.trainable_weights), "pictures do not learn"


def test_float16_learns_the_same_within_its_digits_and_keeps_float32_weights(run, pictures):
    plain, mixed = train(run, pictures), train(run, pictures, mixed_precision=True)
    assert mixed.history["loss"] == pytest.approx(plain.history["loss"], rel=0.1)
    assert mixed.history["loss"] != plain.history["loss"]
    assert mixed.network.layers[0].compute_dtype == "float16"
    assert {weight.dtype for weight in mixed.network.weights} == {"float32"}
    assert keras.config.dtype_policy().name == "float32", "for all that comes after"


def test_probabilities_in_float16_are_refused(run, pictures):
    with pytest.raises(CourseError, match="the last layer of 'one' computes in float16"):
        train(run, pictures, {"last": None}, mixed_precision=True)
    assert keras.config.dtype_policy().name == "float32"


def test_the_rate_rises_to_what_was_asked_for_and_stays(run, pictures):
    from course.experiments.recipe import Recipe

    schedule = Recipe(batch_size=16, learning_rate=0.3, warm_up=2).rate(pictures=60)
    rates = [float(np.asarray(schedule(step))) for step in range(12)]
    steps = 2 * 4
    assert rates[:steps] == pytest.approx([0.3 * step / steps for step in range(steps)], abs=1e-6)
    assert rates[steps:] == pytest.approx([0.3] * 4, abs=1e-6)
    warm = train(run, pictures, learning_rate=0.3, warm_up=2)
    assert float(np.asarray(warm.network.optimizer.learning_rate)) == pytest.approx(0.3)


def test_a_learning_rate_takes_the_place_of_the_builders(run, pictures):
    same, other = train(run, pictures, learning_rate=0.02), train(run, pictures, learning_rate=0.1)
    assert same.history == train(run, pictures).history
    assert other.history != same.history


def test_what_is_kept_is_found_again_by_its_recipe_alone(run, pictures):
    first = train(run, pictures, on_device=True)
    assert train(run, pictures, on_device=True).seconds == first.seconds
    assert train(run, pictures).seconds != first.seconds


def test_speed_counts_pictures_and_keeps_nothing(run, pictures, tmp_path):
    for switches in ({}, {"on_device": True}):
        speed = experiments.speed(run, {"name": "one"}, build, pictures, batch_size=16, **switches)
        assert 100 < speed < 1e7
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("recipe", "sentence"),
    [
        ({"epoch": 3}, "a recipe has no 'epoch': choose of epochs, batch_size"),
        ({"epochs": 0}, "epochs=0 of 'one' is not a whole number of at least 1"),
        ({"warm_up": -1}, "warm_up=-1 of 'one' is not a whole number of at least 0"),
        ({"steps_per_call": True}, "steps_per_call=True of 'one' is not a whole number"),
        ({"learning_rate": "fast"}, "learning_rate='fast' of 'one' is not a number above 0"),
        ({"learning_rate": 0.0}, "learning_rate=0.0 of 'one' is not a number above 0"),
        ({"learning_rate": float("nan")}, "learning_rate=nan of 'one' is not a number above 0"),
    ],
)
def test_a_wrong_recipe_is_a_sentence(run, pictures, recipe, sentence):
    with pytest.raises(CourseError, match=sentence):
        train(run, pictures, **recipe)
