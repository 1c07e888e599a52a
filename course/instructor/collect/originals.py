"""Keeping what was handed in as it came, byte for byte, in `build/intake/`."""

import hashlib
import shutil
from pathlib import Path

from course.files import write_atomically
from course.instructor.collect.archive_reader import is_archive, safe_name, walk
from course.instructor.collect.submitted_folder import TIMESTAMP

EVIDENCE = (".json", ".npz")


def folder_of(path, intake):
    """Return the folder in which what is collected is kept; the same for the same content."""
    return intake / f"{safe_name(path.stem)}-{_digest_of(path)[:8]}"


def keep(path, folder):
    """Keep an archive, a folder or a notebook, and yield its files.

    Parameters
    ----------
    path : Path
        What is collected.
    folder : Path
        From `folder_of`.

    Yields
    ------
    file : files.File
        Each file, also those that cannot be read.
    place : Path or None
        Where its content is kept by itself; None for what nothing is read from. The archive that
        it came in is kept whole.
    """
    if path.is_file() and is_archive(path.name):
        _copy(path, folder / safe_name(path.name))
    taken = set()
    for file in walk(path):
        wanted = is_notebook(file.name) or is_evidence(file.name) or file.name == TIMESTAMP
        content = None
        if not file.is_junk and (wanted or path.is_dir()):
            content = file.read()
        if content is None:
            yield file, None
            continue
        place = _free_place(folder / "files", file.parts, taken)
        # The same archive is collected again and again: what is there stays.
        if not place.is_file() or place.read_bytes() != content:
            write_atomically(place, content)
        file.reader = place.read_bytes
        yield file, place


def is_evidence(name):
    """Return whether a file's name is that of evidence, or of the list of what was packed."""
    return Path(name).suffix.lower() in EVIDENCE


def is_notebook(name):
    """Return whether a file's name is that of a notebook; platforms add endings of their own."""
    return Path(name).suffix.lower() == ".ipynb" or name.lower().endswith(
        (".ipynb.txt", ".ipynb.json")
    )


def _digest_of(path):
    """Return a digest of a file's content or of what lies in a folder."""
    digest = hashlib.sha256()
    if path.is_file():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    for each in sorted(path.rglob("*")):
        if each.is_file() and not each.is_symlink():
            known = each.stat()
            digest.update(
                f"{each.relative_to(path)}\0{known.st_size}\0{known.st_mtime_ns}\n".encode()
            )
    return digest.hexdigest()


def _copy(source, target):
    if not target.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        unfinished = target.with_name(target.name + ".part")
        shutil.copyfile(source, unfinished)
        unfinished.replace(target)


def _free_place(folder, parts, taken):
    """Return a path of safe names below a folder that no other file of this collection has."""
    names = [safe_name(part) for part in parts]
    place, number = folder.joinpath(*names), 1
    while str(place).casefold() in taken:
        number += 1
        place = folder.joinpath(*names[:-1], f"{number}-{names[-1]}")
    taken.add(str(place).casefold())
    return place
