"""What each student wrote: answers and added cells, read as text; nothing of it runs."""

import hashlib
import json
import stat
from dataclasses import dataclass, field
from pathlib import Path

from course.instructor.collect import notebook_reader
from course.instructor.collect import released_assignment as reference
from course.instructor.course_dir import source_notebook
from course.instructor.gradebook.submission_results import list_students

LONGEST = 50_000  # letters of a cell that are compared; who pastes a book must not hold up the rest
ADDED = {"code": "added code", "markdown": "added text"}


@dataclass
class Part:
    """What a student wrote in one place.

    Attributes
    ----------
    is_code : bool
    texts : list of str
        Of the answer, or of each cell that was added.
    """

    is_code: bool
    texts: list = field(default_factory=list)


@dataclass
class Work:
    """A submission.

    Attributes
    ----------
    student : str
    parts : dict of str to Part
        By grade id, or as `ADDED` calls it.
    file, cells : str
        Fingerprints of the notebook's file, and of its cells without what they gave out.
    """

    student: str
    parts: dict
    file: str
    cells: str


@dataclass
class Handout:
    """What everybody has to begin with.

    Attributes
    ----------
    code, texts : list of str
        The cells of the release.
    solutions : dict of str to str
        The source's own answers in code, by grade id.
    """

    code: list
    texts: list
    solutions: dict


def read(root, name):
    """Read what was handed in for an assignment.

    Parameters
    ----------
    root : Path
        The course directory.
    name : str
        The assignment.

    Returns
    -------
    handout : Handout
    works : list of Work
        Of those who wrote something.
    problems : list of str
        A sentence for each notebook that cannot be read.

    Raises
    ------
    CourseError
        If nobody has handed in or the assignment is not released.
    """
    students = list_students(root, "submitted", name)
    (released,) = reference.read_releases(root, [name])
    works, problems = [], []
    for student in students:
        path = Path(root, "submitted", student, name, released.file_name)
        try:
            work = _work(student, path, released)
        except (notebook_reader.RepairError, OSError) as error:
            reason = getattr(error, "strerror", None) or error
            problems.append(f"{path} is left out, since {reason}: mend it, or ask for it anew.")
        else:
            works += [work] if work.parts else []
    return _handout(root, name, released), works, problems


def _work(student, path, released):
    status = path.lstat()
    if not stat.S_ISREG(status.st_mode):
        raise notebook_reader.RepairError("the file is not a regular file")
    if status.st_size > notebook_reader.MAX_NOTEBOOK_BYTES:
        raise notebook_reader.RepairError("the file is too large")
    content = path.read_bytes()
    notebook = notebook_reader.parse(content).content
    for cell in notebook["cells"]:
        # JSON may hold halves of characters, which no terminal and no page can show.
        cell["source"] = cell["source"][:LONGEST].encode(errors="replace").decode()
    cells = reference.read_cells(notebook)
    texts = [(cell.cell_type, cell.text) for cell in cells]
    return Work(
        student, _parts(cells, released), _digest(content), _digest(json.dumps(texts).encode())
    )


def _parts(cells, released):
    answers = {cell.grade_id: cell for cell in released.cells if cell.is_answer}
    given = {cell.text for cell in released.cells}
    parts = {}
    # Grading takes the last one of cells that claim the same; the others are added ones.
    for cell in reversed(cells):
        if not cell.text or cell.text in given or cell.cell_type not in ADDED:
            continue
        names = [cell.grade_id, *cell.ids]
        place = next((each for each in names if each in answers and each not in parts), None)
        part = Part(cell.cell_type == "code")
        parts.setdefault(place or ADDED[cell.cell_type], part).texts.insert(0, cell.source)
    return parts


def _handout(root, name, released):
    source = json.loads(source_notebook(root, name).read_text(encoding="utf-8"))
    solutions = {
        cell["metadata"]["nbgrader"]["grade_id"]: "".join(cell["source"])
        for cell in source["cells"]
        if cell["cell_type"] == "code" and cell["metadata"].get("nbgrader", {}).get("solution")
    }
    texts = {kind: [c.source for c in released.cells if c.cell_type == kind] for kind in ADDED}
    return Handout(texts["code"], texts["markdown"], solutions)


def _digest(content):
    return hashlib.sha256(content).hexdigest()
