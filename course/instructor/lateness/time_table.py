"""Tables of times in the course directory, such as `due_dates.csv`: one time per row."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from course.errors import CourseError
from course.instructor import submission_time
from course.instructor.csv_files.csv_reader import read_named_columns


@dataclass(frozen=True)
class TimeRow:
    """One row of a table of times."""

    assignment: str
    student: str  # empty for the whole class
    moment: datetime  # in UTC


def read_times(
    path: Path, column: str, time_zone: str, is_for_class: bool = False
) -> list[TimeRow]:
    """Return the rows of a table; without a file, there are none.

    `column` is the name of the column with the times, which are in `time_zone` unless they specify
    a different one. If `is_for_class` is True, a row without a student is for the whole class.
    Raises CourseError if the file is not such a table; an error in a row names the line.
    """
    if not path.is_file():
        return []
    columns = ("assignment", "student", column)
    required = ("assignment", column) if is_for_class else columns
    found: dict[tuple[str, str], TimeRow] = {}
    for line, cells in read_named_columns(path, columns, required):
        where = f"{path}, line {line}"
        name, student = cells["assignment"], cells["student"]
        try:
            moment = submission_time.parse_local(cells[column], time_zone)
        except ValueError as error:
            raise CourseError(f"{where}: {error}.") from None
        if not name:
            raise CourseError(f"{where} names no assignment: add it.")
        if not student and not is_for_class:
            raise CourseError(f"{where} names no student: add the name of the student's folder.")
        if (name, student) in found:
            raise CourseError(
                f"{where} repeats the assignment and student of an earlier row: remove one of the"
                " two rows."
            )
        found[name, student] = TimeRow(name, student, moment)
    return list(found.values())
