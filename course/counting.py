"""What a network consists of and costs, also one that is too large to make."""

import math
from contextlib import contextmanager


@contextmanager
def without_weights():
    """Let networks be built in a `with` block without any memory for their weights.

    Such a network knows its layers, shapes and counts: its `summary()`, its `count_params()` and
    the `output.shape` of a layer are right. It is there to be counted, not to be run or trained.
    Blocks may be nested.

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

    # Keras keeps a list of the variables that it has yet to make, and makes all of them as soon as
    # another such scope ends, as one does in each `fit` on JAX. Ours are never to be made.
    name = "uninitialized_variables"
    waiting = list(global_state.get_global_attribute(name) or [])
    try:
        with keras.StatelessScope(initialize_variables=False):
            yield
    finally:
        global_state.set_global_attribute(name, waiting)


# Layers that the words of `in_words` do not need.
UNSAID = {"InputLayer", "Flatten", "Activation", "ReLU", "Softmax"}


def in_words(network):
    """Return the architecture of a network in words, for a table.

    Parameters
    ----------
    network : keras.Model

    Returns
    -------
    str
        A word a layer, such as "conv(D=32,w=h=3,S=1,P=same)": D filters of w by h pixels, stride S,
        padding P. Flattening and activations are left out.
    """
    words = []
    for layer in network.layers:
        kind = type(layer).__name__
        if kind == "Conv2D":
            filters = f"D={layer.filters},{_sides(layer.kernel_size)}"
            words.append(f"conv({filters},S={_number(layer.strides)},P={layer.padding})")
        elif kind in ("MaxPooling2D", "AveragePooling2D"):
            name = kind.removesuffix("Pooling2D").lower() + "pool"
            words.append(f"{name}({_sides(layer.pool_size)},S={_number(layer.strides)})")
        elif kind == "Dropout":
            words.append(f"dropout({layer.rate:g})")
        elif kind == "Dense":
            words.append(f"dense({layer.units})")
        elif kind not in UNSAID:
            words.append(kind.lower())
    return " ".join(words)


def activations(network):
    """Return the activation of each convolution and dense layer, in their order.

    Parameters
    ----------
    network : keras.Model

    Returns
    -------
    list of str
        "relu", "softmax", ..., "linear" where there is none. It makes no difference whether the
        activation is an argument or a layer of its own; where it is both: "relu then softmax".
    """
    found = []
    for layer in network.layers:
        kind = type(layer).__name__
        if kind in ("Conv2D", "Dense"):
            found.append(layer.activation.__name__)
        elif kind in ("Activation", "ReLU", "Softmax") and found:
            name = layer.activation.__name__ if kind == "Activation" else kind.lower()
            found[-1] = name if found[-1] == "linear" else f"{found[-1]} then {name}"
    return found


def _sides(pair):
    height, width = pair
    return f"w=h={width}" if width == height else f"w={width},h={height}"


def _number(pair):
    return f"{pair[0]}" if pair[0] == pair[1] else f"{pair[0]}×{pair[1]}"


def layer_rows(network):
    """Return what each layer of a network costs, for tables and figures.

    Parameters
    ----------
    network : keras.Model
        Of convolutions, poolings, dense layers and others, its input known.

    Returns
    -------
    list of dict
        A row a layer:

        - name: "conv2_1" is the first convolution of the second block, where a pooling layer ends
          a block; then "pool2", "dense1"; any other layer has the name of its class;
        - kind: "convolution", "pooling", "dense" or "other";
        - shape: of the output for one picture, a tuple;
        - parameters: how many numbers it learns;
        - multiplications: how many it computes for one picture, without those for biases.
    """
    # The names of classes, since a layer may have come from elsewhere; Keras is not imported here.
    kinds = {"Conv2D": "convolution", "MaxPooling2D": "pooling", "AveragePooling2D": "pooling"}
    rows, block, conv, dense = [], 1, 0, 0
    for layer in network.layers:
        kind = kinds.get(type(layer).__name__, "other")
        name = type(layer).__name__.lower()
        shape = tuple(layer.output.shape[1:])
        multiplications = 0
        if kind == "convolution":
            conv += 1
            name = f"conv{block}_{conv}"
            multiplications = math.prod(layer.kernel.shape) * math.prod(shape[:2])
        elif kind == "pooling":
            name = f"pool{block}"
            block, conv = block + 1, 0
        elif name == "dense":
            kind, dense = "dense", dense + 1
            name = f"dense{dense}"
            multiplications = math.prod(layer.kernel.shape)
        rows.append(
            {
                "name": name,
                "kind": kind,
                "shape": shape,
                "parameters": layer.count_params(),
                "multiplications": multiplications,
            }
        )
    return rows
