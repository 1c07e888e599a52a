"""The table of excused students, `excused.csv`: work that they do not have to submit.

    assignment,student
    02-mnist,ada

An assignment does not count for a student who is excused from it.
"""

from pathlib import Path

from course.errors import CourseError
from course.instructor.course_dir import assignment_names
from course.instructor.csv_files.csv_reader import read_named_columns

FILE_NAME = "excused.csv"
COLUMNS = ("assignment", "student")


def read_excused(root: Path) -> set[tuple[str, str]]:
    """Return (assignment, student) for each row of the table; the set is empty without a file.

    Raises CourseError if the file is not such a table or if it names an unknown assignment.
    """
    path = Path(root, FILE_NAME)
    if not path.is_file():
        return set()
    found = set()
    for line, cells in read_named_columns(path, COLUMNS, required=COLUMNS):
        for name in COLUMNS:
            if not cells[name]:
                raise CourseError(f"{path}, line {line} names no {name}: add it.")
        found.add((cells["assignment"], cells["student"]))
    if found:
        assignment_names(root, sorted({name for name, _ in found}))  # raises if one is unknown
    return found
