"""Serialization of values between the student kernel and the grader kernel, by exact type.

`Serializer` turns values into a JSON tree and blocks of bytes; `Deserializer` rebuilds the values.
Both kernels use both classes, because a test passes arguments to a student's function and gets a
value back. The deserializer does not trust its input: it creates only objects of the types listed
here.

A node of the tree is a list that begins with the node's type:

    ["none"], ["bool", b], ["int", "0x12"], ["float", "0x1.8p+1"], ["str", s], ["ellipsis"]
    ["complex", "0x1.8p+1", "0x0.0p+0"]
    ["list" | "tuple" | "set" | "frozenset", [nodes]], ["dict", [[node, node], ...]]
    ["range", node, node, node], ["array", dtype, shape, block], ["scalar", dtype, block]
    ["function", handle, name, signature], ["dataset", handle, length], ["history", node, node]
    ["model", ...]               see course.instructor.grading.serialize_keras
    ["argument", index]          in an answer: the same object that was passed at this position
    ["unserializable", text, reason, [names]]
                                 a value that cannot be serialized; its placeholder equals no value

`course.gradable` decides which values can be serialized, and as what.
"""

import inspect
import math
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from course.gradable import Reason, values
from course.gradable.values import (
    MAX_DEPTH,
    MAX_INTEGER_BITS,
    MAX_ITEM_SIZE,
    MAX_NODES,
    NUMERIC_KINDS,
)
from course.instructor.grading import serialize_keras, value_placeholders
from course.instructor.grading.value_placeholders import SerializationError, UnserializableValue

MAX_INTEGER_TEXT = MAX_INTEGER_BITS // 4 + len("-0x")
MAX_FLOAT_TEXT = 40
MAX_STRING_LENGTH = 10_000_000  # all text of a message has to fit into its header
MAX_REASONS = 20
MAX_DIMENSIONS = 64  # the limit of NumPy
CONTAINERS: dict[str, Callable[..., Any]] = {
    kind.__name__: kind for kind in (list, tuple, set, frozenset)
}
TOO_LARGE = Reason("too-large")
MALFORMED = "it is malformed"
# Only these names are accepted: NumPy's own parser of type names accepts far more.
DTYPES = {
    dtype.name: dtype
    for dtype in map(np.dtype, np.typecodes["All"])
    if dtype.kind in NUMERIC_KINDS and dtype.itemsize <= MAX_ITEM_SIZE
}


class ProxyFactory(Protocol):
    """Gives access to objects that stay in the student kernel."""

    def function(self, handle: int, name: str, signature: Any) -> Any:
        """Return a proxy for a function."""

    def dataset(self, handle: int, length: Any) -> Any:
        """Return a proxy for a dataset."""

    def weights(self, handle: int) -> list[np.ndarray]:
        """Return the weights of a model."""


class Serializer:
    """Turns values into nodes and array data into `blocks`, to which the nodes refer by index.

    `register` stores a function, dataset, or model, and returns its handle; without `register`,
    models are serialized with their weights, and functions and datasets cannot be serialized.
    `arguments` are objects that the receiver knows by index.
    """

    def __init__(
        self, register: Callable[[Any], int] | None = None, arguments: Sequence[Any] = ()
    ) -> None:
        self.register = register
        self.blocks: list[Any] = []
        self._argument_indices = {id(each): index for index, each in enumerate(arguments)}
        self._node_count = 0

    def serialize(self, value: Any, depth: int = 0) -> list[Any]:
        """Return the node of a value.

        Raises SerializationError if the value is too large or too deeply nested, or contains a
        callable that cannot be registered.
        """
        self._node_count += 1
        if self._node_count > MAX_NODES or depth > MAX_DEPTH:
            raise SerializationError(TOO_LARGE)
        if value is None:
            return ["none"]
        if value is ...:
            return ["ellipsis"]
        index = self._argument_indices.get(id(value))
        if index is not None and type(value) not in (bool, int, float, complex, str):
            return ["argument", index]
        value = values.plain_value(value)
        kind = type(value)
        if kind is bool:
            return ["bool", value]
        if kind is int:
            if value.bit_length() > MAX_INTEGER_BITS:
                return unserializable_node(value, TOO_LARGE)
            return ["int", hex(value)]
        if kind is float:
            return ["float", value.hex()]
        if kind is complex:
            return ["complex", value.real.hex(), value.imag.hex()]
        if kind is str:
            if len(value) > MAX_STRING_LENGTH:
                return unserializable_node(value[:100], TOO_LARGE)
            return ["str", value]
        if kind in (list, tuple, set, frozenset):
            return [kind.__name__, [self.serialize(each, depth + 1) for each in value]]
        if kind is dict:
            try:
                items = [(values.plain_key(key), item) for key, item in value.items()]
            except SerializationError as error:
                return unserializable_node(value, error.reason)
            return ["dict", [[self.serialize(k, depth + 1), self.serialize(v, depth + 1)]
                             for k, v in items]]  # fmt: skip
        if kind is range:
            bounds = (value.start, value.stop, value.step)
            return ["range", *(self.serialize(each, depth + 1) for each in bounds)]
        try:
            return self._object(value, depth)
        except SerializationError as error:
            if error.reason == TOO_LARGE or error.reason.key == "error":
                raise
            return unserializable_node(value, error.reason)

    def _object(self, value: Any, depth: int) -> list[Any]:
        """Return the node of an object that is not a container, or raise SerializationError."""
        array = values.as_array(value)
        if array is not None:
            return self._array(array, "scalar" if isinstance(value, np.generic) else "array")
        kind = serialize_keras.kind_of(value)
        if kind == "history":
            parts = (value.history, value.epoch)
            return ["history", *(self.serialize(part, depth + 1) for part in parts)]
        if kind == "model":
            return serialize_keras.serialize_model(value, self.serialize, self.register)
        if kind == "dataset" and self.register:
            return ["dataset", self.register(value), serialize_keras.batch_count(value)]
        if values.is_function(value):
            if self.register is None:
                raise SerializationError(
                    "a function cannot be passed to a student's function; pass the value that it"
                    " returns"
                )
            name = getattr(value, "__name__", type(value).__name__)
            return ["function", self.register(value), str(name)[:100], _signature(value)]
        raise SerializationError(values.describe_object(value))

    def _array(self, array: np.ndarray, kind: str) -> list[Any]:
        if not array.dtype.isnative:
            array = array.astype(array.dtype.newbyteorder("="))
        # ascontiguousarray gives a scalar one dimension; reshape restores its shape.
        contiguous = np.ascontiguousarray(array).reshape(array.shape)
        self.blocks.append(contiguous.reshape(-1).view(np.uint8) if contiguous.size else b"")
        block = len(self.blocks) - 1
        if kind == "scalar":
            return ["scalar", array.dtype.name, block]
        return ["array", array.dtype.name, list(array.shape), block]


def unserializable_node(value: Any, reason: Reason) -> list[Any]:
    """Return the node of a value that cannot be serialized."""
    return ["unserializable", value_placeholders.describe_value(value), reason.key, [*reason.names]]


def failure_node(error: BaseException) -> list[Any]:
    """Return the node of a value whose serialization failed with an error."""
    if isinstance(error, SerializationError):
        reason = error.reason
    else:
        reason = Reason.of("error", type(error).__name__)
    text = f"a value that cannot be serialized ({error})"
    return ["unserializable", text, reason.key, [*reason.names]]


class Deserializer:
    """Rebuilds values from nodes and blocks.

    `proxies` gives access to functions, datasets, and weights in the student kernel; without it,
    nodes that need it are rejected. `arguments` are the objects to which "argument" nodes refer.
    With `plain_numbers`, scalars and arrays without dimensions become Python numbers: the sender
    chose their type, in which a difference could overflow or be rounded to zero.
    """

    def __init__(
        self,
        blocks: Sequence[Any] = (),
        proxies: ProxyFactory | None = None,
        arguments: Sequence[Any] = (),
        *,
        plain_numbers: bool = False,
    ) -> None:
        self.blocks = list(blocks)
        self.proxies = proxies
        self.arguments = arguments
        self.plain_numbers = plain_numbers
        # Why tests cannot use some of the values, in the order of deserialization.
        self.reasons: list[Reason] = []
        self._node_count = 0

    def deserialize(self, node: Any, depth: int = 0) -> Any:
        """Return the value of a node, or raise SerializationError if the node is malformed."""
        self._node_count += 1
        if self._node_count > MAX_NODES or depth > MAX_DEPTH:
            raise SerializationError(TOO_LARGE)
        try:
            return self._deserialize(node, depth)
        except SerializationError:
            raise
        except Exception as error:  # whatever a node makes a constructor raise
            raise SerializationError(f"{MALFORMED} ({error})") from None

    def deserialize_or_describe(self, node: Any, description: str) -> Any:
        """Return the value of a node, or a placeholder if the node cannot be deserialized."""
        try:
            return self.deserialize(node)
        except SerializationError as error:
            self._add_reasons(error.reason)
            return UnserializableValue(f"{description} (a test cannot use it: {error})")

    def _deserialize(self, node: Any, depth: int) -> Any:
        match node:
            case ["none"]:
                return None
            case ["ellipsis"]:
                return ...
            case ["bool", value]:
                return value is True
            case ["int", str(text)] if len(text) <= MAX_INTEGER_TEXT:
                return int(text, 16)
            case ["float", str(text)] if len(text) <= MAX_FLOAT_TEXT:
                return float.fromhex(text)
            case ["complex", str(real), str(imag)] if max(len(real), len(imag)) <= MAX_FLOAT_TEXT:
                return complex(float.fromhex(real), float.fromhex(imag))
            case ["str", str(text)]:
                return text
            case ["list" | "tuple" | "set" | "frozenset" as kind, items]:
                return CONTAINERS[kind](self.deserialize(each, depth + 1) for each in items)
            case ["dict", items]:
                return {self._key(k, depth): self.deserialize(v, depth + 1) for k, v in items}
            case ["array", str(dtype), shape, block]:
                array = self._array(dtype, shape, block)
                return array.item() if self.plain_numbers and array.shape == () else array
            case ["scalar", str(dtype), block]:
                array = self._array(dtype, (), block)
                return array.item() if self.plain_numbers else array[()]
            case ["history", *parts]:
                history, epoch = (self.deserialize(part, depth + 1) for part in parts)
                return value_placeholders.TrainingHistory(history, epoch)
            case ["range", *bounds]:
                start, stop, step = (self.deserialize(each, depth + 1) for each in bounds)
                return _require_short(range(start, stop, step))
            case ["unserializable", str(text), key, names]:
                self._add_reasons(Reason.from_untrusted(key, names))
                return UnserializableValue(text[:300])
            case ["argument", index]:
                return self.arguments[_require_count(index)]
            case ["function", handle, str(name), signature] if self.proxies:
                return self.proxies.function(_require_count(handle), name[:100], signature)
            case ["dataset", handle, length] if self.proxies:
                return self.proxies.dataset(_require_count(handle), length)
            case ["model", *content]:
                fetch_weights = self.proxies.weights if self.proxies else None
                model, reasons = serialize_keras.deserialize_model(
                    content, self.deserialize, fetch_weights
                )
                self._add_reasons(*reasons)
                return model
        raise SerializationError(Reason("other"))

    def _add_reasons(self, *reasons: Reason) -> None:
        """Record at most MAX_REASONS reasons; a test's message needs only one of them."""
        self.reasons += reasons[: MAX_REASONS - len(self.reasons)]

    def _key(self, node: Any, depth: int) -> Any:
        key = self.deserialize(node, depth + 1)
        if type(key) not in values.KEYS:
            raise SerializationError(Reason.of("keys", type(key).__name__))
        return key

    def _array(self, dtype_name: str, shape: Sequence[Any], block: Any) -> np.ndarray:
        if dtype_name not in DTYPES:
            raise SerializationError("an array is not numeric")
        dtype = DTYPES[dtype_name]
        shape = tuple(map(_require_count, shape))
        index = _require_count(block)
        # Each block belongs to one array: many arrays from one block would fill the memory.
        data, self.blocks[index] = self.blocks[index], None
        # Check this before computing the product, which takes very long for many large integers.
        is_plausible = len(shape) <= MAX_DIMENSIONS and all(size < 2**63 for size in shape)
        if not is_plausible or math.prod(shape) * dtype.itemsize != len(data):
            raise SerializationError(
                "the number of bytes of an array does not match its shape and type"
            )
        if dtype.kind == "b" and np.frombuffer(data, np.uint8).max(initial=0) > 1:
            raise SerializationError("an array of booleans contains other values")
        # Copy the array so that it is writable and owns its data.
        return np.frombuffer(data, dtype).reshape(shape).copy()


def _signature(function: Any) -> list[list[Any]] | None:
    """Return a function's parameters as [name, kind, has_default] lists, or None if unknown."""
    try:
        parameters = inspect.signature(function).parameters.values()
        return [[p.name, int(p.kind), p.default is not p.empty] for p in parameters]
    except (TypeError, ValueError):
        return None


def _require_short(numbers: range) -> range:
    if len(numbers) > MAX_NODES:
        raise SerializationError(TOO_LARGE)
    return numbers


def _require_count(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise SerializationError(MALFORMED)
    return value
