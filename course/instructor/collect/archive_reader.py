"""What lies in a folder or an archive, read as data: nothing is ever unpacked to where it says.

An archive comes from anybody. So its members are read into memory, each up to a limit, and written
under names that are made here.
"""

import contextlib
import io
import stat
import struct
import time
import unicodedata
import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from course.errors import CourseError
from course.instructor.collect.notebook_reader import MAX_NOTEBOOK_BYTES

MAX_FILES = 50_000  # in what a platform hands out for a class
MAX_FILES_OF_ONE = 500  # in an archive that a student has made
MAX_TOTAL = 16 * 2**30  # bytes that an archive may unpack to
MAX_TOTAL_OF_ONE = 2**30
MAX_DEPTH = 2  # a platform's archive holds students' archives, which may hold one of evidence
MAX_NAME = 100  # characters of a name that is made here
END_OF_ARCHIVE = b"PK\5\6"
BYTES_OF_AN_ENTRY = 46 + 512  # in the directory of an archive, with a long name
# What systems leave in folders and archives, and no student means to hand in.
JUNK_FOLDERS = {"__MACOSX", ".ipynb_checkpoints", "__pycache__", ".git", "@eaDir"}
JUNK_FILES = {".DS_Store", "Thumbs.db", "desktop.ini", "Icon\r"}


@dataclass
class SubmittedFile:
    """A file that was handed in.

    Attributes
    ----------
    parts : tuple of str
        Its path below the folder or archive, that of an archive in it included; in normal form C.
    container : tuple of str
        The parts of the innermost archive or, outside of one, of its folder.
    in_archive : bool
        Whether it lies in an archive inside of what is collected.
    modified : float or None
        Seconds since 1970, in the time of this machine, as far as is known.
    problem : str
        Why it cannot be read, or "".
    """

    parts: tuple
    container: tuple
    in_archive: bool = False
    modified: float | None = None
    problem: str = ""
    reader: object = field(default=None, repr=False)

    @property
    def name(self):
        """The last part of its path."""
        return self.parts[-1]

    @property
    def shown(self):
        """Its path as it may be printed."""
        return printable("/".join(self.parts))

    @property
    def is_junk(self):
        """Whether a system or an editor has left it there."""
        return (
            self.name in JUNK_FILES
            or self.name.startswith("._")
            or bool(JUNK_FOLDERS & set(self.parts[:-1]))
        )

    def read(self):
        """Return its content; an unreadable one sets `problem` and returns None."""
        if self.problem:
            return None
        try:
            return self.reader()
        except _Refused as error:
            self.problem = str(error)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError) as error:
            self.problem = f"it is damaged ({_words(error)})"
        except (NotImplementedError, RuntimeError) as error:
            self.problem = f"it is packed in a way that cannot be read here ({_words(error)})"
        return None


class _Refused(Exception):
    pass


def walk(path):
    """Yield every file of a folder, a zip archive, or the file itself.

    Parameters
    ----------
    path : Path

    Yields
    ------
    File
        In the order of their paths. Archives in it are opened; one that cannot be is itself a file
        with its problem.

    Raises
    ------
    CourseError
        If there is nothing at the path, or an archive there cannot be opened.
    """
    path = Path(path)
    if path.is_dir():
        yield from _walk_folder(path)
    elif not path.is_file():
        raise CourseError(f"there is no file or folder {path}: name what you have downloaded.")
    elif is_archive(path.name):
        yield from _walk_archive(path, path.stat().st_size, (), MAX_FILES, MAX_TOTAL)
    else:
        when = path.stat().st_mtime
        name = unicodedata.normalize("NFC", path.name)
        yield SubmittedFile((name,), (), modified=when, reader=lambda: _read_path(path))


def is_archive(name):
    """Return whether a file's name is that of an archive that can be opened."""
    return name.lower().endswith(".zip")


def safe_name(text):
    """Return a name for a file or folder that is safe on every system, close to the given one."""
    text = unicodedata.normalize("NFC", text)
    kept = "".join(
        each if each.isprintable() and each not in '/\\:*?"<>|' else "_" for each in text
    )
    kept = kept.strip(" .")[-MAX_NAME:].strip(" .")
    return kept or "_"


def printable(text):
    """Return text without what a terminal would act on."""
    return "".join(each if each.isprintable() else "?" for each in text)


def _walk_folder(root):
    for path in sorted(root.rglob("*")):
        parts = tuple(unicodedata.normalize("NFC", p) for p in path.relative_to(root).parts)
        if path.is_symlink():
            yield SubmittedFile(parts, parts[:-1], problem="it is a link to another file")
        elif path.is_dir():
            continue
        elif not path.is_file():
            yield SubmittedFile(parts, parts[:-1], problem="it is no file")
        elif is_archive(path.name):
            yield from _open_inner(
                path, path.stat().st_size, parts, MAX_DEPTH, path.stat().st_mtime
            )
        else:
            yield SubmittedFile(
                parts,
                parts[:-1],
                modified=path.stat().st_mtime,
                reader=lambda path=path: _read_path(path),
            )


def _read_path(path):
    if path.stat().st_size > MAX_NOTEBOOK_BYTES:
        raise _Refused(f"it is larger than {MAX_NOTEBOOK_BYTES // 2**20} MB")
    return path.read_bytes()


def _open_inner(file, size, parts, depth, modified, total=MAX_TOTAL_OF_ONE):
    """Yield what is in an archive that a student has made, or the archive with its problem."""
    try:
        yield from _walk_archive(file, size, parts, MAX_FILES_OF_ONE, total, depth - 1, modified)
    except CourseError as error:
        yield SubmittedFile(parts, parts[:-1], problem=str(error))


def _walk_archive(file, size, outer, max_files, max_total, depth=MAX_DEPTH, modified=None):
    """Yield the files of an archive; `file` is a path or a file object of so many bytes."""
    what = str(file) if not outer else "it"
    _look_at_directory(file, size, max_files, what)
    try:
        archive = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, OSError, ValueError, struct.error, NotImplementedError):
        raise CourseError(_say(what, "no whole zip archive: download it again")) from None
    members = [each for each in archive.infolist() if not each.is_dir()]
    if len(members) > max_files:
        raise CourseError(_say(what, f"an archive of more than {max_files:,} files"))
    if sum(each.compress_size for each in members) > size:
        raise CourseError(_say(what, "an archive whose files overlap, as no honest one's do"))
    if sum(each.file_size for each in members) > max_total:
        raise CourseError(
            _say(what, f"an archive that would unpack to more than {max_total // 2**30} GB")
        )
    for member in members:
        yield from _member(archive, member, outer, depth, modified)


def _member(archive, member, outer, depth, modified):
    inner, problem = _path_in(member)
    parts = (*outer, *inner)
    container = outer or parts[:-1]
    # Two files of one archive in the same folder belong together; the folder says whose they are.
    file = SubmittedFile(parts, container, bool(outer), _time_of(member) or modified, problem)
    file.reader = lambda: _read_member(archive, member)
    if problem or not is_archive(file.name) or file.is_junk:
        yield file
    elif depth <= 0:
        file.problem = "it is an archive in an archive in an archive"
        yield file
    else:
        content = file.read()
        if content is None:
            yield file
        else:
            yield from _open_inner(io.BytesIO(content), len(content), parts, depth, file.modified)


def _path_in(member):
    """Return the parts of a member's path, and why it is refused or ""."""
    name = member.filename
    # Without the flag, zipfile takes names for those of DOS; most writers mean UTF-8.
    if not member.flag_bits & 0x800:
        with contextlib.suppress(UnicodeError):
            name = name.encode("cp437").decode("utf-8")
    name = unicodedata.normalize("NFC", name)
    path = PurePosixPath(name.replace("\\", "/"))
    parts = tuple(part for part in path.parts if part not in ("/", "."))
    kind = stat.S_IFMT(member.external_attr >> 16)
    problem = ""
    if path.is_absolute() or ".." in parts or (parts and parts[0].endswith(":")):
        problem = "its path leads out of the archive"
    elif not parts or any(not part.isprintable() for part in parts):
        problem = "its name holds what no name may hold"
    elif kind and kind != stat.S_IFREG:
        problem = "it is a link to another file" if stat.S_ISLNK(kind) else "it is no file"
    elif member.flag_bits & 1:
        problem = "it is encrypted: ask for it without a password"
    elif member.file_size > MAX_NOTEBOOK_BYTES:
        problem = f"it would unpack to more than {MAX_NOTEBOOK_BYTES // 2**20} MB"
    return parts or ("?",), problem


def _read_member(archive, member):
    with archive.open(member) as stream:
        content = stream.read(MAX_NOTEBOOK_BYTES + 1)
    if len(content) > MAX_NOTEBOOK_BYTES:
        raise _Refused(f"it unpacks to more than {MAX_NOTEBOOK_BYTES // 2**20} MB")
    return content


def _time_of(member):
    """Return when a member was changed; archives have no time before 1980, and no time zone."""
    try:
        when = time.mktime((*member.date_time, 0, 0, -1))
    except (ValueError, OverflowError):
        return None
    return when if member.date_time[0] > 1980 else None


def _look_at_directory(file, size, max_files, what):
    """Refuse an archive whose directory alone would fill the memory, before it is read."""
    tail = min(size, 2**16 + 22)
    if hasattr(file, "seek"):
        file.seek(size - tail)
        end = file.read(tail)
        file.seek(0)
    else:
        with Path(file).open("rb") as stream:
            stream.seek(size - tail)
            end = stream.read(tail)
    place = end.rfind(END_OF_ARCHIVE)
    if place >= 0 and len(end) >= place + 16:
        (length,) = struct.unpack("<L", end[place + 12 : place + 16])
        # All ones: the archive is larger than 4 GB, and its length stands elsewhere.
        is_large = length == 0xFFFFFFFF
        if length > max_files * BYTES_OF_AN_ENTRY and not (is_large and isinstance(file, Path)):
            raise CourseError(_say(what, f"an archive of more than {max_files:,} files"))


def _say(what, reason):
    return f"{what} is {reason}" + ("." if what != "it" else "")


def _words(error):
    return printable(str(error))[:80] or type(error).__name__
