"""Answers that were graded by hand: a regrade leaves those that have not changed marked as graded.

The scores that a person gave belong to the answers in `autograded/`. A kill while a result is saved
can leave newer answers there, with the old scores in the gradebook. Therefore, a file in `build/`
records digests of the old answers before that folder is replaced, until the new scores are saved.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

from course.files import write_atomically


class KeptAnswers:
    """The answers of one student to which the scores in the gradebook belong."""

    def __init__(self, root: Path, assignment: str, student: str, notebook: str) -> None:
        self._path = answers_file(root / "build" / "grading" / assignment, student)
        self._graded = root / "autograded" / student / assignment / f"{notebook}.ipynb"

    def record(self) -> dict[str, str]:
        """Return the digest of each answer, by grade id, from the file.

        If there is no file, write the digests of the answers in `autograded/` to it. If there are
        no such answers either, return an empty dict.
        """
        try:
            return dict(json.loads(self._path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            pass
        try:
            cells = json.loads(self._graded.read_text(encoding="utf-8"))["cells"]
        except (OSError, ValueError, KeyError):
            return {}
        found = answer_digests(cells)
        write_atomically(self._path, json.dumps(found))
        return found

    def forget(self) -> None:
        """Remove the file; call this once the new scores are saved."""
        self._path.unlink(missing_ok=True)


def answers_file(folder: Path, student: str) -> Path:
    """Return the path of a student's file in an assignment's folder for grading."""
    name = hashlib.sha256(student.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    return folder / "answers" / f"{name}.json"


def answer_digests(cells: list[dict[str, Any]]) -> dict[str, str]:
    """Return a digest of each answer that is graded by hand: its text, images, and points.

    Cells that a student added next to an answer are part of the answer.
    """
    found = {}
    for at, cell in enumerate(cells):
        metadata = cell["metadata"].get("nbgrader", {})
        if metadata.get("grade") and metadata.get("solution"):
            content = [
                _text_and_pictures(cell),
                float(metadata.get("points", 0)),
                _beside(cells[:at][::-1]),
                _beside(cells[at + 1 :]),
            ]
            text = json.dumps(content, sort_keys=True)
            found[metadata["grade_id"]] = hashlib.sha256(text.encode()).hexdigest()
    return found


def _text_and_pictures(cell: dict[str, Any]) -> list[Any]:
    """Return the text of a cell and its attachments."""
    return ["".join(cell["source"]), cell.get("attachments", {})]


def _beside(cells: list[dict[str, Any]]) -> list[Any]:
    """Return the content of the cells that a student added before the next answer or test."""
    found = []
    for cell in cells:
        metadata = cell["metadata"].get("nbgrader", {})
        if metadata.get("grade") or metadata.get("solution"):
            break
        if not metadata.get("grade_id"):
            found.append(_text_and_pictures(cell))
    return found
