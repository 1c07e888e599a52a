"""Collecting submissions from an archive or folder into `submitted/STUDENT/ASSIGNMENT/`."""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from course.errors import CourseError
from course.evidence.format import FOLDER
from course.instructor import unfinished_change
from course.instructor.collect import originals, submitted_folder
from course.instructor.collect.archive_reader import (
    SubmittedFile,
    describe_error,
    list_files,
    shorten,
)
from course.instructor.collect.attempts import Attempt, choose_newest, is_newer
from course.instructor.collect.file_result import FileResult, FileStatus
from course.instructor.collect.moodle_worksheet import Worksheet
from course.instructor.collect.platform_file_names import is_renamed
from course.instructor.collect.released_assignment import read_other_releases, read_releases
from course.instructor.collect.submission_finder import SubmissionFinder
from course.instructor.collect.submitted_folder import Record
from course.instructor.csv_files import csv_writer
from course.instructor.gradebook.group_submissions import read_course_groups
from course.instructor.grading.journal import Journal
from course.instructor.lateness import submission_times
from course.instructor.roster.roster import Person, Roster
from course.instructor.submission_time import TIMESTAMP

NO_ANSWERS = "the notebook contains no answers"
# What to call a submission that another one replaces, by the result of `Recency.compare`.
KINDS = {1: "an older submission", 0: "a different submission", -1: "a newer submission"}


@dataclass(frozen=True)
class CollectOptions:
    """Options of `course collect`."""

    roster: Roster | None = None
    student: str | None = None  # the owner of everything that is collected
    force: bool = False  # replace existing submissions with ones that may be older
    older: bool = False  # replace them even with ones that are older
    are_selected: bool = False  # the instructor named the assignments that may be collected
    worksheet: Worksheet | None = None  # times and students of the only selected assignment


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
        self.others = read_other_releases(root, names)
        self.results: list[FileResult] = []
        # Only the names of the students in the table matter here, not the times.
        self.times_in_table = submission_times.read_submission_times(root, "UTC").in_table

    @property
    def table(self) -> Path:
        """Return the path of the table of all files, which exists after `run`."""
        return self.folder / originals.TABLE

    def run(
        self,
        listed: Sequence[SubmittedFile] | None = None,
        chosen: Sequence[SubmittedFile] | None = None,
    ) -> Iterator[FileResult]:
        """Collect everything, or only the `chosen` files of a list, and yield each file's result.

        The owners of the chosen files are the same as if all listed files were collected. The
        chosen files have to include all files of their owners.
        """
        check_path(self.root, self.path)
        folder = self.root / originals.FOLDER
        with originals.exclusive(self.root):
            unfinished_change.require_none(self.root)
            originals.move_old_originals(self.root)
            if listed is None and not (listed := list_files(self.path)):
                raise CourseError(
                    f"{self.path} contains no files: name the folder or archive of submissions."
                )
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
        """Return the students without a submission, for each assignment that was collected.

        A submission by another member of a student's group counts, too.
        """
        submitted = self.root / "submitted"
        if self.options.roster:
            students = [person.student for person in self.options.roster]
        else:
            students = sorted(path.name for path in submitted.glob("[!.]*") if path.is_dir())
        done = (FileStatus.COLLECTED, FileStatus.REPAIRED, FileStatus.ALREADY_COLLECTED)
        names = sorted({result.assignment for result in self.results if result.status in done})
        groups = read_course_groups(self.root)
        found = {}
        for name in names:
            grouped = groups.in_assignment(name).members_with_submission
            alone = [each for each in students if each not in grouped]
            found[name] = [each for each in alone if not (submitted / each / name).is_dir()]
        return found

    def _collect(
        self, listed: Sequence[SubmittedFile], chosen: Sequence[SubmittedFile], staging: Path
    ) -> Iterator[FileResult]:
        """Yield the results for the files, then for each student's attempts."""
        roster, student = self.options.roster, self.options.student
        worksheet = self.options.worksheet.roster if self.options.worksheet else None
        found = SubmissionFinder(
            self.path,
            listed,
            self.folder,
            staging,
            self.releases,
            roster,
            student,
            chosen,
            self.others,
            worksheet,
        )
        if not self.options.are_selected:
            found.review_other_assignments()
        yield from found.results
        groups: dict[tuple[str, str], list[Attempt]] = {}
        for attempt in found.attempts:
            groups.setdefault(attempt.key, []).append(attempt)
        if self.options.worksheet:
            self._add_times(self.options.worksheet, found.attempts)
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

    def _add_times(self, worksheet: Worksheet, attempts: Sequence[Attempt]) -> None:
        """Add the times in a grading worksheet to attempts from Moodle or from no platform."""
        known = {person.student: person for person in self.options.roster or ()}
        people = {}
        for attempt in attempts:
            origin, student = attempt.origin, attempt.student
            if origin.platform == "Moodle":
                people[student] = Person(student, origin.name, participant_id=origin.user_id)
            elif not origin.platform:  # such as a repaired copy
                person = known.get(student) or Person(student)
                # The participant number in a roster can be that of another assignment.
                people.setdefault(student, replace(person, participant_id=""))
        if attempts and not people:
            raise CourseError(
                f"{worksheet.path} is from Moodle, but {self.path} is from another platform: leave"
                " out --times."
            )
        times = worksheet.times_of(people)
        for attempt in attempts:
            if attempt.student in people:
                attempt.submitted = times.get(attempt.student)
                if not attempt.submitted:
                    attempt.warnings.append(f"{worksheet.path.name} has no submission time")

    def _result(self, attempt: Attempt, status: FileStatus, details: str) -> FileResult:
        """Return the result for an attempt."""
        saved = attempt.original.relative_to(self.root).as_posix()
        result = FileResult(status, attempt.file.printable_path, *attempt.key, details, saved)
        result.upload_number = attempt.upload_number
        return result

    def _submit(self, attempt: Attempt) -> FileResult:
        """Write an attempt to `submitted/`, unless it may not replace the submission there."""
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
        folder = submitted_folder.folder_of(self.root, *attempt.key)
        is_submitted = submitted_folder.has_content(folder, content)
        records = submitted_folder.read_records(self.root, *attempt.key)
        digest, replaced = submitted_folder.digest(content), ""
        known, existing = records.get(digest), None
        if folder.exists() and not is_submitted:
            replaced = submitted_folder.digest_of_folder(folder)
            existing = records.get(replaced)
            if not self._may_replace(attempt, known, existing, result):
                return result
        repairs = list(attempt.repairs)
        if is_renamed(attempt.origin.file_name, attempt.release.stem):
            repairs.append(f"renamed from {shorten(attempt.origin.file_name)!r}")
        if attempt.release.requires_evidence and not attempt.evidence:
            repairs.append("evidence missing")
        checksum = f"checksum {attempt.checksum}" if attempt.checksum else ""
        helpers = f"with {', '.join(sorted(attempt.helpers))}" if attempt.helpers else ""
        replacement = self._describe_replaced(attempt, existing, folder) if replaced else []
        late = "marked late by Canvas" if attempt.origin.is_late else ""
        notes = [checksum, helpers, *replacement, late, *repairs, *attempt.warnings]
        result.details = "; ".join(filter(None, notes))
        result.status = FileStatus.REPAIRED if repairs else FileStatus.COLLECTED
        if existing and attempt.recency.compare(existing.recency) <= 0:
            records[replaced] = replace(existing, is_rejected=True)
        records[digest] = _record_of(attempt, known)
        submitted_folder.write_records(self.root, *attempt.key, records)
        if is_submitted:
            result.status = FileStatus.ALREADY_COLLECTED
            if attempt.submitted:
                submitted_folder.write_time(self.root, *attempt.key, attempt.submitted)
        else:
            # First, because a killed command must not leave the result of the old submission.
            Journal(self.root, attempt.release.name).mark_ungraded(attempt.student)
            if attempt.submitted:
                content[TIMESTAMP] = submitted_folder.format_time_file(attempt.submitted)
            submitted_folder.write(self.root, *attempt.key, content)
        return result

    def _may_replace(
        self, attempt: Attempt, known: Record | None, existing: Record | None, result: FileResult
    ) -> bool:
        """Return True if an attempt may replace a different submission; else complete `result`.

        The platforms' times and numbers decide which one is newer, not the order of the commands.
        `known` is the record of this attempt from an earlier collection.
        """
        order = attempt.recency.compare(existing.recency) if existing else 0
        is_rejected = known is not None and known.is_rejected
        is_better = existing is not None and _is_certainly_better(attempt, existing)
        if self.options.older or (is_better and not is_rejected):
            return True
        if order < 0:
            result.status = FileStatus.OLDER_ATTEMPT
            result.details = "a newer submission exists: add --force-older to go back to this one"
        elif not attempt.has_answers:
            # It may be a blank copy that was uploaded with another assignment.
            result.details = f"{NO_ANSWERS}: add --force-older to replace the existing submission"
        elif not self.options.force:
            result.details = f"{KINDS[order]} exists: add --force to replace it"
        else:
            return True
        return False

    def _describe_replaced(
        self, attempt: Attempt, existing: Record | None, folder: Path
    ) -> list[str]:
        """Return what to print about a submission that an attempt replaces."""
        order = attempt.recency.compare(existing.recency) if existing else 0
        notes = [f"replaced {KINDS[order]}"]
        if (attempt.release.name, attempt.student) in self.times_in_table:
            notes.append(f"check its time in {submission_times.FILE_NAME}")
        elif (folder / TIMESTAMP).exists() and not attempt.submitted:
            notes.append("its submission time is unknown")
        return notes

    def _write_table(self) -> None:
        """Write the table, with one row per file."""
        rows = [originals.COLUMNS]
        for result in self.results:
            row = (
                result.file,
                result.status,
                result.student,
                result.assignment,
                result.details,
                result.saved_as,
                str(result.upload_number),
            )
            rows.append([csv_writer.escape_formula(cell) for cell in row])
        self.folder.mkdir(parents=True, exist_ok=True)  # it exists if it contains an original
        csv_writer.write_table(self.table, rows, force=True)


def _record_of(attempt: Attempt, known: Record | None) -> Record:
    """Return the record of an attempt; `known` is its record from an earlier collection.

    If several archives contain the same submission, the newest archive counts, even if it is not
    the one that is collected last.
    """
    if known and not attempt.recency.is_later(known.recency):
        return replace(known, is_rejected=False)
    return Record(attempt.recency, attempt.submitter, attempt.has_answers, attempt.origin.is_late)


def _is_certainly_better(attempt: Attempt, existing: Record) -> bool:
    """Return True if a platform itself shows that an attempt counts instead of an existing one.

    Having answers takes precedence over being newer, as among the attempts in one archive. Anyone
    can use any name in a shared folder, and a copied file has the time of the copy: a person has to
    decide about these.
    """
    recency, other = attempt.recency, existing.recency
    if recency.platform != other.platform or not (recency.is_certain and other.is_certain):
        return False
    if not attempt.submitter or attempt.submitter != existing.submitter:
        return False
    if attempt.has_answers != existing.has_answers:
        return attempt.has_answers
    return recency.compare(other) > 0
