"""Figures of a network's architecture: the output volume and the cost of each layer."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from matplotlib.patches import Rectangle

from course.counting import layer_rows
from course.plotting.block_diagram import block_diagram
from course.plotting.primitives import (
    BLUE,
    GRAY,
    NO_TICKS,
    ORANGE,
    PAGE_INCHES,
    TITLE,
    VERMILLION,
    Figure,
    wrap,
)

GREEN = "#009E73"  # Okabe-Ito, as the colors of primitives
COLORS = {"convolution": BLUE, "pooling": ORANGE, "dense": VERMILLION, "flatten": GREEN}
HEIGHT = 2.8  # inches
LABEL_INCHES = 1.5  # width of the texts on the left of layer_costs
# Orders of magnitude, from the largest down.
BYTES = {1e9: " GB", 1e6: " MB", 1e3: " kB", 1: " B"}
COUNTS = {1e9: " billion", 1e6: " million"}
VECTOR_HEIGHT = 0.5  # of layer_costs, as a fraction of the tallest volume's height
MIN_VECTOR_HEIGHT = 0.1  # of volumes, as a fraction of the longest vector's height
SMALL_TEXT: dict[str, Any] = {"ha": "center", "size": 8}


def layer_bars(names, kinds, quantities, title="") -> Figure:
    """Compare layers by one or more quantities, with one panel per quantity and one bar per layer.

    Parameters
    ----------
    names : sequence of n str
        Names of the layers, from top to bottom.
    kinds : sequence of n str
        "convolution", "pooling", "dense", or "flatten", each with its own color; any other type is
        gray.
    quantities : dict of str to sequence of n numbers
        Nonnegative values by name. The title of each panel gives the total and the percentage of
        each layer type.

    Raises
    ------
    ValueError
        If `quantities` is empty, or a sequence does not have n entries.
    """
    names, kinds = list(names), list(kinds)
    lengths = {"kinds": len(kinds)} | {key: len(values) for key, values in quantities.items()}
    _check_lengths(len(names), lengths)
    if not quantities:
        raise ValueError("quantities must contain at least one name with its values.")
    figure = Figure(figsize=(PAGE_INCHES, 0.24 * len(names) + 0.1))
    edges = {"left": 0, "right": 1, "bottom": 0, "top": 1, "wspace": 0.12}
    panels = figure.subplots(1, len(quantities), sharey=True, squeeze=False, gridspec_kw=edges)[0]
    characters, lines = 10 * PAGE_INCHES / len(quantities), 1
    for ax, (quantity, values) in zip(panels, quantities.items(), strict=True):
        values = np.asarray(values)
        ax.barh(range(len(names)), values, color=[COLORS.get(kind, GRAY) for kind in kinds])
        for row, value in enumerate(values):
            ax.text(value + 0.01 * values.max(), row, f"{value:,}", va="center", size=8)
        ax.set_xlim(0, max(values.max(), 1) * 1.3)  # space for the values
        ax.set_ylim(len(names) - 0.4, -0.6)
        ax.set_yticks(range(len(names)), names)
        ax.set_xticks([])
        ax.tick_params(**NO_TICKS)
        ax.spines[["top", "right", "bottom"]].set_visible(False)
        heading = f"{quantity}: {values.sum():,}\n{_percentages(kinds, values)}".strip()
        heading = wrap(heading, characters)
        lines = max(lines, heading.count("\n") + 1)
        ax.set_title(heading, **TITLE)
    if title:
        above = 1 + (0.2 * lines + 0.2) / figure.get_figheight()
        figure.suptitle(title, x=0, y=above, ha="left", va="bottom")
    return figure


def layer_costs(model, title="") -> Figure:
    """Show the output volume of each layer, and below it memory, arithmetic, and parameters.

    Only convolutions, pooling layers, and dense layers are shown, from left to right. The largest
    bar of each row has the row's full height; a number above a bar has the unit of the row's total.
    On the left is the total of each row, with the two types of layers that contribute most. The
    network is only inspected: its weights need not exist.

    Parameters
    ----------
    model : keras.Model
        A network with a known input shape.

    Notes
    -----
    Activation memory is that of a layer's output for one image, in megabytes (1 MB = 10⁶ bytes), if
    each value is a float32 of 4 bytes. Training keeps these outputs for backpropagation. A MAC is
    one multiply–accumulate operation; biases, activations, and pooling are not counted.
    """
    rows = [row for row in layer_rows(model) if row["kind"] != "other"]
    if not rows:
        raise ValueError("the network has no convolutional, pooling, or dense layers.")
    kinds = [row["kind"] for row in rows]
    quantities = {
        "activation memory": ([4 * row["activations"] for row in rows], BYTES),
        "MACs": ([row["macs"] for row in rows], COUNTS),
        "parameters": ([row["parameters"] for row in rows], COUNTS),
    }
    figure = Figure(figsize=(LABEL_INCHES + max(0.35 * len(rows), 3), 3.6))
    edges = {"left": LABEL_INCHES / figure.get_figwidth(), "right": 1, "bottom": 0, "top": 1}
    panels = figure.subplots(
        4, 1, sharex=True, gridspec_kw=edges | {"hspace": 0.12, "height_ratios": [1.3, 1, 1, 1]}
    )
    _draw_outputs(panels[0], [row["shape"] for row in rows], kinds)
    for ax, (name, (values, sizes)) in zip(panels[1:], quantities.items(), strict=True):
        ax.bar(range(len(rows)), values, 0.8, color=[COLORS[kind] for kind in kinds])
        ax.set_ylim(0, 1.3 * max(1, *values))  # space for the numbers
        unit = next((size for size in sizes if sum(values) >= size), 1)
        for position, value in enumerate(values):
            if value >= 0.04 * max(values):
                text = f"{value / unit:,.3g}" if value < 1000 * unit else f"{value / unit:,.0f}"
                ax.text(position, value, text, ha="center", va="bottom", size=7.5)
        ax.set_yticks([])
        parts = "\n".join(_percentages(kinds, np.asarray(values)).split(", ")[:2])
        label: dict[str, Any] = {"x": -0.01, "transform": ax.transAxes, "ha": "right"}
        heading = f"{name}\n{_short(sum(values), sizes)}"
        ax.text(y=0.95, s=heading, va="top", size=9.5, weight="bold", **label)
        ax.text(y=0.05, s=parts, va="bottom", size=8, **label)
    for ax in panels:
        ax.spines[["top", "left", "right"]].set_visible(False)
        ax.tick_params(**NO_TICKS)
    panels[0].spines["bottom"].set_visible(False)
    panels[3].set_xticks(range(len(rows)), [row["name"] for row in rows], rotation=90, size=8)
    panels[3].set_xlim(-0.5, len(rows) - 0.5)
    panels[0].set_title(title, **TITLE)
    return figure


def compare_costs(networks, title="") -> Figure:
    """Compare the total costs of several networks, with one bar per network in each panel.

    The costs are the parameters, and the MACs and the activation memory for one image, as in
    `layer_costs`.

    Parameters
    ----------
    networks : dict of str to keras.Model
        Networks with known input shapes, by name.

    Raises
    ------
    ValueError
        If there is no network.
    """
    rows = {
        name: [row for row in layer_rows(model) if row["kind"] != "other"]
        for name, model in networks.items()
    }
    if not rows:
        raise ValueError("networks must contain at least one network with its name.")
    costs = {
        "parameters": ([model.count_params() for model in networks.values()], COUNTS),
        "MACs per image": ([sum(row["macs"] for row in each) for each in rows.values()], COUNTS),
        "activation memory per image": (
            [4 * sum(row["activations"] for row in each) for each in rows.values()],
            BYTES,
        ),
    }
    figure = Figure(figsize=(PAGE_INCHES - 1, 0.75 * len(rows)))
    edges = {"left": 0, "right": 1, "bottom": 0, "top": 1, "wspace": 0.15}
    panels = figure.subplots(1, len(costs), sharey=True, gridspec_kw=edges)
    for ax, (cost, (values, sizes)) in zip(panels, costs.items(), strict=True):
        ax.barh(range(len(rows)), values, 0.45, color=BLUE)
        for position, value in enumerate(values):
            ax.text(0, position - 0.27, _short(value, sizes), va="bottom", size=11)
        ax.set(xlim=(0, max(1, *values)), ylim=(len(rows) - 0.6, -0.75), xticks=[])
        ax.set_yticks(range(len(rows)), list(rows), size=12)
        ax.tick_params(**NO_TICKS)
        ax.spines[:].set_visible(False)
        ax.set_title(cost, **TITLE | {"fontsize": 12, "fontweight": "bold"})
    if title:
        figure.suptitle(title, x=0, y=1 + 0.4 / figure.get_figheight(), ha="left", va="bottom")
    return figure


def _draw_boxes(ax: Any, shapes: list[tuple], kinds: list[str]) -> None:
    """Draw the output of each layer as a box at its position."""
    volumes = [shape for shape in shapes if len(shape) == 3] or [(1, 1, 1)]
    tallest, deepest = max(shape[0] for shape in volumes), max(shape[2] for shape in volumes)
    for position, (shape, kind) in enumerate(zip(shapes, kinds, strict=True)):
        is_volume = len(shape) == 3
        height = shape[0] / tallest if is_volume else VECTOR_HEIGHT
        width = 0.15 + 0.7 * shape[2] / deepest if is_volume else 0.1
        corner = (position - width / 2, -height / 2)
        ax.add_patch(Rectangle(corner, width, height, facecolor=COLORS.get(kind, GRAY)))


def _draw_outputs(ax: Any, shapes: list[tuple], kinds: list[str]) -> None:
    """Draw the output of each layer as a box at its position, with its size and its channels."""
    volumes = [shape for shape in shapes if len(shape) == 3] or [(1, 1, 1)]
    tallest = max(shape[0] for shape in volumes)
    _draw_boxes(ax, shapes, kinds)
    for position, shape in enumerate(shapes):
        if len(shape) != 3:
            ax.text(position, -0.28, f"{shape[0]:,}", rotation=90, va="top", **SMALL_TEXT)
    for part, y, side in ((slice(0, 2), 0.03, "bottom"), (slice(0, 3), -0.03, "top")):
        for first, last in _runs(shapes, part):
            text = (
                f"{shapes[first][0]} × {shapes[first][1]}" if side == "bottom" else shapes[first][2]
            )
            edge = shapes[first][0] / tallest / 2 * np.sign(y)
            ax.text((first + last) / 2, edge + y, text, va=side, **SMALL_TEXT)
    ax.set_ylim(-0.75, 0.7)
    ax.set_yticks([])
    label: dict[str, Any] = {"x": -0.01, "transform": ax.transAxes, "ha": "right"}
    ax.text(y=0.75, s="output", va="top", size=10, weight="bold", **label)
    ax.text(
        y=0.1,
        s="above box: height × width\nbelow box: channels\nthin bar: vector",
        va="bottom",
        size=8,
        **label,
    )


def error_against_cost(
    names, errors, costs, standard_error=0.0, title="", error_name="error (%)"
) -> Figure:
    """Show the error rate of several networks against their costs, with one panel per cost.

    Parameters
    ----------
    names : sequence of n str
    errors : sequence of n numbers
        Error rates in percent.
    costs : dict of str to sequence of n numbers
        Nonnegative values by name; each horizontal axis starts at 0.
    standard_error : float
        Of each error rate, in percentage points; drawn as a vertical bar on both sides.
    error_name : str
        Label of the vertical axis.

    Raises
    ------
    ValueError
        If `costs` is empty, or a sequence does not have n entries.
    """
    names = list(names)
    lengths = {"errors": len(errors)} | {key: len(values) for key, values in costs.items()}
    _check_lengths(len(names), lengths, "one per network")
    if not costs:
        raise ValueError("costs must contain at least one name with its values.")
    figure = Figure(figsize=(PAGE_INCHES, 3))
    edges = {"left": 0, "right": 1, "bottom": 0, "top": 1, "wspace": 0.08}
    panels = figure.subplots(1, len(costs), sharey=True, squeeze=False, gridspec_kw=edges)[0]
    for ax, (cost, values) in zip(panels, costs.items(), strict=True):
        ax.errorbar(values, errors, standard_error, fmt="o", color=BLUE, ecolor=GRAY, markersize=7)
        for index, name in enumerate(names):
            # On alternating sides, because neighbors can be close to each other.
            sign = 1 if index % 2 == 0 else -1
            ax.annotate(
                name,
                (values[index], errors[index]),
                (8 * sign, 0),
                textcoords="offset points",
                ha="left" if sign > 0 else "right",
                va="center",
                size=10,
            )
        ax.set_xlim(0, 1.15 * max(values))
        ax.set_xlabel(cost)
        ax.grid(alpha=0.3)
        ax.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel(error_name)
    panels[0].set_title(title, **TITLE)
    return figure


def six_convolutions(title="") -> Figure:
    """Draw the CNN with six convolutions that students build in an exercise of 04-mlp-vs-cnn."""
    import keras
    from keras import layers

    network = keras.Sequential([keras.Input((32, 32, 3))])
    for filters in (32, 32, 64, 64, 128, 128):
        network.add(layers.Conv2D(filters, 3, padding="same", activation="relu"))
        if len(network.layers) % 4 == 2:
            network.add(layers.MaxPooling2D())
            network.add(layers.Dropout(0.2))
    for layer in (layers.Flatten(), layers.Dense(512, activation="relu"), layers.Dropout(0.5)):
        network.add(layer)
    network.add(layers.Dense(10, activation="softmax"))
    return block_diagram(network, title=title)


def volumes(shapes, kinds=None, title="") -> Figure:
    """Draw the output volume of each layer as a box that is wider the more channels there are.

    Height × width is written above, and the number of channels or of a vector's values below. Equal
    neighbors share a label.

    Parameters
    ----------
    shapes : sequence of tuples
        Output shape of each layer: (height, width, channels) with equal height and width, or
        (values,) for a vector. The longest vector is as tall as the tallest volume.
    kinds : sequence of str, optional
        Type of each layer, as in `layer_bars`; by default, all layers are convolutions.

    Raises
    ------
    ValueError
        If `shapes` is empty, a shape does not have 1 or 3 dimensions, or `kinds` and `shapes`
        differ in length.
    """
    shapes = [tuple(int(side) for side in shape) for shape in shapes]
    kinds = ["convolution"] * len(shapes) if kinds is None else list(kinds)
    _check_lengths(len(shapes), {"kinds": len(kinds)})
    if not shapes or any(len(shape) not in (1, 3) for shape in shapes):
        raise ValueError(
            "shapes must contain (height, width, channels) or (values,) for each layer."
        )
    boxes = [shape for shape in shapes if len(shape) == 3] or [(1, 1, 1)]
    tallest, deepest = max(shape[0] for shape in boxes), max(shape[2] for shape in boxes)
    longest = max((shape[0] for shape in shapes if len(shape) == 1), default=1)

    figure = Figure(figsize=(PAGE_INCHES, HEIGHT))
    ax = figure.add_axes((0, 0, 1, 1))
    edges: list = []
    for index, (shape, kind) in enumerate(zip(shapes, kinds, strict=True)):
        is_volume = len(shape) == 3
        height = shape[0] / (tallest if is_volume else longest)
        height = height if is_volume else max(height, MIN_VECTOR_HEIGHT)
        width = 0.2 + 0.8 * shape[2] / deepest if is_volume else 0.2
        left = edges[-1][1] + _gap(shapes[index - 1], shape) if edges else 0
        edges.append((left, left + width))
        color = COLORS.get(kind, GRAY)
        ax.add_patch(Rectangle((left, -height / 2), width, height, facecolor=color))
        if not is_volume:
            below = left + width / 2, -height / 2 - 0.02
            ax.text(*below, f"{shape[0]:,}", va="top", **SMALL_TEXT)
    for first, last in _runs(shapes, slice(0, 2)):
        rows, columns = shapes[first][:2]
        middle = (edges[first][0] + edges[last][1]) / 2
        top = rows / tallest / 2 + 0.02
        ax.text(middle, top, f"{rows} × {columns}", va="bottom", **SMALL_TEXT)
    for first, last in _runs(shapes, slice(0, 3)):
        rows, _, channels = shapes[first]
        middle = (edges[first][0] + edges[last][1]) / 2
        ax.text(middle, -rows / tallest / 2 - 0.02, channels, va="top", **SMALL_TEXT)
    ax.set_xlim(0, edges[-1][1])
    ax.set_ylim(-0.6, 0.6)
    ax.axis("off")
    for kind in dict.fromkeys(kinds):
        ax.bar(0, 0, color=COLORS.get(kind, GRAY), label=kind)
    legend = {"fontsize": 9, "frameon": False, "ncols": len(set(kinds))}
    ax.legend(loc="upper right", bbox_to_anchor=(1, 0.03), **legend)
    ax.set_title(f"{title}\nabove: height × width; below: channels or values".strip(), **TITLE)
    return figure


def _gap(previous: tuple, shape: tuple) -> float:
    """Return the distance between two boxes, which is larger if the height or width changes."""
    same_size = len(previous) == len(shape) and (len(shape) == 1 or previous[:2] == shape[:2])
    return 0.15 if same_size else 0.5


def _runs(shapes: list[tuple], part: slice) -> Iterator[tuple[int, int]]:
    """Yield the first and last index of each series of volumes whose shapes agree in `part`."""
    first = 0
    for index, shape in enumerate(shapes):
        following = shapes[index + 1] if index + 1 < len(shapes) else ()
        if len(shape) != len(following) or shape[part] != following[part]:
            if len(shape) == 3:
                yield first, index
            first = index + 1


def _percentages(kinds: list[str], values: np.ndarray) -> str:
    """Return the nonzero percentages of the layer types, from largest to smallest."""
    total = values.sum()
    sums = {kind: sum(values[np.array(kinds) == kind]) for kind in dict.fromkeys(kinds)}
    largest_first = sorted(sums.items(), key=lambda item: -item[1])
    return ", ".join(f"{kind} {part / total:.1%}" for kind, part in largest_first if part)


def _short(value: float, sizes: dict[float, str]) -> str:
    """Return a number with two or three digits and the name of its order of magnitude."""
    size = next((size for size in sizes if value >= size), 1)
    scaled = value / size
    return f"{scaled:,.{0 if scaled >= 100 or size == 1 else 1}f}{sizes.get(size, '')}"


def _check_lengths(expected: int, lengths: dict[str, int], each: str = "one per layer") -> None:
    for name, length in lengths.items():
        if length != expected:
            raise ValueError(f"{name} must have {expected} entries, {each}; got {length}.")
