"""Looks at a folder of uploads: which files are new, and which of these are complete.

A look reads the names, sizes, and times of the files, and the ends of new ones only. It polls,
because shared drives do not report changes.
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

PATIENCE_SECONDS = 300  # for a damaged file, which may be one that somebody is still writing
TAIL_BYTES = 4096
PADDING = b" \t\r\n\0"


@dataclass
class Look:
    """The files of a folder at one time, by path, and those of them that may be collected."""

    files: dict[str, SubmittedFile]
    states: dict[str, list[Any]]
    new: set[str]  # not handled yet, or changed since
    settled: set[str]  # those of them that are complete
    damaged: set[str]  # those of them that may become complete within minutes

    @property
    def listed(self) -> Sequence[SubmittedFile]:
        """Return the files in the order in which they were listed."""
        return list(self.files.values())


class UploadFolder:
    """A folder of uploads, and what the previous look found there."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self.path = path
        self._clock = clock
        self._previous: dict[str, list[Any]] = {}

    def look(self, record: Record) -> Look:
        """Look at the folder, and note in the record which files are incomplete.

        A file is complete if its size and time are those of the previous look. A damaged archive
        or notebook must stay the same for PATIENCE_SECONDS, too. Raises CourseError if the folder
        does not exist or has too many files.
        """
        files = {"/".join(file.parts): file for file in list_files(self.path)}
        states = {path: [file.size, file.modified, file.problem] for path, file in files.items()}
        new = {path for path, state in states.items() if record.handled.get(path) != state}
        settled = {path for path in new if self._previous.get(path) == states[path]}
        # After a restart, the first look settles nothing.
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
    """Return True if an archive or notebook on disk does not have the end of a complete one."""
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
