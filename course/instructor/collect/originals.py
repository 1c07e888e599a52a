"""Originals: unchanged copies of everything that students submitted, in `originals/`."""

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from course.files import write_atomically
from course.instructor.collect.archive_reader import SubmittedFile, is_archive, safe_file_name, walk
from course.instructor.collect.platform_file_names import TIMESTAMP

FOLDER = "originals"  # in the course directory, outside build/, which `make clean` removes
OLD_FOLDER = Path("build", "intake")  # used by older versions
EVIDENCE_SUFFIXES = (".json", ".npz")


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


def folder_for(path: Path, root: Path) -> Path:
    """Return the folder for the originals of a path; the same content gives the same folder."""
    return root / FOLDER / f"{safe_file_name(path.stem)}-{_digest(path)[:8]}"


def save(path: Path, folder: Path) -> Iterator[tuple[SubmittedFile, Path | None]]:
    """Save an archive, a folder, or a notebook, and yield its files with their saved copies.

    The copy is None for files that are not read; such files are only in the archive's copy.
    """
    if path.is_file() and is_archive(path.name):
        _copy(path, folder / safe_file_name(path.name))
    used: set[str] = set()
    for file in walk(path):
        is_used = is_notebook(file.name) or is_evidence(file.name) or file.name == TIMESTAMP
        is_read = not file.is_junk and (is_used or path.is_dir())
        content = file.read() if is_read else None
        if content is None:
            yield file, None
            continue
        copy = _unused_path(folder / "files", file.parts, used)
        # If the same archive is collected again, its copies already exist.
        if not copy.is_file() or copy.read_bytes() != content:
            write_atomically(copy, content)
        file.reader = copy.read_bytes
        yield file, copy


def is_evidence(name: str) -> bool:
    """Return True if a file name is that of an evidence file or a manifest."""
    return Path(name).suffix.lower() in EVIDENCE_SUFFIXES


def is_notebook(name: str) -> bool:
    """Return True if a file name is that of a notebook, even if a platform added a suffix."""
    return name.lower().endswith((".ipynb", ".ipynb.txt", ".ipynb.json"))


def _digest(path: Path) -> str:
    """Return a digest of a file's content, or of the names, sizes, and times in a folder."""
    if path.is_file():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    digest = hashlib.sha256()
    for each in sorted(path.rglob("*")):
        if each.is_file() and not each.is_symlink():
            status = each.stat()
            line = f"{each.relative_to(path)}\0{status.st_size}\0{status.st_mtime_ns}\n"
            digest.update(line.encode())
    return digest.hexdigest()


def _copy(source: Path, target: Path) -> None:
    """Copy a file that may not fit in memory, unless the copy exists."""
    if not target.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        unfinished = target.with_name(target.name + ".part")
        shutil.copyfile(source, unfinished)
        unfinished.replace(target)


def _unused_path(folder: Path, parts: tuple[str, ...], used: set[str]) -> Path:
    """Return a path of safe names in a folder, which no other file of this collection uses."""
    names = [safe_file_name(part) for part in parts]
    path, number = folder.joinpath(*names), 1
    while str(path).casefold() in used:
        number += 1
        path = folder.joinpath(*names[:-1], f"{number}-{names[-1]}")
    used.add(str(path).casefold())
    return path
