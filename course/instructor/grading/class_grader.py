"""Grading a class: in parallel, saved one by one, and resumed after a kill."""

from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
from nbgrader.api import Gradebook

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
from course.instructor.grading.job import Job, Outcome
from course.instructor.grading.journal import Journal
from course.instructor.grading.preprocessors import ExecuteIsolated
from course.instructor.grading.progress import ALREADY_GRADED
from course.instructor.grading.reference_notebook import read_reference
from course.instructor.grading.result_writer import GradebookError, ResultWriter, read_timestamp
from course.instructor.release.build import ensure_in_gradebook
from course.instructor.sandbox.execute import printable
from course.instructor.sandbox.executor import open_executor

if TYPE_CHECKING:
    from nbformat import NotebookNode

MAX_NOTEBOOK_BYTES = 200 * 2**20


@dataclass(frozen=True)
class GradingOptions:
    """Options of a grading.

    `workers` is the number of submissions graded in parallel (None: one per core), `scheduler` the
    address of a Dask scheduler. `isolated` is False only if a person has turned the sandbox off.
    With `force`, submissions that are already graded are graded again.
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
    submission to grade, if the sandbox is not available, or if the assignment itself fails.
    """
    students = list_students(root, "submitted", name, student)
    with Journal(root, name).exclusive():
        ensure_in_gradebook(root, name)
        yield from _AssignmentGrader(Path(root), name, options).grade(students)


def prepare_job(root: Path, name: str, student: str) -> Job:
    """Return the job that grading one student's submission would run."""
    ensure_in_gradebook(root, name)
    return _AssignmentGrader(Path(root), name, GradingOptions()).prepare(student).job


@dataclass(frozen=True)
class _Prepared:
    """A submission ready to be graded; with a `problem`, an unanswered notebook in its place."""

    nb: "NotebookNode"
    job: Job
    problem: str | None = None


class _AssignmentGrader:
    """Grades the submissions of one assignment."""

    def __init__(self, root: Path, name: str, options: GradingOptions) -> None:
        self.root, self.name, self.options = root, name, options
        self.api = open_api(root)
        self.journal = Journal(root, name)
        self.writer = ResultWriter(root, self.api, name)
        source = source_notebook(root, name)
        self.notebook = source.stem
        self.settings = ExecuteIsolated(parent=self.api.coursedir.parent).settings()
        if not options.isolated:
            self.settings = replace(self.settings, isolated=False)
        with Gradebook(self.api.coursedir.db_url) as gradebook:
            self.reference = read_reference(gradebook, source, name, self.notebook)
        self.graded: set[str] = set()

    def grade(self, students: list[str]) -> Iterator[SubmissionResult]:
        """Grade the students' submissions and yield each result once it is saved."""
        self.writer.recover()
        waiting = self._select(students)
        for student in students:
            if student not in waiting:
                yield self._with_score(SubmissionResult(self.name, student, note=ALREADY_GRADED))
        # A submission that was graded but not saved when the command was killed is only saved.
        for student in list(waiting):
            if result := self._save_journaled(student):
                waiting.remove(student)
                yield result
        if waiting:
            yield from self._grade_in_parallel(waiting)

    def prepare(self, student: str) -> _Prepared:
        """Read and sanitize a student's submission."""
        folder = self.root / "submitted" / student / self.name
        path = folder / f"{self.notebook}.ipynb"
        problem = _file_problem(path, self.root)
        if problem is None:
            try:
                nb = nbformat.read(path, as_version=4)
                if not submissions.has_known_cell(nb, self.reference):
                    raise ValueError("no cell has its metadata: repair it with course collect")
                submissions.sanitize(nb, self.reference)
                nbformat.validate(nb)
                folders = submissions.file_folders(self.root, folder, self.name)
                return _Prepared(nb, self._job(nb, student, folders))
            except Exception as error:  # a notebook can be damaged in any way
                shown = path.relative_to(self.root)
                problem = f"{shown} cannot be graded ({_first_line(error)})."
        return self._unanswered(student, problem)

    def _unanswered(self, student: str, problem: str) -> _Prepared:
        """Return the released notebook, without any answer, in place of a submission."""
        nb = nbformat.v4.new_notebook()
        submissions.sanitize(nb, self.reference)
        return _Prepared(nb, self._job(nb, student, []), problem)

    def _job(self, nb: "NotebookNode", student: str, folders: list[Path]) -> Job:
        identity = self.name, student, self.notebook
        return submissions.make_job(nb, folders, self.reference, identity, self.settings)

    def _select(self, students: list[str]) -> list[str]:
        """Return the students to grade; a forced grading that was stopped resumes."""
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
        """Save the outcome that a killed run left, unless the submission has changed since."""
        outcome = self.journal.load_outcome(student)
        if outcome is None:
            return None
        prepared = self.prepare(student)
        if prepared.problem or outcome.digest != prepared.job.digest():
            return None
        return self._save(student, prepared, outcome)

    def _grade_in_parallel(self, students: Iterable[str]) -> Iterator[SubmissionResult]:
        """Grade submissions in parallel and yield each result once it is saved."""
        queue = list(students)[::-1]
        options = self.options
        with open_executor(options.workers, options.scheduler) as (executor, workers):
            running: dict[Future[str], tuple[str, _Prepared]] = {}
            while queue or running:
                # Prepare only a few ahead: the notebooks of a class would fill the memory.
                while queue and len(running) < workers + 2:
                    student = queue.pop()
                    prepared = self.prepare(student)
                    if prepared.problem:
                        yield self._record_problem(student, prepared.problem)
                        continue
                    job = prepared.job.to_json()
                    future = executor.submit(notebook_grader.grade_json, job)
                    running[future] = student, prepared
                finished, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in finished:
                    yield self._finish(future, *running.pop(future))

    def _with_score(self, result: SubmissionResult) -> SubmissionResult:
        """Fill in a result's score from the gradebook."""
        with self.api.gradebook as gradebook:
            fill_in_score(gradebook, result)
        return result

    def _record_problem(self, student: str, problem: str) -> SubmissionResult:
        """Record zeros with their reason; an earlier result stays unchanged instead."""
        if student not in self.graded:
            prepared = self._unanswered(student, problem)
            outcome = notebook_grader.not_graded(prepared.job, problem)
            return self._save(student, prepared, outcome, failed=True)
        self.journal.complete(student)
        note = f"{printable(problem).rstrip('.')}; the earlier result is unchanged."
        return self._with_score(SubmissionResult(self.name, student, note=note, failed=True))

    def _finish(self, future: Future[str], student: str, prepared: _Prepared) -> SubmissionResult:
        """Save the outcome of a finished job."""
        try:
            outcome = Outcome.from_json(future.result())
        except CourseError:
            raise
        except Exception as error:
            # The submission need not be the cause: record no score, so that the next run retries.
            reason = f"{type(error).__name__}: {_first_line(error)}"
            note = f"was not graded ({reason}): run the command again."
            return SubmissionResult(self.name, student, note=note, failed=True)
        return self._save(student, prepared, outcome)

    def _save(
        self, student: str, prepared: _Prepared, outcome: Outcome, failed: bool = False
    ) -> SubmissionResult:
        """Save an outcome and return the result."""
        result = SubmissionResult(self.name, student, seconds=outcome.seconds, failed=failed)
        if outcome.note:
            result.note = printable(outcome.note) if failed else f"graded; {outcome.note}"
        try:
            self.journal.save_outcome(student, outcome)
            self.writer.save(student, prepared.nb, prepared.job, outcome)
        except GradebookError:
            raise  # the outcome stays in the journal
        except (CourseError, OSError) as error:
            self.journal.complete(student)
            if failed:  # not even an unanswered notebook can be saved
                result.note = f"was not graded: {_first_line(error)}"
                return result
            problem = f"the result cannot be saved: {_first_line(error)}"
            return self._record_problem(student, problem)
        self.journal.complete(student)
        return self._with_score(result)

    def _read_graded(self) -> set[str]:
        """Return the students with a complete result: the notebook, and a score for every test.

        Zeros that were recorded because a submission could not be read do not count.
        """
        found = set()
        with self.api.gradebook as gradebook:
            assignment = gradebook.find_assignment(self.name)
            for submission in assignment.submissions:
                # nbgrader reports a score of 0 if a kill or a lost file left a result incomplete.
                result = self._result_folder(submission.student.id) / f"{self.notebook}.ipynb"
                if (
                    result.is_file()
                    and is_graded(submission)
                    and (
                        submission.score
                        or notebook_grader.NOT_GRADED not in result.read_text("utf-8")
                    )
                ):
                    found.add(submission.student.id)
        return found

    def _needs_grading(self, student: str) -> bool:
        """Return whether a student has no result yet, or one of an earlier submission."""
        if student not in self.graded:
            return True
        # nbgrader's rule for a new submission.
        submitted = read_timestamp(self.root / "submitted" / student / self.name)
        graded = read_timestamp(self._result_folder(student))
        return bool(submitted and graded and submitted > graded)

    def _result_folder(self, student: str) -> Path:
        return self.root / "autograded" / student / self.name


def _file_problem(path: Path, root: Path) -> str | None:
    """Return a sentence on why a submitted notebook cannot be read, or None."""
    shown = path.relative_to(root)
    if path.is_symlink() or path.parent.is_symlink() or path.parent.parent.is_symlink():
        return f"{shown} is a link to another file: ask for the notebook itself."
    if not path.is_file():
        notebooks = sorted(each.name for each in path.parent.glob("*.ipynb"))
        found = ", ".join(notebooks) or "no notebook"
        return (
            f"{shown} is missing (found: {found}): rename the submitted notebook to {path.name}, or"
            " use course collect."
        )
    if path.stat().st_size > MAX_NOTEBOOK_BYTES:
        limit = MAX_NOTEBOOK_BYTES // 2**20
        return f"{shown} is larger than {limit} MB: ask for a notebook without outputs."
    try:
        nbformat.read(path, as_version=4)
    except Exception as error:  # nbformat raises many types; each means that no cell can be read
        reason = _first_line(error).split(": '")[0]  # parsers quote the text that they reject
        return f"{shown} is not a readable notebook ({reason}): ask for a new submission."
    return None


def _first_line(error: Exception) -> str:
    """Return the first line of an error's message, or its class."""
    lines = printable(error).splitlines()
    return lines[0][:300] if lines else type(error).__name__
