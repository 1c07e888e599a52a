"""Watching in rounds: each collects new uploads, grades them, and writes the feedback pages."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from course.instructor.collect.archive_reader import SubmittedFile
from course.instructor.collect.collection import Collection, CollectOptions
from course.instructor.collect.file_result import FileResult, FileStatus
from course.instructor.collect.released_assignment import read_releases
from course.instructor.collect.submission_finder import resolver_for
from course.instructor.collect.submission_owner import UnknownOwnerError
from course.instructor.course_dir import open_api
from course.instructor.feedback import page_writer
from course.instructor.file_lock import LockHeldError
from course.instructor.gradebook import enrollment
from course.instructor.gradebook.group_submissions import read_course_groups
from course.instructor.gradebook.submission_results import SubmissionResult
from course.instructor.grading import class_grader
from course.instructor.grading.progress import ALREADY_GRADED, GRADED_WITH_OLDER_TESTS, one_line
from course.instructor.roster.roster import Roster
from course.instructor.watch.record import RecordFile, folder_of
from course.instructor.watch.upload_folder import Look, UploadFolder

RETRY_SECONDS = 60  # after an error
MAX_ATTEMPTS = 3  # at grading a submission that this machine could not grade
# The submission is in submitted/.
IN_PLACE = (FileStatus.COLLECTED, FileStatus.REPAIRED, FileStatus.ALREADY_COLLECTED)
FAILED = "failed"  # the kind of an event that is an error


@dataclass(frozen=True)
class Event:
    """An event, which is printed as one line."""

    kind: str  # such as "collected"
    text: str

    @property
    def is_problem(self) -> bool:
        """Return True if a person has to do something."""
        return self.kind in (FAILED, FileStatus.MANUAL_REVIEW)


@dataclass(frozen=True)
class WatchOptions:
    """Options of `course watch`; the roster is read again for each step that needs it."""

    read_roster: Callable[[], Roster | None]
    force: bool
    are_selected: bool  # the instructor named the assignments
    grading: class_grader.GradingOptions


class Watcher:
    """Watches a folder of uploads for the named assignments."""

    def __init__(
        self, root: Path, folder: Path, names: Sequence[str], options: WatchOptions
    ) -> None:
        self.root, self.names, self.options = root, names, options
        self.folder = UploadFolder(folder)
        self.file = RecordFile(folder_of(root, folder))
        self.record = self.file.read()
        self.is_waiting = True  # for files that may be incomplete, or are not collected yet
        self._attempts: Counter[tuple[str, str]] = Counter()
        self._last_errors: dict[str, str] = {}  # by step
        self._retry_at: dict[str, float] = {}  # time.monotonic() of the next attempt, by step

    @property
    def has_work(self) -> bool:
        """True if work is left for the next round, and no step is waiting to be retried."""
        return not self._retry_at and (self.is_waiting or bool(self.record.pending))

    def round(self) -> Iterator[Event]:
        """Look at the folder once, do the work, and yield an event for each result.

        An error is an event, too. Later rounds try again, and yield only a different error.
        """
        yield from self._attempt("collect", self._collect)
        for name in self.names:
            if any(each == name for each, _ in self.record.pending):
                yield from self._attempt(f"grade {name}", partial(self._grade, name))

    def _attempt(self, step: str, act: Callable[[], Iterator[Event]]) -> Iterator[Event]:
        """Yield the events of a step; yield its error, too, unless it repeats the previous one."""
        if time.monotonic() < self._retry_at.get(step, 0.0):
            return
        self._retry_at.pop(step, None)
        error = ""
        try:
            yield from act()
        except LockHeldError as held:
            error = str(held)
            if error != self._last_errors.get(step):
                yield Event("waiting", error)
        except Exception as problem:  # no error in one round ends the watch
            kind = "" if str(problem) else type(problem).__name__
            error = one_line(f"{kind}{problem}")
            self._retry_at[step] = time.monotonic() + RETRY_SECONDS
            if error != self._last_errors.get(step):
                yield Event(FAILED, f"cannot {step} ({error}); trying again")
        self._last_errors[step] = error

    def _collect(self) -> Iterator[Event]:
        """Collect the files of each owner whose new files are all ready; yield the events."""
        before = dict(self.record.incomplete)
        look = self.folder.look(self.record)
        self.is_waiting = bool(look.new - look.settled - look.damaged)
        if before != self.record.incomplete:
            self.file.write(self.record)
        if not look.settled:
            return
        roster = self.options.read_roster()
        chosen = self._choose(look, roster)
        if not chosen:
            return
        self.is_waiting = True  # until the files are collected: another command may hold the lock
        options = CollectOptions(
            roster, force=self.options.force, are_selected=self.options.are_selected
        )
        collection = Collection(self.root, self.folder.path, self.names, options)
        paths = {"/".join(file.parts) for file in chosen}
        self._forget_reports({look.files[path].printable_path for path in paths & look.new})
        for result in collection.run(look.listed, chosen):
            if event := self._report(result):
                yield event
            key = [result.assignment, result.student]
            is_notebook = result.status in IN_PLACE and not result.is_accompanying
            if is_notebook and all(key) and key not in self.record.pending:
                self.record.pending.append(key)
        self.record.handled |= {path: look.states[path] for path in paths}
        for path in paths:
            self.record.incomplete.pop(path, None)
        self.file.write(self.record)
        self.is_waiting = bool(look.new - look.settled - look.damaged)

    def _choose(self, look: Look, roster: Roster | None) -> list[SubmittedFile]:
        """Return the files to collect: all files of each owner whose new files are all ready.

        Therefore, two uploads that could be from one student are always compared. An export is
        collected only as a whole, unless the instructor named the assignments.
        """
        releases = read_releases(self.root, self.names)
        owners = resolver_for(self.folder.path, look.listed, releases, roster, None)
        groups: dict[tuple[str, ...], set[str]] = {}
        is_export = False
        for path, file in look.files.items():
            origin = owners.paths.parse(file.outer, file.name)
            is_export |= origin.platform in ("Canvas", "Moodle")
            key: tuple[str, ...]
            try:
                key = ("student", owners.resolve(file, origin).student)
            except UnknownOwnerError:
                key = ("upload", *owners.paths.upload(file.parts))
            groups.setdefault(key, set()).add(path)
        if is_export and not self.options.are_selected:
            # Only a whole export shows to which assignment it belongs.
            groups = {("export",): set(look.files)}
        ready = [
            paths
            for paths in groups.values()
            if paths & look.settled and not paths & (look.new - look.settled)
        ]
        chosen = set().union(*ready)
        return [file for path, file in look.files.items() if path in chosen]

    def _forget_reports(self, uploads: set[str]) -> None:
        """Remove the printed results of uploads that have changed from the record."""
        for file in list(self.record.reported):
            if any(file == upload or file.startswith(f"{upload}/") for upload in uploads):
                del self.record.reported[file]

    def _report(self, result: FileResult) -> Event | None:
        """Return the event for a file's result, or None if it needs none or already had it."""
        owner = "  ".join(filter(None, [result.assignment, result.student]))
        details = f": {result.details}" if result.details else ""
        file = f"  ({result.file})" if owner else ""
        event = Event(result.status, f"{owner or result.file}{details}{file}")
        if result.status in (FileStatus.MANUAL_REVIEW, FileStatus.OLDER_ATTEMPT):
            # The details of an older attempt contain the name of a new copy each time.
            is_review = result.status == FileStatus.MANUAL_REVIEW
            reason = result.details if is_review else str(result.status)
            known = self.record.reported.setdefault(result.file, [])
            if reason in known:
                return None
            known.append(reason)
            return event
        is_written = result.status in (FileStatus.COLLECTED, FileStatus.REPAIRED)
        return event if is_written and not result.is_accompanying else None

    def _grade(self, name: str) -> Iterator[Event]:
        """Grade an assignment's pending submissions and write their pages; then enter names."""
        if self.options.grading.is_stopping():
            return
        students = sorted(student for each, student in self.record.pending if each == name)
        for student in list(students):
            if not (self.root / "submitted" / student / name).is_dir():  # it was deleted
                students.remove(student)
                self.record.pending.remove([name, student])
        for result in class_grader.grade_students(self.root, name, students, self.options.grading):
            yield from self._complete(result)
        if roster := self.options.read_roster():
            with open_api(self.root).gradebook as gradebook:
                enrollment.enter_names(gradebook, roster)

    def _complete(self, result: SubmissionResult) -> Iterator[Event]:
        """Yield the events for a graded submission, and remove it from the pending ones.

        A submission that could not be graded stays pending until MAX_ATTEMPTS.
        """
        name, student = result.assignment, result.student
        if result.note not in (ALREADY_GRADED, GRADED_WITH_OLDER_TESTS):
            yield _graded(result)
        if result.failed and result.score is None:
            self._attempts[name, student] += 1
            if self._attempts[name, student] < MAX_ATTEMPTS:
                return
        elif self._needs_page(name, student):
            shared = read_course_groups(self.root).in_assignment(name)
            requested = page_writer.request_pages(name, [student], shared)
            for page in page_writer.write_pages(self.root, requested):
                if page.problem:
                    yield Event(FAILED, page.problem)
                yield from (Event("feedback", str(path)) for path in page.paths)
        self._attempts.pop((name, student), None)
        self.record.pending.remove([name, student])
        self.file.write(self.record)

    def _needs_page(self, name: str, student: str) -> bool:
        """Return True if a student's feedback page is missing or older than the graded notebook."""
        graded = list((self.root / "autograded" / student / name).glob("*.ipynb"))
        pages = list((self.root / "feedback" / student / name).glob("*.html"))
        newest = max((path.stat().st_mtime for path in graded), default=0.0)
        return max((path.stat().st_mtime for path in pages), default=0.0) < newest


def _graded(result: SubmissionResult) -> Event:
    """Return the event for a submission that was graded or could not be graded."""
    score = "" if result.score is None else f" {result.score:g}/{result.max_score:g}"
    pending = ", pending manual grading" if result.needs_manual_grading else ""
    note = one_line(result.note)
    kind = FAILED if result.failed else "graded"
    return Event(kind, f"{result.assignment}  {one_line(result.student)}{score}: {note}{pending}")
