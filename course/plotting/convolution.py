"""How a convolution looks at its input: a kernel that slides, and how far one pixel sees."""

import base64
import io
import uuid

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as PlainFigure
from matplotlib.patches import Polygon, Rectangle

from course.plotting.primitives import BLUE, PAGE_INCHES, TITLE, VERMILLION, Figure, check_shape

MOST_STEPS = 36  # each is some 15 KB of the notebook
STRIP_STEPS = 4
DPI = 88
SECONDS_A_STEP = 0.9
PADDED, WINDOW, DONE = "#E6E6E6", "#FBE3D3", "#D9EAF4"  # light: the numbers on them stay readable


class Slides:
    """The steps of a sliding kernel as pictures that a reader can play or drag through.

    Where scripts or HTML are taken out, such as on a feedback page, a strip of a few steps is
    shown instead.

    Attributes
    ----------
    steps : list of bytes
        A PNG a step.
    texts : list of str
        What is computed at each step.
    output : ndarray
        What the kernel makes of the whole image.
    """

    def __init__(self, steps, texts, output):
        self.steps, self.texts, self.output = steps, texts, output

    def _repr_html_(self):
        # No library of a network does the buttons: the page also works offline.
        name = f"slides-{uuid.uuid4().hex}"
        urls = ",".join(f'"data:image/png;base64,{_text(step)}"' for step in self.steps)
        last, first = len(self.steps) - 1, _text(self.steps[0])
        return f"""<div id="{name}">
<img src="data:image/png;base64,{first}" alt="The kernel at each of its places" style="max-width:100%">
<div style="display:flex;gap:8px;align-items:center;max-width:{PAGE_INCHES * 72:.0f}px">
<button type="button">Play</button>
<input type="range" min="0" max="{last}" value="0" aria-label="step" style="flex:1">
<output>step 1 of {last + 1}</output>
</div></div>
<script>(function () {{
  const root = document.getElementById("{name}"), steps = [{urls}];
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
    }}, {SECONDS_A_STEP * 1000:.0f});
  }};
  range.oninput = function () {{ stop(); show(+range.value); }};
}})();</script>"""  # noqa: E501

    def _repr_png_(self):
        """Return a strip: a few steps, one below the other."""
        from PIL import Image  # only this and _encode need it

        number = min(STRIP_STEPS, len(self.steps))
        chosen = np.unique(np.linspace(0, len(self.steps) - 1, number).round().astype(int))
        parts = [Image.open(io.BytesIO(self.steps[step])).convert("RGB") for step in chosen]
        return _encode(np.concatenate([np.asarray(part) for part in parts]))

    def __repr__(self):
        return "\n".join(self.texts)


def sliding_kernel(image, kernel, stride=1, padding=0, title="") -> Slides:
    """Show a kernel at every place of an image, with the sum that it computes there.

    The kernel is laid on as it stands, without a flip, as the layers of networks do.

    Parameters
    ----------
    image : array, (h, w)
    kernel : array, (f, g)
    stride : int
        How far the kernel moves from place to place.
    padding : int
        Rows and columns of zeros on each side, drawn in grey.
    title : str

    Returns
    -------
    Slides
        The value of a cell's last line shows it.

    Raises
    ------
    ValueError
        Where a shape is wrong, the kernel is larger than the padded image, or there are more than
        36 places.
    """
    image, kernel = np.asarray(image), np.asarray(kernel)
    check_shape("image", image, "(h, w)", image.ndim == 2 and image.size)
    check_shape("kernel", kernel, "(f, g)", kernel.ndim == 2 and kernel.size)
    padded = np.pad(image, padding)
    space = np.subtract(padded.shape, kernel.shape)
    if space.min() < 0:
        raise ValueError(f"a kernel of {kernel.shape} does not fit into {padded.shape}.")
    rows, columns = (range(0, room + 1, stride) for room in space)
    if len(rows) * len(columns) > MOST_STEPS:
        raise ValueError(
            f"{len(rows)} times {len(columns)} places are too many to look at: take a smaller image"
            f" or a larger stride, for {MOST_STEPS} places at most."
        )
    output = np.zeros((len(rows), len(columns)))
    places, texts = [], []
    for place in np.ndindex(output.shape):
        top, left = rows[place[0]], columns[place[1]]
        patch = padded[top : top + kernel.shape[0], left : left + kernel.shape[1]]
        output[place] = np.sum(patch * kernel)
        terms = [f"{_signed(x)}·{_signed(w)}" for x, w in zip(patch.flat, kernel.flat, strict=True)]
        texts.append(f"{' + '.join(terms)} = {_number(output[place])}")
        places.append((place, top, left))
    title = title or f"The kernel slides over the input, {_steps(stride)} at a time"
    return Slides(_draw_steps(padded, padding, kernel, output, places, texts, title), texts, output)


def receptive_field(layers, title="") -> Figure:
    """Show, seen from the side, which pixels of the input one pixel of the output depends on.

    Parameters
    ----------
    layers : sequence of (window, stride)
        Convolutions and pooling layers, from the input on.
    title : str

    Raises
    ------
    ValueError
        Where there is no layer, or a window or stride is below 1.
    """
    layers = [tuple(layer) for layer in layers]
    if not layers or any(len(layer) != 2 or min(layer) < 1 for layer in layers):
        raise ValueError(f"layers must be pairs (window, stride) from 1 on; got {layers}.")
    # From the one pixel at the top down: so many of the layer below does it take.
    sizes = [1]
    for window, stride in reversed(layers):
        sizes.insert(0, (sizes[0] - 1) * stride + window)
    starts, steps = [0.0], [1]
    for window, stride in layers:
        starts.append(starts[-1] + (window - 1) / 2 * steps[-1])
        steps.append(steps[-1] * stride)
    width, height = sizes[0], 0.85 * len(sizes)
    figure = Figure(figsize=(min(PAGE_INCHES - 2.6, 0.45 * width + 1), height))
    ax = figure.add_axes((0, 0, 1, 1))
    side = 0.6  # of a pixel's square, so that neighbours stay apart
    for level, (size, start, step) in enumerate(zip(sizes, starts, steps, strict=True)):
        centers = start + step * np.arange(size)
        if level:
            window = layers[level - 1][0]
            below, apart = (window - 1) / 2 * steps[level - 1] + side / 2, 0.16
            for center in centers:
                corners = [(center - below, level - 1 + apart), (center + below, level - 1 + apart)]
                corners += [(center, level - apart)]
                ax.add_patch(Polygon(corners, facecolor=BLUE, alpha=0.18, edgecolor=BLUE))
        top = level == len(layers)
        for center in centers:
            ax.add_patch(
                Rectangle(
                    (center - side / 2, level - 0.16),
                    side,
                    0.32,
                    facecolor=VERMILLION if top else BLUE,
                    edgecolor="white",
                )
            )
    names = ["input"]
    names += [
        f"layer {number}: window {window}, stride {stride}"
        for number, (window, stride) in enumerate(layers, start=1)
    ]
    pixels = [f"{size} pixel{'s' * (size > 1)}" for size in sizes]
    named = [f"{name}\n{count}" for name, count in zip(names, pixels, strict=True)]
    ax.set_yticks(range(len(sizes)), named)
    ax.set_xticks([])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set(xlim=(-0.6, width - 0.4), ylim=(-0.3, len(layers) + 0.3))
    ax.set_title(title or f"One pixel at the top depends on {width} pixels in a row", **TITLE)
    return figure


def _draw_steps(padded, padding, kernel, output, places, texts, title):
    """Return a PNG for each place."""
    grids = [padded, kernel, output]
    gap, cell = 1.1, 0.42  # cells between two grids; inches a cell
    widths = [grid.shape[1] for grid in grids]
    tall = max(grid.shape[0] for grid in grids)
    across = max(sum(widths) + 2 * gap, 15)
    # Not our own Figure, which crops: every step must have the same size.
    figure = PlainFigure(figsize=((across + 0.6) * cell, (tall + 2.6) * cell), dpi=DPI)
    canvas = FigureCanvasAgg(figure)
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set(xlim=(-0.3, across + 0.3), ylim=(tall + 1.3, -1.3))
    ax.axis("off")
    ax.text(0, -0.95, title, size=11, va="center")
    lefts = [0, widths[0] + gap, widths[0] + widths[1] + 2 * gap]
    height, width = (side - 2 * padding for side in padded.shape)
    named = f"input {height} × {width}" + (f", P = {padding}" if padding else "")
    names = [named, "kernel {} × {}".format(*kernel.shape), "output {} × {}".format(*output.shape)]
    for left, name, grid in zip(lefts, names, grids, strict=True):
        ax.text(left, -0.3, name, size=9, va="center", color="0.3")
        ax.hlines(range(grid.shape[0] + 1), left, left + grid.shape[1], "0.6", linewidth=0.8)
        ax.vlines(
            np.arange(grid.shape[1] + 1) + left, 0, grid.shape[0], colors="0.6", linewidth=0.8
        )
    for row, column in np.ndindex(padded.shape):
        if not (padding <= row < padding + height and padding <= column < padding + width):
            ax.add_patch(Rectangle((column, row), 1, 1, facecolor=PADDED, zorder=0))
    _write(ax, padded, 0)
    _write(ax, kernel, lefts[1])
    results = _write(ax, output, lefts[2])
    look = {"zorder": 3, "fill": False, "edgecolor": VERMILLION, "linewidth": 2.5}
    window = Rectangle((0, 0), kernel.shape[1], kernel.shape[0], **look)
    lit = Rectangle((0, 0), kernel.shape[1], kernel.shape[0], facecolor=WINDOW, zorder=0)
    done = [
        Rectangle((lefts[2] + column, row), 1, 1, facecolor=DONE, zorder=0)
        for row, column in np.ndindex(output.shape)
    ]
    current = Rectangle((0, 0), 1, 1, **look)
    for patch in [lit, *done, window, current]:
        ax.add_patch(patch)
    line = ax.text(0, tall + 0.75, "", size=10, va="center")
    for artist in [*results, *done]:
        artist.set_visible(False)
    steps = []
    for number, ((row, column), top, left) in enumerate(places):
        for patch in (window, lit):
            patch.set_xy((left, top))
        current.set_xy((lefts[2] + column, row))
        results[number].set_visible(True)
        done[number].set_visible(True)
        line.set_text(_broken(texts[number], int(across * cell * 72 / 5.6)))
        canvas.draw()
        steps.append(_encode(np.asarray(canvas.buffer_rgba())[..., :3]))
    return steps


def _write(ax, grid, left):
    """Write the numbers of a grid into its cells, row by row."""
    return [
        ax.text(left + column + 0.5, row + 0.5, _number(value), size=10, ha="center", va="center")
        for (row, column), value in np.ndenumerate(grid)
    ]


def _number(value):
    return f"{value:g}".replace("-", "−")


def _signed(value):
    return f"({_number(value)})" if value < 0 else _number(value)


def _steps(stride):
    return "one pixel" if stride == 1 else f"{stride} pixels"


def _broken(text, letters):
    """Break a sum into two lines where it is too long for one."""
    if len(text) <= letters:
        return text
    at = text.rfind(" + ", 0, letters)
    return f"{text[:at]}\n{text[at + 1 :]}"


def _encode(pixels):
    """Return RGB pixels as a PNG of few colours: a quarter of the size."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(pixels).quantize(24).save(file, format="png", optimize=True)
    return file.getvalue()


def _text(png):
    return base64.b64encode(png).decode("ascii")
