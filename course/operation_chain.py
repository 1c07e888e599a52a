"""The operations of a network in order, and the activation functions among them."""

from typing import Any

from course.errors import CourseError
from course.gradable.keras_allowlist import ACTIVATIONS
from course.gradable.networks import activation_name

__all__ = [
    "activation_of",
    "activations",
    "body",
    "is_activation",
    "node_of",
    "operations",
    "output_in",
]

WEIGHTED = ("Conv2D", "Dense")
ACTIVATION_LAYERS = {"Activation", "ReLU", "LeakyReLU", "ELU", "PReLU", "Softmax"}
ACTIVATION_FUNCTIONS = {*ACTIVATIONS, "Tanh", "ReLU", "LeakyReLU"}


def operations(network, last=None):
    """Return a network's operations from its input to its output.

    Parameters
    ----------
    network : keras.Model
        A chain: each operation takes the output of the previous one.
    last : keras.Layer, optional
        Return only the operations up to and including this layer of the network; those after it
        may branch.

    Returns
    -------
    list
        The layers of the network and other Keras operations, such as those that
        `keras.activations.relu(x)` and `x / 255` create. Input layers are omitted. A network that
        is a layer is replaced by its operations, unless the outer network has not been built. A
        layer that is used twice is listed twice.

    Raises
    ------
    CourseError
        If the network branches or has several outputs, or `last` is not one of its layers.
    """
    if not hasattr(network, "outputs") or not network.built:  # a Sequential of unknown input
        layers = list(network.layers)
        if last is None:
            return layers
        if last not in layers:
            raise _not_a_layer(network, last)
        return layers[: layers.index(last) + 1]
    if last is None and len(network.outputs) != 1:
        raise CourseError(
            f"{network.name} has {len(network.outputs)} outputs, but it must be a chain of layers,"
            " which has one output."
        )
    tensor = network.outputs[0] if last is None else output_in(network, last)
    found: list[Any] = []
    while True:
        node = node_of(tensor)
        if not node.input_tensors:
            return found[::-1]
        if len(node.input_tensors) > 1:
            raise CourseError(
                f"{network.name} branches at {node.operation.name}, but it must be a chain, in"
                " which each layer takes the output of the previous one."
            )
        is_network = hasattr(node.operation, "layers")
        found += operations(node.operation)[::-1] if is_network else [node.operation]
        tensor = node.input_tensors[0]
        if any(tensor is each for each in network.inputs):
            return found[::-1]


def node_of(tensor: Any) -> Any:
    """Return the node of Keras's graph that computes a tensor."""
    operation, index, _ = tensor._keras_history
    return operation._inbound_nodes[index]


def output_in(network: Any, layer: Any) -> Any:
    """Return a layer's output in one of the networks to which the layer may belong."""
    tensors = list(network.outputs)
    for tensor in tensors:
        node = node_of(tensor)
        if node.operation is layer:
            return tensor
        tensors += [each for each in node.input_tensors if not any(each is t for t in tensors)]
    raise _not_a_layer(network, layer)


def body(network):
    """Return the operations of a network without its activation functions, in order.

    An activation function may be an argument of a layer, a layer of its own, or a call such as
    `keras.activations.relu(x)`; `activations` lists the functions that `body` omits.

    Parameters
    ----------
    network : keras.Model
        A chain, as in `operations`.
    """
    return [each for each in operations(network) if not is_activation(each)]


def activations(network):
    """Return the name of the activation function of each convolution and dense layer, in order.

    Parameters
    ----------
    network : keras.Model
        A chain, as in `operations`.

    Returns
    -------
    list of str
        Names such as "relu", or "linear" if a layer has no activation. An activation can be an
        argument, a separate layer, or a call. Several activations of one layer have the form "relu
        then softmax", and one before the first of these layers has the form "relu after tanh".
        Calculations such as `x / 255` are named too. The functions of a backend, such as
        `tf.nn.relu`, have the names of Keras's own functions. A function with other settings than
        its default ones is named with these settings, such as "relu with negative_slope=1.0".
    """
    names: list[str] = []
    before: list[str] = []
    for operation in operations(network):
        kind = type(operation).__name__
        if kind in WEIGHTED:
            names.append(activation_name(operation.activation))
        elif is_activation(operation) or _is_calculation(operation):
            name = activation_of(operation) or kind.lower()
            if not names:
                before.append(name)
            elif name != "linear" and not name == names[-1] == "relu":
                names[-1] = name if names[-1] == "linear" else f"{names[-1]} then {name}"
    if names and before:
        names[0] += f" after {', '.join(before)}"
    return names


def activation_of(operation):
    """Return the name of the activation function that an operation applies, or None.

    Parameters
    ----------
    operation : keras.Operation
        A layer, or the operation of a call such as `keras.activations.relu(x)`.

    Returns
    -------
    str or None
        As in `activations`; None if the operation has no activation function.
    """
    if not is_activation(operation):
        return activation_name(operation.activation) if hasattr(operation, "activation") else None
    if type(operation).__name__ == "Activation":
        return activation_name(operation.activation)
    rank = len(operation.output.shape) if operation._inbound_nodes else None
    return activation_name(operation, rank)


def is_activation(operation: Any) -> bool:
    """Return whether an operation applies an activation function and does nothing else."""
    kinds = ACTIVATION_FUNCTIONS if _is_calculation(operation) else ACTIVATION_LAYERS
    return type(operation).__name__ in kinds


def _not_a_layer(network: Any, layer: Any) -> CourseError:
    """Return the error for a layer that does not belong to a network."""
    return CourseError(
        f"{layer.name} is not a layer of {network.name}: choose one of network.layers."
    )


def _is_calculation(operation: Any) -> bool:
    """Return whether an operation is not a layer."""
    import keras

    return not isinstance(operation, keras.Layer)
