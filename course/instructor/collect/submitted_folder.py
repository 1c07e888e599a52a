"""Writing submissions to `submitted/STUDENT/ASSIGNMENT/`, where grading reads them."""

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from course.files import replacing_folder, restore_folder, write_atomically
from course.instructor.collect import originals
from course.instructor.collect.attempts import Recency


def folder_of(root: Path, student: str, assignment: str) -> Path:
    """Return a submission's folder; restore it first if an earlier command was killed."""
    folder = Path(root, "submitted", student, assignment)
    if folder.parent.is_dir():
        restore_folder(folder)
    return folder


def has_content(folder: Path, content: Mapping[str, bytes]) -> bool:
    """Return True if a folder contains exactly the given files (relative path -> content)."""
    if not folder.is_dir():
        return False
    names = {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and ".ipynb_checkpoints" not in path.parts
    }
    return names == content.keys() and all(
        (folder / name).read_bytes() == data for name, data in content.items()
    )


def write(root: Path, student: str, assignment: str, content: Mapping[str, bytes]) -> None:
    """Write or replace a submission; the replaced version is saved in `originals/replaced/`.

    If the process is killed, the folder contains the complete old or the complete new submission.
    """
    folder = folder_of(root, student, assignment)
    if folder.exists():
        name = f"{assignment}-{_digest(_content(folder))[:8]}"
        with replacing_folder(root / originals.FOLDER / "replaced" / student / name) as staging:
            shutil.copytree(folder, staging, dirs_exist_ok=True)
    with replacing_folder(folder) as staging:
        for name, data in content.items():
            path = staging / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)


def write_recency(
    root: Path, student: str, assignment: str, content: Mapping[str, bytes], recency: Recency
) -> None:
    """Record how new a submission is that consists of the given files."""
    record = {"digest": _digest(content), **asdict(recency)}
    write_atomically(_record(root, student, assignment), json.dumps(record) + "\n")


def read_recency(root: Path, student: str, assignment: str) -> Recency | None:
    """Return how new a submission is, or None if it was not collected or was changed since then."""
    try:
        record = json.loads(_record(root, student, assignment).read_text("utf-8"))
        digest = record.pop("digest")
        recency = Recency(**record)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None
    folder = folder_of(root, student, assignment)
    return recency if digest == _digest(_content(folder)) else None


def _record(root: Path, student: str, assignment: str) -> Path:
    """Return the path of the record of how new a submission is."""
    return root / originals.FOLDER / "collected" / assignment / f"{student}.json"


def _content(folder: Path) -> dict[str, bytes]:
    """Return the regular files in a submission's folder as relative path -> content."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink() and ".ipynb_checkpoints" not in path.parts
    }


def _digest(content: Mapping[str, bytes]) -> str:
    """Return a digest of files and their names."""
    digest = hashlib.sha256()
    for name, data in sorted(content.items()):
        digest.update(f"{name}\0{len(data)}\0".encode(errors="surrogateescape"))
        digest.update(data)
    return digest.hexdigest()
