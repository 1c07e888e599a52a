"""Collecting submissions from an archive or folder into `submitted/STUDENT/ASSIGNMENT/`."""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from course.errors import CourseError
from course.evidence.format import FOLDER
from course.instructor import file_lock
from course.instructor.collect import originals, submitted_folder
from course.instructor.collect.archive_reader import (
    SubmittedFile,
    describe_error,
    list_files,
    shorten,
)
from course.instructor.collect.attempts import Attempt, choose_newest, is_newer
from course.instructor.collect.file_result import FileResult, FileStatus
from course.instructor.collect.platform_file_names import TIMESTAMP, is_renamed
from course.instructor.collect.released_assignment import read_releases
from course.instructor.collect.submission_finder import SubmissionFinder
from course.instructor.grading.journal import Journal
from course.instructor.roster import csv_writer
from course.instructor.roster.roster import Roster
from course.instructor.submission_time import format_time

NO_ANSWERS = "the notebook contains no answers"


@dataclass(frozen=True)
class CollectOptions:
    """Options of `course collect`."""

    roster: Roster | None = None
    student: str | None = None  # the owner of everything that is collected
    force: bool = False  # replace existing submissions
    older: bool = False  # replace them even by older ones
    are_selected: bool = False  # the instructor named the assignments that may be collected


def check_path(root: Path, path: Path) -> None:
    """Raise CourseError if a path contains the course directory."""
    if root.resolve().is_relative_to(path.resolve()):
        raise CourseError(f"{path} contains the course directory: specify what you downloaded.")


class Collection:
    """One run of `course collect` on an archive, a folder, or a notebook."""

    def __init__(
        self, root: Path, path: Path, names: Sequence[str], options: CollectOptions
    ) -> None:
        """Prepare to collect `path`, which may contain the named assignments."""
        self.root, self.path, self.options = root, path, options
        self.releases = read_releases(root, names)
        self.results: list[FileResult] = []

    @property
    def table(self) -> Path:
        """Return the path of the table of all files, which exists after `run`."""
        return self.folder / "table.csv"

    def run(
        self,
        listed: Sequence[SubmittedFile] | None = None,
        chosen: Sequence[SubmittedFile] | None = None,
    ) -> Iterator[FileResult]:
        """Collect everything, or only the `chosen` files of a list, and yield each file's result.

        The owners of the chosen files are the same as if all listed files were collected. What is
        chosen has to include all files of their owners.
        """
        check_path(self.root, self.path)
        busy = "Another course collect command is running here: wait until it ends, or stop it."
        folder = self.root / originals.FOLDER
        with file_lock.exclusive_lock(folder, busy):
            originals.move_old_originals(self.root)
            listed = list_files(self.path) if listed is None else listed
            chosen = listed if chosen is None else chosen
            self.folder = originals.folder_for(self.path, self.root, chosen)
            staging = folder / ".repaired"
            shutil.rmtree(staging, ignore_errors=True)  # left by a killed command
            staging.mkdir()
            try:
                for result in self._collect(listed, chosen, staging):
                    self.results.append(result)
                    yield result
            finally:
                shutil.rmtree(staging, ignore_errors=True)
            self._write_table()

    def missing(self) -> dict[str, list[str]]:
        """Return the students without a submission, for each assignment that was collected."""
        submitted = self.root / "submitted"
        if self.options.roster:
            students = [person.student for person in self.options.roster]
        else:
            students = sorted(path.name for path in submitted.glob("[!.]*") if path.is_dir())
        done = (FileStatus.COLLECTED, FileStatus.REPAIRED, FileStatus.ALREADY_COLLECTED)
        names = sorted({result.assignment for result in self.results if result.status in done})
        return {
            name: [each for each in students if not (submitted / each / name).is_dir()]
            for name in names
        }

    def _collect(
        self, listed: Sequence[SubmittedFile], chosen: Sequence[SubmittedFile], staging: Path
    ) -> Iterator[FileResult]:
        """Yield the results for the files, then for each student's attempts."""
        roster, student = self.options.roster, self.options.student
        found = SubmissionFinder(
            self.path, listed, self.folder, staging, self.releases, roster, student, chosen
        )
        if not self.options.are_selected:
            found.review_other_assignments()
        yield from found.results
        groups: dict[tuple[str, str], list[Attempt]] = {}
        for attempt in found.attempts:
            groups.setdefault(attempt.key, []).append(attempt)
        for _, group in sorted(groups.items()):
            newest, others, problem = choose_newest(group)
            for attempt in others:
                details = problem or f"saved as {attempt.original.relative_to(self.root)}"
                status = FileStatus.MANUAL_REVIEW if problem else FileStatus.OLDER_ATTEMPT
                if newest and attempt.code_digests == newest.code_digests:
                    status, details = FileStatus.ALREADY_COLLECTED, "same as another attempt"
                elif newest and not attempt.has_answers and not is_newer(newest, attempt):
                    status = FileStatus.MANUAL_REVIEW
                    details = f"{NO_ANSWERS}, so an attempt that contains some is used instead"
                yield self._result(attempt, status, details)
            if newest:
                try:
                    result = self._submit(newest)
                except Exception as error:  # such as a name that the file system refuses
                    details = describe_error(error)
                    result = self._result(newest, FileStatus.MANUAL_REVIEW, details)
                yield result

    def _result(self, attempt: Attempt, status: FileStatus, details: str) -> FileResult:
        """Return the result for an attempt."""
        saved = attempt.original.relative_to(self.root).as_posix()
        return FileResult(status, attempt.file.printable_path, *attempt.key, details, saved)

    def _submit(self, attempt: Attempt) -> FileResult:
        """Write an attempt to `submitted/`, unless a different submission exists there."""
        result = self._result(attempt, FileStatus.MANUAL_REVIEW, "")
        if attempt.problem:
            original = attempt.original.relative_to(self.root)
            result.details = f"{attempt.problem} (repair a copy of {original} and collect it)"
            return result
        content = {attempt.release.file_name: (attempt.repaired or attempt.original).read_bytes()}
        for name, path in attempt.evidence.items():
            content[f"{FOLDER}/{name}"] = path.read_bytes()
        for name, saved in attempt.helpers.items():
            content[name] = saved.file.reader()
        if attempt.submitted:
            content[TIMESTAMP] = f"{format_time(attempt.submitted)}\n".encode()
        folder = submitted_folder.folder_of(self.root, *attempt.key)
        is_submitted = submitted_folder.has_content(folder, content)
        if folder.exists() and not is_submitted and not self._may_replace(attempt, result):
            return result
        repairs = list(attempt.repairs)
        if is_renamed(attempt.origin.file_name, attempt.release.stem):
            repairs.append(f"renamed from {shorten(attempt.origin.file_name)!r}")
        if attempt.release.requires_evidence and not attempt.evidence:
            repairs.append("evidence missing")
        checksum = f"checksum {attempt.checksum}" if attempt.checksum else ""
        helpers = f"with {', '.join(sorted(attempt.helpers))}" if attempt.helpers else ""
        result.details = "; ".join(filter(None, [checksum, helpers, *repairs, *attempt.warnings]))
        result.status = FileStatus.REPAIRED if repairs else FileStatus.COLLECTED
        if is_submitted:
            result.status = FileStatus.ALREADY_COLLECTED
        else:
            # First, because a killed command may not leave the result of the old submission.
            Journal(self.root, attempt.release.name).mark_ungraded(attempt.student)
            submitted_folder.write(self.root, *attempt.key, content)
        recorded = submitted_folder.read_recency(self.root, *attempt.key)
        if not recorded or attempt.recency.compare(recorded) > 0:
            submitted_folder.write_recency(self.root, *attempt.key, content, attempt.recency)
        return result

    def _may_replace(self, attempt: Attempt, result: FileResult) -> bool:
        """Return True if an attempt may replace a different submission; else, complete its result.

        The platforms' times and numbers decide which one is newer, not the order of the commands.
        """
        existing = submitted_folder.read_recency(self.root, *attempt.key)
        order = attempt.recency.compare(existing) if existing else 0
        if self.options.older:
            return True
        if order < 0:
            result.status = FileStatus.OLDER_ATTEMPT
            result.details = "a newer submission exists: add --force-older to go back to this one"
        elif not attempt.has_answers:
            # It may be the copy of another assignment's upload.
            result.details = f"{NO_ANSWERS}: add --force-older to replace the existing submission"
        elif not self.options.force:
            kind = "an older" if order > 0 else "a different"
            result.details = f"{kind} submission exists: add --force to replace it"
        else:
            return True
        return False

    def _write_table(self) -> None:
        """Write the table, with one row per file."""
        rows = [["file", "status", "student", "assignment", "details", "saved as"]]
        for result in self.results:
            row = (
                result.file,
                result.status,
                result.student,
                result.assignment,
                result.details,
                result.saved_as,
            )
            rows.append([csv_writer.escape_formula(cell) for cell in row])
        csv_writer.write_table(self.table, rows, force=True)
