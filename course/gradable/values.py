"""Values of built-in types and arrays: which can be passed to tests, and in which form."""

import collections
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

from course.gradable import built_networks, networks
from course.gradable.rejection_reasons import NotGradable, Reason

NUMERIC_KINDS = "biufc"
MAX_ITEM_SIZE = 16  # bytes of one entry of an array
# About 1,200 digits: Python does not write out a number of more than 4,300, such as a product.
MAX_INTEGER_BITS = 2**12
MAX_NODES = 1_000_000
MAX_DEPTH = 100
PLAIN = (bool, int, float, complex, str, list, tuple, set, frozenset, dict)
KEYS = (str, int, bool, float, complex, tuple, type(None))
# Module -> its classes whose objects hold an array of values.
ARRAY_CLASSES = {
    "pandas": ("Series", "Index", "DataFrame"),
    "jax": ("Array",),
    "torch": ("Tensor",),
    "tensorflow": ("Tensor", "Variable"),
    "keras": ("Variable", "KerasTensor"),
}


def plain_value(value: Any) -> Any:
    """Convert an object of a subclass of a built-in type, such as str or dict, to that type.

    Overridden methods are not called, so an object that claims to equal everything becomes a value
    that does not. NumPy scalars and all other values are returned unchanged.
    """
    kind = type(value)
    if kind in PLAIN or (issubclass(kind, np.generic) and not issubclass(kind, str)):
        return value
    if kind is collections.OrderedDict:  # only its own method knows the order
        return dict(value.items())
    if issubclass(kind, dict):
        return dict(dict.items(value))
    for plain in (list, tuple, set, frozenset):
        if issubclass(kind, plain):
            return plain(plain.__iter__(value))
    if issubclass(kind, str):
        return str.__str__(value)
    if issubclass(kind, int):
        return int.__int__(value)
    if issubclass(kind, complex):
        return complex.__complex__(value)
    return float.__float__(value) if issubclass(kind, float) else value


def plain_key(key: Any) -> Any:
    """Convert a dict's key to a built-in type; raise NotGradable if tests cannot use the key."""
    key = plain_value(key)
    is_number = isinstance(key, np.generic) and key.dtype.kind in NUMERIC_KINDS
    plain = key.item() if is_number else key
    if type(plain) not in KEYS:
        raise NotGradable(Reason.of("keys", type(key).__name__))
    return plain


def as_array(value: Any) -> np.ndarray | None:
    """Return the values of an array, a tensor, or a pandas object, or None for anything else.

    Raises NotGradable if the values are not numbers or are not known.
    """
    kind = type(value)
    if issubclass(kind, np.ma.MaskedArray) and np.ma.getmaskarray(value).any():
        raise NotGradable(Reason("masked"))
    if issubclass(kind, np.ndarray):
        array = np.ndarray.view(value, np.ndarray)
    elif issubclass(kind, np.generic):
        array = np.asarray(value)
    elif issubclass(kind, _array_classes()):
        try:
            array = np.asarray(value)
        except (TypeError, ValueError, NotImplementedError, AttributeError, RuntimeError):
            raise NotGradable(Reason("symbolic")) from None
    else:
        return None
    if array.dtype.kind not in NUMERIC_KINDS or array.dtype.itemsize > MAX_ITEM_SIZE:
        raise NotGradable(Reason.of("array", array.dtype))
    return array


def describe_object(value: Any) -> Reason:
    """Return the reason why tests cannot use an object of an unknown class."""
    if isinstance(value, type):
        return Reason.of("class", value.__name__)
    if issubclass(type(value), Iterator):
        return Reason.of("iterator", type(value).__name__)
    return Reason.of("object", type(value).__name__)


def find_reason(value: Any, *, compiled: bool = False) -> Reason | None:
    """Return the reason why tests cannot use a value, or None if they can.

    With `compiled`, tests must also be able to use the optimizer and the loss of a network.
    """
    try:
        _check(value, compiled, 0, iter(range(MAX_NODES)))
    except NotGradable as error:
        return error.reason
    return None


def _check(value: Any, compiled: bool, depth: int, nodes: Iterator[int]) -> None:
    """Raise NotGradable if tests cannot use a value or a part of it."""
    if depth > MAX_DEPTH or next(nodes, None) is None:
        raise NotGradable(Reason("too-large"))
    value = plain_value(value)
    kind = type(value)
    is_long = kind is int and value.bit_length() > MAX_INTEGER_BITS
    if is_long or (kind is range and len(value) > MAX_NODES):
        raise NotGradable(Reason("too-large"))
    if value is None or value is ... or kind in (bool, int, float, complex, str):
        return
    if kind in PLAIN:
        if kind is dict:
            value = [each for key, item in value.items() for each in (plain_key(key), item)]
        for part in value:
            _check(part, compiled, depth + 1, nodes)
    elif networks.is_network(value):
        built_networks.check(value, networks.describe(value).config)
        if compiled and (reason := networks.missing_settings(value)):
            raise NotGradable(reason)
    elif not (kind is range or _is_object_for_tests(value)):
        raise NotGradable(describe_object(value))


def _is_object_for_tests(value: Any) -> bool:
    """Return whether a value is an array, a dataset, the result of `fit`, or a function."""
    is_array = as_array(value) is not None
    return is_array or networks.is_training_object(value) or is_function(value)


def is_function(value: Any) -> bool:
    """Return whether tests receive a value as a function that they can call."""
    return callable(value) and not isinstance(value, type)


def _array_classes() -> tuple[type, ...]:
    """Return the classes of `ARRAY_CLASSES` whose modules have been imported."""
    return tuple(
        found
        for module, names in ARRAY_CLASSES.items()
        for name in names
        if isinstance(found := getattr(sys.modules.get(module), name, None), type)
    )
