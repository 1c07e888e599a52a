"""Figures of several trainings: the gap of each, and the scatter of seeds."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from course import plotting

HISTORIES = {
    name: {"accuracy": [0.2, 0.4, 0.6 + step], "val_accuracy": [0.25, 0.35, 0.4]}
    for name, step in zip(["I", "II", "III", "IV", "V"], np.arange(5) / 20, strict=True)
}
ENDS = {name: (history["accuracy"][-1] + 0.1, 0.4) for name, history in HISTORIES.items()}


def test_each_network_has_a_panel_with_its_gap_in_points():
    figure = plotting.gap_curves(HISTORIES, ENDS, title="Five", chance=0.1)
    titles = [ax.get_title(loc="left") for ax in figure.axes]
    assert titles == [
        "I: gap 30.0 points",
        "II: gap 35.0 points",
        "III: gap 40.0 points",
        "IV: gap 45.0 points",
        "V: gap 50.0 points",
    ]
    assert plt.get_fignums() == []
    notes = [text.get_text() for text in figure.texts]
    assert any("dropout off" in note and "chance, 10%" in note for note in notes)


def test_curves_and_ends_are_where_the_numbers_are():
    ax = plotting.gap_curves({"I": HISTORIES["I"]}, ENDS).axes[0]
    curves = {line.get_label(): line for line in ax.lines if not line.get_label().startswith("_")}
    assert list(curves["training"].get_ydata()) == HISTORIES["I"]["accuracy"]
    assert list(curves["validation"].get_ydata()) == HISTORIES["I"]["val_accuracy"]
    assert list(curves["training"].get_xdata()) == [1, 2, 3]
    ends = [line.get_ydata()[0] for line in ax.lines if len(line.get_xdata()) == 1]
    assert ends == pytest.approx(ENDS["I"])
    assert all(tick in (1, 2, 3) for tick in ax.get_xticks())
    low, high = ax.get_ylim()
    assert (low, high) == (0, 1), "all panels of all runs can be compared"


def test_a_negative_gap_is_shown_as_one():
    figure = plotting.gap_curves({"I": HISTORIES["I"]}, {"I": (0.30, 0.35)})
    assert figure.axes[0].get_title(loc="left") == "I: gap −5.0 points"


@pytest.mark.parametrize(
    ("histories", "ends", "sentence"),
    [
        ({}, {}, "at least one network"),
        ({"I": {"accuracy": [0.1]}}, ENDS, "the history of 'I' must hold 'accuracy'"),
        ({"I": {"accuracy": [0.1], "val_accuracy": [0.1, 0.2]}}, ENDS, "one an epoch"),
        (HISTORIES, {}, "ends must hold 'I'"),
    ],
)
def test_what_cannot_be_drawn_is_told(histories, ends, sentence):
    with pytest.raises(ValueError, match=sentence):
        plotting.gap_curves(histories, ends)


MEASURED = {"I": [0.2, 0.3, 0.4], "II": [0.5, 0.5, 0.56]}


def test_seeds_are_dots_with_their_mean_and_deviation():
    figure = plotting.seed_spread(MEASURED, own={"II": 0.45}, title="Seeds", label="accuracy")
    (ax,) = figure.axes
    assert [text.get_text() for text in ax.texts] == ["30.0% ± 10.0", "52.0% ± 3.5"]
    dots = [list(line.get_xdata()) for line in ax.lines if line.get_marker() == "o"]
    assert dots == list(MEASURED.values())
    bands = [line.get_xdata() for line in ax.lines if line.get_linewidth() == 7]
    assert bands[0] == pytest.approx([0.2, 0.4])
    own = [
        (line.get_xdata()[0], line.get_ydata()[0]) for line in ax.lines if line.get_marker() == "D"
    ]
    assert own == [(0.45, 1)]
    low, high = ax.get_ylim()
    assert low > high, "the first stands at the top"
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["mean ± standard deviation", "one seed", "your run"]


def test_without_an_own_run_the_legend_names_none():
    names = [text.get_text() for text in plotting.seed_spread(MEASURED).legends[0].get_texts()]
    assert names == ["mean ± standard deviation", "one seed"]


@pytest.mark.parametrize("measured", [{}, {"I": [0.5]}])
def test_a_scatter_needs_two_seeds(measured):
    with pytest.raises(ValueError, match="two seeds or more"):
        plotting.seed_spread(measured)
