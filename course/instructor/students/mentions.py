"""Finding the files of a course directory that still mention a student."""

import json
import mmap
import os
import re
import unicodedata
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from course.instructor.collect.archive_reader import is_archive

# Parts of the course and its tools that contain no data of students.
SKIPPED = {
    *("source", "release", "course", "tests", "docs", "docker", ".git", ".github", ".ci"),
    *("build/runs", "build/report/notebooks"),
}
SKIPPED_SUFFIXES = {".npz", ".png", ".pyc"}  # arrays, images, and bytecode: no readable text


def find(root: Path, texts: Sequence[str], others: Iterable[str], skip: Iterable[str]) -> list[str]:
    """Return the paths of the files whose path or content contains one of the texts as a word.

    The paths are relative to `root`. A text does not count where it is only part of one of
    `others`, such as another student's ID. `skip` contains further folders and files to skip. A
    file that cannot be read is included.
    """
    pattern = _pattern(texts, others)
    found = []
    for path in _files(root, SKIPPED | set(skip)):
        relative = path.relative_to(root).as_posix()
        if _contains(os.fsencode(relative), pattern) or _file_contains(path, pattern):
            found.append(relative)
    return found


def _pattern(texts: Sequence[str], others: Iterable[str]) -> re.Pattern[bytes]:
    """Return a pattern whose group 1 matches the texts in every form that files may contain."""
    longer = {other for other in others for text in texts if text in other and other not in texts}
    by_length = sorted({form for text in longer for form in _forms(text)}, key=len, reverse=True)
    own = sorted({form for text in texts for form in _forms(text)}, key=len, reverse=True)
    alternatives = [*map(re.escape, by_length), b"(" + b"|".join(map(re.escape, own)) + b")"]
    word = rb"[0-9A-Za-z\x80-\xff]"
    expression = b"(?<!%b)(?:%b)(?!%b)" % (word, b"|".join(alternatives), word)
    return re.compile(expression, re.IGNORECASE)


def _forms(text: str) -> Iterator[bytes]:
    """Yield the encodings of a text: composed and decomposed, each as UTF-8 and as JSON escapes."""
    for form in ("NFC", "NFD"):
        normalized = unicodedata.normalize(form, text)
        yield normalized.encode("utf-8", "surrogateescape")
        yield json.dumps(normalized)[1:-1].encode()


def _files(root: Path, skipped: set[str]) -> Iterator[Path]:
    """Yield the regular files below a folder, except for skipped ones and virtual environments."""
    for folder, folders, names in os.walk(root):
        here = Path(folder).relative_to(root)
        folders[:] = sorted(
            name
            for name in folders
            if (here / name).as_posix() not in skipped and not name.startswith(".venv")
        )
        for name in sorted(names):
            path = Path(folder, name)
            is_skipped = (here / name).as_posix() in skipped
            if not is_skipped and path.is_file() and not path.is_symlink():
                yield path


def _file_contains(path: Path, pattern: re.Pattern[bytes]) -> bool:
    """Return whether a file's content, or the name of a file in an archive, contains a text.

    The result is also True if the file cannot be read.
    """
    try:
        if is_archive(path.name):
            with zipfile.ZipFile(path) as archive:
                return any(_contains(name.encode(), pattern) for name in archive.namelist())
        if path.suffix in SKIPPED_SUFFIXES or not path.stat().st_size:
            return False
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _contains(data, pattern)
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError):
        return True  # a person has to check it


def _contains(data: "bytes | mmap.mmap", pattern: re.Pattern[bytes]) -> bool:
    """Return whether one of the texts occurs other than as part of a longer ID or name."""
    return any(match[1] for match in pattern.finditer(data))
