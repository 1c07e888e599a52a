"""Networks as they were built: properties that their Keras configurations omit or misstate.

A configuration contains the current attributes of the layers. Keras reads most attributes only when
it builds a layer, so a network that is rebuilt from its configuration can differ from the original.
"""

import contextlib
import copy
import json
import random
from collections.abc import Iterator
from typing import Any

from course.gradable import keras_allowlist
from course.gradable.rejection_reasons import NotGradable, Reason

REBUILT = "_course_rebuilt"
FLOATS = ("float16", "float32", "float64", "bfloat16")
POLICIES = (*FLOATS, "mixed_float16", "mixed_bfloat16")


def build(config: Any) -> Any:
    """Return the object that Keras builds from a parsed configuration, without values of variables.

    Keras can raise any type of exception.
    """
    import keras
    from keras.src.backend.common import global_state

    pending = global_state.get_global_attribute("uninitialized_variables") or []
    # In this scope, Keras defers the creation of variables to the end of the scope, where it would
    # create every variable in this list.
    with keras.StatelessScope():
        model = keras.saving.deserialize_keras_object(config, safe_mode=True)
        global_state.set_global_attribute("uninitialized_variables", pending)
    return model


def facts(model: Any) -> dict[str, Any]:
    """Return the properties with which a network was built, as JSON data."""
    import keras

    parts = list(_parts(model))
    return {
        "floatx": keras.config.floatx(),
        "parts": [[bool(part.trainable), _policy(part)] for part in parts],
        "outputs": [output for part in parts for output in _outputs(part)],
        "weights": [
            [[*weight.shape], weight.dtype, _text(weight.regularizer), _text(weight.constraint)]
            for weight in model.weights
        ],
        "learning": [bool(weight.trainable) for weight in model.weights],
    }


def restore(model: Any, built: Any) -> None:
    """Set the properties of a rebuilt network to those of the original one.

    `built` contains the facts of the original network. Raises NotGradable if the two networks
    differ in other ways.
    """
    found = facts(model)
    if type(built) is not dict or built.keys() != found.keys() or built["floatx"] not in FLOATS:
        raise NotGradable(Reason("malformed"))
    if any(len(built[key]) != len(found[key]) for key in ("parts", "weights", "learning")):
        raise NotGradable(Reason("changed-network"))
    for weight, one, other in zip(model.weights, built["weights"], found["weights"], strict=True):
        _compare_weight(weight, one, other)
    for one, other in zip(built["outputs"], found["outputs"], strict=False):
        if one != other:
            raise NotGradable(Reason.of("changed-layer", other[0]))
    if len(built["outputs"]) != len(found["outputs"]):
        raise NotGradable(Reason("changed-network"))
    for part, (trainable, policy), (_, current) in zip(
        _parts(model), built["parts"], found["parts"], strict=True
    ):
        if policy != current:
            if not _is_network(part) or policy not in POLICIES:
                raise NotGradable(Reason.of("changed-layer", part.name))
            part.dtype_policy = policy
        part._trainable = trainable is True  # the attribute `trainable` would change its parts
    for weight, trainable in zip(model.weights, built["learning"], strict=True):
        weight.trainable = trainable is True
    attributes: Any = vars(model)
    attributes[REBUILT] = True


@contextlib.contextmanager
def floats(floatx: str) -> Iterator[None]:
    """Make a type of numbers, such as "float64", Keras's default in a `with` block."""
    import keras

    before = keras.config.floatx()
    keras.config.set_floatx(floatx)
    try:
        yield
    finally:
        keras.config.set_floatx(before)


def check(model: Any, config: str) -> None:
    """Raise NotGradable if a network that is rebuilt from the configuration differs from the model.

    Nothing is checked if Keras cannot rebuild the network for a reason other than contradictory
    settings, for example in a version that works differently from the one that grading uses.
    """
    if REBUILT in vars(model):
        return
    from keras.src.backend.common import global_state

    state = random.getstate()  # from which Keras draws the seeds of layers
    names = copy.copy(global_state.get_global_attribute("object_name_uids"))
    try:
        rebuilt, built = build(keras_allowlist.parse_config(config)), facts(model)
        restore(rebuilt, json.loads(json.dumps(built)))
    except NotGradable:
        raise
    except ValueError as error:  # the settings contradict each other
        raise NotGradable(Reason.of("cannot-build", last_line(error))) from None
    except Exception:  # Keras raises many types
        return
    finally:
        random.setstate(state)
        global_state.set_global_attribute("object_name_uids", names)


def last_line(error: Exception) -> str:
    """Return the last line of a Keras error; the lines before it contain the configuration."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[-1].removeprefix("Exception encountered: ")[:200]


def _compare_weight(weight: Any, one: list[Any], other: list[Any]) -> None:
    """Raise NotGradable if the facts about a weight differ."""
    if one == other:
        return
    layer, _, name = weight.path.rpartition("/")
    layer = layer.rpartition("/")[-1]
    for kind, before, after in zip(("regularizer", "constraint"), one[2:], other[2:], strict=True):
        if one[:2] == other[:2] and before != after:
            raise NotGradable(Reason.of("late-setting", kind, name, layer))
    raise NotGradable(Reason.of("changed-layer", layer))


def _parts(model: Any) -> Iterator[Any]:
    """Yield a network and all layers and networks in it."""
    yield model
    for layer in model.layers if _is_network(model) else ():
        yield from _parts(layer)


def _outputs(part: Any) -> list[list[Any]]:
    """Return the names of a network's layers and their output shapes, without the batch axis.

    A calculation, such as that of a mask, is named after its class, because Keras numbers
    calculations across all networks.
    """
    functional = getattr(part, "_functional", part) if _is_network(part) else None
    nodes = getattr(functional, "_nodes_by_depth", {}).values()
    found = [
        [_name(node.operation), [[*output.shape[1:]] for output in node.outputs]]
        for each in nodes
        for node in each
    ]
    return sorted(found, key=repr)  # the lengths of axes can be unknown


def _name(operation: Any) -> str:
    import keras

    is_layer = isinstance(operation, keras.Layer)
    return operation.name if is_layer else type(operation).__name__


def _policy(part: Any) -> str:
    return str(part.dtype_policy.name)


def _text(value: Any) -> str | None:
    """Return a regularizer or a constraint as text that is the same for equal settings."""
    import keras

    if value is None:
        return None
    try:
        return json.dumps(keras.saving.serialize_keras_object(value), sort_keys=True)
    except Exception:  # not one of Keras's own; Keras raises many types
        return type(value).__name__


def _is_network(part: Any) -> bool:
    import keras

    return isinstance(part, keras.Model)
