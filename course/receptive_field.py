"""Where the numbers of a layer's maps look: their square of the picture, cut out to be seen."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from course.errors import CourseError

WINDOWS = {"Conv2D": "kernel_size", "MaxPooling2D": "pool_size", "AveragePooling2D": "pool_size"}
# These leave every number at its place.
IN_PLACE = {"InputLayer", "Activation", "ReLU", "LeakyReLU", "Dropout", "BatchNormalization"}
GREY = 0.5  # what lies outside the picture, where the maps were padded with zeros


@dataclass(frozen=True)
class Field:
    """The receptive field of a layer: what one number of its maps depends on.

    Attributes
    ----------
    size : (int, int)
        Height and width of the square, in pixels of the picture.
    step : (int, int)
        How far it moves from one number of a map to the next, down and to the right.
    start : (int, int)
        Row and column of its upper left pixel for the first number of a map; below 0 it reaches
        out of the picture.
    """

    size: tuple
    step: tuple
    start: tuple


def field_of(network, layer):
    """Return the receptive field of a layer.

    Parameters
    ----------
    network : keras.Model
        A chain: each layer works on the output of the one before.
    layer : keras.Layer
        One of its convolutions or pooling layers, or what follows them before `Flatten`.

    Returns
    -------
    Field

    Raises
    ------
    CourseError
        If the layer is not in the network, the way to it forks, or a layer on the way looks at the
        whole picture.

    Notes
    -----
    From the input on, a layer of window F, stride S and padding P widens the field by (F - 1) times
    the step before it, moves its start back by P steps, and makes the step S times as long. See
    Dumoulin and Visin (2016), "A guide to convolution arithmetic for deep learning".
    """
    chain = _chain(network, layer)
    axes = [_along(chain, axis) for axis in (0, 1)]
    return Field(*zip(*axes, strict=True))


def patches(pictures, places, field):
    """Cut out what numbers of a layer's maps looked at.

    Parameters
    ----------
    pictures : array, (n, h, w, c)
        Floats from 0 to 1.
    places : sequence of (picture, row, column)
        Whole numbers: which picture, and where in the layer's map.
    field : Field

    Returns
    -------
    ndarray, (number of places, field height, field width, c)
        Grey where the field reaches out of the picture.
    """
    pictures = np.asarray(pictures)
    height, width = pictures.shape[1:3]
    cut = np.full((len(places), *field.size, pictures.shape[3]), GREY, pictures.dtype)
    for number, (picture, *place) in enumerate(places):
        top, left = (
            start + step * at
            for start, step, at in zip(field.start, field.step, place, strict=True)
        )
        bottom, right = top + field.size[0], left + field.size[1]
        inside = pictures[picture, max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
        down, across = max(-top, 0), max(-left, 0)
        rows, columns = min(bottom, height) - max(top, 0), min(right, width) - max(left, 0)
        if rows > 0 and columns > 0:
            cut[number, down : down + rows, across : across + columns] = inside
    return cut


def only_inside(maps, field, pictures):
    """Return maps without the responses whose field reaches out of the picture.

    Parameters
    ----------
    maps : array, (n, h, w, filters)
        A layer's maps.
    field : Field
        The layer's receptive field.
    pictures : array, (n, height, width, c)
        What the maps were made from.

    Returns
    -------
    ndarray, (n, h, w, filters)
        A copy with minus infinity in their place, so that none of them is the largest.
    """
    maps, sides = np.asarray(maps), np.shape(pictures)[1:3]
    inside = [np.arange(len(maps))]
    for places, side, size, step, start in zip(
        maps.shape[1:3], sides, field.size, field.step, field.start, strict=True
    ):
        first = start + step * np.arange(places)
        inside.append(np.flatnonzero((first >= 0) & (first + size <= side)))
    kept = np.full_like(maps, -np.inf)
    kept[np.ix_(*inside)] = maps[np.ix_(*inside)]
    return kept


def _chain(network, layer):
    """Return the layers from the input to this one, or raise a CourseError."""
    layers = list(network.layers)
    if not any(each is layer for each in layers):
        raise CourseError(f"{layer.name} is no layer of {network.name}: take it from its layers.")
    chain = layers[: [each is layer for each in layers].index(True) + 1]
    if type(network).__name__ != "Sequential":
        for before, after in pairwise(chain):
            if after.input is not before.output:
                raise CourseError(
                    f"the way to {layer.name} forks at {after.name}: a receptive field is worked"
                    " out only where each layer works on the one before."
                )
    for each in chain:
        kind = type(each).__name__
        if kind not in WINDOWS and kind not in IN_PLACE:
            raise CourseError(
                f"{layer.name} lies behind {each.name} ({kind}), which looks at the whole picture:"
                " choose a layer before it."
            )
    return chain


def _along(chain, axis):
    """Return size, step and start of the field along one axis."""
    size, step, start = 1, 1, 0
    for layer in chain:
        kind = type(layer).__name__
        if kind in WINDOWS:
            window, stride = getattr(layer, WINDOWS[kind])[axis], layer.strides[axis]
            reach = (window - 1) * getattr(layer, "dilation_rate", (1, 1))[axis] + 1
            if layer.padding == "same":
                before = layer.input.shape[1 + axis]
                # What Keras adds in all; of an odd number the smaller half comes first.
                added = max((-(-before // stride) - 1) * stride + reach - before, 0)
                start -= added // 2 * step
            size += (reach - 1) * step
            step *= stride
    return size, step, start
