"""Client for one kernel: requests, interrupts, and the reason why it ended."""

import contextlib
import select
import shutil
import socket
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from course.errors import CourseError
from course.instructor.sandbox import messages
from course.instructor.sandbox.limits import STARTED, Limits
from course.instructor.sandbox.memory_cgroup import MemoryCgroup

START_SECONDS = 30  # for a process that the forkserver starts, which takes 0.1 s
END_SECONDS = 30  # for the system to give back a kernel's memory, up to 1 s per GB
GRACE_SECONDS = 2  # for an answer after an interrupt
MAX_FILES_PER_MESSAGE = 1000
FORKSERVER_ENDED = "the process that starts kernels has ended"


class KernelEnded(Exception):
    """The kernel has ended or had to be killed; the message says why."""


class EngineError(KernelEnded, CourseError):
    """An error caused by this machine or the course's code, not by the code or text of a student.

    It is never evidence against a submission: only a report from a kernel that has started is.
    """

    @classmethod
    def not_started(cls, reason: object) -> "EngineError":
        """Return the error for a kernel that has not started."""
        return cls(f"a process could not be started, because {reason}: close other programs.")


@dataclass(frozen=True)
class Answer:
    """A kernel's answer to a request: its header as it was sent, and its blocks.

    `late` is true if the kernel answered only after an interrupt.
    """

    header: bytearray
    blocks: list[bytearray]
    late: bool


class Kernel:
    """The client's view of a kernel; created by `Forkserver.start_kernel`.

    `messages_socket` connects to the kernel, and `control` to its forkserver. `answers`, if any, is
    a second socket to the kernel, for nothing but answers to its own requests. `folder`, if any, is
    deleted when the kernel ends, and so is `cgroup`.
    """

    def __init__(
        self,
        messages_socket: socket.socket,
        control: socket.socket,
        limits: Limits,
        folder: str | None,
        answers: socket.socket | None = None,
        cgroup: MemoryCgroup | None = None,
    ) -> None:
        self._sockets = [messages_socket, control, *([answers] if answers else [])]
        self._messages = messages.Connection(messages_socket, limits.message_mb * 2**20)
        self._answers = messages.Connection(answers) if answers else None
        self._control = control
        self._folder = folder
        self._cgroup = cgroup
        self.limits = limits
        self.end_reason: str | None = None  # set once the kernel has ended
        # If this is set, ending the kernel waits until all of its processes have ended; `is_gone`
        # then says whether they have.
        self.waits_for_end = False
        self.is_gone = False
        self._end_error: KernelEnded | None = None  # the error with that reason

    def wait_until_started(self) -> None:
        """Return once the kernel is ready for requests; raise EngineError if it does not start."""
        data = self._sockets[0]
        poll = select.poll()
        poll.register(data, select.POLLIN)
        first = None
        if poll.poll(START_SECONDS * 1000):
            with contextlib.suppress(OSError):
                first = data.recv(len(STARTED))
        if first != STARTED:
            late = f"it took more than {START_SECONDS:g} s"
            reason = late if first is None else self._exit_reason() or "it ended"
            raise self._end(EngineError.not_started(reason))

    def write_files(
        self, files: Iterable[tuple[str, bytes]], read_only: Collection[str] = ()
    ) -> None:
        """Write files, given as (relative path, content), into the kernel's scratch folder."""
        for contents in _batches(dict(files)):
            paths = list(contents)
            protected = [path for path in paths if path in read_only]
            header = {"op": "write_files", "paths": paths, "read_only": protected}
            self.request(header, list(contents.values()), seconds=30)

    def send(self, header: Any, blocks: Sequence[Any] = (), seconds: float = 60) -> None:
        """Send a message; raise KernelEnded if the kernel does not read it in time.

        Raises MessageRefused if the message is too large to send.
        """
        self._send(self._messages, header, blocks, seconds)

    def answer(self, header: Any, blocks: Sequence[Any] = (), seconds: float = 60) -> None:
        """Send the answer to a request of the kernel, like `send`."""
        assert self._answers is not None
        self._send(self._answers, header, blocks, seconds)

    def receive(self, seconds: float) -> tuple[Any, list[bytearray]]:
        """Return the next message; raise MessageTimeout or KernelEnded if there is none."""
        header, blocks = self._receive(seconds)
        try:
            return messages.parse(header), blocks
        except messages.MessageError as error:
            raise self._end(error) from None

    def request(
        self, header: Any, blocks: Sequence[Any] = (), seconds: float = 60
    ) -> tuple[dict[str, Any], list[bytearray]]:
        """Send a message, whose "op" names the operation, and return the answer.

        After `seconds`, the kernel is interrupted, and "late" is True in the answer; a kernel that
        does not answer soon after is killed. Raises KernelEnded if the kernel has ended, had to be
        killed, or has sent an invalid message.
        """
        answer = self.exchange(header, blocks, seconds)
        return self.parse(answer) | {"late": answer.late}, answer.blocks

    def exchange(self, header: Any, blocks: Sequence[Any] = (), seconds: float = 60) -> Answer:
        """Send a message and return the answer like `request`, but do not parse the answer."""
        self.send(header, blocks)
        late = False
        try:
            answer, data = self._receive(seconds)
        except messages.MessageTimeout:
            late = True
            self.interrupt()
            try:
                answer, data = self._receive(GRACE_SECONDS)
            except messages.MessageTimeout:
                raise self._end(f"it ran for more than {seconds:g} s and did not stop") from None
        return Answer(answer, data, late)

    def parse(self, answer: Answer, **limits: int) -> dict[str, Any]:
        """Return the header of an answer; a kernel whose answer is malformed is ended.

        The `limits` are those of `messages.parse`. Raises KernelEnded if the kernel was ended.
        """
        try:
            header = messages.parse(answer.header, **limits)
        except messages.MessageError as error:
            raise self._end(error) from None
        if not isinstance(header, dict):
            raise self._end(messages.MALFORMED)
        return header

    def has_ended(self) -> bool:
        """Return True if the kernel has ended; `end_reason` then says why."""
        if not self.end_reason and select.select([self._control], [], [], 0)[0]:
            self._end(self._exit_reason() or "it ended")
        return bool(self.end_reason)

    def interrupt(self) -> None:
        """Interrupt the running code, like the stop button of a notebook."""
        with contextlib.suppress(OSError):
            self._control.send(b"i")

    def close(self) -> None:
        """Kill the kernel and everything that it has started."""
        if not self.end_reason:
            self._end("it was closed")

    def _send(
        self, connection: messages.Connection, header: Any, blocks: Sequence[Any], seconds: float
    ) -> None:
        if self._end_error:
            raise self._end_error
        try:
            connection.send(header, blocks, time.monotonic() + seconds)
        except messages.ConnectionEnded as error:
            raise self._end_of_connection(error) from None
        except messages.MessageError as error:
            raise self._end(error) from None

    def _receive(self, seconds: float) -> tuple[bytearray, list[bytearray]]:
        if self._end_error:
            raise self._end_error
        try:
            return self._messages.receive_encoded(time.monotonic() + seconds)
        except messages.MessageTimeout:
            raise
        except messages.ConnectionEnded as error:
            raise self._end_of_connection(error) from None
        except messages.MessageError as error:
            raise self._end(error) from None

    def _exit_reason(self, seconds: float = 1) -> str | None:
        """Return the forkserver's report on the end of the process, or None.

        By then, all processes of an isolated kernel have ended.
        """
        self._control.settimeout(seconds)
        try:
            report = self._control.recv(1000).decode(errors="replace")
        except OSError:
            return None
        self.is_gone = True
        return report

    def _end_of_connection(self, error: messages.ConnectionEnded) -> KernelEnded:
        """End the kernel, whose connection has ended, with the forkserver's report as the reason.

        The forkserver always reports the end of a kernel, unless it has ended itself.
        """
        reason = self._exit_reason()
        if reason == "":
            return self._end(EngineError(f"{FORKSERVER_ENDED}: close other programs."))
        return self._end(reason or error)

    def _end(self, reason: object) -> KernelEnded:
        self.end_reason = str(reason)
        self._end_error = reason if isinstance(reason, EngineError) else KernelEnded(str(reason))
        if (self._folder or self.waits_for_end) and not self.is_gone:
            with contextlib.suppress(OSError):
                # Until the forkserver has killed the kernel, it may still write into the folder.
                self._control.shutdown(socket.SHUT_WR)
                self._exit_reason(END_SECONDS)
        for sock in self._sockets:
            sock.close()
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)
        if self._cgroup:
            self._cgroup.remove()
        return self._end_error


def _batches(files: dict[str, bytes]) -> Iterator[dict[str, bytes]]:
    """Divide files into parts that fit into one message."""
    paths = list(files)
    for start in range(0, len(paths), MAX_FILES_PER_MESSAGE):
        yield {path: files[path] for path in paths[start : start + MAX_FILES_PER_MESSAGE]}
