"""Writing files and replacing folders atomically: readers never see incomplete content."""

import contextlib
import ctypes
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

MAX_FILES = 1_000  # that `files_below` finds
MAX_FOLDERS = 32  # levels of folders that `files_below` enters
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2  # linux/fcntl.h, linux/fs.h


def files_below(
    folder: Path,
    ignore: Callable[[str], bool] = lambda name: False,
    max_bytes: int = 64 * 2**20,
    too_large: list[tuple[str, int]] | None = None,
) -> Iterator[tuple[str, bytes]]:
    """Yield the regular files under a folder as (relative path, content).

    Symbolic links are never followed. Files whose names `ignore` accepts are skipped. Files that
    would bring the total size above `max_bytes` are skipped too, and `too_large` receives their
    paths and sizes. It also receives the first file after `MAX_FILES`, where the search ends, and
    the folders that are nested more than `MAX_FOLDERS` levels deep, which are not entered.
    """
    taken = 0
    skipped = too_large if too_large is not None else []
    for number, entry in enumerate(_files_and_deep_folders(folder)):
        relative = os.path.relpath(entry.path, folder)
        if number >= MAX_FILES or entry.is_dir(follow_symlinks=False):
            skipped.append((relative, 0))
            if number >= MAX_FILES:
                return
            continue
        if ignore(entry.name):
            continue
        size = entry.stat(follow_symlinks=False).st_size
        if taken + size <= max_bytes:
            taken += size
            yield relative, Path(entry.path).read_bytes()
        else:
            skipped.append((relative, size))


def _files_and_deep_folders(root: Path) -> "Iterator[os.DirEntry[str]]":
    """Yield the regular files under a folder, and the folders that are nested too deeply.

    Unlike `os.walk` in Python 3.11, the search is not recursive, because folders can be nested more
    deeply than Python's recursion limit permits.
    """
    waiting = [(os.fspath(root), 0)]
    while waiting:
        parent, depth = waiting.pop()
        entries: list[os.DirEntry[str]] = []
        with contextlib.suppress(OSError), os.scandir(parent) as found:
            entries = sorted(found, key=lambda each: each.name)
        folders = [entry for entry in entries if entry.is_dir(follow_symlinks=False)]
        yield from (entry for entry in entries if entry.is_file(follow_symlinks=False))
        if depth < MAX_FOLDERS:
            waiting += [(entry.path, depth + 1) for entry in reversed(folders)]
        else:
            yield from folders


def write_atomically(path: Path, content: bytes | str) -> None:
    """Write a file so that readers, even after a crash, see the whole new file or the previous one.

    The folder is created if necessary; text is written as UTF-8. If an OSError is raised, the
    previous file is unchanged.
    """
    data = content.encode() if isinstance(content, str) else content
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = unfinished_copy(path)
    try:
        with unfinished.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def unfinished_copy(path: Path) -> Path:
    """Return the file that a killed `write_atomically` can leave behind."""
    return path.with_name(f".{path.name}.part")


@contextlib.contextmanager
def replacing_folder(folder: Path) -> Iterator[Path]:
    """Yield an empty folder that replaces `folder` if the `with` block ends without an error.

    If the block raises an error, `folder` is unchanged. If the process is killed, `folder` is
    completely old or completely new. If the system cannot exchange two folders in one step,
    `folder` can also be missing until `restore_folder` is called, which this function does first. A
    killed process can leave the new folder behind; the next call removes it.
    """
    restore_folder(folder)
    staging = _sibling(folder, "new")
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    try:
        yield staging
        if not folder.exists():
            staging.rename(folder)
        elif not _exchange(staging, folder):
            old = _sibling(folder, "old")
            folder.rename(old)
            try:
                staging.rename(folder)
            except BaseException:
                old.rename(folder)
                raise
            shutil.rmtree(old, ignore_errors=True)
    finally:
        # After an exchange, `staging` has the old content.
        shutil.rmtree(staging, ignore_errors=True)


def restore_folder(folder: Path) -> None:
    """Restore the old folder that a killed `replacing_folder` left, or delete it if replaced."""
    old = _sibling(folder, "old")
    if old.is_dir():
        if folder.exists():
            shutil.rmtree(old, ignore_errors=True)
        else:
            old.rename(folder)


def _sibling(folder: Path, kind: str) -> Path:
    """Return the hidden path beside a folder for its new or old content."""
    return folder.with_name(f".{folder.name}.{kind}")


def _exchange(first: Path, second: Path) -> bool:
    """Exchange two folders in one step; return False if the system cannot do so."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except AttributeError:  # a C library from before 2018
        return False
    paths = os.fsencode(first), os.fsencode(second)
    return rename(_AT_FDCWD, paths[0], _AT_FDCWD, paths[1], _RENAME_EXCHANGE) == 0
