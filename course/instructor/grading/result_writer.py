"""Saving graded submissions to the gradebook and to autograded/."""

import shutil
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbgrader.apps import NbGraderAPI
from nbgrader.converters import Autograde
from nbgrader.utils import temp_attrs
from sqlalchemy.exc import OperationalError

from course.errors import CourseError
from course.files import replacing_folder, restore_folder
from course.instructor.grading import submission
from course.instructor.grading.job import GradingJob, Outcome
from course.instructor.grading.kept_answers import KeptAnswers
from course.instructor.grading.preprocessors import ExecuteIsolated, SaveScoresAtomically
from course.instructor.lateness.due_dates import course_due_dates
from course.instructor.lateness.late_policy import course_time_zone
from course.instructor.lateness.submission_times import read_submission_times
from course.instructor.sandbox.cell_execution import printable
from course.instructor.submission_time import TIMESTAMP, format_time

# Steps that are skipped: the notebook has already been executed, and scores are saved last.
REPLACED_STEPS = {
    f"{step.__module__}.{step.__name__}" for step in (ExecuteIsolated, SaveScoresAtomically)
}


class GradebookError(CourseError):
    """The gradebook's database cannot be written; the submission is not the cause."""


class ResultWriter:
    """Saves outcomes with nbgrader's own steps; only one writer at a time may run per assignment.

    nbgrader works in a staging folder. Then the scores are written in a transaction, the result
    folder is replaced, and the transaction is committed. An error before the replacement changes
    neither. A kill after it, or a commit that fails, leaves the new folder with the old scores; the
    outcome is then still in the journal, and the next grading run saves it again.
    """

    def __init__(self, root: Path, api: NbGraderAPI, name: str) -> None:
        self.root = Path(root).resolve()
        self.api = api
        self.name = name
        self.stage = self.root / "build" / "grading" / name / "stage"
        self.due_dates = course_due_dates(api, self.root)
        self.times = read_submission_times(self.root, course_time_zone(api))

    def save(self, nb: NotebookNode, job: GradingJob, outcome: Outcome) -> None:
        """Save the outcome of a job.

        Raises CourseError or OSError if the outcome cannot be saved, and GradebookError if no
        submission can be saved now. The earlier scores then stay unchanged.
        """
        self._stage_submission(nb, job)
        submission.apply_outcome(nb, job, outcome)
        directories = {
            "submitted_directory": str(self.stage / "submitted"),
            "autograded_directory": str(self.stage / "autograded"),
        }
        converted = self.stage / "autograded" / job.student / self.name
        try:
            with temp_attrs(
                self.api.coursedir, assignment_id=self.name, student_id=job.student, **directories
            ):
                converter = _ConvertExecuted(
                    nb, job.notebook, coursedir=self.api.coursedir, parent=self.api
                )
                converter.start()
            graded_nb = nbformat.read(converted / f"{job.notebook}.ipynb", as_version=4)
            scores = SaveScoresAtomically(parent=self.api)
            scores.due_dates, scores.times = self.due_dates, self.times
            kept = KeptAnswers(self.root, self.name, job.student, job.notebook)
            with (
                scores.transaction(graded_nb, converter.resources, kept.record()),
                replacing_folder(self.root / "autograded" / job.student / self.name) as folder,
            ):
                converted.replace(folder)
            kept.forget()
        except OSError:
            raise
        except Exception as error:  # nbgrader's steps and a late-penalty plugin can raise anything
            raise _save_error(error) from error
        shutil.rmtree(self.stage, ignore_errors=True)

    def recover(self) -> None:
        """Restore folders that a killed process moved aside, and remove the staging folder."""
        for student in (self.root / "autograded").glob("*/"):
            restore_folder(student / self.name)
        shutil.rmtree(self.stage, ignore_errors=True)

    def _stage_submission(self, nb: NotebookNode, job: GradingJob) -> None:
        """Write the sanitized notebook and the other submitted files into the staging folder."""
        shutil.rmtree(self.stage, ignore_errors=True)
        folder = self.stage / "submitted" / job.student / self.name
        folder.mkdir(parents=True)
        nbformat.write(nb, folder / f"{job.notebook}.ipynb")
        for path, content in job.submitted_files():
            # nbgrader fails if this file contains more than a time.
            if Path(path).parts[0] != TIMESTAMP:
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                (folder / path).write_bytes(content)
        if submitted := self.times.of(job.student, self.name):
            (folder / TIMESTAMP).write_text(format_time(submitted), encoding="utf-8")


class _ConvertExecuted(Autograde):
    """nbgrader's autograde converter for a notebook that is already sanitized and executed.

    nbgrader finds submissions by file name patterns, and logs errors without raising them. This
    converter gets the path of its only submission, which may contain any characters, and raises
    errors.
    """

    def __init__(self, nb: NotebookNode, name: str, **options: Any) -> None:
        super().__init__(**options)
        self.nb, self.name = nb, name

    def init_notebooks(self) -> None:
        """Select the notebook in the staging folder."""
        folder = Path(self._format_source(self.coursedir.assignment_id, self.coursedir.student_id))
        self.assignments = {str(folder): [str(folder / f"{self.name}.ipynb")]}

    def convert_notebooks(self) -> None:
        """Convert the notebook."""
        ids = self.coursedir.assignment_id, self.coursedir.student_id
        ((_, self.notebooks),) = self.assignments.items()
        self.run_pre_convert_hook()
        self.init_assignment(*ids)
        for path in self.notebooks:
            self.convert_single_notebook(path)
        self.set_permissions(*ids)
        self.run_post_convert_hook()

    def init_single_notebook_resources(self, notebook_filename: str) -> dict[str, Any]:
        """Return the information about the notebook that nbgrader's steps need."""
        name = Path(notebook_filename).stem
        ids = {
            "assignment": self.coursedir.assignment_id,
            "student": self.coursedir.student_id,
            "notebook": name,
            "db_url": self.coursedir.db_url,
        }
        return {"unique_key": name, "output_files_dir": f"{name}_files", "nbgrader": ids}

    def convert_single_notebook(self, notebook_filename: str) -> None:
        """Apply the configured steps, except REPLACED_STEPS."""
        self.resources = self.init_single_notebook_resources(notebook_filename)
        self.exporter._preprocessors = []
        for step in self.autograde_preprocessors:
            if step not in REPLACED_STEPS:
                self.exporter.register_preprocessor(step)
        output, resources = self.exporter.from_notebook_node(self.nb, self.resources)
        self.write_single_notebook(output, resources)


def _save_error(error: Exception) -> CourseError:
    """Return the error for a result that nbgrader or the gradebook's database refuses to save."""
    message = printable(error).strip().partition("\n")[0]  # SQLAlchemy appends the statement
    reason = f"{type(error).__name__}: {message}"
    if isinstance(error, OperationalError):
        return GradebookError(
            f"the gradebook cannot be written ({reason}): check that its disk or server is"
            " available and no other program has locked it, then run the same command to resume."
        )
    return CourseError(f"nbgrader failed ({reason})")
