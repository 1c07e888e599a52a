"""Allowlist of the classes and functions that the configuration of a Keras model may contain."""

import json
from functools import lru_cache
from typing import Any

from course.instructor.grading.placeholders import SerializationError

MAX_CONFIG_LENGTH = 4 * 2**20
# Public, but they run code from the configuration, read files, or are only base classes.
EXCLUDED_CLASSES = {
    "Lambda", "TFSMLayer", "JaxLayer", "FlaxLayer", "TorchModuleWrapper", "Layer", "Wrapper",
    "TextVectorization", "StringLookup", "IntegerLookup", "Pipeline", "Model", "RNN",
    "MeanMetricWrapper", "LossFunctionWrapper", "Loss", "Metric", "Optimizer",
}  # fmt: skip
# The operations of expressions such as `x + y` in a functional model.
ARITHMETIC = {("keras.src.ops.numpy", name) for name in ("Add", "Subtract", "Multiply")}
MODEL_CLASSES = {(module, "Sequential") for module in ("keras", "keras.models")}
MODEL_CLASSES |= {(module, "Functional") for module in ("keras", "keras.models")}
MODEL_CLASSES |= {("keras.src.models.functional", "Functional")}
CLASS_MODULES = ["layers", "initializers", "regularizers", "constraints", "optimizers"]
CLASS_MODULES += ["optimizers.schedules", "losses", "metrics", "dtype_policies"]
FUNCTION_MODULES = ["activations", "initializers", "losses", "metrics", "regularizers"]


def parse_config(text: Any) -> Any:
    """Return a parsed JSON configuration in which all classes and functions are built into Keras.

    Raises SerializationError for any other configuration.
    """
    if type(text) is not str or len(text) > MAX_CONFIG_LENGTH:
        raise SerializationError("its configuration is too large")
    try:
        config = json.loads(text)
    except (ValueError, RecursionError):
        raise SerializationError("its configuration is malformed") from None
    pending = [config]
    while pending:
        value = pending.pop()
        if isinstance(value, list):
            pending += value
        elif isinstance(value, dict):
            if "class_name" in value or "registered_name" in value or "module" in value:
                _check_object(value)
            pending += value.values()
    return config


def _check_object(config: dict[str, Any]) -> None:
    """Raise SerializationError unless an object's configuration names something allowed."""
    name, module = config.get("class_name"), config.get("module")
    if name in ("__tuple__", "__keras_tensor__", "__ellipsis__"):
        return
    if name == "function":
        function = config.get("config")
        is_plain = config.get("registered_name") in (None, "function", function)
        allowed = is_plain and module == "builtins" and function in _allowed_functions()
    else:
        is_plain = config.get("registered_name") in (None, name)
        allowed = is_plain and (module, name) in _allowed_classes()
    if not allowed:
        what = config.get("config") if name == "function" else name
        raise SerializationError(
            f"it contains {str(module)[:60]}.{str(what)[:60]}, which is not one of Keras's own:"
            " test its effect with a function that takes arrays"
        )


@lru_cache
def _allowed_classes() -> set[tuple[str, str]]:
    """Return (module, name) of each allowed class."""
    import keras

    found = MODEL_CLASSES | ARITHMETIC
    for path in CLASS_MODULES:
        module: Any = keras
        for part in path.split("."):
            module = getattr(module, part)
        found |= {
            (f"keras.{path}", name)
            for name, value in vars(module).items()
            if isinstance(value, type) and name not in EXCLUDED_CLASSES
        }
    return found | {("keras", name) for module, name in found if module == "keras.dtype_policies"}


@lru_cache
def _allowed_functions() -> set[str]:
    """Return the names of the allowed functions."""
    import keras

    return {
        name
        for module in FUNCTION_MODULES
        for name, value in vars(getattr(keras, module)).items()
        if callable(value) and not name.startswith("_") and name not in ("get", "deserialize")
    }
