"""The result of collecting one file."""

from dataclasses import dataclass
from enum import StrEnum


class FileStatus(StrEnum):
    """What was done with a file, in the words that commands print."""

    COLLECTED = "collected"
    REPAIRED = "repaired"
    ALREADY_COLLECTED = "already collected"
    OLDER_ATTEMPT = "older attempt"
    SKIPPED = "skipped"
    MANUAL_REVIEW = "flagged for manual review"


@dataclass
class FileResult:
    """A row of the table of collected files."""

    status: FileStatus
    file: str  # its printable path in what was collected
    student: str = ""  # empty if unknown, as is the assignment
    assignment: str = ""
    details: str = ""  # what was repaired, or why the file was not collected
