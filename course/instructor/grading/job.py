"""A grading job (a submission to grade) and its outcome, as plain data.

Both convert to JSON so that they can be sent to another process or machine and journaled.
"""

import base64
import hashlib
import json
import re
from dataclasses import asdict, dataclass, field
from typing import Any, TypedDict

from course.errors import CourseError
from course.instructor.grading.reference_notebook import ReferenceNotebook
from course.instructor.sandbox.limits import Limits

WRITTEN_FILE = re.compile(r"\A\s*%%(?:writefile|file)[ \t]+(?:-a[ \t]+)?(\S+)")


class LockedCellError(CourseError):
    """Raised if one of the assignment's locked cells fails; `reason` is the cell's error.

    `stopped` is true if the cell ran out of time, which a busy machine can cause.
    """

    def __init__(self, name: str, assignment: str, reason: str, stopped: bool = False) -> None:
        super().__init__(name, assignment, reason, stopped)
        self.name, self.assignment, self.reason = name, assignment, reason
        self.stopped = stopped

    def __str__(self) -> str:
        """Return the message for a cell that fails even without a submission."""
        return (
            f"the locked cell {self.name} of {self.assignment} fails during grading"
            f" ({self.reason}): fix it in source/ and run course release."
        )


class CodeCell(TypedDict):
    """A code cell of a sanitized submission.

    `index` is its position in the notebook, or None for the parameters that grading inserts.
    """

    index: int | None
    grade_id: str | None
    source: str


@dataclass(frozen=True)
class GradingSettings:
    """The settings of a grading job that come from the configuration.

    `devices` are the paths of devices to expose in the sandbox. With `personalized_quizzes`, the
    notebook's parameter `student`, if it has one, is set to the student's ID.
    """

    limits: Limits = field(default_factory=Limits)
    isolated: bool = True
    devices: list[str] = field(default_factory=list)
    personalized_quizzes: bool = False


@dataclass(frozen=True)
class GradingJob:
    """A sanitized submission and everything that is needed to grade it.

    `notebook` is the file name without its extension. `files` are the files beside the notebook, as
    (relative path, content) pairs; those in `provided` belong to the assignment, and the others
    were submitted. `helpers` are the paths of the submitted Python files, which only the student's
    process gets. `skipped_files` describes the files that are too large, too many, or nested too
    deeply to be read. `submission` is the digest of the submitted files, which is saved with the
    result. `typed_name` is the name that the student typed into the notebook, which determines the
    values in its quizzes; it is None if there is no such name, or if the job sets the name.
    """

    assignment: str
    student: str
    notebook: str
    cells: list[CodeCell]
    files: list[tuple[str, bytes]]
    reference: ReferenceNotebook
    settings: GradingSettings = field(default_factory=GradingSettings)
    provided: list[str] = field(default_factory=list)
    helpers: list[str] = field(default_factory=list)
    skipped_files: list[str] = field(default_factory=list)
    submission: str = ""
    typed_name: str | None = None

    def provided_files(self) -> list[tuple[str, bytes]]:
        """Return the files that belong to the assignment."""
        return [file for file in self.files if file[0] in self.provided]

    def submitted_files(self) -> list[tuple[str, bytes]]:
        """Return the files that the student submitted."""
        return [file for file in self.files if file[0] not in self.provided]

    def read_only_files(self) -> list[str]:
        """Return the paths of the helper files, except those that a cell of the notebook writes."""
        written = {name for cell in self.cells for name in WRITTEN_FILE.findall(cell["source"])}
        return [name for name in self.helpers if name not in written]

    def data_files(self) -> list[tuple[str, bytes]]:
        """Return the files that the student submitted, except the helper files."""
        return [file for file in self.submitted_files() if file[0] not in self.helpers]

    def to_json(self) -> str:
        """Return the job as JSON text."""
        files = [[path, base64.b64encode(content).decode()] for path, content in self.files]
        return json.dumps(asdict(self) | {"files": files})

    @classmethod
    def from_json(cls, text: str) -> "GradingJob":
        """Parse the text that `to_json` returns."""
        content = json.loads(text)
        settings = content["settings"]
        settings["limits"] = Limits(**settings["limits"])
        content["settings"] = GradingSettings(**settings)
        content["reference"] = ReferenceNotebook(**content["reference"])
        content["files"] = [(path, base64.b64decode(data)) for path, data in content["files"]]
        return cls(**content)

    def digest(self) -> str:
        """Return a hash of the job's cells, files, skipped files, and reference notebook."""
        parts = [self.cells, asdict(self.reference), self.skipped_files]
        summary = hashlib.sha256(json.dumps(parts, sort_keys=True).encode())
        for path, content in sorted(self.files):
            name = path.encode("utf-8", "surrogatepass")  # a file name need not be valid text
            summary.update(name + b"\0" + hashlib.sha256(content).digest())
        return summary.hexdigest()


@dataclass
class Outcome:
    """The result of a job.

    `digest` is the job's digest. `outputs` maps the index of a cell, as text, to the outputs that
    grading adds to it; a test cell's old outputs are replaced. `note` describes problems with the
    whole submission, or is None. `seconds` is the wall time, and `cell_seconds` the part of it
    during which code ran in the kernels; `test_seconds` maps the grade id of a test to the wall
    time that it took with its hidden lines.
    `is_graded` is false if the submission could not be run and each test failed for that reason.
    """

    digest: str
    outputs: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    note: str | None = None
    seconds: float = 0.0
    cell_seconds: float = 0.0
    test_seconds: dict[str, float] = field(default_factory=dict)
    is_graded: bool = True

    def to_json(self) -> str:
        """Return the outcome as JSON text."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Outcome":
        """Parse the text that `to_json` returns."""
        return cls(**json.loads(text))
