"""What a killed grading goes on from.

An outcome is written here, whole, before anything is saved to the gradebook or to autograded/, and
removed when all is saved. A forced regrading notes here who is still to be graded again, and
collecting who has handed in something else.
"""

import json
from pathlib import Path

from course.files import write_atomically
from course.instructor import file_lock
from course.instructor.grading.job import Outcome


class Journal:
    """The journal of an assignment, in `build/grading/` of the course directory.

    Parameters
    ----------
    root : Path
        The course directory.
    name : str
        The assignment.
    """

    def __init__(self, root, name):
        self.name = name
        self.folder = Path(root, "build", "grading", name)

    def alone(self):
        """Keep other gradings of the assignment away; a killed one keeps nobody away."""
        words = f"{self.name} is being graded here already: wait for that, or stop it."
        return file_lock.alone(self.folder, words)

    def write(self, student, outcome):
        """Keep an outcome; it is there whole or not at all, also after a power cut."""
        write_atomically(self._path(student), outcome.to_json())

    def read(self, student):
        """Return the outcome that a killed grading left for a student, or None."""
        try:
            return Outcome.from_json(self._path(student).read_text(encoding="utf-8"))
        except (OSError, ValueError, TypeError):
            return None

    def left(self):
        """Return the students of whom a killed grading left an outcome."""
        return {path.stem for path in self._path("").parent.glob("*.json")}

    def forget(self, student):
        """Drop a student's outcome."""
        self._path(student).unlink(missing_ok=True)

    def done(self, student):
        """Note that a student's outcome is saved."""
        # In this order: a kill in between makes the next run save it again, not grade it again.
        self._anew(student).unlink(missing_ok=True)
        waiting = self.again()
        if student in waiting:
            self.set_again(waiting - {student})
        self.forget(student)

    def grade_anew(self, student):
        """Note that a student's submission has been replaced, perhaps after it was graded."""
        mark = self._anew(student)
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()

    def anew(self):
        """Return the students who have handed in another submission since they were graded."""
        return {path.name for path in self._anew("x").parent.glob("*")}

    def again(self):
        """Return the students whom a forced regrading has still to grade."""
        try:
            return set(json.loads(self._again.read_text(encoding="utf-8")))
        except (OSError, ValueError):
            return set()

    def set_again(self, students):
        """Note the students whom a forced regrading has still to grade."""
        if students:
            write_atomically(self._again, json.dumps(sorted(students)))
        else:
            self._again.unlink(missing_ok=True)

    @property
    def _again(self):
        return self.folder / "again.json"

    def _anew(self, student):
        return self.folder / "anew" / student

    def _path(self, student):
        return self.folder / "outcomes" / f"{student}.json"
