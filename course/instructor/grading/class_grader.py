"""Grading a class: side by side, saved one by one, gone on with after a kill."""

from concurrent.futures import FIRST_COMPLETED, wait
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbgrader.api import Gradebook

from course.errors import CourseError
from course.instructor.course_dir import open_api, source_notebook
from course.instructor.gradebook.submission_results import SubmissionResult, fill_in_score, is_graded, list_students
from course.instructor.grading import notebook_grader
from course.instructor.grading import submission as submissions
from course.instructor.grading.job import Outcome
from course.instructor.grading.journal import Journal
from course.instructor.grading.preprocessors import ExecuteIsolated
from course.instructor.grading.result_writer import GradebookError, ResultWriter, read_timestamp
from course.instructor.release.build import ensure_in_gradebook
from course.instructor.sandbox.execute import printable
from course.instructor.sandbox.executor import open_executor


@dataclass(frozen=True)
class GradingOptions:
    """How a class is graded.

    Attributes
    ----------
    workers : int or None
        Submissions side by side; None means one a core.
    scheduler : str or None
        Address of a Dask scheduler.
    isolated : bool
        False where a person has said that submissions need no sandbox.
    force : bool
        Grade again what is graded already.
    """

    workers: int | None = None
    scheduler: str | None = None
    isolated: bool = True
    force: bool = False


def grade(root, name, student=None, how=GradingOptions()):
    """Grade an assignment's submissions and yield a `Grade` as each is saved.

    Parameters
    ----------
    root : Path
        The course directory.
    name : str
        The assignment.
    student : str, optional
        Only this student's submission.
    how : How
        On what, and whether again.

    Yields
    ------
    Grade
        One a submission; those graded before come first, the others as they are done.

    Raises
    ------
    CourseError
        If there is no submission to grade, no isolation to be had, or the assignment itself fails.
    """
    students = list_students(root, "submitted", name, student)
    with Journal(root, name).alone():
        ensure_in_gradebook(root, name)
        yield from _grade(_Run(Path(root), name, how), students)


def _grade(run, students):
    run.writer.mend()
    waiting = run.choose(students)
    for each in students:
        if each not in waiting:
            yield run.read_score(SubmissionResult(run.name, each, note="graded before"))
    # What a kill left between grading and saving is saved without being graded again.
    for each in list(waiting):
        if done := run.recover(each):
            waiting.remove(each)
            yield done
    if waiting:
        yield from run.grade_all(waiting)


def job_of(root, name, student):
    """Return the job of one student's submission, as it would be graded."""
    ensure_in_gradebook(root, name)
    _, job, _ = _Run(Path(root), name, GradingOptions())._prepare(student)
    return job


class _Run:
    """One command's work on an assignment."""

    def __init__(self, root, name, how):
        self.root, self.name, self.how = root, name, how
        self.api = open_api(root)
        self.journal = Journal(root, name)
        self.writer = ResultWriter(root, self.api, name)
        self.notebook = source_notebook(root, name).stem
        steps = ExecuteIsolated(parent=self.api.coursedir.parent)
        self.settings = steps.settings()
        if not how.isolated:
            self.settings["isolated"] = False
        with Gradebook(self.api.coursedir.db_url) as gradebook:
            self.reference = submissions.read_reference(
                gradebook, source_notebook(root, name), name, self.notebook
            )

    def choose(self, students):
        """Return the students to grade; a forced run that was stopped goes on where it was."""
        again = self.journal.again() & set(students)
        if self.how.force and not again:
            again = set(students)
            for each in students:
                self.journal.forget(each)
            self.journal.set_again(self.journal.again() | again)
        self.graded = self._graded()
        unfinished = again | self.journal.left() | self.journal.anew()
        return [each for each in students if each in unfinished or self._is_to_do(each)]

    def recover(self, student):
        """Save the outcome that a killed run left for a submission as it still is, if any."""
        outcome = self.journal.read(student)
        if outcome is None:
            return None
        nb, job, problem = self._prepare(student)
        if problem or outcome.digest != job.digest():
            return None
        return self._save(student, nb, job, outcome)

    def grade_all(self, students):
        """Grade submissions side by side and yield each as it is saved."""
        students = list(reversed(students))
        with open_executor(self.how.workers, self.how.scheduler) as (executor, workers):
            running = {}
            while students or running:
                # A few wait ready; not all, whose notebooks would fill the memory.
                while students and len(running) < workers + 2:
                    student = students.pop()
                    nb, job, problem = self._prepare(student)
                    if problem:
                        yield self._note(student, problem)
                        continue
                    future = executor.submit(notebook_grader.grade_job, job.to_json())
                    running[future] = student, nb, job
                finished, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in finished:
                    yield self._finish(future, *running.pop(future))

    def read_score(self, result):
        """Fill in a grade's points from the gradebook."""
        with self.api.gradebook as gradebook:
            fill_in_score(gradebook, result)
        return result

    def _prepare(self, student):
        """Return a sanitized notebook, its job, and why it cannot be graded or None."""
        folder = self.root / "submitted" / student / self.name
        path = folder / f"{self.notebook}.ipynb"
        identity = self.name, student, self.notebook
        folders = submissions.folders(self.root, folder, self.name)
        problem = _unreadable(path, self.root)
        if problem is None:
            try:
                nb = nbformat.read(path, as_version=4)
                if not submissions.knows_any(nb, self.reference):
                    raise ValueError("no cell has its metadata: let course collect mend it")
                submissions.sanitize(nb, self.reference)
                nbformat.validate(nb)
                return (
                    nb,
                    submissions.make_job(nb, folders, self.reference, identity, self.settings),
                    None,
                )
            except Exception as error:  # a notebook can be broken in more ways than can be listed
                problem = f"{_below(path, self.root)} cannot be graded ({_first_line(error)})."
        return *self._empty(student), problem

    def _empty(self, student):
        """Return the notebook as it was handed out, with no answer in it, and its job."""
        nb = nbformat.v4.new_notebook()
        submissions.sanitize(nb, self.reference)
        identity = self.name, student, self.notebook
        return nb, submissions.make_job(nb, [], self.reference, identity, self.settings)

    def _note(self, student, problem):
        """Record zeros with their reason, unless there is an earlier result, which stays whole."""
        if student not in self.graded:
            nb, job = self._empty(student)
            outcome = notebook_grader.not_graded(job, problem)
            return self._save(student, nb, job, outcome, failed=True)
        self.journal.done(student)
        note = f"{printable(problem).rstrip('.')}; the earlier result stays."
        return self.read_score(SubmissionResult(self.name, student, note=note, failed=True))

    def _finish(self, future, student, nb, job):
        try:
            outcome = Outcome.from_json(future.result())
        except CourseError:
            raise
        except Exception as error:
            # Not the submission's doing as far as is known: no score is recorded, and the next run
            # tries again.
            note = f"was not graded ({type(error).__name__}: {_first_line(error)}): run it again."
            return SubmissionResult(self.name, student, note=note, failed=True)
        return self._save(student, nb, job, outcome)

    def _save(self, student, nb, job, outcome, failed=False):
        result = SubmissionResult(self.name, student, seconds=outcome.seconds, failed=failed)
        if outcome.reason:
            result.note = printable(outcome.reason) if failed else f"graded; {outcome.reason}"
        try:
            self.journal.write(student, outcome)
            self.writer.save(student, nb, job, outcome)
        except GradebookError:
            raise  # the outcome waits in the journal
        except (CourseError, OSError) as error:
            self.journal.done(student)
            if failed:  # not even the empty notebook: it is not the submission
                result.note = f"was not graded: {_first_line(error)}"
                return result
            return self._note(student, f"what came of it cannot be saved: {_first_line(error)}")
        self.journal.done(student)
        return self.read_score(result)

    def _graded(self):
        """Return the students who have a whole result: each test's score and the notebook.

        Zeros that were recorded because a submission could not be read are no result.
        """
        found = set()
        with self.api.gradebook as gradebook:
            assignment = gradebook.find_assignment(self.name)
            for submission in assignment.submissions:
                # nbgrader shows what a kill or a lost file left half graded as 0.
                kept = self._kept(submission.student.id) / f"{self.notebook}.ipynb"
                if (
                    kept.is_file()
                    and is_graded(submission)
                    and (
                        submission.score
                        or notebook_grader.NOT_GRADED not in kept.read_text("utf-8")
                    )
                ):
                    found.add(submission.student.id)
        return found

    def _is_to_do(self, student):
        """Return whether a student has no result yet, or one of an earlier submission."""
        if student not in self.graded:
            return True
        # nbgrader's rule for what is handed in again.
        new = read_timestamp(self.root / "submitted" / student / self.name)
        old = read_timestamp(self._kept(student))
        return bool(new and old and new > old)

    def _kept(self, student):
        return self.root / "autograded" / student / self.name


def _unreadable(path, root):
    """Return a sentence on why a submission cannot be read, or None."""
    shown = _below(path, root)
    if path.is_symlink() or path.parent.is_symlink() or path.parent.parent.is_symlink():
        return f"{shown} is a link to another file: ask for the notebook itself."
    if not path.is_file():
        notebooks = sorted(each.name for each in path.parent.glob("*.ipynb"))
        there = ", ".join(notebooks) or "no notebook"
        return (
            f"{shown} is missing (there is {there}): rename what was handed in to {path.name}, or"
            " let course collect do it."
        )
    if path.stat().st_size > MAX_NOTEBOOK_BYTES:
        return (
            f"{shown} is larger than {MAX_NOTEBOOK_BYTES // 2**20} MB: ask for one without outputs."
        )
    try:
        nbformat.read(path, as_version=4)
    except Exception as error:  # nbformat raises many kinds; each means that no cell can be read
        reason = _first_line(error).split(": '")[0]  # parsers quote the text they choke on
        return f"{shown} is not a readable notebook ({reason}): ask for it to be handed in again."
    return None


MAX_NOTEBOOK_BYTES = 200 * 2**20


def _below(path, root):
    return path.relative_to(root)


def _first_line(error):
    lines = printable(error).splitlines()
    return lines[0][:300] if lines else type(error).__name__
