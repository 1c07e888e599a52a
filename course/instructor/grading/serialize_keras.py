"""Keras models, tensors and datasets on their way between the two kernels.

A model crosses as the configuration of its built-in layers, of its optimizer, loss and metrics, and
a handle by which its weights are fetched when something uses them: counting the parameters of a
network costs nothing. Keras is imported only where a value is one of its own.
"""

import json
import sys
from functools import lru_cache

import numpy as np

from course.instructor.grading.keras_allowlist import vetted
from course.instructor.grading.placeholders import CrossingError


def is_tensor(value):
    """Return whether a value is a tensor or variable of the backend, or a Keras variable."""
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow and isinstance(value, tensorflow.Tensor | tensorflow.Variable):
        return True
    keras = sys.modules.get("keras")
    return bool(keras) and isinstance(value, keras.Variable)


def as_array(tensor):
    """Return the numbers of a tensor; those of a symbolic one are a stranger's."""
    try:
        return np.asarray(tensor)
    except (TypeError, ValueError, NotImplementedError, AttributeError):
        return np.asarray("symbolic")


def is_history(value):
    """Return whether a value is what `Model.fit` returns."""
    keras = sys.modules.get("keras")
    return bool(keras) and type(value) is keras.callbacks.History


def is_model(value):
    """Return whether a value is a Sequential or functional model, and no class derived from it."""
    keras = sys.modules.get("keras")
    return bool(keras) and type(value) in (keras.Sequential, _functional())


def is_dataset(value):
    """Return whether a value is a tf.data.Dataset or a PyDataset."""
    tensorflow, keras = sys.modules.get("tensorflow"), sys.modules.get("keras")
    return bool(tensorflow and isinstance(value, tensorflow.data.Dataset)) or bool(
        keras and isinstance(value, keras.utils.PyDataset)
    )


def length_of(dataset):
    """Return the number of batches of a dataset, or None."""
    try:
        return len(dataset)
    except TypeError:
        return None


def pack(model, packer):
    """Return the node of a model."""
    import keras

    try:
        config = json.dumps(keras.saving.serialize_keras_object(model))
        compiled = json.dumps(model.get_compile_config()) if model.compiled else None
    except Exception as error:  # a layer of the student's own may raise anything
        return ["stranger", f"a model that cannot be described ({type(error).__name__})"]
    if packer.keep:
        return ["model", config, compiled, packer.keep(model), None]
    # Handed to the student, who has no way to ask for the weights later.
    weights = [packer.pack(np.asarray(weight)) for weight in model.weights]
    return ["model", config, compiled, None, weights]


def unpack(rest, unpacker):
    """Return the model of a node's content: that of `pack` without its kind."""
    config, compiled, handle, weights = rest
    model = build(config)
    if compiled is not None:
        compile_as(model, compiled)
    if weights is not None:
        model.set_weights([unpacker.unpack(each) for each in weights])
    elif unpacker.link is None:
        raise CrossingError("a model came without weights")
    else:
        make_lazy(model, lambda: unpacker.link.weights(handle))
    return model


def build(config):
    """Return the model of a JSON configuration, its variables not yet made.

    Raises
    ------
    CrossingError
        If something in it is not built into Keras, or Keras cannot build it.
    """
    import keras
    from keras.src.backend.common import global_state

    parsed = vetted(config)
    if type(parsed) is not dict:
        raise CrossingError("its configuration cannot be read")
    _drop_compilation(parsed)
    pending = global_state.get_global_attribute("uninitialized_variables") or []
    try:
        # Keras puts off making the variables in such a scope; the end of it would make them.
        with keras.StatelessScope():
            model = keras.saving.deserialize_keras_object(parsed, safe_mode=True)
            global_state.set_global_attribute("uninitialized_variables", pending)
    except Exception as error:  # Keras raises many kinds
        raise CrossingError(f"Keras cannot build the model again ({_reason(error)})") from None
    if not is_model(model):
        raise CrossingError("its configuration is not a model's")
    for variable in model.variables:
        if variable._value is None:
            variable.__class__ = _lazy(type(variable))
    return model


def _drop_compilation(parsed):
    """Take the optimizers out of a parsed configuration, those of models in the model too.

    That of the whole crosses by itself. Here each would make variables, which cannot be made yet.
    """
    waiting = [parsed]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            if "class_name" in each:
                each.pop("compile_config", None)
            waiting += each.values()
        elif isinstance(each, list):
            waiting += each


def make_lazy(model, fetch):
    """Let the first use of any of a model's weights fetch all of them."""

    def load():
        arrays = fetch() if waiting else []
        for variable in waiting:
            variable._load = None
        fitting = len(arrays) == len(weights) and all(
            tuple(weight.shape) == array.shape
            for weight, array in zip(weights, arrays, strict=True)
        )
        if not fitting:
            raise CrossingError("the weights do not fit the model")
        for weight, array in zip(weights, arrays, strict=True):
            _set(weight, array)

    weights = list(model.weights)
    waiting = [variable for variable in weights if isinstance(variable, _lazy(None))]
    for variable in waiting:
        variable._load = load


def compile_as(model, config):
    """Compile a model as a JSON configuration says, and not yet make the optimizer's variables."""
    import keras

    parsed = vetted(config)
    try:
        settings = {
            key: keras.saving.deserialize_keras_object(value, safe_mode=True)
            for key, value in parsed.items()
        }
        model.compile(**settings)
    except Exception as error:  # Keras raises many kinds
        raise CrossingError(f"Keras cannot compile the model again ({_reason(error)})") from None


def _reason(error):
    """Return why Keras failed: the last of its lines, behind whole configurations."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[-1].removeprefix("Exception encountered: ")[:200]


@lru_cache
def _functional():
    from keras.src.models.functional import Functional

    return Functional


@lru_cache
def _lazy(kind):
    """Return a class of variables that are made at their first use; of any kind for None."""
    if kind is None:
        return _Lazy
    return type(kind.__name__, (_Lazy, kind), {"__module__": kind.__module__})


class _Lazy:
    """Mixed into a Keras variable that has a shape and no value yet."""

    _load = None
    _held = None

    @property
    def _value(self):
        if self._held is None:
            if self._load:
                self._load()
            if self._held is None:  # no weight of the model's but, say, the state of a dropout
                _set(self, None)
        return self._held

    @_value.setter
    def _value(self, value):
        self._held = value


def _set(variable, array):
    import tensorflow

    # Also where the first use is in the middle of tracing a function.
    with tensorflow.init_scope():
        if array is None:
            array = variable._initializer(variable._shape, dtype=variable._dtype)
        variable._initialize(array)


def change(model, after):
    """Give a model the weights and the compilation of another of the same layers."""
    if len(model.weights) == len(after.weights):
        for weight, new in zip(model.weights, after.weights, strict=True):
            if tuple(weight.shape) == tuple(new.shape):
                weight.assign(new)
    if after.compiled:
        compile_as(model, json.dumps(after.get_compile_config()))
