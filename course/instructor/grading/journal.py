"""The journal from which a killed grading run resumes.

An outcome is written here before anything is saved to the gradebook or to autograded/, and removed
once everything is saved. The journal also records which students' submissions a forced regrading
still has to grade, and which submissions are ungraded even if there is an earlier result.
"""

import contextlib
import json
from contextlib import AbstractContextManager
from pathlib import Path

from course.files import unfinished_copy, write_atomically
from course.instructor import file_lock
from course.instructor.grading.job import Outcome
from course.instructor.grading.kept_answers import answers_file


class Journal:
    """The journal of an assignment, in `build/grading/` of the course directory."""

    def __init__(self, root: Path, name: str) -> None:
        self.name = name
        self.folder = Path(root, "build", "grading", name)
        self._outcomes = self.folder / "outcomes"
        # Outside build/: the new submissions are graded even if somebody deletes that folder.
        self._ungraded = Path(root, "originals", "resubmitted", name)
        self._pending_regrades = self.folder / "pending-regrades.json"

    def exclusive(self) -> AbstractContextManager[None]:
        """Prevent other processes from grading the assignment while the block runs.

        Raises LockHeldError if another process is grading it.
        """
        message = (
            f"{self.name} is already being graded here: wait until that command ends, or stop it."
        )
        return file_lock.exclusive_lock(self.folder, message)

    def save_outcome(self, student: str, outcome: Outcome) -> None:
        """Save the outcome of a student's submission atomically."""
        write_atomically(self._outcomes / f"{student}.json", outcome.to_json())

    def load_outcome(self, student: str) -> Outcome | None:
        """Return the outcome that a killed grading run left for a student, or None."""
        try:
            return Outcome.from_json((self._outcomes / f"{student}.json").read_text("utf-8"))
        except (OSError, ValueError, TypeError):
            return None

    def students_with_outcome(self) -> set[str]:
        """Return the students for whom a killed grading run left an outcome."""
        return {path.stem for path in self._outcomes.glob("*.json")}

    def discard_outcome(self, student: str) -> None:
        """Remove a student's outcome."""
        (self._outcomes / f"{student}.json").unlink(missing_ok=True)

    def complete(self, student: str) -> None:
        """Record that a student's result is saved in the gradebook and in autograded/."""
        # Discard the outcome last: after a kill, the next grading run saves it without regrading.
        (self._ungraded / student).unlink(missing_ok=True)
        self._end_regrade(student)
        self.discard_outcome(student)

    def fail(self, student: str) -> None:
        """Record that a student's submission could not be graded: every later run tries again."""
        # The disk can be full, and the student's ID with ".json" can be too long for a file name.
        for record in (self.mark_ungraded, self._end_regrade, self.discard_outcome):
            with contextlib.suppress(OSError):
                record(student)

    def mark_ungraded(self, student: str) -> None:
        """Record that a student's submission is ungraded, even if there is an earlier result."""
        self._ungraded.mkdir(parents=True, exist_ok=True)
        (self._ungraded / student).touch()

    def ungraded(self) -> set[str]:
        """Return the students whose submissions were replaced by a collection or cannot be graded.

        A submission that was replaced in another way is recognized by its digest.
        """
        return {path.name for path in self._ungraded.glob("*")}

    def pending_regrades(self) -> tuple[set[str], set[str]]:
        """Return the students whom a forced regrading must still grade, and all it includes."""
        try:
            content = json.loads(self._pending_regrades.read_text("utf-8"))
            if isinstance(content, list):  # written by an earlier version
                return set(content), set()
            return set(content["pending"]), set(content["all"])
        except (OSError, ValueError, TypeError, KeyError):
            return set(), set()

    def set_pending_regrades(self, pending: set[str], everybody: set[str]) -> None:
        """Record the students whom a forced regrading must still grade, and all it includes."""
        if pending:
            content = {"pending": sorted(pending), "all": sorted(everybody)}
            write_atomically(self._pending_regrades, json.dumps(content))
        else:
            self._pending_regrades.unlink(missing_ok=True)

    def students(self) -> set[str]:
        """Return the students about whom the journal records anything but kept answers."""
        pending, everybody = self.pending_regrades()
        return self.students_with_outcome() | self.ungraded() | pending | everybody

    def forget(self, student: str) -> None:
        """Remove everything that is recorded about a student."""
        for path in self._files(student):
            path.unlink(missing_ok=True)
            unfinished_copy(path).unlink(missing_ok=True)
        pending, everybody = self.pending_regrades()
        if student in pending | everybody:
            self.set_pending_regrades(pending - {student}, everybody - {student})

    def rename(self, old: str, new: str) -> None:
        """Move everything that is recorded about a student to the student's new ID."""
        for path, target in zip(self._files(old), self._files(new), strict=True):
            if path.exists():
                path.replace(target)
        pending, everybody = self.pending_regrades()
        if old in pending | everybody:
            replaced = [
                {new if each == old else each for each in group} for group in (pending, everybody)
            ]
            self.set_pending_regrades(*replaced)

    def _files(self, student: str) -> list[Path]:
        """Return the paths of the files that may exist for a student."""
        return [
            self._outcomes / f"{student}.json",
            self._ungraded / student,
            answers_file(self.folder, student),
        ]

    def _end_regrade(self, student: str) -> None:
        """Record that a forced regrading no longer has to grade a student's submission."""
        pending, everybody = self.pending_regrades()
        if student in pending:
            self.set_pending_regrades(pending - {student}, everybody)
