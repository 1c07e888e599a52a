"""Parallel grading of a class, which saves each result immediately and can be resumed."""

from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, replace
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from course.errors import CourseError
from course.instructor.course_dir import open_api, source_notebook
from course.instructor.gradebook.submission_results import (
    SubmissionResult,
    fill_in_score,
    is_graded,
    list_students,
)
from course.instructor.grading import notebook_grader
from course.instructor.grading import submission as submissions
from course.instructor.grading.job import GradingJob, Outcome
from course.instructor.grading.journal import Journal
from course.instructor.grading.preprocessors import ExecuteIsolated
from course.instructor.grading.progress import ALREADY_GRADED
from course.instructor.grading.reference_notebook import read_reference
from course.instructor.grading.result_writer import GradebookError, ResultWriter, read_timestamp
from course.instructor.release.build import ensure_in_gradebook
from course.instructor.sandbox.cell_execution import printable
from course.instructor.sandbox.worker_pool import open_executor

MAX_NOTEBOOK_BYTES = 200 * 2**20


@dataclass(frozen=True)
class GradingOptions:
    """Options for grading.

    `workers` is the number of submissions graded in parallel (None: one per core); `scheduler` is
    the address of a Dask scheduler. `isolated` is False only if a person has turned the sandbox
    off. With `force`, submissions that have already been graded are graded again.
    """

    workers: int | None = None
    scheduler: str | None = None
    isolated: bool = True
    force: bool = False


def grade(
    root: Path, name: str, student: str | None = None, options: GradingOptions = GradingOptions()
) -> Iterator[SubmissionResult]:
    """Grade an assignment's submissions, or one student's, and yield each result once it is saved.

    The results of submissions that are already graded come first. Raises CourseError if there is no
    submission to grade, if the sandbox is not available, or if one of the assignment's locked cells
    fails.
    """
    students = list_students(root, "submitted", name, student)
    with Journal(root, name).exclusive():
        ensure_in_gradebook(root, name)
        yield from AssignmentGrader(Path(root), name, options).grade(students)


class UnreadableSubmission(Exception):
    """A submission cannot be graded; the message says why and what to do."""


class AssignmentGrader:
    """Grades the submissions for one assignment, which must be in the gradebook."""

    def __init__(self, root: Path, name: str, options: GradingOptions = GradingOptions()) -> None:
        self.root, self.name, self.options = root, name, options
        self.api = open_api(root)
        self.journal = Journal(root, name)
        self.writer = ResultWriter(root, self.api, name)
        source = source_notebook(root, name)
        self.notebook = source.stem
        settings = ExecuteIsolated(parent=self.api.coursedir.parent).settings()
        self.settings = replace(settings, isolated=settings.isolated and options.isolated)
        with self.api.gradebook as gradebook:
            self.reference = read_reference(gradebook, source)
        self.graded: set[str] = set()

    def grade(self, students: list[str]) -> Iterator[SubmissionResult]:
        """Grade the students' submissions and yield each result once it is saved."""
        self.writer.recover()
        waiting = self._select(students)
        for student in students:
            if student not in waiting:
                yield self._with_score(SubmissionResult(self.name, student, note=ALREADY_GRADED))
        # If a submission was graded but not saved when the command was killed, only save it.
        for student in list(waiting):
            if result := self._save_journaled(student):
                waiting.remove(student)
                yield result
        if waiting:
            yield from self._grade_in_parallel(waiting)

    def prepare(self, student: str) -> tuple[NotebookNode, GradingJob]:
        """Read and sanitize a submission, or raise UnreadableSubmission."""
        folder = self.root / "submitted" / student / self.name
        path = folder / f"{self.notebook}.ipynb"
        shown = path.relative_to(self.root)
        nb = _read_notebook(path, shown)
        try:
            if not submissions.has_known_cell(nb, self.reference):
                raise ValueError("no cell has its metadata: repair it with course collect")
            return nb, self._job(nb, student, [folder, self.root / "source" / self.name])
        except Exception as error:  # a notebook can be damaged in any way
            reason = _first_line(error)
            raise UnreadableSubmission(f"{shown} cannot be graded ({reason}).") from None

    def _job(self, nb: NotebookNode, student: str, folders: list[Path]) -> GradingJob:
        """Sanitize a notebook in place and return its job."""
        submissions.sanitize(nb, self.reference)
        nbformat.validate(nb)
        identity = self.name, student, self.notebook
        return submissions.make_job(nb, folders, self.reference, identity, self.settings)

    def _select(self, students: list[str]) -> list[str]:
        """Return the students to grade; resume a forced regrading that was stopped."""
        regrades = self.journal.pending_regrades() & set(students)
        if self.options.force and not regrades:
            regrades = set(students)
            for student in students:
                self.journal.discard_outcome(student)
            self.journal.set_pending_regrades(self.journal.pending_regrades() | regrades)
        self.graded = self._read_graded()
        unfinished = regrades | self.journal.students_with_outcome() | self.journal.resubmitted()
        return [each for each in students if each in unfinished or self._needs_grading(each)]

    def _save_journaled(self, student: str) -> SubmissionResult | None:
        """Save the outcome that a killed run left, unless the submission has since changed."""
        outcome = self.journal.load_outcome(student)
        if outcome is None:
            return None
        try:
            nb, job = self.prepare(student)
        except UnreadableSubmission:
            return None
        return self._save(nb, job, outcome) if outcome.digest == job.digest() else None

    def _grade_in_parallel(self, students: list[str]) -> Iterator[SubmissionResult]:
        """Grade submissions in parallel and yield each result once it is saved."""
        queue = students[::-1]
        options = self.options
        with open_executor(options.workers, options.scheduler) as (executor, workers):
            running: dict[Future[str], tuple[NotebookNode, GradingJob]] = {}
            while queue or running:
                # Prepare only a few ahead: all the notebooks of a class would fill the memory.
                while queue and len(running) < workers + 2:
                    student = queue.pop()
                    try:
                        nb, job = self.prepare(student)
                    except UnreadableSubmission as problem:
                        yield self._record_problem(student, str(problem))
                        continue
                    future = executor.submit(notebook_grader.grade_json, job.to_json())
                    running[future] = nb, job
                finished, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in finished:
                    yield self._finish(future, *running.pop(future))

    def _with_score(self, result: SubmissionResult) -> SubmissionResult:
        """Fill in a result's score from the gradebook."""
        with self.api.gradebook as gradebook:
            fill_in_score(gradebook, result)
        return result

    def _record_problem(self, student: str, problem: str) -> SubmissionResult:
        """Record zero scores with the reason; if there is an earlier result, leave it unchanged."""
        if student not in self.graded:
            nb = nbformat.v4.new_notebook()  # gets every cell of the assignment, but no answers
            job = self._job(nb, student, [])
            return self._save(nb, job, notebook_grader.not_graded(job, problem), failed=True)
        self.journal.complete(student)
        note = f"{printable(problem).rstrip('.')}; the earlier result is unchanged."
        return self._with_score(SubmissionResult(self.name, student, note=note, failed=True))

    def _finish(self, future: Future[str], nb: NotebookNode, job: GradingJob) -> SubmissionResult:
        """Save the outcome of a finished job."""
        try:
            outcome = Outcome.from_json(future.result())
        except CourseError:
            raise
        except Exception as error:
            # The submission may not be the cause: record no score, so that the next run retries.
            reason = f"{type(error).__name__}: {_first_line(error)}"
            note = f"was not graded ({reason}): run the command again."
            return SubmissionResult(self.name, job.student, note=note, failed=True)
        return self._save(nb, job, outcome)

    def _save(
        self, nb: NotebookNode, job: GradingJob, outcome: Outcome, failed: bool = False
    ) -> SubmissionResult:
        """Save an outcome and return the result."""
        student = job.student
        result = SubmissionResult(self.name, student, seconds=outcome.seconds, failed=failed)
        if outcome.note:
            result.note = printable(outcome.note) if failed else f"graded; {outcome.note}"
        try:
            self.journal.save_outcome(student, outcome)
            self.writer.save(nb, job, outcome)
        except GradebookError:
            raise  # the outcome stays in the journal
        except (CourseError, OSError) as error:
            self.journal.complete(student)
            if failed:  # not even an unanswered notebook can be saved
                result.note = f"was not graded: {_first_line(error)}"
                return result
            return self._record_problem(
                student, f"the result cannot be saved: {_first_line(error)}"
            )
        self.journal.complete(student)
        return self._with_score(result)

    def _read_graded(self) -> set[str]:
        """Return the students with a complete result: a notebook and a score for every test.

        Zeros that were recorded because a submission could not be read do not count.
        """
        found = set()
        with self.api.gradebook as gradebook:
            for submission in gradebook.find_assignment(self.name).submissions:
                student = submission.student.id
                result = self._result_folder(student) / f"{self.notebook}.ipynb"
                if not result.is_file() or not is_graded(submission):
                    continue  # a kill or a lost file left it incomplete; nbgrader's score is then 0
                if submission.score or notebook_grader.NOT_GRADED not in result.read_text("utf-8"):
                    found.add(student)
        return found

    def _needs_grading(self, student: str) -> bool:
        """Return whether a student has no result yet, or only one for an earlier submission."""
        if student not in self.graded:
            return True
        # This is nbgrader's rule for detecting a new submission.
        submitted = read_timestamp(self.root / "submitted" / student / self.name)
        graded = read_timestamp(self._result_folder(student))
        return bool(submitted and graded and submitted > graded)

    def _result_folder(self, student: str) -> Path:
        return self.root / "autograded" / student / self.name


def _read_notebook(path: Path, shown: Path) -> NotebookNode:
    """Return a submitted notebook, or raise UnreadableSubmission, which names it as `shown`."""
    if path.is_symlink() or path.parent.is_symlink() or path.parent.parent.is_symlink():
        problem = "is a link to another file: ask for the notebook itself"
    elif not path.is_file():
        found = ", ".join(sorted(each.name for each in path.parent.glob("*.ipynb")))
        problem = (
            f"is missing (found: {found or 'no notebook'}): rename the submitted notebook to"
            f" {path.name}, or use course collect"
        )
    elif path.stat().st_size > MAX_NOTEBOOK_BYTES:
        limit = MAX_NOTEBOOK_BYTES // 2**20
        problem = f"is larger than {limit} MB: ask for a notebook without outputs"
    else:
        try:
            return nbformat.read(path, as_version=4)
        except Exception as error:  # nbformat raises many types; each means an unreadable file
            reason = _first_line(error).split(": '")[0]  # parsers quote the text that they reject
            problem = f"is not a readable notebook ({reason}): ask for a new submission"
    raise UnreadableSubmission(f"{shown} {problem}.")


def _first_line(error: Exception) -> str:
    """Return the first line of an error's message, or its class name if the message is empty."""
    lines = printable(error).splitlines()
    return lines[0][:300] if lines else type(error).__name__
