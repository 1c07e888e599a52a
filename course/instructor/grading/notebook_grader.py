"""Grading of one submission in two kernels: the student's cells in one, the tests in the other.

The student's process can influence the tests only through the values in its answers.
"""

import contextlib
import math
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nbformat.v4 import new_output

from course.instructor.analysis.cell_dependencies import any_cell_needs, find_required_cells
from course.instructor.analysis.cell_names import find_names, find_names_in_submission
from course.instructor.grading import redaction
from course.instructor.grading.grader_kernel import CellResult, GraderKernel
from course.instructor.grading.job import CodeCell, GradingJob, LockedCellError, Outcome
from course.instructor.grading.reference_notebook import ReferenceNotebook
from course.instructor.grading.student_kernel import StudentKernel
from course.instructor.grading.text_budget import TextBudget
from course.instructor.sandbox.cell_error import CellError
from course.instructor.sandbox.forkserver_client import shared_forkserver
from course.instructor.sandbox.kernel_client import KernelEnded
from course.instructor.student_text import code_analysis

if TYPE_CHECKING:
    from course.instructor.sandbox.forkserver_client import Forkserver

SETUP_CELL = "setup"
NOT_GRADED = "NotGraded"  # the error name in every test cell of a submission that cannot be run


def grade_json(text: str) -> str:
    """Grade a job and return its outcome, both as JSON text, which any executor can send."""
    return grade(GradingJob.from_json(text)).to_json()


def grade(job: GradingJob) -> Outcome:
    """Grade a job with this process's forkserver; retry once if the forkserver has ended."""
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

    If there are hidden tests and points are lost, the cells and the visible lines of the tests are
    run again without the hidden tests, to find out what the student may see; this second run does
    not change the points. Raises LockedCellError if one of the assignment's locked cells fails; the
    submission may be the cause. Raises KernelEnded if a kernel cannot be started.
    """
    start = time.perf_counter()
    with code_analysis.analyzed(_students_sources(job)):
        forkserver.wait_until_ready()
        deadline = time.monotonic() + job.settings.limits.notebook_seconds
        run = _Run(job, forkserver, deadline)
        run.execute()
        visible_run = None
        has_time = time.monotonic() < deadline
        # A process that received a hidden input could pass it on to a process of the second run.
        if run.has_hidden_tests and run.loses_points and has_time and run.student.is_gone:
            visible_run = _Run(job, forkserver, deadline, graded_run=run)
            # If this run fails, the feedback page shows less; the points are known.
            with contextlib.suppress(LockedCellError, KernelEnded):
                visible_run.execute()
        outcome = Outcome(job.digest(), _outputs(run, visible_run))
    notes = [run.student.problem]
    if job.skipped_files:
        skipped = ", ".join(job.skipped_files)
        reason = "they are too large, too many, or nested too deeply"
        notes.insert(0, f"these files were skipped because {reason}: {skipped}")
    outcome.note = " ".join(filter(None, notes)) or None
    outcome.seconds = time.perf_counter() - start
    outcome.cell_seconds = sum(each.seconds for each in (run, visible_run) if each)
    outcome.test_seconds = run.test_seconds
    return outcome


def _students_sources(job: GradingJob) -> list[str]:
    """Return the sources of the code cells that are not unchanged cells of the assignment."""
    own = {record["source"] for record in job.reference.cells.values()}
    return [
        cell["source"]
        for cell in job.cells
        if cell["source"] not in own and not job.reference.is_unchanged(cell)
    ]


class _Run:
    """One run of a submission: its cells in a student kernel, its tests in a grader kernel.

    If `graded_run`, the run with the hidden tests, is given, this run executes only the visible
    lines of tests, and only the cells and tests that `graded_run` completed. No hidden input is
    passed to it; some bits can still reach it through what both runs share, such as the clock.
    `cell_errors` and `results` contain the errors of the cells and the results of the tests, by
    position in `cells`.
    """

    def __init__(
        self,
        job: GradingJob,
        forkserver: "Forkserver",
        deadline: float,
        graded_run: "_Run | None" = None,
    ) -> None:
        self.job = job
        self.cells = _relevant_cells(job)
        self.graded_run = graded_run
        self.student = StudentKernel(job, forkserver, deadline)
        self.grader = GraderKernel(job, forkserver, self.student, deadline)
        self.cell_errors: dict[int, CellError] = {}
        self.results: dict[int, CellResult] = {}
        self.test_seconds: dict[str, float] = {}  # by grade id
        self.has_run: set[int] = set()  # positions of the student cells that were run

    @property
    def seconds(self) -> float:
        """How long the code in both kernels has run."""
        return self.student.seconds + self.grader.seconds

    @property
    def has_hidden_tests(self) -> bool:
        """Whether a test has hidden lines."""
        tests = (self.test(position) for position in range(len(self.cells)))
        return any(test and redaction.hidden_lines(test["source"]) for test in tests)

    @property
    def loses_points(self) -> bool:
        """Whether a test has awarded less than all of its points."""
        for position, result in self.results.items():
            test = self.test(position)
            points = _partial_credit(result, test) if test else None
            if result.error or (test and points is not None and points < test["points"]):
                return True
        return False

    def test(self, position: int) -> dict[str, Any] | None:
        """Return the record of the test at a position, or None for another cell."""
        name = self.cells[position]["grade_id"]
        is_test = name is not None and self.job.reference.is_test(name)
        return self.job.reference.cells[name] if is_test and name else None

    def execute(self) -> None:
        """Run the relevant cells in order, and end the kernels."""
        try:
            self.grader.start()
            required = find_required_cells(self.cells, self._reference())
            for position, cell in enumerate(self.cells):
                if test := self.test(position):
                    self._run_test(position, test)
                elif position not in required:
                    self.student.skip_cell(_display_name(cell), cell["source"])
                elif not self.graded_run or self.graded_run.has_completed(position):
                    self._run_cell(position)
        finally:
            self.student.close()
            self.grader.close()

    def _reference(self) -> ReferenceNotebook:
        """Return the reference notebook with only the lines of tests that this run executes.

        Otherwise, the choice of cells to run would show which names the hidden lines read.
        """
        reference = self.job.reference
        if not self.graded_run:
            return reference
        visible = {
            name: cell | {"source": redaction.without_hidden_tests(cell["source"])}
            for name, cell in reference.cells.items()
        }
        return replace(reference, cells=visible)

    def has_completed(self, position: int) -> bool:
        """Return whether a cell or test has run without being stopped."""
        if position in self.results:
            error = self.results[position].error
            return not error or not redaction.is_stop(error)
        error = self.cell_errors.get(position)
        return position in self.has_run and not (error and redaction.is_stop(error))

    def _run_cell(self, position: int) -> None:
        """Run a cell in the student kernel."""
        cell = self.cells[position]
        self.has_run.add(position)
        if error := self.student.run_cell(_display_name(cell), cell["source"]):
            self.cell_errors[position] = error
        if cell["grade_id"] not in self.grader.own_cells:
            self.grader.release_names(find_names_in_submission(cell["source"]).mentioned)

    def _run_test(self, position: int, test: dict[str, Any]) -> None:
        """Run a test in the grader kernel.

        If later cells need names that its visible lines define, run those lines in the student
        kernel, too.
        """
        name = _display_name(self.cells[position])
        visible = redaction.without_hidden_tests(test["source"])
        result, start = None, time.perf_counter()
        if not self.graded_run:
            result = self.grader.run_test(name, test["source"])
        elif self.graded_run.has_completed(position):
            result = self.grader.run_test(name, visible)
        self.test_seconds[self.cells[position]["grade_id"] or name] = time.perf_counter() - start
        if result:
            error = result.error and redaction.with_students_class(result.error)
            self.results[position] = replace(result, error=error)
        later = self.cells[position + 1 :]
        if any_cell_needs(find_names(visible).bound, later, self.job.reference):
            self.student.run_cell(name, visible)


def _outputs(run: _Run, visible_run: _Run | None) -> dict[str, list[dict[str, Any]]]:
    """Return the outputs of cells and tests by index in the notebook, within budgets of text.

    What pages show has a separate budget, because it must not depend on the run with hidden tests.
    """
    outputs = {}
    complete, shown = TextBudget(), TextBudget()
    redactor = redaction.Redactor(run.job)
    has_hidden_tests = run.has_hidden_tests
    # A stop in the second run, which has only the remaining time, does not explain lost points.
    visible_errors = {
        position: error
        for position, error in (visible_run.cell_errors if visible_run else {}).items()
        if not redaction.is_stop(error)
    }
    visible_results = {
        position: result
        for position, result in (visible_run.results if visible_run else {}).items()
        if not (result.error and redaction.is_stop(result.error))
    }
    failures = visible_run.student.failures if visible_run else {}
    # The tests come first, so that errors of other cells cannot use up their budget.
    for position in sorted(range(len(run.cells)), key=lambda each: each not in run.results):
        cell = run.cells[position]
        if cell["index"] is None:
            continue
        error, result = run.cell_errors.get(position), run.results.get(position)
        if result:
            test = run.test(position)
            assert test is not None
            if has_hidden_tests:
                visible = visible_results.get(position)
                view = redactor.test_view(test["source"], result, visible, failures)
            else:
                view = redaction.clean_view(result)
            full = [complete.limit(output) for output in _test_outputs(result, test)]
            outputs[str(cell["index"])] = [*full, shown.limit(view)]
        elif error or position in visible_errors:
            visible_error = visible_errors.get(position) if has_hidden_tests else error
            view = shown.limit(redaction.cell_view(error, visible_error))
            output = complete.limit(_error_output(error)) if error else None
            outputs[str(cell["index"])] = [redaction.grading_error_output(output, view)]
    return outputs


def not_graded(job: GradingJob, reason: str) -> Outcome:
    """Return the outcome of a job that cannot be run: each test fails with the reason."""
    output = _error_output(CellError(NOT_GRADED, reason))
    outputs = {
        str(cell["index"]): [output]
        for cell in job.cells
        if job.reference.is_test(cell["grade_id"])
    }
    return Outcome(job.digest(), outputs, reason, is_graded=False)


def _relevant_cells(job: GradingJob) -> list[CodeCell]:
    """Return the cells up to the last test, because later ones cannot change a score.

    The reference's parameters are inserted before the setup cell, or first if there is none,
    because a student may have changed the parameters in the notebook.
    """
    ends = [end for end, cell in enumerate(job.cells, 1) if job.reference.is_test(cell["grade_id"])]
    cells = job.cells[: max(ends, default=0)]
    ids = [cell["grade_id"] for cell in cells]
    parameters = CodeCell(index=None, grade_id=None, source=job.reference.parameters)
    position = ids.index(SETUP_CELL) if SETUP_CELL in ids else 0
    return [*cells[:position], parameters, *cells[position:]]


def _display_name(cell: CodeCell) -> str:
    """Return the name used for a cell in messages."""
    return cell["grade_id"] or f"cell {(cell['index'] or 0) + 1}"


def _partial_credit(result: CellResult, test: dict[str, Any]) -> float | None:
    """Return the points that the value of a test's last line awards; None without partial credit.

    They are rounded to hundredths, because further digits could contain a hidden input.
    """
    if result.value is None or not test.get("partial"):
        return None
    points = float(result.value)
    return 0.0 if math.isnan(points) else round(min(max(points, 0.0), test["points"]), 2)


def _test_outputs(result: CellResult, test: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the outputs of a test cell: its printed text, and its error or partial credit."""
    outputs: list[dict[str, Any]] = []
    points = _partial_credit(result, test)
    if result.printed:
        outputs.append(new_output("stream", text=result.printed))
    if result.error:
        outputs.append(_error_output(result.error))
    elif points is not None:
        outputs.append(new_output("execute_result", {"text/plain": repr(points)}))
    return outputs


def _error_output(error: CellError) -> dict[str, Any]:
    """Return an error as a notebook output."""
    title = "Not yet" if error.class_name == "CheckFailed" else error.class_name
    lines = [f"line {error.line}: {error.source_line}"] if error.line else []
    traceback = [*lines, f"{title}: {error.message}"]
    return new_output("error", ename=error.class_name, evalue=error.message, traceback=traceback)
