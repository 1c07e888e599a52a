"""Worker in the grader kernel: runs the assignment's locked cells and the test cells.

The student's variables arrive as plain data. Functions and datasets stay in the student kernel:
their proxies here send requests while a test runs. The answers, which the student's process wrote,
arrive on a socket of their own; nothing that arrives there is interpreted as a command.
"""

import builtins
import contextlib
import inspect
import itertools
import operator
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import Any, NoReturn

import numpy as np

from course import checks, notebook_cells
from course.instructor.grading import quiz_marks, redaction, serialize, unusable_values
from course.instructor.grading.captured_output import CapturedOutput
from course.instructor.grading.value_placeholders import shown_as
from course.instructor.sandbox import cell_execution, messages
from course.instructor.sandbox.cell_error import STOPPED, CellError
from course.instructor.sandbox.limits import Limits

MAX_BATCHES = 1000
BATCHES_PER_REQUEST = 8

# Python ends loops with these: if a student's function raised one, `map` and `zip` would end early
# without an error.
CONTROL_FLOW = (StopIteration, StopAsyncIteration, GeneratorExit)


@shown_as(redaction.STUDENTS_OWN)
class StudentError(Exception):
    """Replaces a student's exception that is not a built-in; the message begins with its class."""

    # Read by describe_error. A class attribute, because libraries copy errors without the
    # attributes of the instance: Keras raises `type(error)(message)`.
    from_student = True


@shown_as(STOPPED)
class CallStopped(Exception):
    """A request to the student's process was stopped or got no answer; the message says why."""


def serve(sock: socket.socket, limits: Limits, answers: socket.socket | None = None) -> NoReturn:
    """Handle messages; the process exits when the other side closes the socket."""
    commands = messages.WorkerConnection(sock, max_sent=limits.message_mb * 2**20)
    worker = GraderWorker(commands, messages.WorkerConnection(answers) if answers else None, limits)
    cell_execution.discard_output()
    while True:
        worker.handle(*commands.receive())


class GraderWorker:
    """The grader's namespace, and the connection to the student kernel."""

    def __init__(
        self, commands: messages.Connection, answers: messages.Connection | None, limits: Limits
    ) -> None:
        self.commands = commands  # carries the results and this worker's requests, too
        self.answers = answers
        self.limits = limits
        self.namespace = cell_execution.initialize_kernel()
        self.cell_output: CapturedOutput | None = None
        self.unusable_values: list[unusable_values.UnusableValue] = []  # that this cell received

    def handle(self, header: dict[str, Any], blocks: list[Any]) -> None:
        """Write files or run a cell, and send the result."""
        if header["op"] == "write_files":
            # A test that reads a file beside the notebook reads the submitted file.
            cell_execution.write_files(header["paths"], blocks)
            self.commands.send({})
            return
        values, blocks = _requested_values(header.get("names", ()), blocks)
        for name in {*header.get("names", ()), *header.get("forget", ())} - values.keys():
            self.namespace.pop(name, None)
        if "sources" in header:
            notebook_cells.set_source_lookup(header["sources"].get)
            quiz_marks.typed_name = header["typed_name"]
        output = self.cell_output = CapturedOutput(
            header["name"], header["source"], self.limits.output_kb * 1024
        )
        checks.on_show = output.on_show
        deserializer = serialize.Deserializer(blocks, self, plain_numbers=True)
        self.unusable_values = []
        for name, node in values.items():
            self.namespace[name] = self._deserialize(deserializer, node, name, is_returned=False)
        result = cell_execution.run_cell(header["source"], header["name"], output)
        if result["error"]:
            error = CellError.from_dict(result["error"])
            hidden = redaction.hidden_lines(header["source"])
            is_hidden = not (set(error.lines) or hidden).isdisjoint(hidden)
            error = unusable_values.explain(error, self.unusable_values, is_hidden)
            result["error"] = asdict(error)
        result |= output.as_dict()
        self.commands.send({"op": "done", "result": result})

    def request(
        self, header: dict[str, Any], blocks: Sequence[Any] = ()
    ) -> tuple[dict[str, Any], list[bytearray]]:
        """Send a request to the student kernel and return the answer and its blocks.

        Raises CallStopped if there is no usable answer, and TypeError if the request is too large.
        """
        assert self.answers is not None
        try:
            request = [messages.encode(header), *blocks]
            # An interrupt in between would leave an unread answer for the next request.
            with cell_execution.uninterruptible():
                self.commands.send({"op": "student_request"}, request)
                envelope, answer_blocks = self.answers.receive()
        except messages.MessageRefused as error:
            raise TypeError(f"the arguments cannot be passed to the function: {error}") from None
        if "no_answer" in envelope:
            raise CallStopped(envelope["no_answer"])
        answer, answer_blocks = _parse_answer(answer_blocks)
        if "raised" in answer and "stopped" in envelope:
            raise CallStopped(envelope["stopped"])
        if "refused" in answer:
            raise CallStopped("the student's process cannot send the result: it is too large")
        return answer, answer_blocks

    def function(self, handle: int, name: str, signature: Any) -> Callable[..., Any]:
        """Return a proxy for a student's function."""

        def student_function(*arguments: Any, **named: Any) -> Any:
            return self._call(handle, name, arguments, named, apply_changes=False)

        def changing_arguments(*arguments: Any, **named: Any) -> Any:
            return self._call(handle, name, arguments, named, apply_changes=True)

        # For checks.call_with_copies. Other calls leave the arguments unchanged: a function that
        # overwrites them could change the values from which the test computes what it expects.
        vars(student_function)["changing_arguments"] = changing_arguments
        student_function.__name__ = student_function.__qualname__ = name
        if signature is not None:
            vars(student_function)["__signature__"] = _rebuild_signature(signature)
        return student_function

    def dataset(self, handle: int, length: Any) -> "_DatasetProxy":
        """Return a proxy for a student's dataset."""
        return _DatasetProxy(self, handle, length)

    def weights(self, handle: int) -> list[np.ndarray]:
        """Return the weights of a student's model."""
        answer, blocks = self.request({"op": "weights", "handle": handle})
        deserializer = serialize.Deserializer(blocks)
        arrays = [deserializer.deserialize(node) for node in _list_in(answer, "values")]
        if not all(type(array) is np.ndarray for array in arrays):
            raise serialize.SerializationError("the weights are not arrays")
        return arrays

    def _call(
        self,
        handle: int,
        name: str,
        positional: tuple[Any, ...],
        named: dict[str, Any],
        apply_changes: bool,
    ) -> Any:
        """Call a student's function and return the value that it returns.

        Its changes to arrays and containers are applied to the arguments only if `apply_changes`.
        """
        serializer = serialize.Serializer()
        try:
            request = {
                "op": "call",
                "handle": handle,
                "arguments": [serializer.serialize(each) for each in positional],
                "named": {key: serializer.serialize(each) for key, each in named.items()},
            }
        except serialize.SerializationError as error:
            raise TypeError(f"{name}: {error}") from None
        answer, blocks = self.request(request, serializer.blocks)
        arguments = [*positional, *named.values()]
        deserializer = serialize.Deserializer(blocks, self, arguments, plain_numbers=True)
        # Forward the printed text only to a test that captures it: in the cell's own output, the
        # text could show the student the inputs of hidden tests.
        if type(printed := answer.get("printed")) is str and sys.stdout is not self.cell_output:
            sys.stdout.write(printed)
        for change in _list_in(answer, "changed") if apply_changes else ():
            index, changed = _pair(change)
            if type(index) is int and 0 <= index < len(arguments):
                _apply_change(arguments[index], deserializer.deserialize(changed))
        if "raised" in answer:
            raise _rebuild_exception(*_pair(answer["raised"]))
        return self._deserialize(deserializer, answer.get("value"), name, is_returned=True)

    def _deserialize(
        self, deserializer: serialize.Deserializer, node: Any, name: str, is_returned: bool
    ) -> Any:
        """Return the value of a variable or call, and record which parts of it tests cannot use."""
        known = len(deserializer.reasons)
        description = f"the value that {name} returns" if is_returned else name
        value = deserializer.deserialize_or_describe(node, description)
        is_placeholder = type(value) is serialize.UnserializableValue
        self.unusable_values += [
            unusable_values.UnusableValue(name, is_returned, reason, is_placeholder)
            for reason in deserializer.reasons[known:]
            if len(self.unusable_values) < serialize.MAX_REASONS
        ]
        return value


@shown_as("Dataset")
class _DatasetProxy:
    """Fetches at most MAX_BATCHES batches of a dataset that stays in the student kernel."""

    def __init__(self, worker: GraderWorker, handle: int, length: Any) -> None:
        self._worker, self._handle = worker, handle
        self._length = length if type(length) is int and length >= 0 else None

    def __iter__(self) -> Iterator[Any]:
        for start in range(0, MAX_BATCHES, BATCHES_PER_REQUEST):
            request = {"op": "batches", "handle": self._handle, "start": start}
            answer, blocks = self._worker.request(request | {"count": BATCHES_PER_REQUEST})
            deserializer = serialize.Deserializer(blocks, self._worker, plain_numbers=True)
            batches = _list_in(answer, "batches")[:BATCHES_PER_REQUEST]
            for node in batches:
                yield deserializer.deserialize(node)
            if len(batches) < BATCHES_PER_REQUEST:
                return

    def take(self, count: int) -> list[Any]:
        """Return the first `count` batches."""
        return list(itertools.islice(self, count))

    def __len__(self) -> int:
        if self._length is None:
            raise TypeError("this dataset has no known length")
        return self._length


def _parse_answer(blocks: Sequence[Any]) -> tuple[dict[str, Any], list[Any]]:
    """Return the header and the blocks of an answer of the student's process.

    The header is {} if it is not an object.
    Raises CallStopped if the header is malformed.
    """
    try:
        answer = messages.parse(blocks[0])
    except messages.MessageError as error:
        raise CallStopped(f"the student's process sent an invalid answer: {error}") from None
    return (answer if isinstance(answer, dict) else {}), list(blocks[1:])


def _requested_values(
    names: Sequence[str], blocks: Sequence[Any]
) -> tuple[dict[str, Any], list[Any]]:
    """Return the serialized values of the requested names in an answer, and the answer's blocks.

    Both are empty if no names are requested or the answer is malformed. Other names are ignored:
    otherwise, the student's process could replace a built-in function, such as abs, in the tests.
    """
    if not names or not blocks:
        return {}, []
    try:
        answer, blocks = _parse_answer(blocks)
    except CallStopped:
        return {}, []
    values = answer.get("values")
    if not isinstance(values, dict):
        return {}, []
    return {name: values[name] for name in names if name in values}, list(blocks)


def _apply_change(argument: Any, changed: Any) -> Any:
    """Change an argument as the student's function did, if possible; return the resulting object.

    Objects in a container are also changed in place if possible, because a test may hold references
    to them.
    """
    kind = type(argument)
    if kind is not type(changed):
        return changed
    if kind is np.ndarray and (argument.shape, argument.dtype) == (changed.shape, changed.dtype):
        argument[...] = changed
    elif kind in (list, tuple):
        common = [_apply_change(*pair) for pair in zip(argument, changed, strict=False)]
        if kind is list:
            argument[:] = common + changed[len(common) :]
        elif len(argument) != len(changed) or not all(map(operator.is_, argument, common)):
            return changed
    elif kind in (set, dict):
        if kind is dict:
            changed = {
                key: _apply_change(argument[key], value) if key in argument else value
                for key, value in changed.items()
            }
        argument.clear()
        argument.update(changed)
    else:
        return changed
    return argument


def _list_in(answer: dict[str, Any], key: str) -> list[Any]:
    """Return a list from an answer, or an empty list if the student's process sent none.

    Raises the student's exception if the answer contains one, unless the list is "changed".
    """
    if "raised" in answer and key != "changed":
        raise _rebuild_exception(*_pair(answer["raised"]))
    value = answer.get(key)
    return value if type(value) is list else []


def _pair(value: Any) -> list[Any]:
    """Return the value if it is a list of two elements, and [None, None] otherwise."""
    return value if type(value) is list and len(value) == 2 else [None, None]


def _rebuild_exception(kind: Any, message: Any) -> Exception:
    """Return a student's exception: an equal built-in exception if possible, or a StudentError.

    An exception with which Python ends loops becomes a RuntimeError, as in a generator (PEP 479).
    """
    error: Exception = StudentError("an unreadable exception")
    if type(kind) is str and type(message) is str:
        text = f"{kind}: {message}" if message else kind
        error = StudentError(text)
        if cell_execution.is_builtin_exception(kind):
            if issubclass(getattr(builtins, kind), CONTROL_FLOW):
                kind, message = "RuntimeError", text
            # Some classes, such as UnicodeError, need more than a message.
            with contextlib.suppress(TypeError):
                error = getattr(builtins, kind)(message)
    error.from_student = True  # type: ignore[attr-defined]  # read by describe_error
    return error


def _rebuild_signature(parameters: Any) -> inspect.Signature:
    """Return the signature from [name, kind, has_default] lists; return an empty one on error."""
    kinds = list(inspect._ParameterKind)
    empty = inspect.Parameter.empty
    try:
        return inspect.Signature(
            [
                inspect.Parameter(name, kinds[kind], default=None if has_default else empty)
                for name, kind, has_default in parameters
            ]
        )
    except (TypeError, ValueError, IndexError):
        return inspect.Signature()
