"""The grader's side of a grading, as the caller sees it."""

import contextlib
import time

from course.errors import CourseError
from course.instructor.analysis.cell_names import names_in
from course.instructor.sandbox.kernel_client import GRACE_SECONDS, KernelGone
from course.instructor.sandbox.messages import Silence


class GraderKernel:
    """Runs the assignment's locked cells, then its tests on what the student kernel answers.

    Parameters
    ----------
    job : Job
        The submission.
    zygote : Zygote
        Forks the kernel.
    student : StudentKernel
        Answers its questions.
    deadline : float
        When the notebook's time is up, in `time.monotonic` seconds.
    """

    def __init__(self, job, zygote, student, deadline):
        self.job = job
        self.zygote = zygote
        self.student = student
        self.deadline = deadline
        self.seconds = 0.0
        self._kernel = None
        self._locked_names = set()  # modules, helpers, data: the grader's for ever
        self._test_names = set()  # made by tests: the grader's until a student's cell mentions them
        self._made_by = {}  # name of a test -> what it added to these
        self._lost = set()  # made by tests, and gone with the process
        self._forget = set()
        self.own_cells = set()  # grade ids of the locked cells that the grader runs itself

    def start(self):
        """Start the kernel and run the locked cells that need nothing of the student's.

        Raises
        ------
        CourseError
            If one of them fails.
        """
        kit = self.job.kit
        provided = set(self.job.provided)
        files = {
            own: [file for file in self.job.files if (file[0] in provided) is own]
            for own in (True, False)
        }
        self._kernel = self.zygote.kernel(
            "course.instructor.grading.grader_worker", self.job.limits, files[True]
        )
        sources = {cell["grade_id"]: cell["source"] for cell in self.job.cells if cell["grade_id"]}
        locked = [("parameters", kit.parameters)]
        locked += [
            (name, kit.cells[name]["source"]) for name in kit.order if kit.is_locked_code(name)
        ]
        for name, source in locked:
            names = names_in(source)
            if names.needed <= self._locked_names:
                result = self._run(name, source, {}, (), {"sources": sources})
                if result["error"]:
                    raise CourseError(
                        f"the locked cell {name} of {self.job.assignment} fails in grading"
                        f" ({result['error']['class']}: {result['error']['message']}): mend it in"
                        " source/ and run course release."
                    )
                self._locked_names |= names.bound
                self.own_cells.add(name)
        # Only now: among a student's files could be one that makes a locked cell fail.
        with contextlib.suppress(KernelGone):
            self._kernel.put(files[False])

    def test(self, name, source):
        """Run a test cell.

        Returns
        -------
        dict
            "printed", "error" and "value" as `shell.run_cell` has them.
        """
        if time.monotonic() > self.deadline:
            limit = self.job.limits.notebook_seconds
            return _failure(f"the notebook ran for more than {limit:g} s before this test")
        used = names_in(source)
        # One that is run again begins as it did before.
        self._test_names -= self._made_by.pop(name, set())
        self._made_by[name] = used.bound - self._locked_names - self._test_names
        try:
            if self._kernel is None:
                self.start()
            needed = used.needed - self._locked_names - self._test_names
            values, blocks = self.student.fetch(needed)
            forget = (self._forget | needed) - values.keys()
            self._forget = set()
            result = self._run(name, source, values, blocks, {"forget": sorted(forget)})
        except KernelGone as gone:
            self._kernel = None
            result = _failure(f"what this test was handed ended the grader's process: {gone}")
        # Also where the process has ended: a student's process may have ended it, to hand over
        # values of its own for these names.
        self._test_names |= self._made_by[name]
        if self._kernel is None:
            self._lost |= self._test_names
        return self._explained(result)

    def give_back(self, names):
        """Let the student own those of the names that tests made and a student's cell mentions."""
        given = self._test_names & names
        self._test_names -= given
        self._forget |= given

    def close(self):
        """End the kernel."""
        if self._kernel:
            self._kernel.close()

    def _run(self, name, source, values, blocks, more):
        limits = self.job.limits
        end = min(time.monotonic() + limits.cell_seconds, self.deadline + GRACE_SECONDS)
        start, student_before = time.perf_counter(), self.student.seconds
        header = {"op": "run", "name": name, "source": source, "values": values} | more
        try:
            self._kernel.tell(header, blocks)
            while True:
                try:
                    message, blocks = self._kernel.hear(max(0.0, end - time.monotonic()))
                except Silence:
                    message = self._interrupted(limits.cell_seconds)
                if message["op"] == "done":
                    return message
                answer, blocks = self.student.answer(
                    message["question"], blocks, end - time.monotonic()
                )
                self._kernel.tell(answer, blocks)
        finally:
            self.seconds += time.perf_counter() - start - (self.student.seconds - student_before)

    def _interrupted(self, seconds):
        """Stop a test that takes too long and return its result."""
        self._kernel.interrupt()
        message = {}
        with contextlib.suppress(Silence):
            message, _ = self._kernel.hear(GRACE_SECONDS)
            if message["op"] == "ask":
                # The interrupt waits for the answer, so that none stays on the way.
                self._kernel.tell({"gone": "the time of this test is up"})
                message, _ = self._kernel.hear(GRACE_SECONDS)
        if message.get("op") != "done":
            self._kernel.close()
            self._kernel = None
            return {"op": "done"} | _failure(f"this test ran for more than {seconds:g} s")
        return message | _failure(f"this test ran for more than {seconds:g} s")

    def _explained(self, result):
        """Say of a missing name what became of the cell that should have defined it."""
        error = result["error"]
        if error and error["class"] == "NameError":
            for name in error["message"].split("'")[1::2]:
                if why := self.student.why_missing(name):
                    error["message"] += f" (the cell {why})"
                elif name in self._lost:
                    error["message"] += " (the test that made it ended with its process)"
        return result


def _failure(message):
    where = {"line": None, "lines": [], "text": "", "in_cell": False}
    error = {"class": "Stopped", "message": message, "parts": None, **where}
    return {"printed": "", "error": error, "value": None}
