"""Parallel grading of a class's submissions; it saves each result immediately and can resume."""

import errno
import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass, replace
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from course.errors import CourseError
from course.instructor import submission_time, unfinished_change
from course.instructor.course_dir import open_api, source_notebook
from course.instructor.gradebook.submission_results import (
    SubmissionResult,
    fill_in_score,
    is_graded,
    list_students,
)
from course.instructor.grading import notebook_grader
from course.instructor.grading import submission as submissions
from course.instructor.grading.job import GradingJob, LockedCellError, Outcome
from course.instructor.grading.journal import Journal
from course.instructor.grading.preprocessors import ExecuteIsolated
from course.instructor.grading.progress import ALREADY_GRADED, GRADED_WITH_OLDER_TESTS
from course.instructor.grading.reference_notebook import read_reference
from course.instructor.grading.result_writer import GradebookError, ResultWriter
from course.instructor.lateness.due_dates import update_lateness
from course.instructor.release.build import ensure_in_gradebook
from course.instructor.sandbox.cell_error import STOPPED
from course.instructor.sandbox.cell_execution import printable
from course.instructor.sandbox.kernel_client import EngineError, KernelEnded
from course.instructor.sandbox.worker_pool import open_executor
from course.instructor.student_text.limited_worker import StudentTextError
from course.instructor.student_text.notebook_parser import read_notebook
from course.instructor.student_text.size_limits import MAX_NOTEBOOK_BYTES

MAX_LISTED = 5  # file names in a message
# The errno values that the names of a submission's files can cause. The machine causes all others,
# for example by a full disk: they are not evidence against a submission, so they cost no points.
ERRORS_OF_NAMES = {
    errno.EEXIST,
    errno.EILSEQ,
    errno.EINVAL,
    errno.EISDIR,
    errno.ELOOP,
    errno.ENAMETOOLONG,
    errno.ENOTDIR,
}
REPLACED = "the submission was replaced during grading: run the command again to grade the new one"


@dataclass(frozen=True)
class GradingOptions:
    """Options for grading.

    `workers` is the number of submissions graded in parallel (None: one per core); `scheduler` is
    the address of a Dask scheduler (None: grade on this machine). `isolated` is False only if the
    user has turned the sandbox off. With `force`, submissions that have already been graded are
    graded again; with `outdated`, only those that were graded with older tests. Once `is_stopping`
    returns True, no further submission is started, and those that are being graded are completed.
    """

    workers: int | None = None
    scheduler: str | None = None
    isolated: bool = True
    force: bool = False
    outdated: bool = False
    is_stopping: Callable[[], bool] = lambda: False


def grade(
    root: Path, name: str, student: str | None = None, options: GradingOptions = GradingOptions()
) -> Iterator[SubmissionResult]:
    """Grade an assignment's submissions, or one student's, and yield each result once it is saved.

    The results of submissions that are already graded come first. Raises CourseError if there is no
    submission, the assignment is already being graded, a change of students is unfinished, or the
    gradebook cannot be written; and if grading fails regardless of the submissions, because the
    sandbox is not available or one of the locked cells fails.
    """
    students = list_students(root, "submitted", name, student)
    yield from grade_students(root, name, students, options)


def grade_students(
    root: Path, name: str, students: list[str], options: GradingOptions
) -> Iterator[SubmissionResult]:
    """Grade the submissions of the given students; yield results and raise errors like `grade`."""
    with Journal(root, name).exclusive():
        unfinished_change.require_none(root)
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
        self._assignment_works = False  # True once the locked cells have run without a submission
        self.graded: set[str] = set()  # students with a complete result
        self.outdated: set[str] = set()  # those of them whose result comes from older tests

    def grade(self, students: list[str]) -> Iterator[SubmissionResult]:
        """Grade the students' submissions and yield each result once it is saved."""
        self.writer.recover()
        waiting = self._select(students)
        update_lateness(self.api, self.root, self.name, set(students).difference(waiting))
        for student in students:
            if student not in waiting:
                note = GRADED_WITH_OLDER_TESTS if student in self.outdated else ALREADY_GRADED
                yield self._with_score(SubmissionResult(self.name, student, note=note))
        journaled = self.journal.students_with_outcome().intersection(waiting)
        if others := [each for each in waiting if each not in journaled]:
            yield from self._grade_in_parallel(others)
        # These were graded but not saved when the command was killed, so they are only saved now.
        # They come last, because saving one of them may be what killed the command.
        changed = []
        for student in sorted(journaled):
            if self.options.is_stopping():
                return
            if result := self._save_journaled(student):
                yield result
            else:
                changed.append(student)
        if changed:
            yield from self._grade_in_parallel(changed)

    def prepare(self, student: str) -> tuple[NotebookNode, GradingJob]:
        """Read and sanitize a submission; return its notebook and its grading job.

        Raises UnreadableSubmission if the submission cannot be graded, and CourseError,
        KernelEnded, or OSError if this fails for a reason other than the submission.
        """
        folder = self._submission_folder(student)
        try:
            # Compute this before reading: if the files change meanwhile, the next `course grade`
            # grades the new ones.
            digest = self._digest(student)
            nb = _read_notebook(folder / f"{self.notebook}.ipynb")
            if not submissions.has_known_cell(nb, self.reference):
                raise StudentTextError(
                    "no cell has the metadata of this assignment: repair the notebook with course"
                    " collect"
                )
            job = self._job(nb, student, [folder, self.root / "source" / self.name])
            return nb, replace(job, submission=digest)
        except (KernelEnded, CourseError):
            raise  # the submission is not the cause
        except StudentTextError as problem:
            reason = str(problem)
        except Exception as error:  # a submission can be damaged in any way
            if _is_of_machine(error):
                raise
            reason = _reason(error)
        raise UnreadableSubmission(self._cannot_grade(student, reason))

    def _job(self, nb: NotebookNode, student: str, folders: list[Path]) -> GradingJob:
        """Sanitize a notebook in place and return its job."""
        submissions.sanitize(nb, self.reference)
        nbformat.validate(nb)
        identity = self.name, student, self.notebook
        return submissions.make_job(nb, folders, self.reference, identity, self.settings)

    def _select(self, students: list[str]) -> list[str]:
        """Return the students to grade; resume a forced regrading that was stopped."""
        self._read_graded()
        chosen = set(students)
        pending, everybody = self.journal.pending_regrades()
        regrades = pending & chosen
        if self.options.force:
            # A stopped regrading continues only if it includes all chosen students with results.
            is_part = chosen & self.graded <= everybody
            # What it has finished is not graded again, unless the tests have changed since.
            continues = bool(regrades) and is_part
            regrades = (regrades | self.outdated) & chosen if continues else chosen
            for student in regrades - pending:
                self.journal.discard_outcome(student)
            if is_part:
                everybody |= chosen
            else:
                everybody = chosen if pending <= chosen else set()
            self.journal.set_pending_regrades(pending | regrades, everybody)
        if self.options.outdated:
            regrades |= self.outdated
        unfinished = regrades | self.journal.students_with_outcome() | self.journal.ungraded()
        return [each for each in students if each in unfinished or self._needs_grading(each)]

    def _save_journaled(self, student: str) -> SubmissionResult | None:
        """Save the outcome that a killed command left; return None if it is not of this job."""
        outcome = self.journal.load_outcome(student)
        if outcome is None:
            return None
        try:
            nb, job = self.prepare(student)
        except (UnreadableSubmission, KernelEnded, OSError):
            return None
        return self._save(nb, job, outcome) if outcome.digest == job.digest() else None

    def _grade_in_parallel(self, students: list[str]) -> Iterator[SubmissionResult]:
        """Grade submissions in parallel and yield each result once it is saved.

        If grading a submission fails, another submission may be the cause. Therefore, it is graded
        again, alone, after the others. Only a failure while nothing else is being graded is
        evidence against a submission or against the assignment.
        """
        options = self.options
        failed_once: list[str] = []
        with open_executor(options.workers, options.scheduler) as (executor, workers):
            # Prepare only a few ahead: all the notebooks of a class would fill the memory.
            yield from self._grade_queue(executor, students, workers + 2, failed_once)
            yield from self._grade_queue(executor, sorted(failed_once), 1)

    def _grade_queue(
        self,
        executor: Executor,
        students: list[str],
        at_once: int,
        failed_once: list[str] | None = None,
    ) -> Iterator[SubmissionResult]:
        """Grade submissions, up to `at_once` at the same time, and yield each result.

        Students whose submissions are to be graded again are appended to `failed_once`. If it is
        None, a failure is final.
        """
        queue = students[::-1]
        running: dict[Future[str], tuple[NotebookNode, GradingJob]] = {}
        in_doubt = checked = False  # whether the assignment is in doubt, and has been checked
        while queue or running or (in_doubt and not checked):
            if self.options.is_stopping():
                queue.clear()
                for future in [each for each in running if each.cancel()]:
                    del running[future]
            if in_doubt and not checked and not running:
                self._check_assignment(executor)
                checked = True
            while queue and len(running) < at_once and (checked or not in_doubt):
                student = queue.pop()
                try:
                    nb, job = self.prepare(student)
                except UnreadableSubmission as problem:
                    yield self._record_problem(student, str(problem))
                    continue
                except (KernelEnded, OSError) as error:
                    if failed_once is None:
                        yield self._not_graded(student, error)
                    else:
                        failed_once.append(student)
                    continue
                running[executor.submit(notebook_grader.grade_json, job.to_json())] = nb, job
            if not running:
                continue
            finished, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                nb, job = running.pop(future)
                failure = future.exception()
                if failure is None:
                    yield self._save(nb, job, Outcome.from_json(future.result()))
                elif not isinstance(failure, Exception):
                    raise failure
                elif failed_once is not None:
                    is_engine = isinstance(failure, EngineError)
                    # If the assignment is broken, the check ends the command before the whole class
                    # has failed: it follows the submissions that are being graded now.
                    in_doubt |= isinstance(failure, CourseError) and not is_engine
                    failed_once.append(job.student)
                elif isinstance(failure, OSError | KernelEnded) or _ran_out_of_time(failure):
                    # A locked cell that was stopped ran before any of the student's cells.
                    yield self._not_graded(job.student, failure)
                elif isinstance(failure, CourseError):
                    self._check_assignment(executor)
                    if isinstance(failure, LockedCellError):
                        yield self._record_problem(job.student, self._cause(failure, job))
                    else:  # the process that starts kernels could not be started
                        yield self._not_graded(job.student, failure)
                else:
                    yield self._record_problem(job.student, self._cause(failure, job))

    def _not_graded(self, student: str, error: Exception) -> SubmissionResult:
        """Return a result without a score: the submission may not be the cause of the error."""
        note = f"was not graded ({_reason(error).rstrip('.')}): run the command again."
        return SubmissionResult(self.name, student, note=note, failed=True)

    def _check_assignment(self, executor: Executor) -> None:
        """Raise CourseError if the locked cells fail even without a submission.

        Call this only when nothing else is being graded. A cell that runs out of time, and an error
        of the machine, prove nothing.
        """
        if self._assignment_works:
            return
        job = self._job(nbformat.v4.new_notebook(), "", [self.root / "source" / self.name])
        without_cells = replace(job, cells=[])
        try:
            executor.submit(notebook_grader.grade_json, without_cells.to_json()).result()
            self._assignment_works = True
        except (LockedCellError, OSError, KernelEnded) as error:
            if isinstance(error, LockedCellError) and not error.stopped:
                raise

    def _cause(self, error: Exception, job: GradingJob) -> str:
        """Return the sentence about a submission that fails although the assignment works."""
        reason = _reason(error)
        if isinstance(error, LockedCellError):
            cause = _first_line(error.reason)
            reason = f"the locked cell {error.name} fails only with this submission: {cause}"
        return self._cannot_grade(job.student, reason)

    def _cannot_grade(self, student: str, reason: str) -> str:
        """Return the sentence about a submission that cannot be graded."""
        path = Path("submitted", student, self.name, f"{self.notebook}.ipynb")
        return f"{path} cannot be graded, because {reason.rstrip('.')}."

    def _with_score(self, result: SubmissionResult) -> SubmissionResult:
        """Fill in a result's score from the gradebook, and return the result."""
        with self.api.gradebook as gradebook:
            fill_in_score(gradebook, result)
        return result

    def _record_problem(self, student: str, problem: str) -> SubmissionResult:
        """Record zero scores with the reason; if there is an earlier result, leave it unchanged."""
        if student not in self.graded:
            nb = nbformat.v4.new_notebook()  # gets every cell of the assignment, but no answers
            job = self._job(nb, student, [])
            return self._save(nb, job, notebook_grader.not_graded(job, problem), failed=True)
        self.journal.fail(student)
        note = f"{printable(problem).rstrip('.')}; the earlier result is unchanged."
        return self._with_score(SubmissionResult(self.name, student, note=note, failed=True))

    def _save(
        self, nb: NotebookNode, job: GradingJob, outcome: Outcome, failed: bool = False
    ) -> SubmissionResult:
        """Save an outcome and return the result; raise GradebookError if nothing can be saved."""
        student = job.student
        result = SubmissionResult(self.name, student, seconds=outcome.seconds, failed=failed)
        result.test_seconds = outcome.test_seconds
        try:
            self.journal.save_outcome(student, outcome)
            self.writer.save(nb, job, outcome)
        except GradebookError:
            raise  # the outcome stays in the journal
        except Exception as error:  # a submission can contain a name or text that cannot be saved
            if _is_of_machine(error):  # the outcome stays in the journal
                return self._not_graded(student, error)
            self.journal.fail(student)
            if failed:  # not even an unanswered notebook can be saved
                result.note = f"was not graded: {_reason(error)}"
                return result
            return self._record_problem(student, f"the result cannot be saved: {_reason(error)}")
        self.journal.complete(student)
        if failed:
            result.note = printable(outcome.note)
        else:
            notes = [outcome.note, self.writer.times.problem(student, self.name)]
            if job.submission != self._digest(student):
                notes.append(REPLACED)
            result.note = "; ".join(["graded", *filter(None, notes)])
        return self._with_score(result)

    def _read_graded(self) -> None:
        """Find the students with a complete result: a notebook and a score for every test.

        Zeros that were recorded because a submission could not be read do not count.
        """
        with self.api.gradebook as gradebook:
            for submission in gradebook.find_assignment(self.name).submissions:
                student = submission.student.id
                result = self._result_folder(student) / f"{self.notebook}.ipynb"
                if not result.is_file() or not is_graded(submission):
                    continue  # incomplete after a kill or a lost file; nbgrader's score is then 0
                if submissions.was_graded(result):
                    self.graded.add(student)
                    if submissions.read_fingerprint(result) != self.reference.fingerprint:
                        self.outdated.add(student)

    def _needs_grading(self, student: str) -> bool:
        """Return whether a student has no result yet, or only that of another submission."""
        if student not in self.graded:
            return True
        folder = self._result_folder(student)
        if recorded := submissions.read_digest(folder / f"{self.notebook}.ipynb"):
            return recorded != self._digest(student)
        # An earlier version of the course, or nbgrader itself, saved no digest: use its rule.
        submitted = submission_time.read(self._submission_folder(student))
        graded = submission_time.read(folder)
        return bool(submitted and graded and submitted > graded)

    def _digest(self, student: str) -> str:
        """Return the digest of a student's submission, or "" if it cannot be read."""
        try:
            return submissions.digest_files(
                self._submission_folder(student), f"{self.notebook}.ipynb"
            )
        except OSError:
            return ""

    def _submission_folder(self, student: str) -> Path:
        return self.root / "submitted" / student / self.name

    def _result_folder(self, student: str) -> Path:
        return self.root / "autograded" / student / self.name


def _read_notebook(path: Path) -> NotebookNode:
    """Return a submitted notebook, or raise StudentTextError, whose message is a clause."""
    if path.is_symlink() or path.parent.is_symlink() or path.parent.parent.is_symlink():
        raise StudentTextError("it is a symbolic link: ask the student for the notebook itself")
    if not path.is_file():
        notebooks = itertools.islice(path.parent.glob("*.ipynb"), MAX_LISTED)
        found = ", ".join(sorted(each.name for each in notebooks)) or "no notebook"
        raise StudentTextError(
            f"it is missing (found: {found}): rename the submitted notebook to {path.name}, or run"
            " course collect"
        )
    with path.open("rb") as file:
        content = file.read(MAX_NOTEBOOK_BYTES + 1)
    try:
        return nbformat.from_dict(read_notebook(content).content)
    except StudentTextError as problem:
        raise StudentTextError(f"{problem}: ask the student for a new submission") from None


def _is_of_machine(error: Exception) -> bool:
    """Return whether the machine caused an error, for example by a full disk."""
    return isinstance(error, OSError) and error.errno not in ERRORS_OF_NAMES


def _ran_out_of_time(error: BaseException) -> bool:
    """Return whether a locked cell was stopped because its time was up."""
    return isinstance(error, LockedCellError) and error.stopped


def _reason(error: BaseException) -> str:
    """Return the first line of an error's message, after its class if that adds information."""
    if isinstance(error, LockedCellError) and error.stopped:
        reason = _first_line(error.reason).removeprefix(f"{STOPPED}: ")
        return f"the locked cell {error.name} was stopped: {reason}"
    text = _first_line(error)
    if isinstance(error, CourseError | OSError) and text:
        return text
    return ": ".join(filter(None, [type(error).__name__, text]))


def _first_line(text: object) -> str:
    """Return at most 300 printable characters of the first line of an object's text."""
    return printable(text).partition("\n")[0].strip()[:300]
