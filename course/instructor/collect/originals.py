"""Originals: unchanged copies of everything that students submitted, in `originals/`."""

import hashlib
import shutil
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from course.evidence import format as evidence
from course.files import write_atomically
from course.instructor import file_lock
from course.instructor.collect.archive_reader import (
    MAX_BYTES,
    MAX_FILES,
    MAX_STUDENT_EVIDENCE_BYTES,
    Budget,
    SubmittedFile,
    describe_error,
    expand,
    is_archive,
    safe_file_name,
)
from course.instructor.collect.platform_file_names import PathParser
from course.instructor.submission_time import TIMESTAMP
from course.packing.helper_files import SUFFIX

FOLDER = "originals"  # in the course directory, outside build/, which `make clean` removes
TABLE = "table.csv"  # in the folder of a collection, with one row per file
COLUMNS = ["file", "status", "student", "assignment", "details", "saved as", "upload"]
OLD_FOLDER = Path("build", "intake")  # used by older versions
EVIDENCE_SUFFIXES = (".json", ".npz")
KEPT_SUFFIXES = (".ipynb", *EVIDENCE_SUFFIXES, ".txt", ".py", ".html", ".pdf", ".csv")


def exclusive(root: Path) -> AbstractContextManager[None]:
    """Prevent other collections in the course directory while the block runs."""
    message = "Another course collect command is running here: wait until it ends, or stop it."
    return file_lock.exclusive_lock(root / FOLDER, message)


def move_old_originals(root: Path) -> None:
    """Move an older version's originals to `originals/` without replacing anything."""
    old = root / OLD_FOLDER
    if not old.is_dir():
        return
    Path(old, "lock").unlink(missing_ok=True)
    for path in sorted(old.iterdir()):
        target, number = root / FOLDER / path.name, 1
        while target.exists():
            number += 1
            target = target.with_name(f"{path.name}-{number}")
        shutil.move(path, target)
    old.rmdir()


@dataclass
class SavedFile:
    """A file, with its unchanged copy."""

    file: SubmittedFile
    copy: Path | None  # None for a file that is not read; it is only in the archive's copy
    digest: str = ""  # the SHA-256 digest of the content


def folder_for(path: Path, root: Path, files: Sequence[SubmittedFile]) -> Path:
    """Return the folder for the originals of a path; the same content gives the same folder."""
    return root / FOLDER / f"{safe_file_name(path.stem)}-{_digest(path, files)[:8]}"


def save(
    path: Path, files: Sequence[SubmittedFile], folder: Path, paths: PathParser
) -> Iterator[SavedFile]:
    """Save an archive, a folder, or a notebook, and yield its files with their saved copies.

    The copies have numbers as their names. No upload can use up what the others need: each has its
    own budget, and those that take the least space come first.
    """
    if path.is_file() and is_archive(path.name):
        _copy(path, folder / safe_file_name(path.name))
    uploads: dict[tuple[str, ...], list[SubmittedFile]] = {}
    for file in files:
        uploads.setdefault(paths.upload(file.parts), []).append(file)
    total = Budget(MAX_FILES, MAX_BYTES)
    number = 0
    by_size = sorted(uploads.values(), key=lambda each: sum(file.packed_size for file in each))
    for done, upload in enumerate(by_size):
        budget = total.for_upload(len(by_size) - done)
        before = budget.files, budget.size
        # Files that are only kept come last, so that a folder of photos does not displace the
        # notebook beside it. For the same reason, Python files come after notebooks.
        for listed in sorted(upload, key=lambda each: (not is_used(each), not is_helper(each))):
            for file in expand(listed, budget):
                number += 1
                copy = folder / "files" / f"{number:05}{_suffix(file.name)}"
                yield _save(file, copy, budget, path.is_dir())
        total.spend(before[0] - budget.files, before[1] - budget.size)


def is_evidence(name: str) -> bool:
    """Return True if a file name is that of an evidence file or a manifest."""
    return Path(name).suffix.lower() in EVIDENCE_SUFFIXES


def is_notebook(name: str) -> bool:
    """Return True if a file name is that of a notebook, even if a platform added a suffix."""
    return name.lower().endswith((".ipynb", ".ipynb.txt", ".ipynb.json"))


def is_used(file: SubmittedFile) -> bool:
    """Return True if a file may be part of a submission."""
    name = file.name
    return is_notebook(name) or is_evidence(name) or is_archive(name) or name == TIMESTAMP


def is_helper(file: SubmittedFile) -> bool:
    """Return True if a file may be a helper file, which a notebook imports."""
    return file.name.lower().endswith(SUFFIX)


def _save(file: SubmittedFile, copy: Path, budget: Budget, from_folder: bool) -> SavedFile:
    """Save a file if it is needed; record an error as the file's problem."""
    try:
        content = _read(file, budget, from_folder)
        # The reader of a file in an archive keeps the whole archive in memory.
        file.reader = bytes
        if content is None:
            return SavedFile(file, None)
        # If the same archive is collected again, its copies already exist.
        if not copy.is_file() or copy.read_bytes() != content:
            write_atomically(copy, content)
    except Exception as error:
        file.problem, file.reader = describe_error(error), bytes
        return SavedFile(file, None)
    file.reader = copy.read_bytes
    return SavedFile(file, copy, hashlib.sha256(content).hexdigest())


def _read(file: SubmittedFile, budget: Budget, from_folder: bool) -> bytes | None:
    """Return a file's content, or None if it is not needed, or cannot or may not be read."""
    if file.is_junk or file.problem or not (is_used(file) or is_helper(file) or from_folder):
        return None
    # What is in an archive has already been subtracted from the budget.
    if not file.is_nested:
        if problem := budget.problem_with(1, file.size):
            file.problem = f"the upload is too large: {problem}" if is_used(file) else ""
            return None
        budget.spend(1, file.size)
    if is_evidence(file.name):
        file.problem = _evidence_problem(file, budget)
        if file.problem:
            return None
        budget.evidence -= file.size
    return file.read()


def _evidence_problem(file: SubmittedFile, budget: Budget) -> str:
    """Return the reason that an evidence file may not be read, or ""."""
    # A .json file can be a notebook that a browser saved, which may be larger than a record.
    if file.name.lower().endswith(".npz") and file.size > evidence.MAX_WEIGHTS_BYTES:
        return f"the file is larger than {evidence.MAX_WEIGHTS_BYTES // 2**20} MB"
    if file.size > budget.evidence:
        limit = MAX_STUDENT_EVIDENCE_BYTES // 2**20
        return f"the upload is too large: it has more than {limit} MB of evidence"
    return ""


def _suffix(name: str) -> str:
    """Return the suffix of a saved copy, by which programs recognize its format, or ""."""
    suffix = ".ipynb" if is_notebook(name) else Path(name).suffix.lower()
    return suffix if suffix in KEPT_SUFFIXES else ""


def _digest(path: Path, files: Sequence[SubmittedFile]) -> str:
    """Return a digest of a file's content, or of the names, sizes, and times in a folder."""
    if path.is_file():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    digest = hashlib.sha256()
    for each in files:
        line = f"{'/'.join(each.parts)}\0{each.size}\0{each.modified}\n"
        # Names on disk can contain bytes that are not valid text.
        digest.update(line.encode(errors="surrogateescape"))
    return digest.hexdigest()


def _copy(source: Path, target: Path) -> None:
    """Copy a file that may not fit in memory, unless the copy exists."""
    if not target.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        unfinished = target.with_name(target.name + ".part")
        shutil.copyfile(source, unfinished)
        unfinished.replace(target)
