"""Figures of whole networks: where volumes shrink, where parameters and work are."""

import numpy as np
from matplotlib.patches import Rectangle

from course.plotting.primitives import (
    BLUE,
    GREY,
    NO_TICKS,
    ORANGE,
    PAGE_INCHES,
    TITLE,
    VERMILLION,
    Figure,
)

COLORS = {"convolution": BLUE, "pooling": ORANGE, "dense": VERMILLION}
HEIGHT = 2.8  # inches
ROW_HEIGHT = 0.5  # of a dense layer, as a share of the largest volume's
SMALL = {"ha": "center", "size": 8}


def layer_bars(names, kinds, quantities, title="") -> Figure:
    """Compare layers by one or several quantities: a panel each, a bar a layer.

    Parameters
    ----------
    names : sequence of n str
        The layers, drawn from top to bottom.
    kinds : sequence of n str
        "convolution", "pooling" or "dense", which have colours; any other is grey.
    quantities : dict of str to sequence of n numbers
        What is drawn, name to numbers of at least 0. Above each panel stands its total, and the
        share of each kind.
    title : str

    Raises
    ------
    ValueError
        Where there is no quantity, or one of the sequences has another length.
    """
    names, kinds = list(names), list(kinds)
    lengths = {"kinds": len(kinds)} | {key: len(values) for key, values in quantities.items()}
    _check_lengths(len(names), lengths)
    if not quantities:
        raise ValueError("quantities must hold at least one name and its numbers.")
    figure = Figure(figsize=(PAGE_INCHES, 0.24 * len(names) + 0.1))
    edges = {"left": 0, "right": 1, "bottom": 0, "top": 1, "wspace": 0.12}
    panels = figure.subplots(1, len(quantities), sharey=True, squeeze=False, gridspec_kw=edges)[0]
    for ax, (quantity, values) in zip(panels, quantities.items(), strict=True):
        values = np.asarray(values)
        ax.barh(range(len(names)), values, color=[COLORS.get(kind, GREY) for kind in kinds])
        for row, value in enumerate(values):
            ax.text(value + 0.01 * values.max(), row, f"{value:,}", va="center", size=8)
        ax.set_xlim(0, max(values.max(), 1) * 1.3)  # room for the numbers
        ax.set_ylim(len(names) - 0.4, -0.6)
        ax.set_yticks(range(len(names)), names)
        ax.set_xticks([])
        ax.tick_params(**NO_TICKS)
        ax.spines[["top", "right", "bottom"]].set_visible(False)
        heading = f"{quantity}: {values.sum():,}\n{_shares(kinds, values)}"
        ax.set_title(heading.strip(), **TITLE)
    if title:
        figure.suptitle(title, x=0, y=1 + 0.6 / figure.get_figheight(), ha="left", va="bottom")
    return figure


def volumes(shapes, kinds=None, title="") -> Figure:
    """Draw the volumes that a picture goes through: as high as they are, and wider the deeper.

    Height and width stand above, the number of channels below, once for volumes that are alike.

    Parameters
    ----------
    shapes : sequence of tuples
        The shape after each layer: (height, width, channels), or (units,) for a row of numbers,
        which is drawn as a thin line. Height and width are alike.
    kinds : sequence of str, optional
        The kind of each layer, as for `layer_bars`; without it all are drawn as convolutions.
    title : str

    Raises
    ------
    ValueError
        Where a shape is another one, or there is not one kind for each.
    """
    shapes = [tuple(int(side) for side in shape) for shape in shapes]
    kinds = ["convolution"] * len(shapes) if kinds is None else list(kinds)
    _check_lengths(len(shapes), {"kinds": len(kinds)})
    if not shapes or any(len(shape) not in (1, 3) for shape in shapes):
        raise ValueError("shapes must hold (height, width, channels) or (units,) for each layer.")
    drawn = [shape for shape in shapes if len(shape) == 3] or [(1, 1, 1)]
    tallest, deepest = max(shape[0] for shape in drawn), max(shape[2] for shape in drawn)

    ax = Figure(figsize=(PAGE_INCHES, HEIGHT)).add_axes((0, 0, 1, 1))
    edges = []
    for index, (shape, kind) in enumerate(zip(shapes, kinds, strict=True)):
        is_volume = len(shape) == 3
        high = shape[0] / tallest if is_volume else ROW_HEIGHT
        wide = 0.2 + 0.8 * shape[2] / deepest if is_volume else 0.2
        left = edges[-1][1] + _gap(shapes[index - 1], shape) if edges else 0
        edges.append((left, left + wide))
        color = COLORS.get(kind, GREY)
        ax.add_patch(Rectangle((left, -high / 2), wide, high, facecolor=color))
        if not is_volume:
            above = left + wide / 2, high / 2 + 0.03
            ax.text(*above, f"{shape[0]:,}", rotation=90, va="bottom", **SMALL)
    for first, last in _runs(shapes, slice(0, 2)):
        height, width = shapes[first][:2]
        middle = (edges[first][0] + edges[last][1]) / 2
        ax.text(middle, height / tallest / 2 + 0.02, f"{height} × {width}", va="bottom", **SMALL)
    for first, last in _runs(shapes, slice(0, 3)):
        height, _, channels = shapes[first]
        middle = (edges[first][0] + edges[last][1]) / 2
        ax.text(middle, -height / tallest / 2 - 0.02, channels, va="top", **SMALL)
    ax.set_xlim(0, edges[-1][1])
    ax.set_ylim(-0.6, 0.6)
    ax.axis("off")
    for kind in dict.fromkeys(kinds):
        ax.bar(0, 0, color=COLORS.get(kind, GREY), label=kind)
    ax.legend(loc="lower right", fontsize=9, frameon=False, ncols=len(set(kinds)))
    ax.set_title(f"{title}\nabove: height × width; below: channels".strip(), **TITLE)
    return ax.figure


def _gap(before, shape):
    """Return the room between two boxes: more where a new size begins."""
    same_size = len(before) == len(shape) and (len(shape) == 1 or before[:2] == shape[:2])
    return 0.15 if same_size else 0.5


def _runs(shapes, part):
    """Yield the first and last index of volumes that follow each other and are alike in a part."""
    first = 0
    for index, shape in enumerate(shapes):
        following = shapes[index + 1] if index + 1 < len(shapes) else ()
        if len(shape) != len(following) or shape[part] != following[part]:
            if len(shape) == 3:
                yield first, index
            first = index + 1


def _shares(kinds, values):
    """Return the share of each kind that has one, the largest first."""
    total = values.sum()
    shares = {kind: sum(values[np.array(kinds) == kind]) for kind in dict.fromkeys(kinds)}
    largest_first = sorted(shares.items(), key=lambda item: -item[1])
    return ", ".join(f"{kind} {part / total:.1%}" for kind, part in largest_first if part)


def _check_lengths(number, lengths):
    for name, length in lengths.items():
        if length != number:
            raise ValueError(f"{name} must hold {number}, one a layer; got {length}.")
