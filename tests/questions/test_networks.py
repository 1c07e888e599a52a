"""Questions about whole networks, against the networks themselves in Keras."""

import random

import keras
import pytest
from keras import layers

from course import counting
from course.questions import BANK, draw, judge


def drawn(name, times=40):
    """Yield the numbers that a question is drawn with, the course's own first."""
    yield {}
    for seed in range(times):
        yield BANK[name].draw(random.Random(seed))


def built(*stack):
    with counting.without_weights():
        return keras.Sequential(stack)


def conv(filters, window=3, padding="same", **more):
    return layers.Conv2D(filters, window, padding=padding, **more)


def test_the_sources_numbers_and_slips():
    assert draw("same-shape").answer == (112, 112, 128)
    assert {(112, 112), (56, 56, 128)} <= set(draw("same-shape").slips)
    assert draw("pooled-shape").answer == (128, 128, 64)
    assert (256, 256, 32) in draw("pooled-shape").slips
    assert draw("output-units").answer == 3
    assert 1000 in draw("output-units").slips
    texts = {
        name: [choice.text for choice in draw(name).choices if choice.is_right]
        for name in ("shrinkage", "layer-kind")
    }
    assert texts == {"shrinkage": ["the pooling layers only"], "layer-kind": ["Flatten"]}


def test_shapes_are_those_of_keras():
    for numbers in drawn("same-shape"):
        all_numbers = {"size": 112, "window": 3, "channels": 64, "filters": 128} | numbers
        size, channels = all_numbers["size"], all_numbers["channels"]
        layer = conv(all_numbers["filters"], all_numbers["window"])
        model = built(keras.Input((size, size, channels)), layer)
        assert BANK["same-shape"](**numbers).answer == model.output_shape[1:]
    for numbers in drawn("pooled-shape"):
        size, filters = numbers.get("size", 512), numbers.get("filters", [32, 64])
        stack = [keras.Input((size, size, 3))]
        for count in filters:
            stack += [conv(count), conv(count), layers.MaxPooling2D(2)]
        model = built(*stack)
        assert BANK["pooled-shape"](**numbers).answer == model.output_shape[1:]


def test_what_shrinks_is_what_shrinks_in_keras():
    for numbers in drawn("shrinkage"):
        window, padding = numbers.get("window", 3), numbers.get("padding", 1)
        pools = numbers.get("pools", True)
        before = built(keras.Input((32, 32, 1)), layers.ZeroPadding2D(padding))
        convs = conv(1, window, "valid").compute_output_shape(before.output_shape)[1] < 32
        expected = {
            (True, False): "the convolutions only",
            (False, True): "the pooling layers only",
            (True, True): "both the convolutions and the pooling layers",
            (False, False): "neither: only the dense layers reduce anything",
        }[convs, pools]
        question = BANK["shrinkage"](**numbers)
        (right,) = (choice.text for choice in question.choices if choice.is_right)
        assert right == expected


@pytest.mark.parametrize("kind", ["Convolution", "Pooling", "Flatten", "Dense"])
def test_a_layers_kind_follows_from_shapes_and_weights(kind):
    side, channels = 8, 16
    question = BANK["layer-kind"](kind=kind, side=side, channels=channels)
    layer = {
        "Convolution": conv(2 * channels, use_bias=False),
        "Pooling": layers.MaxPooling2D(2),
        "Flatten": layers.Flatten(),
        "Dense": layers.Dense(100, use_bias=False),
    }[kind]
    shape = (side * side * channels,) if kind == "Dense" else (side, side, channels)
    model = built(keras.Input(shape), layer)
    after = model.output_shape[1:]
    told = f"{after[0]:,} numbers" if len(after) == 1 else " × ".join(map(str, after))
    assert told in question.text
    weights = model.count_params()
    assert f"has {f'{weights:,}' if weights else 'no'} weights" in question.text
    (right,) = (choice.text for choice in question.choices if choice.is_right)
    assert right == kind


def test_stacks_of_small_windows_see_as_much_and_weigh_what_keras_says():
    for numbers in drawn("stacked-weights"):
        number, channels = numbers.get("layers", 2), numbers.get("channels", 64)
        inputs = keras.Input((None, None, channels))
        stack = built(inputs, *(conv(channels, use_bias=False) for _ in range(number)))
        one = built(inputs, conv(channels, 2 * number + 1, use_bias=False))
        question = BANK["stacked-weights"](**numbers)
        assert question.answer == stack.count_params()
        assert judge(question, one.count_params()).reason.startswith("That is the one convolution")
        valid = [conv(1, padding="valid") for _ in range(number)]
        window = 2 * number + 1
        assert built(keras.Input((window, window, 1)), *valid).output_shape[1:3] == (1, 1)
    assert draw("stacked-weights").answer == 73_728


def test_layers_with_weights_are_those_that_have_some_in_keras():
    for numbers in drawn("weight-layers"):
        blocks, dense = numbers.get("blocks", (2, 2, 3, 3, 3)), numbers.get("dense", 3)
        stack = [keras.Input((64, 64, 3))]
        for count in blocks:
            stack += [conv(2) for _ in range(count)] + [layers.MaxPooling2D(2)]
        stack += [layers.Flatten()] + [layers.Dense(2) for _ in range(dense)]
        having = [layer for layer in built(*stack).layers if layer.count_params()]
        assert BANK["weight-layers"](**numbers).answer == len(having)
    vgg16 = draw("weight-layers")
    assert vgg16.answer == 16
    assert {13, 21, 22} <= set(vgg16.slips)


def test_the_layer_with_the_most_parameters_is_the_one_in_keras():
    for numbers in drawn("most-parameters"):
        size, units = numbers.get("size", 64), numbers.get("units", 5)
        one, two, three = numbers.get("filters", (16, 32, 128))
        model = built(
            keras.Input((size, size, 3)),
            conv(one),
            conv(two, 5),
            layers.MaxPooling2D(3, strides=2),
            conv(three),
            layers.Flatten(),
            layers.Dense(units),
        )
        most = max(layer.count_params() for layer in model.layers)
        question = BANK["most-parameters"](**numbers)
        (right,) = (choice for choice in question.choices if choice.is_right)
        assert f"It has {most:,};" in right.reason
