"""Allowlist of the classes and functions that the configuration of a Keras model may contain."""

import json
from functools import lru_cache
from operator import attrgetter
from typing import Any

from course.gradable.rejection_reasons import NotGradable, Reason

MAX_CONFIG_LENGTH = 4 * 2**20
# Public classes that run code from the configuration, read files, or are only base classes.
EXCLUDED_CLASSES = {
    "Lambda", "TFSMLayer", "JaxLayer", "FlaxLayer", "TorchModuleWrapper", "Layer", "Wrapper",
    "TextVectorization", "StringLookup", "IntegerLookup", "Pipeline", "Model", "RNN",
    "MeanMetricWrapper", "LossFunctionWrapper", "Loss", "Metric", "Optimizer",
}  # fmt: skip
# The operations behind expressions such as `x + y` or `keras.activations.relu(x)` in a functional
# model.
ARITHMETIC = ("Add", "Subtract", "Multiply", "Divide", "TrueDivide")
ACTIVATIONS = (
    "Relu", "Relu6", "LeakyRelu", "Elu", "Selu", "Gelu", "Silu", "Sigmoid", "Softmax", "LogSoftmax",
    "Softplus", "Softsign",
)  # fmt: skip
# Other operations. None has weights, multiplies matrices, or calls a function: dense layers and
# convolutions have to be layers, which can be counted. Keras itself adds some, which compute masks.
CALCULATIONS = (
    "Absolute", "All", "Amax", "Amin", "Any", "Average", "BroadcastTo", "Ceil", "Clip",
    "Concatenate", "Cos", "Equal", "Exp", "ExpandDims", "Expm1", "Flip", "Floor", "FloorDivide",
    "GetItem", "Greater", "GreaterEqual", "Less", "LessEqual", "Log", "Log10", "Log1p", "Log2",
    "LogicalAnd", "LogicalNot", "LogicalOr", "Max", "Maximum", "Mean", "Min", "Minimum", "Mod",
    "Moveaxis", "Negative", "NotEqual", "Pad", "Power", "Prod", "Ravel", "Reciprocal", "Repeat",
    "Reshape", "Roll", "Round", "Sign", "Sin", "Split", "Sqrt", "Square", "Squeeze", "Stack", "Std",
    "Sum", "Swapaxes", "Tanh", "Tile", "Transpose", "Var", "Where",
)  # fmt: skip
OPERATIONS = {("keras.src.ops.numpy", name) for name in (*ARITHMETIC, *CALCULATIONS)}
OPERATIONS |= {("keras.src.ops.core", name) for name in ("Cast", "StopGradient")}
OPERATIONS |= {("keras.src.ops.nn", name) for name in ACTIVATIONS}
OPERATIONS |= {("keras.src.activations.activations", name) for name in ("ReLU", "LeakyReLU")}
# Values that Keras writes in this way, and the types of arrays among them.
VALUES = ("__tuple__", "__keras_tensor__", "__ellipsis__", "__slice__")
ARRAYS = ("__numpy__", "__tensor__")
MAX_ARRAY_ENTRIES = 1_000  # of a constant: the weights of a network belong into its layers
ARRAY_TYPES = (
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16",
    "float32", "float64", "bfloat16",
)  # fmt: skip
MODEL_CLASSES = {("keras.src.models.functional", "Functional")} | {
    (module, name) for module in ("keras", "keras.models") for name in ("Sequential", "Functional")
}
CLASS_MODULES = ["layers", "initializers", "regularizers", "constraints", "optimizers"]
CLASS_MODULES += ["optimizers.schedules", "losses", "metrics", "dtype_policies"]
FUNCTION_MODULES = ["activations", "initializers", "losses", "metrics", "regularizers"]


def parse_config(text: Any) -> Any:
    """Parse a JSON configuration and omit the compile configurations of the models in it.

    Raises NotGradable unless all classes and functions in it are built into Keras.
    """
    if type(text) is not str or len(text) > MAX_CONFIG_LENGTH:
        raise NotGradable(Reason("too-large"))
    try:
        return json.loads(text, object_hook=_check_object)
    except (TypeError, ValueError, RecursionError):
        raise NotGradable(Reason("malformed")) from None


def _check_object(config: dict[str, Any]) -> dict[str, Any]:
    """Return a JSON object; raise NotGradable if its class or function is not allowed."""
    name, module = config.get("class_name"), config.get("module")
    is_plain = config.keys().isdisjoint({"class_name", "registered_name", "module"})
    if is_plain or name in VALUES or (name in ARRAYS and _is_array(config.get("config"))):
        return config
    what = config.get("config") if name == "function" else name
    if name == "function":
        allowed = module == "builtins" and what in _allowed_functions()
    else:
        allowed = (module, name) in _allowed_classes()
    has_own_name = config.get("registered_name") not in (None, name, what)
    if not allowed or has_own_name:
        is_keras = str(module).partition(".")[0] == "keras" or str(what).startswith("__")
        text = ".".join(str(each)[:30] for each in (module, what) if each is not None)
        if what in ARRAYS:
            text = f"an array with more than {MAX_ARRAY_ENTRIES:,} constants"
        raise NotGradable(
            Reason.of("unsupported" if is_keras and not has_own_name else "part", text)
        )
    # Optimizers would create variables too early; that of the outermost model is sent separately.
    config.pop("compile_config", None)
    return config


def _is_array(value: Any) -> bool:
    """Return whether the configuration of an array has few entries and an allowed type."""
    is_typed = isinstance(value, dict) and value.get("dtype") in ARRAY_TYPES
    return is_typed and _count(value.get("value")) <= MAX_ARRAY_ENTRIES


def _count(values: Any) -> int:
    """Return the number of entries in nested lists."""
    return sum(map(_count, values)) if isinstance(values, list) else 1


def allowed_types() -> set[type]:
    """Return the allowed classes of layers and of their parts, including networks."""
    import keras
    from keras.src.models.functional import Functional

    return {keras.Sequential, Functional, *_public_classes().values()}


@lru_cache
def _allowed_classes() -> set[tuple[str, str]]:
    """Return the (module, name) pair of each allowed class."""
    found = MODEL_CLASSES | OPERATIONS | _public_classes().keys()
    return found | {("keras", name) for module, name in found if module == "keras.dtype_policies"}


def _public_classes() -> dict[tuple[str, str], type]:
    """Return the allowed public classes of Keras by their module and name."""
    import keras

    return {
        (f"keras.{path}", name): value
        for path in CLASS_MODULES
        for name, value in vars(attrgetter(path)(keras)).items()
        if isinstance(value, type) and name not in EXCLUDED_CLASSES
    }


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
