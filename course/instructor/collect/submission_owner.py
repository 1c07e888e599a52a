"""Determining who submitted a notebook, from platform names, the roster, or the notebook."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from course.evidence.format import FOLDER
from course.instructor.collect.archive_reader import SubmittedFile, is_archive
from course.instructor.collect.platform_file_names import (
    Origin,
    strip_copy_marks,
    strip_notebook_name,
)
from course.instructor.collect.released_assignment import NotebookCell, ReleasedAssignment
from course.instructor.roster.roster import Person, Roster, is_valid_student_id, make_student_id

STUDENT_PARAMETER = re.compile(r"^student\s*=\s*(['\"])(?P<name>[^'\"\n]{1,100})\1", re.M)
ROSTER_FIELDS = {"Canvas": "canvas_id", "Moodle": "participant_id"}
USE_STUDENT = "name the student with --student"


class UnknownOwnerError(Exception):
    """An error for a file whose student cannot be determined; the message is the reason."""


@dataclass
class OwnerResolver:
    """A resolver that determines which student submitted each file of a collection."""

    roster: Roster | None
    student: str | None  # the owner of everything, if given
    common_folder: str  # contains everything in an archive, so its name is not a student's

    def resolve(self, origin: Origin, name_hints: Sequence[str]) -> str:
        """Return the student id for a file; raise UnknownOwnerError if it is uncertain.

        The hints are possible names of the student, the most reliable first.
        """
        if self.student:
            return self.student
        if origin.platform == "nbgrader":
            return self._resolve_nbgrader(origin)
        if origin.platform:
            return self._resolve_platform(origin)
        return self._resolve_hints(name_hints)

    def _resolve_nbgrader(self, origin: Origin) -> str:
        """Return the student id in a path that nbgrader created."""
        people = self.roster.find("student", origin.student) if self.roster else []
        student = people[0].student if people else origin.student
        if not is_valid_student_id(student):
            raise UnknownOwnerError(f"{student!r} cannot be a folder name: {USE_STUDENT}")
        return student

    def _resolve_platform(self, origin: Origin) -> str:
        """Return the student id for the name or user id that Canvas or Moodle wrote."""
        if self.roster:
            people = self.roster.find(ROSTER_FIELDS[origin.platform], origin.user_id)
            return _only(people or self.roster.find_by_name(origin.name), origin.name)
        # Canvas's user id is permanent; Moodle's participant id differs for each assignment.
        names = [origin.name]
        if origin.platform == "Canvas" and origin.user_id != origin.name:
            names.append(origin.user_id)
        student = make_student_id("-".join(names))
        if not student:
            raise UnknownOwnerError(
                f"cannot derive a folder name from {origin.name!r}: specify a roster with --roster"
            )
        return student

    def _resolve_hints(self, name_hints: Sequence[str]) -> str:
        """Return the student id for the first hint that is a student's name."""
        if self.roster:
            for hint in name_hints:
                if people := self.roster.find_by_name(hint):
                    return _only(people, hint)
            tried = ", ".join(map(repr, name_hints[:3]))
            names = f" (which does not contain {tried})" if tried else ""
            raise UnknownOwnerError(
                f"the student cannot be determined from the roster{names}: {USE_STUDENT}"
            )
        for hint in name_hints:
            if hint != self.common_folder and (student := make_student_id(hint)):
                return student
        raise UnknownOwnerError(
            f"the student cannot be determined: specify a roster with --roster, or {USE_STUDENT}"
        )


def name_hints(
    file: SubmittedFile,
    release: ReleasedAssignment,
    cells: Sequence[NotebookCell],
    manifest: dict[str, Any],
) -> list[str]:
    """Return possible names of the student, the most reliable first.

    The names come from the notebook's path, its manifest, and its parameter `student`.
    """
    stem, _ = strip_copy_marks(file.name)
    hints = [strip_notebook_name(stem, known) for known in (release.stem, release.name)]
    if strip_copy_marks(release.file_name)[0].casefold() not in stem.casefold():
        hints.append(stem)
    for folder in reversed(file.parts[:-1]):
        if is_archive(folder):
            folder, _ = strip_copy_marks(folder)
        for known in (release.name, release.stem):
            folder = strip_notebook_name(folder, known) or folder
        hints.append(folder)
    parameters = (STUDENT_PARAMETER.search(cell.source) for cell in cells)
    claims = [manifest.get("student"), *(match["name"] for match in parameters if match)]
    hints += [claim for claim in claims if isinstance(claim, str)]
    # Earlier versions of the packing cell wrote NAME-hand-in.zip.
    archives = {f"{release.stem}-{suffix}" for suffix in ("submission", "hand-in")}
    not_names = {"", release.name, release.stem, FOLDER, *archives}
    return list(dict.fromkeys(hint for hint in hints if hint not in not_names))


def _only(people: Sequence[Person], name: str) -> str:
    """Return the student id of the only person found under a name."""
    students = list(dict.fromkeys(person.student for person in people))
    if not students:
        raise UnknownOwnerError(
            f"the roster has no student called {name!r}: add a row, or {USE_STUDENT}"
        )
    if len(students) > 1:
        raise UnknownOwnerError(f"{name!r} could be {' or '.join(students)}: {USE_STUDENT}")
    return students[0]
