"""The student's side of a grading, as the caller sees it; it survives the death of its kernel."""

import time

from course.instructor.analysis.cell_names import names_in
from course.instructor.sandbox.execute import printable
from course.instructor.sandbox.kernel_client import KernelGone

MAX_RESTARTS = 2
HANDLES_A_KERNEL = 1_000_000
STOPPED = "Stopped"


class StudentKernel:
    """Runs a student's cells and answers the grader's questions.

    A cell that ends its process, or has to be ended with it, costs itself: a new process runs the
    other cells again, a few times at most.

    Parameters
    ----------
    job : Job
        The submission.
    zygote : Zygote
        Forks the kernels.
    deadline : float
        When the notebook's time is up, in `time.monotonic` seconds.
    reasons : Reasons
        Decides which words of its errors may be shown.

    Attributes
    ----------
    reason : str or None
        What befell the submission as a whole, in one sentence.
    seconds : float
        How long its cells and functions ran.
    """

    def __init__(self, job, zygote, deadline, reasons):
        self.job = job
        self.zygote = zygote
        self.deadline = deadline
        self.reasons = reasons
        self.reason = None
        self.seconds = 0.0
        self._kernel = None
        self._starts = 0
        self._kernels = 0
        self._done = []  # (name, source) of the cells that ran to an end
        self._in_vain = False
        self._skipped = []  # (how many had run before, name, source)
        self._failed = {}  # name that a failed cell would have bound -> what became of the cell

    def run(self, name, source):
        """Run a cell and return its error as it may be shown, or None."""
        if not self._ensure():
            return self._lost()
        try:
            error = self._run(name, source)
        except KernelGone as gone:
            self._kernel = None
            error = self._problem(STOPPED, f"this cell ended its process: {gone}")
        else:
            # One that was stopped is not run again in another process: it would be again.
            if not error or error["class"] != STOPPED:
                self._done.append((name, source))
        if error:
            error = self.reasons.of_cell(error)
            for bound in names_in(source).bound:
                self._failed[bound] = f"{name} ended with {error['class']}: {error['message']}"
        return error

    def skip(self, name, source):
        """Leave a cell out, for now; once leaving out has been in vain, run it."""
        if self._in_vain:
            self.run(name, source)
            return
        self._skipped.append((len(self._done), name, source))

    def run_what_was_skipped(self):
        """Run every cell from the first on, those left out too; return whether any was."""
        if not self._skipped:
            return False
        for place, name, source in reversed(self._skipped):
            self._done.insert(place, (name, source))
        self._skipped = []
        self._in_vain = True
        self.close()
        self._kernel = None
        self._starts -= 1  # this is no death
        return True

    def fetch(self, names):
        """Return the nodes and blocks of those of the names that the student has defined."""
        if not names or not self._ensure():
            return {}, []
        question = {"op": "fetch", "names": sorted(names)}
        try:
            answer, blocks = self._ask(question, (), self.job.limits.call_seconds)
        except KernelGone:
            self._kernel = None
            return {}, []
        values = answer.get("values")
        if not isinstance(values, dict):
            return {}, []
        # Not one name more than was asked for: its process might send a function called abs.
        return {name: values[name] for name in names if name in values}, blocks

    def answer(self, question, blocks, seconds):
        """Return the answer to a question of the grader's, with its blocks.

        Where there is none, the answer says in "gone" why.
        """
        seconds = max(0.1, min(seconds, self.job.limits.call_seconds))
        if not self._ensure():
            return {"gone": self.reason or "the process that runs your cells has ended"}, []
        try:
            answer, blocks = self._ask(question, blocks, seconds)
        except KernelGone as gone:
            self._kernel = None
            return {"gone": f"this call ended the process: {gone}"}, []
        if answer.pop("late") and "raised" in answer:
            return {"gone": f"this call was stopped after {seconds:.3g} s"}, []
        answer.pop("gone", None)
        return answer, blocks

    def why_missing(self, name):
        """Return what became of the cell that should have defined a name, or None."""
        return self._failed.get(name)

    def close(self):
        """End the kernel."""
        if self._kernel:
            self._kernel.close()

    def _ensure(self):
        """Return whether there is a kernel that has run what ran before; start one if need be."""
        while self._kernel is None:
            if self._starts > MAX_RESTARTS or time.monotonic() > self.deadline:
                self.reason = self.reason or "its process ended too often, or its time was up"
                return False
            self._kernel = self.zygote.kernel(
                "course.instructor.grading.student_worker", self.job.limits, self.job.files
            )
            self._starts += 1
            self._kernels += 1
            again = self._done
            self._done = []
            for name, source in again:
                try:
                    self._run(name, source)
                except KernelGone:
                    self._kernel = None
                    self._done += [each for each in again if each[0] != name][len(self._done) :]
                    break
                self._done.append((name, source))
        return True

    def _run(self, name, source):
        seconds = min(self.job.limits.cell_seconds, self.deadline - time.monotonic())
        if seconds <= 0:
            self.reason = f"the notebook ran for more than {self.job.limits.notebook_seconds:g} s"
            return self._problem(STOPPED, f"this cell was not run: {self.reason}")
        answer, _ = self._ask({"op": "run", "name": name, "source": source}, (), seconds)
        error = answer.get("error")
        if not error:
            return None
        if answer["late"]:
            return self._problem(STOPPED, f"this cell ran for more than {seconds:.3g} s")
        return _described(error, source)

    def _ask(self, question, blocks, seconds):
        start = time.perf_counter()
        try:
            first = self._kernels * HANDLES_A_KERNEL
            return self._kernel.ask(question | {"first_handle": first}, blocks, seconds)
        finally:
            self.seconds += time.perf_counter() - start

    def _lost(self):
        return self._problem(STOPPED, f"this cell was not run: {self.reason}")

    @staticmethod
    def _problem(kind, message):
        return {"class": kind, "message": message, "line": None, "text": ""}


def _described(error, source):
    """Return an error as a student's process describes it, who may send anything."""
    error = error if isinstance(error, dict) else {}
    line, lines = error.get("line"), source.splitlines()
    line = line if type(line) is int and 0 < line <= len(lines) else None
    return {
        "class": _plain(error.get("class"), 100) or "an error",
        "message": _plain(error.get("message"), 4000),
        "line": line,
        "text": printable(lines[line - 1].strip())[:200] if line else "",
        "from_student": True,
    }


def _plain(text, length):
    return printable(text[: 4 * length])[:length] if isinstance(text, str) else ""
