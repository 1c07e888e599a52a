"""Client for the student kernel, which is restarted if its process ends."""

import math
import time
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from course.instructor.analysis.cell_names import find_names_in_submission
from course.instructor.sandbox.cell_error import STOPPED, CellError
from course.instructor.sandbox.cell_execution import printable
from course.instructor.sandbox.kernel_client import Answer, EngineError, Kernel, KernelEnded
from course.instructor.sandbox.messages import MAX_BLOCKS, MessageRefused

if TYPE_CHECKING:
    from course.instructor.grading.job import GradingJob
    from course.instructor.sandbox.forkserver_client import Forkserver

WORKER = "course.instructor.grading.student_worker"
MAX_RESTARTS = 2
# A cell's error is the only part of an answer that is parsed in this process.
ERROR_LIMITS = {"max_bytes": 2**20, "max_elements": 10_000}

Message = tuple[dict[str, Any], Sequence[bytes | bytearray]]  # a header and its blocks


class StudentKernel:
    """Runs a student's cells and answers the grader's requests.

    If a cell ends its process, or can be stopped only by ending it, a new process runs the other
    cells again; this happens at most MAX_RESTARTS times. `deadline` is when the notebook's
    time runs out, in `time.monotonic` seconds. `problem` is a sentence about a problem with the
    whole submission, or None. `seconds` is how long the student's code has run. `failures` maps a
    name to the failure of the cell that should define it.
    """

    def __init__(self, job: "GradingJob", forkserver: "Forkserver", deadline: float) -> None:
        self.job = job
        self.limits = job.settings.limits
        self.forkserver = forkserver
        self.deadline = deadline
        self.problem: str | None = None
        self.seconds = 0.0
        self._kernel: Kernel | None = None
        self._started: list[Kernel] = []
        self._completed: list[tuple[str, str]] = []  # (name, source) of cells that were not stopped
        self.failures: dict[str, str] = {}

    def run_cell(self, name: str, source: str) -> CellError | None:
        """Run a cell and return its error, or None."""
        if not self._ensure_kernel():
            return CellError.stopped(f"this cell was not run: {self.problem}")
        try:
            error = self._run(name, source)
        except MessageRefused as refused:
            error = CellError.stopped(f"this cell was not run because of its size: {refused}")
        except EngineError:
            raise  # not the submission's fault
        except KernelEnded as end:
            self._kernel = None
            error = CellError.stopped(f"this cell ended its process: {end}")
        else:
            # A stopped cell is not run again in a new process, where it would be stopped again.
            if not error or error.class_name != STOPPED:
                self._completed.append((name, source))
        if error:
            # All names share one string, because a cell can bind very many names.
            failure = f"{_phrase(name)} ended with {error.class_name}: {error.message}"
            self.failures |= dict.fromkeys(find_names_in_submission(source).bound, failure)
        return error

    def skip_cell(self, name: str, source: str) -> None:
        """Record that a cell is not run, in case one of its names is missing later."""
        reason = f"{_phrase(name)} was not run, because no test seemed to depend on it"
        self.failures |= dict.fromkeys(find_names_in_submission(source).bound, reason)

    def fetch(self, names: Collection[str]) -> Message:
        """Return the answer to a request for the values of names, like `answer`."""
        if not names:
            return {"no_answer": "nothing was requested"}, []
        return self.answer({"op": "fetch", "names": sorted(names)}, (), math.inf)

    def answer(
        self, request: dict[str, Any] | bytearray, blocks: Sequence[Any], seconds: float
    ) -> Message:
        """Return a header, and the header and blocks of the answer to a request from the grader.

        The answer's own header is the first of the blocks: it is untrusted, and this process does
        not parse it. In the header, "no_answer" is the reason why the kernel gives no answer, and
        "stopped" the reason why an exception in the answer is not the student's own.
        """
        seconds = max(0.1, min(seconds, self.limits.call_seconds))
        if not self._ensure_kernel():
            return {"no_answer": self.problem or "the process that runs your cells has ended"}, []
        try:
            answer = self._exchange(request, blocks, seconds)
        except MessageRefused as error:
            return {"no_answer": f"the arguments of this call cannot be sent: {error}"}, []
        except EngineError:
            raise
        except KernelEnded as end:
            self._kernel = None
            return {"no_answer": f"this call ended the process: {end}"}, []
        if len(answer.blocks) >= MAX_BLOCKS:  # no room for the header
            return {"no_answer": "the result of this call has too many parts"}, []
        header = {}
        if answer.late and seconds < self.limits.call_seconds:
            # Without the number, which the student's code can choose.
            header["stopped"] = "this call was stopped because the test's time was up"
        elif answer.late:
            header["stopped"] = f"this call was stopped after {seconds:g} s"
        return header, [answer.header, *answer.blocks]

    def close(self) -> None:
        """End the kernel."""
        if self._kernel:
            self._kernel.close()

    @property
    def is_gone(self) -> bool:
        """Whether all processes that ran the student's code have ended; false before `close`."""
        return all(each.is_gone for each in self._started)

    def _ensure_kernel(self) -> bool:
        """Start a kernel and rerun completed cells if none is running; return False on failure."""
        while self._kernel is None:
            if len(self._started) > MAX_RESTARTS or time.monotonic() > self.deadline:
                self.problem = self.problem or (
                    "the notebook's process ended too often, or the notebook's time was up"
                )
                return False
            self._kernel = self.forkserver.start_kernel(
                WORKER, self.limits, self.job.files, read_only=self.job.read_only_files()
            )
            self._kernel.waits_for_end = True
            self._started.append(self._kernel)
            for cell in list(self._completed):
                try:
                    self._run(*cell)
                except EngineError:
                    raise
                except KernelEnded:
                    self._kernel = None
                    self._completed.remove(cell)
                    break
        return True

    def _run(self, name: str, source: str) -> CellError | None:
        """Run a cell in the current kernel and return its error before redaction, or None."""
        seconds = min(self.limits.cell_seconds, self.deadline - time.monotonic())
        if seconds <= 0:
            limit = self.limits.notebook_seconds
            self.problem = f"the notebook ran for more than {limit:g} s"
            return CellError.stopped(f"this cell was not run: {self.problem}")
        answer = self._exchange({"op": "run", "name": name, "source": source}, (), seconds)
        assert self._kernel is not None
        error = self._kernel.parse(answer, **ERROR_LIMITS).get("error")
        if not error:
            return None
        if answer.late:
            # Never the time that was left: the student's code can choose it.
            if seconds < self.limits.cell_seconds:
                return CellError.stopped("the notebook's time was up while this cell ran")
            return CellError.stopped(f"this cell ran for more than {seconds:g} s")
        return _untrusted_error(error, source)

    def _exchange(self, request: Any, blocks: Sequence[Any], seconds: float) -> Answer:
        """Send a request to the current kernel, measure the time, and return the answer."""
        assert self._kernel is not None
        start = time.perf_counter()
        try:
            return self._kernel.exchange(request, blocks, seconds)
        finally:
            self.seconds += time.perf_counter() - start


def _phrase(name: str) -> str:
    """Return a cell's name as part of a sentence, such as "cell 3" or "the cell setup"."""
    return name if name.startswith("cell ") else f"the cell {name}"


def _untrusted_error(fields: object, source: str) -> CellError:
    """Return the error that a student's process, which can send anything, describes."""
    fields = fields if isinstance(fields, dict) else {}
    reported, lines = fields.get("lines"), source.splitlines()
    line = reported[-1] if isinstance(reported, list) and reported else None
    line = line if type(line) is int and 0 < line <= len(lines) else None
    return CellError(
        class_name=_short_text(fields.get("class_name"), 100) or "an error",
        message=_short_text(fields.get("message"), 4000),
        lines=(line,) if line else (),
        source_line=printable(lines[line - 1].strip())[:200] if line else "",
        from_student=True,
    )


def _short_text(text: object, length: int) -> str:
    """Return at most `length` printable characters of a string, or "" for another type."""
    return printable(text[: 4 * length])[:length] if isinstance(text, str) else ""
