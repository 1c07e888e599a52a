"""Figures of convolutions and pooling: kernels, filters, stride, padding, and receptive fields."""

import base64
import io
import itertools
import uuid
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as PlainFigure
from matplotlib.patches import Polygon, Rectangle

from course.plotting.primitives import (
    BLUE,
    GRAY,
    ORANGE,
    PAGE_INCHES,
    TITLE,
    VERMILLION,
    Figure,
    as_rgb,
    check_shape,
)

MAX_STEPS = 36  # each step adds about 15 KB to the notebook
STRIP_STEPS = 4
CELL = 0.34  # the side of a cell in a figure of volumes, in inches
DPI = 88
SECONDS_PER_STEP = 0.9
GREEN = "#009E73"  # Okabe-Ito, as the colors of primitives
# Light background colors, on which values are readable.
PADDING_COLOR, PATCH_COLOR, DONE_COLOR = "#E6E6E6", "#FBE3D3", "#D9EAF4"


class Slides:
    """The steps of a sliding kernel as images, with a play button and a slider.

    Pages without scripts or HTML, such as feedback pages, show a strip of a few steps.

    Attributes
    ----------
    steps : list of bytes
        One PNG per step.
    texts : list of str
        The sum that is computed at each step.
    output : ndarray
        The result of the convolution.
    """

    def __init__(self, steps, texts, output, strip_steps=STRIP_STEPS):
        self.steps, self.texts, self.output = steps, texts, output
        self._strip_steps = strip_steps

    def _repr_html_(self) -> str:
        # No JavaScript library is loaded from the network, so the page works offline.
        element_id = f"slides-{uuid.uuid4().hex}"
        urls = ",".join(f'"data:image/png;base64,{_base64(step)}"' for step in self.steps)
        last, first = len(self.steps) - 1, _base64(self.steps[0])
        return f"""<div id="{element_id}">
<img src="data:image/png;base64,{first}" alt="The kernel at each position" style="max-width:100%">
<div style="display:flex;gap:8px;align-items:center;max-width:{PAGE_INCHES * 72:.0f}px">
<button type="button">Play</button>
<input type="range" min="0" max="{last}" value="0" aria-label="step" style="flex:1">
<output>step 1 of {last + 1}</output>
</div></div>
<script>(function () {{
  const root = document.getElementById("{element_id}"), steps = [{urls}];
  const [image, button, range, count] =
    ["img", "button", "input", "output"].map((tag) => root.querySelector(tag));
  let timer = null;
  function show(step) {{
    range.value = step;
    image.src = steps[step];
    count.textContent = "step " + (step + 1) + " of " + steps.length;
  }}
  function stop() {{ clearInterval(timer); timer = null; button.textContent = "Play"; }}
  button.onclick = function () {{
    if (timer) return stop();
    button.textContent = "Pause";
    if (+range.value === {last}) show(0);
    timer = setInterval(function () {{
      if (!root.isConnected || +range.value === {last}) return stop();
      show(+range.value + 1);
    }}, {SECONDS_PER_STEP * 1000:.0f});
  }};
  range.oninput = function () {{ stop(); show(+range.value); }};
}})();</script>"""

    def _repr_png_(self) -> bytes:
        """Return a strip of a few steps, one below the other."""
        from PIL import Image  # slow to import

        count = min(self._strip_steps, len(self.steps))
        chosen = np.unique(np.linspace(0, len(self.steps) - 1, count).round().astype(int))
        parts = [Image.open(io.BytesIO(self.steps[step])).convert("RGB") for step in chosen]
        return _encode(np.concatenate([np.asarray(part) for part in parts]))

    def __repr__(self):
        return "\n".join(self.texts)


def sliding_kernel(image, kernel, stride=1, padding=0, title="") -> Slides:
    """Show a kernel at every position in an image, with the sum computed at that position.

    As in convolutional layers, the kernel is not flipped.

    Parameters
    ----------
    image : array, (h, w)
    kernel : array, (f, g)
    stride : int
        Step of the kernel, in pixels.
    padding : int
        Number of rows and columns of zeros on each side, which are drawn in gray.

    Returns
    -------
    Slides
        A notebook shows this object if it is the value of a cell's last line.

    Raises
    ------
    ValueError
        If a shape is wrong, the kernel is larger than the padded image, or there are more than 36
        positions.
    """
    image, kernel = np.asarray(image), np.asarray(kernel)
    check_shape("image", image, "(h, w)", image.ndim == 2 and image.size)
    check_shape("kernel", kernel, "(f, g)", kernel.ndim == 2 and kernel.size)
    padded = np.pad(image, padding)
    room = np.subtract(padded.shape, kernel.shape)
    if room.min() < 0:
        raise ValueError(
            f"a kernel of shape {kernel.shape} does not fit into an image of shape {padded.shape}."
        )
    rows, columns = (range(0, side + 1, stride) for side in room)
    if len(rows) * len(columns) > MAX_STEPS:
        raise ValueError(
            f"{len(rows)} × {len(columns)} positions are too many to show: choose a smaller image"
            f" or a larger stride, so that there are at most {MAX_STEPS} positions."
        )
    output = np.zeros((len(rows), len(columns)))
    positions, texts = [], []
    for index in np.ndindex(output.shape):
        top, left = rows[index[0]], columns[index[1]]
        patch = padded[top : top + kernel.shape[0], left : left + kernel.shape[1]]
        output[index] = np.sum(patch * kernel)
        terms = [f"{_factor(x)}·{_factor(w)}" for x, w in zip(patch.flat, kernel.flat, strict=True)]
        texts.append(f"{' + '.join(terms)} = {_format(output[index])}")
        positions.append((index, top, left))
    step = "one pixel" if stride == 1 else f"{stride} pixels"
    title = title or f"The kernel slides over the input, {step} at a time"
    steps = _draw_steps(padded, padding, kernel, output, positions, texts, title)
    return Slides(steps, texts, output)


def kernel_responses(image, kernels, title="", image_name="image") -> Figure:
    """Show an image, and for each kernel its weights and its response to the image.

    As in convolutional layers, the kernels are not flipped. There is no padding, and the stride is
    1. Positive weights and responses are red, negative ones are blue, and zero is white. Each
    response has its own scale, which covers 99% of its values.

    Parameters
    ----------
    image : array, (h, w)
        A grayscale image.
    kernels : dict of str to array, (f, g)
        The kernels with their names.
    image_name : str
        Title of the image.

    Raises
    ------
    ValueError
        If there is no kernel, a shape is wrong, a kernel is larger than the image, or a weight is
        infinite or NaN, for example because gradient descent diverged.
    """
    image = np.asarray(image, dtype=float)
    kernels = {name: np.asarray(kernel, dtype=float) for name, kernel in kernels.items()}
    if not kernels:
        raise ValueError(
            "kernels must contain at least one name with its kernel, as in {'edges': kernel}."
        )
    for name, kernel in kernels.items():
        if not np.isfinite(kernel).all():
            raise ValueError(f"the weights of {name!r} must be finite; got {kernel.tolist()}.")
    responses = {name: _responses(image, kernel) for name, kernel in kernels.items()}
    columns = len(kernels) + 1
    gap, top = 0.2, 1.15  # in inches, between the columns and for the kernels
    side = min(2.4, (PAGE_INCHES - gap * (columns - 1)) / columns)
    tall = side * image.shape[0] / image.shape[1]
    figure = Figure(figsize=(columns * (side + gap) - gap, top + tall))
    width, height = figure.get_size_inches()

    def add_axes(column: int, bottom: float, tall: float) -> Any:
        """Add Axes without ticks; the lengths are in inches."""
        left = column * (side + gap)
        ax = figure.add_axes((left / width, bottom / height, side / width, tall / height))
        ax.set_xticks([])
        ax.set_yticks([])
        return ax

    ax = add_axes(0, 0, tall)
    ax.imshow(as_rgb(image[None])[0], interpolation="auto")
    ax.set_title(image_name, fontsize=11)
    for column, (name, kernel) in enumerate(kernels.items(), start=1):
        ax = add_axes(column, tall + 0.08, top - 0.12)
        _draw_kernel(ax, kernel)
        ax.set_title(name, fontsize=11)
        ax = add_axes(column, 0, tall)
        # A few extreme values would make all others pale.
        limit = max(np.percentile(np.abs(responses[name]), 99), 1e-12)
        # The response is smaller than the image: it is drawn at the same scale.
        margins = (np.subtract(image.shape, responses[name].shape) + 1) / 2
        extent = (
            margins[1] - 0.5,
            margins[1] + responses[name].shape[1] - 0.5,
            margins[0] + responses[name].shape[0] - 0.5,
            margins[0] - 0.5,
        )
        ax.imshow(responses[name], cmap="RdBu_r", vmin=-limit, vmax=limit, extent=extent)
        ax.set(xlim=(0, image.shape[1]), ylim=(image.shape[0], 0))
        ax.spines[:].set_color(GRAY)
    if title:
        figure.text(0, 1 + 0.3 / height, title, size=12, va="bottom")
    return figure


def channels_and_filters(image, filters, biases, channel_names=None, title="") -> Slides:
    """Show how each filter turns all channels of its input into one feature map.

    Parameters
    ----------
    image : array, (h, w, channels)
    filters : array, (f, g, channels, filters)
        The weights, as Keras stores them; they are not flipped. The stride is 1, and there is no
        padding.
    biases : array, (filters,)
    channel_names : sequence of str, optional
        Names of the channels of the input.

    Returns
    -------
    Slides
        A notebook shows this object if it is the value of a cell's last line. Its `output` has the
        shape (h - f + 1, w - g + 1, filters).

    Raises
    ------
    ValueError
        If the shapes do not match, or there are more than 36 steps.
    """
    image, filters, biases = np.asarray(image), np.asarray(filters), np.asarray(biases)
    check_shape("image", image, "(h, w, channels)", image.ndim == 3 and image.size)
    channels = image.shape[2]
    is_right = filters.ndim == 4 and filters.shape[2] == channels and filters.size
    check_shape("filters", filters, f"(f, g, {channels}, filters)", is_right)
    count = filters.shape[3]
    check_shape("biases", biases, f"({count},)", biases.shape == (count,))
    maps = [
        sum(_responses(image[..., c], filters[..., c, k]) for c in range(channels)) + biases[k]
        for k in range(count)
    ]
    output = np.stack(maps, axis=-1)
    if output.size > MAX_STEPS:
        raise ValueError(
            f"{output.size} steps are too many to show: choose a smaller image or fewer filters, so"
            f" that there are at most {MAX_STEPS} steps."
        )
    names = list(channel_names or [f"channel {c + 1}" for c in range(channels)])
    title = title or "Each filter covers all channels and produces one feature map"
    steps, texts = _draw_volume_steps(image, filters, biases, output, names, title)
    return Slides(steps, texts, output, strip_steps=2)


def stride_and_padding(cases, size=5, kernel_size=3, title="") -> Figure:
    """Show the positions of a kernel for several strides and paddings.

    Each panel shows the input, its padding in gray, and a dot at the center of each position. The
    kernel is outlined at its first and at its last position. Pixels on the right and at the bottom
    that no position covers are hatched.

    Parameters
    ----------
    cases : sequence of (int, int or "same")
        Stride and padding of each panel. An integer is the number of zeros on each side; "same" is
        the padding of Keras, which puts one zero more on the right and at the bottom if the total
        number is odd.
    size : int
        Height and width of the input.
    kernel_size : int

    Raises
    ------
    ValueError
        If `cases` is empty, or the kernel is larger than the padded input.
    """
    cases = list(cases)
    if not cases:
        raise ValueError("cases must contain at least one pair (stride, padding), as in [(1, 0)].")
    paddings = [_zeros(size, kernel_size, stride, padding) for stride, padding in cases]
    sides = [size + before + after for before, after in paddings]
    if min(sides) < kernel_size:
        raise ValueError(f"a kernel of size {kernel_size} does not fit into {min(sides)} pixels.")
    gap, spans = 0.3, [side + 0.2 for side in sides]  # the gap is in inches, the spans in cells
    panel = max(spans)
    cell = min(2.4 / panel, (PAGE_INCHES - gap * (len(cases) - 1)) / sum(spans))  # inches
    lefts = [sum(spans[:index]) * cell + index * gap for index in range(len(cases))]
    width = lefts[-1] + spans[-1] * cell
    figure = Figure(figsize=(width, panel * cell))
    for (stride, padding), zeros, side, left, span in zip(
        cases, paddings, sides, lefts, spans, strict=True
    ):
        box = (left / width, 1 - span / panel, span * cell / width, span / panel)
        ax = figure.add_axes(box)
        ax.set(xlim=(-0.1, side + 0.1), ylim=(side + 0.1, -0.1), aspect="equal")
        ax.axis("off")
        ax.add_patch(Rectangle((0, 0), side, side, facecolor=PADDING_COLOR))
        ax.add_patch(Rectangle((zeros[0], zeros[0]), size, size, facecolor=DONE_COLOR))
        ax.hlines(range(side + 1), 0, side, "0.6", linewidth=0.8)
        ax.vlines(range(side + 1), 0, side, "0.6", linewidth=0.8)
        starts = np.arange(0, side - kernel_size + 1, stride)
        for start, line in ((starts[0], "-"), (starts[-1], "--")):
            ax.add_patch(
                Rectangle(
                    (start, start),
                    kernel_size,
                    kernel_size,
                    fill=False,
                    edgecolor=VERMILLION,
                    linewidth=2.5,
                    linestyle=line,
                )
            )
        end = starts[-1] + kernel_size
        if end < side:  # hatch the pixels that no position reaches
            hatched: dict[str, Any] = {"fill": False, "hatch": "////", "edgecolor": "0.4"}
            ax.add_patch(Rectangle((end, 0), side - end, side, linewidth=0, **hatched))
            ax.add_patch(Rectangle((0, end), end, side - end, linewidth=0, **hatched))
        centers = starts + kernel_size / 2
        across, down = np.meshgrid(centers, centers)
        ax.scatter(across, down, s=24, color=BLUE, zorder=3)
        name = '"same"' if padding == "same" else f"P = {padding}"
        count = len(starts)
        ax.set_title(
            f"S = {stride}, {name}\n{size} × {size} → {count} × {count}", loc="left", fontsize=11
        )
    if title:
        figure.text(0, 1 + 0.55 / (panel * cell), title, size=12, va="bottom")
    return figure


def pooling(image, size=2, stride=None, title="") -> Figure:
    """Show max pooling and average pooling of the same input.

    Parameters
    ----------
    image : array, (h, w)
    size : int
        Height and width of the pooling windows.
    stride : int, optional
        Step of the windows; by default their size. Windows that don't overlap are colored. If they
        do, the first one has a solid outline, and its right neighbor a dashed one.

    Raises
    ------
    ValueError
        If the shape is wrong or the image is smaller than a window.
    """
    image = np.asarray(image)
    check_shape("image", image, "(h, w)", image.ndim == 2 and min(image.shape, default=0) >= size)
    stride = stride or size
    rows, columns = (range(0, side - size + 1, stride) for side in image.shape)
    windows = [[image[i : i + size, j : j + size] for j in columns] for i in rows]
    grids = {
        "input {} × {}".format(*image.shape): image,
        "max pooling": np.array([[window.max() for window in row] for row in windows]),
        "average pooling": np.array([[window.mean() for window in row] for row in windows]),
    }
    cell, gap = 0.42, 1.6
    lefts = np.cumsum([0, *[grid.shape[1] + gap for grid in grids.values()]])
    width, height = lefts[-1] - gap + 0.2, image.shape[0] + 1
    figure = Figure(figsize=(width * cell, height * cell))
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set(xlim=(-0.1, width - 0.1), ylim=(height - 0.9, -0.9))
    ax.axis("off")
    tints = ["#D9EAF4", "#FBE3D3", "#D9F0E6", "#FBF0D3"]
    for left, (name, grid) in zip(lefts[:-1], grids.items(), strict=True):
        _draw_grid(ax, grid, left, 0, name)
        for number, (i, j) in enumerate(np.ndindex(len(rows), len(columns))):
            tint = tints[2 * (i % 2) + j % 2]
            corner, side = (left + j, i), 1
            if grid is image:
                corner, side = (left + columns[j], rows[i]), size
            if stride >= size:
                ax.add_patch(Rectangle(corner, side, side, facecolor=tint, zorder=0))
            edge: dict[str, Any] = {"fill": False, "edgecolor": VERMILLION, "linewidth": 2.5}
            if number == 0:
                ax.add_patch(Rectangle(corner, side, side, zorder=3, **edge))
            elif (i, j) == (0, 1) and stride < size:
                edge |= {"edgecolor": BLUE, "linestyle": (0, (3, 1.5))}
                ax.add_patch(Rectangle(corner, side, side, zorder=4, **edge))
    if not title and stride < size:
        title = f"{size} × {size} windows with stride {stride} overlap"
    title = title or f"Each {size} × {size} window becomes one value"
    figure.text(0, 1.02, title, size=12, va="bottom")
    return figure


def convolution_relu_pooling(image, kernel, pool_size=None, title="") -> Figure:
    """Show an image, its feature map, the feature map after ReLU, and then after max pooling.

    As in convolutional layers, the kernel is not flipped. There is no padding. All maps share one
    color scale, which covers 99% of the responses: positive values are red, negative ones are blue,
    and zero is white.

    Parameters
    ----------
    image : array, (h, w)
        A grayscale image.
    kernel : array, (f, g)
    pool_size : int, optional
        Height, width, and stride of the pooling windows; by default, pooling is not shown.

    Raises
    ------
    ValueError
        If a shape is wrong, the image is smaller than the kernel, or the feature map is smaller
        than a pooling window.
    """
    image = np.asarray(image, dtype=float)
    responses = _responses(image, np.asarray(kernel, dtype=float))
    pictures = {"image": image, "after the convolution": responses}
    pictures["after ReLU"] = rectified = np.maximum(responses, 0)
    if pool_size is not None:
        rows, columns = (side // pool_size for side in rectified.shape)
        is_right = min(rows, columns) > 0
        check_shape("the feature map", rectified, f"at least {pool_size} × {pool_size}", is_right)
        windows = rectified[: rows * pool_size, : columns * pool_size]
        windows = windows.reshape(rows, pool_size, columns, pool_size)
        pictures[f"after {pool_size} × {pool_size} max pooling"] = windows.max(axis=(1, 3))
    limit = max(np.percentile(np.abs(responses), 99), 1e-12)
    gap = 0.35  # between the panels, in inches
    side = (PAGE_INCHES - 3 * gap) / 4
    tall = side * image.shape[0] / image.shape[1]
    figure = Figure(figsize=(len(pictures) * (side + gap) - gap, tall))
    width = figure.get_figwidth()
    for column, (name, values) in enumerate(pictures.items()):
        ax = figure.add_axes((column * (side + gap) / width, 0, side / width, 1))
        if column == 0:
            ax.imshow(as_rgb(values[None])[0], interpolation="auto")
        else:
            ax.imshow(values, cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="nearest")
            place: dict[str, Any] = {
                "transform": ax.transAxes,
                "ha": "center",
                "va": "center",
                "size": 18,
            }
            ax.text(-gap / side / 2, 0.5, "→", **place)
        ax.set_xticks([])
        ax.set_yticks([])
        ax.spines[:].set_color(GRAY)
        ax.set_title("{}\n{} × {}".format(name, *values.shape), fontsize=10)
    if title:
        figure.text(0, 1 + 0.55 / tall, title, size=12, va="bottom")
    return figure


def connections(inputs=7, kernel_size=3, title="") -> Figure:
    """Show the weights of a dense, a locally connected, and a convolutional layer in one dimension.

    Parameters
    ----------
    inputs : int
        Number of input values.
    kernel_size : int
        Number of inputs that a unit of the last two layers is connected to, at most 5.

    Raises
    ------
    ValueError
        If the kernel is larger than the input or than 5.
    """
    if not 1 <= kernel_size <= min(inputs, 5):
        raise ValueError(f"kernel_size must be from 1 to {min(inputs, 5)}; got {kernel_size}.")
    units = inputs - kernel_size + 1
    colors = [BLUE, VERMILLION, GREEN, ORANGE, "0.2"]
    lines = ["-", "--", ":", "-.", (0, (1, 1))]  # not by color alone
    counts = {
        "dense": inputs * units,
        "locally connected": kernel_size * units,
        "convolutional": kernel_size,
    }
    figure = Figure(figsize=(PAGE_INCHES, 1.7))
    for ax, (name, count) in zip(figure.subplots(1, 3), counts.items(), strict=True):
        for unit in range(units):
            for pixel in range(inputs) if name == "dense" else range(unit, unit + kernel_size):
                style: dict[str, Any] = {"color": "0.6", "linewidth": 1.2}
                if name == "convolutional":
                    weight = pixel - unit
                    style = {"color": colors[weight], "linestyle": lines[weight], "linewidth": 2}
                ax.plot([pixel, unit + (kernel_size - 1) / 2], [0, 1], zorder=0, **style)
        ax.scatter(range(inputs), [0] * inputs, color="0.2", marker="s")
        ax.scatter(np.arange(units) + (kernel_size - 1) / 2, [1] * units, color="0.2")
        ax.set_title(f"{name}: {count} weights", loc="left", fontsize=10)
        ax.set_yticks([0, 1], ["inputs", "units"] if name == "dense" else ["", ""])
        ax.set_xticks([])
        ax.tick_params(length=0)
        ax.spines[:].set_visible(False)
    if title:
        figure.text(0.12, 1.08, title, size=12, va="bottom")
    return figure


def receptive_field(layers, title="") -> Figure:
    """Show in cross section which pixels of the image one activation depends on.

    Parameters
    ----------
    layers : sequence of (int, int)
        Kernel size and stride of each convolution or pooling layer, starting at the image.

    Raises
    ------
    ValueError
        If there is no layer, or a kernel size or stride is less than 1.
    """
    layers = [tuple(layer) for layer in layers]
    if not layers or any(len(layer) != 2 or min(layer) < 1 for layer in layers):
        raise ValueError(
            "layers must contain pairs (kernel size, stride), with both numbers at least 1; got"
            f" {layers}."
        )
    # The number of values per layer, from the one activation at the top down to the image.
    sizes = [1]
    for kernel_size, stride in reversed(layers):
        sizes.insert(0, (sizes[0] - 1) * stride + kernel_size)
    starts, steps = [0.0], [1]
    for kernel_size, stride in layers:
        starts.append(starts[-1] + (kernel_size - 1) / 2 * steps[-1])
        steps.append(steps[-1] * stride)
    width, height = sizes[0], 0.85 * len(sizes)
    figure = Figure(figsize=(min(PAGE_INCHES - 2.6, 0.45 * width + 1), height))
    ax = figure.add_axes((0, 0, 1, 1))
    side = 0.6  # of a pixel's square; less than 1, so that neighbors do not touch
    for level, (size, start, step) in enumerate(zip(sizes, starts, steps, strict=True)):
        centers = start + step * np.arange(size)
        if level:
            reach = (layers[level - 1][0] - 1) / 2 * steps[level - 1] + side / 2
            for center in centers:
                corners = [(center - reach, level - 0.84), (center + reach, level - 0.84)]
                corners += [(center, level - 0.16)]
                ax.add_patch(Polygon(corners, facecolor=BLUE, alpha=0.18, edgecolor=BLUE))
        is_top = level == len(layers)
        for center in centers:
            ax.add_patch(
                Rectangle(
                    (center - side / 2, level - 0.16),
                    side,
                    0.32,
                    facecolor=VERMILLION if is_top else BLUE,
                    edgecolor="white",
                )
            )
    names = ["image"]
    names += [
        f"layer {number}: kernel size {kernel_size}, stride {stride}"
        for number, (kernel_size, stride) in enumerate(layers, start=1)
    ]
    units = ["pixel"] + ["activation"] * len(layers)
    counts = [f"{size} {unit}{'s' * (size > 1)}" for size, unit in zip(sizes, units, strict=True)]
    labels = [f"{name}\n{count}" for name, count in zip(names, counts, strict=True)]
    ax.set_yticks(range(len(sizes)), labels)
    ax.set_xticks([])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set(xlim=(-0.6, width - 0.4), ylim=(-0.3, len(layers) + 0.3))
    shown = f"One activation of layer {len(layers)} depends on {width} adjacent pixels of the image"
    ax.set_title(title or shown, **TITLE)
    return figure


def _draw_steps(
    padded: np.ndarray,
    padding: int,
    kernel: np.ndarray,
    output: np.ndarray,
    positions: list[tuple],
    texts: list[str],
    title: str,
) -> list[bytes]:
    """Return a PNG for each position."""
    grids = [padded, kernel, output]
    gap, cell = 1.1, 0.42  # gap between two grids in cells; size of a cell in inches
    widths = [grid.shape[1] for grid in grids]
    total_height = max(grid.shape[0] for grid in grids)
    total_width = max(sum(widths) + 2 * gap, 15)
    # The Figure of this package crops its images, but all steps must have the same size.
    figure = PlainFigure(figsize=((total_width + 0.6) * cell, (total_height + 2.6) * cell), dpi=DPI)
    canvas = FigureCanvasAgg(figure)
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set(xlim=(-0.3, total_width + 0.3), ylim=(total_height + 1.3, -1.3))
    ax.axis("off")
    ax.text(0, -0.95, title, size=11, va="center")
    lefts = [0, widths[0] + gap, widths[0] + widths[1] + 2 * gap]
    height, width = (side - 2 * padding for side in padded.shape)
    input_name = f"input {height} × {width}" + (f", P = {padding}" if padding else "")
    names = [
        input_name,
        "kernel {} × {}".format(*kernel.shape),
        "output {} × {}".format(*output.shape),
    ]
    for left, name, grid in zip(lefts, names, grids, strict=True):
        ax.text(left, -0.3, name, size=9, va="center", color="0.3")
        ax.hlines(range(grid.shape[0] + 1), left, left + grid.shape[1], "0.6", linewidth=0.8)
        ax.vlines(
            np.arange(grid.shape[1] + 1) + left, 0, grid.shape[0], colors="0.6", linewidth=0.8
        )
    for row, column in np.ndindex(padded.shape):
        if not (padding <= row < padding + height and padding <= column < padding + width):
            ax.add_patch(Rectangle((column, row), 1, 1, facecolor=PADDING_COLOR, zorder=0))
    _write_values(ax, padded, 0)
    _write_values(ax, kernel, lefts[1])
    results = _write_values(ax, output, lefts[2])
    outline: dict[str, Any] = {
        "zorder": 3,
        "fill": False,
        "edgecolor": VERMILLION,
        "linewidth": 2.5,
    }
    frame = Rectangle((0, 0), kernel.shape[1], kernel.shape[0], **outline)
    patch = Rectangle((0, 0), kernel.shape[1], kernel.shape[0], facecolor=PATCH_COLOR, zorder=0)
    done = [
        Rectangle((lefts[2] + column, row), 1, 1, facecolor=DONE_COLOR, zorder=0)
        for row, column in np.ndindex(output.shape)
    ]
    current = Rectangle((0, 0), 1, 1, **outline)
    for shape in [patch, *done, frame, current]:
        ax.add_patch(shape)
    sum_text = ax.text(0, total_height + 0.75, "", size=10, va="center")
    for artist in [*results, *done]:
        artist.set_visible(False)
    steps = []
    for number, ((row, column), top, left) in enumerate(positions):
        for shape in (frame, patch):
            shape.set_xy((left, top))
        current.set_xy((lefts[2] + column, row))
        results[number].set_visible(True)
        done[number].set_visible(True)
        sum_text.set_text(_break_sum(texts[number], int(total_width * cell * 72 / 5.6)))
        canvas.draw()
        steps.append(_encode(np.asarray(canvas.buffer_rgba())[..., :3]))
    return steps


def _responses(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Return the sum of products at each position of an unflipped kernel, without padding."""
    check_shape("image", image, "(h, w)", image.ndim == 2 and image.size)
    check_shape("kernel", kernel, "(f, g)", kernel.ndim == 2 and kernel.size)
    if np.less(image.shape, kernel.shape).any():
        raise ValueError(
            f"a kernel of shape {kernel.shape} does not fit into an image of shape {image.shape}."
        )
    patches = np.lib.stride_tricks.sliding_window_view(image, kernel.shape)
    return np.einsum("ijpq,pq->ij", patches, kernel)


def _zeros(size: int, kernel_size: int, stride: int, padding: int | str) -> tuple[int, int]:
    """Return the number of zeros before and after, for a number on each side or "same"."""
    if padding != "same":
        return int(padding), int(padding)
    positions = -(-size // stride)  # rounded up
    total = max((positions - 1) * stride + kernel_size - size, 0)
    return total // 2, total - total // 2


def _draw_kernel(ax: Any, kernel: np.ndarray) -> None:
    """Draw the weights of a kernel as colored cells with their values."""
    limit = max(np.abs(kernel).max(), 1e-12)
    ax.imshow(kernel, cmap="RdBu_r", vmin=-2 * limit, vmax=2 * limit)  # light: text is readable
    rows, columns = kernel.shape
    is_whole = (kernel == np.round(kernel)).all()
    for (row, column), weight in np.ndenumerate(kernel):
        text = _format(weight) if is_whole else f"{weight:z.1f}".replace("-", "−")
        ax.text(column, row, text, size=9, ha="center", va="center")
    ax.hlines(np.arange(rows + 1) - 0.5, -0.5, columns - 0.5, "0.6", linewidth=0.8)
    ax.vlines(np.arange(columns + 1) - 0.5, -0.5, rows - 0.5, "0.6", linewidth=0.8)
    ax.set(xlim=(-0.55, columns - 0.45), ylim=(rows - 0.45, -0.55))
    ax.axis("off")


def _draw_grid(ax: Any, grid: np.ndarray, left: float, top: float, name: str) -> list:
    """Draw a grid of values with its name above it, and return the texts of the values."""
    rows, columns = grid.shape
    ax.text(left, top - 0.3, name, size=9, va="center", color="0.3")
    ax.hlines(np.arange(rows + 1) + top, left, left + columns, "0.6", linewidth=0.8)
    ax.vlines(np.arange(columns + 1) + left, top, top + rows, "0.6", linewidth=0.8)
    return _write_values(ax, grid, left, top)


def _draw_volume_steps(
    image: np.ndarray,
    filters: np.ndarray,
    biases: np.ndarray,
    output: np.ndarray,
    names: Sequence[str],
    title: str,
) -> tuple[list[bytes], list[str]]:
    """Return a PNG and the sum for each position of each filter."""
    (height, width, channels), (f, g, _, count) = image.shape, filters.shape
    rows, columns, _ = output.shape
    pitch = max(height, f) + 0.9  # vertical distance of the channels
    lefts = [0.0, width + 1.4, width + 1.4 + max(g + 1.2, 3.4) + 3]
    total_width = max(lefts[2] + columns + 1.0, 15)
    total_height = max(channels * pitch, count * (rows + 0.9) + 1.5)  # three lines for the sum
    figure = PlainFigure(figsize=((total_width + 0.6) * CELL, (total_height + 2.2) * CELL), dpi=DPI)
    canvas = FigureCanvasAgg(figure)
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set(xlim=(-0.3, total_width + 0.3), ylim=(total_height + 0.4, -1.8))
    ax.axis("off")
    ax.text(0, -1.35, title, size=11, va="center")
    outline: dict[str, Any] = {"fill": False, "edgecolor": VERMILLION, "linewidth": 2.5}
    frames, products = [], []
    for c, name in enumerate(names):
        top = c * pitch
        _draw_grid(ax, image[..., c], lefts[0], top, name)
        patch = Rectangle((0, top), g, f, facecolor=PATCH_COLOR, zorder=0)
        frame = Rectangle((0, top), g, f, zorder=3, **outline)
        ax.add_patch(patch)
        ax.add_patch(frame)
        frames.append((patch, frame))
        products.append(ax.text(lefts[1] + g + 0.3, top + f / 2, "", size=10, va="center"))
    weights = []
    for k in range(count):
        texts = [
            text
            for c in range(channels)
            for text in _write_values(ax, filters[..., c, k], lefts[1], c * pitch)
        ]
        weights.append(texts)
    for c in range(channels):
        ax.hlines(np.arange(f + 1) + c * pitch, lefts[1], lefts[1] + g, "0.6", linewidth=0.8)
        ax.vlines(np.arange(g + 1) + lefts[1], c * pitch, c * pitch + f, "0.6", linewidth=0.8)
    filter_name = ax.text(lefts[1], -0.3, "", size=9, va="center", color="0.3")
    total = ax.text(lefts[2], count * (rows + 0.9) + 0.2, "", size=10, va="top")
    results = []
    for k in range(count):
        top = k * (rows + 0.9)
        results.append(_draw_grid(ax, output[..., k], lefts[2], top, f"feature map {k + 1}"))
    done = {
        (i, j, k): Rectangle((lefts[2] + j, k * (rows + 0.9) + i), 1, 1, facecolor=DONE_COLOR,
                             zorder=0)
        for i, j, k in np.ndindex(output.shape)
    }  # fmt: skip
    current = Rectangle((0, 0), 1, 1, zorder=3, **outline)
    for shape in [*done.values(), current]:
        ax.add_patch(shape)
    for artist in [*itertools.chain(*results), *done.values()]:
        artist.set_visible(False)
    steps, sums = [], []
    for k in range(count):
        for number, texts in enumerate(weights):
            for text in texts:
                text.set_visible(number == k)
        filter_name.set_text(f"filter {k + 1}")
        for i, j in np.ndindex(rows, columns):
            parts = [
                float(np.sum(image[i : i + f, j : j + g, c] * filters[..., c, k]))
                for c in range(channels)
            ]
            for c, (part, rectangles) in enumerate(zip(parts, frames, strict=True)):
                products[c].set_text(f"→ {_format(part)}")
                for rectangle in rectangles:
                    rectangle.set_xy((j, c * pitch + i))
            terms = " + ".join(_factor(part) for part in parts)
            text = f"{terms} + {_factor(float(biases[k]))} = {_format(output[i, j, k])}"
            sums.append(text)
            bias = f"bias {_format(biases[k])}"
            total.set_text(f"{terms}\n+ {bias}\n= {_format(output[i, j, k])}")
            current.set_xy((lefts[2] + j, k * (rows + 0.9) + i))
            results[k][i * columns + j].set_visible(True)
            done[i, j, k].set_visible(True)
            canvas.draw()
            steps.append(_encode(np.asarray(canvas.buffer_rgba())[..., :3]))
    return steps, sums


def _write_values(ax: Any, grid: np.ndarray, left: float, top: float = 0) -> list:
    """Write the values of a grid into its cells, row by row, and return the texts."""
    return [
        ax.text(
            left + column + 0.5, top + row + 0.5, _format(value), size=10, ha="center", va="center"
        )
        for (row, column), value in np.ndenumerate(grid)
    ]


def _format(value: Any) -> str:
    return f"{value:.3g}".replace("-", "−") if value % 1 else f"{value:.0f}".replace("-", "−")


def _factor(value: float) -> str:
    return f"({_format(value)})" if value < 0 else _format(value)


def _break_sum(text: str, width: int) -> str:
    """Break a sum into two lines if it is longer than `width` characters."""
    if len(text) <= width:
        return text
    end = text.rfind(" + ", 0, width)
    return f"{text[:end]}\n{text[end + 1 :]}"


def _encode(pixels: np.ndarray) -> bytes:
    """Return RGB pixels as a PNG with few colors, a quarter of the size of a full-color PNG."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(pixels).quantize(24).save(file, format="png", optimize=True)
    return file.getvalue()


def _base64(png: bytes) -> str:
    return base64.b64encode(png).decode("ascii")
