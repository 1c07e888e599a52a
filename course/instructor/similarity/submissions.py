"""Answers, added cells, and helper files of an assignment's submissions, read as text only."""

import hashlib
import json
import stat
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from course.errors import CourseError
from course.instructor.collect.released_assignment import (
    NotebookCell,
    ReleasedAssignment,
    read_cells,
    read_releases,
)
from course.instructor.course_dir import source_notebook
from course.instructor.sandbox import forkserver_client
from course.instructor.sandbox.kernel_client import EngineError
from course.instructor.sandbox.worker_pool import available_cores
from course.instructor.similarity.tokenization import Views, tokenize_in_limits, tokenize_text
from course.instructor.student_text.limited_worker import StudentTextError
from course.instructor.student_text.notebook_parser import read_notebook
from course.instructor.student_text.size_limits import MAX_NOTEBOOK_BYTES
from course.packing import helper_files

# Characters of a submission that are compared, first those of its answers. All answers of an
# assignment have a few thousand.
MAX_COMPARED = 50_000
ADDED_CELLS = {"code": "added code", "markdown": "added text"}


@dataclass
class Answer:
    """The code or text of an answer, or of all the cells of one type that a student added.

    The added code includes the helper files.
    """

    is_code: bool
    texts: list[str] = field(default_factory=list)  # one per cell or file
    views: list[Views] = field(default_factory=list)  # the tokens of each text

    @classmethod
    def supplied(cls, is_code: bool, texts: list[str]) -> Self:
        """Return text from the release or the source as an answer."""
        return cls(is_code, texts, [tokenize_text(text, is_code) for text in texts])


@dataclass
class Submission:
    """A student's answers, by grade id or by a value of `ADDED_CELLS`.

    The digests are those of the notebook file and of its cells without outputs. `problems` are
    the reasons why a part of the text is not compared.
    """

    student: str
    answers: dict[str, Answer]
    file_digest: str
    cells_digest: str
    problems: list[str] = field(default_factory=list)


@dataclass
class SuppliedText:
    """The text that all students start from, and the source's code solutions by grade id."""

    code: list[str]
    texts: list[str]
    solutions: dict[str, str]


def read_submissions(
    root: Path, name: str, students: Sequence[str]
) -> tuple[SuppliedText, list[Submission], list[str]]:
    """Return the supplied text, the submissions with answers, and a problem per unreadable file.

    Raises CourseError if the assignment has not been released.
    """
    (released,) = read_releases(root, [name])
    submissions: list[Submission] = []
    problems: list[str] = []
    too_busy: list[EngineError] = []

    def read(student: str) -> Submission | str:
        """Return a submission, or the sentence about the file that cannot be read."""
        path = Path(root, "submitted", student, name, released.file_name)
        try:
            return _read_submission(student, path, released)
        except EngineError as error:
            if forkserver_client.is_stopped():
                raise
            too_busy.append(error)
            return f"{path} is skipped ({error})"
        except CourseError:
            raise  # this machine cannot read any submission
        except Exception as error:  # a file can be damaged in any way
            reason = str(error) if isinstance(error, StudentTextError | OSError) else repr(error)
            reason = getattr(error, "strerror", None) or reason
            return f"{path} is skipped ({reason}): repair it, or ask for a new copy."

    # Each file is read by a process of its own.
    with ThreadPoolExecutor(available_cores()) as pool:
        for found in pool.map(read, students):
            if isinstance(found, str):
                problems.append(found)
            elif found.answers:
                submissions.append(found)
                problems += found.problems
    # If the machine is too busy for most files, it is not because of what is in one of them.
    if 2 * len(too_busy) > len(students):
        raise too_busy[0]
    return _read_supplied_text(root, name, released), submissions, problems


def _read_submission(student: str, path: Path, released: ReleasedAssignment) -> Submission:
    """Return a submitted notebook's answers."""
    if not stat.S_ISREG(path.lstat().st_mode):
        raise StudentTextError("the file is not a regular file")
    with path.open("rb") as file:
        content = file.read(MAX_NOTEBOOK_BYTES + 1)
    notebook = read_notebook(content).content
    cells = read_cells(notebook)
    texts = json.dumps([(cell.cell_type, cell.text) for cell in cells])
    file_digest, cells_digest = (
        hashlib.sha256(each).hexdigest() for each in (content, texts.encode())
    )
    answers = _answers(cells, released)
    if helpers := _helper_texts(path.parent, released):
        answers.setdefault(ADDED_CELLS["code"], Answer(is_code=True)).texts += helpers
    problems = _tokenize(answers)
    reasons = [f"{path} is compared only in part: {problem}." for problem in problems]
    return Submission(student, answers, file_digest, cells_digest, reasons)


def _helper_texts(folder: Path, released: ReleasedAssignment) -> list[str]:
    """Return the text of the helper files beside a submitted notebook."""
    paths = [
        path
        for path in sorted(folder.glob(f"*{helper_files.SUFFIX}"))
        if helper_files.is_importable(path.name) and path.name not in released.provided
    ]
    return [
        helper_files.read_source(path.read_bytes())
        for path in paths[: helper_files.MAX_FILES]
        if stat.S_ISREG((status := path.lstat()).st_mode)
        and status.st_size <= helper_files.MAX_BYTES
    ]


def _tokenize(answers: dict[str, Answer]) -> list[str]:
    """Add the tokens of all texts to a student's answers in place, and return problems."""
    problems = []
    left = MAX_COMPARED
    for name in sorted(answers, key=lambda name: name in ADDED_CELLS.values()):
        answer = answers[name]
        for index, text in enumerate(answer.texts):
            answer.texts[index] = text[:left]
            left -= len(answer.texts[index])
    if left == 0:
        problems.append(f"it has more than {MAX_COMPARED:,} characters of answers and added cells")
    texts = [(text, answer.is_code) for answer in answers.values() for text in answer.texts]
    views, reasons = tokenize_in_limits(texts)
    remaining = iter(views)
    for answer in answers.values():
        answer.views = [next(remaining) for _ in answer.texts]
    return problems + reasons


def _answers(cells: Sequence[NotebookCell], released: ReleasedAssignment) -> dict[str, Answer]:
    """Return the answers among a submission's cells."""
    answer_ids = {cell.grade_id for cell in released.cells if cell.is_answer}
    supplied = {cell.text for cell in released.cells}
    answers: dict[str, Answer] = {}
    # Grading uses the last cell with a given grade id; earlier ones count as added cells.
    for cell in reversed(cells):
        if not cell.text or cell.text in supplied or cell.cell_type not in ADDED_CELLS:
            continue
        candidates = [cell.grade_id, *cell.ids]
        name = next((each for each in candidates if each in answer_ids - answers.keys()), None)
        answer = Answer(cell.cell_type == "code")
        answers.setdefault(name or ADDED_CELLS[cell.cell_type], answer).texts.insert(0, cell.source)
    return answers


def _read_supplied_text(root: Path, name: str, released: ReleasedAssignment) -> SuppliedText:
    """Return the release's cells and the source's solutions."""
    source = json.loads(source_notebook(root, name).read_text(encoding="utf-8"))
    solutions = {
        cell["metadata"]["nbgrader"]["grade_id"]: "".join(cell["source"])
        for cell in source["cells"]
        if cell["cell_type"] == "code" and cell["metadata"].get("nbgrader", {}).get("solution")
    }
    texts = {
        cell_type: [cell.source for cell in released.cells if cell.cell_type == cell_type]
        for cell_type in ADDED_CELLS
    }
    return SuppliedText(texts["code"], texts["markdown"], solutions)
