"""Students' attempts at an assignment, and the choice of the attempt that counts."""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path

from course.instructor.collect.archive_reader import SubmittedFile, shorten
from course.instructor.collect.originals import SavedFile
from course.instructor.collect.platform_file_names import Origin, strip_copy_marks
from course.instructor.collect.released_assignment import ReleasedAssignment

TIME_RESOLUTION = 2  # of the times in zip archives, in seconds


@dataclass(frozen=True)
class Recency:
    """How recent an attempt is, by the platform's number and time, never by a student's text.

    `attempt` is Canvas's file number, the time that nbgrader wrote, or the time in an archive from
    Moodle. `time` is the modification time of the file. Times are in seconds since 1970; an unknown
    value is 0. In an archive from Canvas or Moodle, a file's time is not the time of the submission
    but the time at which the archive was made. The archive contains the submissions that are newest
    at that time, so a later archive from Moodle never contains an older submission.
    """

    platform: str = ""
    attempt: float = 0
    time: float = 0

    def compare(self, other: "Recency") -> int:
        """Return 1 if this attempt is newer than the other, -1 if older, 0 if equal or unknown."""
        if self.platform != other.platform:
            return 0  # times on different platforms cannot be compared
        if self.is_certain and other.is_certain:
            return (self.attempt > other.attempt) - (self.attempt < other.attempt)
        if self.time and other.time and abs(self.time - other.time) >= TIME_RESOLUTION:
            return 1 if self.time > other.time else -1
        return 0

    def is_later(self, other: "Recency") -> bool:
        """Return True if a copy of the same submission is from a later attempt or archive."""
        return self.platform == other.platform and (
            (self.attempt, self.time) > (other.attempt, other.time)
        )

    @property
    def is_certain(self) -> bool:
        """Return True if the platform wrote a number or time; a file's own time does not count."""
        return self.attempt > 0


@dataclass
class Attempt:
    """A submitted notebook and its accompanying files."""

    file: SubmittedFile
    origin: Origin
    student: str
    # What names the student: the submitter on a platform, or the folder, archive, or file that has
    # the student's name. It is empty if a person named the student.
    claim: tuple[str, ...]
    release: ReleasedAssignment
    original: Path  # the saved file, unchanged
    digest: str  # the SHA-256 digest of the original notebook
    inner_name: str = ""  # a name below the claim, which may be another student's, or ""
    repaired: Path | None = None  # the repaired notebook, or None if no repair was needed
    repairs: list[str] = field(default_factory=list)
    problem: str = ""  # the reason that the notebook cannot be repaired, or ""
    has_answers: bool = True  # False if the student wrote nothing into the released notebook
    checksum: str = ""  # the checksum that the packing cell showed to the student, or ""
    warnings: list[str] = field(default_factory=list)  # from the manifest, or about the worksheet
    submitted: datetime | None = None  # the submission time in UTC, if a platform wrote it
    evidence: dict[str, Path] = field(default_factory=dict)  # file name -> saved file
    upload_number: int = 0  # see FileResult
    helpers: dict[str, SavedFile] = field(default_factory=dict)  # file name -> helper file

    @property
    def code_digests(self) -> tuple[str, ...]:
        """Return digests that are equal for attempts with the same notebook and helper files."""
        helpers = (f"{name} {saved.digest}" for name, saved in sorted(self.helpers.items()))
        return self.digest, *helpers

    @property
    def key(self) -> tuple[str, str]:
        """Return the student and the assignment."""
        return self.student, self.release.name

    @cached_property
    def recency(self) -> Recency:
        """Return how recent the attempt is; a modification time in the future counts as now."""
        origin = self.origin
        attempt, seconds = origin.attempt, self.file.modified or 0.0
        if origin.platform == "nbgrader" and attempt:
            seconds = attempt
        elif self.is_in_moodle_archive:
            attempt = seconds
        return Recency(origin.platform, attempt, min(seconds, time.time()))

    @property
    def submitter(self) -> str:
        """Return what identifies the student on the platform, or "" if nothing certainly does.

        In nbgrader's exchange, anyone can make a folder with any student's name, but the folder
        belongs to their own account. In a copy of the exchange, every file belongs to the account
        that made the copy.
        """
        if self.origin.platform != "nbgrader":
            return self.origin.user_id
        account = self.file.account
        return "" if account in (None, os.getuid()) else str(account)

    @property
    def is_in_moodle_archive(self) -> bool:
        """Return True if the file's time is the time at which Moodle wrote its archive."""
        return self.origin.platform == "Moodle" and self.file.is_archived

    @property
    def order_in_upload(self) -> tuple[float, int]:
        """Return the file's time, as it is in a student's own archive, and the number of the copy.

        A time that is later than that of the uploaded archive is replaced by the latter.
        """
        inner = self.file.inner_modified or 0.0
        outer = self.file.modified or inner
        return min(inner, outer), strip_copy_marks(self.origin.file_name)[1]

    def includes(self, file: SubmittedFile, origin: Origin) -> bool:
        """Return True if another file was submitted together with this notebook."""
        if origin.platform or self.origin.platform:
            is_same = self.origin.submitter == origin.submitter
            return is_same and (
                origin.platform != "nbgrader" or origin.attempt == self.origin.attempt
            )
        # A file with the student's name in a shared folder says nothing about the files beside it.
        folder = self.file.container
        owned = self.claim if len(folder) < len(self.claim) else folder
        return file.parts[: len(owned)] == owned


def nearest_attempts(attempts: list[Attempt], origin: Origin) -> list[Attempt]:
    """Return the attempts in the innermost folder, or all if a platform generated a file's path."""
    if origin.platform:
        return attempts
    depth = max((len(attempt.file.container) for attempt in attempts), default=0)
    return [attempt for attempt in attempts if len(attempt.file.container) == depth]


def choose_newest(attempts: Sequence[Attempt]) -> tuple[Attempt | None, list[Attempt], str]:
    """Return the newest of a student's attempts at an assignment, the others, and the problem.

    If the newest attempt cannot be determined, it is None, the others are all attempts, and the
    problem is not empty. A notebook without answers counts only if no attempt has any.
    """
    platforms = {attempt.origin.platform for attempt in attempts}
    if len(platforms) == 1 and len({attempt.origin.user_id for attempt in attempts}) > 1:
        name = attempts[0].origin.name
        problem = f"several students are called {name!r}: add --roster to distinguish them"
        return None, list(attempts), problem
    claims = list(dict.fromkeys((*each.claim, each.inner_name) for each in attempts))
    if len(claims) > 1 and len({attempt.code_digests for attempt in attempts}) > 1:
        student = attempts[0].student
        names = " and ".join(repr(shorten("/".join(filter(None, claim)))) for claim in claims[:3])
        problem = (
            f"{len(claims)} uploads could be from {student} ({names}): collect the right one with"
            f" --student {student}"
        )
        return None, list(attempts), problem
    # In nbgrader's exchange, anyone can make a folder with any student's name.
    exchanged = [attempt for attempt in attempts if attempt.origin.submitted]
    accounts = {attempt.file.account for attempt in exchanged}
    if len(accounts) > 1 and len({attempt.code_digests for attempt in exchanged}) > 1:
        student = attempts[0].student
        problem = (
            f"the folders of {student} belong to {len(accounts)} accounts: collect the right one"
            f" with --student {student}"
        )
        return None, list(attempts), problem
    candidates = [attempt for attempt in attempts if attempt.has_answers] or attempts
    newest = candidates[0]
    for attempt in candidates[1:]:
        if is_newer(attempt, newest):
            newest = attempt
    others = [attempt for attempt in attempts if attempt is not newest]
    rivals = (each for each in candidates if each.code_digests != newest.code_digests)
    if not all(is_newer(newest, each) for each in rivals):
        return None, list(attempts), "several attempts differ, and none is clearly the newest"
    return newest, others, ""


def is_newer(attempt: Attempt, other: Attempt) -> bool:
    """Return True if an attempt of a student is certainly newer than another collected with it."""
    time, copy = attempt.order_in_upload
    other_time, other_copy = other.order_in_upload
    in_one_archive = attempt.file.is_nested and attempt.file.outer == other.file.outer
    if attempt.is_in_moodle_archive and other.is_in_moodle_archive and not in_one_archive:
        return copy > other_copy  # the times only show in which order Moodle wrote the files
    if order := attempt.recency.compare(other.recency):
        return order > 0
    # Outside an archive, a small difference may only show the order of unpacking.
    if abs(time - other_time) >= (0 if in_one_archive else TIME_RESOLUTION) and time != other_time:
        return time > other_time
    return copy > other_copy
