"""A submission as plain data on its way to being graded, and what came of it.

Both are JSON, so that they can go to another process or machine and into the journal.
"""

import base64
import hashlib
import json
from dataclasses import asdict, dataclass, field

from course.instructor.sandbox.limits import Limits


@dataclass(frozen=True)
class Kit:
    """What an assignment's grading needs beside a submission; all of it the instructor's.

    Attributes
    ----------
    order : list of str
        Grade ids of the notebook's cells, in the source's order.
    cells : dict of str to dict
        Grade id to the cell as the gradebook has it: cell_type, source, locked, grade, solution,
        task, points, checksum.
    parameters : str
        The code that pins the parameters.
    """

    order: list
    cells: dict
    parameters: str

    def tests(self):
        """Return the grade ids of the test cells, in order."""
        return [name for name in self.order if self.is_test(name)]

    def is_test(self, name):
        """Return whether a grade id is that of an autograder test."""
        cell = self.cells.get(name)
        return bool(cell) and cell["grade"] and not cell["solution"] and cell["cell_type"] == "code"

    def is_locked_code(self, name):
        """Return whether a grade id is that of a locked code cell that is no test."""
        cell = self.cells.get(name)
        return bool(cell) and cell["locked"] and not cell["grade"] and cell["cell_type"] == "code"


@dataclass(frozen=True)
class Job:
    """A sanitized submission.

    Attributes
    ----------
    assignment, student, notebook : str
        Whose, and the notebook's name without its ending.
    cells : list of dict
        Its code cells in order: "index" in the notebook, "grade_id" or None, "source".
    files : list of (str, bytes)
        What lies beside the notebook.
    kit : Kit
        The assignment's.
    limits : Limits
        What its kernels may use.
    isolated : bool
        Whether they run in the sandbox.
    devices : list of str
        What the sandbox lets in.
    provided : list of str
        Which of the files are the assignment's; the others were handed in.
    left_out : list of str
        Files that were too large, each with its size.
    """

    assignment: str
    student: str
    notebook: str
    cells: list
    files: list
    kit: Kit
    limits: Limits = field(default_factory=Limits)
    isolated: bool = True
    devices: list = field(default_factory=list)
    provided: list = field(default_factory=list)
    left_out: list = field(default_factory=list)

    def to_json(self):
        """Return the job as text."""
        files = [[path, base64.b64encode(content).decode()] for path, content in self.files]
        return json.dumps(asdict(self) | {"files": files})

    @classmethod
    def from_json(cls, text):
        """Return the job of a text."""
        content = json.loads(text)
        content["kit"] = Kit(**content["kit"])
        content["limits"] = Limits(**content["limits"])
        content["files"] = [(path, base64.b64decode(data)) for path, data in content["files"]]
        return cls(**content)

    def digest(self):
        """Return a number of this job's cells, files and kit: equal work has an equal one."""
        parts = [self.cells, asdict(self.kit), self.left_out]
        summary = hashlib.sha256(json.dumps(parts, sort_keys=True).encode())
        for path, content in sorted(self.files):
            name = path.encode("utf-8", "surrogatepass")  # a file's name may be no text
            summary.update(name + b"\0" + hashlib.sha256(content).digest())
        return summary.hexdigest()


@dataclass
class Outcome:
    """What came of a job.

    Attributes
    ----------
    digest : str
        The job's.
    outputs : dict of str to list
        Index of a cell to the outputs that grading adds to it; a test cell's are all it has.
    reason : str or None
        One sentence where something befell the submission as a whole.
    seconds : float
        How long it took.
    cell_seconds : float
        How long its cells ran, in both kernels.
    """

    digest: str
    outputs: dict = field(default_factory=dict)
    reason: str | None = None
    seconds: float = 0.0
    cell_seconds: float = 0.0

    def to_json(self):
        """Return the outcome as text."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text):
        """Return the outcome of a text."""
        return cls(**json.loads(text))
