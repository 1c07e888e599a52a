"""Grading of one submission in two kernels: the student's cells in one, the tests in the other.

The student's process can choose only the values in its answers.
"""

import math
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nbformat.v4 import new_output

from course.instructor.analysis.cell_dependencies import any_cell_needs, find_required_cells
from course.instructor.analysis.cell_names import find_names
from course.instructor.grading import redaction
from course.instructor.grading.grader_kernel import CellResult, GraderKernel
from course.instructor.grading.job import CodeCell, GradingJob, Outcome
from course.instructor.grading.student_kernel import StudentKernel
from course.instructor.sandbox.cell_error import CellError
from course.instructor.sandbox.forkserver_client import shared_forkserver
from course.instructor.sandbox.kernel_client import KernelEnded

if TYPE_CHECKING:
    from course.instructor.sandbox.forkserver_client import Forkserver

SETUP_CELL = "setup"
NOT_GRADED = "NotGraded"  # the error name in every test cell of a submission that cannot be run


def grade_json(text: str) -> str:
    """Grade a job and return its outcome, both as JSON text, for any executor."""
    return grade(GradingJob.from_json(text)).to_json()


def grade(job: GradingJob) -> Outcome:
    """Grade a job with this process's forkserver; retry once if the forkserver ends meanwhile."""
    forkserver = _forkserver(job)
    try:
        return grade_with(forkserver, job)
    except KernelEnded:
        if forkserver.alive:
            raise
        return grade_with(_forkserver(job), job)


def _forkserver(job: GradingJob) -> "Forkserver":
    """Return this process's forkserver for a job."""
    return shared_forkserver(
        job.settings.isolated, job.settings.devices, uses_keras=job.reference.uses_keras
    )


def grade_with(forkserver: "Forkserver", job: GradingJob) -> Outcome:
    """Run a submission's cells up to the last test and return the outcome.

    Raises CourseError if one of the assignment's locked cells fails, so that no submission can be
    graded.
    """
    start = time.perf_counter()
    grading = _Grading(job, forkserver)
    try:
        grading.run()
    finally:
        grading.student.close()
        grading.grader.close()
    outcome = grading.outcome
    notes = [grading.student.problem]
    if job.skipped_files:
        skipped = ", ".join(job.skipped_files)
        notes.insert(0, f"these files were skipped because they are too large: {skipped}")
    outcome.note = " ".join(filter(None, notes)) or None
    outcome.seconds = time.perf_counter() - start
    outcome.cell_seconds = grading.student.seconds + grading.grader.seconds
    return outcome


class _Grading:
    """The state of one grading: a submission and its two kernels."""

    def __init__(self, job: GradingJob, forkserver: "Forkserver") -> None:
        deadline = time.monotonic() + job.settings.limits.notebook_seconds
        self.job = job
        self.redactor = redaction.ErrorRedactor(job)
        self.student = StudentKernel(job, forkserver, deadline, self.redactor)
        self.grader = GraderKernel(job, forkserver, self.student, deadline)
        self.outcome = Outcome(job.digest())

    def run(self) -> None:
        """Run the relevant cells in order."""
        reference = self.job.reference
        cells = _relevant_cells(self.job)
        required = find_required_cells(cells, reference)
        self.grader.start()
        for position, cell in enumerate(cells):
            name = cell["grade_id"]
            if name is not None and reference.is_test(name):
                self._run_test(name, cell)
                # A later cell may use what the visible part of a test defines.
                visible = redaction.without_hidden_tests(reference.cells[name]["source"])
                if any_cell_needs(find_names(visible).bound, cells[position + 1 :], reference):
                    self.student.run_cell(name, visible)
            elif position in required:
                self._run_student_cell(cell)
            else:
                self.student.skip_cell(_display_name(cell), cell["source"])

    def _run_student_cell(self, cell: CodeCell) -> None:
        """Run a cell in the student kernel and record its error."""
        error = self.student.run_cell(_display_name(cell), cell["source"])
        if error and cell["index"] is not None:
            output = redaction.grading_error_output(_error_output(error))
            self.outcome.outputs[str(cell["index"])] = [output]
        if cell["grade_id"] not in self.grader.own_cells:
            self.grader.release_names(find_names(cell["source"]).mentioned)

    def _run_test(self, name: str, cell: CodeCell) -> None:
        """Run a test cell in the grader kernel and record its outputs."""
        record = self.job.reference.cells[name]
        source = record["source"]
        result = self.grader.run_test(name, source)
        # The static analysis found that this test does not depend on a skipped cell; before points
        # are lost, run all cells to verify that.
        if result.error and self.student.run_skipped():
            result = self.grader.run_test(name, source)
        if result.error:
            result = replace(result, error=self.redactor.redact_test_error(result.error, source))
        self.redactor.record_test(source)
        view = redaction.student_view_output(
            source, result.error, result.student_printed, result.items
        )
        self.outcome.outputs[str(cell["index"])] = [*_test_outputs(result, record), view]


def not_graded(job: GradingJob, reason: str) -> Outcome:
    """Return the outcome of a job that cannot be run: each test fails with the reason."""
    output = _error_output(CellError(NOT_GRADED, reason))
    outputs = {
        str(cell["index"]): [output]
        for cell in job.cells
        if job.reference.is_test(cell["grade_id"])
    }
    return Outcome(job.digest(), outputs, reason)


def _relevant_cells(job: GradingJob) -> list[CodeCell]:
    """Return the cells up to the last test, because later ones cannot change a score.

    The reference's parameters are inserted before the setup cell: a student may have changed them.
    """
    ends = [end for end, cell in enumerate(job.cells, 1) if job.reference.is_test(cell["grade_id"])]
    cells = job.cells[: max(ends, default=0)]
    ids = [cell["grade_id"] for cell in cells]
    parameters = CodeCell(index=None, grade_id=None, source=job.reference.parameters)
    position = ids.index(SETUP_CELL) if SETUP_CELL in ids else 0
    return [*cells[:position], parameters, *cells[position:]]


def _display_name(cell: CodeCell) -> str:
    """Return the name used for a cell in messages."""
    return cell["grade_id"] or f"cell {cell['index']}"


def _test_outputs(result: CellResult, record: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the outputs of a test cell: its printed text, and its error or partial credit."""
    outputs: list[dict[str, Any]] = []
    if result.printed:
        outputs.append(new_output("stream", text=result.printed))
    if result.error:
        outputs.append(_error_output(result.error))
    elif result.value is not None and record.get("partial"):
        points = float(result.value)
        points = 0.0 if math.isnan(points) else min(max(points, 0.0), record["points"])
        outputs.append(new_output("execute_result", {"text/plain": repr(points)}))
    return outputs


def _error_output(error: CellError) -> dict[str, Any]:
    """Return an error as a notebook output."""
    title = "Not yet" if error.class_name == "CheckFailed" else error.class_name
    lines = [f"line {error.line}: {error.source_line}"] if error.line else []
    traceback = [*lines, f"{title}: {error.message}"]
    return new_output("error", ename=error.class_name, evalue=error.message, traceback=traceback)
