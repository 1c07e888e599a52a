"""Finding, renaming, and deleting one student's entries in the records of watched folders.

A record contains paths of uploads, which the tables of the collections assign to students.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from course.instructor.collect import student_originals
from course.instructor.collect.archive_reader import shorten
from course.instructor.csv_files.csv_writer import escape_formula
from course.instructor.watch.record import Record, all_files


def leftovers(root: Path, student: str) -> list[str]:
    """Return a sentence about each watched folder that contains a student's uploads."""
    own = _files_of(root, student)
    return [
        f"the folder of uploads whose record is {file.folder.relative_to(root)} contains files of"
        f" {student}: delete them there, or the next course watch command collects them again."
        for file in all_files(root)
        if _paths(file.read(), student, own)
    ]


def remove(root: Path, students: Sequence[str], moves: Mapping[tuple[str, str], str]) -> None:
    """Delete students' entries; an interrupted call can be repeated.

    `moves` maps the assignment and the old owner of a submission to the student who gets it.
    """
    own = {student: _files_of(root, student) for student in students}
    for file in all_files(root):
        record = file.read()
        for student in students:
            for path in _paths(record, student, own[student]):
                record.handled.pop(path, None)
                record.reported.pop(path, None)
        # It is not known whose they are: the next watch finds them again.
        record.incomplete = {}
        owners = [[name, moves.get((name, owner), owner)] for name, owner in record.pending]
        record.pending = [each for each in owners if each[1] not in students]
        file.write(record)


def rename(root: Path, old: str, new: str) -> None:
    """Replace a student's ID in the work that is left; the paths of the uploads do not change."""
    for file in all_files(root):
        record = file.read()
        record.pending = [[name, new if owner == old else owner] for name, owner in record.pending]
        file.write(record)


def _files_of(root: Path, student: str) -> set[str]:
    """Return the paths of a student's files in all collections, as the tables contain them."""
    return {row[0] for each in student_originals.find(root, student) for row in each.rows}


def _paths(record: Record, student: str, own: set[str]) -> list[str]:
    """Return the paths in a record that belong to a student, whose files in tables are `own`."""
    return [
        path
        for path in {*record.handled, *record.reported}
        if student in path.split("/") or _is_or_contains(path, own)
    ]


def _is_or_contains(path: str, files: set[str]) -> bool:
    """Return whether a path is that of one of the files, or of an archive that contains one."""
    written = escape_formula(shorten(path))
    return any(file == written or file.startswith(f"{written}/") for file in files)
