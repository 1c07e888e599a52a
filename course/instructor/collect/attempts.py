"""Students' attempts at an assignment, and the choice of the attempt that counts."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from course.instructor.collect.archive_reader import SubmittedFile
from course.instructor.collect.platform_file_names import Origin, strip_copy_marks
from course.instructor.collect.released_assignment import ReleasedAssignment


@dataclass
class Attempt:
    """A submitted notebook and its accompanying files."""

    file: SubmittedFile
    origin: Origin
    student: str
    release: ReleasedAssignment
    original: Path  # the saved file, unchanged
    digest: str  # the SHA-256 digest of the original
    repaired: Path | None = None  # the repaired notebook, or None if no repair was needed
    repairs: list[str] = field(default_factory=list)
    problem: str = ""  # the reason that the notebook cannot be repaired, or ""
    checksum: str = ""  # the checksum that the packing cell showed to the student, or ""
    packed_at: float = 0.0  # in seconds since 1970, or 0 if the notebook was not packed
    warnings: list[str] = field(default_factory=list)  # from the manifest
    timestamp: str = ""  # the submission time as nbgrader's exchange writes it, or ""
    evidence: dict[str, Path] = field(default_factory=dict)  # file name -> saved file

    @property
    def key(self) -> tuple[str, str]:
        """Return the student and the assignment."""
        return self.student, self.release.name

    @property
    def order(self) -> tuple[float, float, int]:
        """Return a sort key that increases from attempt to attempt."""
        copy_number = strip_copy_marks(self.origin.file_name)[1]
        # The platform's order is more reliable than the time in a file.
        return self.origin.attempt, self.packed_at or self.file.modified or 0.0, copy_number

    def includes(self, file: SubmittedFile, origin: Origin) -> bool:
        """Return True if another file was submitted together with this notebook."""
        if origin.platform:
            fields = "platform", "name", "user_id", "student"
            if any(getattr(self.origin, name) != getattr(origin, name) for name in fields):
                return False
            return origin.platform != "nbgrader" or origin.attempt == self.origin.attempt
        folder = self.file.container
        return bool(folder or not self.origin.platform) and file.parts[: len(folder)] == folder


def nearest_attempts(attempts: list[Attempt], origin: Origin) -> list[Attempt]:
    """Return the attempts in the innermost folder if no platform generated a file's path."""
    if origin.platform:
        return attempts
    depth = max((len(attempt.file.container) for attempt in attempts), default=0)
    return [attempt for attempt in attempts if len(attempt.file.container) == depth]


def choose_newest(attempts: Sequence[Attempt]) -> tuple[Attempt | None, list[Attempt], str]:
    """Return the newest of a student's attempts at an assignment, the others, and the problem.

    If the newest attempt cannot be determined, it is None and the problem is not empty.
    """
    if len({attempt.origin.user_id for attempt in attempts}) > 1:
        name = attempts[0].origin.name
        problem = f"two students are called {name!r}: add --roster to distinguish them"
        return None, list(attempts), problem
    ranked = sorted(attempts, key=lambda attempt: attempt.order)
    newest = ranked[-1]
    if len({attempt.digest for attempt in ranked if attempt.order == newest.order}) > 1:
        return None, list(attempts), "several attempts differ, and none is clearly the newest"
    return newest, ranked[:-1], ""
