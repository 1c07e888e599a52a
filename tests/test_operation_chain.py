"""Activation functions are judged by what they compute, wherever they stand in a network."""

import keras
import pytest
from keras import layers

from course import counting
from course.errors import CourseError
from course.operation_chain import operations

relu, softmax = keras.activations.relu, keras.activations.softmax


def network(*parts):
    return keras.Sequential([keras.Input((8, 8, 3)), *parts])


def functional(transform):
    inputs = keras.Input((8, 8, 3))
    return keras.Model(inputs, transform(inputs))


def kinds(found):
    return [type(each).__name__ for each in found]


def as_graded(model):
    """Return a network as grading builds it again."""
    return type(model).from_config(model.get_config())


SHARED = layers.ReLU()
HONEST = {
    "arguments": lambda: network(
        layers.Conv2D(2, 3, activation="relu"), layers.Dense(3, activation="softmax")
    ),
    "layers": lambda: network(
        layers.Conv2D(2, 3), layers.ReLU(), layers.Dense(3), layers.Softmax()
    ),
    "calls": lambda: functional(
        lambda x: softmax(layers.Dense(3)(relu(layers.Conv2D(2, 3)(x))))
    ),
    "operations": lambda: functional(
        lambda x: keras.ops.softmax(layers.Dense(3)(keras.ops.relu(layers.Conv2D(2, 3)(x))))
    ),
    "the last axis by its number": lambda: network(
        layers.Conv2D(2, 3, activation="relu"), layers.Dense(3), layers.Softmax(axis=3)
    ),
    "a layer that is used twice": lambda: network(
        layers.Conv2D(2, 3), SHARED, SHARED, layers.Dense(3), layers.Softmax()
    ),
    "ReLU twice": lambda: network(
        layers.Conv2D(2, 3, activation="relu"), layers.ReLU(), layers.Dense(3, "softmax")
    ),
    "linear": lambda: network(
        layers.Conv2D(2, 3, activation="relu"), layers.Dense(3), layers.Activation("linear"),
        layers.Softmax(),
    ),
    "networks in a network": lambda: network(
        keras.Sequential([layers.Conv2D(2, 3), layers.ReLU()]), layers.Dense(3, "softmax")
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", HONEST)
def test_every_spelling_of_an_activation_has_its_name(name):
    for model in (HONEST[name](), as_graded(HONEST[name]())):
        assert counting.activations(model) == ["relu", "softmax"]
        assert kinds(counting.body(model)) == ["Conv2D", "Dense"]


OTHERS = {
    "the identity": (layers.ReLU(negative_slope=1.0), "relu with negative_slope=1.0"),
    "zero": (layers.ReLU(max_value=0.0), "relu with max_value=0.0"),
    "a threshold": (layers.ReLU(threshold=1e9), "relu with threshold=1000000000.0"),
    "over the batch": (layers.Softmax(axis=0), "softmax with axis=0"),
    "over a row": (layers.Softmax(axis=1), "softmax with axis=1"),
    "leaky": (layers.LeakyReLU(0.5), "leakyrelu with negative_slope=0.5"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_settings_are_named_as_a_layer_and_as_an_argument(name):
    layer, expected = OTHERS[name]
    ways = [
        network(layers.Conv2D(2, 3), layer),
        network(layers.Conv2D(2, 3), layers.Activation(layer)),
        network(layers.Conv2D(2, 3, activation=layer)),
    ]
    for model in ways:
        assert counting.activations(as_graded(model)) == [expected]


CALLS = {
    "a slope": (lambda x: relu(x, negative_slope=1.0), "relu with negative_slope=1.0"),
    "over the batch": (lambda x: keras.ops.softmax(x, axis=0), "softmax with axis=0"),
    "sigmoid": (keras.activations.sigmoid, "sigmoid"),
    "tanh": (keras.ops.tanh, "tanh"),
    "times 0": (lambda x: x * 0.0, "multiply"),
    "division": (lambda x: x / 255 - 0.5, "truedivide then subtract"),
}


@pytest.mark.parametrize("name", CALLS)
def test_calls_between_layers_are_seen(name):
    call, expected = CALLS[name]
    model = as_graded(functional(lambda x: call(layers.Conv2D(2, 3, activation="relu")(x))))
    assert counting.activations(model) == [f"relu then {expected}"]
    model = as_graded(functional(lambda x: layers.Conv2D(2, 3, activation="relu")(call(x))))
    assert counting.activations(model) == [f"relu after {expected.replace(' then', ',')}"]


def test_activations_before_the_first_convolution_are_named():
    model = network(
        layers.Activation("tanh"), layers.ReLU(max_value=0), layers.Conv2D(2, 3, activation="relu")
    )
    assert counting.activations(model) == ["relu after tanh, relu with max_value=0"]
    assert kinds(counting.body(model)) == ["Conv2D"]


def test_calculations_are_words_of_the_architecture_and_part_of_the_body():
    model = functional(lambda x: relu(layers.Dense(3)(x)) * 0.0)
    assert counting.architecture(model) == "dense(3) multiply"
    assert kinds(counting.body(model)) == ["Dense", "Multiply"]


def test_a_branch_is_named():
    for join in (lambda x: x - x, lambda x: layers.Add()([x, x])):
        model = functional(lambda x, join=join: join(layers.Dense(3)(x)))
        with pytest.raises(CourseError, match=r"branches at .*each layer takes the output of"):
            counting.activations(as_graded(model))


def test_several_outputs_are_no_chain():
    model = functional(lambda x: [layers.Dense(3)(x), layers.Dense(3)(x)])
    with pytest.raises(CourseError, match="has 2 outputs"):
        operations(model)


def test_the_layers_of_a_network_whose_input_is_unknown_are_listed():
    model = keras.Sequential([layers.Dense(3), layers.ReLU()])
    assert counting.activations(model) == ["relu"]
    assert kinds(operations(model, model.layers[0])) == ["Dense"]


def test_a_layer_of_another_network_is_an_error_whether_or_not_the_network_is_built():
    other = layers.Dense(3, name="other")
    for model in (keras.Sequential([layers.Dense(3)]), network(layers.Dense(3))):
        with pytest.raises(CourseError, match=r"other is not a layer of .*: choose one of network"):
            operations(model, other)


def test_a_layer_that_belongs_to_two_networks_has_the_operations_of_each():
    shared = layers.Conv2D(3, 1)
    first, second = network(shared), network(layers.ReLU(), shared)
    assert kinds(operations(first, shared)) == ["Conv2D"]
    assert kinds(operations(second, shared)) == ["ReLU", "Conv2D"]
