"""The record of a watched folder: the files already handled, and the work left after a kill."""

import hashlib
import json
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from course.files import write_atomically
from course.instructor import file_lock
from course.instructor.collect import originals
from course.instructor.collect.archive_reader import safe_file_name

FOLDER = Path(originals.FOLDER, "watched")  # in the course directory


@dataclass
class Record:
    """The data that a watch saves; paths are relative to the watched folder.

    `handled` maps a file to its state when it was collected: size, modification time, and problem.
    `incomplete` maps a damaged file, which may be incomplete, to its state and the time when it was
    first found in this state. `reported` maps a file to the results already printed for it: reasons
    for manual review, and the status of an older attempt. `pending` contains the submissions that
    still have to be graded or need a feedback page.
    """

    handled: dict[str, list[Any]] = field(default_factory=dict)
    incomplete: dict[str, list[Any]] = field(default_factory=dict)
    reported: dict[str, list[str]] = field(default_factory=dict)
    pending: list[list[str]] = field(default_factory=list)  # [assignment, student]


def folder_of(root: Path, watched: Path) -> Path:
    """Return the folder in which the record of a watched folder is stored."""
    path = str(watched.resolve())
    digest = hashlib.sha256(path.encode(errors="surrogateescape")).hexdigest()
    return root / FOLDER / f"{safe_file_name(watched.name)}-{digest[:8]}"


def all_files(root: Path) -> "list[RecordFile]":
    """Return the files with the records of all watched folders."""
    return [RecordFile(path.parent) for path in sorted((root / FOLDER).glob("*/record.json"))]


class RecordFile:
    """The file with the record of a folder, in `originals/` so that deleting `build/` keeps it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._path = folder / "record.json"

    def exclusive(self, message: str) -> AbstractContextManager[None]:
        """Prevent watches of the folder while the `with` block runs.

        Raises LockHeldError with the message if the folder is being watched.
        """
        return file_lock.exclusive_lock(self.folder, message)

    def read(self) -> Record:
        """Return the record, or an empty one if there is none or it is damaged."""
        try:
            return Record(**json.loads(self._path.read_text("utf-8")))
        except (OSError, ValueError, TypeError):
            return Record()

    def write(self, record: Record) -> None:
        """Write the record atomically."""
        write_atomically(self._path, json.dumps(asdict(record)))
