"""Networks that tests can use: the checks in a notebook and grading agree about them."""

import sys

import jax  # for the backends' own activations
import keras
import numpy as np
import pytest
import tensorflow as tf

from course import counting
from course.gradable import find_reason, networks
from course.instructor.grading.serialize import Deserializer, Serializer
from course.instructor.grading.value_placeholders import UnserializableValue
from tests.gradable.spellings import ACCEPTED, REDUCED, REJECTED
from tests.instructor.grading.test_serialize import StudentProcess

pytestmark = pytest.mark.slow


def transfer(model):
    """Return what grading gets for a student's network, and the reasons for what is missing."""
    student = StudentProcess()
    serializer = Serializer(student.register)
    node = serializer.serialize(model)
    deserializer = Deserializer([bytearray(block) for block in serializer.blocks], student)
    return deserializer.deserialize(node), deserializer.reasons


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


def test_a_network_is_described_without_importing_a_backend(monkeypatch):
    # In a notebook on JAX, TensorFlow is not imported, and the other way round.
    monkeypatch.delitem(sys.modules, "jax")
    assert find_reason(ACCEPTED["text"][0]()) is None
    assert networks.activation_name(jax.nn.relu) != ""
