"""Grading one submission in two kernels: the student's cells in one, the tests in the other.

What the student's process does can only choose which values it answers with.
"""

import math
import re
import time

from course.grading.grader_kernel import GraderKernel
from course.grading.jobs import Job, Outcome
from course.grading.names import names_in
from course.grading.student_kernel import StudentKernel
from course.kernels.host import KernelGone, shared_zygote

SETUP_CELL = "setup"
NOT_GRADED = "NotGraded"
HIDDEN = re.compile(r"^[ \t]*### BEGIN HIDDEN TESTS.*?### END HIDDEN TESTS[^\n]*\n?", re.S | re.M)


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
    deadline = time.monotonic() + job.limits.notebook_seconds
    student = StudentKernel(job, zygote, deadline)
    grader = GraderKernel(job, zygote, student, deadline)
    outcome = Outcome(job.digest())
    cells = _cells_that_count(job)
    try:
        grader.start()
        for place, cell in enumerate(cells):
            name, source = cell["grade_id"], cell["source"]
            if job.kit.is_test(name):
                test = job.kit.cells[name]
                source = without_hidden(test["source"])
                result = grader.test(name, test["source"])
                outcome.outputs[str(cell["index"])] = _test_outputs(result, test)
                # A later cell may go on with what the visible part of a test has made.
                if not _is_used(names_in(source).bound, cells[place + 1 :], job.kit):
                    continue
            error = student.run(name or f"cell {cell['index']}", source)
            if error and cell["index"] is not None and not job.kit.is_test(name):
                outcome.outputs[str(cell["index"])] = [_error_output(error)]
            if name not in grader.own_cells and not job.kit.is_test(name):
                grader.give_back(names_in(source).mentioned)
    finally:
        student.close()
        grader.close()
    outcome.reason = student.reason
    outcome.seconds = time.perf_counter() - start
    outcome.cell_seconds = student.seconds + grader.seconds
    return outcome


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


def _is_used(names, cells, kit):
    """Return whether one of the cells may use one of the names as it finds it."""
    for cell in cells:
        if not kit.is_test(cell["grade_id"]):
            used = names_in(cell["source"])
            if used.opaque or used.needed & names:
                return True
    return False


def _test_outputs(result, test):
    """Return the outputs of a test cell: what it printed, and its error or its partial credit."""
    outputs = []
    if result["printed"]:
        outputs.append(_plain(name="stdout", text=result["printed"], output_type="stream"))
    if result["error"]:
        hidden = HIDDEN.search(test["source"])
        line = result["error"]["line"]
        if hidden and line and result["error"].get("from_student"):
            first = test["source"].count("\n", 0, hidden.start()) + 1
            if line >= first:
                # A student's function may have put there what the hidden tests handed in.
                result["error"]["message"] = "(its message is not shown)"
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
