"""Reading a folder or zip archive; nothing is unpacked to a path that the archive specifies.

An archive can come from anyone. First, everything in the folder or in the outermost archive is
listed; nothing is read yet. Each upload, which is a file that a platform exported or a folder with
one person's files, then has its own budget for what is read from it, and all uploads together have
a budget as well. A file that exceeds a budget is yielded with a problem; the other files are read.
"""

import contextlib
import io
import os
import stat
import time
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from course.errors import CourseError
from course.instructor.student_text.size_limits import MAX_NOTEBOOK_BYTES

MAX_FILES = 200_000  # in everything that is collected at once
MAX_BYTES = 16 * 2**30  # read from everything that is collected at once
MAX_STUDENT_FILES = 500  # read from one upload, and in all archives that are nested in one file
MAX_STUDENT_BYTES = 2**30  # read from one upload
# Of evidence files, in one upload; grading reads at most 64 MB with one notebook.
MAX_STUDENT_EVIDENCE_BYTES = 256 * 2**20
# A file or archive may unpack to this many times its size. Outputs of training runs compress by a
# factor of 50 at most; a file that is made to fill the disk compresses by a factor of 1,000.
MAX_EXPANSION = 100
MIN_ARCHIVE_BYTES = 10 * 2**20  # that any file or archive may unpack to, however small it is
MAX_DEPTH = 2  # a platform's archive contains students' archives, which may contain evidence
MAX_FOLDERS = 32  # levels of a path, including the file
MAX_NAME_CHARACTERS = 500  # of a folder or file; file systems allow at most 255
MAX_SAFE_NAME_BYTES = 120  # leaves room for the prefixes and suffixes of temporary files
MAX_PRINTED = 200  # characters of a path
MAX_MB = MAX_NOTEBOOK_BYTES // 2**20
ZIP64_END = b"PK\6\6"
DIRECTORY_ENTRY_BYTES = 46 + 512  # with a long name
METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}  # others can use any amount of memory
# Files and folders that operating systems and editors add.
JUNK_FOLDERS = {"__MACOSX", ".ipynb_checkpoints", "__pycache__", ".git", "@eaDir"}
JUNK_FILES = {".DS_Store", "Thumbs.db", "desktop.ini", "Icon\r"}


@dataclass
class SubmittedFile:
    """A file in the collected folder or archive."""

    # The path within the folder or archive, including inner archives, in Unicode normal form C.
    parts: tuple[str, ...]
    container: tuple[str, ...]  # the path of the inner archive or, outside of one, the folder
    # The path of the outermost file that contains this one: an inner archive, or the file itself.
    # Students choose the names inside an archive that they made, but not the name of the upload.
    outer: tuple[str, ...] = ()
    modified: float | None = None  # of the outermost file: seconds since 1970, if known
    inner_modified: float | None = None  # of this file, which a student can set
    problem: str = ""  # why the file cannot be read, or ""
    reader: Callable[[], bytes] = field(default=bytes, repr=False)
    size: int = 0  # in bytes, as the directory or archive states it
    packed_size: int = 0  # in bytes, in the outermost archive or on disk
    account: int | None = None  # the numeric id of the account that owns the file on disk
    location: Path | None = None  # of a file on disk

    def __post_init__(self) -> None:
        self.outer = self.outer or self.parts
        if self.inner_modified is None:
            self.inner_modified = self.modified

    @property
    def name(self) -> str:
        """Return the file's name."""
        return self.parts[-1]

    @property
    def is_nested(self) -> bool:
        """Return True if the file is in an archive inside the collected folder or archive."""
        return len(self.parts) > len(self.outer)

    @property
    def is_archived(self) -> bool:
        """Return True if the file is part of a collected archive, rather than of a file on disk."""
        return self.account is None

    @property
    def printable_path(self) -> str:
        """Return the file's path, in printable form and shortened."""
        return shorten("/".join(self.parts))

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
        if self.problem:
            return None
        try:
            return self.reader()
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError) as error:
            self.problem = f"the file is damaged ({_describe(error)})"
        except (NotImplementedError, RuntimeError, MemoryError) as error:
            self.problem = f"the file cannot be unpacked ({_describe(error)})"
        return None


@dataclass
class Budget:
    """What may still be read from an upload, or from all of them."""

    files: int = MAX_STUDENT_FILES
    size: int = MAX_STUDENT_BYTES  # in bytes
    evidence: int = MAX_STUDENT_EVIDENCE_BYTES  # in bytes; part of `size`
    is_last: bool = False  # True if the total leaves less than one upload may usually have

    def for_upload(self, remaining: int) -> "Budget":
        """Return the budget of one of `remaining` uploads, given this budget for all of them.

        No upload can use up the share of the others.
        """
        files = min(MAX_STUDENT_FILES, self.files // remaining)
        size = min(MAX_STUDENT_BYTES, self.size // remaining)
        return Budget(files, size, is_last=files < MAX_STUDENT_FILES or size < MAX_STUDENT_BYTES)

    def problem_with(self, files: int, size: int) -> str:
        """Return the reason that this much may not be read, or "" if the budget allows it."""
        if self.is_last and (files > self.files or size > self.size):
            return (
                f"the other uploads leave {max(self.files, 0)} files and"
                f" {max(self.size, 0) / 2**20:,.0f} MB of what may be read in one collection, so"
                " collect it alone"
            )
        if files > self.files:
            return f"it has more than {MAX_STUDENT_FILES} files"
        if size > self.size:
            return f"it would unpack to more than {max(self.size, 0) / 2**20:,.0f} MB"
        return ""

    def spend(self, files: int, size: int) -> None:
        """Subtract the number of files and bytes that are read."""
        self.files -= files
        self.size -= size


def list_files(path: Path) -> list[SubmittedFile]:
    """Return the files of a folder or zip archive in path order, or the file itself.

    Archives inside it are listed as files; `expand` opens them. Raises CourseError if the path
    does not exist, if the archive cannot be opened, or if there are too many files.
    """
    if path.is_dir():
        return list(_list_folder(path))
    if not path.is_file():
        raise CourseError(f"There is no file or folder {path}: specify what you downloaded.")
    if is_archive(path.name):
        try:
            return _list_archive(path, path.stat().st_size, str(path), MAX_FILES)
        except ArchiveError as error:
            raise CourseError(f"{error}.") from None
    return [_file_on_disk(path, (unicodedata.normalize("NFC", path.name),))]


def expand(file: SubmittedFile, upload: Budget, depth: int = MAX_DEPTH) -> Iterator[SubmittedFile]:
    """Yield a file or, if it is an archive, the files in it, each within an upload's budget.

    An archive that cannot be opened or exceeds the budget is yielded as a file with a problem.
    """
    if not is_archive(file.name) or file.is_junk:
        yield file
        return
    if problem := upload.problem_with(1, file.size):
        file.problem = file.problem or f"the upload is too large: {problem}"
        yield file
        return
    upload.spend(0, file.size)  # what is read counts even if the archive turns out to be damaged
    allowed = max(MIN_ARCHIVE_BYTES, MAX_EXPANSION * file.packed_size)
    nested = Budget(min(upload.files, MAX_STUDENT_FILES), min(upload.size, allowed))
    nested.is_last = upload.is_last
    before = Budget(nested.files, nested.size)
    try:
        yield from _expand_archive(file, nested, depth)
    except Exception as error:  # zipfile raises many types of errors for damaged archives
        file.problem = describe_error(error)
        yield file
    is_refused = nested == before
    upload.spend(before.files - nested.files + is_refused, before.size - nested.size)


def is_archive(name: str) -> bool:
    """Return True if a file name has the extension of a supported archive."""
    return name.lower().endswith(".zip")


def safe_file_name(text: str) -> str:
    """Return a file name that resembles a text and that every operating system accepts."""
    text = unicodedata.normalize("NFC", text[-MAX_NAME_CHARACTERS:])
    safe = "".join(
        char if char.isprintable() and char not in '/\\:*?"<>|' else "_" for char in text
    )
    # File systems limit the number of bytes, of which a character has up to four.
    shortened = safe.strip(" .").encode()[-MAX_SAFE_NAME_BYTES:].decode(errors="ignore")
    return shortened.strip(" .") or "_"


def printable(text: str) -> str:
    """Return a text with its nonprintable characters replaced by question marks."""
    return "".join(char if char.isprintable() else "?" for char in text)


def shorten(text: str) -> str:
    """Return a text in printable form, without its middle if it is too long to print."""
    if len(text) > MAX_PRINTED:
        text = f"{text[: MAX_PRINTED // 2]}...{text[-MAX_PRINTED // 2 :]}"
    return printable(text)


def describe_error(error: Exception) -> str:
    """Return the reason that a file cannot be collected, for an error of any type."""
    kind, text = type(error).__name__, getattr(error, "strerror", None) or str(error)
    return f"it cannot be collected ({shorten(f'{kind}: {text}' if text else kind)})"


class ArchiveError(Exception):
    """An error for an archive that cannot be listed; the message has the archive as its subject."""


def _list_folder(root: Path) -> Iterator[SubmittedFile]:
    """Yield the files of a folder, without recursion: there can be thousands of nested folders."""
    waiting: list[tuple[str, tuple[str, ...]]] = [(os.fspath(root), ())]
    count = 0
    while waiting:
        folder, above = waiting.pop()
        try:
            with os.scandir(folder) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError as error:
            yield SubmittedFile(
                above, above[:-1], problem=f"the folder cannot be read ({error.strerror})"
            )
            continue
        count += len(entries)
        if count > MAX_FILES:
            raise CourseError(
                f"{root} has more than {MAX_FILES:,} files: collect its folders one at a time."
            )
        folders = []
        for entry in entries:
            parts = (*above, unicodedata.normalize("NFC", entry.name))
            if entry.is_dir(follow_symlinks=False) and len(parts) <= MAX_FOLDERS:
                folders.append((entry.path, parts))
            else:
                yield _entry_on_disk(entry, parts)
        waiting += reversed(folders)


def _entry_on_disk(entry: "os.DirEntry[str]", parts: tuple[str, ...]) -> SubmittedFile:
    """Return an entry of a folder as a file, without reading it."""
    try:
        problem = _path_problem(parts)
        if entry.is_symlink():
            problem = "the file is a link to another file"
        elif entry.is_file(follow_symlinks=False):
            return _file_on_disk(Path(entry.path), parts, problem)
        elif not entry.is_dir(follow_symlinks=False):
            problem = "the file is not a regular file"
    except OSError as error:
        problem = f"the file cannot be read ({error.strerror})"
    return SubmittedFile(parts, parts[:-1], problem=problem)


def _file_on_disk(path: Path, parts: tuple[str, ...], problem: str = "") -> SubmittedFile:
    """Return a file on disk without reading it."""
    status = path.stat()
    size = status.st_size
    return SubmittedFile(
        parts,
        parts[:-1],
        modified=status.st_mtime,
        problem=problem or _size_problem(size),
        reader=path.read_bytes,
        size=size,
        packed_size=size,
        account=status.st_uid,
        location=path,
    )


def _list_archive(
    file: Path | BinaryIO, size: int, archive_name: str, max_files: int
) -> list[SubmittedFile]:
    """Return the files in an archive of `size` bytes, without reading them."""
    directory, is_zip64 = _directory_bytes(file)
    if is_zip64 and not isinstance(file, Path):
        raise ArchiveError(
            f"{archive_name} is in the ZIP64 format, which only archives of more than 4 GB need:"
            " ask for an ordinary zip archive"
        )
    # If the directory is larger than the file, zipfile reports it as damaged without reading it.
    if max_files * DIRECTORY_ENTRY_BYTES < directory <= size:
        # Reading the directory alone would fill memory.
        raise ArchiveError(f"{archive_name} has more than {max_files:,} files")
    try:
        archive = zipfile.ZipFile(file)
    except UnicodeDecodeError:
        raise ArchiveError(
            f"{archive_name} contains a file name in an invalid encoding: unpack it, and collect"
            " the folder"
        ) from None
    except Exception:  # besides BadZipFile, a damaged directory causes many types of errors
        raise ArchiveError(
            f"{archive_name} is not a complete zip archive: download it again"
        ) from None
    members = [member for member in archive.infolist() if not member.is_dir()]
    if len(members) > max_files:
        raise ArchiveError(f"{archive_name} has more than {max_files:,} files")
    if sum(member.compress_size for member in members) > size:
        raise ArchiveError(f"{archive_name} has overlapping files, as in a zip bomb")
    return [_member(archive, member) for member in members]


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> SubmittedFile:
    """Return a member of an archive without reading it."""
    parts, problem = _member_path(member)
    return SubmittedFile(
        parts,
        parts[:-1],
        modified=_modification_time(member),
        problem=problem,
        reader=partial(_read_member, archive, member),
        size=member.file_size,
        packed_size=member.compress_size,
    )


def _expand_archive(file: SubmittedFile, budget: Budget, depth: int) -> Iterator[SubmittedFile]:
    """Yield the files of an archive, or the archive itself if it cannot be opened."""
    content = file.read() if depth > 0 else None
    if content is None:
        file.problem = file.problem or "the archive is nested too deeply in other archives"
        yield file
        return
    try:
        members = _list_archive(io.BytesIO(content), len(content), "the archive", MAX_STUDENT_FILES)
        wanted = [member for member in members if not member.is_junk and not member.problem]
        if problem := budget.problem_with(len(members), sum(member.size for member in wanted)):
            raise ArchiveError(f"the archive is too large: {problem}")
    except ArchiveError as error:
        file.problem = str(error)
        yield file
        return
    budget.spend(len(members), sum(member.size for member in wanted))
    for member in members:
        member.parts = (*file.parts, *member.parts)
        member.container, member.outer = file.parts, file.outer
        member.modified, member.packed_size = file.modified, file.packed_size
        member.account = file.account
        if is_archive(member.name) and not member.is_junk:
            yield from _expand_archive(member, budget, depth - 1)
        else:
            yield member


def _member_path(member: zipfile.ZipInfo) -> tuple[tuple[str, ...], str]:
    """Return the parts of a member's path, and the reason that the member is refused, or ""."""
    name = member.filename
    # Without the UTF-8 flag, zipfile decodes names as code page 437, but most programs write UTF-8.
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
    elif not parts:
        problem = "the file has no name"
    elif stat.S_ISLNK(kind):
        problem = "the file is a link to another file"
    elif kind and not stat.S_ISREG(kind):
        problem = "the file is not a regular file"
    elif member.flag_bits & 1:
        problem = "the file is encrypted: ask for a copy without a password"
    elif member.compress_type not in METHODS:
        problem = "the compression method is not supported: ask for a copy in a plain zip archive"
    return parts or ("?",), problem or _path_problem(parts) or _size_problem(
        member.file_size, member.compress_size
    )


def _path_problem(parts: Iterable[str]) -> str:
    """Return the reason that a path is refused, or ""."""
    parts = list(parts)
    if len(parts) > MAX_FOLDERS:
        return f"the path has more than {MAX_FOLDERS} levels"
    if max(map(len, parts), default=0) > MAX_NAME_CHARACTERS:
        return f"a name in the path has more than {MAX_NAME_CHARACTERS} characters"
    # Some scripts need other nonprintable characters, such as the joiners in Persian names.
    if any(unicodedata.category(character) == "Cc" for part in parts for character in part):
        return "the name contains control characters: rename the file, and collect it again"
    return ""


def _size_problem(size: int, packed_size: int | None = None) -> str:
    """Return the reason that a file of this size is refused, or ""."""
    if packed_size is None:
        return f"the file is larger than {MAX_MB} MB" if size > MAX_NOTEBOOK_BYTES else ""
    if size > min(MAX_NOTEBOOK_BYTES, max(MIN_ARCHIVE_BYTES, MAX_EXPANSION * packed_size)):
        return f"the file would unpack to {size / 2**20:,.0f} MB"
    return ""


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """Return the content of a member; zipfile reads no more than the size that its entry states."""
    with archive.open(member) as stream:
        return stream.read(MAX_NOTEBOOK_BYTES)


def _modification_time(member: zipfile.ZipInfo) -> float | None:
    """Return a member's modification time in seconds since 1970, or None if it is unknown.

    It is interpreted as local time. Archives have a time in 1980 if the real one is unknown.
    """
    try:
        modified = time.mktime((*member.date_time, 0, 0, -1))
    except (ValueError, OverflowError):
        return None
    return modified if member.date_time[0] > 1980 else None


def _directory_bytes(file: Path | BinaryIO) -> tuple[int, bool]:
    """Return the size of an archive's directory, and whether the archive is in the ZIP64 format.

    An archive can state two sizes; this is the one that `zipfile` will use. If `zipfile` finds no
    directory, the result is (0, False).
    """
    with file.open("rb") if isinstance(file, Path) else contextlib.nullcontext(file) as stream:
        try:
            end = zipfile._EndRecData(stream)  # type: ignore[attr-defined]
        except Exception:  # a damaged record, which `zipfile` reports when it opens the archive
            end = None
        stream.seek(0)
    if not end:
        return 0, False
    return end[zipfile._ECD_SIZE], end[zipfile._ECD_SIGNATURE] == ZIP64_END  # type: ignore[attr-defined]


def _describe(error: BaseException) -> str:
    """Return an error's message, shortened and in printable form, or its type."""
    return printable(str(error))[:80] or type(error).__name__
