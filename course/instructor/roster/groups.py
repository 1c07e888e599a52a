"""The groups of a class: the table `groups.csv`, or the column `group` of the roster.

    assignment,group,student
    ,red,ada
    ,red,bob
    02-mnist,,bob

A row without an assignment applies to every assignment. A row with an assignment overrides it for
that student and that assignment; if its group is empty, the student works alone there. If the table
exists, the roster's column is ignored.
"""

from dataclasses import dataclass, field
from pathlib import Path

from course.errors import CourseError
from course.instructor.course_dir import assignment_names
from course.instructor.csv_files.csv_reader import read_named_columns
from course.instructor.roster.roster import Roster, is_valid_student_id

FILE_NAME = "groups.csv"
COLUMNS = ("assignment", "group", "student")
EVERY_ASSIGNMENT = ""


@dataclass
class Groups:
    """The group of each student by (assignment, student); an empty group means working alone.

    The key (`EVERY_ASSIGNMENT`, student) applies to assignments that have no key for the student.
    """

    group_of: dict[tuple[str, str], str] = field(default_factory=dict)

    @property
    def students(self) -> list[str]:
        """All students who have a key, in the order of their rows."""
        return list(dict.fromkeys(student for _, student in self.group_of))

    def members(self, assignment: str) -> dict[str, list[str]]:
        """Return the students of each group for an assignment; a single student is not a group."""
        found: dict[str, list[str]] = {}
        for student in self.students:
            default = self.group_of.get((EVERY_ASSIGNMENT, student), "")
            if group := self.group_of.get((assignment, student), default):
                found.setdefault(group, []).append(student)
        return {group: students for group, students in found.items() if len(students) > 1}


def read_groups(root: Path, roster: Roster | None) -> Groups:
    """Return the groups of a course directory, which are empty without a table or a group column.

    Raises CourseError if the table is invalid; the message names the line.
    """
    path = Path(root, FILE_NAME)
    if path.is_file():
        return _read_table(path, roster, assignment_names(root))
    spellings: dict[str, str] = {}
    return Groups(
        {
            (EVERY_ASSIGNMENT, person.student): _spelling(person.group, spellings)
            for person in roster or ()
            if person.group
        }
    )


def _read_table(path: Path, roster: Roster | None, assignments: list[str]) -> Groups:
    """Return the groups in a table; raise CourseError if a row is invalid."""
    found = Groups()
    lines: dict[tuple[str, str], int] = {}
    spellings: dict[str, str] = {}
    for line, cells in read_named_columns(path, COLUMNS, required=("group", "student")):
        name, where = cells["assignment"], f"{path}, line {line}"
        if name and name not in assignments:
            raise CourseError(
                f"{where} names the assignment {name!r}, which is not in source/: choose from"
                f" {', '.join(assignments)}."
            )
        key = name, _known_student(cells["student"], roster, where)
        if key in lines:
            every = name or "every assignment"
            raise CourseError(
                f"{where} lists {key[1]} for {every}, as does line {lines[key]}: remove one of the"
                " two lines, because a student can be in only one group."
            )
        lines[key] = line
        found.group_of[key] = _spelling(cells["group"], spellings)
    return found


def _known_student(student: str, roster: Roster | None, where: str) -> str:
    """Return a student's id as spelled in the roster; raise CourseError if it is missing."""
    if not student:
        raise CourseError(f"{where} names no student: add the student's id.")
    if roster is None:
        if is_valid_student_id(student):
            return student
        raise CourseError(
            f"{where} names the student {student!r}, which cannot be a student id: write the name"
            " of the student's folder in submitted/."
        )
    people = roster.find("student", student)
    if not people:
        raise CourseError(
            f"{where} names the student {student!r}, who is not in the roster: correct the id, or"
            " add the student to the roster."
        )
    return people[0].student


def _spelling(group: str, spellings: dict[str, str]) -> str:
    """Return the first spelling of a group's name; case and spaces do not distinguish groups."""
    name = " ".join(group.split())
    return spellings.setdefault(name.casefold(), name)
