"""Whose submission a notebook is: by the platform's names, a roster, or what the notebook says."""

import re

from course.evidence.format import FOLDER
from course.instructor.collect import platform_file_names
from course.instructor.roster.roster import is_valid_student_id, make_student_id

STUDENT = re.compile(r"^student\s*=\s*(['\"])(?P<name>[^'\"\n]{1,100})\1", re.M)


class UnknownOwnerError(Exception):
    """It cannot be told; the message is the reason."""


class OwnerResolver:
    """Says whose a file is.

    Parameters
    ----------
    roster : Roster or None
        The class.
    student : str or None
        Whose everything is, where a person has said so.
    common : str
        The folder that everything in an archive lies in, which is nobody's name.
    """

    def __init__(self, roster=None, student=None, common=""):
        self.roster, self.student, self.common = roster, student, common

    def of(self, origin, hints):
        """Return the name of a student's folder in `submitted/`.

        Parameters
        ----------
        origin : naming.Origin
            What a platform's names say.
        hints : list of str
            Other names that may be the student's, the most telling first.

        Raises
        ------
        Unknown
            If it cannot be told.
        """
        if self.student:
            return self.student
        if origin.platform == "nbgrader":
            return self._of_nbgrader(origin)
        if origin.platform:
            return self._of_platform(origin)
        return self._of_hints(hints)

    def _of_nbgrader(self, origin):
        people = self.roster.by(student=origin.student) if self.roster else []
        student = people[0].student if people else origin.student
        if not is_valid_student_id(student):
            raise UnknownOwnerError(f"no folder can be called {student!r}: say whose it is by --student")
        return student

    def _of_platform(self, origin):
        if not self.roster:
            # Canvas's number is the user's own; Moodle's is another for each assignment.
            names = [origin.name]
            if origin.platform == "Canvas" and origin.number != origin.name:
                names.append(origin.number)
            student = make_student_id("-".join(names))
            if not student:
                raise UnknownOwnerError(f"{origin.name!r} makes no name of a folder: give a --roster")
            return student
        field = origin.platform.lower()
        people = self.roster.by(**{field: origin.number}) or self.roster.named(origin.name)
        return self._only(people, origin.name)

    def _of_hints(self, hints):
        if self.roster:
            for hint in hints:
                people = self.roster.named(hint)
                if people:
                    return self._only(people, hint)
            tried = f" ({', '.join(map(repr, hints[:3]))} is nobody's name)" if hints else ""
            raise UnknownOwnerError(f"whose it is cannot be told from the roster{tried}: say it by --student")
        for hint in hints:
            if hint != self.common and make_student_id(hint):
                return make_student_id(hint)
        raise UnknownOwnerError("whose it is cannot be told: give a --roster, or say it by --student")

    def _only(self, people, name):
        if len({each.student for each in people}) == 1:
            return people[0].student
        if people:
            who = " and ".join(each.student for each in people)
            raise UnknownOwnerError(f"{name!r} may be {who}: say whose it is by --student")
        raise UnknownOwnerError(f"nobody in the roster is called {name!r}: add a row, or use --student")


def hints_of(file, reference, cells, manifest):
    """Return names that may be the student's, the most telling first.

    Parameters
    ----------
    file : files.File
        The notebook.
    reference : Reference
        The assignment.
    cells : list of Cell
        The notebook's.
    manifest : dict
        What the notebook's last cell has written, or empty.
    """
    stem, _ = platform_file_names.plain_stem(file.name)
    hints = [
        platform_file_names.beside(stem, reference.stem),
        platform_file_names.beside(stem, reference.name),
    ]
    if platform_file_names.plain_stem(reference.file_name)[0].casefold() not in stem.casefold():
        hints.append(stem)
    for part in reversed(file.parts[:-1]):
        folder = platform_file_names.plain_stem(part)[0] if part.lower().endswith(".zip") else part
        for known in (reference.name, reference.stem):
            folder = platform_file_names.beside(folder, known) or folder
        hints.append(folder)
    said = [manifest.get("student")]
    said += [found["name"] for cell in cells if (found := STUDENT.search(cell.source))]
    nobody = {"", reference.name, reference.stem, FOLDER, f"{reference.stem}-hand-in"}
    hints += [each for each in said if isinstance(each, str)]
    return list(dict.fromkeys(each for each in hints if each not in nobody))
