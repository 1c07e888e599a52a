"""Figures of how networks learn: lines, early stopping, histograms, grids, and feature maps."""

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import CenteredNorm
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, MaxNLocator

from course.plotting.comparison import COLORS, LINES
from course.plotting.primitives import (
    BLUE,
    GRAY,
    NO_TICKS,
    PAGE_INCHES,
    TITLE,
    VERMILLION,
    Figure,
    add_image,
    as_rgb,
    check_shape,
    draw_bars,
    draw_tiles,
    scale_each,
    show_percentages,
)

CELL = 0.52  # side of a cell that contains a number, in inches


def line_charts(
    panels,
    xlabel="",
    ylabel="",
    title="",
    levels=None,
    log=False,
    percent=False,
    share_y=False,
    limits=None,
    log_x=False,
) -> Figure:
    """Draw lines in one or more panels side by side.

    Parameters
    ----------
    panels : dict of dict
        One panel per title; each contains lines by name, as pairs (x, y) of sequences of equal
        length. An empty name does not appear in the legend. A line of one point is drawn as a
        marker.
    xlabel, ylabel : str or sequence of str
        One label per panel. A single `xlabel` is that of all panels, and a single `ylabel` is that
        of the first panel.
    levels : dict of float, optional
        Values to compare with, by name; drawn as dotted lines in every panel.
    log : bool
        Whether the y-axis is logarithmic.
    percent : bool or sequence of str
        Whether values are fractions, which the y-axis shows as percentages; or the titles of the
        panels for which they are.
    share_y : bool
        Whether all panels have the same y-axis.
    limits : (float, float), optional
        The lowest and the highest value of the y-axis; lines beyond them are cut off.
    log_x : bool
        Whether the x-axis is logarithmic.

    Raises
    ------
    ValueError
        If there is no panel, or x and y are not one-dimensional or differ in length.
    """
    if not panels:
        raise ValueError("panels must contain at least one title with its lines.")
    for name, (x, y) in (item for lines in panels.values() for item in lines.items()):
        if np.shape(x) != np.shape(y) or np.ndim(x) != 1:
            raise ValueError(
                f"x and y of {name!r} must be one-dimensional and have the same length."
            )
    width = PAGE_INCHES * min(1, 0.4 + 0.3 * len(panels))
    figure = Figure(figsize=(width, 2.5))
    edges = {"left": 0, "right": 1, "bottom": 0, "top": 1, "wspace": 0.12 if share_y else 0.3}
    axes = figure.subplots(1, len(panels), sharey=share_y, squeeze=False, gridspec_kw=edges)[0]
    xlabels = [xlabel] * len(panels) if isinstance(xlabel, str) else xlabel
    ylabels = [ylabel, *[""] * (len(panels) - 1)] if isinstance(ylabel, str) else ylabel
    for ax, ax_xlabel, ax_ylabel in zip(axes, xlabels, ylabels, strict=True):
        ax.set_xlabel(ax_xlabel)
        ax.set_ylabel(ax_ylabel)
    for ax, (heading, lines) in zip(axes, panels.items(), strict=True):
        for index, (name, (x, y)) in enumerate(lines.items()):
            line = LINES[index % len(LINES)]
            if len(x) == 1:
                line = line[-1]  # a marker without a line, in the legend too
            elif len(x) > 20:
                line = line.rstrip("osD^vP")
            ax.plot(x, y, line, color=COLORS[index % len(COLORS)], label=name or None, markersize=4)
        for name, value in (levels or {}).items():
            ax.axhline(value, color="black", linestyle=":", linewidth=1.2)
            if ax is axes[-1]:
                ax.text(1.02, value, name, transform=ax.get_yaxis_transform(), va="center", size=9)
        if log:
            ax.set_yscale("log")
        if percent is True or (percent and heading in percent):
            show_percentages(ax.yaxis)
        if limits:
            ax.set_ylim(limits)
        steps = [x for x, _ in lines.values()]
        whole = all(np.issubdtype(np.asarray(x).dtype, np.integer) for x in steps)
        if log_x:
            ax.set_xscale("log")
            ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        else:
            ax.xaxis.set_major_locator(MaxNLocator(6, integer=whole))
        ax.grid(alpha=0.3)
        ax.spines[["top", "right"]].set_visible(False)
        if any(lines):
            ax.legend(fontsize=9, frameon=False)
        ax.set_title(heading, **TITLE)
    if title:
        figure.suptitle(title, x=0, y=1.14, ha="left", va="bottom", fontsize=11)
    return figure


def early_stopping(panels, title="") -> Figure:
    """Draw curves, and mark on each of them where early stopping would have ended training.

    Parameters
    ----------
    panels : dict of (array, dict)
        One panel per title: the curve of a monitored value, with one value per epoch, and pairs
        (best epoch, last epoch), counted from 1, by name. Values under a title that contains
        "accuracy" are fractions, which are shown as percentages.

    Raises
    ------
    ValueError
        If there is no panel, or the epochs of a pair are not in the curve.
    """
    if not panels:
        raise ValueError("panels must contain at least one title with its curve.")
    figure = Figure(figsize=(PAGE_INCHES * min(1, 0.4 + 0.3 * len(panels)), 2.7))
    edges = {"left": 0, "right": 1, "bottom": 0, "top": 1, "wspace": 0.2}
    axes = figure.subplots(1, len(panels), squeeze=False, gridspec_kw=edges)[0]
    for ax, (heading, (curve, stops)) in zip(axes, panels.items(), strict=True):
        ax.plot(range(1, len(curve) + 1), curve, "-", color=GRAY, linewidth=2)
        for index, (name, (best, last)) in enumerate(stops.items()):
            if not 1 <= best <= last <= len(curve):
                raise ValueError(
                    f"{name!r} must be a pair (best epoch, last epoch) of epochs from 1 to"
                    f" {len(curve)}; got {best, last}."
                )
            color = COLORS[index % len(COLORS)]
            label = f"{name}: ends after epoch {last}, restores epoch {best}"
            line, mark = ("-", "--", ":")[index % 3], "osD"[index % 3]
            ax.axvline(last, color=color, linestyle=line, linewidth=1.6)
            # Hollow marks of different sizes: several may restore the same epoch.
            ax.plot(
                [best], [curve[best - 1]], mark + line, color=color, label=label, linewidth=1.6,
                markersize=8 + 5 * index, markerfacecolor="none", markeredgewidth=1.8,
            )  # fmt: skip
        if "accuracy" in heading:
            show_percentages(ax.yaxis)
        ax.xaxis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=1))
        ax.set_xlabel("epoch")
        ax.grid(alpha=0.3)
        ax.spines[["top", "right"]].set_visible(False)
        if stops:
            ax.legend(loc="upper left", bbox_to_anchor=(0, -0.2), fontsize=9, frameon=False)
        ax.set_title(heading, **TITLE)
    if title:
        figure.suptitle(title, x=0, y=1.14, ha="left", va="bottom", fontsize=11)
    return figure


def histograms(panels, xlabel="", title="") -> Figure:
    """Draw the distributions of several groups of values, one panel per comparison.

    Parameters
    ----------
    panels : dict of dict
        One panel per title; each contains arrays of values by the name of the group, such as the
        values of each channel. All panels have the same x-axis, which covers the central 99% of the
        values of each group.

    Raises
    ------
    ValueError
        If there is no panel, or a group has no values.
    """
    groups = {
        heading: {name: np.ravel(values) for name, values in each.items()}
        for heading, each in panels.items()
    }
    if not groups or not all(each and all(map(len, each.values())) for each in groups.values()):
        raise ValueError("panels must contain at least one title, with values in each group.")
    every = [values for each in groups.values() for values in each.values()]
    low = min(float(np.quantile(values, 0.005)) for values in every)
    high = max(float(np.quantile(values, 0.995)) for values in every)
    edges = np.linspace(low, high if high > low else low + 1, 61)
    columns = 2 if len(groups) > 1 else 1
    rows = -(-len(groups) // columns)
    figure = Figure(figsize=(PAGE_INCHES * columns / 2, 1.7 * rows))
    axes = figure.subplots(rows, columns, sharex=True, squeeze=False).ravel()
    figure.subplots_adjust(left=0, right=1, bottom=0, top=1, wspace=0.06, hspace=0.35)
    for ax, (heading, each) in zip(axes, groups.items(), strict=False):
        for index, (name, values) in enumerate(each.items()):
            color = COLORS[index % len(COLORS)]
            counts = np.histogram(values, edges, density=True)[0]
            ax.stairs(counts, edges, fill=True, color=color, alpha=0.3)
            style = ("-", "--", ":", "-.")[index % 4]
            ax.stairs(counts, edges, color=color, linestyle=style, linewidth=1.4, label=name)
        ax.set_yticks([])
        ax.spines[["top", "right", "left"]].set_visible(False)
        ax.set_title(heading, **TITLE)
    for ax in axes[len(groups) :]:
        ax.remove()
    for ax in axes[: len(groups)][-columns:]:
        ax.set_xlabel(xlabel)
    axes[0].legend(fontsize=9, frameon=False, loc="upper right")
    if title:
        above = 1 + 0.32 / figure.get_figheight()
        figure.suptitle(title, x=0, y=above, ha="left", va="bottom", fontsize=11)
    return figure


def value_grids(grids, title="") -> Figure:
    """Draw small arrays side by side as grids of numbers; zeros are crossed out.

    Parameters
    ----------
    grids : dict of array, (h, w)
        Values by the title of the grid; all grids have the same shape.

    Raises
    ------
    ValueError
        If there is no grid, or the shapes differ.
    """
    grids = {name: np.asarray(grid, dtype=float) for name, grid in grids.items()}
    shapes = {grid.shape for grid in grids.values()}
    if len(shapes) != 1 or len(next(iter(shapes))) != 2:
        raise ValueError(f"grids must contain arrays of one shape (h, w); got {sorted(shapes)}.")
    ((rows, columns),) = shapes
    largest = max(np.abs(grid).max() for grid in grids.values()) or 1
    gap = 0.9
    figure = Figure(figsize=((columns * len(grids) + gap * (len(grids) - 1)) * CELL, rows * CELL))
    ax = figure.add_axes((0, 0, 1, 1))
    for index, (name, grid) in enumerate(grids.items()):
        left = index * (columns + gap)
        for (row, column), value in np.ndenumerate(grid):
            corner = left + column, rows - row - 1
            color = colormaps["Blues"](0.65 * abs(value) / largest)
            ax.add_patch(Rectangle(corner, 1, 1, facecolor=color, edgecolor="0.6", linewidth=0.8))
            center = corner[0] + 0.5, corner[1] + 0.5
            if value:
                text = f"{value:.1f}".replace("-", "−")
                ax.text(*center, text, ha="center", va="center", size=9)
            else:
                ax.plot(*center, "x", color=VERMILLION, markersize=12, markeredgewidth=2)
        ax.text(left, rows + 0.15, name, size=9, va="bottom")
    ax.set_xlim(-0.02, len(grids) * (columns + gap) - gap + 0.02)
    ax.set_ylim(-0.02, rows + 0.02)
    ax.axis("off")
    ax.set_title(title, pad=34, **TITLE)
    return figure


def filter_responses(kernel, maps, image=None, columns=8, title="") -> Figure:
    """Show each filter of a first convolution above its feature map for one image.

    Parameters
    ----------
    kernel : array, (h, w, 1, filters)
        Weights: positive ones are red, negative ones are blue, with one scale for all filters.
    maps : array, (height, width, filters)
        Feature maps for one image; each is scaled separately from its smallest value (dark violet)
        to its largest (yellow).
    image : array, (h, w), (h, w, 1), or (h, w, 3), optional
        The image, shown on the left.

    Raises
    ------
    ValueError
        If a shape is wrong.
    """
    kernel, maps = np.asarray(kernel), np.asarray(maps)
    is_right = kernel.ndim == 4 and kernel.shape[2] == 1
    check_shape("kernel", kernel, "(h, w, 1, filters)", is_right)
    fits = maps.ndim == 3 and maps.shape[2] == kernel.shape[3]
    check_shape("maps", maps, f"(height, width, {kernel.shape[3]})", fits)
    weights = np.moveaxis(kernel[:, :, 0], -1, 0)
    norm = CenteredNorm(0, halfrange=max(np.abs(weights).max(), 1e-12))
    count, (height, width) = len(weights), maps.shape[:2]
    zoom = max(1, width // 2 // weights.shape[2])
    above = colormaps["RdBu_r"](norm(weights), bytes=True)[..., :3].repeat(zoom, 1).repeat(zoom, 2)
    below = colormaps["viridis"](scale_each(np.moveaxis(maps, -1, 0)), bytes=True)[..., :3]
    tiles = np.full((count, above.shape[1] + 2 + height, width, 3), 255, np.uint8)
    left = (width - above.shape[2]) // 2
    tiles[:, : above.shape[1], left : left + above.shape[2]] = above
    tiles[:, -height:] = below
    note = "Filter: red is positive, blue is negative. Below it, its feature map: yellow is strong"
    figure = draw_tiles(tiles, columns, range(count), title, note)
    if image is not None:
        add_image(figure, image, "input")
    return figure


def from_image_to_prediction(
    image, maps, probabilities, class_names, examples=None, captions=None, title=""
) -> Figure:
    """Show what a CNN does with one image: some feature maps, and the predicted probabilities.

    Parameters
    ----------
    image : array, (h, w) or (h, w, 1)
    maps : array, (height, width, 16)
        Sixteen feature maps for the image; each is scaled separately.
    probabilities : array, (c,)
        The network's output for the image.
    class_names : sequence of c str
    examples : array, (n, h, w), optional
        More images, drawn in a row below.
    captions : sequence of n str, optional
        One caption per example, such as the predicted class.

    Raises
    ------
    ValueError
        If there are not sixteen feature maps, or a shape is wrong.
    """
    image, maps = np.asarray(image), np.asarray(maps)
    check_shape("maps", maps, "(height, width, 16)", maps.ndim == 3 and maps.shape[2] == 16)
    figure = Figure(figsize=(9, 3.9))
    places = {"input": (0, 0.4, 0.24, 0.52), "maps": (0.34, 0.4, 0.24, 0.52)}
    ax = figure.add_axes(places["input"])
    ax.imshow(as_rgb(image[None])[0])
    ax.set_title("Input image", fontsize=13)
    tiles = scale_each(np.moveaxis(maps, -1, 0))
    tiles = np.pad(tiles, ((0, 0), (0, 2), (0, 2)), constant_values=np.nan)
    side, across = tiles.shape[1:]
    page = tiles.reshape(4, 4, side, across).swapaxes(1, 2).reshape(4 * side, 4 * across)
    colors = colormaps["viridis"].with_extremes(bad="white")
    maps_ax = figure.add_axes(places["maps"])
    maps_ax.imshow(page[:-2, :-2], cmap=colors)
    maps_ax.set_title("Feature maps", fontsize=13)
    bars = figure.add_axes((0.7, 0.4, 0.24, 0.52))
    best = int(np.argmax(probabilities))
    shades = [BLUE if index == best else GRAY for index in range(len(class_names))]
    draw_bars(bars, class_names, probabilities, shades)
    for text, value in zip(bars.texts, probabilities, strict=True):
        text.set_visible(value >= 0.01)  # without the nine that are nearly zero
    bars.set_xticks([])
    bars.spines["bottom"].set_visible(False)
    bars.tick_params(axis="y", labelsize=11, **NO_TICKS)
    bars.set_title("Predicted probabilities", fontsize=13)
    for x in (0.27, 0.61):
        figure.text(x, 0.67, "→", fontsize=28, va="center", color="0.35")
    if examples is not None:
        count = len(examples)
        names = [""] * count if captions is None else captions
        for index, (example, caption) in enumerate(zip(examples, names, strict=True)):
            ax = figure.add_axes((index / count, 0, 0.86 / count, 0.25))
            ax.imshow(as_rgb(np.asarray(example)[None])[0])
            ax.set_title(caption, fontsize=15, color=BLUE, pad=3)
            ax.axis("off")
    for ax in (figure.axes[0], maps_ax):
        ax.set_xticks([])
        ax.set_yticks([])
        ax.spines[:].set_visible(False)
    if title:
        figure.suptitle(title, x=0, y=1.03, ha="left", va="bottom", fontsize=15)
    return figure
