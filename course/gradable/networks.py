"""Networks as JSON: which parts of a Keras model can be passed to tests, and in which form."""

import contextlib
import itertools
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from course.gradable import keras_allowlist
from course.gradable.rejection_reasons import NotGradable, Reason

# Attributes of a layer that hold functions or objects with a fixed set of choices.
ACTIVATIONS = ("activation", "recurrent_activation")
CHOICES = ("initializer", "regularizer", "constraint")
MISSING_SETTINGS = "_course_missing_settings"
# What a class of a student may define without changing what its network computes.
HARMLESS = {"__init__", "__module__", "__doc__", "__qualname__", "__annotations__", "__dict__"}
HARMLESS |= {"__weakref__", "__firstlineno__", "__static_attributes__"}
# Functions of the backends and of `keras.ops` with the name and the result of one of Keras's own.
SHARED_ACTIVATIONS = (
    "relu", "relu6", "elu", "selu", "sigmoid", "softmax", "softplus", "softsign", "silu", "swish",
    "tanh", "log_softmax",
)  # fmt: skip
BACKEND_MODULES = {
    "keras.ops": SHARED_ACTIVATIONS,
    "tensorflow.nn": (*SHARED_ACTIVATIONS, "gelu", "leaky_relu"),
    "tensorflow.math": ("sigmoid", "softmax", "softplus", "softsign", "tanh", "log_softmax"),
    "tensorflow": ("sigmoid", "tanh"),
    "jax.nn": tuple(name for name in SHARED_ACTIVATIONS if name != "softsign"),
    "jax.numpy": ("tanh",),
    "torch.nn.functional": ("relu", "relu6", "elu", "selu", "sigmoid", "softplus", "silu", "tanh"),
    "torch": ("relu", "selu", "sigmoid", "tanh"),
}
BACKENDS = {path.partition(".")[0] for path in BACKEND_MODULES}


@dataclass(frozen=True)
class NetworkDescription:
    """A network as JSON text; `reasons` say why some of its compile settings are left out."""

    config: str
    compile_config: str | None
    reasons: list[Reason] = field(default_factory=list)


def is_network(value: Any) -> bool:
    """Return whether a value is a Keras model of any class."""
    keras = sys.modules.get("keras")
    return keras is not None and issubclass(type(value), keras.Model)


def is_training_object(value: Any) -> bool:
    """Return whether a value is a dataset or the result of `fit`."""
    keras, tensorflow = sys.modules.get("keras"), sys.modules.get("tensorflow")
    kind = type(value)
    if keras and (kind is keras.callbacks.History or issubclass(kind, keras.utils.PyDataset)):
        return True
    return tensorflow is not None and isinstance(value, tensorflow.data.Dataset)


def describe(model: Any) -> NetworkDescription:
    """Return the description of a network, without its weights.

    Raises NotGradable if the network has a part that is not one of Keras's own. If only its
    optimizer or its loss is not Keras's own, the network is described as if it had not been
    compiled. Metrics that are not Keras's own are left out.
    """
    _check_class(type(model))
    layers = list(model._flatten_layers(include_self=False))
    for layer in layers:
        _check_layer(layer)
    try:
        with _standard_attributes([model, *layers]):
            config = json.dumps(_serialize(model))
    except Exception as error:  # Keras raises many types
        raise NotGradable(Reason.of("no-configuration", type(error).__name__)) from None
    keras_allowlist.parse_config(config)
    compile_config, reasons = _describe_settings(model) if model.compiled else (None, [])
    return NetworkDescription(config, compile_config, reasons)


def missing_settings(model: Any) -> Reason | None:
    """Return the reason why tests cannot use a network's optimizer and its loss, or None."""
    if reason := vars(model).get(MISSING_SETTINGS):
        return reason
    if not model.compiled:
        return None
    compile_config, reasons = _describe_settings(model)
    return reasons[0] if compile_config is None else None


def set_missing_settings(model: Any, reason: Reason) -> None:
    """Record the reason why a network that grading has rebuilt is not compiled."""
    attributes: Any = vars(model)
    attributes[MISSING_SETTINGS] = reason


def activation_name(activation: Any, rank: int | None = None) -> str:
    """Return Keras's name for an activation, such as "relu" for `tf.nn.relu`.

    An activation that is not one of Keras's own has the name of its function or class. An object
    with other settings than its default ones is named with these settings, such as "relu with
    max_value=6.0".
    `rank` is the number of axes of its output, if known.
    """
    activation = _standard_activation(activation)
    name = getattr(activation, "__name__", None)
    if name is not None:
        return name
    kind = type(activation)
    try:
        usual, chosen = kind().get_config(), activation.get_config()
    except (AttributeError, TypeError):  # no object of Keras, or one without usual settings
        usual, chosen = {}, {}
    settings = {
        key: value
        for key, value in chosen.items()
        if key not in ("name", "trainable", "dtype") and value != usual.get(key, value)
    }
    if rank is not None and settings.get("axis") == rank - 1:
        del settings["axis"]
    described = " and ".join(f"{key}={value}" for key, value in settings.items())
    return f"{kind.__name__.lower()} with {described}" if described else kind.__name__.lower()


def _check_class(kind: type) -> None:
    """Raise NotGradable if a model's class changes how a Keras network works."""
    import keras
    from keras.src.models.functional import Functional

    bases = (keras.Sequential, Functional)
    keras_class = next((each for each in kind.__mro__ if each in bases), None)
    if keras_class is None:
        raise NotGradable(Reason.of("model-class", kind.__name__, "call"))
    for each in kind.__mro__[: kind.__mro__.index(keras_class)]:
        for name in vars(each):
            if name not in HARMLESS and hasattr(keras_class, name):
                raise NotGradable(Reason.of("model-class", each.__name__, name))


def _check_layer(layer: Any) -> None:
    """Raise NotGradable if a layer is not one of Keras's own, or has a function that is not."""
    kinds, kind = _allowed_types(), type(layer)
    if kind.__name__ == "Lambda":
        raise NotGradable(Reason.of("lambda-layer", layer.name))
    if kind not in kinds:
        raise NotGradable(Reason.of("layer-class", layer.name, kind.__name__))
    for name, value in vars(layer).items():
        if name in ACTIVATIONS:
            value = _standard_activation(value)
            if type(value) not in kinds and not _is_standard(value):
                raise NotGradable(Reason.of("activation", layer.name))
        elif name.endswith(CHOICES) and value is not None and type(value) not in kinds:
            raise NotGradable(Reason.of("function", name, layer.name))


def _serialize(model: Any) -> dict[str, Any]:
    """Return a model's configuration, in which a derived class is replaced by its base class."""
    import keras
    from keras.src.models.functional import Functional

    if type(model) in (keras.Sequential, Functional):
        return keras.saving.serialize_keras_object(model)
    if isinstance(model, Functional):
        plain = keras.Model(model.inputs, model.outputs, name=model.name)
        return keras.saving.serialize_keras_object(plain)
    plain_class = {"module": "keras", "class_name": "Sequential", "registered_name": "Sequential"}
    config = keras.Sequential.get_config(model)
    return plain_class | {"config": config, "build_config": model.get_build_config()}


def _describe_settings(model: Any) -> tuple[str | None, list[Reason]]:
    """Return a compiled model's settings as JSON, or None, and the reasons for any omissions."""
    reasons: list[Reason] = []
    settings = dict(model._compile_config.config)
    settings["loss"] = _map_structure(settings.get("loss"), "losses", "loss", reasons)
    if not _is_allowed(settings.get("optimizer")):
        reasons.append(Reason.of("optimizer", type(settings["optimizer"]).__name__))
    if reasons:
        return None, reasons
    for key in ("metrics", "weighted_metrics"):
        settings[key] = _map_structure(settings.get(key), "metrics", "metric", reasons)
    return _to_json(settings), reasons


def _map_structure(value: Any, module: str, key: str, reasons: list[Reason]) -> Any:
    """Replace functions in lists and dicts by their names; omit objects that are not Keras's own.

    `module` is the module of Keras that has the functions. `key` is the key of the reason that is
    added to `reasons` for each omitted object.
    """
    if isinstance(value, list | tuple):
        mapped = [_map_structure(each, module, key, reasons) for each in value]
        is_kept = [new is not None or old is None for new, old in zip(mapped, value, strict=True)]
        return [*itertools.compress(mapped, is_kept)]
    if isinstance(value, dict):
        return {name: _map_structure(each, module, key, reasons) for name, each in value.items()}
    if value is None or isinstance(value, str):
        return value
    name = _functions_of(module).get(id(value))
    if name is not None:
        return name
    if _is_allowed(value):
        return value
    reasons.append(Reason.of(key, getattr(value, "__name__", type(value).__name__)))
    return None


def _is_allowed(value: Any) -> bool:
    """Return whether an object and its parts are Keras's own."""
    try:
        keras_allowlist.parse_config(_to_json(value))
    except Exception:  # Keras raises many types for objects that it cannot serialize
        return False
    return True


def _to_json(value: Any) -> str:
    import keras

    return json.dumps(keras.saving.serialize_keras_object(value))


@contextlib.contextmanager
def _standard_attributes(layers: list[Any]) -> Iterator[None]:
    """In a `with` block, give layers Keras's own activations in place of equivalent ones.

    Networks are also marked as not compiled, because their settings are described separately.
    """
    replaced = []
    for layer in layers:
        attributes: Any = vars(layer)  # Keras would track assignments to attributes
        new = {name: _standard_activation(attributes.get(name)) for name in ACTIVATIONS}
        new["compiled"] = False
        old = {name: attributes[name] for name in new if name in attributes}
        replaced.append((attributes, old))
        attributes.update((name, new[name]) for name in old)
    try:
        yield
    finally:
        for attributes, old in replaced:
            attributes.update(old)


def _standard_activation(value: Any) -> Any:
    """Return the equivalent activation of Keras, or the value itself if there is none."""
    import keras

    standard = _activations(frozenset(sys.modules.keys() & BACKENDS)).get(id(value))
    if standard is not None:
        return standard
    if type(value) is keras.layers.Activation:
        return _standard_activation(value.activation)
    kind = type(value)
    if kind is keras.layers.ReLU and (value.max_value, value.negative_slope) == (None, 0):
        return value if value.threshold else keras.activations.relu
    if kind is keras.layers.Softmax and value.axis == -1:
        return keras.activations.softmax
    return value


def _is_standard(activation: Any) -> bool:
    """Return whether an activation is a function of Keras."""
    functions = _activations(frozenset(sys.modules.keys() & BACKENDS))
    return functions.get(id(activation)) is activation


@lru_cache
def _activations(imported: frozenset[str]) -> dict[int, Any]:
    """Return Keras's activations by the `id` of each function that is equivalent to one of them.

    `imported` are the names of the backends that have been imported.
    """
    import keras

    functions = {
        id(each): each
        for name, each in vars(keras.activations).items()
        if callable(each) and name not in ("get", "serialize", "deserialize")
    }
    for path, names in BACKEND_MODULES.items():
        backend, *parts = path.split(".")
        module = sys.modules[backend] if backend in imported else None
        for part in parts:
            module = getattr(module, part, None)
        for name in names:
            standard = getattr(keras.activations, name, None)
            function = getattr(module, name, None)
            if standard is not None and function is not None:
                functions[id(function)] = standard
    return functions


@lru_cache
def _functions_of(module: str) -> dict[int, str]:
    """Return the names of the functions in a module of Keras by the functions' `id`."""
    import keras

    return {
        id(value): value.__name__
        for name, value in vars(getattr(keras, module)).items()
        if callable(value) and not isinstance(value, type) and name == value.__name__
    }


@lru_cache
def _allowed_types() -> frozenset[type]:
    """Return the classes that a network may contain."""
    return frozenset(keras_allowlist.allowed_types())
