"""Saving graded submissions to the gradebook and to autograded/."""

import shutil
from datetime import datetime
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbgrader.apps import NbGraderAPI
from nbgrader.converters import Autograde
from nbgrader.utils import capture_log, parse_utc, temp_attrs
from sqlalchemy.exc import OperationalError

from course.errors import CourseError
from course.files import files_below, replacing_folder, restore_folder
from course.instructor.course_dir import first_error
from course.instructor.grading import submission
from course.instructor.grading.job import GradingJob, Outcome
from course.instructor.grading.preprocessors import ExecuteIsolated, SaveScoresAtomically
from course.instructor.sandbox.cell_execution import printable

TIMESTAMP = "timestamp.txt"
# Steps that the writer replaces: the notebook has been executed, and scores are saved last.
REPLACED_STEPS = {
    f"{step.__module__}.{step.__name__}" for step in (ExecuteIsolated, SaveScoresAtomically)
}


class GradebookError(CourseError):
    """The gradebook's database cannot be written; the submission is not the cause."""


class ResultWriter:
    """Saves outcomes with nbgrader's own steps; only one writer runs per course directory.

    nbgrader works in a staging folder. Then the scores are written in a transaction, the result
    folder is replaced, and the transaction is committed: an error in between changes neither. A
    kill in between leaves the new folder with the old scores; the outcome is then still in the
    journal, and the next run saves it again.
    """

    def __init__(self, root: Path, api: NbGraderAPI, name: str) -> None:
        self.root = Path(root).resolve()
        self.api = api
        self.name = name
        self.stage = self.root / "build" / "grading" / name / "stage"

    def save(self, nb: NotebookNode, job: GradingJob, outcome: Outcome) -> None:
        """Save the outcome of a job.

        Raises CourseError or OSError if the outcome cannot be saved, and GradebookError if no
        submission can be saved now. The earlier result then stays unchanged.
        """
        self._stage_submission(nb, job)
        submission.apply_outcome(nb, outcome)
        directories = {
            "submitted_directory": str(self.stage / "submitted"),
            "autograded_directory": str(self.stage / "autograded"),
        }
        with temp_attrs(
            self.api.coursedir, assignment_id=self.name, student_id=job.student, **directories
        ):
            converter = _ConvertExecuted(coursedir=self.api.coursedir, parent=self.api, nb=nb)
            result = capture_log(converter)
        if "KeyboardInterrupt" in result.get("error", ""):
            raise KeyboardInterrupt
        if not result["success"]:
            log = result.get("log") or result.get("error") or ""
            raise _save_error(first_error(log), "sqlalchemy.exc.OperationalError" in log)
        converted = self.stage / "autograded" / job.student / self.name
        graded_nb = nbformat.read(converted / f"{job.notebook}.ipynb", as_version=4)
        scores = SaveScoresAtomically(parent=self.api)
        try:
            with (
                scores.transaction(graded_nb, converter.resources),
                replacing_folder(self.root / "autograded" / job.student / self.name) as folder,
            ):
                converted.replace(folder)
        except OSError:
            raise
        except Exception as error:  # a late-penalty plugin can raise anything
            reason = f"{type(error).__name__}: {error}"
            raise _save_error(reason, isinstance(error, OperationalError)) from error
        shutil.rmtree(self.stage, ignore_errors=True)

    def recover(self) -> None:
        """Restore folders that a killed process moved aside, and remove the staging folder."""
        for student in (self.root / "autograded").glob("*/"):
            restore_folder(student / self.name)
        shutil.rmtree(self.stage, ignore_errors=True)

    def _stage_submission(self, nb: NotebookNode, job: GradingJob) -> None:
        """Write the sanitized notebook and the other submitted files into the staging folder."""
        shutil.rmtree(self.stage, ignore_errors=True)
        source = self.root / "submitted" / job.student / self.name
        folder = self.stage / "submitted" / job.student / self.name
        folder.mkdir(parents=True)
        nbformat.write(nb, folder / f"{job.notebook}.ipynb")
        for path, content in files_below(source, lambda name: name.endswith(".ipynb")):
            if path == TIMESTAMP and read_timestamp(source) is None:
                continue  # nbgrader would fail on an invalid time
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content)


class _ConvertExecuted(Autograde):
    """nbgrader's autograde converter for a notebook that is already sanitized and executed."""

    def __init__(self, nb: NotebookNode, **options: Any) -> None:
        super().__init__(**options)
        self.force = True
        self.nb = nb

    def convert_single_notebook(self, notebook_filename: str) -> None:
        """Apply the configured steps, except those that the writer replaces."""
        self.resources = self.init_single_notebook_resources(notebook_filename)
        self.exporter._preprocessors = []
        for step in self.autograde_preprocessors:
            if step not in REPLACED_STEPS:
                self.exporter.register_preprocessor(step)
        output, resources = self.exporter.from_notebook_node(self.nb, self.resources)
        self.write_single_notebook(output, resources)


def read_timestamp(folder: Path) -> datetime | None:
    """Return the time in a submission's `timestamp.txt`, or None if there is no valid one."""
    path = folder / TIMESTAMP
    try:
        return parse_utc(path.read_text()[:100].strip()) if path.is_file() else None
    except (OSError, ValueError, OverflowError):
        return None


def _save_error(reason: str, database_failed: bool) -> CourseError:
    """Return the error for a result that nbgrader or the gradebook's database refuses to save."""
    reason = printable(reason)
    if database_failed:
        return GradebookError(
            f"the gradebook cannot be written ({reason}): check that its disk or server is"
            " available and that no other program holds it, then run the same command to resume."
        )
    return CourseError(f"nbgrader cannot save it ({reason})")
