"""Writing submissions to `submitted/STUDENT/ASSIGNMENT/`, where grading reads them."""

import hashlib
import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from course.files import replacing_folder, restore_folder, write_atomically
from course.instructor import submission_time
from course.instructor.collect import originals
from course.instructor.collect.attempts import Recency
from course.instructor.submission_time import TIMESTAMP


def folder_of(root: Path, student: str, assignment: str) -> Path:
    """Return a submission's folder; restore it first if an earlier command was killed."""
    folder = Path(root, "submitted", student, assignment)
    if folder.parent.is_dir():
        restore_folder(folder)
    return folder


def has_content(folder: Path, content: Mapping[str, bytes]) -> bool:
    """Return True if a folder contains exactly the given files (relative path -> content).

    The submission time is not compared: the same files can be submitted again, or their time may
    become known later.
    """
    if not folder.is_dir():
        return False
    names = {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and ".ipynb_checkpoints" not in path.parts
    }
    wanted = content.keys() - {TIMESTAMP}
    return names - {TIMESTAMP} == wanted and all(
        (folder / name).read_bytes() == content[name] for name in wanted
    )


def digest(content: Mapping[str, bytes]) -> str:
    """Return the SHA-256 digest of files and their names, without the submission time."""
    summary = hashlib.sha256()
    for name, data in sorted(content.items()):
        if name == TIMESTAMP:
            continue
        summary.update(f"{name}\0{len(data)}\0".encode(errors="surrogateescape"))
        summary.update(data)
    return summary.hexdigest()


def digest_of_folder(folder: Path) -> str:
    """Return the digest of the submission in a folder."""
    return digest(_content(folder))


def write(root: Path, student: str, assignment: str, content: Mapping[str, bytes]) -> None:
    """Write or replace a submission; the replaced version is saved in `originals/replaced/`.

    If the process is killed, the folder contains the complete old or the complete new submission.
    """
    folder = folder_of(root, student, assignment)
    if folder.exists():
        name = f"{assignment}-{digest_of_folder(folder)[:8]}"
        with replacing_folder(root / originals.FOLDER / "replaced" / student / name) as staging:
            shutil.copytree(folder, staging, dirs_exist_ok=True)
    with replacing_folder(folder) as staging:
        for name, data in content.items():
            path = staging / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)


@dataclass(frozen=True)
class Record:
    """What is known about a collected submission, apart from its files."""

    recency: Recency
    submitter: str = ""  # see `Attempt.submitter`
    has_answers: bool = True
    is_late: bool = False  # Canvas marked it as late
    is_rejected: bool = False  # a person replaced it with one that is not newer


def write_records(root: Path, student: str, assignment: str, records: Mapping[str, Record]) -> None:
    """Save the records of all submissions of a student that were ever collected, by digest.

    A submission is recorded before it is written, so that nothing is lost if the process is killed
    in between.
    """
    saved = json.dumps({each: asdict(record) for each, record in records.items()})
    path = _records_path(root, student, assignment)
    if not path.is_file() or path.read_text("utf-8") != f"{saved}\n":
        write_atomically(path, f"{saved}\n")


def read_records(root: Path, student: str, assignment: str) -> dict[str, Record]:
    """Return the records of a student's submissions by digest; if there is no valid file, {}."""
    try:
        saved = json.loads(_records_path(root, student, assignment).read_text("utf-8"))
        return {
            each: Record(**fields | {"recency": Recency(**fields["recency"])})
            for each, fields in saved.items()
        }
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}


def marked_late(root: Path, students: Iterable[str], assignment: str) -> list[str]:
    """Return the students whose present submissions Canvas marked as late."""
    found = []
    for student in students:
        late = {
            each
            for each, record in read_records(root, student, assignment).items()
            if record.is_late
        }
        if late and digest_of_folder(Path(root, "submitted", student, assignment)) in late:
            found.append(student)
    return found


def write_time(root: Path, student: str, assignment: str, moment: datetime) -> None:
    """Write the time of a submission; of two times for the same files, the later one counts."""
    folder = folder_of(root, student, assignment)
    known = submission_time.read(folder)
    if known is None or moment > known:
        # An unfinished file that a killed process leaves here would be part of the submission.
        with replacing_folder(folder) as staging:
            shutil.copytree(folder, staging, symlinks=True, dirs_exist_ok=True)
            (staging / TIMESTAMP).unlink(missing_ok=True)
            (staging / TIMESTAMP).write_bytes(format_time_file(moment))


def format_time_file(moment: datetime) -> bytes:
    """Return the content of the file with a submission's time."""
    return f"{submission_time.format_time(moment)}\n".encode()


def _records_path(root: Path, student: str, assignment: str) -> Path:
    """Return the path of the records of a student's submissions."""
    return root / originals.FOLDER / "collected" / assignment / f"{student}.json"


def _content(folder: Path) -> dict[str, bytes]:
    """Return the regular files in a submission's folder as relative path -> content."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink() and ".ipynb_checkpoints" not in path.parts
    }
