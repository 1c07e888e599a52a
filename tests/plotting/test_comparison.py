"""Figures that compare networks and training runs."""

import io

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


def test_each_quantity_has_a_panel_and_each_bar_its_value():
    figure = plotting.compare_networks(ROWS, title="Side by side", chance=0.1)
    assert [ax.get_title(loc="left") for ax in figure.axes] == list(ROWS[0])[2:]
    parameters, seconds, loss, accuracy = figure.axes
    assert texts(parameters) == ["394,634", "82,826"]
    assert texts(seconds) == ["21.0", "140"]
    assert texts(loss) == ["1.70", "1.20"]
    assert texts(accuracy) == ["40.0%", "60.0%"]
    assert [bar.get_width() for bar in accuracy.patches] == [0.4, 0.6]
    assert [label.get_text() for label in parameters.get_yticklabels()] == ["MLP", "CNN"]
    assert "chance level, 10%" in accuracy.get_xlabel()
    assert "chance" not in loss.get_xlabel()
    assert plt.get_fignums() == []


def test_each_panel_says_which_way_is_better():
    row = {"network": "CNN", "images per second": 414.0, "seconds": 9.0, "test accuracy": 0.6}
    panels = plotting.compare_networks([row]).axes
    assert [ax.get_xlabel() for ax in panels] == [
        "higher is faster",
        "lower is cheaper",
        "higher is better",
    ]


def test_kinds_differ_in_color_and_hatching_and_are_named():
    figure = plotting.compare_networks(ROWS)
    mlp, cnn = figure.axes[0].patches
    assert to_hex(mlp.get_facecolor()) != to_hex(cnn.get_facecolor())
    assert mlp.get_hatch() != cnn.get_hatch()
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["dense", "convolution"]


def test_the_first_network_is_at_the_top_and_values_stay_inside():
    figure = plotting.compare_networks(ROWS)
    figure.draw_without_rendering()
    low, high = figure.axes[0].get_ylim()
    assert low > high
    for ax in figure.axes:
        frame = ax.get_window_extent()
        assert all(text.get_window_extent().x1 <= frame.x1 for text in ax.texts)


def test_without_kinds_there_is_no_legend_and_a_value_of_none_has_no_bar():
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
        ([{"network": "a", "accuracy": 40.0}], "must be from 0 to 1"),
        ([{"network": "a", "seconds": np.nan}], "must be finite"),
        ([{"network": "a", "seconds": -1}], "must be finite"),
    ],
)
def test_wrong_rows_are_rejected_with_a_sentence(rows, reason):
    with pytest.raises(ValueError, match=reason):
        plotting.compare_networks(rows)


HISTORIES = {"MLP": {"val_accuracy": [0.2, 0.3, 0.4]}, "CNN": {"val_accuracy": [0.3, 0.5]}}


def test_curves_share_a_panel_and_name_their_last_value():
    figure = plotting.compare_curves(HISTORIES, title="T", chance=0.1)
    (ax,) = figure.axes
    mlp, cnn, chance = ax.lines
    assert list(mlp.get_xdata()) == [1, 2, 3] and list(cnn.get_ydata()) == [0.3, 0.5]
    named = [text.get_text() for text in ax.get_legend().get_texts()]
    assert named == ["MLP: 40.0% after epoch 3", "CNN: 50.0% after epoch 2"]
    assert mlp.get_color() != cnn.get_color() and mlp.get_linestyle() != cnn.get_linestyle()
    assert list(chance.get_ydata()) == [0.1, 0.1] and texts(ax) == ["chance level, 10%"]
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
        ({"a": {"loss": [1.0]}}, "'a' must contain 'val_accuracy'"),
        ({"a": {"val_accuracy": []}}, "'a' must contain 'val_accuracy'"),
    ],
)
def test_histories_without_validation_are_rejected_with_a_sentence(histories, reason):
    with pytest.raises(ValueError, match=reason):
        plotting.compare_curves(histories)


GAP_HISTORIES = {
    name: {"accuracy": [0.2, 0.4, 0.6 + step], "val_accuracy": [0.25, 0.35, 0.4]}
    for name, step in zip(["I", "II", "III", "IV", "V"], np.arange(5) / 20, strict=True)
}
FINAL_ACCURACIES = {
    name: (history["accuracy"][-1] + 0.1, 0.4) for name, history in GAP_HISTORIES.items()
}


def test_each_network_has_a_panel_with_its_gap_in_points():
    figure = plotting.gap_curves(GAP_HISTORIES, FINAL_ACCURACIES, title="Five", chance=0.1)
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
    assert any("without dropout" in note and "chance level, 10%" in note for note in notes)


def test_curves_and_final_accuracies_are_those_given():
    ax = plotting.gap_curves({"I": GAP_HISTORIES["I"]}, FINAL_ACCURACIES).axes[0]
    curves = {line.get_label(): line for line in ax.lines if not line.get_label().startswith("_")}
    assert list(curves["training"].get_ydata()) == GAP_HISTORIES["I"]["accuracy"]
    assert list(curves["validation"].get_ydata()) == GAP_HISTORIES["I"]["val_accuracy"]
    assert list(curves["training"].get_xdata()) == [1, 2, 3]
    marks = [line.get_ydata()[0] for line in ax.lines if len(line.get_xdata()) == 1]
    assert marks == pytest.approx(FINAL_ACCURACIES["I"])
    assert all(tick in (1, 2, 3) for tick in ax.get_xticks())
    low, high = ax.get_ylim()
    assert (low, high) == (0, 1), "panels of all figures can be compared"


def test_a_negative_gap_has_a_minus_sign():
    figure = plotting.gap_curves({"I": GAP_HISTORIES["I"]}, {"I": (0.30, 0.35)})
    assert figure.axes[0].get_title(loc="left") == "I: gap −5.0 points"


@pytest.mark.parametrize(
    ("histories", "final_accuracies", "reason"),
    [
        ({}, {}, "at least one network"),
        (
            {"I": {"accuracy": [0.1]}},
            FINAL_ACCURACIES,
            "the history of 'I' must contain 'accuracy'",
        ),
        (
            {"I": {"accuracy": [0.1], "val_accuracy": [0.1, 0.2]}},
            FINAL_ACCURACIES,
            "one value per epoch",
        ),
        (GAP_HISTORIES, {}, "final_accuracies must contain 'I'"),
    ],
)
def test_incomplete_runs_are_rejected_with_a_sentence(histories, final_accuracies, reason):
    with pytest.raises(ValueError, match=reason):
        plotting.gap_curves(histories, final_accuracies)


BY_SEED = {"I": [0.2, 0.3, 0.4], "II": [0.5, 0.5, 0.56]}


def test_seeds_are_dots_with_their_mean_and_deviation():
    figure = plotting.seed_variation(
        BY_SEED, your_run={"II": 0.45}, title="Seeds", label="accuracy"
    )
    (ax,) = figure.axes
    assert [text.get_text() for text in ax.texts] == ["30.0% ± 10.0", "52.0% ± 3.5"]
    dots = [list(line.get_xdata()) for line in ax.lines if line.get_marker() == "o"]
    assert dots == list(BY_SEED.values())
    bands = [line.get_xdata() for line in ax.lines if line.get_linewidth() == 7]
    assert bands[0] == pytest.approx([0.2, 0.4])
    diamonds = [
        (line.get_xdata()[0], line.get_ydata()[0]) for line in ax.lines if line.get_marker() == "D"
    ]
    assert diamonds == [(0.45, 1)]
    low, high = ax.get_ylim()
    assert low > high, "the first is at the top"
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["mean ± standard deviation", "one seed", "your run"]


@pytest.mark.parametrize(("low", "high"), [(0.25, 0.44), (0.35, 0.53), (0.1, 0.9), (0.5, 0.56)])
def test_the_ticks_are_exactly_at_the_percentages_of_their_labels(low, high):
    (ax,) = plotting.seed_variation({"I": [low, high]}).axes
    labels = [text.get_text() for text in ax.get_xticklabels()]
    assert labels == [f"{round(100 * tick)}%".replace("-", "−") for tick in ax.get_xticks()]
    percentages = 100 * ax.get_xticks()
    assert len(percentages) > 2
    assert percentages == pytest.approx(np.round(percentages))


def test_a_range_without_a_whole_percentage_has_no_wrong_label():
    (ax,) = plotting.seed_variation({"I": [0.502, 0.5021]}).axes
    low, high = ax.get_xlim()
    assert not [tick for tick in ax.get_xticks() if low < tick < high]


def test_without_your_run_the_legend_does_not_name_it():
    names = [text.get_text() for text in plotting.seed_variation(BY_SEED).legends[0].get_texts()]
    assert names == ["mean ± standard deviation", "one seed"]


@pytest.mark.parametrize("accuracies", [{}, {"I": [0.5]}])
def test_seed_variation_needs_two_seeds(accuracies):
    with pytest.raises(ValueError, match="two or more seeds"):
        plotting.seed_variation(accuracies)


def test_seed_variation_states_differences_in_points():
    figure = plotting.seed_variation({"A": [0.05, 0.07]}, label="accuracy lost", unit="points")
    (ax,) = figure.axes
    assert ax.get_xlabel() == "accuracy lost (points)"
    assert [text.get_text() for text in ax.texts] == ["6.0 ± 1.4"]
    assert not any("%" in text.get_text() for text in ax.get_xticklabels())


def test_seed_curves_show_the_mean_and_the_range_of_the_seeds():
    epochs = [1, 10, 50]
    panels = {
        "Training": {"I": (epochs, [[0.5, 0.6, 0.7], [0.7, 0.8, 0.9]])},
        "Validation": {"I": (epochs, [[0.4, 0.5, 0.6], [0.4, 0.5, 0.8]])},
    }
    figure = plotting.seed_curves(panels, title="One", limits=(0.3, 1))
    figure.savefig(io.BytesIO(), format="png")
    training, validation = figure.axes
    assert [ax.get_title("left") for ax in figure.axes] == ["Training", "Validation"]
    assert list(training.lines[0].get_ydata()) == pytest.approx([0.6, 0.7, 0.8])
    heights = validation.collections[0].get_paths()[0].vertices[:, 1]
    assert (heights.min(), heights.max()) == (0.4, 0.8)
    assert training.get_ylim() == validation.get_ylim() == (0.3, 1)
    assert [text.get_text() for text in validation.get_legend().get_texts()] == ["I"]


@pytest.mark.parametrize("panels", [{}, {"a": {"I": ([1, 2], [[0.1, 0.2, 0.3]])}}])
def test_seed_curves_need_a_column_per_item_of_x(panels):
    with pytest.raises(ValueError, match=r"at least one title|2 columns"):
        plotting.seed_curves(panels)
