"""Finding the submitted notebooks in an archive or folder, and the files that belong to them."""

import shlex
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from course import packing
from course.errors import CourseError
from course.evidence import format as evidence
from course.instructor import submission_time
from course.instructor.collect import notebook_reader, originals
from course.instructor.collect.archive_reader import (
    SubmittedFile,
    describe_error,
    is_archive,
    printable,
    safe_file_name,
    shorten,
)
from course.instructor.collect.attempts import Attempt, nearest_attempts
from course.instructor.collect.file_result import EVIDENCE, HELPER_FILE, FileResult, FileStatus
from course.instructor.collect.notebook_reader import ReadingBudget, ReadNotebook, RepairError
from course.instructor.collect.originals import SavedFile
from course.instructor.collect.platform_file_names import Origin, PathParser, strip_copy_marks
from course.instructor.collect.released_assignment import ReleasedAssignment
from course.instructor.collect.submission_owner import OwnerResolver, UnknownOwnerError
from course.instructor.roster.roster import Roster
from course.instructor.sandbox import forkserver_client
from course.instructor.sandbox.kernel_client import EngineError, KernelEnded
from course.instructor.sandbox.worker_pool import available_cores
from course.instructor.submission_time import TIMESTAMP
from course.packing import helper_files

MAX_EVIDENCE_BYTES = 64 * 2**20  # with one notebook; `course.files.files_below` reads no more
OTHER_ARCHIVES = {".rar", ".7z", ".tar", ".gz", ".tgz", ".xz", ".bz2"}
NO_NOTEBOOK = "there is no notebook with it: ask the student for the .ipynb file"


def resolver_for(
    path: Path,
    listed: Sequence[SubmittedFile],
    releases: Sequence[ReleasedAssignment],
    roster: Roster | None,
    student: str | None,
    worksheet: Roster | None = None,
) -> OwnerResolver:
    """Return a resolver for the owners of the files that are listed for a path."""
    uploads = [
        file.parts
        for file in listed
        if not file.is_junk and (originals.is_notebook(file.name) or is_archive(file.name))
    ]
    paths = PathParser(uploads, releases, roster)
    tops = {file.parts[0] if len(file.parts) > 1 else "" for file in listed}
    common_folder = tops.pop() if len(tops) == 1 and path.is_file() else ""
    return OwnerResolver(roster, student, paths, common_folder, releases, worksheet)


class SubmissionFinder:
    """The attempts in an archive or folder, and the results for all other files.

    The constructor reads, identifies, and repairs every notebook once. Repaired notebooks are saved
    in `staging` because those of a whole class may not fit in memory. An error in one file is
    recorded as the result of this file.
    """

    def __init__(
        self,
        path: Path,
        listed: Sequence[SubmittedFile],
        folder: Path,
        staging: Path,
        releases: Sequence[ReleasedAssignment],
        roster: Roster | None,
        student: str | None,
        chosen: Sequence[SubmittedFile] | None = None,
        others: Sequence[ReleasedAssignment] = (),
        worksheet: Roster | None = None,
    ) -> None:
        """Save the originals of `path` in `folder` and find the attempts in them.

        `listed` are the files that `archive_reader.list_files` returned for `path`. `chosen` are
        those of them that are read, or None for all; the paths of the others still help to
        determine the owners. `others` are the releases of the assignments that are not collected.
        `worksheet` contains the students in a grading worksheet.
        """
        self.path, self.releases, self.others, self.staging = path, releases, others, staging
        self.results: list[FileResult] = []
        self.attempts: list[Attempt] = []
        # Students who submitted something that is a notebook or may contain one.
        self.students_with_notebook: set[str] = set()
        self._known_owners: dict[tuple[tuple[str, ...], bool], str] = {}
        self._upload_numbers: dict[tuple[str, ...], int] = {}
        self.owners = resolver_for(path, listed, releases, roster, student, worksheet)
        self.paths = self.owners.paths
        chosen = listed if chosen is None else chosen
        saved = list(originals.save(path, chosen, folder, self.paths))
        self._copies = {
            id(each.file): each.copy.relative_to(folder.parents[1]).as_posix()
            for each in saved
            if each.copy
        }
        self._find_attempts([each for each in saved if self._is_readable(each)])
        self._add_junk([each.file for each in saved if each.file.is_junk])

    def review_other_assignments(self) -> None:
        """Flag exported notebooks that are not for the assignment that most students submitted.

        Only exports from Canvas and Moodle are reviewed. Flagged notebooks are not collected.

        A platform enforces the deadline of the assignment that an archive belongs to, and of no
        other: a student could submit late work with the next assignment.
        """
        exported = [each for each in self.attempts if each.origin.platform in ("Canvas", "Moodle")]
        counts = Counter(name for _, name in {each.key for each in exported})
        for attempt in exported:
            name = attempt.release.name
            usual, count = counts.most_common(1)[0]
            if name == usual or 2 * count <= len({each.student for each in exported}):
                continue
            self.attempts.remove(attempt)
            reason = (
                f"most students here submitted {usual}: to accept this file, name both assignments:"
                f" {self._command([usual, name])}"
            )
            self._flag(attempt.file, reason, *attempt.key)

    def _command(self, names: Sequence[str]) -> str:
        """Return the command that collects these assignments."""
        return f"course collect {shlex.quote(str(self.path))} {' '.join(names)}"

    def _is_readable(self, saved: SavedFile) -> bool:
        """Return True if a file can be used; otherwise, add its result if it is known already."""
        file = saved.file
        if file.is_junk:
            return False
        if file.problem:
            student = self._known_owner(file)
            if originals.is_notebook(file.name) or is_archive(file.name):
                self.students_with_notebook.add(student)
            self._flag(file, file.problem, student)
        else:
            return True
        return False

    def _add_junk(self, files: list[SubmittedFile]) -> None:
        """Add files that a system or editor made; flag one for a student who has nothing else."""
        done = {attempt.student for attempt in self.attempts}
        flagged = (each for each in self.results if each.status == FileStatus.MANUAL_REVIEW)
        done |= {"", *(each.student for each in flagged)}
        for file in files:
            if (student := self._known_owner(file)) in done:
                self._skip(file, "made by an operating system or editor")
            else:
                self._flag(file, NO_NOTEBOOK, student)
                done.add(student)

    def _find_attempts(self, files: list[SavedFile]) -> None:
        """Find the notebooks, then add the other files to the notebooks to which they belong."""
        manifests = _read_manifests(files)
        notebooks = [each for each in files if originals.is_notebook(each.file.name)]
        exported = [each for each in files if _is_notebook_as_json(each)]
        self._add_attempts(notebooks, manifests)
        # A browser may save a notebook as .json. It is used if the student has no other notebook.
        found = {attempt.student for attempt in self.attempts}
        unused = [each for each in exported if self._known_owner(each.file) in found - {""}]
        self._add_attempts([each for each in exported if each not in unused], manifests)
        done = {id(each) for each in (*notebooks, *exported)}
        for saved in unused:
            self._skip(saved.file, "another notebook of the student is used")
        others = [each for each in files if id(each) not in done]
        # The newest evidence comes first, because the first file with a name is used.
        others.sort(key=lambda each: -self._origin(each.file).attempt if each.copy else 0)
        for saved in others:
            try:
                self._add_accompanying(saved)
            except Exception as error:
                self._flag(saved.file, describe_error(error), self._known_owner(saved.file))

    def _add_attempts(
        self, notebooks: list[SavedFile], manifests: "dict[tuple[str, ...], Manifest]"
    ) -> None:
        """Add the attempts that notebooks contain, or flag the files for manual review."""
        start = len(list(self.staging.iterdir()))
        found: dict[int, tuple[ReadNotebook, Path | None] | Exception] = {}
        uploads: dict[tuple[str, ...], list[int]] = {}
        for number, saved in enumerate(notebooks):
            uploads.setdefault(self.paths.upload(saved.file.outer), []).append(number)

        def read_upload(numbers: list[int]) -> None:
            budget = ReadingBudget()
            for number in sorted(numbers, key=lambda each: notebooks[each].file.size):
                try:
                    repaired = self.staging / f"{start + number}.ipynb"
                    found[number] = self._read(notebooks[number], repaired, budget)
                except EngineError as error:
                    if forkserver_client.is_stopped():
                        raise
                    found[number] = error
                except (CourseError, KernelEnded):
                    raise  # this machine cannot read any notebook
                except Exception as error:
                    found[number] = error

        # Each notebook is read by a process of its own; the smallest uploads come first.
        by_size = sorted(
            uploads.values(), key=lambda each: sum(notebooks[number].file.size for number in each)
        )
        with ThreadPoolExecutor(available_cores()) as pool:
            list(pool.map(read_upload, by_size))
        # If the machine is too busy for most files, the cause is not the content of one of them.
        too_busy = [each for each in found.values() if isinstance(each, EngineError)]
        if 2 * len(too_busy) > len(found):
            raise too_busy[0]
        for number, saved in enumerate(notebooks):
            self.students_with_notebook.add(self._known_owner(saved.file))
            try:
                result = found[number]
                if isinstance(result, Exception):
                    raise result
                self._add_attempt(saved, *result, manifests.get(saved.file.container))
            except (RepairError, UnknownOwnerError, EngineError) as error:
                self._flag(saved.file, str(error), self._known_owner(saved.file))
            except Exception as error:
                self._flag(saved.file, describe_error(error), self._known_owner(saved.file))

    def _read(
        self, saved: SavedFile, repaired: Path, budget: ReadingBudget
    ) -> tuple[ReadNotebook, Path | None]:
        """Return a notebook, and the file with its repaired version if there is one."""
        notebook = notebook_reader.read(self.releases, saved.file.reader(), budget, self.others)
        if not notebook.repaired:
            return notebook, None
        budget.spend_on_repaired(len(notebook.repaired))
        repaired.write_bytes(notebook.repaired)
        notebook.repaired = b""
        return notebook, repaired

    def _add_attempt(
        self,
        saved: SavedFile,
        notebook: ReadNotebook,
        repaired: Path | None,
        manifest: "Manifest | None",
    ) -> None:
        """Add the attempt that a notebook contains, or flag the file for manual review."""
        file, origin = saved.file, self._origin(saved.file)
        if not notebook.assignment:
            raise RepairError(notebook.problem)
        if notebook.assignment in {each.name for each in self.others}:
            name = notebook.assignment
            command = self._command([*(each.name for each in self.releases), name])
            reason = f"this is a notebook of {name}: to collect it, name {name} too: {command}"
            self._flag(file, reason, self._known_owner(file), name)
            return
        claimed = manifest.content["student"] if manifest and manifest.is_single else ""
        names = list(filter(None, [claimed, *notebook.claimed_names]))
        try:
            owner = self.owners.resolve(file, origin, names)
        except UnknownOwnerError as error:
            self._flag(file, str(error), assignment=notebook.assignment)
            return
        release = next(each for each in self.releases if each.name == notebook.assignment)
        assert saved.copy  # notebooks are always saved
        attempt = Attempt(
            file, origin, owner.student, owner.claim, release, saved.copy, saved.digest
        )
        attempt.inner_name = owner.inner_name
        attempt.problem, attempt.repaired, attempt.repairs = (
            notebook.problem,
            repaired,
            notebook.notes,
        )
        attempt.has_answers = notebook.has_answers
        attempt.submitted = origin.submitted
        attempt.upload_number = self._upload_number(file)
        # Anyone can put a manifest into a shared folder; such a manifest belongs to no attempt.
        if manifest and attempt.includes(manifest.file, self._origin(manifest.file)):
            attempt.checksum = manifest.content["checksum"]
            attempt.warnings = [printable(each)[:200] for each in manifest.content["problems"]]
        self.attempts.append(attempt)

    def _add_accompanying(self, saved: SavedFile) -> None:
        """Add a file to the attempts that it belongs to."""
        file = saved.file
        student = self._known_owner(file)
        suffix = Path(file.name).suffix.lower()
        problem = "" if self.owners.student else self._origin(file).problem
        if problem and originals.is_used(file):
            self._flag(file, problem, student)
        elif suffix in OTHER_ARCHIVES:
            reason = f"{suffix} is not supported: unpack the file and collect the folder"
            self._flag(file, reason, student)
        elif student and student not in self.students_with_notebook:
            self._flag(file, NO_NOTEBOOK, student)
        elif file.name in packing.MANIFEST_NAMES:
            is_used = bool(self._included_in(file))
            use = "read" if is_used else "not used, because it is in no student's folder or archive"
            self._skip(file, f"{use}: the manifest that the packing cell writes")
        elif saved.copy and file.name == TIMESTAMP:
            self._add_timestamp(file, saved.copy, self._included_in(file))
        elif saved.copy and originals.is_evidence(file.name):
            included = self._included_in(file)
            owners = [attempt for attempt in included if attempt.release.requires_evidence]
            together = [each for each in owners if each.file.container == file.container]
            if not (together and file.is_nested):
                together = nearest_attempts(owners, self._origin(file))
            self._add_evidence(file, saved.copy, _in_folders_around(file, together))
        elif saved.copy and originals.is_helper(file) and not problem:
            self._add_helper(saved)
        else:
            self._skip(file, "neither a notebook nor evidence")

    def _included_in(self, file: SubmittedFile) -> list[Attempt]:
        """Return the attempts with which a file was submitted."""
        origin = self._origin(file)
        return [attempt for attempt in self.attempts if attempt.includes(file, origin)]

    def _origin(self, file: SubmittedFile) -> Origin:
        """Return a file's origin."""
        return self.paths.parse(file.outer, file.name)

    def _known_owner(self, file: SubmittedFile) -> str:
        """Return who submitted a file if a roster, option, or platform shows it, and "" if not."""
        key = file.outer, file.is_nested
        if key not in self._known_owners:
            self._known_owners[key] = self._find_owner(file)
        return self._known_owners[key]

    def _find_owner(self, file: SubmittedFile) -> str:
        """Return the student for `_known_owner`."""
        origin = self._origin(file)
        if not (self.owners.roster or self.owners.student or origin.platform):
            return ""
        try:
            return self.owners.resolve(file, origin).student
        except UnknownOwnerError:
            return ""

    def _add_timestamp(self, file: SubmittedFile, copy: Path, owners: list[Attempt]) -> None:
        """Add the submission time in nbgrader's file to the attempts submitted with that file."""
        text = submission_time.decode(copy.read_bytes()[: submission_time.MAX_BYTES])
        # In an archive that a student made, the student chose the time.
        untimed = [
            attempt
            for attempt in owners
            if attempt.origin.platform == "nbgrader"
            and not attempt.submitted
            and not file.is_nested
        ]
        try:
            moment = submission_time.parse(text)
        except ValueError as error:
            for student, assignment in dict.fromkeys(attempt.key for attempt in untimed):
                where = f"in submitted/{student}/{assignment}/{TIMESTAMP}"
                self._flag(file, f"{error}, {where}", student, assignment)
            if not untimed:
                self._skip(file, "not needed: the submission time is known or is not used")
            return
        for attempt in untimed:
            attempt.submitted = moment
        self._skip(file, "read: the submission time")

    def _add_evidence(self, file: SubmittedFile, copy: Path, owners: list[Attempt]) -> None:
        """Add an evidence file to the attempts of the student who submitted it."""
        if not owners and any(attempt.release.requires_evidence for attempt in self.attempts):
            self._flag(
                file,
                "it belongs to no notebook: collect it in the folder or archive of its notebook",
            )
        elif not owners:
            self._skip(file, "the assignment does not require evidence")
        elif len({attempt.student for attempt in owners}) > 1:
            self._flag(file, "it could belong to the notebooks of several students")
        elif problem := self._evidence_problem(file, copy, owners):
            self._flag(file, problem, *owners[0].key)
        else:
            for attempt in owners:
                attempt.evidence.setdefault(safe_file_name(file.name), copy)
            self._add_result(FileStatus.COLLECTED, file, EVIDENCE, *owners[0].key)

    def _add_helper(self, saved: SavedFile) -> None:
        """Add a helper file to the attempts whose notebook is in the same folder."""
        file, origin = saved.file, self._origin(saved.file)
        included = self._included_in(file)
        together = [each for each in included if each.file.parts[:-1] == file.parts[:-1]]
        owners = together or [each for each in included if _is_beside_archive(file, each.file)]
        name = origin.file_name
        if origin.platform and not helper_files.is_importable(name):  # Canvas adds a number
            name = f"{strip_copy_marks(name)[0]}{helper_files.SUFFIX}"
        if not owners or len({attempt.student for attempt in owners}) > 1:
            self._skip(file, "neither a notebook nor evidence, and beside no student's notebook")
        elif not helper_files.is_importable(name):
            self._skip(file, helper_files.name_problem(name))
        elif any(name in attempt.release.provided for attempt in owners):
            self._skip(file, "the assignment's own file is used")
        elif problem := self._helper_problem(name, saved, owners):
            self._flag(file, problem, *owners[0].key)
        else:
            for attempt in owners:
                attempt.helpers.setdefault(name, saved)
            self._add_result(FileStatus.COLLECTED, file, HELPER_FILE, *owners[0].key)

    def _helper_problem(self, name: str, saved: SavedFile, owners: list[Attempt]) -> str:
        """Return the reason that a file cannot be a helper file of the attempts, or ""."""
        if problem := helper_files.name_problem(name):
            return problem
        others = max(len(attempt.helpers.keys() - {name}) for attempt in owners)
        return helper_files.size_problem(saved.file.size, others)

    def _evidence_problem(self, file: SubmittedFile, copy: Path, owners: list[Attempt]) -> str:
        """Return which limit of grading a file would exceed, or "" if it exceeds none."""
        is_record = file.name.lower().endswith(".json")
        largest = evidence.MAX_METRICS_BYTES if is_record else evidence.MAX_WEIGHTS_BYTES
        size = copy.stat().st_size
        if size > largest:
            return f"the file is larger than {largest // 2**20} MB"
        for attempt in owners:
            if safe_file_name(file.name) in attempt.evidence:
                continue
            if len(attempt.evidence) >= evidence.MAX_FILES:
                return f"there are more than {evidence.MAX_FILES} evidence files with the notebook"
            total = size + sum(path.stat().st_size for path in attempt.evidence.values())
            if total > MAX_EVIDENCE_BYTES:
                limit = MAX_EVIDENCE_BYTES // 2**20
                return f"there is more than {limit} MB of evidence with the notebook"
        return ""

    def _skip(self, file: SubmittedFile, details: str) -> None:
        """Add the result for a file that needs no attention."""
        self._add_result(FileStatus.SKIPPED, file, details)

    def _flag(
        self, file: SubmittedFile, reason: str, student: str = "", assignment: str = ""
    ) -> None:
        """Add the result for a file that needs a manual review."""
        result = self._add_result(FileStatus.MANUAL_REVIEW, file, reason, student, assignment)
        result.upload = shorten("/".join(file.outer[: self.paths.level + 1]))

    def _add_result(
        self,
        status: FileStatus,
        file: SubmittedFile,
        details: str,
        student: str = "",
        assignment: str = "",
    ) -> FileResult:
        """Add the result for a file and return it."""
        result = FileResult(status, file.printable_path, student, assignment, details)
        result.saved_as = self._copies.get(id(file), "")
        result.upload_number = self._upload_number(file)
        self.results.append(result)
        return result

    def _upload_number(self, file: SubmittedFile) -> int:
        """Return the number of a file's upload, which includes all files of a known student."""
        owner = self._known_owner(file)
        key = ("student", owner) if owner else self.paths.upload(file.outer)
        return self._upload_numbers.setdefault(key, len(self._upload_numbers) + 1)


@dataclass(frozen=True)
class Manifest:
    """A manifest, checked against the files in its folder."""

    file: SubmittedFile
    content: dict[str, Any]  # from `packing.check_manifest`
    is_single: bool  # True if there is a single notebook in its archive or folder


def _read_manifests(files: Sequence[SavedFile]) -> dict[tuple[str, ...], Manifest]:
    """Return the manifests by container, checked against the files in their folders."""
    folders = {
        each.file.parts[:-1]: each for each in files if each.file.name in packing.MANIFEST_NAMES
    }
    digests: dict[tuple[str, ...], dict[str, str]] = {folder: {} for folder in folders}
    for each in files:
        parts = each.file.parts
        for depth in range(len(parts)):
            # A manifest describes the files that were packed with it, not other archives.
            if parts[:depth] in folders and each is not folders[parts[:depth]]:
                digests[parts[:depth]]["/".join(parts[depth:])] = each.digest
    notebooks = Counter(
        each.file.container for each in files if originals.is_notebook(each.file.name)
    )
    manifests = {}
    for folder, saved in folders.items():
        file = saved.file
        content = packing.check_manifest(file.name, file.read() or b"", digests[folder])
        manifests[file.container] = Manifest(file, content, notebooks[file.container] == 1)
    return manifests


def _is_notebook_as_json(saved: SavedFile) -> bool:
    """Return True if a JSON file contains a notebook."""
    name = saved.file.name
    if not saved.copy or not name.lower().endswith(".json") or name in packing.MANIFEST_NAMES:
        return False
    content = b"" if originals.is_notebook(name) else saved.file.reader()
    return b'"cells"' in content and b'"nbformat"' in content


def _in_folders_around(file: SubmittedFile, attempts: list[Attempt]) -> list[Attempt]:
    """Return the attempts whose notebook is in the nearest folder around a file, or all if none is.

    A student can submit the folders of two assignments, each with its own evidence.
    """
    depths = [
        len(each.file.parts)
        if file.parts[: len(each.file.parts) - 1] == each.file.parts[:-1]
        else 0
        for each in attempts
    ]
    nearest = max(depths, default=0)
    return [each for each, depth in zip(attempts, depths, strict=True) if depth == nearest]


def _is_beside_archive(file: SubmittedFile, notebook: SubmittedFile) -> bool:
    """Return True if a file is at the top of an archive in a notebook's folder."""
    is_at_top = file.is_nested and file.parts[:-1] == file.container
    return is_at_top and file.container[:-1] == notebook.parts[:-1]
