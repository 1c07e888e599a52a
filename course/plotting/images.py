"""Figures made of images: grids, rows by class, filters, feature maps, and patches."""

import numpy as np
from matplotlib import colormaps
from matplotlib.cm import ScalarMappable
from matplotlib.colors import CenteredNorm
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from course.plotting.primitives import (
    BLUE,
    TITLE,
    VERMILLION,
    Figure,
    add_image,
    as_rgb,
    check_shape,
    draw_tiles,
    scale_each,
)


def image_grid(images, labels=None, columns=10, title="", ax=None) -> Figure | None:
    """Show images in a grid, each below its caption; a brighter pixel has a larger value.

    Parameters
    ----------
    images : array, (n, h, w), (n, h, w, 1), or (n, h, w, 3)
        Integers from 0 to 255 or floats from 0 to 1. If a float is outside this range, all values
        are scaled together so that the smallest is black and the largest is white.
    labels : sequence of n, optional
        Captions, which may contain line breaks.
    columns : int
        Images per row.
    ax : matplotlib Axes, optional
        Axes to draw in instead of a new figure.

    Raises
    ------
    ValueError
        If `images` has an unsupported shape, or `labels` and `images` differ in length.
    """
    pixels = as_rgb(images)
    if labels is not None and len(labels) != len(pixels):
        raise ValueError(
            f"labels must have {len(pixels)} entries, one per image; got {len(labels)}."
        )
    return draw_tiles(pixels, columns, captions=labels, title=title, ax=ax)


def class_rows(images, labels, class_names, per_class=10, title="") -> Figure:
    """Show the first images of each class in a row, with the name of the class on the left.

    Parameters
    ----------
    images : array, (n, h, w), (n, h, w, 1), or (n, h, w, 3)
        Images as for `image_grid`.
    labels : array of int, (n,)
        Class of each image: an index into `class_names`.
    class_names : sequence of str
    per_class : int
        Images per row; a class with fewer images leaves the rest of its row empty.

    Raises
    ------
    ValueError
        If a shape is wrong or a label has no name.
    """
    images, labels, classes = np.asarray(images), np.asarray(labels), len(class_names)
    check_shape("labels", labels, f"({len(images)},)", labels.shape == (len(images),))
    if labels.size and not 0 <= labels.min() <= labels.max() < classes:
        given = f"{labels.min()} to {labels.max()}"
        raise ValueError(
            f"labels must be from 0 to {classes - 1}, the indices of class_names; got {given}."
        )
    chosen = [np.flatnonzero(labels == label)[:per_class] for label in range(classes)]
    pixels = as_rgb(images[np.concatenate(chosen)])
    tiles = np.full((classes, per_class, *pixels.shape[1:]), 255, np.uint8)
    for row, indices in enumerate(chosen):
        tiles[row, : len(indices)] = pixels[: len(indices)]
        pixels = pixels[len(indices) :]
    tiles = tiles.reshape(classes * per_class, *pixels.shape[1:])
    return draw_tiles(tiles, per_class, row_names=class_names, title=title)


def filters(kernel, title="", columns=None) -> Figure:
    """Show the filters of a convolution as tiles numbered from 0.

    Parameters
    ----------
    kernel : array, (h, w, 1, filters) or (h, w, 3, filters)
        Weights of the convolution. With 1 input channel, positive weights are red and negative
        weights are blue, with one scale for all filters. With 3 channels, filters are shown as RGB,
        each scaled separately from its smallest weight (0) to its largest (1).
    columns : int, optional
        Filters per row; by default 8, or 16 if there are more than 32 filters.

    Raises
    ------
    ValueError
        If the number of input channels is neither 1 nor 3.
    """
    kernel = np.asarray(kernel)
    is_right = kernel.ndim == 4 and kernel.shape[2] in (1, 3) and kernel.size > 0
    check_shape("kernel", kernel, "(h, w, 1, filters) or (h, w, 3, filters)", is_right)
    height, width, channels, count = kernel.shape
    tiles = np.moveaxis(kernel, -1, 0).astype(float)
    columns = columns or (8 if count <= 32 else 16)
    title = title or f"{count} filter{'s' * (count > 1)} of {height} × {width}"
    captions = range(count)
    if channels == 3:
        tiles = (scale_each(tiles) * 255).astype(np.uint8)
        return draw_tiles(tiles, columns, captions, title, "RGB; each filter is scaled separately")
    norm = CenteredNorm(0, halfrange=max(np.nanmax(np.abs(tiles)), 1e-12))
    colors = colormaps["RdBu_r"](norm(tiles[..., 0]), bytes=True)[..., :3]
    figure = draw_tiles(colors, columns, captions, title)
    bar = figure.add_axes((1 + 0.15 / figure.get_figwidth(), 0, 0.13 / figure.get_figwidth(), 1))
    figure.colorbar(
        ScalarMappable(norm, "RdBu_r"), cax=bar, label="weight (no unit)", ticks=MaxNLocator(4)
    )
    return figure


def feature_maps(maps, image=None, columns=8, title="") -> Figure:
    """Show the feature maps of a layer for one image, numbered from 0 as in `filters`.

    Parameters
    ----------
    maps : array, (h, w, channels)
        Output of the layer for one image. Each feature map is scaled separately from its smallest
        value (dark violet) to its largest (yellow); the caption of an all-zero map says "off".
    image : array, (h, w), (h, w, 1), or (h, w, 3), optional
        The image, shown on the left.
    columns : int
        Feature maps per row.

    Raises
    ------
    ValueError
        If a shape is wrong; for example, if `maps` contains a whole batch.
    """
    maps = np.asarray(maps)
    check_shape("maps", maps, "(h, w, channels), for one image", maps.ndim == 3 and maps.size)
    tiles = np.moveaxis(maps, -1, 0).astype(float)
    colors = colormaps["viridis"](scale_each(tiles), bytes=True)[..., :3]
    captions = [f"{i}" if tile.any() else f"{i}: off" for i, tile in enumerate(tiles)]
    height, width, channels = maps.shape
    shape = f"{channels} feature map{'s' * (channels > 1)} of {height} × {width}"
    title = title or f"{shape}: bright where the filter responds"
    note = "Each feature map is scaled separately"
    figure = draw_tiles(colors, columns, captions, title, note)
    if image is not None:
        add_image(figure, image, "input")
    return figure


def patch_blocks(patches, captions=None, columns=8, title="") -> Figure:
    """Show the patches to which each filter responds most strongly, with one block per filter.

    Based on Zeiler and Fergus (2014), "Visualizing and Understanding Convolutional Networks".

    Parameters
    ----------
    patches : array, (filters, patches, h, w, 3)
        Floats from 0 to 1 or integers from 0 to 255; the strongest response comes first.
    captions : sequence of str, optional
        One caption per filter; by default, numbers from 0.
    columns : int
        Blocks per row.

    Raises
    ------
    ValueError
        If the shape is wrong, or `captions` and `patches` differ in length.
    """
    patches = np.asarray(patches)
    is_right = patches.ndim == 5 and patches.shape[4] == 3 and patches.size > 0
    check_shape("patches", patches, "(filters, patches, h, w, 3)", is_right)
    filters, count, height, width = patches.shape[:4]
    if captions is not None and len(captions) != filters:
        raise ValueError(
            f"captions must have {filters} entries, one per filter; got {len(captions)}."
        )
    title = title or (
        f"For each of {filters} filters, the {count} patch{'es' * (count > 1)} of"
        f" {height} × {width} pixels with the strongest responses"
    )
    pixels = as_rgb(patches.reshape(-1, height, width, 3)).reshape(patches.shape)
    # The lines between patches are one pixel wide. Enlarging small patches makes these lines
    # clearly narrower than the gaps between blocks.
    zoom = -(-12 // width)
    pixels = pixels.repeat(zoom, 2).repeat(zoom, 3)
    height, width = pixels.shape[2:4]
    across = int(np.ceil(np.sqrt(count)))
    down = -(-count // across)
    # The pixels of the patches, with a white line between adjacent patches.
    blocks = np.full((filters, down * (height + 1) - 1, across * (width + 1) - 1, 3), 255, np.uint8)
    for index in range(count):
        row, column = index // across * (height + 1), index % across * (width + 1)
        blocks[:, row : row + height, column : column + width] = pixels[:, index]
    names = list(range(filters)) if captions is None else captions
    note = "Top left in each square: the strongest response" if count > 1 else ""
    return draw_tiles(blocks, columns, names, title, note)


def heat_maps(images, maps, captions=None, columns=8, title="") -> Figure:
    """Show images, and below each one a heat map that is laid over a gray copy of it.

    Parameters
    ----------
    images : array, (n, h, w, 3)
        Floats from 0 to 1 or integers from 0 to 255.
    maps : array, (n, rows, columns)
        Each map is enlarged to the size of the images and scaled separately, from 0 or less (dark)
        to its largest value (yellow).
    captions : sequence of str, optional
        One caption per image.
    columns : int
        Images per row.

    Raises
    ------
    ValueError
        If a shape is wrong, or the lengths differ.
    """
    images, maps = np.asarray(images), np.asarray(maps, dtype=float)
    check_shape("images", images, "(n, h, w, 3)", images.ndim == 4 and images.shape[3] == 3)
    check_shape("maps", maps, f"({len(images)}, rows, columns)", maps.ndim == 3)
    if len(maps) != len(images) or (captions is not None and len(captions) != len(images)):
        raise ValueError(f"maps and captions must have {len(images)} entries, one per image.")
    colors = as_rgb(images)
    enlarged = np.stack([_enlarge(each, images.shape[1:3]) for each in np.maximum(maps, 0)])
    heat = enlarged / np.maximum(enlarged.max(axis=(1, 2), keepdims=True), 1e-12)
    gray = colors.mean(axis=3, keepdims=True)
    overlay = 0.45 * gray + 0.55 * colormaps["inferno"](heat, bytes=True)[..., :3]
    names = list(captions) if captions is not None else [""] * len(images)
    tiles, texts = [], []
    for start in range(0, len(images), columns):
        part = slice(start, start + columns)
        empty = columns - len(colors[part]) if start else 0
        blank = np.full((empty, *colors.shape[1:]), 255, np.uint8)
        tiles += [*colors[part], *blank, *overlay[part].astype(np.uint8), *blank]
        texts += [*names[part], *[""] * empty, *[""] * len(colors[part]), *[""] * empty]
    note = "Each heat map is scaled separately: yellow is the strongest support"
    return draw_tiles(np.stack(tiles), columns, texts, title, note)


def shifted_window(image, corner, max_shift, title="") -> Figure:
    """Show how an image is shifted: the padded image with a window, and this window, also flipped.

    Parameters
    ----------
    image : array, (h, w) or (h, w, 3)
        Integers from 0 to 255 or floats from 0 to 1.
    corner : (int, int)
        The row and the column of the padded image at which the window begins, from 0 to
        2 * max_shift.
    max_shift : int
        The number of pixels by which the image is padded on each side, by reflection; less than h
        and w.

    Raises
    ------
    ValueError
        If `corner` is outside the padded image.
    """
    pixels = as_rgb(np.asarray(image)[None])[0]
    if not all(0 <= place <= 2 * max_shift for place in corner):
        raise ValueError(f"corner must be two numbers from 0 to {2 * max_shift}; got {corner}.")
    height, width = pixels.shape[:2]
    row, column = corner
    # The position in the image of each row and column of the padded image.
    rows, columns = (_mirrored(length, max_shift) for length in (height, width))
    padded = pixels[np.ix_(rows, columns)]
    window = padded[row : row + height, column : column + width]
    panels = {"padded image": padded, "window": window, "window, flipped": window[:, ::-1]}
    total = sum(each.shape[1] for each in panels.values()) + 2 * max_shift + 4
    inches = 7.5 / total  # per pixel
    figure = Figure(figsize=(7.5, len(padded) * inches))
    left = 0
    for name, panel in panels.items():
        size = panel.shape[1] * inches / 7.5, len(panel) / len(padded)
        ax = figure.add_axes((left * inches / 7.5, 1 - size[1], *size))
        ax.imshow(panel)
        ax.axis("off")
        ax.set_title(name, **TITLE)
        left += panel.shape[1] + max_shift + 2
    ax, *_ = figure.axes
    for (down, right), color, line in (
        ((max_shift, max_shift), BLUE, "--"),
        (corner, VERMILLION, "-"),
    ):
        box = Rectangle((right - 0.5, down - 0.5), width, height, fill=False, clip_on=False)
        box.set(edgecolor=color, linestyle=line, linewidth=2.5)
        ax.add_patch(box)
    below = -0.04, "dashed: the original image", BLUE
    for y, text, color in (
        below,
        (-0.14, f"solid: the window, corner {tuple(corner)}", VERMILLION),
    ):
        ax.text(0, y, text, color=color, size=9, va="top", transform=ax.transAxes)
    if title:
        figure.suptitle(title, x=0, y=1.2, ha="left", va="bottom", fontsize=11)
    return figure


def _mirrored(length: int, border: int) -> np.ndarray:
    """Return the indices of the pixels in a row that is padded on both sides by reflection."""
    distance = np.abs(np.arange(-border, length + border))
    return length - 1 - np.abs(length - 1 - distance)


def _enlarge(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Interpolate an array linearly between the centers of its cells."""
    for axis, length in enumerate(size):
        old = (np.arange(values.shape[axis]) + 0.5) / values.shape[axis]
        new = (np.arange(length) + 0.5) / length
        values = np.apply_along_axis(lambda line: np.interp(new, old, line), axis, values)  # noqa: B023
    return values
