"""The result of collecting one file."""

from dataclasses import dataclass
from enum import StrEnum


class FileStatus(StrEnum):
    """The status of a file after collection, as the commands print it."""

    COLLECTED = "collected"
    REPAIRED = "repaired"
    ALREADY_COLLECTED = "already collected"
    OLDER_ATTEMPT = "older attempt"
    SKIPPED = "skipped"
    MANUAL_REVIEW = "flagged for manual review"


# The details of files that are collected with a notebook; the notebook has its own result.
EVIDENCE, HELPER_FILE = "evidence", "helper file"


@dataclass
class FileResult:
    """A row of the table of collected files."""

    status: FileStatus
    file: str  # its printable path in the folder or archive
    student: str = ""  # empty if unknown, like the assignment
    assignment: str = ""
    details: str = ""  # what was repaired, or why the file was not collected
    saved_as: str = ""  # the path of its unchanged copy in the course directory
    upload: str = ""  # the printable path of the upload, if the finder flagged the file
    upload_number: int = 0  # the same for all files that one person uploaded

    @property
    def is_accompanying(self) -> bool:
        """Return True if the file was collected with a notebook."""
        return self.details in (EVIDENCE, HELPER_FILE)
