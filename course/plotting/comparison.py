"""Comparisons of several networks or training runs: costs, curves, gaps, and seed variation."""

from typing import Any

import numpy as np
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator, PercentFormatter

from course.plotting.primitives import (
    BLUE,
    GRAY,
    NO_TICKS,
    ORANGE,
    PAGE_INCHES,
    TITLE,
    VERMILLION,
    Figure,
    longest_line,
    show_percentages,
)

COLORS = (BLUE, VERMILLION, ORANGE, "#009E73", "#CC79A7", "#56B4E9")  # Okabe-Ito
HATCHES = ("", "//", "..", "xx", "\\\\", "--")
LINES = ("-o", "--s", "-.^", ":D", "-v", "--P")
BETTER = {  # by the last word of a quantity's name
    "accuracy": "higher is better",
    "loss": "lower is better",
    "second": "higher is faster",  # such as images per second
}
GAP_COLUMNS = 4
GAP_CURVES: dict[str, dict[str, Any]] = {
    "training": {"color": BLUE, "linestyle": "--", "marker": "o", "markersize": 2.5},
    "validation": {"color": VERMILLION, "linestyle": "-", "marker": "s", "markersize": 2.5},
}


def compare_networks(rows, title="", chance=None) -> Figure:
    """Compare networks, with one panel per quantity and one bar per network.

    Parameters
    ----------
    rows : list of dict
        One row per network, as for `course.table`: its name under "network", and
        optionally its type under "kind", which determines the color of its bars and appears in a
        legend. Each other key is a quantity with its own panel. Keys that end in "accuracy" have
        fractions as values, which are shown as percentages. A value of None has no bar.
    chance : float, optional
        Chance level as a fraction, drawn as a dotted line in the accuracy panels.

    Raises
    ------
    ValueError
        If there is no row, a quantity of the first row is missing from another row, a value is
        negative or not finite, or an accuracy is greater than 1.
    """
    quantities = _quantities(rows)
    kinds = list(dict.fromkeys(row.get("kind", "") for row in rows))
    styles: dict[str, dict[str, Any]] = {
        kind: {
            "facecolor": COLORS[index % len(COLORS)],
            "hatch": HATCHES[index % len(COLORS)],
            "edgecolor": "white",
            "linewidth": 0,
        }
        for index, kind in enumerate(kinds)
    }
    names = [str(row["network"]) for row in rows]
    figure = Figure(figsize=(PAGE_INCHES - 0.08 * longest_line(names), 0.34 * len(rows) + 0.1))
    panels = figure.subplots(1, len(quantities), sharey=True, squeeze=False)[0]
    figure.subplots_adjust(left=0, right=1, bottom=0, top=1, wspace=0.12)
    for ax, quantity in zip(panels, quantities, strict=True):
        values = [row[quantity] for row in rows]
        is_fraction = quantity.endswith("accuracy")
        for position, (row, value) in enumerate(zip(rows, values, strict=True)):
            if value is not None:
                ax.barh(position, value, height=0.7, **styles[row.get("kind", "")])
                ax.annotate(
                    _format(value, is_fraction), (value, position), (3, 0), va="center", size=9,
                    textcoords="offset points",
                )  # fmt: skip
        # The text after the longest bar needs space inside its panel.
        largest = max([value for value in values if value is not None] + [chance or 0], default=0)
        ax.set_xlim(0, 1.75 * (largest or 1))
        ax.set_xticks([])
        ax.spines[["top", "right", "bottom"]].set_visible(False)
        ax.tick_params(axis="y", **NO_TICKS)
        ax.set_title(quantity, **{**TITLE, "fontsize": 10})
        better = BETTER.get(quantity.split()[-1], "lower is cheaper")
        ax.set_xlabel(better, loc="left", size=9)
        if is_fraction and chance is not None:
            ax.axvline(chance, color="black", linestyle=":", linewidth=1.2)
            ax.set_xlabel(f"{better};\ndotted: chance level, {chance:.0%}", loc="left", size=9)
    panels[0].set_yticks(range(len(rows)), names)
    panels[0].set_ylim(len(rows) - 0.5, -0.5)
    height = figure.get_figheight()
    if any(kinds):
        handles = [Patch(label=kind or "other", **styles[kind]) for kind in kinds]
        _add_legend(figure, 0.25, handles=handles, ncols=len(kinds))
    if title:
        above = 0.6 if any(kinds) else 0.35
        figure.suptitle(title, x=0, y=1 + above / height, ha="left", va="bottom", fontsize=11)
    return figure


def compare_curves(histories, title="", chance=None) -> Figure:
    """Draw the validation accuracy of several networks against the epoch, in one panel.

    Parameters
    ----------
    histories : dict of (dict of lists)
        Training histories by name, each with one fraction per epoch under "val_accuracy". The
        number of epochs may differ.
    chance : float, optional
        Chance level as a fraction, drawn as a dotted line.

    Raises
    ------
    ValueError
        If there is no training history, or one of them has no validation accuracy.
    """
    if not histories:
        raise ValueError("histories must contain at least one network.")
    for name, history in histories.items():
        if not len(history.get("val_accuracy", ())):
            raise ValueError(
                f"the history of {name!r} must contain 'val_accuracy', with one value per epoch."
            )
    figure = Figure(figsize=(0.75 * PAGE_INCHES, 3.2))
    ax = figure.add_axes((0, 0, 1, 1))
    last = max(len(history["val_accuracy"]) for history in histories.values())
    for index, (name, history) in enumerate(histories.items()):
        accuracies = np.asarray(history["val_accuracy"])
        epochs = range(1, len(accuracies) + 1)
        label = f"{name}: {accuracies[-1]:.1%} after epoch {len(accuracies)}"
        color, line = COLORS[index % len(COLORS)], LINES[index % len(LINES)]
        ax.plot(epochs, accuracies, line, label=label, color=color, markersize=4)
    if chance is not None:
        ax.axhline(chance, color="black", linestyle=":", linewidth=1.2)
        ax.annotate(
            f"chance level, {chance:.0%}", (last, chance), (0, 3),
            textcoords="offset points", size=9, ha="right",
        )  # fmt: skip
    ax.set_ylim(0, None)
    ax.set_xlim(0.8, last + 0.2)
    ax.xaxis.set_major_locator(MaxNLocator(8, integer=True, min_n_ticks=1))
    show_percentages(ax.yaxis)
    ax.set_xlabel("epoch")
    ax.set_ylabel("validation accuracy (% of images)")
    ax.grid(alpha=0.3)
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(
        loc="upper left", bbox_to_anchor=(1.02, 1), frameon=False, fontsize=9, borderaxespad=0
    )
    ax.set_title(title or "Higher is better", **TITLE)
    return figure


def gap_curves(histories, final_accuracies, title="", chance=None) -> Figure:
    """Draw the training and validation accuracy of several networks, with the gap shaded.

    Parameters
    ----------
    histories : dict of (dict of lists)
        Training histories by name, each with one fraction per epoch under "accuracy" and
        "val_accuracy". Each network has its own panel.
    final_accuracies : dict of (float, float)
        Training and validation accuracy after training by name, as fractions measured without
        dropout; drawn as two larger marks after the last epoch, with the gap in percentage points.
    chance : float, optional
        Chance level as a fraction, drawn as a dotted line.

    Raises
    ------
    ValueError
        If there is no training history, a curve is missing, or a network has no final accuracies.
    """
    if not histories:
        raise ValueError("histories must contain at least one network.")
    for name, history in histories.items():
        lengths = [len(history.get(key, ())) for key in ("accuracy", "val_accuracy")]
        if not lengths[0] or len(set(lengths)) > 1:
            raise ValueError(
                f"the history of {name!r} must contain 'accuracy' and 'val_accuracy', each with"
                " one value per epoch."
            )
        if name not in final_accuracies:
            raise ValueError(
                f"final_accuracies must contain {name!r}: its training and validation accuracy."
            )
    columns = min(GAP_COLUMNS, len(histories))
    rows = -(-len(histories) // columns)
    figure = Figure(figsize=(PAGE_INCHES * columns / GAP_COLUMNS, 2.2 * rows))
    panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    figure.subplots_adjust(left=0, right=1, bottom=0, top=1, wspace=0.08, hspace=0.25)
    last = max(len(history["accuracy"]) for history in histories.values())
    for ax, (name, history) in zip(panels, histories.items(), strict=False):
        epochs = np.arange(1, len(history["accuracy"]) + 1)
        curves = np.array([history["accuracy"], history["val_accuracy"]], dtype=float)
        final, end = final_accuracies[name], epochs[-1] + 0.08 * last
        ax.fill_between(epochs, *curves, color=GRAY, alpha=0.35, linewidth=0)
        for (label, style), curve, mark in zip(GAP_CURVES.items(), curves, final, strict=True):
            ax.plot(epochs, curve, linewidth=1.2, label=label, **style)
            ax.plot([end], [mark], **{**style, "markersize": 6})
        ax.plot([end, end], final, color="black", linewidth=1)
        gap = f"{100 * (final[0] - final[1]):.1f}".replace("-", "−")
        ax.set_title(f"{name}: gap {gap} points", **{**TITLE, "fontsize": 10})
        if chance is not None:
            ax.axhline(chance, color="black", linestyle=":", linewidth=1)
        ax.grid(alpha=0.3)
        ax.spines[["top", "right"]].set_visible(False)
    for ax in panels[len(histories) :]:
        ax.remove()
    panels[0].set_ylim(0, 1)
    panels[0].set_xlim(0.5, 1.12 * last + 0.3)
    ticks = MaxNLocator(4, integer=True, min_n_ticks=1).tick_values(1, last)
    panels[0].set_xticks([int(tick) for tick in ticks if 1 <= tick <= last])
    show_percentages(panels[0].yaxis)
    for index in range(len(histories)):
        if index % columns == 0:
            panels[index].set_ylabel("accuracy (% of images)", size=9)
        if index + columns >= len(histories):
            panels[index].set_xlabel("epoch", size=9)
            panels[index].tick_params(labelbottom=True)
    panels[0].legend(loc="best", frameon=False, fontsize=8, borderaxespad=0.1)
    note = (
        "Curves: fit measures training accuracy while the weights change, and with any dropout."
        "\nMarks at the end: both accuracies after training, without dropout."
    )
    if chance is not None:
        note += f" Dotted: chance level, {chance:.0%}."
    figure.text(0, -0.5 / figure.get_figheight(), note, size=9, va="top")
    if title:
        figure.suptitle(title, x=0, y=1 + 0.35 / figure.get_figheight(), ha="left", va="bottom")
    return figure


def seed_variation(
    accuracies,
    your_run=None,
    title="",
    label="accuracy",
    your_label="your run",
    unit="% of images",
) -> Figure:
    """Show the result of each seed as a dot, with the mean ± standard deviation and your own run.

    Parameters
    ----------
    accuracies : dict of (list of float)
        Accuracies as fractions by name, one per seed, for at least two seeds.
    your_run : dict of float, optional
        Accuracies of your own run as fractions by name, drawn as diamonds.
    title, label, your_label, unit : str
        `label` and `unit` name the x-axis, and `your_label` names your run. The unit of a
        difference of accuracies is "points".

    Raises
    ------
    ValueError
        If there are no accuracies, or a network has fewer than two seeds.
    """
    if not accuracies or any(len(values) < 2 for values in accuracies.values()):
        raise ValueError(
            "accuracies must contain at least one network, each with two or more seeds."
        )
    your_run = your_run or {}
    names = list(accuracies)
    width = PAGE_INCHES - 1.5 - 0.08 * longest_line(names)
    figure = Figure(figsize=(width, 0.36 * len(names) + 0.2))
    ax = figure.add_axes((0, 0, 1, 1))
    legend, sign = {}, "%" if unit.startswith("%") else ""
    for y, (name, values) in enumerate(accuracies.items()):
        mean, deviation = np.mean(values), np.std(values, ddof=1)
        (legend["mean ± standard deviation"],) = ax.plot(
            [mean - deviation, mean + deviation], [y, y],
            color=BLUE, linewidth=7, alpha=0.35, solid_capstyle="butt",
        )  # fmt: skip
        ax.plot([mean], [y], "|", color=BLUE, markersize=14, markeredgewidth=2)
        (legend["one seed"],) = ax.plot(values, [y] * len(values), "o", color=BLUE, markersize=4)
        if name in your_run:
            # The diamond is hollow because it may overlap a dot.
            (legend[your_label],) = ax.plot(
                [your_run[name]], [y], "D", color=VERMILLION, markersize=8, markerfacecolor="none"
            )
        text = f"{100 * mean:.1f}{sign} ± {100 * deviation:.1f}"
        ax.annotate(text, (1.01, y), xycoords=("axes fraction", "data"), va="center", size=9)
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.tick_params(axis="y", **NO_TICKS)
    show_percentages(ax.xaxis)
    ax.xaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=sign))
    ax.set_xlabel(f"{label} ({unit})")
    ax.grid(axis="x", alpha=0.3)
    ax.spines[["top", "right", "left"]].set_visible(False)
    handles = list(legend.values())
    _add_legend(figure, 0.08, handles=handles, labels=list(legend), ncols=len(legend))
    if title:
        above = 1 + 0.4 / figure.get_figheight()
        figure.suptitle(title, x=0, y=above, ha="left", va="bottom", fontsize=11)
    return figure


def seed_curves(
    panels, xlabel="epoch", ylabel="accuracy (% of images)", title="", limits=None
) -> Figure:
    """Draw the mean curve of several seeds, with the range of the seeds as a shaded area.

    Parameters
    ----------
    panels : dict of dict
        One panel per title; each contains pairs (x, values) by name, where values are fractions
        with one row per seed and one column per item of x. All panels have the same y-axis.
    xlabel, ylabel, title : str
    limits : (float, float), optional
        The lowest and the highest value of the y-axis; curves beyond them are cut off.

    Raises
    ------
    ValueError
        If there is no panel, or the values of a line do not have one column per item of x.
    """
    if not panels:
        raise ValueError("panels must contain at least one title with its lines.")
    figure = Figure(figsize=(PAGE_INCHES * min(1, 0.4 + 0.3 * len(panels)), 3.4))
    axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    figure.subplots_adjust(left=0, right=1, bottom=0, top=1, wspace=0.08)
    for ax, (heading, lines) in zip(axes, panels.items(), strict=True):
        for index, (name, (x, values)) in enumerate(lines.items()):
            x, values = np.asarray(x), np.asarray(values, dtype=float)
            if values.ndim != 2 or values.shape[1] != len(x):
                raise ValueError(
                    f"the values of {name!r} must have one row per seed and {len(x)} columns."
                )
            color, style = COLORS[index % len(COLORS)], LINES[index % len(LINES)].rstrip("osD^vP")
            ax.fill_between(x, values.min(0), values.max(0), color=color, alpha=0.25, linewidth=0)
            ax.plot(x, values.mean(0), style, color=color, linewidth=2.4, label=name)
        ax.set_title(heading, **{**TITLE, "fontsize": 13})
        ax.set_xlabel(xlabel, size=12)
        ax.tick_params(labelsize=11)
        ax.grid(alpha=0.3)
        ax.spines[["top", "right"]].set_visible(False)
    show_percentages(axes[0].yaxis)
    axes[0].set_ylabel(ylabel, size=12)
    axes[-1].legend(loc="lower right", fontsize=12, frameon=False)
    if limits:
        axes[0].set_ylim(limits)
    if title:
        above = 1 + 0.42 / figure.get_figheight()
        figure.suptitle(title, x=0, y=above, ha="left", va="bottom", fontsize=15)
    return figure


def _quantities(rows: list[dict]) -> list[str]:
    """Check all values and return the keys that become panels."""
    if not rows:
        raise ValueError("rows must contain at least one network.")
    quantities = [key for key in rows[0] if key not in ("network", "kind")]
    if not quantities:
        raise ValueError("a row must contain a quantity, such as 'parameters', besides its name.")
    for row in rows:
        missing = {"network", *quantities} - row.keys()
        if missing:
            raise ValueError(f"every row must contain {sorted(missing)[0]!r}; {row} does not.")
        for key in quantities:
            value, maximum = row[key], 1 if key.endswith("accuracy") else np.inf
            if value is not None and not (np.isfinite(value) and 0 <= value <= maximum):
                allowed = "from 0 to 1" if maximum == 1 else "finite and not negative"
                raise ValueError(f"{key} of {row['network']!r} must be {allowed}; got {value}.")
    return quantities


def _format(value: Any, is_fraction: bool) -> str:
    if is_fraction:
        return f"{value:.1%}"
    if isinstance(value, int | np.integer):
        return f"{value:,}"
    return f"{value:,.0f}" if value >= 100 else f"{value:#.3g}".rstrip(".")


def _add_legend(figure: Figure, distance: float, **options: Any) -> None:
    """Add a legend above a figure at the given distance in inches."""
    anchor = (0, 1 + distance / figure.get_figheight())
    figure.legend(
        loc="lower left", bbox_to_anchor=anchor, frameon=False, fontsize=9, borderpad=0, **options
    )
