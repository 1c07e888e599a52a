"""Reading a folder or zip archive; nothing is unpacked to a path that the archive specifies.

An archive can come from anyone. Its members are therefore read into memory, each up to a size
limit, and are saved only under names that `safe_file_name` returns.
"""

import contextlib
import io
import stat
import struct
import time
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from course.errors import CourseError
from course.instructor.collect.notebook_reader import MAX_NOTEBOOK_BYTES

MAX_FILES = 50_000  # in a platform's archive of a whole class
MAX_BYTES = 16 * 2**30  # unpacked
MAX_STUDENT_FILES = 500  # in an archive that a student made
MAX_STUDENT_BYTES = 2**30
MAX_DEPTH = 2  # a platform's archive contains students' archives, which may contain evidence
MAX_NAME = 100  # characters
MAX_MB = MAX_NOTEBOOK_BYTES // 2**20
END_OF_DIRECTORY = b"PK\5\6"
DIRECTORY_ENTRY_BYTES = 46 + 512  # with a long name
# Files and folders that operating systems and editors add.
JUNK_FOLDERS = {"__MACOSX", ".ipynb_checkpoints", "__pycache__", ".git", "@eaDir"}
JUNK_FILES = {".DS_Store", "Thumbs.db", "desktop.ini", "Icon\r"}


@dataclass
class SubmittedFile:
    """A file in the folder or archive that is collected."""

    # The path within the folder or archive, including inner archives, in Unicode normal form C.
    parts: tuple[str, ...]
    container: tuple[str, ...]  # the path of the inner archive or, outside of one, the folder
    modified: float | None = None  # seconds since 1970, in local time, if known
    problem: str = ""  # why the file cannot be read, or ""
    reader: Callable[[], bytes] = field(default=bytes, repr=False)
    size: int = 0  # in bytes for a file on disk; 0 for a member of an archive

    @property
    def name(self) -> str:
        """Return the file's name."""
        return self.parts[-1]

    @property
    def printable_path(self) -> str:
        """Return the file's path, in printable form."""
        return printable("/".join(self.parts))

    @property
    def is_junk(self) -> bool:
        """Return True if an operating system or editor created the file."""
        return (
            self.name in JUNK_FILES
            or self.name.startswith("._")
            or bool(JUNK_FOLDERS & set(self.parts[:-1]))
        )

    def read(self) -> bytes | None:
        """Return the file's content; if it cannot be read, set `problem` and return None."""
        if self.size > MAX_NOTEBOOK_BYTES:
            self.problem = f"the file is larger than {MAX_MB} MB"
        if self.problem:
            return None
        try:
            return self.reader()
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError) as error:
            self.problem = f"the file is damaged ({_describe(error)})"
        except (NotImplementedError, RuntimeError) as error:
            self.problem = f"the compression method is not supported ({_describe(error)})"
        return None


def walk(path: Path) -> Iterator[SubmittedFile]:
    """Yield the files of a folder or zip archive in path order, or the file itself.

    Inner archives are opened; if that fails, the archive is yielded as a file with a problem.
    Raises CourseError if the path does not exist or the outermost archive cannot be opened.
    """
    if path.is_dir():
        yield from _walk_folder(path)
    elif not path.is_file():
        raise CourseError(f"There is no file or folder {path}: specify what you downloaded.")
    elif is_archive(path.name):
        yield from _walk_archive(path, path.stat().st_size, (), MAX_FILES, MAX_BYTES)
    else:
        yield _file_on_disk(path, (unicodedata.normalize("NFC", path.name),))


def is_archive(name: str) -> bool:
    """Return True if a file name has the extension of a supported archive."""
    return name.lower().endswith(".zip")


def safe_file_name(text: str) -> str:
    """Return a file name that resembles a text and that every operating system accepts."""
    text = unicodedata.normalize("NFC", text)
    safe = "".join(
        char if char.isprintable() and char not in '/\\:*?"<>|' else "_" for char in text
    )
    return safe.strip(" .")[-MAX_NAME:].strip(" .") or "_"


def printable(text: str) -> str:
    """Return a text with its nonprintable characters replaced by question marks."""
    return "".join(char if char.isprintable() else "?" for char in text)


def _walk_folder(root: Path) -> Iterator[SubmittedFile]:
    """Yield the files of a folder."""
    for path in sorted(root.rglob("*")):
        parts = tuple(unicodedata.normalize("NFC", part) for part in path.relative_to(root).parts)
        if path.is_symlink():
            yield SubmittedFile(parts, parts[:-1], problem="the file is a link to another file")
        elif path.is_file() and is_archive(path.name):
            status = path.stat()
            yield from _walk_inner(path, status.st_size, parts, MAX_DEPTH, status.st_mtime)
        elif path.is_file():
            yield _file_on_disk(path, parts)
        elif not path.is_dir():
            yield SubmittedFile(parts, parts[:-1], problem="the file is not a regular file")


def _file_on_disk(path: Path, parts: tuple[str, ...]) -> SubmittedFile:
    """Return a file on disk without reading it."""
    status, read = path.stat(), path.read_bytes
    return SubmittedFile(parts, parts[:-1], status.st_mtime, reader=read, size=status.st_size)


def _walk_inner(
    file: Path | BinaryIO, size: int, parts: tuple[str, ...], depth: int, modified: float | None
) -> Iterator[SubmittedFile]:
    """Yield the files of a student's archive, or the archive itself if it cannot be opened."""
    try:
        yield from _walk_archive(
            file, size, parts, MAX_STUDENT_FILES, MAX_STUDENT_BYTES, depth - 1, modified
        )
    except CourseError as error:
        yield SubmittedFile(parts, parts[:-1], problem=str(error).removesuffix("."))


def _walk_archive(
    file: Path | BinaryIO,
    size: int,
    outer: tuple[str, ...],
    max_files: int,
    max_bytes: int,
    depth: int = MAX_DEPTH,
    modified: float | None = None,
) -> Iterator[SubmittedFile]:
    """Yield the files in an archive of `size` bytes; for a nested archive, `outer` is its path."""
    archive_name = "the archive" if outer else str(file)
    too_many = CourseError(f"{archive_name} has more than {max_files:,} files.")
    if _directory_bytes(file, size) > max_files * DIRECTORY_ENTRY_BYTES:
        raise too_many  # reading the directory alone would fill the memory
    try:
        archive = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, OSError, ValueError, struct.error, NotImplementedError):
        raise CourseError(
            f"{archive_name} is not a complete zip archive: download it again."
        ) from None
    members = [member for member in archive.infolist() if not member.is_dir()]
    if len(members) > max_files:
        raise too_many
    if sum(member.compress_size for member in members) > size:
        raise CourseError(f"{archive_name} has overlapping files, as in a zip bomb.")
    if sum(member.file_size for member in members) > max_bytes:
        raise CourseError(f"{archive_name} would unpack to more than {max_bytes // 2**30} GB.")
    for member in members:
        yield from _walk_member(archive, member, outer, depth, modified)


def _walk_member(
    archive: zipfile.ZipFile,
    member: zipfile.ZipInfo,
    outer: tuple[str, ...],
    depth: int,
    modified: float | None,
) -> Iterator[SubmittedFile]:
    """Yield a member of an archive, or the member's files if it is itself an archive."""
    inner, problem = _member_path(member)
    parts = (*outer, *inner)
    # Files in one folder of the outermost archive belong together; its path identifies the owner.
    container, modified = outer or parts[:-1], _modification_time(member) or modified
    reader = partial(_read_member, archive, member)
    file = SubmittedFile(parts, container, modified, problem, reader)
    content = None
    if is_archive(file.name) and not file.is_junk:
        if depth <= 0:
            file.problem = problem or "the archive is nested too deeply in other archives"
        content = file.read()
    if content is None:
        yield file
    else:
        yield from _walk_inner(io.BytesIO(content), len(content), parts, depth, modified)


def _member_path(member: zipfile.ZipInfo) -> tuple[tuple[str, ...], str]:
    """Return the parts of a member's path, and the reason that the member is refused or ""."""
    name = member.filename
    # Without the UTF-8 flag, zipfile decodes names as DOS does, but most programs write UTF-8.
    if not member.flag_bits & 0x800:
        with contextlib.suppress(UnicodeError):
            name = name.encode("cp437").decode("utf-8")
    name = unicodedata.normalize("NFC", name)
    path = PurePosixPath(name.replace("\\", "/"))
    parts = tuple(part for part in path.parts if part not in ("/", "."))
    kind = stat.S_IFMT(member.external_attr >> 16)
    problem = ""
    if path.is_absolute() or ".." in parts or (parts and parts[0].endswith(":")):
        problem = "the path points outside the archive"
    elif not parts or not "".join(parts).isprintable():
        problem = "the name contains characters that are not allowed"
    elif stat.S_ISLNK(kind):
        problem = "the file is a link to another file"
    elif kind and not stat.S_ISREG(kind):
        problem = "the file is not a regular file"
    elif member.flag_bits & 1:
        problem = "the file is encrypted: ask for a copy without a password"
    elif member.file_size > MAX_NOTEBOOK_BYTES:
        problem = f"the file would unpack to more than {MAX_MB} MB"
    return parts or ("?",), problem


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """Return the content of a member; zipfile reads no more than the size that its entry states."""
    with archive.open(member) as stream:
        return stream.read(MAX_NOTEBOOK_BYTES)


def _modification_time(member: zipfile.ZipInfo) -> float | None:
    """Return a member's modification time, read as local time, or None; 1980 is a placeholder."""
    try:
        modified = time.mktime((*member.date_time, 0, 0, -1))
    except (ValueError, OverflowError):
        return None
    return modified if member.date_time[0] > 1980 else None


def _directory_bytes(file: Path | BinaryIO, size: int) -> int:
    """Return the directory size that an archive states at its end, or 0 if none is found there."""
    tail = min(size, 2**16 + 22)
    with file.open("rb") if isinstance(file, Path) else contextlib.nullcontext(file) as stream:
        stream.seek(size - tail)
        end = stream.read(tail)
        stream.seek(0)
    position = end.rfind(END_OF_DIRECTORY)
    if position < 0 or len(end) < position + 16:
        return 0
    (length,) = struct.unpack("<L", end[position + 12 : position + 16])
    # All bits are ones if an archive is larger than 4 GB: it then states the size elsewhere.
    return 0 if length == 0xFFFFFFFF and isinstance(file, Path) else length


def _describe(error: Exception) -> str:
    """Return an error's message, shortened and in printable form."""
    return printable(str(error))[:80] or type(error).__name__
