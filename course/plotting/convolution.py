"""Figures of convolutions: a kernel that slides over its input, and receptive fields."""

import base64
import io
import uuid
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as PlainFigure
from matplotlib.patches import Polygon, Rectangle

from course.plotting.primitives import BLUE, PAGE_INCHES, TITLE, VERMILLION, Figure, check_shape

MAX_STEPS = 36  # each step adds about 15 KB to the notebook
STRIP_STEPS = 4
DPI = 88
SECONDS_PER_STEP = 0.9
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

    def __init__(self, steps, texts, output):
        self.steps, self.texts, self.output = steps, texts, output

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

        count = min(STRIP_STEPS, len(self.steps))
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


def receptive_field(layers, title="") -> Figure:
    """Show in cross section which input pixels one output pixel depends on.

    Parameters
    ----------
    layers : sequence of (int, int)
        Kernel size and stride of each convolution or pooling layer, starting at the input.

    Raises
    ------
    ValueError
        If there is no layer, or a kernel size or stride is less than 1.
    """
    layers = [tuple(layer) for layer in layers]
    if not layers or any(len(layer) != 2 or min(layer) < 1 for layer in layers):
        raise ValueError(f"layers must be pairs (kernel size, stride) of at least 1; got {layers}.")
    # The number of pixels per layer, from the one output pixel at the top down to the input.
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
    names = ["input"]
    names += [
        f"layer {number}: kernel size {kernel_size}, stride {stride}"
        for number, (kernel_size, stride) in enumerate(layers, start=1)
    ]
    pixels = [f"{size} pixel{'s' * (size > 1)}" for size in sizes]
    labels = [f"{name}\n{count}" for name, count in zip(names, pixels, strict=True)]
    ax.set_yticks(range(len(sizes)), labels)
    ax.set_xticks([])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set(xlim=(-0.6, width - 0.4), ylim=(-0.3, len(layers) + 0.3))
    ax.set_title(title or f"One pixel at the top depends on {width} adjacent pixels", **TITLE)
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


def _write_values(ax: Any, grid: np.ndarray, left: float) -> list:
    """Write the values of a grid into its cells, row by row, and return the texts."""
    return [
        ax.text(left + column + 0.5, row + 0.5, _format(value), size=10, ha="center", va="center")
        for (row, column), value in np.ndenumerate(grid)
    ]


def _format(value: Any) -> str:
    return f"{value:g}".replace("-", "−")


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
