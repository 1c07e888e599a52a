"""Preprocessors that nbgrader_config.py adds to `nbgrader autograde`."""

import contextlib
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from nbgrader.api import Gradebook
from nbgrader.preprocessors import NbGraderPreprocessor, SaveAutoGrades
from traitlets import Bool, Float, Integer, List, Unicode

from course.instructor.grading import notebook_grader
from course.instructor.grading import submission as submissions
from course.instructor.grading.job import GradingSettings
from course.instructor.grading.kept_answers import answer_digests
from course.instructor.grading.reference_notebook import ReferenceNotebook, read_reference
from course.instructor.lateness.due_dates import DueDates, penalty_of, set_extension
from course.instructor.lateness.late_policy import late_penalties
from course.instructor.lateness.submission_times import SubmissionTimes
from course.instructor.sandbox import forkserver_client
from course.instructor.sandbox.limits import WARM_MINUTES, Limits

if TYPE_CHECKING:
    from nbformat import NotebookNode


class RestoreCells(NbGraderPreprocessor):
    """Restores a submission's cells from the gradebook; see `submission.sanitize`.

    It replaces nbgrader's ClearOutput, DeduplicateIds, and OverwriteCells, which trust some
    metadata that students can edit and which fail if a test after a locked cell has been deleted.
    """

    def preprocess(self, nb: "NotebookNode", resources: dict) -> tuple["NotebookNode", dict]:
        """Restore every cell that the gradebook knows."""
        submissions.sanitize(nb, _read_reference(resources))
        return nb, resources


class ExecuteIsolated(NbGraderPreprocessor):
    """Runs a submission and its tests in two isolated kernels, in place of nbgrader's Execute.

    `course grade` first runs many submissions in parallel, and then saves them without this step.
    """

    cell_seconds = Float(Limits.cell_seconds, help="Wall time of one cell, in seconds.").tag(
        config=True
    )
    call_seconds = Float(
        Limits.call_seconds,
        help="Wall time of one call of a student's function by a test, in seconds.",
    ).tag(config=True)
    notebook_seconds = Float(
        Limits.notebook_seconds, help="Wall time of the whole notebook, in seconds."
    ).tag(config=True)
    memory_mb = Integer(
        Limits.memory_mb, help="Memory of a kernel, excluding what the imports use, in MB."
    ).tag(config=True)
    processes = Integer(Limits.processes, help="Number of processes and threads of a kernel.").tag(
        config=True
    )
    disk_mb = Integer(
        Limits.disk_mb, help="Size of each of the scratch folder, /tmp, and /dev/shm, in MB."
    ).tag(config=True)
    output_kb = Integer(Limits.output_kb, help="Text that one cell may print, in KB.").tag(
        config=True
    )
    message_mb = Integer(Limits.message_mb, help="Size of one message between kernels, in MB.").tag(
        config=True
    )
    devices = List(Unicode(), help="Devices to expose, such as /dev/nvidia0.").tag(config=True)
    personalized_quizzes = Bool(
        False, help="Give each student's graded quizzes different numbers."
    ).tag(config=True)
    isolation = Bool(True, help="Run the kernels in the sandbox.").tag(config=True)
    warm_minutes = Float(
        WARM_MINUTES, min=0, help="Minutes that the process that starts kernels waits for work."
    ).tag(config=True)

    def settings(self) -> GradingSettings:
        """Return the configured settings of a grading job."""
        return GradingSettings(
            limits=Limits(**{name: getattr(self, name) for name in asdict(Limits())}),
            isolated=self.isolation,
            devices=list(self.devices),
            personalized_quizzes=self.personalized_quizzes,
        )

    def preprocess(self, nb: "NotebookNode", resources: dict) -> tuple["NotebookNode", dict]:
        """Grade the notebook and add the outputs to it."""
        ids = resources["nbgrader"]
        identity = ids["assignment"], ids["student"], ids["notebook"]
        # nbgrader converts with the course directory as the working directory.
        folders = [Path(resources["metadata"]["path"]), Path("source", ids["assignment"])]
        reference = _read_reference(resources)
        job = submissions.make_job(nb, folders, reference, identity, self.settings())
        forkserver_client.stay_warm(self.warm_minutes)
        submissions.apply_outcome(nb, job, notebook_grader.grade(job))
        return nb, resources


class SaveScoresAtomically(SaveAutoGrades):
    """Saves a notebook's scores in one transaction: a killed process saves all of them or none.

    nbgrader's own step commits each cell separately, which also takes 30 times as long on disk.
    The late penalty, a separate step in nbgrader, is saved with the scores.
    """

    due_dates: DueDates | None = None  # with extensions; None leaves those in the gradebook
    times: SubmissionTimes | None = None  # of all submissions; None leaves those in the gradebook

    def preprocess(self, nb: "NotebookNode", resources: dict) -> tuple["NotebookNode", dict]:
        """Save the scores of every cell and the late penalty."""
        with self.transaction(nb, resources):
            pass
        return nb, resources

    @contextlib.contextmanager
    def transaction(
        self, nb: "NotebookNode", resources: dict, earlier: dict[str, str] | None = None
    ) -> Iterator[None]:
        """Write the scores into a transaction, and commit it if the block raises no error.

        `earlier` contains the digests of the answers to which the scores in the gradebook belong.
        An answer that has not changed stays marked as graded by hand.
        """
        now = answer_digests(nb.cells) if earlier else {}
        self._unchanged = {name for name in now if earlier and earlier.get(name) == now[name]}
        ids = resources["nbgrader"]
        self.assignment_id, self.student_id = ids["assignment"], ids["student"]
        self.notebook_id = ids["notebook"]
        with Gradebook(ids["db_url"]) as self.gradebook:
            session = self.gradebook.db
            session.commit = session.flush
            for index, cell in enumerate(nb.cells):
                self.preprocess_cell(cell, resources, index)
            self._save_penalty()
            del session.commit
            yield
            session.commit()

    def _add_score(self, cell: "NotebookNode", resources: dict) -> None:
        """Save a cell's score; leave an unchanged answer that was graded by hand marked as such."""
        name = cell.metadata["nbgrader"]["grade_id"]
        grade = self.gradebook.find_grade(
            name, self.notebook_id, self.assignment_id, self.student_id
        )
        was_graded = grade.manual_score is not None and not grade.needs_manual_grade
        super()._add_score(cell, resources)
        if was_graded and name in self._unchanged:
            grade.needs_manual_grade = False

    def _save_penalty(self) -> None:
        """Save the extension, the submission time, and the late penalty.

        The penalty is computed from the new scores, not from those that the session has cached.
        """
        self.gradebook.db.flush()
        self.gradebook.db.expire_all()
        submission = self.gradebook.find_submission(self.assignment_id, self.student_id)
        notebook = self.gradebook.find_submission_notebook(
            self.notebook_id, self.assignment_id, self.student_id
        )
        if self.due_dates:
            set_extension(submission, self.due_dates)
        if self.times:  # if the new submission has no time, nbgrader keeps the earlier one
            submission.timestamp = self.times.of(self.student_id, self.assignment_id)
        notebook.late_submission_penalty = penalty_of(
            notebook, submission, late_penalties(self.parent)
        )


def _read_reference(resources: dict) -> ReferenceNotebook:
    """Return the reference notebook of the assignment that is being converted."""
    ids = resources["nbgrader"]
    source = Path("source", ids["assignment"], f"{ids['notebook']}.ipynb")
    with Gradebook(ids["db_url"]) as gradebook:
        return read_reference(gradebook, source)
