"""Figures of transfer learning: which layers are copied, frozen, trained, or new."""

from typing import Any

from matplotlib.patches import FancyBboxPatch, Patch

from course.plotting.primitives import BLUE, PAGE_INCHES, TITLE, VERMILLION, Figure

# Border, background, and hatch of a box, and the description in the legend.
STATES: dict[str, tuple[str, str, str, str]] = {
    "frozen": ("0.45", "#E4E4E4", "///", "trained before, frozen"),
    "tuned": (BLUE, "#D9EAF4", "", "trained before, trained further"),
    "new": (VERMILLION, "#FBE3D3", "", "trained from random weights"),
}
ROW, BOX, GAP = 0.4, 0.29, 0.35  # inches


def frozen_and_trained(stacks, title="") -> Figure:
    """Draw several networks side by side, and show which of their parts are frozen or trained.

    Parameters
    ----------
    stacks : dict of (list of (str, str))
        The parts of each network from input to output, by the name of the network: pairs of a label
        and a state, which is "frozen", "tuned", or "new".

    Raises
    ------
    ValueError
        If there is no network, or a state is unknown.
    """
    states = [state for parts in stacks.values() for _, state in parts]
    unknown = [state for state in states if state not in STATES]
    if not states or unknown:
        found = f"; got {unknown[0]!r}" if unknown else ""
        raise ValueError(
            "stacks must contain at least one part, and each state must be one of"
            f" {', '.join(STATES)}{found}."
        )
    rows = max(map(len, stacks.values()))
    width = (PAGE_INCHES - GAP * (len(stacks) - 1)) / len(stacks)
    height = ROW * (rows - 1) + BOX
    figure = Figure(figsize=(PAGE_INCHES, height))
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set(xlim=(-0.02, PAGE_INCHES + 0.02), ylim=(height + 0.02, -0.35))
    ax.axis("off")
    arrow: dict[str, Any] = {"arrowstyle": "-|>", "color": "0.35", "shrinkA": 0, "shrinkB": 0}
    for column, (name, parts) in enumerate(stacks.items()):
        left = column * (width + GAP)
        ax.text(left, -0.12, name, size=10.5, weight="bold", va="bottom")
        for row, (label, state) in enumerate(parts):
            top = row * ROW
            edge, face, hatch, _ = STATES[state]
            style: dict[str, Any] = {"boxstyle": "round,pad=0,rounding_size=0.05", "linewidth": 1.4}
            style |= {"edgecolor": edge, "facecolor": face, "hatch": hatch}
            ax.add_patch(FancyBboxPatch((left, top), width, BOX, **style))
            background = {"facecolor": face, "edgecolor": "none", "pad": 1.5}
            center = (left + width / 2, top + BOX / 2)
            ax.text(*center, label, ha="center", va="center", size=10, bbox=background)
            if row:
                middle = left + width / 2
                ax.annotate("", (middle, top), (middle, top - ROW + BOX), arrowprops=arrow)
    handles = [
        Patch(edgecolor=edge, facecolor=face, hatch=hatch, label=text)
        for state, (edge, face, hatch, text) in STATES.items()
        if state in states
    ]
    below = (0, -0.12 / height)
    figure.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=below,
        ncols=3,
        frameon=False,
        fontsize=9,
        borderpad=0,
    )
    if title:
        ax.set_title(title, **{**TITLE, "y": 1 + 0.1 / height})
    return figure
