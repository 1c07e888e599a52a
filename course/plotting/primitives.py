"""The parts that the figures are drawn from."""

import io
import textwrap

import numpy as np
from matplotlib.figure import Figure as _Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

BLUE, VERMILLION, ORANGE = "#0072B2", "#D55E00", "#E69F00"  # Okabe-Ito
GREY = "#B0B0B0"
PAGE_INCHES = 8.5  # as wide as a notebook's output in a browser window of usual size
DPI = 100  # matplotlib's default
TITLE = {"loc": "left", "fontsize": 11, "y": 1}  # y: else matplotlib measures all ticks to place it
NO_TICKS = {"length": 0}


class Figure(_Figure):
    """A matplotlib figure outside pyplot that shows itself in a notebook, once."""

    def savefig(self, fname, **options):
        """Save as matplotlib does, but cropped to what was drawn, labels included."""
        # matplotlib's own "tight" draws everything twice, for layout engines that we do not use.
        crop = self.get_tightbbox().padded(0.1)
        super().savefig(fname, **{"bbox_inches": crop, **options})

    def _repr_mimebundle_(self, **_):
        # Comes before the formatter that pyplot registers, which takes twice as long.
        picture = io.BytesIO()
        self.savefig(picture, format="png", pil_kwargs={"compress_level": 1})
        return {"image/png": picture.getvalue()}


def check_shape(name, array, expected, right):
    """Raise a ValueError that names both shapes unless this one is right."""
    if not right:
        raise ValueError(f"{name} must have the shape {expected}; got {array.shape}.")


def as_rgb(images, name="images", expected="(n, h, w), (n, h, w, 1) or (n, h, w, 3)"):
    """Return pictures as uint8 (n, h, w, 3), whatever way they were stored."""
    images = np.asarray(images)
    grey = images.ndim == 3
    right = grey or (images.ndim == 4 and images.shape[3] in (1, 3))
    check_shape(name, images, expected, right and images.size)
    if images.dtype.kind in "iu":
        pixels = np.clip(images, 0, 255)
    else:
        pixels = np.nan_to_num(images.astype(np.float32))
        if pixels.min() < 0 or pixels.max() > 1:
            pixels = (pixels - pixels.min()) / max(np.ptp(pixels), 1e-12)
        pixels = np.round(pixels * 255)
    pixels = pixels.astype(np.uint8)[..., None] if grey else pixels.astype(np.uint8)
    return np.broadcast_to(pixels, (*pixels.shape[:3], 3))


def each_scaled(tiles):
    """Scale each of n tiles on its own to 0..1; a constant one becomes 0."""
    tiles = np.nan_to_num(tiles)
    axes = tuple(range(1, tiles.ndim))
    low = tiles.min(axes, keepdims=True)
    span = tiles.max(axes, keepdims=True) - low
    return (tiles - low) / np.where(span > 0, span, 1)


def longest(texts):
    """Return the number of letters in the longest line."""
    return max((len(line) for text in texts for line in str(text).split("\n")), default=0)


def wrap(text, letters):
    """Break a text into lines of so many letters, keeping its own line breaks."""
    lines = text.split("\n")
    return "\n".join(textwrap.fill(line, int(letters), break_long_words=False) for line in lines)


def draw_tiles(tiles, columns, captions=None, title="", note="", ax=None, row_names=None):
    """Draw uint8 tiles (n, h, w, 3) as one picture, a caption above each."""
    number, columns = len(tiles), max(1, min(columns, len(tiles)))
    rows = -(-number // columns)
    available = (ax.get_window_extent().width / ax.figure.dpi if ax else PAGE_INCHES) / columns
    # Each pixel becomes a square of whole screen pixels: sharp, and quick to draw.
    zoom = max(1, round(min(available, 1.5) * DPI / tiles.shape[2]))
    tiles = tiles.repeat(zoom, 1).repeat(zoom, 2)
    height, width = tiles.shape[1:3]
    inches = min(available, width / DPI)

    # A letter is about 0.6 of its size wide, a line 1.3 of its size high; a point is 1/72 inch.
    letters = max(4, int(inches * 72 / (0.6 * 9)))
    captions = [
        wrap(str(caption), letters) for caption in (captions if captions is not None else [])
    ]
    size = min(9, max(5, 9 * letters / max(longest(captions), 1)))
    lines = max((caption.count("\n") + 1 for caption in captions), default=0)
    gap = max(2, width // 14)
    above = gap + int(lines * size * 1.3 / 72 / inches * width)
    page = np.full((rows, above + height, columns, width + gap, 3), 255, np.uint8)
    for index, tile in enumerate(tiles):
        page[index // columns, above:, index % columns, :width] = tile
    page = page.reshape(rows * (above + height), columns * (width + gap), 3)[:, :-gap]

    own = ax is None
    if own:
        size_inches = page.shape[1] / width * inches, page.shape[0] / width * inches
        ax = Figure(figsize=size_inches).add_axes((0, 0, 1, 1))
    ax.imshow(page)
    for index, caption in enumerate(captions):
        x = index % columns * (width + gap) + width / 2
        y = index // columns * (above + height) + above - 1
        text = ax.text(x, y, caption, size=size, ha="center", va="bottom", linespacing=1.1)
        text.set_in_layout(False)  # it lies inside: saves measuring it
    ax.spines[:].set_visible(False)
    centers = [row * (above + height) + above + height / 2 for row in range(rows)]
    ax.set_xticks([])
    ax.set_yticks(centers if row_names else [], row_names)
    ax.tick_params(**NO_TICKS)
    ax.set_xlabel(note, loc="left", size=9)
    ax.set_title(wrap(title, max(30, inches * columns * 13)), **TITLE)
    return ax.figure if own else None


def add_picture(figure, image, name, room=0.3):
    """Add one picture at the left of a figure, `room` inches away."""
    image = np.asarray(image)
    right = image.ndim == 2 or (image.ndim == 3 and image.shape[2] in (1, 3))
    check_shape("image", image, "(h, w), (h, w, 1) or (h, w, 3)", right)
    width, height = figure.get_size_inches()
    side = 1.8
    ax = figure.add_axes((-(room + side) / width, 1 - side / height, side / width, side / height))
    ax.imshow(as_rgb(image[None])[0], interpolation="auto")
    ax.set_anchor("N")
    ax.set_xticks([])
    ax.set_yticks([])
    ax.set_xlabel(name, size=9)


def draw_curves(ax, history, key, number):
    """Draw training and validation, told apart by colour, line, marker and name."""
    looks = {"": ("training", BLUE, "-o"), "val_": ("validation", VERMILLION, "--s")}
    last = 1
    for prefix, (name, color, line) in looks.items():
        values = history.get(prefix + key, [])
        if len(values):
            last = max(last, len(values))
            label = f"{name}, last: {number.format(values[-1])}"
            ax.plot(range(1, len(values) + 1), values, line, color=color, label=label)
            ax.lines[-1].set(markersize=4, markevery=max(1, len(values) // 10))
    if ax.lines:
        ax.legend(fontsize=9)
    else:
        ax.text(0.5, 0.5, f"no {key} in this history", transform=ax.transAxes, ha="center")
    margin = min(max(0.04 * (last - 1), 0.2), 0.9)  # no tick at an epoch 0
    ax.set_xlim(1 - margin, last + (margin if last > 1 else 0.7))  # beside one epoch: the legend
    ax.xaxis.set_major_locator(MaxNLocator(5, integer=True, min_n_ticks=1))
    ax.yaxis.set_major_locator(MaxNLocator(4))
    ax.set_xlabel("epoch")
    ax.grid(alpha=0.3)
    ax.spines[["top", "right"]].set_visible(False)


def draw_baselines(ax, baselines):
    """Draw dotted lines with their names at the right, pushed apart where they would overlap."""
    for value in baselines.values():
        ax.axhline(value, color="black", linestyle=":", linewidth=1.2)
    low, high = ax.get_ylim()
    lowest = -np.inf
    for name, value in sorted(baselines.items(), key=lambda item: item[1]):
        lowest = max(value, lowest + 0.06 * (high - low))
        ax.text(1.02, lowest, name, transform=ax.get_yaxis_transform(), va="center", size=9)
    ax.set_ylim(low, high)


def draw_bars(ax, names, values, colors):
    """Draw fractions as bars from top to bottom, the percentage at the end of each."""
    ax.barh(range(len(names)), values, color=colors, height=0.7)
    for row, value in enumerate(values):
        ax.text(value + 0.01, row, f"{value:.1%}", va="center", size=9)
    ax.set_xlim(0, 1)
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.set_yticks(range(len(names)), names)
    ax.xaxis.set_major_formatter(PercentFormatter(1))
    ax.tick_params(axis="y", **NO_TICKS)
    ax.spines[["top", "right"]].set_visible(False)
