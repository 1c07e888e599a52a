"""Worker in the student kernel: runs cells, serializes values, and answers calls.

Student code can change everything here, so the grader treats the answers as untrusted data.
"""

import contextlib
import itertools
import secrets
import socket
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from course.instructor.analysis.cell_names import check_magics
from course.instructor.grading import serialize, serialize_keras
from course.instructor.sandbox import cell_execution, messages
from course.instructor.sandbox.limits import Limits

MAX_HANDLES = 100_000
HANDLE_BITS = 63  # random, so that a handle does not show how often the cells have been run

Header = dict[str, Any]
Blocks = list[Any]


def serve(sock: socket.socket, limits: Limits) -> None:
    """Answer requests until the other side closes the socket."""
    # Unlike in a Jupyter kernel, the working folder is the last in which imports look: a file there
    # replaces no module of Python, of a package, or of the course.
    sys.path.append("")
    connection = messages.WorkerConnection(sock, max_sent=limits.message_mb * 2**20)
    worker = StudentWorker(limits)
    cell_execution.discard_output()
    while True:
        header, blocks = connection.receive()
        try:
            answer, blocks = worker.answer(header, blocks)
        except Exception as error:
            answer, blocks = {"raised": ["RuntimeError", f"{type(error).__name__}: {error}"]}, []
        try:
            connection.send(answer, blocks)
        except messages.MessageRefused:
            connection.send(worker.refused(header))


class StudentWorker:
    """The student's namespace, and the objects in it that have handles."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.namespace = cell_execution.initialize_kernel()
        self.objects: dict[int, Any] = {}
        # Handle of a dataset -> an iterator over its batches, and the index of the next batch.
        self.iterators: dict[int, tuple[Iterator[Any], int]] = {}

    def answer(self, header: Header, blocks: Blocks) -> tuple[Header, Blocks]:
        """Return the header and the blocks of the answer to a request."""
        return getattr(self, f"_{header['op']}")(header, blocks)

    def refused(self, header: Header) -> Header:
        """Return the answer to a request whose real answer is too large to send."""
        node = serialize.failure_node(serialize.SerializationError(serialize.TOO_LARGE))
        names = [name for name in header.get("names", ()) if name in self.namespace]
        return {"refused": True, "values": dict.fromkeys(names, node)}

    def register(self, value: Any) -> int:
        """Store a function, dataset, or model, and return its handle."""
        if len(self.objects) >= MAX_HANDLES:
            raise serialize.SerializationError("there are too many functions, datasets, and models")
        # Random, so that a handle from an earlier process of this submission has no object here.
        handle = secrets.randbits(HANDLE_BITS)
        self.objects[handle] = value
        return handle

    def _write_files(self, header: Header, blocks: Blocks) -> tuple[Header, Blocks]:
        cell_execution.write_files(header["paths"], blocks, header["read_only"])
        return {}, []

    def _run(self, header: Header, blocks: Blocks) -> tuple[Header, Blocks]:
        try:
            check_magics(header["source"])
        except ValueError as error:
            described = asdict(cell_execution.describe_error(error, header["name"]))
            return {"error": described, "value": None}, []
        output = cell_execution.OutputBuffer(self.limits.output_kb * 1024)
        return cell_execution.run_cell(header["source"], header["name"], output), []

    def _fetch(self, header: Header, blocks: Blocks) -> tuple[Header, Blocks]:
        """Return the values of the requested names that are defined."""
        serializer = serialize.Serializer(self.register)
        values = {}
        for name in header["names"]:
            if name in self.namespace:
                try:
                    with cell_execution.interruptible():
                        values[name] = serializer.serialize(self.namespace[name])
                except (Exception, KeyboardInterrupt) as error:
                    values[name] = serialize.failure_node(error)
        return {"values": values}, serializer.blocks

    def _call(self, header: Header, blocks: Blocks) -> tuple[Header, Blocks]:
        """Call a function and return its value or exception, and the arguments that it changed."""
        deserializer = serialize.Deserializer(blocks)
        positional = [deserializer.deserialize(node) for node in header["arguments"]]
        named = {name: deserializer.deserialize(node) for name, node in header["named"].items()}
        function = self.objects[header["handle"]]
        arguments = [*positional, *named.values()]
        before = [_snapshot(argument) for argument in arguments]
        output = cell_execution.OutputBuffer(self.limits.output_kb * 1024)
        answer: Header = {}
        changed: list[int] | None = None
        serializer = serialize.Serializer(self.register)
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
            try:
                with cell_execution.interruptible():
                    value = function(*positional, **named)
                    changed = _changed(arguments, before)
                    # The grader's own objects do not change: an argument that has changed is sent
                    # by value if the function returns it.
                    unchanged = [
                        None if index in changed else argument
                        for index, argument in enumerate(arguments)
                    ]
                    serializer = serialize.Serializer(self.register, unchanged)
                    answer["value"] = serializer.serialize(value)
            except BaseException as error:
                answer["raised"] = _describe_exception(error)
        if changed is None:  # the function raised an exception
            changed = _changed(arguments, before)
        changes = serialize.Serializer(self.register)
        changes.blocks = serializer.blocks
        answer["changed"] = [[index, changes.serialize(arguments[index])] for index in changed]
        answer["printed"] = output.text()
        return answer, serializer.blocks

    def _weights(self, header: Header, blocks: Blocks) -> tuple[Header, Blocks]:
        serializer = serialize.Serializer()
        model = self.objects[header["handle"]]
        values = [serializer.serialize(array) for array in serialize_keras.arrays_of(model)]
        return {"values": values}, serializer.blocks

    def _batches(self, header: Header, blocks: Blocks) -> tuple[Header, Blocks]:
        """Return `count` batches of a dataset, starting at the index `start`."""
        serializer = serialize.Serializer(self.register)
        handle, start, count = header["handle"], header["start"], header["count"]
        # Continue an iteration if possible: a shuffled dataset has a different order each time.
        iterator, next_index = self.iterators.pop(handle, (iter(()), -1))
        if next_index != start:
            iterator = itertools.islice(_iterate(self.objects[handle]), start, None)
        try:
            with cell_execution.interruptible():
                batches = [serializer.serialize(each) for each in itertools.islice(iterator, count)]
        except BaseException as error:
            return {"raised": _describe_exception(error)}, []
        self.iterators[handle] = iterator, start + count
        return {"batches": batches}, serializer.blocks


def _iterate(dataset: Any) -> Iterator[Any]:
    """Return an iterator over the batches of a dataset."""
    if hasattr(dataset, "__iter__"):
        return iter(dataset)
    return (dataset[index] for index in range(len(dataset)))  # iter(PyDataset) would not end


def _describe_exception(error: BaseException) -> list[str]:
    """Return the name and the message of an exception.

    The name is that of its class or, if this is a subclass of a built-in class other than
    Exception, of that built-in class.
    """
    try:
        message = str(error)
    except Exception:  # the methods of a student's class may fail
        message = ""
    for kind in type(error).__mro__:
        if kind is Exception and type(error) is not Exception:
            break  # the student's own class, which has no more specific built-in base
        if kind.__module__ == "builtins" and cell_execution.is_builtin_exception(kind.__name__):
            return [kind.__name__, message[:4000]]
    return [type(error).__name__[:100], message[:4000]]


def _changed(arguments: Sequence[Any], before: Sequence[Any]) -> list[int]:
    """Return the indices of the arguments whose snapshots have changed."""
    pairs = enumerate(zip(arguments, before, strict=True))
    return [index for index, (each, old) in pairs if _snapshot(each) != old]


def _snapshot(value: Any) -> Any:
    """Return everything in an argument that can be sent, to detect whether a call changes it."""
    serializer = serialize.Serializer()
    try:
        node = serializer.serialize(value)
    except serialize.SerializationError as error:
        node = serialize.failure_node(error)
    return node, [bytes(block) for block in serializer.blocks]
