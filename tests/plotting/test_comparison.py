import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_hex

from course import plotting

ROWS = [
    {"network": "MLP", "kind": "dense", "parameters": 394_634, "seconds": 21.04,
     "test loss": 1.7, "test accuracy": 0.4},
    {"network": "CNN", "kind": "convolution", "parameters": np.int64(82_826), "seconds": 140.0,
     "test loss": 1.2, "test accuracy": 0.6},
]  # fmt: skip


def texts(ax):
    return [text.get_text() for text in ax.texts]


def test_each_quantity_has_a_panel_and_each_bar_its_number():
    figure = plotting.compare_networks(ROWS, title="Side by side", chance=0.1)
    assert [ax.get_title(loc="left") for ax in figure.axes] == list(ROWS[0])[2:]
    parameters, seconds, loss, accuracy = figure.axes
    assert texts(parameters) == ["394,634", "82,826"]
    assert texts(seconds) == ["21.0", "140"]
    assert texts(loss) == ["1.70", "1.20"]
    assert texts(accuracy) == ["40.0%", "60.0%"]
    assert [bar.get_width() for bar in accuracy.patches] == [0.4, 0.6]
    assert [label.get_text() for label in parameters.get_yticklabels()] == ["MLP", "CNN"]
    assert "chance, 10%" in accuracy.get_xlabel()
    assert "chance" not in loss.get_xlabel()
    assert plt.get_fignums() == []


def test_each_panel_says_which_way_is_better():
    row = {"network": "CNN", "pictures a second": 414.0, "seconds": 9.0, "test accuracy": 0.6}
    panels = plotting.compare_networks([row]).axes
    assert [ax.get_xlabel() for ax in panels] == [
        "longer is faster",
        "shorter is cheaper",
        "longer is better",
    ]


def test_kinds_are_told_apart_by_colour_and_by_hatching_and_are_named():
    figure = plotting.compare_networks(ROWS)
    mlp, cnn = figure.axes[0].patches
    assert to_hex(mlp.get_facecolor()) != to_hex(cnn.get_facecolor())
    assert mlp.get_hatch() != cnn.get_hatch()
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["dense", "convolution"]


def test_the_first_network_stands_at_the_top_and_numbers_stay_inside():
    figure = plotting.compare_networks(ROWS)
    figure.draw_without_rendering()
    low, high = figure.axes[0].get_ylim()
    assert low > high
    for ax in figure.axes:
        frame = ax.get_window_extent()
        assert all(text.get_window_extent().x1 <= frame.x1 for text in ax.texts)


def test_without_kinds_there_is_no_legend_and_what_is_none_has_no_bar():
    rows = [{"network": "a", "seconds": None}, {"network": "b", "seconds": 0.0}]
    figure = plotting.compare_networks(rows)
    assert not figure.legends
    assert len(figure.axes[0].patches) == 1


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([], "at least one network"),
        ([{"network": "a"}], "a quantity"),
        ([{"network": "a", "seconds": 1}, {"network": "b"}], "'seconds'"),
        ([{"seconds": 1}], "'network'"),
        ([{"network": "a", "accuracy": 40.0}], "a share from 0 to 1"),
        ([{"network": "a", "seconds": np.nan}], "a finite number"),
        ([{"network": "a", "seconds": -1}], "a finite number"),
    ],
)
def test_what_cannot_be_drawn_is_refused_with_a_sentence(rows, reason):
    with pytest.raises(ValueError, match=reason):
        plotting.compare_networks(rows)


HISTORIES = {"MLP": {"val_accuracy": [0.2, 0.3, 0.4]}, "CNN": {"val_accuracy": [0.3, 0.5]}}


def test_curves_of_networks_share_a_panel_and_say_where_they_end():
    figure = plotting.compare_curves(HISTORIES, title="T", chance=0.1)
    (ax,) = figure.axes
    mlp, cnn, chance = ax.lines
    assert list(mlp.get_xdata()) == [1, 2, 3] and list(cnn.get_ydata()) == [0.3, 0.5]
    named = [text.get_text() for text in ax.get_legend().get_texts()]
    assert named == ["MLP: 40.0% after 3", "CNN: 50.0% after 2"]
    assert mlp.get_color() != cnn.get_color() and mlp.get_linestyle() != cnn.get_linestyle()
    assert list(chance.get_ydata()) == [0.1, 0.1] and texts(ax) == ["chance, 10%"]
    assert (ax.get_title("left"), ax.get_xlabel()) == ("T", "epoch")
    assert plt.get_fignums() == []


def test_curves_of_a_single_epoch_are_drawn():
    figure = plotting.compare_curves({"a": {"val_accuracy": [0.5]}})
    figure.draw_without_rendering()
    assert figure.axes[0].lines[0].get_marker() != "None"


@pytest.mark.parametrize(
    ("histories", "reason"),
    [
        ({}, "at least one network"),
        ({"a": {"loss": [1.0]}}, "'a' must hold 'val_accuracy'"),
        ({"a": {"val_accuracy": []}}, "'a' must hold 'val_accuracy'"),
    ],
)
def test_curves_without_numbers_are_refused_with_a_sentence(histories, reason):
    with pytest.raises(ValueError, match=reason):
        plotting.compare_curves(histories)
