"""The one writer: puts what came of a submission into the gradebook and into autograded/."""

import contextlib
import shutil
from pathlib import Path

import nbformat

from course.errors import CourseError
from course.grading.coursework import first_error
from course.grading.preprocessors import TwoKernels
from course.kernels.host import files_below


class Writer:
    """Saves outcomes by nbgrader's own steps, so that a later reader finds the old or the new.

    Parameters
    ----------
    root : Path
        The course directory.
    api : NbGraderAPI
        Opened for it; used for nothing else meanwhile.
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
        """
        shutil.rmtree(self.stage, ignore_errors=True)
        source = self.stage / "submitted" / student / self.name
        source.mkdir(parents=True)
        nbformat.write(nb, source / f"{job.notebook}.ipynb")
        for path, content in files_below(
            self.root / "submitted" / student / self.name, lambda name: name.endswith(".ipynb")
        ):
            (source / path).parent.mkdir(parents=True, exist_ok=True)
            (source / path).write_bytes(content)
        TwoKernels.prepared = {job.digest(): outcome}
        with self._staged():
            result = self.api.autograde(self.name, student, force=True)
        if "KeyboardInterrupt" in result.get("error", ""):
            raise KeyboardInterrupt
        if not result["success"]:
            raise CourseError(f"nbgrader refuses it ({first_error(result['log'])})")
        self._swap(self.stage / "autograded" / student / self.name, student)

    @contextlib.contextmanager
    def _staged(self):
        coursedir = self.api.coursedir
        before = coursedir.submitted_directory, coursedir.autograded_directory
        coursedir.submitted_directory = str(self.stage / "submitted")
        coursedir.autograded_directory = str(self.stage / "autograded")
        try:
            yield
        finally:
            coursedir.submitted_directory, coursedir.autograded_directory = before

    def _swap(self, fresh, student):
        target = self.root / "autograded" / student / self.name
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists():
            target.rename(self.stage / "old")
        fresh.rename(target)
        shutil.rmtree(self.stage, ignore_errors=True)
