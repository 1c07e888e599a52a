"""Questions about whole networks, compared with the same networks in Keras."""

import random
import re

import keras
import pytest
from keras import layers

from course import counting
from course.questions import BANK, draw, judge, networks


def drawn_values(name):
    """Yield values of a question: its defaults, then random ones."""
    yield {}
    for seed in range(40):
        yield BANK[name].draw_values(random.Random(seed))


def built(*stack):
    with counting.without_weights():
        return keras.Sequential(stack)


def conv(filters, kernel_size=3, padding="same", **options):
    return layers.Conv2D(filters, kernel_size, padding=padding, **options)


def test_default_values_have_the_answers_and_mistakes_of_the_course_text():
    assert draw("same-shape").answer == (112, 112, 128)
    assert {(112, 112), (56, 56, 128)} <= set(draw("same-shape").mistakes)
    assert draw("pooled-shape").answer == (128, 128, 64)
    assert (256, 256, 32) in draw("pooled-shape").mistakes
    assert draw("output-units").answer == 3
    assert 1000 in draw("output-units").mistakes
    texts = {
        name: [choice.text for choice in draw(name).choices if choice.is_right]
        for name in ("shrinkage", "layer-kind")
    }
    assert texts == {"shrinkage": ["the pooling layers only"], "layer-kind": ["Flatten"]}


def test_shapes_are_those_of_keras():
    for values in drawn_values("same-shape"):
        all_values = {"size": 112, "kernel_size": 3, "channels": 64, "filters": 128} | values
        size, channels = all_values["size"], all_values["channels"]
        layer = conv(all_values["filters"], all_values["kernel_size"])
        model = built(keras.Input((size, size, channels)), layer)
        assert BANK["same-shape"].build(**values).answer == model.output_shape[1:]
    for values in drawn_values("pooled-shape"):
        size, filters = values.get("size", 512), values.get("filters", [32, 64])
        stack = [keras.Input((size, size, 3))]
        for count in filters:
            stack += [conv(count), conv(count), layers.MaxPooling2D(2)]
        model = built(*stack)
        assert BANK["pooled-shape"].build(**values).answer == model.output_shape[1:]


def test_the_layers_that_shrink_are_those_that_shrink_in_keras():
    for values in drawn_values("shrinkage"):
        kernel_size, padding = values.get("kernel_size", 3), values.get("padding", 1)
        pools = values.get("pools", True)
        before = built(keras.Input((32, 32, 1)), layers.ZeroPadding2D(padding))
        convolutions = (
            conv(1, kernel_size, "valid").compute_output_shape(before.output_shape)[1] < 32
        )
        expected = {
            (True, False): "the convolutions only",
            (False, True): "the pooling layers only",
            (True, True): "both the convolutions and the pooling layers",
            (False, False): "neither: only the dense layers reduce anything",
        }[convolutions, pools]
        question = BANK["shrinkage"].build(**values)
        (right,) = (choice.text for choice in question.choices if choice.is_right)
        assert right == expected


@pytest.mark.parametrize("kind", ["Convolution", "Pooling", "Flatten", "Dense"])
def test_a_layers_kind_follows_from_shapes_and_weights(kind):
    side, channels = 8, 16
    question = BANK["layer-kind"].build(kind=kind, side=side, channels=channels)
    layer = {
        "Convolution": conv(2 * channels, use_bias=False),
        "Pooling": layers.MaxPooling2D(2),
        "Flatten": layers.Flatten(),
        "Dense": layers.Dense(100, use_bias=False),
    }[kind]
    shape = (side * side * channels,) if kind == "Dense" else (side, side, channels)
    model = built(keras.Input(shape), layer)
    after = model.output_shape[1:]
    shape_text = f"{after[0]:,} values" if len(after) == 1 else " × ".join(map(str, after))
    assert shape_text in question.text
    weights = model.count_params()
    assert f"it has {f'{weights:,}' if weights else 'no'} weights" in question.text
    (right,) = (choice.text for choice in question.choices if choice.is_right)
    assert right == kind


def test_stacks_have_the_receptive_field_asked_for_and_the_weights_of_keras():
    for values in drawn_values("stacked-weights"):
        number, channels = values.get("layers", 2), values.get("channels", 64)
        inputs = keras.Input((None, None, channels))
        stack = built(inputs, *(conv(channels, use_bias=False) for _ in range(number)))
        one = built(inputs, conv(channels, 2 * number + 1, use_bias=False))
        question = BANK["stacked-weights"].build(**values)
        assert question.answer == stack.count_params()
        side = 2 * number + 1
        reason = judge(question, one.count_params()).reason
        assert reason == f"That is the {side} × {side} convolution that is replaced."
        valid = [conv(1, padding="valid") for _ in range(number)]
        assert built(keras.Input((side, side, 1)), *valid).output_shape[1:3] == (1, 1)
    assert draw("stacked-weights").answer == 73_728


def test_layers_with_weights_are_counted_as_in_keras():
    for values in drawn_values("weight-layers"):
        blocks, dense = values.get("blocks", (2, 2, 3, 3, 3)), values.get("dense", 3)
        stack = [keras.Input((64, 64, 3))]
        for count in blocks:
            stack += [conv(2) for _ in range(count)] + [layers.MaxPooling2D(2)]
        stack += [layers.Flatten()] + [layers.Dense(2) for _ in range(dense)]
        weighted = [layer for layer in built(*stack).layers if layer.count_params()]
        assert BANK["weight-layers"].build(**values).answer == len(weighted)
    vgg16 = draw("weight-layers")
    assert vgg16.answer == 16
    assert {13, 21, 22} <= set(vgg16.mistakes)


def test_the_layer_with_the_most_parameters_is_the_one_in_keras():
    for values in drawn_values("most-parameters"):
        size, units = values.get("size", 64), values.get("units", 5)
        one, two, three = values.get("filters", (16, 32, 128))
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
        question = BANK["most-parameters"].build(**values)
        (right,) = (choice for choice in question.choices if choice.is_right)
        assert right.reason == f"It has {most:,} parameters, the most of all."


def test_the_layer_with_the_most_parameters_is_not_always_of_the_same_type():
    kinds = []
    for size, filters, units in networks.CLASSIFIERS:
        question = networks.most_parameters(size, filters, units)
        (right,) = (choice.text for choice in question.choices if choice.is_right)
        kinds.append(re.search(r"dense|[35] × [35]", right)[0])
        listed = [int(re.search(r"It has ([\d,]+)", each.reason)[1].replace(",", ""))
                  for each in question.choices]  # fmt: skip
        second, largest = sorted(listed)[-2:]
        assert largest > 1.5 * second, "it can be told without a calculation"
    assert sorted(kinds) == ["3 × 3"] * 3 + ["5 × 5"] * 3 + ["dense"] * 3
