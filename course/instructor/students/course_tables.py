"""The rows about a student in the tables of a course directory: roster, due dates, and others."""

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from course.errors import CourseError
from course.instructor.csv_files import row_editor
from course.instructor.csv_files.csv_reader import read_table
from course.instructor.gradebook.roster_matching import match_members
from course.instructor.lateness import due_dates, submission_times
from course.instructor.roster.roster import (
    ROSTER_FILE_NAME,
    Person,
    Roster,
    read_roster,
    student_column,
)


def read_people(root: Path) -> Roster | None:
    """Return the course's roster, or None if the file is missing or has at most a header."""
    path = root / ROSTER_FILE_NAME
    return read_roster(path) if path.is_file() and len(read_table(path)) > 1 else None


def find_person(root: Path, student: str, enrolled: Mapping[str, Any]) -> Person | None:
    """Return the person in the roster who has a student ID, or None.

    `enrolled` maps IDs to nbgrader's students, whose names, email addresses, and Canvas IDs can
    identify the person.
    """
    roster = read_people(root)
    if roster is None:
        return None
    unknown = dict.fromkeys(("first_name", "last_name", "email", "lms_user_id"))
    students = {student: SimpleNamespace(id=student, **unknown), **enrolled}
    members = match_members(students.values(), roster, roster)
    return next((each.person for each in members if each.row and each.student == student), None)


def other_tables(root: Path) -> list[tuple[Path, int]]:
    """Return the course's other tables, each with the index of the column with student IDs.

    Among them are due dates and exported scores. CSV files that cannot be read as a table or have
    no such column are left out.
    """
    found = []
    for path in sorted(root.glob("*.csv")):
        try:
            table = read_table(path) if path.name != ROSTER_FILE_NAME else []
        except CourseError:
            continue
        column = student_column(table[0][1]) if table else None
        if column is not None:
            found.append((path, column))
    return found


def students_in(path: Path, column: int) -> list[str]:
    """Return the student IDs in a table; rows without an ID are left out."""
    ids = [row[column].strip() for _, row in read_table(path)[1:] if len(row) > column]
    return [each for each in ids if each]


def remove(root: Path, student: str, roster_id: str) -> None:
    """Delete the rows about a student; `roster_id` is the student's ID in the roster, or ""."""
    _edit_roster(root, roster_id, None)
    _edit_others(root, student, None)


def rename(root: Path, old: str, new: str, roster_id: str) -> None:
    """Write a student's new ID into all tables, and into the roster if it has student IDs."""
    _edit_roster(root, roster_id, new)
    _edit_others(root, old, new)


def move_times(root: Path, assignment: str, old: str, new: str) -> None:
    """Give a student's extension and submission time in one assignment to another student.

    They replace the other student's own.
    """
    for name in (due_dates.FILE_NAME, submission_times.FILE_NAME):
        path = root / name
        table = read_table(path) if path.is_file() else []
        columns = [cell.strip().lower() for cell in table[0][1]] if table else []
        if not {"assignment", "student"} <= {*columns}:
            continue
        keys = columns.index("assignment"), columns.index("student")

        def key(row: list[str], keys: tuple[int, int] = keys) -> list[str]:
            return [row[at].strip() if len(row) > at else "" for at in keys]

        if [assignment, old] not in [key(row) for _, row in table[1:]]:
            continue

        def edit(row: list[str], at: int = keys[1], key: Any = key) -> list[str] | None:
            if key(row) == [assignment, old]:
                return [*row[:at], new, *row[at + 1 :]]
            return None if key(row) == [assignment, new] else row

        row_editor.edit_rows(path, edit)


def _edit_roster(root: Path, roster_id: str, new: str | None) -> None:
    """Write the new ID into a person's row in the roster; if `new` is None, remove the row."""
    roster = read_people(root) if roster_id else None
    if roster is None:
        return
    pairs = zip(roster, roster.rows, strict=True)
    rows = [row for person, row in pairs if person.student == roster_id]
    column, width = student_column(roster.header), len(roster.header)

    def edit(row: list[str]) -> list[str] | None:
        padded = row + [""] * (width - len(row))
        if padded not in rows or (new is not None and column is None):
            return row
        if new is None or column is None:
            return None
        padded[column] = new
        return padded

    row_editor.edit_rows(root / ROSTER_FILE_NAME, edit)


def _edit_others(root: Path, student: str, new: str | None) -> None:
    """Write the new ID into all other tables; if `new` is None, remove the student's rows."""
    for path, column in other_tables(root):

        def edit(row: list[str], column: int = column) -> list[str] | None:
            if len(row) <= column or row[column].strip() != student:
                return row
            return None if new is None else [*row[:column], new, *row[column + 1 :]]

        row_editor.edit_rows(path, edit)
