"""Checks of how a network is compiled."""

import numpy as np
import pytest

from course import checks
from course.checks import CheckFailed

pytestmark = pytest.mark.slow


def classifier(loss="categorical_crossentropy", metrics=("accuracy",), regularizer=None):
    """Return a compiled network that finds its three classes equally probable."""
    import keras

    layer = keras.layers.Dense(
        3, activation="softmax", kernel_initializer="zeros", kernel_regularizer=regularizer
    )
    network = keras.Sequential([keras.Input((4,)), layer])
    network.compile("adam", loss=loss, metrics=list(metrics))
    return network


X, Y = np.ones((6, 4), "float32"), np.eye(3, dtype="float32")[[0, 1, 2, 0, 1, 2]]


@pytest.mark.parametrize(
    "loss",
    [
        lambda losses: "categorical_crossentropy",
        lambda losses: losses.CategoricalCrossentropy(name="mine"),
        lambda losses: losses.categorical_crossentropy,
    ],
)
def test_a_loss_is_known_by_its_class_or_function(loss):
    import keras

    network = classifier(loss(keras.losses))
    checks.loss("the loss", network, "categorical_crossentropy")
    checks.loss_value("its value", network, X, Y, np.log(3), 1e-5)


def test_neither_the_name_of_a_loss_nor_that_of_a_metric_counts():
    import keras

    disguised = keras.losses.MeanSquaredError(name="categorical_crossentropy")
    network = classifier(disguised, [keras.metrics.CategoricalCrossentropy("loss")])
    with pytest.raises(CheckFailed, match="got 'mean_squared_error', expected 'categorical_cros"):
        checks.loss("the loss", network, "categorical_crossentropy")
    with pytest.raises(CheckFailed, match=r"got 0.222222, expected 1.09861"):
        checks.loss_value("its value", network, X, Y, np.log(3), 1e-5)


def test_the_value_of_a_loss_includes_penalties():
    import keras

    network = classifier(regularizer=keras.regularizers.L2(0.5))
    network.set_weights([np.ones((4, 3)), np.zeros(3)])
    checks.loss_value("its value", network, X, Y, np.log(3) + 6, 1e-5)


@pytest.mark.parametrize(
    "metrics",
    [
        lambda metrics: [],
        lambda metrics: ["acc"],
        lambda metrics: [metrics.MeanSquaredError("accuracy")],
        lambda metrics: [metrics.BinaryAccuracy("accuracy")],
        lambda metrics: [metrics.TopKCategoricalAccuracy(2, "accuracy")],
        lambda metrics: [metrics.F1Score(name="accuracy")],
    ],
)
def test_a_metric_that_is_not_the_accuracy_is_found(metrics):
    import keras

    network = classifier(metrics=metrics(keras.metrics))
    with pytest.raises(CheckFailed, match=r"accuracy: this is not true yet. Use metrics."):
        checks.measures_accuracy("accuracy", network, X, one_hot=True, hint="Use metrics.")


def test_an_accuracy_metric_passes(capsys):
    checks.measures_accuracy("one-hot", classifier(), X, one_hot=True)
    network = classifier("sparse_categorical_crossentropy")
    network.set_weights([np.arange(12).reshape(4, 3) % 5, np.zeros(3)])
    checks.measures_accuracy("integers", network, np.random.default_rng(1).normal(size=(9, 4)))
    assert capsys.readouterr().out == "ok: one-hot\nok: integers\n"


def test_a_network_that_is_not_compiled_has_no_loss_and_no_accuracy():
    import keras

    network = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    for check in (
        lambda: checks.loss("it", network, "mse"),
        lambda: checks.loss_value("it", network, X, Y, 1),
        lambda: checks.measures_accuracy("it", network, X),
    ):
        with pytest.raises(CheckFailed):
            check()
