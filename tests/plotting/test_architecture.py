"""Figures of whole networks: what they draw, and what they refuse."""

import io
from itertools import pairwise

import pytest
from matplotlib.colors import to_rgb

from course import plotting
from course.plotting import architecture

NAMES = ["conv1_1", "conv1_2", "dense1"]
KINDS = ["convolution", "convolution", "dense"]
SHAPES = [(8, 8, 4), (4, 4, 4), (4, 4, 8), (2, 2, 8), (10,), (2,)]
OF_SHAPES = ["convolution", "pooling", "convolution", "pooling", "dense", "dense"]


def texts(ax):
    return [text.get_text() for text in ax.texts]


def drawn(figure):
    figure.savefig(io.BytesIO(), format="png")
    return figure


def test_bars_have_a_panel_a_quantity_and_a_number_a_layer():
    quantities = {"parameters": [100, 300, 3_600], "multiplications": [700, 200, 100]}
    figure = drawn(plotting.layer_bars(NAMES, KINDS, quantities, title="T"))
    left, right = figure.axes
    assert [label.get_text() for label in left.get_yticklabels()] == NAMES
    assert texts(left) == ["100", "300", "3,600"]
    assert texts(right) == ["700", "200", "100"]
    assert [bar.get_width() for bar in left.patches] == [100, 300, 3_600]
    assert left.get_title("left") == "parameters: 4,000\ndense 90.0%, convolution 10.0%"
    assert right.get_title("left") == "multiplications: 1,000\nconvolution 90.0%, dense 10.0%"
    assert figure.get_suptitle() == "T"


def test_a_kind_has_a_colour_and_an_unknown_one_is_grey():
    figure = plotting.layer_bars(["a", "b", "c"], ["dense", "pooling", "x"], {"n": [1, 2, 3]})
    colors = [bar.get_facecolor()[:3] for bar in figure.axes[0].patches]
    assert colors == [
        to_rgb(color) for color in ("#D55E00", "#E69F00", architecture.COLORS.get("x", "#B0B0B0"))
    ]


def test_bars_of_nothing_are_drawn_too():
    figure = drawn(plotting.layer_bars(["a"], ["pooling"], {"parameters": [0]}))
    assert texts(figure.axes[0]) == ["0"]
    assert figure.axes[0].get_title("left") == "parameters: 0"


def test_volumes_are_as_high_as_they_are_and_wider_the_deeper():
    (ax,) = drawn(plotting.volumes(SHAPES, OF_SHAPES, title="T")).axes
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


def test_a_size_is_written_once_for_volumes_that_share_it():
    (ax,) = plotting.volumes(SHAPES, OF_SHAPES).axes
    assert [text for text in texts(ax) if "×" in text] == ["8 × 8", "4 × 4", "2 × 2"]
    assert sorted(text for text in texts(ax) if "×" not in text) == ["10", "2", "4", "4", "8", "8"]
    assert [t.get_text() for t in ax.get_legend().get_texts()] == [
        "convolution",
        "pooling",
        "dense",
    ]


def test_volumes_without_kinds_or_without_volumes_are_drawn():
    drawn(plotting.volumes(SHAPES))
    drawn(plotting.volumes([(10,), (2,)], ["dense", "dense"]))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: plotting.layer_bars(NAMES, KINDS[:2], {"n": [1, 2, 3]}), "kinds must hold 3"),
        (
            lambda: plotting.layer_bars(NAMES, KINDS, {"n": [1]}),
            "n must hold 3, one a layer; got 1",
        ),
        (lambda: plotting.layer_bars(NAMES, KINDS, {}), "quantities must hold"),
        (lambda: plotting.volumes([(8, 8)]), "shapes must hold"),
        (lambda: plotting.volumes([]), "shapes must hold"),
        (lambda: plotting.volumes(SHAPES, KINDS), "kinds must hold 6"),
    ],
)
def test_what_does_not_fit_is_an_error_that_says_so(call, words):
    with pytest.raises(ValueError, match=words):
        call()
