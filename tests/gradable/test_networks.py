"""Networks that tests can use: the checks in a notebook and grading agree about them."""

import random
import sys

import jax  # for the backends' own activations
import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from course import counting
from course.gradable import find_reason, keras_allowlist, networks
from course.gradable.rejection_reasons import NotGradable
from course.instructor.grading.serialize import Deserializer, Serializer
from course.instructor.grading.value_placeholders import UnserializableValue
from tests.gradable.changed_networks import ADAPTED, CHANGED, FROZEN
from tests.gradable.spellings import (
    ACCEPTED,
    CALCULATIONS,
    MASKED,
    REDUCED,
    REJECTED,
    functional,
    network,
)
from tests.instructor.grading.test_serialize import StudentProcess

pytestmark = pytest.mark.slow


def transfer(model):
    """Return what grading gets for a student's network, and the reasons for what is missing."""
    student = StudentProcess()
    serializer = Serializer(student.register)
    node = serializer.serialize(model)
    deserializer = Deserializer([bytearray(block) for block in serializer.blocks], student)
    return deserializer.deserialize_or_describe(node, "a network"), deserializer.reasons


@pytest.mark.parametrize("name", ACCEPTED)
def test_an_honest_spelling_arrives_as_the_same_network(name):
    make, activation = ACCEPTED[name]
    model = make()
    attributes = [vars(layer).get("activation") for layer in model.layers]
    assert find_reason(model, compiled=True) is None
    arrived, reasons = transfer(model)
    assert reasons == []
    assert arrived.compiled == model.compiled
    assert counting.activations(arrived)[0].startswith(activation)
    assert counting.activations(arrived) == counting.activations(model)
    x = np.linspace(-1, 1, 8, dtype="float32").reshape(2, 4)
    tolerance = 1e-2 if "mixed" in name else 1e-6
    np.testing.assert_allclose(arrived(x), model(x), atol=tolerance)
    if model.compiled:
        y = np.eye(3, dtype="float32")[:2]
        results = [each.evaluate(x, y, verbose=0) for each in (arrived, model)]
        np.testing.assert_allclose(*results, rtol=1e-5)
    assert [vars(layer).get("activation") for layer in model.layers] == attributes


@pytest.mark.parametrize("name", CALCULATIONS)
def test_calculations_of_keras_arrive(name):
    model = functional(lambda x: CALCULATIONS[name](layers.Dense(3)(x)))
    assert_same_values(model)


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("name", MASKED)
def test_a_network_with_masks_arrives_however_many_there_were_before(name, number):
    assert_same_values(MASKED[name]())


@pytest.mark.parametrize(
    "config",
    [
        '{"class_name": [], "module": {}}',
        '{"class_name": "__numpy__", "config": {"value": [1], "dtype": ["float32"]}}',
        '{"class_name": "__numpy__", "config": {"value": [1], "dtype": "object"}}',
        '{"class_name": "__numpy__", "config": []}',
        '{"class_name": "__lambda__", "config": {"value": "x"}}',
        '{"class_name": "__typespec__", "module": "os", "spec_name": "x", "config": []}',
        '{"class_name": "Map", "module": "keras.src.ops.core", "config": {}}',
        '{"class_name": "function", "module": "builtins", "config": ["relu"]}',
    ],
)
def test_a_forged_configuration_is_refused(config):
    with pytest.raises(NotGradable):
        keras_allowlist.parse_config(config)


def assert_same_values(model):
    """Assert that the same network arrives, and that a notebook accepts it."""
    assert find_reason(model) is None
    arrived, reasons = transfer(model)
    assert reasons == []
    x = np.array([[1, 2, 0, 0], [3, 1, 2, 0]], dtype="float32")
    np.testing.assert_allclose(arrived(x), model(x), atol=1e-6)


@pytest.mark.parametrize("name", REJECTED)
def test_another_network_has_the_same_reason_in_a_notebook_and_in_grading(name):
    make, key, last_name = REJECTED[name]
    model = make()
    arrived, (reason,) = transfer(model)
    assert type(arrived) is UnserializableValue
    assert (reason.key, reason.names[-1]) == (key, last_name)
    assert find_reason(model) == reason


@pytest.mark.parametrize("name", REDUCED)
def test_settings_that_are_not_keras_own_are_left_out_and_named(name):
    make, key, own_name, is_compiled = REDUCED[name]
    model = make()
    arrived, (reason,) = transfer(model)
    assert arrived.compiled == is_compiled
    assert (reason.key, reason.names) == (key, (own_name,))
    assert find_reason(model) is None
    assert find_reason(model, compiled=True) == (None if is_compiled else reason)
    np.testing.assert_array_equal(arrived.get_weights()[0], model.get_weights()[0])
    if name == "own metric":
        data = np.ones((2, 4)), np.ones((2, 3))
        measured = arrived.evaluate(*data, verbose=0, return_dict=True)
        assert sorted(measured) == ["accuracy", "loss"]


BACKENDS = {"keras": keras, "tensorflow": tf, "jax": jax}
SHARED = [
    (path, name)
    for path, names in networks.BACKEND_MODULES.items()
    for name in names
    if path.partition(".")[0] in BACKENDS
]


@pytest.mark.parametrize("name", CHANGED)
def test_a_network_that_changed_after_it_was_built_has_a_reason_in_both(name):
    make, key = CHANGED[name]
    model = make()
    arrived, (reason,) = transfer(model)
    assert type(arrived) is UnserializableValue
    assert reason.key == key
    assert find_reason(model) == reason


@pytest.mark.parametrize("name", FROZEN)
def test_what_learns_arrives_as_it_is(name):
    model = FROZEN[name]()
    assert find_reason(model) is None
    arrived, reasons = transfer(model)
    assert reasons == []
    learning = [
        [weight.path.split("/")[-2:] for weight in each.trainable_weights]
        for each in (arrived, model)
    ]
    assert learning[0] == learning[1]
    assert arrived.trainable == model.trainable
    assert [each.trainable for each in arrived.layers] == [each.trainable for each in model.layers]
    assert find_reason(arrived) is None


@pytest.mark.parametrize("name", ADAPTED)
def test_adapted_layers_compute_the_same(name):
    model = ADAPTED[name]()
    x = np.linspace(-9, 9, 20, dtype="float32").reshape(5, 4)
    serializer = Serializer()  # sends the weights with the network
    node = serializer.serialize(model)
    with_weights = Deserializer([bytearray(block) for block in serializer.blocks]).deserialize(node)
    for arrived in (transfer(model)[0], with_weights):
        np.testing.assert_allclose(np.asarray(arrived(x)), np.asarray(model(x)), atol=1e-6)


@pytest.mark.parametrize(("path", "name"), SHARED)
def test_a_backends_activation_computes_what_keras_computes(path, name):
    backend, *parts = path.split(".")
    module = BACKENDS[backend]
    for part in parts:
        module = getattr(module, part)
    function = getattr(module, name, None)
    if function is None:
        pytest.skip(f"{path} has no {name}")
    x = np.linspace(-9, 9, 55, dtype="float32").reshape(5, 11)
    expected = getattr(keras.activations, name)(x)
    np.testing.assert_allclose(np.asarray(function(x)), np.asarray(expected), atol=1e-6)
    canonical = getattr(keras.activations, name).__name__
    assert networks.activation_name(function) == canonical


def number_of_next_network():
    inputs = keras.Input((4,))
    return int("0" + keras.Model(inputs, inputs).name.removeprefix("functional").strip("_"))


def test_a_check_changes_nothing_in_the_notebook():
    model = FROZEN["dropout"]()
    before, number = random.getstate(), number_of_next_network()
    assert find_reason(model) is None
    assert random.getstate() == before
    assert number_of_next_network() == number + 1


def test_weights_of_bfloat16_arrive():
    model = network(layers.Dense(3, dtype="bfloat16"), layers.Dense(2))
    x = np.ones((2, 4), "float32")
    np.testing.assert_array_equal(transfer(model)[0](x), model(x))


def test_a_penalty_counts_in_a_notebook_that_computes_with_float64():
    keras.config.set_floatx("float64")
    try:
        model = network(layers.Dense(1, kernel_regularizer="l2", dtype="float64"))
        model.compile("sgd", "mse")
        serializer = Serializer()
        node = serializer.serialize(model)
        x, y = np.ones((2, 4)), np.zeros((2, 1))
        expected = model.evaluate(x, y, verbose=0)
    finally:
        keras.config.set_floatx("float32")
    arrived = Deserializer([bytearray(block) for block in serializer.blocks]).deserialize(node)
    assert arrived.evaluate(x, y, verbose=0) == pytest.approx(expected, rel=1e-6)
    assert keras.config.floatx() == "float32"


def test_a_network_is_described_without_importing_a_backend(monkeypatch):
    # In a notebook on JAX, TensorFlow is not imported, and the other way round.
    monkeypatch.delitem(sys.modules, "jax")
    assert find_reason(ACCEPTED["text"][0]()) is None
    assert networks.activation_name(jax.nn.relu) != ""
