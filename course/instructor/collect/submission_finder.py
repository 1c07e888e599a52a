"""Finding the submitted notebooks in an archive or folder, and the files that belong to them."""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from course import packing
from course.instructor.collect import notebook_reader, notebook_repair, originals
from course.instructor.collect.archive_reader import SubmittedFile, printable, safe_file_name
from course.instructor.collect.attempts import Attempt, nearest_attempts
from course.instructor.collect.file_result import FileResult, FileStatus
from course.instructor.collect.platform_file_names import TIMESTAMP, parse_path, parse_utc
from course.instructor.collect.released_assignment import (
    ReleasedAssignment,
    identify_assignment,
    read_cells,
)
from course.instructor.collect.submission_owner import OwnerResolver, UnknownOwnerError, name_hints
from course.instructor.roster.roster import Roster

MAX_EVIDENCE_BYTES = 16 * 2**20  # grading reports files above its own, smaller limit
OTHER_ARCHIVES = {".rar", ".7z", ".tar", ".gz", ".tgz", ".xz", ".bz2"}


class SubmissionFinder:
    """The attempts in an archive or folder, and the results for all other files.

    The constructor reads, identifies, and repairs every notebook once. Repaired notebooks are saved
    in `staging` because those of a whole class may not fit in memory.
    """

    def __init__(
        self,
        path: Path,
        folder: Path,
        staging: Path,
        releases: Sequence[ReleasedAssignment],
        roster: Roster | None,
        student: str | None,
    ) -> None:
        """Save the originals of `path` in `folder` and find the attempts in them."""
        self.releases, self.staging = releases, staging
        self.assignments = {release.name for release in releases}
        self.results: list[FileResult] = []
        self.attempts: list[Attempt] = []
        files = list(self._readable_files(originals.save(path, folder)))
        tops = {file.parts[0] if len(file.parts) > 1 else "" for file, _ in files}
        common_folder = tops.pop() if len(tops) == 1 and path.is_file() else ""
        self.owners = OwnerResolver(roster, student, common_folder)
        self._find_attempts(files)

    def _readable_files(
        self, saved: Iterator[tuple[SubmittedFile, Path | None]]
    ) -> Iterator[tuple[SubmittedFile, Path]]:
        """Yield the files that have a saved copy; add results for the others."""
        for file, copy in saved:
            if file.is_junk:
                self._skip(file, "made by an operating system or editor")
            elif file.problem:
                self._flag(file, file.problem)
            elif copy is None:
                self._skip_other(file)
            else:
                yield file, copy

    def _find_attempts(self, files: list[tuple[SubmittedFile, Path]]) -> None:
        """Find the notebooks, then add the other files to the notebooks to which they belong."""
        manifests = {
            file.container: _read_manifest(file, files)
            for file, _ in files
            if file.name in packing.MANIFEST_NAMES
        }
        accompanying = []
        for file, copy in files:
            if originals.is_notebook(file.name):
                self._add_attempt(file, copy, manifests.get(file.container, {}))
            elif file.name in packing.MANIFEST_NAMES:
                self._skip(file, "read: the manifest that the packing cell writes")
            else:
                accompanying.append((file, copy))
        for file, copy in accompanying:
            origin = parse_path(file.parts, self.assignments)
            owners = [attempt for attempt in self.attempts if attempt.includes(file, origin)]
            if file.name == TIMESTAMP:
                self._add_timestamp(file, copy, owners)
            elif originals.is_evidence(file.name):
                owners = [attempt for attempt in owners if attempt.release.requires_evidence]
                self._add_evidence(file, copy, nearest_attempts(owners, origin))
            else:
                self._skip_other(file)

    def _add_attempt(self, file: SubmittedFile, copy: Path, manifest: dict[str, Any]) -> None:
        """Add the attempt that a notebook contains, or flag the file for manual review."""
        origin = parse_path(file.parts, self.assignments)
        content = copy.read_bytes()
        assignment = ""
        try:
            notebook = notebook_reader.parse(content)
            cells = read_cells(notebook.content)
            release = identify_assignment(self.releases, cells)
            if release is None:
                course = self.releases[0].name if len(self.releases) == 1 else "this course"
                raise notebook_reader.RepairError(f"the notebook does not belong to {course}")
            assignment = release.name
            student = self.owners.resolve(origin, name_hints(file, release, cells, manifest))
        except (notebook_reader.RepairError, UnknownOwnerError) as error:
            self._flag(file, str(error), assignment=assignment)
            return
        digest = hashlib.sha256(content).hexdigest()
        attempt = Attempt(file, origin, student, release, copy, digest)
        self._repair(attempt, notebook)
        attempt.timestamp = origin.timestamp
        attempt.checksum = manifest.get("checksum") or ""
        attempt.packed_at = parse_utc(manifest.get("packed_at", "").removesuffix(" UTC"))
        attempt.warnings = [printable(each)[:200] for each in manifest.get("problems", ())]
        self.attempts.append(attempt)

    def _repair(self, attempt: Attempt, notebook: notebook_reader.ParsedNotebook) -> None:
        """Repair an attempt's notebook if necessary."""
        try:
            repaired, notes = notebook_repair.repair_notebook(notebook.content, attempt.release)
        except notebook_reader.RepairError as error:
            attempt.problem = str(error)
            return
        attempt.repairs = notebook.notes + notes
        if not attempt.repairs and not notebook_repair.is_valid(notebook.raw):
            attempt.repairs.append("invalid content removed")
        if attempt.repairs:
            attempt.repaired = self.staging / f"{len(self.attempts)}.ipynb"
            attempt.repaired.write_bytes(notebook_repair.encode_notebook(repaired))

    def _add_timestamp(self, file: SubmittedFile, copy: Path, owners: list[Attempt]) -> None:
        """Add the submission time from nbgrader's file to the attempts beside that file."""
        text = copy.read_bytes()[:100].decode(errors="replace").strip()
        for attempt in owners:
            if attempt.origin.platform == "nbgrader" and text.isprintable():
                attempt.timestamp = attempt.timestamp or text
        self._skip(file, "read: the submission time")

    def _add_evidence(self, file: SubmittedFile, copy: Path, owners: list[Attempt]) -> None:
        """Add an evidence file to the attempts of the student who submitted it."""
        if not owners:
            self._skip(file, "the assignment does not require evidence")
        elif len({attempt.student for attempt in owners}) > 1:
            self._flag(file, "it could belong to the notebooks of several students")
        elif copy.stat().st_size > MAX_EVIDENCE_BYTES:
            limit = f"the file is larger than {MAX_EVIDENCE_BYTES // 2**20} MB"
            self._flag(file, limit, *owners[0].key)
        else:
            for attempt in owners:
                attempt.evidence.setdefault(safe_file_name(file.name), copy)
            owner, path = owners[0].key, file.printable_path
            self.results.append(FileResult(FileStatus.COLLECTED, path, *owner, "evidence"))

    def _skip_other(self, file: SubmittedFile) -> None:
        """Skip a file that is not part of a submission; flag an archive that cannot be opened."""
        suffix = Path(file.name).suffix.lower()
        if suffix in OTHER_ARCHIVES:
            self._flag(file, f"{suffix} is not supported: unpack the file and collect the folder")
        else:
            self._skip(file, "neither a notebook nor evidence")

    def _skip(self, file: SubmittedFile, details: str) -> None:
        """Add the result for a file that needs no attention."""
        self.results.append(FileResult(FileStatus.SKIPPED, file.printable_path, details=details))

    def _flag(
        self, file: SubmittedFile, reason: str, student: str = "", assignment: str = ""
    ) -> None:
        """Add the result for a file that needs a manual review."""
        self.results.append(
            FileResult(FileStatus.MANUAL_REVIEW, file.printable_path, student, assignment, reason)
        )


def _read_manifest(
    manifest: SubmittedFile, files: list[tuple[SubmittedFile, Path]]
) -> dict[str, Any]:
    """Return a manifest, checked against the files in its folder."""
    depth = len(manifest.parts) - 1
    packed = {
        "/".join(file.parts[depth:]): file.read() or b""
        for file, _ in files
        if file.parts[:depth] == manifest.parts[:-1]
    }
    return packing.read_manifest(packed)
