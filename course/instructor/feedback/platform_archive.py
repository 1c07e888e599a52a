"""Archives of feedback pages, in the formats that instructors upload or send.

Moodle's "Upload multiple feedback files in a zip" finds a student by the number in the file name,
as in `Ada Lovelace_4711_assignfeedback_file_mnist.html`; the source is Moodle's file
mod/assign/feedback/file/importziplib.php. A student has a different number in each assignment. It
occurs in the names of the files that were downloaded from Moodle, which `course collect` records.
"""

import csv
import io
import zipfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

from course.errors import CourseError
from course.files import write_atomically
from course.instructor.collect.file_result import FileStatus
from course.instructor.collect.originals import FOLDER, TABLE
from course.instructor.collect.platform_file_names import MOODLE

PLAIN, MOODLE_ZIP = "zip", "moodle"  # kinds of archives
# Files whose owner is certain.
COLLECTED = {FileStatus.COLLECTED, FileStatus.REPAIRED, FileStatus.ALREADY_COLLECTED}
# A fixed date, so that the archive changes only if a page does.
DATE = (1980, 1, 1, 0, 0, 0)


def write_archive(
    root: Path, assignment: str, pages: dict[str, Path], kind: str
) -> tuple[Path, list[str]]:
    """Write an archive of the feedback pages; `pages` maps students to the paths of their pages.

    Returns the path of the archive, and the students who are left out because Moodle's number is
    unknown or ambiguous. Raises CourseError if the archive would be empty.
    """
    participants = _moodle_participants(root, assignment) if kind == MOODLE_ZIP else {}
    buffer, left_out = io.BytesIO(), []
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for student, page in sorted(pages.items()):
            if kind == PLAIN:
                name = f"{student}/{assignment}/{page.name}"
            elif student in participants:
                name = f"{participants[student]}_assignfeedback_file_{page.name}"
            else:
                left_out.append(student)
                continue
            archive.writestr(zipfile.ZipInfo(name, DATE), page.read_bytes(), zipfile.ZIP_DEFLATED)
        is_empty = not archive.namelist()
    if is_empty:
        raise CourseError(
            f"Moodle's participant numbers are unknown for {assignment}: download the"
            " submissions from Moodle, then run course collect with the downloaded archive."
        )
    path = Path(root, "build", "feedback", f"{assignment}-{kind}.zip")
    write_atomically(path, buffer.getvalue())
    return path, left_out


def _moodle_participants(root: Path, assignment: str) -> dict[str, str]:
    """Return "Full name_number" by student, from all collections of an assignment.

    A student with several numbers is left out, because one can be another student's.
    """
    found: dict[str, set[str]] = defaultdict(set)
    for table in sorted(Path(root, FOLDER).glob(f"*/{TABLE}")):
        with table.open(encoding="utf-8", newline="") as file:
            rows = [
                (row["student"], (row["file"] or "").split("/"))
                for row in csv.DictReader(file)
                if row.get("student")
                and row.get("assignment") == assignment
                and row.get("status") in COLLECTED
            ]
        for student, name in _participants_in(rows):
            found[student].add(name)
    return {
        student: min(names)
        for student, names in found.items()
        if len({name.rpartition("_")[2] for name in names}) == 1
    }


def _participants_in(rows: list[tuple[str, list[str]]]) -> Iterator[tuple[str, str]]:
    """Yield (student, "Full name_number"); `rows` are the students and path parts of a collection.

    Students choose the names of folders in their own archives. Therefore, a number counts only in
    the path part in which most files of the collection have one: Moodle wrote this part.
    """
    positions = Counter(
        next((index for index, part in enumerate(parts) if MOODLE.search(part)), None)
        for _, parts in rows
    )
    ((position, count),) = positions.most_common(1) or [(None, 0)]
    if position is None or 2 * count <= len(rows):
        return
    for student, parts in rows:
        matches = list(MOODLE.finditer(parts[position])) if position < len(parts) else []
        if len(matches) == 1:  # another one could be a different student's number
            # Moodle splits at underscores, so the name cannot contain one.
            name = parts[position][: matches[0].start()].replace("_", " ").strip("'") or "student"
            yield student, f"{name}_{matches[0]['number']}"
