"""Networks side by side: what each costs, what it reaches, and how it got there."""

import numpy as np
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator, PercentFormatter

from course.plotting.primitives import (
    BLUE,
    NO_TICKS,
    ORANGE,
    PAGE_INCHES,
    TITLE,
    VERMILLION,
    Figure,
    longest,
)

COLORS = (BLUE, VERMILLION, ORANGE, "#009E73", "#CC79A7", "#56B4E9")  # Okabe-Ito
HATCHES = ("", "//", "..", "xx", "\\\\", "--")
LINES = ("-o", "--s", "-.^", ":D", "-v", "--P")
BETTER = {
    "accuracy": "longer is better",
    "loss": "shorter is better",
    "second": "longer is faster",  # so many of something a second
}


def compare_networks(rows, title="", chance=None) -> Figure:
    """Compare networks in small multiples: a panel for each quantity, a bar for each network.

    Parameters
    ----------
    rows : list of dict
        A network each, as `training.results_table` takes them: "network", its name; if wanted
        "kind", which colours its bars and is named in a legend; every other key is a quantity and
        becomes a panel. Names that end in "accuracy" hold shares from 0 to 1, shown in percent.
        A quantity that is None is left out.
    title : str
    chance : float, optional
        The accuracy of guessing, a share: a dotted line in the panels of accuracies.

    Raises
    ------
    ValueError
        Where there is no row, a row lacks a quantity that the first one has, or one is negative or
        not a finite number.
    """
    quantities = _quantities(rows)
    kinds = list(dict.fromkeys(row.get("kind", "") for row in rows))
    styles = {kind: number % len(COLORS) for number, kind in enumerate(kinds)}
    names = [str(row["network"]) for row in rows]
    figure = Figure(figsize=(PAGE_INCHES - 0.08 * longest(names), 0.34 * len(rows) + 0.1))
    panels = figure.subplots(1, len(quantities), sharey=True, squeeze=False)[0]
    figure.subplots_adjust(left=0, right=1, bottom=0, top=1, wspace=0.12)
    for ax, quantity in zip(panels, quantities, strict=True):
        values = [row[quantity] for row in rows]
        share = quantity.endswith("accuracy")
        for place, (row, value) in enumerate(zip(rows, values, strict=True)):
            style = styles[row.get("kind", "")]
            if value is not None:
                looks = {"facecolor": COLORS[style], "hatch": HATCHES[style], "edgecolor": "white"}
                ax.barh(place, value, height=0.7, linewidth=0, **looks)
                ax.annotate(
                    _written(value, share), (value, place), (3, 0), va="center", size=9,
                    textcoords="offset points",
                )  # fmt: skip
        # The number behind the longest bar needs room inside its panel.
        largest = max([value for value in values if value is not None] + [chance or 0], default=0)
        ax.set_xlim(0, 1.75 * (largest or 1))
        ax.set_xticks([])
        ax.spines[["top", "right", "bottom"]].set_visible(False)
        ax.tick_params(axis="y", **NO_TICKS)
        ax.set_title(quantity, **{**TITLE, "fontsize": 10})
        better = BETTER.get(quantity.split()[-1], "shorter is cheaper")
        ax.set_xlabel(better, loc="left", size=9)
        if share and chance is not None:
            ax.axvline(chance, color="black", linestyle=":", linewidth=1.2)
            ax.set_xlabel(f"{better};\ndotted: chance, {chance:.0%}", loc="left", size=9)
    panels[0].set_yticks(range(len(rows)), names)
    panels[0].set_ylim(len(rows) - 0.5, -0.5)
    height = figure.get_figheight()
    if any(kinds):
        patches = [
            Patch(facecolor=COLORS[styles[kind]], hatch=HATCHES[styles[kind]], edgecolor="white",
                  linewidth=0, label=kind or "other")
            for kind in kinds
        ]  # fmt: skip
        place = {"loc": "lower left", "bbox_to_anchor": (0, 1 + 0.25 / height)}
        figure.legend(
            handles=patches, ncols=len(kinds), frameon=False, fontsize=9, borderpad=0, **place
        )
    if title:
        above = 0.6 if any(kinds) else 0.35
        figure.suptitle(title, x=0, y=1 + above / height, ha="left", va="bottom", fontsize=11)
    return figure


def compare_curves(histories, title="", chance=None) -> Figure:
    """Draw the validation accuracy of several networks against the epoch, in one panel.

    Parameters
    ----------
    histories : dict of (dict of lists)
        Name to history, each with "val_accuracy", one share from 0 to 1 an epoch. The numbers of
        epochs may differ.
    title : str
    chance : float, optional
        The accuracy of guessing, a share: a dotted line.

    Raises
    ------
    ValueError
        Where there is no history, or one has no validation accuracy.
    """
    if not histories:
        raise ValueError("histories must hold at least one network.")
    for name, history in histories.items():
        if not len(history.get("val_accuracy", ())):
            raise ValueError(f"the history of {name!r} must hold 'val_accuracy', one an epoch.")
    figure = Figure(figsize=(0.75 * PAGE_INCHES, 3.2))
    ax = figure.add_axes((0, 0, 1, 1))
    last = max(len(history["val_accuracy"]) for history in histories.values())
    for number, (name, history) in enumerate(histories.items()):
        shares = np.asarray(history["val_accuracy"])
        looks = {"color": COLORS[number % len(COLORS)], "markersize": 4}
        line = LINES[number % len(LINES)]
        label = f"{name}: {shares[-1]:.1%} after {len(shares)}"
        ax.plot(range(1, len(shares) + 1), shares, line, label=label, **looks)
    if chance is not None:
        ax.axhline(chance, color="black", linestyle=":", linewidth=1.2)
        ax.annotate(
            f"chance, {chance:.0%}", (1, chance), (0, 3), textcoords="offset points", size=9
        )
    ax.set_ylim(0, None)
    ax.set_xlim(0.8, last + 0.2)
    ax.xaxis.set_major_locator(MaxNLocator(8, integer=True, min_n_ticks=1))
    ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    ax.set_xlabel("epoch")
    ax.set_ylabel("validation accuracy (% of pictures)")
    ax.grid(alpha=0.3)
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(
        loc="upper left", bbox_to_anchor=(1.02, 1), frameon=False, fontsize=9, borderaxespad=0
    )
    ax.set_title(title or "The higher the better", **TITLE)
    return figure


def _quantities(rows):
    """Return the keys that become panels, every value checked."""
    if not rows:
        raise ValueError("rows must hold at least one network.")
    quantities = [key for key in rows[0] if key not in ("network", "kind")]
    if not quantities:
        raise ValueError("a row must hold a quantity beside its name, such as 'parameters'.")
    for row in rows:
        lacking = {"network", *quantities} - row.keys()
        if lacking:
            raise ValueError(f"every row must hold {sorted(lacking)[0]!r}; {row} does not.")
        for key in quantities:
            value, most = row[key], 1 if key.endswith("accuracy") else np.inf
            if value is not None and not (np.isfinite(value) and 0 <= value <= most):
                allowed = "a share from 0 to 1" if most == 1 else "a finite number from 0 on"
                raise ValueError(f"{key} of {row['network']!r} must be {allowed}; got {value}.")
    return quantities


def _written(value, share):
    if share:
        return f"{value:.1%}"
    if isinstance(value, int | np.integer):
        return f"{value:,}"
    return f"{value:,.0f}" if value >= 100 else f"{value:#.3g}".rstrip(".")
