"""The students of a course directory, and the data that it stores about each of them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from course.errors import CourseError
from course.instructor.collect import originals, student_originals
from course.instructor.course_dir import assignment_names, open_api
from course.instructor.gradebook import health, student_rows
from course.instructor.grading.journal import Journal
from course.instructor.roster.roster import ROSTER_FILE_NAME, Person
from course.instructor.students import course_tables

FOLDERS = ("submitted", "autograded", "feedback")  # with one folder per student
STUDENT_FIELDS = ("id", "first_name", "last_name", "email", "lms_user_id")  # in the gradebook


@dataclass
class ClassData:
    """All students: `places` maps an ID to the places that contain it, as they are printed."""

    places: dict[str, list[str]]
    enrolled: dict[str, Any]  # nbgrader's students by ID


def read_class(root: Path) -> ClassData:
    """Return all students who occur in a course directory, with the places that contain them."""
    found = ClassData({}, {})

    def add(students: Iterable[str], place: str) -> None:
        for student in students:
            found.places.setdefault(student, []).append(place)

    for folder in FOLDERS:
        paths = sorted(Path(root, folder).glob("*/"))
        add((path.name for path in paths if not path.name.startswith(".")), f"{folder}/")
    if has_gradebook(root):
        with open_api(root).gradebook as gradebook:
            for each in gradebook.students:
                values = {name: getattr(each, name) for name in STUDENT_FIELDS}
                found.enrolled[each.id] = SimpleNamespace(**values)
    add(found.enrolled, "the gradebook")
    add((person.student for person in course_tables.read_people(root) or ()), ROSTER_FILE_NAME)
    for path, column in course_tables.other_tables(root):
        add(course_tables.students_in(path, column), path.name)
    add(sorted(student_originals.students(root)), f"{originals.FOLDER}/")
    for journal in journals(root):
        add(sorted(journal.students()), f"{journal.folder.relative_to(root)}/")
    return found


def has_gradebook(root: Path) -> bool:
    """Return whether there is a gradebook; raise CourseError if it cannot be used."""
    state, message = health.check_gradebook(root, open_api(root).coursedir.db_url)
    if state not in (health.AVAILABLE, health.MISSING):
        raise CourseError(message)
    return state == health.AVAILABLE


def journals(root: Path) -> list[Journal]:
    """Return the journals of all assignments, even of those that no longer exist."""
    folders = [*root.glob("build/grading/*/"), *root.glob("originals/resubmitted/*/")]
    names = {*assignment_names(root), *(path.name for path in folders)}
    return [Journal(root, name) for name in sorted(names)]


def describe(root: Path, student: str, person: Person | None) -> Iterator[str]:
    """Yield a line about each place in which data about a student is stored.

    `person` is the student in the roster, or None.
    """
    for folder in FOLDERS:
        path = Path(root, folder, student)
        if path.is_dir():
            names = sorted(each.name for each in path.glob("*/") if not each.name.startswith("."))
            yield f"{folder}/{student}: {', '.join(names) or 'no assignment'}"
    if has_gradebook(root):
        with open_api(root).gradebook as gradebook:
            if student in {each.id for each in gradebook.students}:
                counts = student_rows.count(gradebook, student)
                yield f"gradebook: {', '.join(_number(n, what) for what, n in counts.items())}"
    if person:
        yield f"{ROSTER_FILE_NAME}: the row of {person.name or person.student}"
    for path, column in course_tables.other_tables(root):
        if count := course_tables.students_in(path, column).count(student):
            yield f"{path.name}: {_number(count, 'row')}"
    for each in student_originals.find(root, student):
        count = len(each.copies) if each.others else len(list(each.folder.glob("files/*")))
        yield f"{each.folder.relative_to(root)}: {_number(count, 'file')}"
    if replaced := list(Path(root, originals.FOLDER, "replaced", student).glob("*/")):
        yield f"{originals.FOLDER}/replaced/{student}: {_number(len(replaced), 'submission')}"


def _number(count: int, what: str) -> str:
    """Return a number with its noun, such as "2 rows"."""
    return f"{count} {what}{'s' * (count != 1)}"
