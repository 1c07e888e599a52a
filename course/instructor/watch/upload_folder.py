"""Polling a folder of uploads: determining which files are new, and which of these are complete.

A look reads the names, sizes, and times of the files, but only the ends of new ones. The folder is
polled because shared drives do not report changes.
"""

import time
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from course.instructor.collect import originals
from course.instructor.collect.archive_reader import SubmittedFile, is_archive, list_files
from course.instructor.watch.record import Record

PATIENCE_SECONDS = 300  # how long to wait for a damaged file, which may still be being written
TAIL_BYTES = 4096  # that are read to check the end of a notebook
PADDING = b" \t\r\n\0"  # may follow the end of a notebook


@dataclass
class Look:
    """The files of a folder at one time, by path, and the sets of new ones."""

    files: dict[str, SubmittedFile]
    states: dict[str, list[Any]]  # size, modification time, and problem of each file
    new: set[str]  # not handled yet, or changed since they were
    settled: set[str]  # new files that are ready to be collected
    damaged: set[str]  # new files that may become complete within PATIENCE_SECONDS

    @property
    def listed(self) -> Sequence[SubmittedFile]:
        """The files in the order in which they were listed."""
        return list(self.files.values())


class UploadFolder:
    """A folder of uploads, and the states of its files at the previous look."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self.path = path
        self._clock = clock
        self._previous: dict[str, list[Any]] = {}

    def look(self, record: Record) -> Look:
        """Look at the folder, and update the record's incomplete files.

        A file is ready to be collected if its size and time are those of the previous look. A
        damaged archive or notebook must also have stayed the same for PATIENCE_SECONDS. Raises
        CourseError if the folder does not exist or has too many files.
        """
        files = {"/".join(file.parts): file for file in list_files(self.path)}
        states = {path: [file.size, file.modified, file.problem] for path, file in files.items()}
        new = {path for path, state in states.items() if record.handled.get(path) != state}
        settled = {path for path in new if self._previous.get(path) == states[path]}
        # At the first look after a restart, no file is settled, but its entry is kept.
        incomplete = {
            path: entry
            for path, entry in record.incomplete.items()
            if path in new and entry[:-1] == states[path]
        }
        for path in settled:
            if not is_damaged(files[path]):
                incomplete.pop(path, None)
            else:
                incomplete.setdefault(path, [*states[path], self._clock()])
        latest = self._clock() - PATIENCE_SECONDS
        damaged = {path for path, (*_, since) in incomplete.items() if since > latest}
        record.incomplete = incomplete
        self._previous = states
        return Look(files, states, new, settled - damaged, damaged)


def is_damaged(file: SubmittedFile) -> bool:
    """Return True if the end of an archive or notebook is missing, or it cannot be read."""
    if file.problem or file.is_junk or file.location is None:
        return False
    try:
        if is_archive(file.name) or file.name.lower().endswith(".npz"):
            return not zipfile.is_zipfile(file.location)
        if originals.is_notebook(file.name):
            with file.location.open("rb") as stream:
                stream.seek(max(0, file.size - TAIL_BYTES))
                return not stream.read(TAIL_BYTES).strip(PADDING).endswith(b"}")
    except OSError:
        return True
    return False
