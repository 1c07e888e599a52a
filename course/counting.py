"""Counting the layers, parameters, and operations of networks, even of those too large to build."""

import math
from contextlib import contextmanager

from course.gradable.networks import activation_name
from course.operation_chain import activation_of, activations, body, is_activation, operations

__all__ = [
    "activation_name",
    "activation_of",
    "activations",
    "architecture",
    "body",
    "layer_rows",
    "narrow_convolutions",
    "operations",
    "trainable_parameters",
    "without_weights",
]


@contextmanager
def without_weights():
    """Build networks inside a `with` block without allocating memory for their weights.

    Such a network has the right layers, `summary()`, `count_params()`, and output shapes, but
    cannot be run or trained. Blocks can be nested.

    Examples
    --------
    >>> import keras
    >>> with without_weights():
    ...     network = keras.Sequential([keras.Input((1_000_000,)), keras.layers.Dense(1_000_000)])
    >>> network.count_params()
    1000001000000
    """
    # Keras takes seconds to import.
    import keras
    from keras.src.backend.common import global_state

    # Keras keeps a list of uninitialized variables and initializes all of them when another scope
    # of this type ends, such as in each `fit` on JAX. The block's variables must not stay listed.
    name = "uninitialized_variables"
    uninitialized = list(global_state.get_global_attribute(name) or [])
    if keras.backend.backend() == "torch":
        scope = keras.device("meta")  # PyTorch's device for tensors without values
    else:
        scope = keras.StatelessScope(initialize_variables=False)
    try:
        with scope:
            yield
    finally:
        global_state.set_global_attribute(name, uninitialized)


def architecture(network):
    """Return a network's architecture as one line of text for a table.

    Parameters
    ----------
    network : keras.Model

    Returns
    -------
    str
        One word per layer, such as "conv(D=32,w=h=3,S=1,P=same)" for D filters of w by h pixels
        with stride S and padding P. Flatten layers and activations are omitted. Calculations
        between layers are words too, such as "subtract".
    """
    words = []
    for layer in getattr(network, "operations", network.layers):
        kind = type(layer).__name__
        if kind == "Conv2D":
            filters = f"D={layer.filters},{_format_size(layer.kernel_size)}"
            words.append(f"conv({filters},S={_format_strides(layer.strides)},P={layer.padding})")
        elif kind in ("MaxPooling2D", "AveragePooling2D"):
            name = kind.removesuffix("Pooling2D").lower() + "pool"
            words.append(
                f"{name}({_format_size(layer.pool_size)},S={_format_strides(layer.strides)})"
            )
        elif kind == "Dropout":
            words.append(f"dropout({layer.rate:g})")
        elif kind == "Dense":
            words.append(f"dense({layer.units})")
        elif kind not in ("InputLayer", "Flatten") and not is_activation(layer):
            words.append(kind.lower())
    return " ".join(words)


def _format_size(size: tuple[int, int]) -> str:
    height, width = size
    return f"w=h={width}" if width == height else f"w={width},h={height}"


def _format_strides(strides: tuple[int, int]) -> str:
    return f"{strides[0]}" if strides[0] == strides[1] else f"{strides[0]}×{strides[1]}"


def layer_rows(network):
    """Return the shape and cost of each layer of a network, for tables and figures.

    Parameters
    ----------
    network : keras.Model
        A network with a known input shape.

    Returns
    -------
    list of dict
        One row per layer:

        - name: such as "conv2_1" (the first convolution of the second block; each pooling layer
          ends a block), "pool2", or "dense1"; for any other layer, its class name in lowercase;
        - kind: "convolution", "pooling", "dense", or "other";
        - shape: the output shape for one image, a tuple;
        - parameters: the number of parameters;
        - activations: the number of values in the output for one image;
        - macs: the number of multiply–accumulate operations for one image, excluding biases.
    """
    # Compare class names, because this module does not import Keras.
    kinds = {"Conv2D": "convolution", "MaxPooling2D": "pooling", "AveragePooling2D": "pooling"}
    rows, block, convolutions, dense = [], 1, 0, 0
    for layer in network.layers:
        kind = kinds.get(type(layer).__name__, "other")
        name = type(layer).__name__.lower()
        shape = tuple(layer.output.shape[1:])
        macs = 0
        if kind == "convolution":
            convolutions += 1
            name = f"conv{block}_{convolutions}"
            macs = math.prod(layer.kernel.shape) * math.prod(shape[:2])
        elif kind == "pooling":
            name = f"pool{block}"
            block, convolutions = block + 1, 0
        elif name == "dense":
            kind, dense = "dense", dense + 1
            name = f"dense{dense}"
            macs = math.prod(layer.kernel.shape)
        costs = {
            "parameters": layer.count_params(),
            "activations": math.prod(shape),
            "macs": macs,
        }
        rows.append({"name": name, "kind": kind, "shape": shape} | costs)
    return rows


def trainable_parameters(network):
    """Return the number of a network's parameters that training changes.

    Parameters
    ----------
    network : keras.Model

    Returns
    -------
    int
        Parameters of layers whose `trainable` is False are not counted.
    """
    return sum(math.prod(weight.shape) for weight in network.trainable_weights)


def narrow_convolutions(network, fewest=32, most=256):
    """Return the convolutions that have too few filters for their position in a network.

    The minimum number of filters doubles with each pooling layer, as in VGG, up to `most`. 1 × 1
    convolutions may have fewer filters.

    Parameters
    ----------
    network : keras.Model
    fewest : int
        The minimum number of filters before the first pooling layer.
    most : int
        The minimum number of filters does not grow beyond this number.

    Returns
    -------
    list of str
        One line of text per such convolution: "conv1_2: 16 filters instead of at least 32".
    """
    found, rows = [], layer_rows(network)
    for layer, row in zip(network.layers, rows, strict=True):
        if row["kind"] == "pooling":
            fewest = min(2 * fewest, most)
            continue
        is_large = row["kind"] == "convolution" and tuple(layer.kernel_size) != (1, 1)
        if is_large and layer.filters < fewest:
            found.append(f"{row['name']}: {layer.filters} filters instead of at least {fewest}")
    return found
