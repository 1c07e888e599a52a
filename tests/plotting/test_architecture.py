"""Figures of a network's architecture."""

import io
from itertools import pairwise

import keras
import pytest
from keras import layers
from matplotlib.colors import to_rgb

from course import counting, plotting
from course.plotting import architecture

NAMES = ["conv1_1", "conv1_2", "dense1"]
KINDS = ["convolution", "convolution", "dense"]
SHAPES = [(8, 8, 4), (4, 4, 4), (4, 4, 8), (2, 2, 8), (10,), (2,)]
SHAPE_KINDS = ["convolution", "pooling", "convolution", "pooling", "dense", "dense"]


def texts(ax):
    return [text.get_text() for text in ax.texts]


def saved(figure):
    figure.savefig(io.BytesIO(), format="png")
    return figure


def test_bars_have_one_panel_per_quantity_and_one_value_per_layer():
    quantities = {"parameters": [100, 300, 3_600], "MACs": [700, 200, 100]}
    figure = saved(plotting.layer_bars(NAMES, KINDS, quantities, title="T"))
    left, right = figure.axes
    assert [label.get_text() for label in left.get_yticklabels()] == NAMES
    assert texts(left) == ["100", "300", "3,600"]
    assert texts(right) == ["700", "200", "100"]
    assert [bar.get_width() for bar in left.patches] == [100, 300, 3_600]
    assert left.get_title("left") == "parameters: 4,000\ndense 90.0%, convolution 10.0%"
    assert right.get_title("left") == "MACs: 1,000\nconvolution 90.0%, dense 10.0%"
    assert figure.get_suptitle() == "T"


def test_each_kind_has_a_color_and_an_unknown_one_is_gray():
    figure = plotting.layer_bars(["a", "b", "c"], ["dense", "pooling", "x"], {"n": [1, 2, 3]})
    colors = [bar.get_facecolor()[:3] for bar in figure.axes[0].patches]
    assert colors == [
        to_rgb(color) for color in ("#D55E00", "#E69F00", architecture.COLORS.get("x", "#B0B0B0"))
    ]


def test_bars_of_zero_are_drawn():
    figure = saved(plotting.layer_bars(["a"], ["pooling"], {"parameters": [0]}))
    assert texts(figure.axes[0]) == ["0"]
    assert figure.axes[0].get_title("left") == "parameters: 0"


def test_costs_are_rows_of_bars_below_the_outputs_and_leave_out_other_layers():
    with counting.without_weights():
        network = keras.Sequential(
            [
                keras.Input((1_000, 1_000, 3)),
                layers.Conv2D(2, 3, padding="same"),
                layers.MaxPooling2D(2),
                layers.Flatten(),
                layers.Dense(10),
            ]
        )
    outputs, memory, macs, parameters = saved(plotting.layer_costs(network, title="T")).axes
    assert outputs.get_title("left") == "T"
    assert {"1000 × 1000", "500 × 500", "10"} <= set(texts(outputs))
    assert [label.get_text() for label in parameters.get_xticklabels()] == [
        "conv1_1",
        "pool1",
        "dense1",
    ]
    for ax, heights, words in [
        (memory, [8_000_000, 2_000_000, 40], ["8", "2", "activation memory\n10.0 MB"]),
        (macs, [54_000_000, 0, 5_000_000], ["54", "5", "MACs\n59.0 million"]),
        (parameters, [56, 0, 5_000_010], ["5", "parameters\n5.0 million"]),
    ]:
        assert [bar.get_height() for bar in ax.patches] == heights
        assert texts(ax)[:-1] == words
    assert texts(memory)[-1].split("\n") == ["convolution 80.0%", "pooling 20.0%"]


def test_networks_are_compared_on_one_scale_per_cost():
    networks = {}
    for name, filters in (("small", 2), ("large", 8)):
        with counting.without_weights():
            networks[name] = keras.Sequential(
                [
                    keras.Input((100, 100, 3)),
                    layers.Conv2D(filters, 3, padding="same"),
                    layers.GlobalAveragePooling2D(),
                    layers.Dense(10),
                ]
            )
    figure = saved(plotting.compare_costs(networks, title="T"))
    assert figure.get_suptitle() == "T"
    expected = {
        "parameters": ([86, 314], ["86", "314"]),
        "MACs per image": ([540_020, 2_160_080], ["540,020", "2.2 million"]),
        "activation memory per image": ([80_040, 320_040], ["80.0 kB", "320 kB"]),
    }
    for ax, (cost, (values, shown)) in zip(figure.axes, expected.items(), strict=True):
        assert ax.get_title("left") == cost
        assert [bar.get_width() for bar in ax.patches] == values
        assert texts(ax) == shown
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels == ["small", "large"]


def test_errors_have_one_panel_per_cost_and_one_point_per_network():
    costs = {"parameters": [1, 2, 3], "MACs": [30, 20, 10]}
    figure = saved(plotting.error_against_cost(NAMES, [9, 8, 7], costs, 0.2, title="T"))
    for ax, (name, values) in zip(figure.axes, costs.items(), strict=True):
        points, *_ = ax.containers[0]
        assert [*points.get_xdata()] == values and [*points.get_ydata()] == [9, 8, 7]
        assert texts(ax) == NAMES
        assert ax.get_xlabel() == name and ax.get_xlim()[0] == 0
    assert figure.axes[0].get_title("left") == "T"


def test_volumes_are_drawn_with_their_height_and_wider_the_deeper():
    (ax,) = saved(plotting.volumes(SHAPES, SHAPE_KINDS, title="T")).axes
    boxes = [patch for patch in ax.patches if patch.get_height()][: len(SHAPES)]
    heights = [box.get_height() for box in boxes[:4]]
    assert heights == pytest.approx([1, 0.5, 0.5, 0.25])
    widths = [box.get_width() for box in boxes[:4]]
    assert widths[0] == widths[1] < widths[2] == widths[3]
    lefts = [box.get_x() for box in boxes]
    assert lefts == sorted(lefts)
    for before, after in pairwise(boxes):
        assert before.get_x() + before.get_width() < after.get_x(), "boxes do not overlap"
    assert ax.get_title("left").startswith("T\n")


def test_a_size_is_written_once_for_neighbors_that_share_it():
    (ax,) = plotting.volumes(SHAPES, SHAPE_KINDS).axes
    assert [text for text in texts(ax) if "×" in text] == ["8 × 8", "4 × 4", "2 × 2"]
    assert sorted(text for text in texts(ax) if "×" not in text) == ["10", "2", "4", "4", "8", "8"]
    assert [t.get_text() for t in ax.get_legend().get_texts()] == [
        "convolution",
        "pooling",
        "dense",
    ]


def test_the_longest_vector_is_as_tall_as_the_tallest_volume():
    (ax,) = plotting.volumes([*SHAPES[:4], (32,), (10,), (2,)], [*SHAPE_KINDS, "dense"]).axes
    heights = [patch.get_height() for patch in ax.patches if patch.get_height()]
    assert heights[4:7] == pytest.approx([1, 10 / 32, 0.1])


def test_volumes_without_kinds_or_without_volumes_are_saved():
    saved(plotting.volumes(SHAPES))
    saved(plotting.volumes([(10,), (2,)], ["dense", "dense"]))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: plotting.layer_bars(NAMES, KINDS[:2], {"n": [1, 2, 3]}), "kinds must have 3"),
        (
            lambda: plotting.layer_bars(NAMES, KINDS, {"n": [1]}),
            "n must have 3 entries, one per layer; got 1",
        ),
        (lambda: plotting.layer_bars(NAMES, KINDS, {}), "quantities must contain"),
        (
            lambda: plotting.layer_costs(keras.Sequential([keras.Input((8,))])),
            "has no convolutional,",
        ),
        (
            lambda: plotting.error_against_cost(["A"], [1, 2], {"n": [1]}),
            "errors must have 1 entries, one per network; got 2",
        ),
        (lambda: plotting.error_against_cost(["A"], [1], {}), "costs must contain"),
        (lambda: plotting.compare_costs({}), "at least one network"),
        (lambda: plotting.volumes([(8, 8)]), "shapes must contain"),
        (lambda: plotting.volumes([]), "shapes must contain"),
        (lambda: plotting.volumes(SHAPES, KINDS), "kinds must have 6"),
    ],
)
def test_wrong_input_is_rejected_with_a_sentence(call, words):
    with pytest.raises(ValueError, match=words):
        call()
