"""Runs in the grader kernel: the assignment's locked cells and the test cells.

Names that the student defined arrive as plain data; what stays behind in the student kernel, the
functions above all, is asked for over the same socket while a test runs.
"""

import builtins
import contextlib
import operator
import sys
from pathlib import Path

import numpy as np

from course import checks
from course.instructor.grading import serialize
from course.instructor.grading.test_output import Heard
from course.instructor.sandbox import execute, messages

MAX_BATCHES = 1000
BATCHES_AT_ONCE = 8


class StudentError(Exception):
    """Something of the student's own was raised; its text names the class."""


def serve(sock, limits):
    """Answer messages until the other side is gone."""
    side = GraderSide(sock, limits)
    execute.discard_output()
    while True:
        header, blocks = messages.receive(sock, 2**62)
        side.answer(header, blocks)


class GraderSide:
    """The grader's namespace, and the line to the student's kernel."""

    def __init__(self, sock, limits):
        self.sock = sock
        self.limits = limits
        self.namespace = execute.initialize_kernel()
        self.cell_stream = None

    def answer(self, header, blocks):
        """Run a cell and send what came of it."""
        if header["op"] == "put":
            # A test that reads a file beside the notebook reads the one that was handed in.
            for path, content in zip(header["paths"], blocks, strict=True):
                place = Path(path)
                with contextlib.suppress(OSError):  # more than fits is not there
                    place.parent.mkdir(parents=True, exist_ok=True)
                    place.write_bytes(content)
            messages.send(self.sock, {})
            return
        for name in header.get("forget", ()):
            self.namespace.pop(name, None)
        if "sources" in header:
            from course import notebook_cells

            notebook_cells.set_source_lookup(header["sources"].get)
        printed = self.cell_stream = Heard(
            header["name"], header["source"], self.limits.output_kb * 1024
        )
        checks.on_show = printed.hear
        unpacker = serialize.Unpacker(blocks, self)
        for name, node in header.get("values", {}).items():
            try:
                self.namespace[name] = unpacker.unpack(node)
            except serialize.CrossingError as error:
                self.namespace[name] = serialize.Stranger(
                    f"{name}, which cannot be handed over: {error}"
                )
        outcome = execute.run_cell(header["source"], header["name"], printed)
        words = {"printed": printed.text(), "told": printed.told.text(), "items": printed.items}
        messages.send(self.sock, {"op": "done", **words, **outcome})

    def ask(self, header, blocks=()):
        """Send a question to the student's kernel and return the answer."""
        # An interrupt in between would leave an answer on the way, to be taken for the next order.
        with execute.uninterruptible():
            messages.send(self.sock, {"op": "ask", "question": header}, blocks)
            answer, blocks = messages.receive(self.sock, 2**62)
        if "gone" in answer:
            raise StudentError(str(answer["gone"]))
        return answer, blocks

    def function(self, handle, name, signature):
        """Return what stands for a student's function."""
        return _Function(self, handle, name, signature).as_function()

    def dataset(self, handle, length):
        """Return what stands for a student's dataset."""
        return _Dataset(self, handle, length)

    def weights(self, handle):
        """Return the weights of a student's model as arrays."""
        answer, blocks = self.ask({"op": "weights", "handle": handle})
        unpacker = serialize.Unpacker(blocks)
        arrays = [unpacker.unpack(node) for node in _listed(answer, "values")]
        if not all(type(array) is np.ndarray for array in arrays):
            raise serialize.CrossingError("the weights are no arrays")
        return arrays


class _Function:
    """Calls a function that stays in the student's kernel."""

    def __init__(self, side, handle, name, signature):
        self.side, self.handle, self.name, self.signature = side, handle, name, signature

    def as_function(self):
        def student_function(*arguments, **named):
            return self.call(arguments, named)

        student_function.__name__ = student_function.__qualname__ = self.name
        if self.signature is not None:
            student_function.__signature__ = _signature(self.signature)
        student_function._is_students = True
        return student_function

    def call(self, arguments, named):
        packer = serialize.Packer()
        try:
            question = {
                "op": "call",
                "handle": self.handle,
                "arguments": [packer.pack(each) for each in arguments],
                "named": {name: packer.pack(each) for name, each in named.items()},
            }
        except serialize.CrossingError as error:
            raise TypeError(f"{self.name}: {error}") from None
        answer, blocks = self.side.ask(question, packer.blocks)
        handed = [*arguments, *named.values()]
        unpacker = serialize.Unpacker(blocks, self.side, handed)
        self._print(answer.get("printed"))
        for change in _listed(answer, "changed"):
            place, after = _pair(change)
            if type(place) is int and 0 <= place < len(handed):
                _change(handed[place], unpacker.unpack(after))
        if "raised" in answer:
            raise _exception(*_pair(answer["raised"]))
        try:
            return unpacker.unpack(answer.get("value"))
        except serialize.CrossingError as error:
            return serialize.Stranger(
                f"what {self.name} returns, which cannot be handed over: {error}"
            )

    def _print(self, text):
        # A test that captures what a function prints gets it. In the cell's own output it would
        # show the student what the hidden tests hand in.
        if type(text) is str and sys.stdout is not self.side.cell_stream:
            sys.stdout.write(text)


class _Dataset:
    """Draws batches of a dataset that stays in the student's kernel."""

    def __init__(self, side, handle, length):
        self._side, self._handle = side, handle
        self._length = length if type(length) is int and length >= 0 else None

    def __iter__(self):
        for start in range(0, MAX_BATCHES, BATCHES_AT_ONCE):
            question = {
                "op": "draw", "handle": self._handle, "start": start, "count": BATCHES_AT_ONCE,
            }  # fmt: skip
            answer, blocks = self._side.ask(question)
            unpacker = serialize.Unpacker(blocks, self._side)
            batches = _listed(answer, "batches")[:BATCHES_AT_ONCE]
            for node in batches:
                yield unpacker.unpack(node)
            if len(batches) < BATCHES_AT_ONCE:
                return

    def take(self, count):
        """Return the first batches."""
        return [batch for _, batch in zip(range(count), self, strict=False)]

    def __len__(self):
        if self._length is None:
            raise TypeError("this dataset does not know its length")
        return self._length


def _change(argument, after):
    """Make an argument what the student's function made of it, as far as it could be changed.

    What lies in a container is changed, not replaced: a test may hold it by another name too.
    Returns what then stands at its place.
    """
    from course.instructor.grading import serialize_keras

    kind = type(argument)
    if kind is not type(after):
        return after
    if kind is np.ndarray:
        if argument.shape == after.shape and argument.dtype == after.dtype:
            argument[...] = after
            return argument
    elif kind is list:
        kept = [_change(*pair) for pair in zip(argument, after, strict=False)]
        argument[:] = kept + after[len(kept) :]
        return argument
    elif kind is tuple:
        kept = [_change(*pair) for pair in zip(argument, after, strict=False)]
        same = len(argument) == len(after) and all(map(operator.is_, argument, kept))
        return argument if same else after
    elif kind is set:
        argument.clear()
        argument.update(after)
        return argument
    elif kind is dict:
        kept = {
            key: _change(argument[key], value) if key in argument else value
            for key, value in after.items()
        }
        argument.clear()
        argument.update(kept)
        return argument
    elif serialize_keras.is_model(argument):
        serialize_keras.change(argument, after)
        return argument
    return after


def _listed(answer, key):
    """Return a list of an answer, which is empty where the student's process sends none."""
    if "raised" in answer and key != "changed":
        raise _exception(*_pair(answer["raised"]))
    value = answer.get(key)
    return value if type(value) is list else []


def _pair(value):
    return value if type(value) is list and len(value) == 2 else (None, None)


def _exception(kind, message):
    """Return the exception that a student's function raised, if Python has its class."""
    error = StudentError("something that cannot be read")
    if type(kind) is str and type(message) is str:
        error = StudentError(f"{kind}: {message}" if message else kind)
        if execute.is_builtin_exception(kind):
            # A UnicodeError, for one, wants more than a message.
            with contextlib.suppress(TypeError):
                error = getattr(builtins, kind)(message)
    error.from_student = True
    return error


def _signature(described):
    """Return the signature that a list of [name, kind, has a default] describes."""
    import inspect

    kinds = list(inspect._ParameterKind)
    try:
        return inspect.Signature(
            [
                inspect.Parameter(
                    name, kinds[kind], default=None if optional else inspect.Parameter.empty
                )
                for name, kind, optional in described
            ]
        )
    except (TypeError, ValueError, IndexError):
        return inspect.Signature()
