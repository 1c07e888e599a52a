"""Building blocks of the figures: the Figure class, colors, tiles, curves, and bars."""

import io
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure as _Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

BLUE, VERMILLION, ORANGE = "#0072B2", "#D55E00", "#E69F00"  # Okabe-Ito
GRAY = "#B0B0B0"
PAGE_INCHES = 8.5  # width of a notebook's output in a typical browser window
DPI = 100  # matplotlib's default
# Without y, matplotlib would measure all ticks to place the title.
TITLE: dict[str, Any] = {"loc": "left", "fontsize": 11, "y": 1}
NO_TICKS: dict[str, Any] = {"length": 0}


class _WholePercents(MaxNLocator):
    """Ticks at whole percentages of an axis whose values are fractions."""

    def tick_values(self, vmin: float, vmax: float) -> Any:
        percentages = np.asarray(super().tick_values(100 * vmin, 100 * vmax))
        # A range of less than one percent has no tick rather than a rounded, wrong label.
        return percentages[np.isclose(percentages, np.round(percentages))] / 100


def show_percentages(axis: Any) -> None:
    """Label an axis of fractions with ticks at whole percentages."""
    axis.set_major_locator(_WholePercents("auto", steps=[1, 2, 5, 10], integer=True, min_n_ticks=1))
    axis.set_major_formatter(PercentFormatter(1, decimals=0))


class Figure(_Figure):
    """A matplotlib figure that pyplot does not manage and that a notebook shows once."""

    def savefig(self, fname: Any, **options: Any) -> None:
        """Save the figure as matplotlib does, but crop it to the drawn area, including labels."""
        # matplotlib's own "tight" draws everything twice, for layout engines that are not used.
        crop = self.get_tightbbox().padded(0.1)
        super().savefig(fname, **{"bbox_inches": crop, **options})

    def _repr_mimebundle_(self, **_: Any) -> dict[str, bytes]:
        # Used instead of the formatter that pyplot registers, which takes twice as long.
        file = io.BytesIO()
        self.savefig(file, format="png", pil_kwargs={"compress_level": 1})
        return {"image/png": file.getvalue()}


def check_shape(name: str, array: np.ndarray, expected: str, is_right: Any) -> None:
    """Raise a ValueError that states the actual and expected shapes unless `is_right`."""
    if not is_right:
        raise ValueError(f"{name} must have the shape {expected}; got {array.shape}.")


def as_rgb(images: Any) -> np.ndarray:
    """Convert images of any supported shape and dtype to a uint8 array of shape (n, h, w, 3)."""
    images = np.asarray(images)
    is_gray = images.ndim == 3
    is_right = is_gray or (images.ndim == 4 and images.shape[3] in (1, 3))
    expected = "(n, h, w), (n, h, w, 1), or (n, h, w, 3)"
    check_shape("images", images, expected, is_right and images.size)
    if images.dtype.kind in "iu":
        pixels = np.clip(images, 0, 255)
    else:
        pixels = np.nan_to_num(images.astype(np.float32))
        if pixels.min() < 0 or pixels.max() > 1:
            pixels = (pixels - pixels.min()) / max(np.ptp(pixels), 1e-12)
        pixels = np.round(pixels * 255)
    pixels = pixels.astype(np.uint8)[..., None] if is_gray else pixels.astype(np.uint8)
    return np.broadcast_to(pixels, (*pixels.shape[:3], 3))


def scale_each(tiles: np.ndarray) -> np.ndarray:
    """Scale each tile separately to the range from 0 to 1; a constant tile becomes 0."""
    tiles = np.nan_to_num(tiles)
    axes = tuple(range(1, tiles.ndim))
    low = tiles.min(axes, keepdims=True)
    span = tiles.max(axes, keepdims=True) - low
    return (tiles - low) / np.where(span > 0, span, 1)


def longest_line(texts: Any) -> int:
    """Return the number of characters in the longest line of several strings."""
    return max((len(line) for text in texts for line in str(text).split("\n")), default=0)


def wrap(text: str, width: float) -> str:
    """Break a string into lines of at most `width` characters; keep its own line breaks."""
    lines = text.split("\n")
    return "\n".join(textwrap.fill(line, int(width), break_long_words=False) for line in lines)


def draw_tiles(
    tiles: np.ndarray,
    columns: int,
    captions: Any = None,
    title: str = "",
    note: str = "",
    ax: Any = None,
    row_names: Any = None,
) -> Any:
    """Draw uint8 tiles, an array of shape (n, h, w, 3), as one image, each below its caption."""
    columns = max(1, min(columns, len(tiles)))
    rows = -(-len(tiles) // columns)
    available = (ax.get_window_extent().width / ax.figure.dpi if ax else PAGE_INCHES) / columns
    # Each pixel becomes a square of whole screen pixels, which is sharp and fast to draw.
    zoom = max(1, round(min(available, 1.5) * DPI / tiles.shape[2]))
    tiles = tiles.repeat(zoom, 1).repeat(zoom, 2)
    height, width = tiles.shape[1:3]
    inches = min(available, width / DPI)

    # A character is about 0.6 font sizes wide; a line is 1.3 font sizes high; a point is 1/72 inch.
    characters = max(4, int(inches * 72 / (0.6 * 9)))
    captions = [
        wrap(str(caption), characters) for caption in (captions if captions is not None else [])
    ]
    size = min(9, max(5, 9 * characters / max(longest_line(captions), 1)))
    lines = max((caption.count("\n") + 1 for caption in captions), default=0)
    gap = max(2, width // 14)
    above = gap + int(lines * size * 1.3 / 72 / inches * width)
    page = np.full((rows, above + height, columns, width + gap, 3), 255, np.uint8)
    for index, tile in enumerate(tiles):
        page[index // columns, above:, index % columns, :width] = tile
    page = page.reshape(rows * (above + height), columns * (width + gap), 3)[:, :-gap]

    is_new = ax is None
    if is_new:
        size_inches = page.shape[1] / width * inches, page.shape[0] / width * inches
        ax = Figure(figsize=size_inches).add_axes((0, 0, 1, 1))
    ax.imshow(page)
    for index, caption in enumerate(captions):
        x = index % columns * (width + gap) + width / 2
        y = index // columns * (above + height) + above - 1
        text = ax.text(x, y, caption, size=size, ha="center", va="bottom", linespacing=1.1)
        text.set_in_layout(False)  # inside the Axes: not to be measured
    ax.spines[:].set_visible(False)
    centers = [row * (above + height) + above + height / 2 for row in range(rows)]
    ax.set_xticks([])
    ax.set_yticks(centers if row_names else [], row_names)
    ax.tick_params(**NO_TICKS)
    ax.set_xlabel(note, loc="left", size=9)
    ax.set_title(wrap(title, max(30, inches * columns * 13)), **TITLE)
    return ax.figure if is_new else None


def add_image(figure: Figure, image: Any, name: str, distance: float = 0.3) -> None:
    """Add an image to the left of a figure at the given distance in inches."""
    image = np.asarray(image)
    is_right = image.ndim == 2 or (image.ndim == 3 and image.shape[2] in (1, 3))
    check_shape("image", image, "(h, w), (h, w, 1), or (h, w, 3)", is_right)
    width, height = figure.get_size_inches()
    side = 1.8
    ax = figure.add_axes(
        (-(distance + side) / width, 1 - side / height, side / width, side / height)
    )
    ax.imshow(as_rgb(image[None])[0], interpolation="auto")
    ax.set_anchor("N")
    ax.set_xticks([])
    ax.set_yticks([])
    ax.set_xlabel(name, size=9)


def draw_curves(ax: Any, history: Mapping[str, Any], key: str, number_format: str) -> None:
    """Draw training and validation curves that differ in color, line style, marker, and label."""
    styles = {"": ("training", BLUE, "-o"), "val_": ("validation", VERMILLION, "--s")}
    last = 1
    for prefix, (name, color, line) in styles.items():
        values = history.get(prefix + key, [])
        if len(values):
            last = max(last, len(values))
            label = f"{name}, last: {number_format.format(values[-1])}"
            ax.plot(range(1, len(values) + 1), values, line, color=color, label=label)
            ax.lines[-1].set(markersize=4, markevery=max(1, len(values) // 10))
    if ax.lines:
        ax.legend(fontsize=9)
    else:
        ax.text(0.5, 0.5, f"no {key} in this training history", transform=ax.transAxes, ha="center")
    margin = min(max(0.04 * (last - 1), 0.2), 0.9)  # no tick at epoch 0
    ax.set_xlim(
        1 - margin, last + (margin if last > 1 else 0.7)
    )  # with one epoch: space for the legend
    ax.xaxis.set_major_locator(MaxNLocator(5, integer=True, min_n_ticks=1))
    ax.yaxis.set_major_locator(MaxNLocator(4))
    ax.set_xlabel("epoch")
    ax.grid(alpha=0.3)
    ax.spines[["top", "right"]].set_visible(False)


def draw_baselines(ax: Any, baselines: Mapping[str, float]) -> None:
    """Draw dotted lines with their names on the right; names that would overlap are moved apart."""
    for value in baselines.values():
        ax.axhline(value, color="black", linestyle=":", linewidth=1.2)
    low, high = ax.get_ylim()
    position = -np.inf
    for name, value in sorted(baselines.items(), key=lambda item: item[1]):
        position = max(value, position + 0.06 * (high - low))
        ax.text(1.02, position, name, transform=ax.get_yaxis_transform(), va="center", size=9)
    ax.set_ylim(low, high)


def draw_bars(ax: Any, names: Sequence[str], values: Any, colors: Sequence[str]) -> None:
    """Draw fractions as bars from top to bottom, each with its percentage at the end."""
    ax.barh(range(len(names)), values, color=colors, height=0.7)
    for row, value in enumerate(values):
        ax.text(value + 0.01, row, f"{value:.1%}", va="center", size=9)
    ax.set_xlim(0, 1)
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.set_yticks(range(len(names)), names)
    ax.xaxis.set_major_formatter(PercentFormatter(1))
    ax.tick_params(axis="y", **NO_TICKS)
    ax.spines[["top", "right"]].set_visible(False)
