"""Counting networks that are too large to make: layers and shapes, without the weights."""

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


def layer_rows(network):
    """Return what each layer of a Sequential network costs, for tables and figures.

    Parameters
    ----------
    network : keras.Sequential
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
