"""Receptive fields: the parts of the image that a layer's activations depend on."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from course.errors import CourseError
from course.gradable.keras_allowlist import ACTIVATIONS, ARITHMETIC
from course.operation_chain import node_of, operations, output_in

POOLING = ("MaxPooling2D", "AveragePooling2D")
KERNEL_SIZES = {"Conv2D": "kernel_size", **dict.fromkeys(POOLING, "pool_size")}
# Operations whose output at a position depends only on their input at that position.
ELEMENTWISE = {"Activation", "ReLU", "LeakyReLU", "Dropout", "BatchNormalization", "Tanh"}
ELEMENTWISE |= {*ARITHMETIC, *ACTIVATIONS} - {"Softmax", "LogSoftmax"}
# Augmentation changes where a pixel comes from, but only during training.
ELEMENTWISE |= {"Rescaling", "Normalization", "RandomFlip", "RandomTranslation"}
GRAY = 0.5  # the value of pixels outside the image
ONE_PIXEL = (1, 1, 0)  # the size, stride, and start of a pixel's field


@dataclass(frozen=True)
class ReceptiveField:
    """The part of the image that one activation of a layer depends on.

    Attributes
    ----------
    size : (int, int)
        Height and width in pixels.
    stride : (int, int)
        Distance in pixels, down and to the right, between the fields of neighboring positions.
    start : (int, int)
        Row and column of the field's top-left pixel at the first position of a feature map;
        negative if padding lets the field extend past the image.
    """

    size: tuple[int, int]
    stride: tuple[int, int]
    start: tuple[int, int]


def field_of(network, layer):
    """Return the receptive field of a layer.

    Parameters
    ----------
    network : keras.Model
        A chain of layers, or a network whose branches are added, such as a residual network.
    layer : keras.Layer
        A convolution or pooling layer of the network, or a later layer before `Flatten`.

    Returns
    -------
    ReceptiveField

    Raises
    ------
    CourseError
        If the layer is not in the network, if the path to it has branches that are not added or
        have different strides, or if a layer on the path is of a type for which this function
        cannot compute a receptive field, such as `Flatten` or `Dense`.

    Notes
    -----
    Starting at the input, each layer with kernel size F, stride S, and padding P enlarges the field
    by F - 1 times the current stride, moves its start back by P times that stride, and then
    multiplies the stride by S. Source: Dumoulin and Visin (2016), "A guide to convolution
    arithmetic for deep learning". The field of a sum covers the fields of all its terms.
    """
    if not any(each is layer for each in network.layers):
        raise CourseError(
            f"{layer.name} is not a layer of {network.name}: choose one of network.layers."
        )
    if hasattr(network, "outputs") and network.built:
        axes = [
            _field_of_tensor(network, output_in(network, layer), layer, axis) for axis in (0, 1)
        ]
    else:  # a Sequential of unknown input
        chain = operations(network, layer)
        axes = [_enlarge(ONE_PIXEL, chain, layer, axis) for axis in (0, 1)]
    (height, down, top), (width, right, left) = axes
    return ReceptiveField((height, width), (down, right), (top, left))


def patches(images, positions, field):
    """Cut out the image patches that activations of a layer depend on.

    Parameters
    ----------
    images : array, (n, h, w, c)
        Floats from 0 to 1.
    positions : sequence of (int, int, int)
        For each patch, the index of the image, and the row and column in the layer's feature map.
    field : ReceptiveField
        The receptive field of the layer.

    Returns
    -------
    ndarray, (len(positions), field height, field width, c)
        The patches; pixels outside the image are gray.
    """
    images = np.asarray(images)
    height, width = images.shape[1:3]
    cut = np.full((len(positions), *field.size, images.shape[3]), GRAY, images.dtype)
    for patch, (index, row, column) in zip(cut, positions, strict=True):
        top = field.start[0] + field.stride[0] * row
        left = field.start[1] + field.stride[1] * column
        bottom, right = top + field.size[0], left + field.size[1]
        rows, columns = min(bottom, height) - max(top, 0), min(right, width) - max(left, 0)
        if rows > 0 and columns > 0:
            inside = images[index, max(top, 0) : bottom, max(left, 0) : right]
            down, across = max(-top, 0), max(-left, 0)
            patch[down : down + rows, across : across + columns] = inside
    return cut


def mask_border(feature_maps, field, images):
    """Mask the activations whose receptive field extends past the image.

    Parameters
    ----------
    feature_maps : array, (n, h, w, filters)
        The output of a layer.
    field : ReceptiveField
        The receptive field of the layer.
    images : array, (n, height, width, c)
        The input of the network.

    Returns
    -------
    ndarray, (n, h, w, filters)
        A copy with minus infinity at these positions, so that none of them is the maximum.
    """
    feature_maps, sides = np.asarray(feature_maps), np.shape(images)[1:3]
    inside = [np.arange(len(feature_maps))]
    for positions, side, size, stride, start in zip(
        feature_maps.shape[1:3], sides, field.size, field.stride, field.start, strict=True
    ):
        first = start + stride * np.arange(positions)
        inside.append(np.flatnonzero((first >= 0) & (first + size <= side)))
    masked = np.full_like(feature_maps, -np.inf)
    masked[np.ix_(*inside)] = feature_maps[np.ix_(*inside)]
    return masked


def _field_of_tensor(network: Any, tensor: Any, last: Any, axis: int) -> tuple[int, int, int]:
    """Return the size, stride, and start of a tensor's field along one axis."""
    node = node_of(tensor)
    if any(tensor is each for each in network.inputs) or not node.input_tensors:
        return ONE_PIXEL
    fields = [_field_of_tensor(network, each, last, axis) for each in node.input_tensors]
    operation = node.operation
    strides = {stride for _, stride, _ in fields}
    if len(fields) > 1 and (type(operation).__name__ != "Add" or len(strides) > 1):
        raise CourseError(
            f"{network.name} branches at {operation.name}, but branches have a common receptive"
            " field only if they are added and have the same stride: choose an earlier layer."
        )
    start = min(each_start for _, _, each_start in fields)
    end = max(each_start + size for size, _, each_start in fields)
    chain = operations(operation) if hasattr(operation, "layers") else [operation]
    return _enlarge((end - start, strides.pop(), start), chain, last, axis)


def _enlarge(
    field: tuple[int, int, int], chain: list, last: Any, axis: int
) -> tuple[int, int, int]:
    """Return the size, stride, and start of a field, along one axis, after more operations."""
    field_size, field_stride, start = field
    for layer in chain:
        kind = type(layer).__name__
        if kind not in KERNEL_SIZES and kind not in ELEMENTWISE:
            raise CourseError(
                f"{last.name} is at or after {layer.name} ({kind}), a layer without a known"
                f" receptive field: choose a layer before {layer.name}."
            )
        if kind in KERNEL_SIZES:
            kernel_size, stride = getattr(layer, KERNEL_SIZES[kind])[axis], layer.strides[axis]
            dilated = (kernel_size - 1) * getattr(layer, "dilation_rate", (1, 1))[axis] + 1
            if layer.padding == "same":
                side = layer.input.shape[1 + axis]
                # The total padding that Keras adds; if it is odd, the smaller half comes first.
                padding = max((-(-side // stride) - 1) * stride + dilated - side, 0)
                start -= padding // 2 * field_stride
            field_size += (dilated - 1) * field_stride
            field_stride *= stride
    return field_size, field_stride, start
