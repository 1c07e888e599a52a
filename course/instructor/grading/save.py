"""The one writer: puts what came of a submission into the gradebook and into autograded/."""

import shutil
from pathlib import Path

import nbformat
from nbgrader.converters import Autograde
from nbgrader.utils import capture_log, parse_utc, temp_attrs

from course.errors import CourseError
from course.files import files_below
from course.instructor.course_dir import first_error
from course.instructor.grading import submission
from course.instructor.sandbox.execute import printable

TIMESTAMP = "timestamp.txt"
RUNNING_STEP = "course.instructor.grading.preprocessors.TwoKernels"


class GradebookError(CourseError):
    """The gradebook's database does not answer or takes nothing: no fault of a submission."""


class Writer:
    """Saves outcomes by nbgrader's own steps, so that a later reader finds the old or the new.

    Parameters
    ----------
    root : Path
        The course directory.
    api : NbGraderAPI
        Opened for it.
    name : str
        The assignment.
    """

    def __init__(self, root, api, name):
        self.root = Path(root).resolve()
        self.api = api
        self.name = name
        self.stage = self.root / "build" / "grading" / name / "stage"

    def save(self, student, nb, job, outcome):
        """Save what came of a student's job.

        nbgrader works beside the place where the result belongs; that changes by renaming.

        Raises
        ------
        CourseError
            If nbgrader refuses; what was there before stays.
        GradebookError
            If that is because no submission can be saved now.
        """
        shutil.rmtree(self.stage, ignore_errors=True)
        handed_in = self.stage / "submitted" / student / self.name
        handed_in.mkdir(parents=True)
        nbformat.write(nb, handed_in / f"{job.notebook}.ipynb")
        for path, content in files_below(
            self.root / "submitted" / student / self.name, lambda name: name.endswith(".ipynb")
        ):
            if (
                path == TIMESTAMP
                and read_timestamp(self.root / "submitted" / student / self.name) is None
            ):
                continue  # nbgrader would stop at what is no time
            (handed_in / path).parent.mkdir(parents=True, exist_ok=True)
            (handed_in / path).write_bytes(content)
        submission.apply_outcome(nb, outcome)
        directories = {
            "submitted_directory": str(self.stage / "submitted"),
            "autograded_directory": str(self.stage / "autograded"),
        }
        with temp_attrs(
            self.api.coursedir, assignment_id=self.name, student_id=student, **directories
        ):
            steps = StepsAfterRunning(coursedir=self.api.coursedir, parent=self.api, nb=nb)
            result = capture_log(steps)
        if "KeyboardInterrupt" in result.get("error", ""):
            raise KeyboardInterrupt
        if not result["success"]:
            log = result.get("log") or result.get("error")
            reason = printable(first_error(log))
            if "sqlalchemy.exc.OperationalError" in log:
                raise GradebookError(
                    f"the gradebook cannot be written ({reason}): see that its disk or server is"
                    " there and that nobody else holds it, and run the same command to go on."
                )
            raise CourseError(f"nbgrader refuses it ({reason})")
        self._swap(self.stage / "autograded" / student / self.name, student)

    def mend(self):
        """Put back a result that a kill left moved aside, and clear the stage."""
        for old in (self.stage / "old").glob("*"):
            target = self.root / "autograded" / old.name / self.name
            if not target.exists():
                old.rename(target)
        shutil.rmtree(self.stage, ignore_errors=True)

    def _swap(self, fresh, student):
        target = self.root / "autograded" / student / self.name
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists():
            (self.stage / "old").mkdir()
            target.rename(self.stage / "old" / student)
        fresh.rename(target)
        shutil.rmtree(self.stage, ignore_errors=True)


class StepsAfterRunning(Autograde):
    """nbgrader's autograde for a notebook that has been sanitized and run already."""

    def __init__(self, nb, **rest):
        super().__init__(**rest)
        self.force = True
        self.nb = nb

    def convert_single_notebook(self, notebook_filename):
        """Take the notebook through the configured steps but for the one that runs it."""
        resources = self.init_single_notebook_resources(notebook_filename)
        self.exporter._preprocessors = []
        for step in self.autograde_preprocessors:
            if step != RUNNING_STEP:
                self.exporter.register_preprocessor(step)
        output, resources = self.exporter.from_notebook_node(self.nb, resources)
        self.write_single_notebook(output, resources)


def read_timestamp(folder):
    """Return when a submission was handed in as its `timestamp.txt` says, or None."""
    path = folder / TIMESTAMP
    try:
        return parse_utc(path.read_text()[:100].strip()) if path.is_file() else None
    except (OSError, ValueError, OverflowError):
        return None
