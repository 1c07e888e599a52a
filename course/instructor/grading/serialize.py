"""What crosses between the student kernel and the grader kernel: plain data, by exact type.

`Packer` turns values into a JSON tree and blocks of bytes; `Unpacker` turns them back. Both sides
have both, since a test hands values to a student's function and gets values back. An unpacker
trusts nothing: it makes objects of the types listed here and no others.

A tree node is a list that begins with its kind:

    ["none"], ["bool", b], ["int", "12"], ["float", "0x1.8p+1"], ["str", s], ["ellipsis"]
    ["list" | "tuple" | "set" | "frozenset", [nodes]], ["dict", [[node, node], ...]]
    ["array", dtype, shape, block], ["scalar", dtype, block]
    ["function", handle, name, signature], ["dataset", handle, length], ["history", node, node]
    ["model", ...] as course.instructor.grading.serialize_keras has it
    ["stranger", what it is]     what cannot cross: it has no value, no method, and equals nothing
    ["argument", index]          in an answer: the very object that was handed over at that place
"""

import math

import numpy as np

from course.instructor.grading.placeholders import CrossingError, History, Stranger, describe

NUMERIC_KINDS = "biufc"
MAX_NODES = 1_000_000  # no more than wire.MAX_PARTS have room for
MAX_DEPTH = 100
MAX_DIMENSIONS = 64  # as many as NumPy knows
CONTAINERS = {kind.__name__: kind for kind in (list, tuple, set, frozenset)}


class Packer:
    """Turns values into nodes and blocks.

    Parameters
    ----------
    keep : callable, optional
        Keeps a function or dataset and returns its handle; without it none crosses.
    arguments : sequence
        Objects that the receiver knows by their index.

    Attributes
    ----------
    blocks : list of bytes-like
        The raw data that the nodes refer to by index.
    """

    def __init__(self, keep=None, arguments=()):
        self.keep = keep
        self.blocks = []
        self._places = {id(each): index for index, each in enumerate(arguments)}
        self._nodes = 0

    def pack(self, value, depth=0):
        """Return the node of a value.

        Raises
        ------
        CrossingError
            If it is too large or too deep, or a callable where callables do not cross.
        """
        self._nodes += 1
        if self._nodes > MAX_NODES or depth > MAX_DEPTH:
            raise CrossingError("it is too large or too deeply nested to be handed over")
        kind = type(value)
        if value is None:
            return ["none"]
        if value is ...:
            return ["ellipsis"]
        if kind is bool:
            return ["bool", value]
        if kind is int:
            return ["int", hex(value)]
        if kind is float:
            return ["float", value.hex()]
        if kind is str:
            return ["str", value]
        place = self._places.get(id(value))
        if place is not None:
            return ["argument", place]
        if kind in (list, tuple, set, frozenset):
            return [kind.__name__, [self.pack(each, depth + 1) for each in value]]
        if kind is dict:
            return ["dict", [[self.pack(k, depth + 1), self.pack(v, depth + 1)]
                             for k, v in value.items()]]  # fmt: skip
        if kind is np.ndarray:
            return self._array(value, "array")
        if isinstance(value, np.generic):
            return self._array(np.asarray(value), "scalar")
        return self._object(value, depth)

    def _array(self, array, node):
        if array.dtype.kind not in NUMERIC_KINDS or array.dtype.itemsize > 16:
            return ["stranger", f"an array of {array.dtype} (only numbers can be handed over)"]
        if array.dtype.hasobject or array.dtype.isnative is False:
            array = array.astype(array.dtype.newbyteorder("="))
        # Not ascontiguousarray alone, which makes a scalar a row.
        contiguous = np.ascontiguousarray(array).reshape(array.shape)
        self.blocks.append(contiguous.reshape(-1).view(np.uint8) if contiguous.size else b"")
        block = len(self.blocks) - 1
        if node == "scalar":
            return ["scalar", array.dtype.name, block]
        return ["array", array.dtype.name, list(array.shape), block]

    def _object(self, value, depth):
        from course.instructor.grading import serialize_keras

        if serialize_keras.is_tensor(value):
            return self._array(serialize_keras.as_array(value), "array")
        if serialize_keras.is_history(value):
            return [
                "history",
                self.pack(value.history, depth + 1),
                self.pack(value.epoch, depth + 1),
            ]
        if serialize_keras.is_model(value):
            return serialize_keras.pack(value, self)
        if serialize_keras.is_dataset(value) and self.keep:
            return ["dataset", self.keep(value), serialize_keras.length_of(value)]
        if callable(value) and not isinstance(value, type):
            if self.keep is None:
                raise CrossingError(
                    "a function cannot be handed to a student's function: hand it what the function"
                    " returns"
                )
            name = getattr(value, "__name__", type(value).__name__)
            return ["function", self.keep(value), str(name)[:100], _signature(value)]
        return ["stranger", describe(value)]


class Unpacker:
    """Makes values of nodes and blocks.

    Parameters
    ----------
    blocks : list of bytes-like
        What came with the nodes.
    link : object, optional
        Makes what stays behind usable: `link.function(handle, name, signature)`,
        `link.dataset(handle, length)`, `link.weights(handle)`. Without it none is taken.
    arguments : sequence
        Objects that were handed over.
    """

    def __init__(self, blocks=(), link=None, arguments=()):
        self.blocks = list(blocks)
        self.link = link
        self.arguments = arguments
        self._nodes = 0

    def unpack(self, node, depth=0):
        """Return the value of a node.

        Raises
        ------
        CrossingError
            If it is no node that an honest packer makes.
        """
        self._nodes += 1
        if self._nodes > MAX_NODES or depth > MAX_DEPTH:
            raise CrossingError("it is too large or too deeply nested to be handed over")
        try:
            return self._unpack(node, depth)
        except CrossingError:
            raise
        except (
            TypeError,
            ValueError,
            IndexError,
            KeyError,
            OverflowError,
            AttributeError,
            MemoryError,
        ) as error:
            raise CrossingError(f"it cannot be read ({error})") from None

    def _unpack(self, node, depth):
        kind, *rest = node
        if kind == "none":
            return None
        if kind == "ellipsis":
            return ...
        if kind == "bool":
            return rest[0] is True
        if kind == "int":
            return int(_text(rest[0]), 16)
        if kind == "float":
            return float.fromhex(_text(rest[0]))
        if kind == "str":
            return _text(rest[0])
        if kind in CONTAINERS:
            return CONTAINERS[kind](self.unpack(each, depth + 1) for each in rest[0])
        if kind == "dict":
            return {self._key(k, depth): self.unpack(v, depth + 1) for k, v in rest[0]}
        if kind == "array":
            return self._array(*rest)
        if kind == "scalar":
            return self._array(rest[0], (), rest[1])[()]
        if kind == "history":
            return History(self.unpack(rest[0], depth + 1), self.unpack(rest[1], depth + 1))
        if kind == "stranger":
            return Stranger(_text(rest[0])[:300])
        if kind == "argument":
            return self.arguments[_count(rest[0])]
        if kind == "function" and self.link:
            return self.link.function(_count(rest[0]), _text(rest[1])[:100], rest[2])
        if kind == "dataset" and self.link:
            return self.link.dataset(_count(rest[0]), rest[1])
        if kind == "model":
            from course.instructor.grading import serialize_keras

            return serialize_keras.unpack(rest, self)
        raise CrossingError("it is of a kind that does not cross")

    def _key(self, node, depth):
        key = self.unpack(node, depth + 1)
        if type(key) not in (str, int, bool, float, tuple, type(None)):
            raise CrossingError("a dict has keys other than text and numbers")
        return key

    def _array(self, name, shape, block):
        dtype = np.dtype(_text(name)[:30])
        if dtype.kind not in NUMERIC_KINDS:
            raise CrossingError("an array holds something else than numbers")
        shape = tuple(map(_count, shape))
        place = _count(block)
        # Each block is one array's: many arrays of one block would fill the memory.
        data, self.blocks[place] = self.blocks[place], None
        # Long products of long numbers take for ever.
        honest = len(shape) <= MAX_DIMENSIONS and all(side < 2**63 for side in shape)
        if not honest or math.prod(shape) * dtype.itemsize != len(data):
            raise CrossingError("an array has not the size that it claims")
        if dtype.kind == "b" and np.frombuffer(data, np.uint8).max(initial=0) > 1:
            raise CrossingError("an array of booleans holds something else")
        # A copy, so that the array is writable and owns its data.
        return np.frombuffer(data, dtype).reshape(shape).copy()


def _signature(function):
    """Return a function's parameters as [name, kind, has a default], or None."""
    import inspect

    try:
        parameters = inspect.signature(function).parameters.values()
        return [[p.name, int(p.kind), p.default is not p.empty] for p in parameters]
    except (TypeError, ValueError):
        return None


def _text(value):
    if type(value) is not str:
        raise CrossingError("it cannot be read")
    return value


def _count(value):
    if type(value) is not int or value < 0:
        raise CrossingError("it cannot be read")
    return value
