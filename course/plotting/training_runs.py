"""Several trainings: how far training and validation lie apart, and how far seeds scatter."""

import numpy as np
from matplotlib.ticker import MaxNLocator, PercentFormatter

from course.plotting.primitives import (
    BLUE,
    GREY,
    NO_TICKS,
    PAGE_INCHES,
    TITLE,
    VERMILLION,
    Figure,
    longest,
)

COLUMNS = 4
CURVES = {
    "training": {"color": BLUE, "linestyle": "--", "marker": "o", "markersize": 2.5},
    "validation": {"color": VERMILLION, "linestyle": "-", "marker": "s", "markersize": 2.5},
}


def gap_curves(histories, ends, title="", chance=None) -> Figure:
    """Draw training and validation accuracy of several networks, a panel each, the gap shaded.

    Parameters
    ----------
    histories : dict of (dict of lists)
        Name to history, each with "accuracy" and "val_accuracy", one share from 0 to 1 an epoch.
    ends : dict of (float, float)
        Name to training and validation accuracy after the training, both with dropout off: two
        larger marks behind the last epoch, and the gap in points.
    title : str
    chance : float, optional
        The accuracy of guessing, a share: a dotted line.

    Raises
    ------
    ValueError
        Where there is no history, one lacks a curve, or a network has no end.
    """
    if not histories:
        raise ValueError("histories must hold at least one network.")
    for name, history in histories.items():
        curves = [len(history.get(key, ())) for key in ("accuracy", "val_accuracy")]
        if not curves[0] or len(set(curves)) > 1:
            raise ValueError(
                f"the history of {name!r} must hold 'accuracy' and 'val_accuracy', one an epoch."
            )
        if name not in ends:
            raise ValueError(f"ends must hold {name!r}: its training and validation accuracy.")
    columns = min(COLUMNS, len(histories))
    rows = -(-len(histories) // columns)
    figure = Figure(figsize=(PAGE_INCHES * columns / COLUMNS, 2.2 * rows))
    panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    figure.subplots_adjust(left=0, right=1, bottom=0, top=1, wspace=0.08, hspace=0.25)
    last = max(len(history["accuracy"]) for history in histories.values())
    for ax, (name, history) in zip(panels, histories.items(), strict=False):
        epochs = np.arange(1, len(history["accuracy"]) + 1)
        curves = np.array([history["accuracy"], history["val_accuracy"]], dtype=float)
        end = epochs[-1] + 0.08 * last
        ax.fill_between(epochs, *curves, color=GREY, alpha=0.35, linewidth=0)
        for (label, looks), curve, after in zip(CURVES.items(), curves, ends[name], strict=True):
            ax.plot(epochs, curve, linewidth=1.2, label=label, **looks)
            ax.plot([end], [after], **{**looks, "markersize": 6})
        ax.plot([end, end], ends[name], color="black", linewidth=1)
        points = 100 * (ends[name][0] - ends[name][1])
        ax.set_title(f"{name}: gap {_signed(points)} points", **{**TITLE, "fontsize": 10})
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
    panels[0].yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    for number in range(len(histories)):
        if number % columns == 0:
            panels[number].set_ylabel("accuracy (% of pictures)", size=9)
        if number + columns >= len(histories):
            panels[number].set_xlabel("epoch", size=9)
            panels[number].tick_params(labelbottom=True)
    panels[0].legend(loc="best", frameon=False, fontsize=8, borderaxespad=0.1)
    note = "Curves: as fit measures, training with dropout on. Marks behind them: dropout off."
    if chance is not None:
        note += f" Dotted: chance, {chance:.0%}."
    figure.text(0, -0.5 / figure.get_figheight(), note, size=9, va="top")
    if title:
        figure.suptitle(title, x=0, y=1 + 0.35 / figure.get_figheight(), ha="left", va="bottom")
    return figure


def seed_spread(measured, own=None, title="", label="accuracy", own_label="your run") -> Figure:
    """Show what several seeds gave: dots, a bar of mean ± standard deviation, and one's own run.

    Parameters
    ----------
    measured : dict of (list of float)
        Name to shares from 0 to 1, one a seed, two at least.
    own : dict of float, optional
        Name to one's own share: a mark beside the others.
    title, label, own_label : str

    Raises
    ------
    ValueError
        Where there is nothing measured, or with fewer than two seeds.
    """
    if not measured or any(len(values) < 2 for values in measured.values()):
        raise ValueError("measured must hold at least one network, each with two seeds or more.")
    own = own or {}
    names = list(measured)
    figure = Figure(figsize=(PAGE_INCHES - 1.5 - 0.08 * longest(names), 0.36 * len(names) + 0.2))
    ax = figure.add_axes((0, 0, 1, 1))
    shown = {}  # what stands in the legend, once each
    for place, (name, values) in enumerate(measured.items()):
        mean, deviation = np.mean(values), np.std(values, ddof=1)
        band = {"color": BLUE, "linewidth": 7, "alpha": 0.35, "solid_capstyle": "butt"}
        (shown["mean ± standard deviation"],) = ax.plot(
            [mean - deviation, mean + deviation], [place, place], **band
        )
        ax.plot([mean], [place], "|", color=BLUE, markersize=14, markeredgewidth=2)
        (shown["one seed"],) = ax.plot(values, [place] * len(values), "o", color=BLUE, markersize=4)
        if name in own:
            # Hollow, since it may lie on one of the seeds.
            looks = {"color": VERMILLION, "markersize": 8, "markerfacecolor": "none"}
            (shown[own_label],) = ax.plot([own[name]], [place], "D", **looks)
        text = f"{mean:.1%} ± {100 * deviation:.1f}"
        ax.annotate(text, (1.01, place), xycoords=("axes fraction", "data"), va="center", size=9)
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.tick_params(axis="y", **NO_TICKS)
    ax.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    ax.set_xlabel(f"{label} (% of pictures)")
    ax.grid(axis="x", alpha=0.3)
    ax.spines[["top", "right", "left"]].set_visible(False)
    height = figure.get_figheight()
    figure.legend(
        shown.values(),
        shown.keys(),
        ncols=len(shown),
        frameon=False,
        fontsize=9,
        borderpad=0,
        loc="lower left",
        bbox_to_anchor=(0, 1 + 0.08 / height),
    )
    if title:
        figure.suptitle(title, x=0, y=1 + 0.4 / height, ha="left", va="bottom", fontsize=11)
    return figure


def _signed(points):
    return f"{points:.1f}".replace("-", "−")
