"""Figures made of pictures: grids, rows by class, filters, feature maps."""

import numpy as np
from matplotlib import colormaps
from matplotlib.cm import ScalarMappable
from matplotlib.colors import CenteredNorm
from matplotlib.ticker import MaxNLocator

from course.plotting.primitives import (
    Figure,
    add_picture,
    as_rgb,
    check_shape,
    draw_tiles,
    each_scaled,
)


def image_grid(images, labels=None, columns=10, title="", ax=None) -> Figure | None:
    """Show pictures side by side, each under its caption.

    Grey pictures are white on black, as they are stored: a bright pixel is a large number.

    Parameters
    ----------
    images : array, (n, h, w), (n, h, w, 1) or (n, h, w, 3)
        Whole numbers 0 to 255, or floats 0 to 1. Floats outside 0 to 1 are scaled together so that
        the smallest is black and the largest white.
    labels : sequence of n, optional
        A caption for each picture; a line break starts a second line.
    columns : int
        Pictures in a row.
    title : str
    ax : matplotlib Axes, optional
        Where to draw; without it a new figure is made.

    Raises
    ------
    ValueError
        Where `images` has another shape or there is not one label for each picture.
    """
    pictures = as_rgb(images)
    if labels is not None and len(labels) != len(pictures):
        raise ValueError(f"labels must hold {len(pictures)}, one an image; got {len(labels)}.")
    return draw_tiles(pictures, columns, captions=labels, title=title, ax=ax)


def class_rows(images, labels, class_names, per_class=10, title="") -> Figure:
    """Show the first pictures of each class, one row a class, its name at the left.

    Parameters
    ----------
    images : array, (n, h, w), (n, h, w, 1) or (n, h, w, 3)
        As for `image_grid`.
    labels : array of int, (n,)
        The class of each picture: an index into `class_names`.
    class_names : sequence of str
    per_class : int
        Pictures in a row; a class that has fewer leaves the rest of its row empty.
    title : str

    Raises
    ------
    ValueError
        Where a shape is wrong or a label has no name.
    """
    images, labels, classes = np.asarray(images), np.asarray(labels), len(class_names)
    check_shape("labels", labels, f"({len(images)},)", labels.shape == (len(images),))
    if labels.size and not 0 <= labels.min() <= labels.max() < classes:
        given = f"{labels.min()} to {labels.max()}"
        raise ValueError(
            f"labels must lie between 0 and {classes - 1} to have a name; got {given}."
        )
    chosen = [np.flatnonzero(labels == number)[:per_class] for number in range(classes)]
    pictures = as_rgb(images[np.concatenate(chosen)])
    tiles = np.full((classes, per_class, *pictures.shape[1:]), 255, np.uint8)
    for row, indices in enumerate(chosen):
        tiles[row, : len(indices)] = pictures[: len(indices)]
        pictures = pictures[len(indices) :]
    tiles = tiles.reshape(classes * per_class, *pictures.shape[1:])
    return draw_tiles(tiles, per_class, row_names=class_names, title=title)


def filters(kernel, title="") -> Figure:
    """Show the filters of a convolution, one tile each, numbered from 0.

    Parameters
    ----------
    kernel : array, (h, w, 1, filters) or (h, w, 3, filters)
        Its weights. With 1 input channel: red above 0, blue below, one scale for all. With 3: as
        RGB, each filter scaled on its own from its smallest weight (0) to its largest (1).
    title : str

    Raises
    ------
    ValueError
        Where there is another number of input channels: such filters are no pictures.
    """
    kernel = np.asarray(kernel)
    check_shape(
        "kernel",
        kernel,
        "(h, w, 1, filters) or (h, w, 3, filters)",
        kernel.ndim == 4 and kernel.shape[2] in (1, 3) and kernel.size > 0,
    )
    height, width, channels, number = kernel.shape
    tiles = np.moveaxis(kernel, -1, 0).astype(float)
    columns = 8 if number <= 32 else 16
    title = title or f"{number} filter{'s' * (number > 1)} of {height} by {width}"
    captions = range(number)
    if channels == 3:
        tiles = np.uint8(each_scaled(tiles) * 255)
        return draw_tiles(tiles, columns, captions, title, "RGB, each filter scaled on its own")
    norm = CenteredNorm(0, halfrange=max(np.nanmax(np.abs(tiles)), 1e-12))
    colors = colormaps["RdBu_r"](norm(tiles[..., 0]), bytes=True)[..., :3]
    figure = draw_tiles(colors, columns, captions, title)
    bar = figure.add_axes((1 + 0.15 / figure.get_figwidth(), 0, 0.13 / figure.get_figwidth(), 1))
    figure.colorbar(
        ScalarMappable(norm, "RdBu_r"), cax=bar, label="weight (no unit)", ticks=MaxNLocator(4)
    )
    return figure


def feature_maps(maps, image=None, columns=8, title="") -> Figure:
    """Show what each filter of a layer makes of one picture, numbered from 0 as `filters` does.

    Parameters
    ----------
    maps : array, (h, w, channels)
        The layer's output for one picture. Each map is scaled on its own, from its smallest value
        (dark violet) to its largest (yellow); a map of zeros is called "off".
    image : array, (h, w), (h, w, 1) or (h, w, 3), optional
        The picture, shown at the left.
    columns : int
        Maps in a row.
    title : str

    Raises
    ------
    ValueError
        Where a shape is wrong, such as that of a whole batch of maps.
    """
    maps = np.asarray(maps)
    check_shape("maps", maps, "(h, w, channels), one picture's maps", maps.ndim == 3 and maps.size)
    tiles = np.moveaxis(maps, -1, 0).astype(float)
    colors = colormaps["viridis"](each_scaled(tiles), bytes=True)[..., :3]
    captions = [f"{i}" if tile.any() else f"{i}: off" for i, tile in enumerate(tiles)]
    height, width, number = maps.shape
    counted = f"{number} map{'s' * (number > 1)} of {height} by {width}"
    title = title or f"{counted}: bright where the filter responds"
    note = "Each map scaled on its own"
    figure = draw_tiles(colors, columns, captions, title, note)
    if image is not None:
        add_picture(figure, image, "input")
    return figure


def patch_blocks(patches, captions=None, columns=8, title="") -> Figure:
    """Show the patches that excite each filter most, those of a filter in one block.

    After Zeiler and Fergus (2014), "Visualizing and Understanding Convolutional Networks".

    Parameters
    ----------
    patches : array, (filters, patches, h, w, 3)
        The strongest first. Floats from 0 to 1, or whole numbers from 0 to 255.
    captions : sequence of str, optional
        One for each filter; without them, their numbers.
    columns : int
        Blocks in a row.
    title : str

    Raises
    ------
    ValueError
        Where the shape is wrong or there is not one caption for each filter.
    """
    patches = np.asarray(patches)
    right = patches.ndim == 5 and patches.shape[4] == 3 and patches.size > 0
    check_shape("patches", patches, "(filters, patches, h, w, 3)", right)
    filters, number, height, width = patches.shape[:4]
    if captions is not None and len(captions) != filters:
        raise ValueError(f"captions must hold {filters}, one a filter; got {len(captions)}.")
    pixels = as_rgb(patches.reshape(-1, height, width, 3)).reshape(patches.shape)
    across = int(np.ceil(np.sqrt(number)))
    down = -(-number // across)
    # As many pixels as the patches, and a white line between two of them.
    blocks = np.full((filters, down * (height + 1) - 1, across * (width + 1) - 1, 3), 255, np.uint8)
    for place in range(number):
        row, column = place // across * (height + 1), place % across * (width + 1)
        blocks[:, row : row + height, column : column + width] = pixels[:, place]
    names = list(range(filters)) if captions is None else captions
    counted = f"{number} patch{'es' * (number > 1)} of {height} by {width} pixels"
    title = title or f"For each of {filters} filters the {counted} that excite it most"
    return draw_tiles(
        blocks, columns, names, title, "In each block the strongest at the upper left"
    )
