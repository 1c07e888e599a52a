"""Serialization of Keras models, tensors, and datasets between the two kernels.

A model is sent as the configurations of its built-in layers, optimizer, loss, and metrics, with
the properties with which it was built, to which those of the rebuilt model are compared, and with a
handle. The first use of a weight fetches all weights by this handle, so counting the parameters of
a network transfers no weights. Keras is imported only if a value is a Keras object.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Literal

import numpy as np

from course.gradable import Reason, built_networks, networks
from course.gradable.keras_allowlist import parse_config
from course.instructor.grading.value_placeholders import SerializationError

MAX_REASONS = 5  # of one model


def kind_of(value: Any) -> Literal["dataset", "history", "model"] | None:
    """Return the kind of a Keras or TensorFlow object, or None for any other value."""
    if networks.is_network(value):
        return "model"
    if networks.is_training_object(value):
        return "history" if type(value).__name__ == "History" else "dataset"
    return None


def batch_count(dataset: Any) -> int | None:
    """Return the number of batches in a dataset, or None if it is unknown."""
    try:
        return len(dataset)
    except TypeError:
        return None


def serialize_model(
    model: Any, serialize: Callable[[Any], list[Any]], register: Callable[[Any], int] | None
) -> list[Any]:
    """Return a model's node, with a handle or, if there is no `register`, with its weights."""
    description = networks.describe(model)
    reasons = [[reason.key, [*reason.names]] for reason in description.reasons]
    node = ["model", description.config, description.compile_config]
    built = built_networks.facts(model)
    if register:
        return [*node, register(model), None, reasons, built]
    # The student kernel, which receives this node, cannot fetch the weights later.
    return [*node, None, [serialize(array) for array in arrays_of(model)], reasons, built]


def arrays_of(model: Any) -> list[np.ndarray]:
    """Return a model's weights as NumPy arrays; bfloat16, which NumPy lacks, becomes float32."""
    arrays = [np.asarray(weight) for weight in model.weights]
    return [each.astype("float32") if each.dtype.name == "bfloat16" else each for each in arrays]


def deserialize_model(
    content: list[Any],
    deserialize: Callable[[Any], Any],
    fetch_weights: Callable[[int], list[np.ndarray]] | None,
) -> tuple[Any, list[Reason]]:
    """Return the model that a node describes, and the reasons why parts of it are missing.

    `content` contains the node's elements after its type.
    """
    config, compile_config, handle, weights, reasons, built = content
    model = build_model(config)
    built_networks.restore(model, built)
    if compile_config is not None:
        with built_networks.floats(built["floatx"]):
            compile_model(model, compile_config)
    if weights is not None:
        model.set_weights([deserialize(each) for each in weights])
        _finalize(model)
    elif fetch_weights is None:
        raise SerializationError("a model came without weights")
    else:
        fetch_on_first_use(model, lambda: fetch_weights(handle))
    missing = [Reason.from_untrusted(*reason) for reason in reasons[:MAX_REASONS]]
    if missing and compile_config is None:
        networks.set_missing_settings(model, missing[0])
    return model, missing


def build_model(config: Any) -> Any:
    """Return a model built from a JSON configuration, without creating its variables yet.

    Raises SerializationError if the configuration contains something that is not built into Keras,
    or if Keras cannot build the model.
    """
    parsed = parse_config(config)
    if type(parsed) is not dict:
        raise SerializationError("its configuration is malformed")
    try:
        model = built_networks.build(parsed)
    except Exception as error:  # Keras raises many types
        raise SerializationError(
            Reason.of("cannot-build", built_networks.last_line(error))
        ) from None
    if not networks.is_network(model):
        raise SerializationError("its configuration does not describe a model")
    for variable in model.variables:
        if variable._value is None:
            variable_class: Any = type(variable)
            variable.__class__ = _lazy_class(variable_class)
    return model


def fetch_on_first_use(model: Any, fetch: Callable[[], list[np.ndarray]]) -> None:
    """Make the first use of any of a model's weights fetch all of them."""

    def load() -> None:
        arrays = fetch()
        for variable in lazy:
            variable._load = None
        if [tuple(weight.shape) for weight in weights] != [array.shape for array in arrays]:
            raise SerializationError("the weights do not fit the model")
        for weight, array in zip(weights, arrays, strict=True):
            _initialize(weight, array)
        _finalize(model)

    weights = list(model.weights)
    lazy = [variable for variable in weights if isinstance(variable, _LazyVariable)]
    for variable in lazy:
        variable._load = load
    if any(map(_is_normalization, model._flatten_layers())):  # it does not use its weights directly
        load()


def _is_normalization(layer: Any) -> bool:
    return type(layer).__name__ == "Normalization"


def _finalize(model: Any) -> None:
    """Compute what Normalization layers derive from their weights, as Keras does after loading."""
    import tensorflow

    with tensorflow.init_scope():
        for layer in filter(_is_normalization, model._flatten_layers()):
            layer.finalize_state()


def compile_model(model: Any, config: Any) -> None:
    """Compile a model with a JSON configuration, without creating the optimizer's variables yet.

    Raises SerializationError if Keras cannot compile it.
    """
    import keras

    parsed = parse_config(config)
    try:
        settings = {
            key: keras.saving.deserialize_keras_object(value, safe_mode=True)
            for key, value in parsed.items()
        }
        model.compile(**settings)
    except Exception as error:  # Keras raises many types
        raise SerializationError(
            Reason.of("cannot-compile", built_networks.last_line(error))
        ) from None


@lru_cache
def _lazy_class(variable_class: type) -> type:
    """Return a subclass of a variable class whose instances get their values on first use."""
    attributes = {"__module__": variable_class.__module__}
    return type(variable_class.__name__, (_LazyVariable, variable_class), attributes)


class _LazyVariable:
    """A mix-in for Keras variables that have a shape but no value until their first use."""

    _load: Callable[[], None] | None = None
    _loaded_value: Any = None

    @property
    def _value(self) -> Any:
        if self._loaded_value is None:
            if self._load:
                self._load()
            if self._loaded_value is None:  # not a weight but, for example, a dropout layer's state
                _initialize(self, None)
        return self._loaded_value

    @_value.setter
    def _value(self, value: Any) -> None:
        self._loaded_value = value


def _initialize(variable: Any, array: np.ndarray | None) -> None:
    """Set a variable to an array, or to its initial value."""
    import tensorflow

    # The first use can be inside a function that TensorFlow traces.
    with tensorflow.init_scope():
        if array is None:
            array = variable._initializer(variable._shape, dtype=variable._dtype)
        variable._initialize(array)
