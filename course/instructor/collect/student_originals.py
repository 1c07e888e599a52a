"""Finding, renaming, moving, and deleting one student's files in `originals/`.

The table of a collection names the student of each notebook. A file without a student belongs to
the student whose notebook has the same upload number.
"""

import csv
import shutil
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from course.files import unfinished_copy
from course.instructor.collect import submitted_folder
from course.instructor.collect.archive_reader import is_archive
from course.instructor.collect.originals import COLUMNS, FOLDER, TABLE
from course.instructor.csv_files.csv_writer import escape_formula, write_table

MOVED = "submitted by another member of the group"  # the status of a file after a move
_REMOVED = ".removed"  # a folder that is being deleted
_STUDENT, _ASSIGNMENT, _SAVED_AS, _UPLOAD = map(
    COLUMNS.index, ("student", "assignment", "saved as", "upload")
)


@dataclass
class Collected:
    """A student's part of one collection."""

    folder: Path
    rows: list[list[str]]  # the rows of the table that belong to the student
    others: list[list[str]]  # all other rows

    @property
    def copies(self) -> list[Path]:
        """The saved copies of the student's files."""
        # Only the name: the folder can have been moved, and a table can have been edited.
        names = [Path(row[_SAVED_AS]).name for row in self.rows]
        return [self.folder / "files" / name for name in names if name]


def students(root: Path) -> set[str]:
    """Return the ids of the students who have files or records in `originals/`."""
    folder = root / FOLDER
    found = {path.stem for path in folder.glob("collected/*/*.json")}
    found |= {path.name for path in folder.glob("replaced/*/")}
    for table in _tables(root):
        header, *rows = _read(table)
        at = header.index("student") if "student" in header else None
        found |= {row[at].removeprefix("'") for row in rows if at is not None}
    return found - {""}


def find(root: Path, student: str) -> list[Collected]:
    """Return a student's part of each collection that contains some of the student's work."""
    found = []
    for table in _tables(root):
        header, *rows = _read(table)
        if header != COLUMNS:
            continue
        ids = {student, escape_formula(student)}
        uploads = {row[_UPLOAD] for row in rows if row[_STUDENT] in ids}
        is_own = [
            row[_STUDENT] in ids or (not row[_STUDENT] and row[_UPLOAD] in uploads) for row in rows
        ]
        if uploads:
            own = [row for row, is_ in zip(rows, is_own, strict=True) if is_]
            others = [row for row, is_ in zip(rows, is_own, strict=True) if not is_]
            found.append(Collected(table.parent, own, others))
    return found


def leftovers(root: Path, student: str, moved: Collection[str] = ()) -> list[str]:
    """Return a sentence about each item in `originals/` that a person has to delete or check.

    `moved` contains the assignments for which another student gets the files.
    """
    found = []
    for each in find(root, student):
        own = [row for row in each.rows if row[_ASSIGNMENT] not in moved]
        if own and (each.others or own != each.rows):
            found += [
                f"{path.relative_to(root)} is the archive of a class, which contains files of"
                f" {student}: delete it, or replace it with one without these files."
                for path in sorted(each.folder.iterdir())
                if path.is_file() and is_archive(path.name)
            ]
    for folder in _folders(root):
        path, table = folder.relative_to(root), folder / TABLE
        if not table.is_file():
            found.append(
                f"{path} was left by an interrupted course collect, so it is unknown whose files it"
                " contains: collect the same files again first, or delete the folder."
            )
        elif _read(table)[0] != COLUMNS:
            found.append(
                f"{path} was saved by an older version of the course, whose table does not show"
                f" which files belong to which student: if it contains files of {student}, delete"
                " them, or the folder."
            )
    return found


def remove(root: Path, student: str) -> None:
    """Delete a student's files and table rows; an interrupted call can be repeated."""
    folder = root / FOLDER
    _delete_folder(folder / _REMOVED)
    for record in _records(root, student):
        record.unlink(missing_ok=True)
        unfinished_copy(record).unlink(missing_ok=True)
    _delete_folder(folder / "replaced" / student)
    for each in find(root, student):
        if not each.others:
            # In one step: without the table, nothing would show whose the remaining files are.
            each.folder.rename(folder / _REMOVED)
            _delete_folder(folder / _REMOVED)
            continue
        for copy in [*each.copies, unfinished_copy(each.folder / TABLE)]:
            copy.unlink(missing_ok=True)
        write_table(each.folder / TABLE, [COLUMNS, *each.others], force=True)


def rename(root: Path, old: str, new: str) -> None:
    """Replace a student's ID everywhere in `originals/`; an interrupted call can be repeated."""
    for record in _records(root, old):
        record.rename(record.with_name(f"{new}.json"))
    replaced = root / FOLDER / "replaced"
    if Path(replaced, old).is_dir():
        Path(replaced, old).rename(replaced / new)
    _rename_in_tables(root, old, new)


def move_assignment(root: Path, name: str, old: str, new: str) -> None:
    """Give what a student submitted for one assignment to another student; it can be repeated."""
    records = [submitted_folder.read_records(root, each, name) for each in (new, old)]
    if records[1]:
        submitted_folder.write_records(root, new, name, records[0] | records[1])
    replaced = root / FOLDER / "replaced"
    for folder in Path(replaced, old).glob("*/"):
        if folder.name.rpartition("-")[0] == name:  # followed by the digest of the files
            target = replaced / new / folder.name
            target.parent.mkdir(exist_ok=True)
            _delete_folder(target)
            folder.rename(target)
    _rename_in_tables(root, old, new, name)


def _rename_in_tables(root: Path, old: str, new: str, name: str | None = None) -> None:
    """Replace a student's ID in the tables; with `name`, move the files of that assignment."""
    ids = {old, escape_formula(old)}
    for table in _tables(root):
        header, *rows = _read(table)
        if not {"student", "assignment"} <= {*header}:
            continue
        at, assignment = header.index("student"), header.index("assignment")
        own = [row for row in rows if row[at] in ids and name in (None, row[assignment])]
        for row in own:
            row[at] = escape_formula(new)
            # A path in an archive can contain a platform's number for the member who uploaded it.
            if name is not None and "status" in header:
                row[header.index("status")] = MOVED
        if own:
            write_table(table, [header, *rows], force=True)


def _records(root: Path, student: str) -> list[Path]:
    """Return the paths of the records about a student's submissions."""
    return [
        path
        for path in Path(root, FOLDER).glob("collected/*/*.json")
        if path.name == f"{student}.json"
    ]


def _folders(root: Path) -> list[Path]:
    """Return the folders of all collections."""
    return sorted(path.parent for path in Path(root, FOLDER).glob("*/files/"))


def _tables(root: Path) -> list[Path]:
    """Return the tables of all collections."""
    return sorted(Path(root, FOLDER).glob(f"*/{TABLE}"))


def _read(table: Path) -> list[list[str]]:
    """Return the header and the rows of a collection's table."""
    with table.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.reader(file) if row] or [[]]
    # A person can have shortened rows in a spreadsheet.
    return [row + [""] * (len(rows[0]) - len(row)) for row in rows]


def _delete_folder(folder: Path) -> None:
    """Delete a folder if it exists."""
    if folder.is_dir():
        shutil.rmtree(folder)
