"""Figures of how networks learn."""

import io

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from course import plotting
from course.plotting.primitives import BLUE

X = np.arange(4)


def saved(figure):
    file = io.BytesIO()
    figure.savefig(file, format="png")
    assert file.getvalue().startswith(b"\x89PNG")
    return figure


def texts(ax):
    return [text.get_text() for text in ax.texts if text.get_visible()]


def test_line_charts_have_one_panel_per_title_and_one_line_per_name():
    panels = {"left": {"CNN": (X, X), "MLP": (X, X + 1)}, "right": {"": (X, X)}}
    figure = saved(plotting.line_charts(panels, "step", "loss", "T", levels={"ln 10": 2.3}))
    left, right = figure.axes
    assert [ax.get_title("left") for ax in figure.axes] == ["left", "right"]
    assert [text.get_text() for text in left.get_legend().get_texts()] == ["CNN", "MLP"]
    assert right.get_legend() is None
    assert left.get_xlabel() == right.get_xlabel() == "step" and left.get_ylabel() == "loss"
    styles = [(line.get_color(), line.get_linestyle(), line.get_marker()) for line in left.lines]
    assert len(set(styles[:2])) == 2 and styles[0][1:] != styles[1][1:]
    # The level is drawn in both panels, and named once.
    assert all(2.3 in set(ax.lines[-1].get_ydata()) for ax in figure.axes)
    assert texts(left) == [] and texts(right) == ["ln 10"]


def test_line_charts_draw_a_single_point_as_a_marker_without_a_line():
    panels = {"a": {"curve": (X, X), "point": ([2], [1])}}
    curve, point = saved(plotting.line_charts(panels)).axes[0].get_lines()
    assert curve.get_linestyle() == "-"
    assert (point.get_linestyle(), point.get_marker()) == ("None", "s")


def test_line_charts_take_one_label_per_panel():
    panels = {"a": {"": (X, X)}, "b": {"": (X, X)}}
    left, right = saved(plotting.line_charts(panels, ["z", "p"], ["p", "loss"])).axes
    assert (left.get_xlabel(), left.get_ylabel()) == ("z", "p")
    assert (right.get_xlabel(), right.get_ylabel()) == ("p", "loss")


def test_line_charts_with_logarithmic_or_percent_axes():
    panels = {"a": {"": (X, [0.1, 1, 10, 1e9])}, "b": {"": (X, [1, 1, 1, 1])}}
    logarithmic = saved(plotting.line_charts(panels, log=True, share_y=True, limits=(0.01, 1e4)))
    assert [ax.get_yscale() for ax in logarithmic.axes] == ["log", "log"]
    assert {ax.get_ylim() for ax in logarithmic.axes} == {(0.01, 1e4)}
    (ax,) = saved(plotting.line_charts({"a": {"": (X, X / 3)}}, percent=True)).axes
    assert all(label.get_text().endswith("%") for label in ax.get_yticklabels())
    # Whole numbers on the x-axis have no ticks between them.
    assert all(tick == round(tick) for tick in ax.get_xticks())


def test_line_charts_with_percentages_in_one_panel():
    panels = {"loss": {"": (X, X / 3)}, "accuracy": {"": (X, X / 3)}}
    loss, accuracy = saved(plotting.line_charts(panels, percent=["accuracy"])).axes
    assert all(label.get_text().endswith("%") for label in accuracy.get_yticklabels())
    assert not any(label.get_text().endswith("%") for label in loss.get_yticklabels())


def test_early_stopping_marks_the_restored_and_the_last_epoch():
    stops = {"patience 2": (1, 3), "patience 5": (4, 4)}
    panels = {"Validation loss": ([3, 5, 4, 1], stops), "Validation accuracy": ([0.1, 0.2], {})}
    loss, accuracy = saved(plotting.early_stopping(panels, title="T")).axes
    labels = [text.get_text() for text in loss.get_legend().get_texts()]
    assert labels == [
        "patience 2: ends after epoch 3, restores epoch 1",
        "patience 5: ends after epoch 4, restores epoch 4",
    ]
    marks = [line for line in loss.lines if line.get_label() in labels]
    assert [(line.get_xdata()[0], line.get_ydata()[0]) for line in marks] == [(1, 3), (4, 1)]
    assert [line.get_xdata()[0] for line in loss.lines[1::2]] == [3, 4]
    assert len({(line.get_color(), line.get_linestyle(), line.get_marker()) for line in marks}) == 2
    assert all(label.get_text().endswith("%") for label in accuracy.get_yticklabels())


def test_line_charts_with_a_logarithmic_x_axis_show_plain_numbers():
    panels = {"a": {"": (np.array([0.01, 0.1, 1.0]), X[:3])}}
    (ax,) = saved(plotting.line_charts(panels, log_x=True)).axes
    assert ax.get_xscale() == "log"
    assert ax.xaxis.get_major_formatter()(0.01) == "0.01"


def test_histograms_share_one_scale_and_normalize_each_group():
    random = np.random.default_rng(0)
    narrow, wide = random.normal(0, 1, (9, 8, 8)), random.normal(5, 3, (9, 8, 8))
    panels = {"before": {"first": narrow, "second": wide}, "after": {"first": narrow}}
    figure = saved(plotting.histograms(panels, xlabel="value", title="Two"))
    before, after = figure.axes
    assert [ax.get_title("left") for ax in figure.axes] == ["before", "after"]
    assert before.get_xlim() == after.get_xlim() and after.get_xlabel() == "value"
    assert [text.get_text() for text in before.get_legend().get_texts()] == ["first", "second"]
    # The areas are 1, except for the few values outside of the axis.
    areas = [
        float(np.sum(patch.get_data().values * np.diff(patch.get_data().edges)))
        for patch in before.patches
    ]
    assert areas == pytest.approx([1] * 4)
    saved(plotting.histograms({"constant": {"all": np.zeros(5)}}))


@pytest.mark.parametrize("panels", [{}, {"a": {}}, {"a": {"b": []}}])
def test_histograms_need_values(panels):
    with pytest.raises(ValueError, match="values in each group"):
        plotting.histograms(panels)


def test_value_grids_cross_out_zeros():
    grids = {"input": [[1.5, 2], [3, 4]], "training": [[3, 0], [0, 8]]}
    (ax,) = saved(plotting.value_grids(grids, title="T")).axes
    assert texts(ax) == ["1.5", "2.0", "3.0", "4.0", "input", "3.0", "8.0", "training"]
    assert [line.get_marker() for line in ax.lines] == ["x", "x"]
    (ax,) = saved(plotting.value_grids({"input": [[-0.72]]})).axes
    assert texts(ax) == ["−0.7", "input"]


def test_value_grids_are_drawn_from_top_to_bottom():
    (ax,) = saved(plotting.value_grids({"input": [[1.5, 2], [3, 4]]})).axes
    heights = {text.get_text(): text.get_position()[1] for text in ax.texts}
    assert heights["1.5"] > heights["4.0"]


def test_filter_responses_draw_each_filter_above_its_feature_map():
    kernel = np.zeros((3, 3, 1, 2))
    kernel[..., 0], kernel[..., 1] = 1, -1
    maps = np.zeros((26, 26, 2))
    maps[0, 0] = 1
    figure = saved(plotting.filter_responses(kernel, maps, np.zeros((28, 28)), columns=2))
    page = figure.axes[0].images[0].get_array()
    top = page[: page.shape[0] // 3]
    left, right = np.array_split(top, 2, axis=1)
    red, blue = (int(side[..., 0].sum()) - int(side[..., 2].sum()) for side in (left, right))
    assert red > 0 > blue
    assert texts(figure.axes[0]) == ["0", "1"]
    assert len(figure.axes) == 2  # with the input


def test_from_image_to_prediction_names_only_probabilities_that_matter():
    probabilities = np.array([0.002, 0.95, 0.048])
    figure = saved(
        plotting.from_image_to_prediction(
            np.zeros((28, 28)), np.ones((26, 26, 16)), probabilities, "abc",
            np.zeros((2, 28, 28)), [4, 7], title="T",
        )
    )  # fmt: skip
    bars = figure.axes[2]
    assert texts(bars) == ["95.0%", "4.8%"]
    colors = [bar.get_facecolor()[:3] for bar in bars.patches]
    assert [color == to_rgb(BLUE) for color in colors] == [False, True, False]
    assert [ax.get_title() for ax in figure.axes[3:]] == ["4", "7"]
    width, height = figure.get_size_inches()
    assert width <= 9 and height <= 4.5


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: plotting.line_charts({}), "at least one title"),
        (lambda: plotting.line_charts({"a": {"b": (X, X[1:])}}), "x and y of 'b'"),
        (lambda: plotting.early_stopping({}), "at least one title"),
        (
            lambda: plotting.early_stopping({"a": ([1], {"b": (1, 2)})}),
            "'b' must be a pair .* of epochs from 1",
        ),
        (lambda: plotting.value_grids({"a": [[1]], "b": [[1, 2]]}), "arrays of one shape"),
        (lambda: plotting.filter_responses(np.ones((3, 3, 2, 1)), np.ones((2, 2, 1))), "kernel"),
        (lambda: plotting.filter_responses(np.ones((3, 3, 1, 1)), np.ones((2, 2, 3))), "maps"),
        (
            lambda: plotting.from_image_to_prediction(X, np.ones((2, 2, 3)), X, "abcd"),
            "maps must have the shape",
        ),
    ],
)
def test_wrong_arguments_are_explained(call, message):
    with pytest.raises(ValueError, match=message):
        call()
