"""Which configurations of Keras models are data: those of Keras's own classes and functions."""

import json
from functools import lru_cache

from course.instructor.grading.placeholders import CrossingError

MAX_CONFIG = 4 * 2**20
# Public, and yet not data: they run code of the configuration, or read files.
NEVER = {
    "Lambda", "TFSMLayer", "JaxLayer", "FlaxLayer", "TorchModuleWrapper", "Layer", "Wrapper",
    "TextVectorization", "StringLookup", "IntegerLookup", "Pipeline", "Model", "RNN",
    "MeanMetricWrapper", "LossFunctionWrapper", "Loss", "Metric", "Optimizer",
}  # fmt: skip
# What a sum, difference or product of two outputs is in a configuration, as in `x + before`.
ARITHMETIC = {("keras.src.ops.numpy", name) for name in ("Add", "Subtract", "Multiply")}
ROOMS = [
    "layers",
    "initializers",
    "regularizers",
    "constraints",
    "optimizers",
    "optimizers.schedules",
    "losses",
    "metrics",
    "dtype_policies",
]
FUNCTION_ROOMS = ["activations", "initializers", "losses", "metrics", "regularizers"]


def vetted(text):
    """Return a parsed configuration in which every class and function is built into Keras."""
    if type(text) is not str or len(text) > MAX_CONFIG:
        raise CrossingError("its configuration is too large")
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError):
        raise CrossingError("its configuration cannot be read") from None
    waiting = [parsed]
    while waiting:
        each = waiting.pop()
        if isinstance(each, list):
            waiting += each
        elif isinstance(each, dict):
            if "class_name" in each or "registered_name" in each or "module" in each:
                _vet_object(each)
            waiting += each.values()
    return parsed


def _vet_object(described):
    name, module = described.get("class_name"), described.get("module")
    if name == "__tuple__" or name == "__keras_tensor__" or name == "__ellipsis__":
        return
    if name == "function":
        plain = described.get("registered_name") in (None, "function", described.get("config"))
        allowed = plain and module == "builtins" and described.get("config") in _functions()
    else:
        allowed = (module, name) in _classes() and described.get("registered_name") in (None, name)
    if not allowed:
        what = described.get("config") if name == "function" else name
        raise CrossingError(
            f"it holds {str(module)[:60]}.{str(what)[:60]}, which is not one of Keras's own: test"
            " its effect through a function on arrays"
        )


@lru_cache
def _classes():
    """Return (module, class name) of everything that a configuration may name."""
    import keras

    found = {("keras", "Sequential"), ("keras.src.models.functional", "Functional")}
    found |= {
        ("keras", "Functional"),
        ("keras.models", "Functional"),
        ("keras.models", "Sequential"),
    }
    for room in ROOMS:
        place = keras
        for part in room.split("."):
            place = getattr(place, part)
        found |= {
            (f"keras.{room}", name)
            for name, value in vars(place).items()
            if isinstance(value, type) and name not in NEVER
        }
    found |= {("keras", name) for room, name in found if room == "keras.dtype_policies"}
    return found | ARITHMETIC


@lru_cache
def _functions():
    """Return the names of Keras's own functions that a configuration may name."""
    import keras

    return {
        name
        for room in FUNCTION_ROOMS
        for name, value in vars(getattr(keras, room)).items()
        if callable(value) and not name.startswith("_") and name not in ("get", "deserialize")
    }
