"""The record of an unfinished change of students, during which other commands refuse to run."""

import hashlib
import json
import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from course.errors import CourseError
from course.files import write_atomically

# Not in build/, which anyone may delete at any time.
RECORD = Path("originals", "unfinished-change.json")
# A digest of the last complete change; it does not show which students were changed.
LAST = Path("originals", "last-change.txt")
RENAME, DROP = "rename", "drop"


@dataclass(frozen=True)
class UnfinishedChange:
    """A command that renames or drops students, with what it determined before its first step."""

    action: str  # RENAME or DROP
    students: list[str]  # the IDs to drop, or the old and the new ID
    roster_ids: dict[str, str] = field(default_factory=dict)  # of the students in the roster
    names: list[str] = field(default_factory=list)  # the students' names and email addresses
    by_hand: list[str] = field(default_factory=list)  # what a person has to do, as sentences
    # Submissions that count for a group: each with the assignment, the student who is dropped, and
    # the member of the group who keeps it.
    moves: list[tuple[str, str, str]] = field(default_factory=list)

    @property
    def command(self) -> str:
        """Return the command that completes the change."""
        return shlex.join(["course", "student", self.action, *self.students])


def read(root: Path) -> UnfinishedChange | None:
    """Return the change that a killed command left unfinished, or None."""
    path = root / RECORD
    if not path.is_file():
        return None
    return UnfinishedChange(**json.loads(path.read_text("utf-8")))


def begin(root: Path, change: UnfinishedChange) -> None:
    """Record a change before its first step."""
    write_atomically(root / RECORD, json.dumps(asdict(change)))


def end(root: Path, change: UnfinishedChange) -> None:
    """Remove the record after the last step; save the digest that `was_last` compares."""
    write_atomically(root / LAST, _digest(change.action, change.students))
    Path(root, RECORD).unlink(missing_ok=True)


def was_last(root: Path, action: str, students: Sequence[str]) -> bool:
    """Return whether a command with these arguments made the last complete change."""
    path = root / LAST
    return path.is_file() and path.read_text("utf-8") == _digest(action, students)


def require_none(root: Path) -> None:
    """Raise CourseError if a change is unfinished, because the data may be inconsistent."""
    if change := read(root):
        raise CourseError(f"{change.command!r} was interrupted: run that command again first.")


def _digest(action: str, students: Sequence[str]) -> str:
    """Return a digest of a command's arguments."""
    return hashlib.sha256(json.dumps([action, *students]).encode()).hexdigest() + "\n"
