"""Supported values arrive in the other kernel unchanged; all others arrive as placeholders."""

import collections
import contextlib
import enum
import json
import math
import operator
import random
import resource
import time
import tracemalloc
from pathlib import Path

import keras
import numpy as np
import pandas
import pytest
from keras import layers

from course import gradable
from course.gradable import built_networks, keras_allowlist
from course.instructor.grading import serialize, serialize_keras
from course.instructor.grading.serialize import Deserializer, Serializer
from course.instructor.grading.value_placeholders import (
    SerializationError,
    TrainingHistory,
    UnserializableValue,
)

NAN = float("nan")


class StudentProcess:
    """A fake of the student's process: it stores what stays there, and makes the proxies."""

    def __init__(self):
        self.objects = []
        self.fetch_count = 0

    def register(self, value):
        self.objects.append(value)
        return len(self.objects) - 1

    def function(self, handle, name, signature):
        return "function", self.objects[handle], name, signature

    def dataset(self, handle, length):
        return "dataset", self.objects[handle], length

    def weights(self, handle):
        import tensorflow

        self.fetch_count += 1
        with tensorflow.init_scope():  # as in a separate process, which traces nothing
            return self.objects[handle].get_weights()


def transfer(value, student=None):
    """Serialize a value, and deserialize what a message carries of it."""
    serializer = Serializer(student.register if student else None)
    node = json.loads(json.dumps(serializer.serialize(value)))
    blocks = [bytearray(block) for block in serializer.blocks]
    return Deserializer(blocks, student).deserialize(node)


def same(one, other):
    """Return whether two values and the types of all their parts are equal."""
    if type(one) is not type(other):
        return False
    if isinstance(one, np.ndarray | np.generic):
        return (
            one.dtype == other.dtype
            and one.shape == other.shape
            and one.tobytes() == (other.tobytes())
        )
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return same(list(one.items()), list(other.items()))
    if isinstance(one, set | frozenset):
        return one == other and set(map(type, one)) == set(map(type, other))
    if isinstance(one, float):
        return one.hex() == other.hex()
    return one == other


PLAIN = [
    None, ..., True, False, 0, 1, -1, 2**63, -(10**1000), 0.0, -0.0, 0.1, 5e-324, 1.8e308,
    math.inf, -math.inf, NAN, "", "é\n\0", "\ud800", "\U0001f989", "x" * 10_000,
    [], (), {}, set(), frozenset(), [1, [2.0, ("3", None)]], (1, True, 1.0), {1: "a", "1": 2},
    {(1, "a"): [1], None: 0, True: 1, 2.5: {}}, {1, 2.5, "a"}, frozenset({(1, 2)}),
]  # fmt: skip


def name_of_value(value):
    """Return a value's text, which for a set is the same in every process."""
    is_set = isinstance(value, set | frozenset)
    return repr(sorted(value, key=str) if is_set else value)[:30]


@pytest.mark.parametrize("value", PLAIN, ids=name_of_value)
def test_plain_values_arrive_by_exact_type(value):
    assert same(transfer(value), value)


ARRAYS = [
    np.arange(12, dtype="float32").reshape(3, 4),
    np.asfortranarray(np.arange(12).reshape(3, 4)),
    np.arange(12).reshape(3, 4)[::-1, ::2],
    np.zeros((0, 3), "int8"),
    np.zeros((2, 0, 5)),
    np.array(5.0),
    np.array([True, False]),
    np.array([NAN, np.inf, -0.0], "float16"),
    np.array([1 + 2j], "complex64"),
    np.array([1], "longdouble"),
    np.array([2**64 - 1], "uint64"),
    np.broadcast_to(np.float32(1), (2, 3)),
]


@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: f"{array.dtype}{array.shape}")
def test_arrays_arrive_equal_and_writable(array):
    arrived = transfer(array)
    assert same(arrived, np.ascontiguousarray(array).reshape(array.shape))
    assert arrived.flags.writeable and arrived.flags.owndata


def test_arrays_of_the_other_byte_order_arrive_in_native_order():
    arrived = transfer(np.array([1, 2], ">i4"))
    assert arrived.dtype == np.dtype("int32") and arrived.tolist() == [1, 2]


@pytest.mark.parametrize("kind", ["bool", "int8", "uint16", "int64", "float16", "float64", "c16"])
def test_numpy_scalars_arrive_as_such(kind):
    value = np.dtype(kind).type(1)
    assert same(transfer(value), value)


WRONG_NUMBERS = [np.int8(-115), np.int16(-24918), np.int64(-(2**63) + 13), np.float16(7848)]


@pytest.mark.parametrize("number", WRONG_NUMBERS, ids=lambda number: number.dtype.name)
def test_a_test_computes_in_the_width_of_python_not_in_one_that_the_student_chose(number):
    for value in (number, np.array(number)):
        serializer = Serializer()
        node = serializer.serialize([value])
        (arrived,) = Deserializer(serializer.blocks, plain_numbers=True).deserialize(node)
        assert type(arrived) in (int, float) and arrived == number.item()
        assert min(abs(arrived - 13), abs(arrived - 7850)) > 1


def test_tensors_and_variables_arrive_as_arrays():
    import tensorflow

    for value in (
        tensorflow.constant([[1.0, 2.0]]),
        tensorflow.Variable([[1.0, 2.0]]),
        keras.Variable(np.array([[1.0, 2.0]], "float32")),
    ):
        assert same(transfer(value), np.array([[1, 2]], "float32"))
    assert same(transfer(tensorflow.constant(3)), np.array(3, "int32"))
    assert type(transfer(keras.Input(shape=(2,)))) is UnserializableValue


def test_random_values_arrive_as_they_were():
    draw = random.Random(7)

    def value(depth=0):
        kinds = 9 if depth < 4 else 6
        match draw.randrange(kinds):
            case 0:
                return draw.choice([None, True, False])
            case 1:
                return draw.randint(-(10 ** draw.randrange(1, 40)), 10**20)
            case 2:
                return draw.uniform(-1, 1) * 10.0 ** draw.randint(-300, 300)
            case 3:
                return "".join(chr(draw.randrange(0x3000)) for _ in range(draw.randrange(8)))
            case 4:
                shape = [draw.randrange(4) for _ in range(draw.randrange(4))]
                kind = draw.choice(["bool", "int16", "float32", "complex128"])
                numbers = np.random.default_rng(draw.randrange(2**32)).random(shape)
                return np.asarray(numbers * 9).astype(kind)
            case 5:
                return draw.choice([np.float32, np.int64, np.bool_])(draw.randrange(2))
            case 6:
                return [value(depth + 1) for _ in range(draw.randrange(5))]
            case 7:
                return tuple(value(depth + 1) for _ in range(draw.randrange(5)))
            case 8:
                return {draw.choice([draw.randrange(99), str(draw.random())]): value(depth + 1)
                        for _ in range(draw.randrange(5))}  # fmt: skip

    for _ in range(300):
        sent = value()
        assert same(transfer(sent), sent)


class _Int(int):
    pass


class _Str(str):
    pass


class _List(list):
    pass


class _Dict(dict):
    pass


class _Array(np.ndarray):
    def __eq__(self, other):
        return True


class _Equal:
    """Equals everything, is larger and smaller than everything, and has every attribute."""

    __hash__ = None

    def __eq__(self, other):
        return True

    __lt__ = __gt__ = __le__ = __ge__ = __eq__

    def __ne__(self, other):
        return False

    def __array__(self, *arguments, **named):
        return np.ones(3)

    def __getattr__(self, name):
        return self


class _BadRepr:
    def __repr__(self):
        raise SystemError


class _LyingList(list):
    """Claims to contain other elements, never ends, and equals everything."""

    def __eq__(self, other):
        return True

    def __iter__(self):
        return iter(int, 1)

    def __len__(self):
        return 3


class _LyingDict(dict):
    def items(self):
        while True:
            yield "a", 1

    def __getitem__(self, key):
        return 7


class _LyingInt(int):
    def __eq__(self, other):
        return True

    def __int__(self):
        return 7

    __index__ = __int__


class _LyingStr(str):
    def __str__(self):
        return "b"


_Pair = collections.namedtuple("_Pair", "first second")
_ordered = collections.OrderedDict(a=1, b=2)
_ordered.move_to_end("a")
SUBCLASSES = [
    (_Int(3), 3), (_Str("a"), "a"), (_List([1]), [1]), (_Dict(a=_Int(1)), {"a": 1}),
    (_LyingList([1, 2]), [1, 2]), (_LyingDict(b=2), {"b": 2}), (_LyingInt(5), 5),
    (_LyingStr("a"), "a"), (_ordered, {"b": 2, "a": 1}), (collections.Counter("a"), {"a": 1}),
    (collections.defaultdict(list, a=[1]), {"a": [1]}), (_Pair(1, _Pair(2, 3)), (1, (2, 3))),
    (enum.IntEnum("_Size", "small large").large, 2), (np.str_("a"), "a"),
    (np.matrix([[1, 2]]), np.array([[1, 2]])), (np.ma.array([1, 2]), np.array([1, 2])),
    (np.ones(3).view(_Array), np.ones(3)), (np.float64(0.5), np.float64(0.5)),
    (range(1, 9, 2), range(1, 9, 2)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("value", "expected"), SUBCLASSES, ids=[type(each).__name__ for each, _ in SUBCLASSES]
)
def test_a_subclass_of_a_plain_type_arrives_as_this_type_with_its_real_content(value, expected):
    assert same(transfer([value]), [expected])
    assert gradable.find_reason(value) is None


def test_tables_arrive_as_arrays():
    table = pandas.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0]})
    assert same(transfer(table), np.array([[1.0, 3.0], [2.0, 4.0]]))
    assert same(transfer(table["a"]), np.array([1.0, 2.0]))
    assert type(transfer(pandas.Series(["a"]))) is UnserializableValue


UNSERIALIZABLE = [
    _Equal(), _BadRepr(), int, _Int, NotImplemented, math, b"a", np.ma.array([1, 2], mask=[0, 1]),
    np.array(["a"]), np.array([None]), np.array([object()]), (each for each in "ab"),
    np.array(["2020-01-01"], "M8[D]"), np.zeros(2, "i4,f4"), np.void(b"a"),
    np.longdouble(1).astype("clongdouble"), layers.Dense(3).__class__, slice(1), {}.keys(),
]  # fmt: skip


@pytest.mark.parametrize("value", UNSERIALIZABLE, ids=lambda value: type(value).__name__)
def test_anything_else_arrives_as_a_placeholder_that_equals_nothing(value):
    arrived = transfer(value)
    assert type(arrived) is UnserializableValue
    assert gradable.find_reason(value) is not None
    for other in (3, "a", [1], {"a": 1}, True, None, 1.0):
        assert not operator.eq(arrived, other)
        assert arrived != other
    assert not isinstance(arrived, int | str | list | dict | np.ndarray)
    for use in (
        lambda: arrived + 1, lambda: arrived < 1, lambda: len(arrived), lambda: list(arrived),
        lambda: arrived[0], lambda: arrived(), lambda: float(arrived), lambda: bool(arrived),
        lambda: arrived.shape, lambda: np.testing.assert_array_equal(arrived, [1.0]),
    ):  # fmt: skip
        with pytest.raises((TypeError, AttributeError, AssertionError)):
            use()


def test_the_recorded_reasons_are_few():
    deserializer = Deserializer()
    deserializer.deserialize(["list", [["unserializable", "a", "object", ["a"]]] * 1000])
    assert len(deserializer.reasons) == serialize.MAX_REASONS
    for names in ([], ["a", "b"], [5], "a", None):
        deserializer = Deserializer()
        deserializer.deserialize(["unserializable", "a", "object", names])
        assert deserializer.reasons == [gradable.Reason("other")]
    deserializer = Deserializer()
    deserializer.deserialize(["unserializable", "a", "object", ["a\x1b\n{}" * 1000]])
    (name,) = deserializer.reasons[0].names
    assert name.isprintable() and len(name) == 60


def test_a_placeholder_has_a_short_description():
    assert repr(transfer(b"a")) == "b'a' (a bytes)"
    assert repr(transfer([int])[0]) == "<class 'int'> (a class int)"
    assert len(repr(transfer(b"x" * 10_000))) < 120


def test_errors_of_a_placeholder_contain_no_text_of_the_student():
    for use in (lambda: transfer(b"48271605").shape, lambda: bool(transfer(b"48271605"))):
        with pytest.raises((AttributeError, TypeError), match="tests cannot use this") as raised:
            use()
        assert "48271605" not in str(raised.value)


def test_a_placeholder_in_a_container_leaves_the_rest_unchanged():
    arrived = transfer([1, object(), {"a": b""}])
    assert arrived[0] == 1
    assert type(arrived[1]) is UnserializableValue and type(arrived[2]["a"]) is UnserializableValue


def test_a_key_that_is_not_a_plain_value_is_rejected():
    for node in (["frozenset", []], ["scalar", "uint8", 0], ["none", 0]):
        with pytest.raises(SerializationError):
            Deserializer([bytearray(1)]).deserialize(["dict", [[node, ["none"]]]])


@pytest.mark.parametrize(
    ("key", "kind"),
    [(frozenset({1}), "frozenset"), (b"owl", "bytes"), (np.datetime64(1, "ns"), "datetime64")],
)
def test_the_reason_names_the_type_of_a_key_that_tests_cannot_use(key, kind):
    sentence = f"it is a dict with a key of the type {kind}: use text, numbers, or tuples as keys"
    reason = gradable.find_reason({key: 1})
    assert reason.sentence() == sentence
    serializer = Serializer()
    node = serializer.serialize([{key: 1}, 2])
    deserializer = Deserializer(serializer.blocks)
    assert type(deserializer.deserialize(node)[0]) is UnserializableValue
    assert deserializer.reasons == [reason]


def test_scalars_of_numpy_and_complex_numbers_are_keys():
    scalars = [np.int64(1), np.float32(0.1), np.True_, np.complex64(2j), np.uint8(7), np.str_("a")]
    for scalar in scalars:
        assert gradable.find_reason({scalar: 2}) is None
        (key,) = transfer({scalar: 2})
        assert key == scalar and hash(key) == hash(scalar)
        assert type(key) in (int, float, bool, complex, str)


def test_complex_numbers_arrive_unchanged():
    for number in (2 - 3j, complex("-inf+nanj"), -0j):
        arrived = transfer({"root": [number]})["root"][0]
        assert type(arrived) is complex and repr(arrived) == repr(number)


def test_values_that_are_too_deep_or_too_large_are_rejected(monkeypatch):
    nested = []
    for _ in range(500):
        nested = [nested]
    endless = []
    endless.append(endless)
    for value in (nested, endless):
        with pytest.raises(SerializationError, match="too large or too deeply nested"):
            transfer(value)
    monkeypatch.setattr(serialize, "MAX_NODES", 1000)
    with pytest.raises(SerializationError, match="too large"):
        transfer([0] * 1000)
    with pytest.raises(SerializationError, match="too large"):
        Deserializer().deserialize(["list", [["none"]] * 1000])


def test_functions_datasets_and_histories_cross():
    import tensorflow

    def double(numbers, /, by=2, *rest, key, **more):
        return numbers * by

    student = StudentProcess()
    kind, function, name, signature = transfer(double, student)
    assert (kind, function, name) == ("function", double, "double")
    assert [tuple(each) for each in signature] == [
        ("numbers", 0, False), ("by", 1, True), ("rest", 2, False), ("key", 3, False),
        ("more", 4, False),
    ]  # fmt: skip
    with pytest.raises(SerializationError, match="a function cannot be passed to"):
        transfer(double)
    dataset = tensorflow.data.Dataset.range(5).batch(2)
    assert transfer(dataset, student)[2] == 3
    assert transfer(dataset.repeat(), student)[2] is None
    assert type(transfer(dataset)) is UnserializableValue
    history = keras.callbacks.History()
    history.history, history.epoch = {"loss": [2.0, 1.0]}, [0, 1]
    arrived = transfer(history)
    assert type(arrived) is TrainingHistory
    assert (arrived.history, arrived.epoch) == ({"loss": [2.0, 1.0]}, [0, 1])
    assert type(transfer(history.__class__)) is UnserializableValue


def test_an_argument_that_comes_back_is_the_same_object():
    arguments = [[1, 2], np.ones(3)]
    serializer = Serializer(arguments=arguments)
    node = serializer.serialize((arguments[1], [arguments[0], [1, 2]]))
    arrived = Deserializer(serializer.blocks, arguments=arguments).deserialize(node)
    assert arrived[0] is arguments[1] and arrived[1][0] is arguments[0]
    assert arrived[1][1] == [1, 2] and arrived[1][1] is not arguments[0]


MALFORMED = [
    None, 5, "none", [], {}, ["unknown"], [["none"]], [None], [{}], ["int"], ["int", 5],
    ["int", "0xz"], ["int", "9" * 5 + "z"], ["int", None], ["float", 1.5], ["float", "1q"],
    ["float", "0x1p99999"], ["str", 5], ["str"], ["list"], ["list", 5], ["list", [5]],
    ["list", "ab"], ["set", [["list", []]]], ["frozenset", [["dict", []]]], ["dict", [[]]],
    ["dict", [[["none"]]]], ["dict", [[["list", []], ["none"]]]], ["dict", 5],
    ["dict", [[["unserializable", "a", "object", ["a"]], ["none"]]]],
    ["array"], ["array", "float32", [1], 0],
    ["array", "float32", [3], 0], ["array", "float32", [-1, -2], 0], ["array", "uint8", [8.0], 0],
    ["array", "uint8", [True] * 3, 0], ["array", "uint8", "8", 0], ["array", "uint8", [8], -1],
    ["array", "uint8", [8], 1], ["array", "uint8", [8], "0"], ["array", "uint8", [8], None],
    ["array", "object", [1], 0], ["array", "O", [1], 0], ["array", "S8", [1], 0],
    ["array", "V8", [1], 0], ["array", "M8[s]", [1], 0], ["array", "i4,i4", [1], 0],
    ["array", "(2,)i4", [1], 0], ["array", "f4,(", [1], 0], ["array", "nonsense", [1], 0],
    ["array", "<f4", [2], 0], ["array", "complex256", [0], 0], ["scalar", "f4,(", 0],
    ["array", None, [1], 0],
    ["array", "i4," * 100_000, [1], 0], ["array", "bool", [8], 0],
    ["array", "uint8", [8] + [1] * 100, 0], ["array", "uint8", [0, 10**30], 1],
    ["array", "uint8", [10**4000] * 10_000, 0], ["scalar", "uint8", 0], ["scalar", "float64"],
    ["scalar", "object", 0], ["argument", 0], ["argument", -1], ["argument", "0"],
    ["function", 0, "f", None], ["dataset", 0, 3], ["model", "{}", None, 0, None, [], {}],
    ["history", ["none"]], ["unserializable"], ["unserializable", 5], ["unserializable", "a"],
    ["complex", "0x1"], ["complex", "1" * 100, "0x1"], ["complex", 1, 2], ["complex", "i", "j"],
    ["model"], ["model", 5, 5, 5, 5, [], 5], ["range"], ["range", ["int", "0x1"]],
]  # fmt: skip


@pytest.mark.parametrize("node", MALFORMED, ids=lambda node: json.dumps(node)[:40])
def test_a_malformed_node_is_rejected_and_has_no_other_effect(node):
    start = time.perf_counter()
    with pytest.raises(SerializationError):
        Deserializer([bytearray(b"\x07" * 8)]).deserialize(node)
    assert time.perf_counter() - start < 0.5


@pytest.mark.parametrize(
    "node",
    [["function", -1, "f", None], ["function", "0", "f", None], ["function", 0, 5, None],
     ["function", 0], ["dataset", -1, 3], ["dataset", None, 3], ["dataset", 0]],
)  # fmt: skip
def test_a_malformed_handle_is_rejected(node):
    student = StudentProcess()
    student.register(print)
    with pytest.raises(SerializationError):
        Deserializer(proxies=student).deserialize(node)


@pytest.mark.parametrize("node", [["array", "uint8", [9], 0], ["array", "float64", [8], 0]])
def test_an_array_whose_bytes_do_not_match_its_shape_and_type_is_rejected(node):
    reason = "the number of bytes of an array does not match its shape and type"
    with pytest.raises(SerializationError, match=reason):
        Deserializer([bytearray(8)]).deserialize(node)


def test_one_block_becomes_at_most_one_array():
    node = ["list", [["array", "uint8", [2**20], 0]] * 1000]
    tracemalloc.start()
    with pytest.raises(SerializationError):
        Deserializer([bytearray(2**20)]).deserialize(node)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 * 2**20


def test_random_nodes_are_deserialized_or_rejected():
    draw = random.Random(3)
    kinds = ["none", "bool", "int", "float", "str", "list", "tuple", "set", "dict", "array"]
    kinds += [
        "range",
        "scalar",
        "function",
        "dataset",
        "history",
        "model",
        "unserializable",
        "argument",
    ]

    def node(depth=0):
        if depth > 3 or draw.random() < 0.3:
            return draw.choice([None, True, -1, 0, 8, 1.5, "", "uint8", "0x1", [8], [], {}, "{}"])
        parts = [node(depth + 1) for _ in range(draw.randrange(5))]
        return draw.choice([[draw.choice(kinds), *parts], parts])

    for _ in range(5000):
        # The IndexError is StudentProcess's, for an unknown handle.
        with contextlib.suppress(SerializationError, IndexError):
            Deserializer([bytearray(8)], StudentProcess()).deserialize(node())


# Models


def sequential():
    return keras.Sequential(
        [
            keras.Input(shape=(8, 8, 3)),
            layers.Conv2D(4, 3, activation="relu", padding="same"),
            layers.BatchNormalization(),
            layers.MaxPooling2D(),
            layers.Dropout(0.2),
            layers.Flatten(),
            layers.Dense(5, activation="softmax", kernel_regularizer=keras.regularizers.L2(0.01)),
        ]
    )


def residual():
    inputs = keras.Input(shape=(8, 8, 3))
    x = layers.Conv2D(3, 3, padding="same")(inputs)
    x = layers.Add()([inputs, x])
    x = layers.GlobalAveragePooling2D()(layers.ReLU()(x))
    return keras.Model(inputs, layers.Dense(5)(x))


def two_and_two():
    left, right = keras.Input(shape=(4,), name="left"), keras.Input(shape=(4,), name="right")
    shared = layers.Dense(3, name="shared")
    both = layers.Concatenate()([shared(left), shared(right)])
    outputs = {"sum": layers.Dense(1, name="sum")(both), "kind": layers.Dense(2, name="kind")(both)}
    return keras.Model([left, right], outputs)


def nested():
    inner = keras.Sequential([keras.Input(shape=(4,)), layers.Dense(3)])
    inputs = keras.Input(shape=(4,))
    return keras.Model(inputs, layers.Dense(2)(inner(inputs)))


def nested_and_compiled():
    """A base with a head that was compiled to be trained separately."""
    base = keras.Sequential([keras.Input(shape=(4,)), layers.Dense(3)])
    head = keras.Sequential([keras.Input(shape=(3,)), layers.Dense(1, activation="sigmoid")])
    head.compile(keras.optimizers.RMSprop(1e-4), "binary_crossentropy", metrics=["accuracy"])
    return keras.Sequential([keras.Input(shape=(4,)), base, head])


def arithmetic():
    inputs = keras.Input(shape=(8, 8, 3))
    x = layers.Conv2D(3, 3, padding="same")(inputs)
    x = layers.ReLU()((x + inputs) * x - inputs)
    return keras.Model(inputs, layers.Dense(5)(x))


def inputs_of(model):
    draw = np.random.default_rng(0)
    arrays = [draw.random((6, *each.shape[1:]), dtype="float32") for each in model.inputs]
    return arrays if len(arrays) > 1 else arrays[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    "make", [sequential, residual, two_and_two, nested, nested_and_compiled, arithmetic]
)
def test_a_model_arrives_unchanged(make):
    model, student = make(), StudentProcess()
    arrived = transfer(model, student)
    assert type(arrived) is type(model)
    assert arrived.count_params() == model.count_params()
    assert [each.name for each in arrived.layers] == [each.name for each in model.layers]
    assert arrived.output_shape == model.output_shape
    assert student.fetch_count == 0  # none of this needs the weights
    for one, other in zip(arrived.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    x = inputs_of(model)
    for one, other in zip(
        keras.tree.flatten(arrived.predict(x, verbose=0)),
        keras.tree.flatten(model.predict(x, verbose=0)),
        strict=True,
    ):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    assert student.fetch_count == 1


def test_shared_layers_stay_shared():
    arrived = transfer(two_and_two(), StudentProcess())
    assert len(arrived.get_layer("shared")._inbound_nodes) == 2
    assert len(arrived.weights) == len(two_and_two().weights)


@pytest.mark.parametrize(
    "use",
    [
        lambda model: model.layers[0].get_weights()[0],
        lambda model: np.asarray(model.layers[0].kernel),
        lambda model: model.layers[0](np.ones((1, 8, 8, 3), "float32")),
        lambda model: keras.Model(model.inputs, model.layers[0].output)(
            np.ones((1, 8, 8, 3), "float32")
        ),
        lambda model: model.weights[-1].numpy(),
        lambda model: model(np.ones((1, 8, 8, 3), "float32"), training=True),
    ],
)
def test_the_first_use_of_any_weight_fetches_all(use):
    model, student = sequential(), StudentProcess()
    model.layers[3].rate = 0.0
    arrived = transfer(model, student)
    np.testing.assert_allclose(np.asarray(use(arrived)), np.asarray(use(model)), rtol=1e-5)
    assert student.fetch_count == 1


def test_an_unbuilt_model_arrives_unbuilt():
    model = keras.Sequential([layers.Dense(3), layers.Dense(2)])
    arrived = transfer(model, StudentProcess())
    assert not arrived.built
    assert [layer.units for layer in arrived.layers] == [3, 2]
    assert arrived(np.ones((2, 4), "float32")).shape == (2, 2)


def test_without_handles_a_model_is_sent_with_its_weights():
    model = sequential()
    serializer = Serializer()
    node = json.loads(json.dumps(serializer.serialize(model)))
    arrived = Deserializer([bytearray(block) for block in serializer.blocks]).deserialize(node)
    for one, other in zip(arrived.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


COMPILED = [
    {"optimizer": "adam", "loss": "mse", "metrics": ["mae"]},
    {
        "optimizer": keras.optimizers.SGD(0.1, momentum=0.9, nesterov=True),
        "loss": keras.losses.MeanSquaredError(),
        "metrics": [keras.metrics.RootMeanSquaredError(name="rmse")],
    },
    {"optimizer": keras.optimizers.AdamW(weight_decay=0.1), "loss": keras.losses.huber},
    {
        "optimizer": keras.optimizers.Adam(
            keras.optimizers.schedules.CosineDecay(0.1, decay_steps=10)
        ),
        "loss": "mean_absolute_error",
    },
]


def name_of_loss(settings):
    """Return a name that is the same in every process, unlike the repr of a function."""
    loss = settings["loss"]
    return loss if isinstance(loss, str) else getattr(loss, "__name__", type(loss).__name__)


@pytest.mark.slow
@pytest.mark.parametrize("settings", COMPILED, ids=name_of_loss)
def test_a_compiled_model_arrives_compiled_and_trains(settings):
    model = keras.Sequential([keras.Input(shape=(4,)), layers.Dense(1)])
    model.compile(**settings)
    arrived = transfer(model, StudentProcess())
    assert type(arrived.optimizer) is type(model.optimizer)
    assert json.dumps(arrived.optimizer.get_config()) == json.dumps(model.optimizer.get_config())
    draw = np.random.default_rng(0)
    x, y = draw.random((8, 4), dtype="float32"), draw.random((8, 1), dtype="float32")
    for one, other in zip(
        np.atleast_1d(arrived.evaluate(x, y, verbose=0)),
        np.atleast_1d(model.evaluate(x, y, verbose=0)),
        strict=True,
    ):
        assert one == pytest.approx(other, rel=1e-5)
    histories = [
        each.fit(x, y, epochs=2, verbose=0, shuffle=False).history for each in (arrived, model)
    ]
    assert histories[0].keys() == histories[1].keys()
    for key, values in histories[1].items():
        assert histories[0][key] == pytest.approx(values, rel=1e-4)


@pytest.mark.slow
def test_the_parameters_of_a_large_model_are_counted_without_its_weights():
    model = vgg16()
    config = json.dumps(keras.saving.serialize_keras_object(model))
    serialize_keras.build_model(
        json.dumps(keras.saving.serialize_keras_object(sequential()))
    )  # first use
    built = built_networks.facts(model)
    memory, start = resident(), time.process_time()
    arrived = Deserializer(proxies=StudentProcess()).deserialize(
        ["model", config, None, 0, None, [], built]
    )
    assert arrived.count_params() == 138_357_544
    assert [layer.count_params() for layer in arrived.layers][-1] == 4_097_000
    assert time.process_time() - start < 1
    assert resident() - memory < 50 * 2**20


def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def vgg16():
    with keras.StatelessScope():  # no variable is made
        parts = [keras.Input(shape=(224, 224, 3))]
        for filters, repeats in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
            parts += [layers.Conv2D(filters, 3, padding="same") for _ in range(repeats)]
            parts.append(layers.MaxPooling2D())
        parts += [layers.Flatten(), *map(layers.Dense, (4096, 4096, 1000))]
        return keras.Sequential(parts)


class _Layer(layers.Layer):
    def call(self, x):
        return x


class _Model(keras.Model):
    def call(self, x):
        return x


@keras.saving.register_keras_serializable("Custom")
class _Registered(layers.Dense):
    pass


@keras.saving.register_keras_serializable("Custom")
def _registered(x):
    return x


def with_layer(*parts):
    return keras.Sequential([keras.Input(shape=(4, 2)), *parts])


def with_operation():
    inputs = keras.Input(shape=(4,))
    return keras.Model(inputs, layers.Dense(2)(keras.ops.cumsum(inputs, axis=1)))


REJECTED_MODELS = {
    "lambda": lambda: with_layer(layers.Lambda(lambda x: x)),
    "custom layer": lambda: with_layer(_Layer()),
    "registered layer": lambda: with_layer(_Registered(2)),
    "registered activation": lambda: with_layer(layers.Dense(2, activation=_registered)),
    "own activation": lambda: with_layer(layers.Dense(2, activation=lambda x: x)),
    "own initializer": lambda: with_layer(layers.Dense(2, kernel_initializer=lambda *a, **k: 0)),
    "time distributed": lambda: with_layer(layers.TimeDistributed(_Registered(2))),
    "nested": lambda: with_layer(with_layer(layers.Lambda(lambda x: x))),
    "another operation": with_operation,
}


@pytest.mark.parametrize("name", REJECTED_MODELS)
def test_a_model_with_custom_parts_is_rejected(name):
    student = StudentProcess()
    try:
        arrived = transfer(REJECTED_MODELS[name](), student)
    except SerializationError as error:
        assert "not one of Keras's own" in str(error) or "cannot build" in str(error)
        assert len(str(error)) < 300
    else:
        assert type(arrived) is UnserializableValue


class _OwnSequential(keras.Sequential):
    """As a student writes it: the constructor adds the layers."""

    units = 3

    def __init__(self):
        super().__init__([keras.Input(shape=(4,)), *self.make_layers()])

    def make_layers(self):
        return [layers.Dense(self.units, activation="relu"), layers.Dense(1)]


class _OwnFunctional(keras.Model):
    def __init__(self):
        inputs = keras.Input(shape=(4,))
        super().__init__(inputs=inputs, outputs=layers.Dense(1)(layers.Dense(3)(inputs)))


@pytest.mark.parametrize("kind", [_OwnSequential, _OwnFunctional])
def test_a_model_of_a_derived_class_that_changes_nothing_arrives_as_its_base_class(kind):
    model, student = kind(), StudentProcess()
    outputs = [layer.output for layer in model.layers]
    arrived = transfer(model, student)
    assert type(arrived) in (keras.Sequential, keras.models.Model, type(residual()))
    for one, other in zip(arrived.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    x = np.ones((2, 4), "float32")
    np.testing.assert_allclose(arrived(x), model(x), rtol=1e-5)
    assert [layer.output for layer in model.layers] == outputs, "the student's model is unchanged"


class _OwnCall(keras.Sequential):
    def call(self, inputs):
        return inputs


class _OwnCount(_OwnSequential):
    def count_params(self):
        return 7


@pytest.mark.parametrize(
    ("kind", "name"), [(_Model, "call"), (_OwnCall, "call"), (_OwnCount, "count_params")]
)
def test_a_model_of_a_derived_class_that_changes_it_arrives_as_a_placeholder(kind, name):
    student = StudentProcess()
    serializer = Serializer(student.register)
    deserializer = Deserializer(serializer.blocks, student)
    node = serializer.serialize(kind())
    assert type(deserializer.deserialize(node)) is UnserializableValue
    (reason,) = deserializer.reasons
    assert reason == gradable.Reason("model-class", (kind.__name__, name))
    assert reason == gradable.find_reason(kind())


def config_with(**layer):
    config = json.loads(
        json.dumps(keras.saving.serialize_keras_object(with_layer(layers.Dense(2))))
    )
    config["config"]["layers"][-1] |= layer
    return config


def dense(**more):
    config = config_with()
    config["config"]["layers"][-1]["config"] |= more
    return config


FUNCTION = {"class_name": "function", "module": "builtins", "registered_name": "function"}
FORGED_CONFIGURATIONS = [
    dense(activation=FUNCTION | {"config": "os.system"}),
    dense(activation=FUNCTION | {"config": "system", "module": "os"}),
    dense(activation=FUNCTION | {"config": "eval"}),
    dense(activation=FUNCTION | {"config": "relu", "registered_name": "Custom>_registered"}),
    dense(activation=FUNCTION | {"config": ["relu"]}),
    dense(activation={"class_name": "__lambda__", "config": {"value": ["", None, None]}}),
    dense(activation={"class_name": "__numpy__", "config": {"value": [0], "dtype": "O"}}),
    dense(activation={"class_name": "__bytes__", "config": {"value": "a"}}),
    dense(activation={"class_name": "__typespec__", "spec_name": "a", "module": "b", "config": 0}),
    dense(bias_initializer={"module": "os", "class_name": "system", "config": "true"}),
    dense(bias_initializer={"module": "builtins", "class_name": "eval", "config": "1"}),
    dense(bias_initializer={"class_name": "Zeros", "config": {}}),
    dense(
        bias_initializer={"module": "keras.src.initializers", "class_name": "Zeros", "config": {}}
    ),
    dense(bias_initializer={"module": "keras.utils", "class_name": "get_file", "config": {}}),
    dense(dtype={"module": "keras", "class_name": "Model", "config": {}, "registered_name": None}),
    config_with(class_name="Lambda"),
    config_with(class_name="Lambda", module=None),
    config_with(class_name="TFSMLayer"),
    config_with(class_name="StringLookup"),
    config_with(class_name="Layer"),
    config_with(class_name=["Dense"]),
    config_with(module="keras.src.layers.core.dense"),
    config_with(module="keras.layers.Dense"),
    config_with(module="keras"),
    config_with(module="keras.src.ops.numpy"),
    config_with(module="keras.src.ops.numpy", class_name="Arange"),
    config_with(module=5),
    config_with(module={}),
    config_with(registered_name="Custom>_Registered"),
    config_with(registered_name="os.system"),
    config_with(build_config={"class_name": "Lambda"}),
    config_with(compile_config={"loss": {"class_name": "function", "config": "exec"}}),
]


REFUSED = r"not one of Keras's own|which tests cannot use|is malformed"


@pytest.mark.parametrize("config", FORGED_CONFIGURATIONS, ids=range(len(FORGED_CONFIGURATIONS)))
def test_a_forged_configuration_is_rejected_before_keras_reads_it(config, monkeypatch):
    monkeypatch.setattr(keras.saving, "deserialize_keras_object", lambda *a, **k: pytest.fail())
    for text in (json.dumps(config), json.dumps({"config": [config]})):
        with pytest.raises(SerializationError, match=REFUSED):
            Deserializer(proxies=StudentProcess()).deserialize(
                ["model", text, None, 0, None, [], {}]
            )
        plain = json.dumps(keras.saving.serialize_keras_object(with_layer()))
        monkeypatch.undo()
        with pytest.raises(SerializationError, match=REFUSED):
            Deserializer(proxies=StudentProcess()).deserialize(
                ["model", plain, text, 0, None, [], built_networks.facts(with_layer())]
            )


@pytest.mark.parametrize(
    "config",
    ["", "{", "[" * 100_000, '"text"', "5", "[]", "{}", json.dumps({"class_name": "Dense"}),
     '{"a": ' * 50_000, "x" * (keras_allowlist.MAX_CONFIG_LENGTH + 1),
     json.dumps(config_with(config=None)), json.dumps(dense(units=-1)),
     json.dumps(dense(units="many")), json.dumps(dense(nonsense=1))],
    ids=lambda text: text[:20],
)  # fmt: skip
def test_a_configuration_that_does_not_describe_a_model_is_rejected(config):
    with pytest.raises(SerializationError):
        Deserializer(proxies=StudentProcess()).deserialize(["model", config, None, 0, None, [], {}])


def test_an_object_that_is_not_a_model_is_rejected():
    for each in (layers.Dense(3), keras.optimizers.Adam(), keras.losses.MeanSquaredError()):
        config = json.dumps(keras.saving.serialize_keras_object(each))
        with pytest.raises(SerializationError):
            Deserializer(proxies=StudentProcess()).deserialize(
                ["model", config, None, 0, None, [], {}]
            )


def test_weights_that_do_not_fit_are_rejected():
    model = with_layer(layers.Dense(2))
    config = json.dumps(keras.saving.serialize_keras_object(model))
    built = built_networks.facts(model)
    node = ["model", config, None, 0, None, [], built]
    for weights in ([], [np.zeros(2)], [np.zeros((3, 3)), np.zeros(3)], model.get_weights() * 2):
        student = StudentProcess()
        student.weights = lambda handle, weights=weights: weights
        arrived = Deserializer(proxies=student).deserialize(node)
        with pytest.raises(SerializationError, match="do not fit"):
            arrived.get_weights()
        serializer = Serializer()
        nodes = [serializer.serialize(each) for each in weights]
        with pytest.raises(SerializationError):
            Deserializer(serializer.blocks).deserialize(
                ["model", config, None, None, nodes, [], built]
            )
    with pytest.raises(SerializationError, match="without weights"):
        Deserializer().deserialize(node)


@pytest.mark.parametrize(
    "node",
    [
        ["int", "0x" + "f" * serialize.MAX_INTEGER_TEXT],
        ["int", "1" * 10**7],
        ["float", "0x1." + "0" * 10**6 + "p+1"],
        ["float", "0x1p+99999999"],
        ["float", "9" * 50],
    ],
)
def test_a_number_with_too_many_digits_is_rejected(node):
    with pytest.raises(SerializationError):
        Deserializer().deserialize(node)


def test_an_integer_is_serialized_up_to_a_limit():
    largest = 2**serialize.MAX_INTEGER_BITS - 1
    for value in (largest, -largest):
        assert Deserializer().deserialize(Serializer().serialize(value)) == value
        too_large = value + (1 if value > 0 else -1)
        assert Serializer().serialize([too_large])[1][0][0] == "unserializable"


def test_a_text_is_serialized_up_to_a_limit():
    text = "a" * serialize.MAX_STRING_LENGTH
    assert Serializer().serialize(text) == ["str", text]
    assert Serializer().serialize([text + "a"])[1][0][0] == "unserializable"
