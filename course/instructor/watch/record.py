"""The record of a watched folder: what has been handled, and what is left to do after a kill."""

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


@dataclass
class Record:
    """What a watch remembers; paths are relative to the watched folder.

    `handled` maps a file to the size, the time, and the problem with which it was collected.
    `incomplete` maps a file that is not complete to the same and the time when it was found so.
    `reported` maps a file to the reasons for a manual review that have been printed. `pending` are
    the submissions that still have to be graded or to get their pages.
    """

    handled: dict[str, list[Any]] = field(default_factory=dict)
    incomplete: dict[str, list[Any]] = field(default_factory=dict)
    reported: dict[str, list[str]] = field(default_factory=dict)
    pending: list[list[str]] = field(default_factory=list)  # assignment, student


class RecordFile:
    """The file of a record, in `originals/`: without it, a watch would start from the beginning."""

    def __init__(self, root: Path, watched: Path) -> None:
        path = str(watched.resolve())
        digest = hashlib.sha256(path.encode(errors="surrogateescape")).hexdigest()
        self.folder = (
            Path(root, originals.FOLDER)
            / "watched"
            / f"{safe_file_name(watched.name)}-{digest[:8]}"
        )
        self._path = self.folder / "record.json"
        self._message = f"another course watch command watches {watched}: stop it first."

    def exclusive(self) -> AbstractContextManager[None]:
        """Prevent other watches of the folder while the block runs."""
        return file_lock.exclusive_lock(self.folder, self._message)

    def read(self) -> Record:
        """Return the record, or an empty one if there is none or it is damaged."""
        try:
            return Record(**json.loads(self._path.read_text("utf-8")))
        except (OSError, ValueError, TypeError):
            return Record()

    def write(self, record: Record) -> None:
        """Write the record atomically."""
        write_atomically(self._path, json.dumps(asdict(record)))
