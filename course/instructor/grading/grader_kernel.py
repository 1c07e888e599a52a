"""Client for the grader kernel, which runs the locked cells and the tests."""

import contextlib
import time
from collections.abc import Sequence, Set
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from course.instructor.analysis.cell_names import find_names
from course.instructor.grading.job import LockedCellError
from course.instructor.sandbox.cell_error import STOPPED, UNDEFINED, CellError
from course.instructor.sandbox.kernel_client import (
    GRACE_SECONDS,
    EngineError,
    Kernel,
    KernelEnded,
)
from course.instructor.sandbox.messages import MessageTimeout

if TYPE_CHECKING:
    from course.instructor.grading.job import GradingJob
    from course.instructor.grading.student_kernel import StudentKernel
    from course.instructor.sandbox.forkserver_client import Forkserver

WORKER = "course.instructor.grading.grader_worker"


@dataclass(frozen=True)
class CellResult:
    """The result of a cell that the grader kernel ran.

    `value` is the value of the cell's last line as the text of a number, or None. The other fields
    are as in `CapturedOutput.as_dict`.
    """

    error: CellError | None = None
    value: str | None = None
    printed: str = ""
    visible_printed: str = ""
    hidden_printed: str = ""
    visible_items: list[str] = field(default_factory=list)
    hidden_items: list[str] = field(default_factory=list)
    quiz_items: list[str] = field(default_factory=list)

    @classmethod
    def from_message(cls, message: dict[str, Any]) -> "CellResult":
        """Return the result in a "done" message of the grader worker."""
        result = message["result"]
        error = result["error"] and CellError.from_dict(result["error"])
        return cls(**result | {"error": error})


class GraderKernel:
    """Runs the assignment's locked cells, then its tests, with values from the student kernel.

    `deadline` is when the notebook's time runs out, in `time.monotonic` seconds. `own_cells` are
    the grade ids of the locked cells that the grader runs itself.
    """

    def __init__(
        self, job: "GradingJob", forkserver: "Forkserver", student: "StudentKernel", deadline: float
    ) -> None:
        self.job = job
        self.limits = job.settings.limits
        self.forkserver = forkserver
        self.student = student
        self.deadline = deadline
        self.seconds = 0.0
        self.own_cells: set[str] = set()
        self._kernel: Kernel | None = None
        self._locked_names: set[str] = set()  # modules, helpers, and data: always the grader's
        # Names that tests defined; each is the grader's until a student's cell mentions it.
        self._test_names: set[str] = set()
        self._lost_names: set[str] = set()  # names defined by tests in a process that has ended
        self._names_to_forget: set[str] = set()

    def start(self) -> None:
        """Start the kernel and run the locked cells that do not use the student's names.

        Raises LockedCellError if one of them fails, and KernelEnded if the kernel ends.
        """
        job, reference = self.job, self.job.reference
        self._kernel = self.forkserver.start_kernel(
            WORKER, self.limits, job.provided_files(), with_answers=True
        )
        sources = {cell["grade_id"]: cell["source"] for cell in job.cells if cell["grade_id"]}
        locked = [("parameters", reference.parameters)]
        locked += [
            (name, reference.cells[name]["source"])
            for name in reference.order
            if reference.is_locked_code(name)
        ]
        for name, source in locked:
            names = find_names(source)
            if names.needed <= self._locked_names:
                error = self._run(name, source, sources=sources, typed_name=job.typed_name).error
                if error:
                    reason = f"{error.class_name}: {error.message}"
                    stopped = error.class_name == STOPPED
                    raise LockedCellError(name, job.assignment, reason, stopped)
                self._locked_names |= names.bound
                self.own_cells.add(name)
        # Write these only now: one of the student's files could make a locked cell fail.
        with contextlib.suppress(KernelEnded):
            self._kernel.write_files(job.data_files())

    def run_test(self, name: str, source: str) -> CellResult:
        """Run a test cell and return its result; raise EngineError for an error of the machine."""
        if time.monotonic() > self.deadline:
            limit = self.limits.notebook_seconds
            message = f"the notebook ran for more than {limit:g} s before this test"
            return CellResult(CellError.stopped(message))
        used = find_names(source)
        try:
            if self._kernel is None:
                self.start()
            needed = used.needed - self._locked_names - self._test_names
            _, blocks = self.student.fetch(needed)
            forget, self._names_to_forget = sorted(self._names_to_forget), set()
            # Of the needed names, those without a value in the answer are forgotten, too.
            result = self._run(name, source, blocks, names=sorted(needed), forget=forget)
        except EngineError:
            raise  # not the submission's fault
        except KernelEnded as end:
            self._kernel = None
            cause = "perhaps because of a value that this test received"
            message = f"the grader's process ended, {cause}: {end}"
            result = CellResult(CellError.stopped(message))
        except LockedCellError as error:  # it ran before, so now the notebook's time is up
            self.close()
            self._kernel = None
            message = f"the grader's process cannot be started again: {error.reason}"
            result = CellResult(CellError.stopped(message))
        # Do this even if the process has ended: the student's process may have ended it in order to
        # provide its own values under these names.
        self._test_names |= used.bound - self._locked_names
        if self._kernel is None:
            self._lost_names |= self._test_names
        return self._explain_missing_names(result)

    def release_names(self, names: Set[str]) -> None:
        """Let the student kernel provide names that tests defined and a student's cell mentions."""
        released = self._test_names & names
        self._test_names -= released
        self._names_to_forget |= released

    def close(self) -> None:
        """End the kernel."""
        if self._kernel:
            self._kernel.close()

    def _run(self, name: str, source: str, blocks: Sequence[Any] = (), **fields: Any) -> CellResult:
        """Run a cell, forward its requests to the student kernel, and return its result."""
        assert self._kernel is not None
        end = min(time.monotonic() + self.limits.cell_seconds, self.deadline + GRACE_SECONDS)
        start, student_before = time.perf_counter(), self.student.seconds
        header = {"op": "run", "name": name, "source": source} | fields
        try:
            self._kernel.send(header, blocks)
            while True:
                try:
                    message, blocks = self._kernel.receive(max(0.0, end - time.monotonic()))
                except MessageTimeout:
                    return self._interrupt(self._kernel)
                if message["op"] == "done":
                    return CellResult.from_message(message)
                request, *arguments = blocks
                answer, blocks = self.student.answer(request, arguments, end - time.monotonic())
                self._kernel.answer(answer, blocks)
        finally:
            self.seconds += time.perf_counter() - start - (self.student.seconds - student_before)

    def _interrupt(self, kernel: Kernel) -> CellResult:
        """Stop a cell that takes too long and return its result."""
        kernel.interrupt()
        message: dict[str, Any] = {}
        with contextlib.suppress(MessageTimeout):
            message, _ = kernel.receive(GRACE_SECONDS)
            if message["op"] == "student_request":
                # The worker defers the interrupt until it has an answer, so that none stays unread.
                kernel.answer({"no_answer": "this test's time is up"})
                message, _ = kernel.receive(GRACE_SECONDS)
        if time.monotonic() > self.deadline:
            reason = "the notebook's time was up while this test ran"
        else:
            reason = f"this test ran for more than {self.limits.cell_seconds:g} s"
        stopped = CellError.stopped(reason)
        if message.get("op") == "done":
            result = CellResult.from_message(message)
            return replace(result, error=stopped, value=None, printed="")
        kernel.close()
        self._kernel = None
        return CellResult(stopped)

    def _explain_missing_names(self, result: CellResult) -> CellResult:
        """Explain in a NameError why the cell or test that should define the name did not do so.

        Only Python's own message is extended: a student's code can put any name into a message.
        """
        error = result.error
        missing = error and error.class_name == "NameError" and UNDEFINED.fullmatch(error.message)
        if not error or not missing:
            return result
        if failure := self.student.failures.get(missing[1]):
            explanation = f" ({failure})"
        elif missing[1] in self._lost_names:
            explanation = " (the process of the test that defined it has ended)"
        else:
            return result
        return replace(result, error=replace(error, message=error.message + explanation))
