"""Grading one submission in two kernels: the student's cells in one, the tests in the other.

What the student's process does can only choose which values it answers with.
"""

import math
import time

from course.instructor.analysis.cell_names import names_in
from course.instructor.analysis.dependencies import cells_that_matter, is_used
from course.instructor.grading import telling
from course.instructor.grading.grader_kernel import GraderKernel
from course.instructor.grading.job import Job, Outcome
from course.instructor.grading.redaction import HIDDEN, Reasons
from course.instructor.grading.student_kernel import StudentKernel
from course.instructor.sandbox.forkserver_client import shared_zygote
from course.instructor.sandbox.kernel_client import KernelGone

SETUP_CELL = "setup"
NOT_GRADED = "NotGraded"


def grade_job(text):
    """Grade a job and return its outcome; both as JSON text, for any executor."""
    return grade_here(Job.from_json(text)).to_json()


def grade_here(job):
    """Grade a job with this process's zygote; once more with a new one, should that have ended."""
    zygote = shared_zygote(job.isolated, job.devices)
    try:
        return grade(job, zygote)
    except KernelGone:
        if zygote.alive:
            raise
        return grade(job, shared_zygote(job.isolated, job.devices))


def grade(job, zygote):
    """Run a submission's cells up to the last test and return what came of it.

    Parameters
    ----------
    job : Job
        The submission.
    zygote : Zygote
        Forks the two kernels.

    Returns
    -------
    Outcome

    Raises
    ------
    CourseError
        If the assignment's own locked cells fail: no submission can be graded then.
    """
    start = time.perf_counter()
    grading = _Grading(job, zygote)
    try:
        grading.run()
    finally:
        grading.student.close()
        grading.grader.close()
    outcome = grading.outcome
    outcome.reason = " ".join(filter(None, [_left_out(job), grading.student.reason])) or None
    outcome.seconds = time.perf_counter() - start
    outcome.cell_seconds = grading.student.seconds + grading.grader.seconds
    return outcome


class _Grading:
    """A submission between its two kernels."""

    def __init__(self, job, zygote):
        deadline = time.monotonic() + job.limits.notebook_seconds
        self.job = job
        self.reasons = Reasons(job)
        self.student = StudentKernel(job, zygote, deadline, self.reasons)
        self.grader = GraderKernel(job, zygote, self.student, deadline)
        self.outcome = Outcome(job.digest())

    def run(self):
        """Run the cells that count, in their order."""
        cells = _cells_that_count(self.job)
        matter = cells_that_matter(cells, self.job.kit)
        self.grader.start()
        for place, cell in enumerate(cells):
            name = cell["grade_id"]
            if self.job.kit.is_test(name):
                self._test(cell)
                # A later cell may go on with what the visible part of a test has made.
                visible = without_hidden(self.job.kit.cells[name]["source"])
                if is_used(names_in(visible).bound, cells[place + 1 :], self.job.kit):
                    self.student.run(name, visible)
            elif place in matter:
                self._run_students(cell)
            else:
                self.student.skip(_name(cell), cell["source"])

    def _run_students(self, cell):
        error = self.student.run(_name(cell), cell["source"])
        if error and cell["index"] is not None:
            self.outcome.outputs[str(cell["index"])] = [telling.while_graded(_error_output(error))]
        if cell["grade_id"] not in self.grader.own_cells:
            self.grader.give_back(names_in(cell["source"]).mentioned)

    def _test(self, cell):
        name = cell["grade_id"]
        test = self.job.kit.cells[name]
        result = self.grader.test(name, test["source"])
        # What was left out depends on nothing that this test needs, as far as can be read. Before
        # points are lost, it is not left to reading.
        if result["error"] and self.student.run_what_was_skipped():
            result = self.grader.test(name, test["source"])
        if result["error"]:
            result["error"] = self.reasons.of_test(result["error"], test["source"])
        self.reasons.note(test["source"])
        told = telling.told(result, test["source"])
        self.outcome.outputs[str(cell["index"])] = [*_test_outputs(result, test), told]


def _left_out(job):
    """Return a sentence about files that were too large to be looked at, or None."""
    if not job.left_out:
        return None
    return f"of the files beside the notebook, {', '.join(job.left_out)} was too large to be read"


def without_hidden(source):
    """Return a test cell's text as students get it."""
    return HIDDEN.sub("", source)


def not_graded(job, reason):
    """Return the outcome of a job that could not be run: each test fails with the reason."""
    outcome = Outcome(job.digest(), reason=reason)
    error = {"class": NOT_GRADED, "message": reason, "line": None, "text": ""}
    for cell in job.cells:
        if job.kit.is_test(cell["grade_id"]):
            outcome.outputs[str(cell["index"])] = [_error_output(error)]
    return outcome


def _cells_that_count(job):
    """Return the cells up to the last test, since later ones can change no score.

    The pinned parameters stand before the set-up: a student may have typed others.
    """
    tests = [place for place, cell in enumerate(job.cells) if job.kit.is_test(cell["grade_id"])]
    cells = job.cells[: tests[-1] + 1] if tests else []
    ids = [cell["grade_id"] for cell in cells]
    pinned = {"index": None, "grade_id": None, "source": job.kit.parameters}
    place = ids.index(SETUP_CELL) if SETUP_CELL in ids else 0
    return [*cells[:place], pinned, *cells[place:]]


def _name(cell):
    return cell["grade_id"] or f"cell {cell['index']}"


def _test_outputs(result, test):
    """Return the outputs of a test cell: what it printed, and its error or its partial credit."""
    outputs = []
    if result["printed"]:
        outputs.append(_plain(name="stdout", text=result["printed"], output_type="stream"))
    if result["error"]:
        outputs.append(_error_output(result["error"]))
    elif result["value"] is not None and test.get("partial"):
        points = float(result["value"])
        points = 0.0 if math.isnan(points) else min(max(points, 0.0), test["points"])
        outputs.append(
            _plain(
                output_type="execute_result",
                execution_count=None,
                data={"text/plain": repr(points)},
                metadata={},
            )
        )
    return outputs


def _error_output(error):
    text = f"{error['class']}: {error['message']}"
    if error["class"] == "CheckFailed":
        text = f"Not yet: {error['message']}"
    lines = [f"line {error['line']}: {error['text']}"] if error["line"] else []
    return _plain(
        output_type="error",
        ename=error["class"],
        evalue=error["message"],
        traceback=[*lines, text],
    )


def _plain(**content):
    return content
