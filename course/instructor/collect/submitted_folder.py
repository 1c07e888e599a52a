"""Writing submissions to `submitted/STUDENT/ASSIGNMENT/`, where grading reads them."""

import hashlib
import shutil
from collections.abc import Mapping
from pathlib import Path

from course.files import replacing_folder, restore_folder
from course.instructor.collect import originals


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
        digest = hashlib.sha256()
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                digest.update(path.read_bytes())
        name = f"{assignment}-{digest.hexdigest()[:8]}"
        with replacing_folder(root / originals.FOLDER / "replaced" / student / name) as staging:
            shutil.copytree(folder, staging, dirs_exist_ok=True)
    with replacing_folder(folder) as staging:
        for name, data in content.items():
            path = staging / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
