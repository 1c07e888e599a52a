"""Runs in the student kernel: runs cells, hands over values, answers calls.

All of it is in the hands of whoever wrote the cells; what it answers is data to the grader, who
believes none of it more than an answer written on paper.
"""

import contextlib
import itertools
import sys
from pathlib import Path

import numpy as np

from course.instructor.grading import serialize
from course.instructor.sandbox import execute, messages

MAX_KEPT = 100_000


def serve(sock, limits):
    """Answer messages until the other side is gone."""
    # As in a notebook's kernel, whose folder comes first when a module is looked for.
    sys.path.insert(0, "")
    side = StudentSide(limits)
    execute.stop_writing()
    while True:
        header, blocks = messages.receive(sock, 2**62)
        try:
            answer, blocks = side.answer(header, blocks)
        except Exception as error:
            answer, blocks = {"raised": ["RuntimeError", f"{type(error).__name__}: {error}"]}, []
        messages.send(sock, answer, blocks)


class StudentSide:
    """The student's namespace, and what was handed out of it."""

    def __init__(self, limits):
        self.limits = limits
        self.namespace = execute.start()
        self.kept = {}
        self.drawing = {}  # handle of a dataset -> what iterates over it, number of its next batch
        self.first_handle = 0

    def answer(self, header, blocks):
        """Return the answer to a message and its blocks."""
        # A handle that an earlier kernel of this submission gave out must not name anything here.
        self.first_handle = header.get("first_handle", 0)
        return getattr(self, f"_{header['op']}")(header, blocks)

    def keep(self, value):
        """Keep a function, dataset or model, and return its handle."""
        if len(self.kept) >= MAX_KEPT:
            raise serialize.CrossingError("too much was handed over")
        handle = self.first_handle + len(self.kept)
        self.kept[handle] = value
        return handle

    def _put(self, header, blocks):
        for path, content in zip(header["paths"], blocks, strict=True):
            place = Path(path)
            place.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(OSError):  # more than fits is not there, as on a full disk
                place.write_bytes(content)
        return {}, []

    def _run(self, header, blocks):
        printed = execute.Printed(self.limits.output_kb * 1024)
        outcome = execute.run_cell(header["source"], header["name"], printed)
        return outcome, []

    def _set(self, header, blocks):
        unpacker = serialize.Unpacker(blocks)
        for name, node in header["values"].items():
            self.namespace[name] = unpacker.unpack(node)
        return {}, []

    def _fetch(self, header, blocks):
        packer = serialize.Packer(self.keep)
        values = {}
        for name in header["names"]:
            if name in self.namespace:
                try:
                    with execute.interruptible():
                        values[name] = packer.pack(self.namespace[name])
                except (Exception, KeyboardInterrupt) as error:
                    values[name] = ["stranger", f"a value that cannot be handed over ({error})"]
        return {"values": values}, packer.blocks

    def _call(self, header, blocks):
        unpacker = serialize.Unpacker(blocks)
        arguments = [unpacker.unpack(node) for node in header["arguments"]]
        named = {name: unpacker.unpack(node) for name, node in header["named"].items()}
        function = self.kept[header["handle"]]
        handed = [*arguments, *named.values()]
        before = [_state(each) for each in handed]
        printed = execute.Printed(self.limits.output_kb * 1024)
        answer = {}
        packer = serialize.Packer(self.keep, handed)
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            try:
                with execute.interruptible():
                    answer["value"] = packer.pack(function(*arguments, **named))
            except BaseException as error:
                answer["raised"] = _raised(error)
        # What the function did to its arguments is part of what it did.
        changed = serialize.Packer(self.keep)
        changed.blocks = packer.blocks
        answer["changed"] = [
            [place, changed.pack(each)]
            for place, each in enumerate(handed)
            if _state(each) != before[place]
        ]
        answer["printed"] = printed.text()
        return answer, packer.blocks

    def _weights(self, header, blocks):
        packer = serialize.Packer()
        model = self.kept[header["handle"]]
        values = [packer.pack(np.asarray(weight)) for weight in model.weights]
        return {"values": values}, packer.blocks

    def _draw(self, header, blocks):
        """Return batches of a dataset, from one on."""
        packer = serialize.Packer(self.keep)
        handle, start, count = header["handle"], header["start"], header["count"]
        # Going on is not beginning again: a shuffled dataset has another order each time.
        batches, place = self.drawing.pop(handle, (None, -1))
        if place != start:
            batches = itertools.islice(_batches(self.kept[handle]), start, None)
        try:
            with execute.interruptible():
                drawn = [packer.pack(batch) for batch in itertools.islice(batches, count)]
        except BaseException as error:
            return {"raised": _raised(error)}, []
        self.drawing[handle] = batches, start + count
        return {"batches": drawn}, packer.blocks


def _batches(dataset):
    """Return an iterator over the batches of a dataset."""
    if hasattr(dataset, "__iter__"):
        return iter(dataset)
    return (dataset[index] for index in range(len(dataset)))  # a PyDataset knows no end


def _raised(error):
    """Return an exception as its class's name and its message."""
    try:
        message = str(error)
    except Exception:  # a class of the student's own may fail even at this
        message = ""
    for kind in type(error).__mro__:
        if kind is Exception and type(error) is not Exception:
            break  # its class is the student's own: every such class derives from this one
        if kind.__module__ == "builtins" and execute.is_builtin_exception(kind.__name__):
            return [kind.__name__, message[:4000]]
    return [type(error).__name__[:100], message[:4000]]


def _state(value):
    """Return what a function may change of an argument, in a form that can be compared."""
    if type(value) is np.ndarray:
        return value.dtype.str, value.shape, value.tobytes()
    if type(value) in (list, tuple):
        return type(value), [_state(each) for each in value]
    if type(value) is set:
        return set, sorted(map(repr, value))
    if type(value) is dict:
        return dict, [(_state(key), _state(each)) for key, each in value.items()]
    if isinstance(value, int | float | str):
        return type(value), repr(value)
    if hasattr(value, "compiled") and hasattr(value, "get_weights"):
        weights = tuple(weight.tobytes() for weight in value.get_weights())
        return value.compiled, weights
    return None
