"""Block diagrams of networks."""

import io

import keras
import pytest
from keras import layers

from course import counting, plotting


def drawn(network, **options):
    """Return the text of each box as a pair (layer, shape), and the corners of each line."""
    figure = plotting.block_diagram(network, **options)
    figure.savefig(io.BytesIO(), format="png")
    (ax,) = figure.axes
    texts = [text.get_text() for text in ax.texts if text.get_text()]
    boxes = list(zip(texts[::2], texts[1::2], strict=True))
    return boxes, [list(zip(*line.get_data(), strict=True)) for line in ax.lines], ax


def convolution(filters, size=3, **options):
    return layers.Conv2D(filters, size, padding="same", **options)


def residual_block(x, filters, stride):
    """Return the output of a residual block, with a 1 x 1 convolution in the skip connection."""
    shortcut = x if stride == 1 else convolution(filters, 1, strides=stride)(x)
    x = convolution(filters, activation="relu", strides=stride)(x)
    return layers.ReLU()(layers.Add()([convolution(filters)(x), shortcut]))


def test_a_chain_has_a_box_per_layer_and_one_for_identical_layers_in_sequence():
    with counting.without_weights():
        network = keras.Sequential(
            [
                keras.Input((224, 224, 3)),
                convolution(64, activation="relu"),
                convolution(64, activation="relu"),
                layers.MaxPooling2D(2),
                convolution(64, activation="relu"),
                layers.AveragePooling2D(3, strides=2),
                layers.Flatten(),
                layers.Dropout(0.5),
                layers.Dense(4096, activation="relu"),
                layers.Dense(1, activation="sigmoid"),
            ]
        )
    boxes, lines, ax = drawn(network)
    assert boxes == [
        ("input", "224 × 224 × 3"),
        ("3 × 3 convolution, 64 filters, ReLU (× 2)", "224 × 224 × 64"),
        ("2 × 2 max pooling", "112 × 112 × 64"),
        ("3 × 3 convolution, 64 filters, ReLU", "112 × 112 × 64"),
        ("3 × 3 average pooling, stride 2", "55 × 55 × 64"),
        ("flatten", "193,600"),
        ("dropout 0.5", "193,600"),
        ("dense, 4,096 units, ReLU", "4,096"),
        ("dense, 1 unit, sigmoid", "1"),
    ]
    assert len(lines) == len(boxes) - 1
    assert len({patch.get_x() for patch in ax.patches[: len(boxes)]}) == 1
    assert ax.get_title("left") == f"{network.count_params():,} parameters"


def test_a_skip_connection_is_a_line_beside_the_layers():
    inputs = keras.Input((8, 8, 4))
    boxes, lines, ax = drawn(keras.Model(inputs, residual_block(inputs, 4, 1)), title="T")
    assert [label for label, _ in boxes] == [
        "input",
        "3 × 3 convolution, 4 filters, ReLU",
        "3 × 3 convolution, 4 filters",
        "add",
        "ReLU",
    ]
    (right,) = {round(patch.get_x() + patch.get_width(), 6) for patch in ax.patches[:5]}
    beside = [line for line in lines if max(x for x, _ in line) > right]
    assert len(beside) == 1 and len(lines) == 5
    assert ax.get_title("left") == "T"


def test_a_branch_with_layers_has_its_own_column():
    inputs = keras.Input((8, 8, 4))
    boxes, lines, ax = drawn(keras.Model(inputs, residual_block(inputs, 8, 2)))
    lefts = dict(zip(boxes, [patch.get_x() for patch in ax.patches], strict=False))
    branch = ("1 × 1 convolution, 8 filters, stride 2", "4 × 4 × 8")
    assert lefts.pop(branch) > 0
    assert set(lefts.values()) == {0}
    assert len(lines) == 6


def test_parallel_branches_are_side_by_side_and_do_not_overlap():
    inputs = keras.Input((28, 28, 192))
    ends = [
        convolution(64, 1)(inputs),
        convolution(128)(convolution(96, 1)(inputs)),
        convolution(32, 5)(convolution(16, 1)(inputs)),
        convolution(32, 1)(layers.MaxPooling2D(3, strides=1, padding="same")(inputs)),
    ]
    boxes, _, ax = drawn(keras.Model(inputs, layers.Concatenate()(ends)))
    corners = [(patch.get_x(), patch.get_y()) for patch in ax.patches[: len(boxes)]]
    assert len(boxes) == 9
    assert len(set(corners)) == 9
    assert len({x for x, _ in corners}) == 4
    assert ("3 × 3 max pooling, stride 1", "28 × 28 × 192") in boxes


def test_no_box_of_a_large_network_overlaps_another():
    with counting.without_weights():
        network = keras.applications.ResNet50(weights=None)
    boxes, _, ax = drawn(network)
    corners = {(patch.get_x(), patch.get_y()) for patch in ax.patches[: len(boxes)]}
    assert len(corners) == len(boxes) > 150


def test_operations_and_networks_used_as_layers_have_boxes():
    base = keras.Sequential([keras.Input((8, 8, 3)), convolution(4)], name="base")
    inputs = keras.Input((8, 8, 3))
    x = base(inputs)
    x = keras.ops.relu(x) + x
    outputs = layers.Dense(2)(layers.GlobalAveragePooling2D()(x))
    labels = [label for label, _ in drawn(keras.Model(inputs, outputs))[0]]
    words = "input; base, 1 layer; ReLU; add; global average pooling; dense, 2 units"
    assert labels == words.split("; ")


def test_any_other_layer_has_a_box_with_its_class_name():
    network = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.DepthwiseConv2D((1, 3)),
            layers.SeparableConv2D(4, 3, strides=2),
            layers.Activation("relu"),
            layers.GlobalMaxPooling2D(),
            layers.UnitNormalization(),
        ]
    )
    assert [label for label, _ in drawn(network)[0]] == [
        "input",
        "1 × 3 depthwise convolution",
        "3 × 3 separable convolution, 4 filters, stride 2",
        "ReLU",
        "global max pooling",
        "UnitNormalization",
    ]


class Subclassed(keras.Model):
    def call(self, inputs):
        return inputs


@pytest.mark.parametrize(
    ("network", "words"),
    [
        (keras.Sequential([layers.Dense(2)]), "input shape of the network is unknown"),
        (Subclassed(), "defines its own call method"),
    ],
)
def test_a_network_without_known_layers_is_rejected_with_a_sentence(network, words):
    with pytest.raises(ValueError, match=words):
        plotting.block_diagram(network)


def test_the_two_blocks_differ_only_in_the_shortcut():
    (ax,) = plotting.plain_and_residual("Two blocks").axes
    texts = [text.get_text() for text in ax.texts]
    layers = ["3 × 3 convolution"] * 2 + ["ReLU"] * 2 + ["input"] * 2
    assert sorted(text for text in texts if text in layers) == sorted(2 * layers[:4] + layers[4:])
    assert texts.count("add") == 1
    assert {"ReLU(F(x))", "ReLU(F(x) + x)", "shortcut: x"} <= set(texts)
    assert ax.get_title(loc="left") == "Two blocks"
