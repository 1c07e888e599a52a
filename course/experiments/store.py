"""Training results, saved under a key that depends on everything that determines the results."""

import hashlib
import io
import json
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from course import platforms
from course.errors import CourseError
from course.files import write_atomically
from course.session import Run

FOLDER = "results"  # beside the notebook
# A mounted Google Drive; Colab deletes its own files at the end of a session.
DRIVE = Path("/content/drive/MyDrive")
# The smoke profile uses no files, because grading must not find results that a student submitted.
StoredResult = tuple[dict, list[np.ndarray]]  # the record and the weights
_results_in_memory: dict[str, StoredResult] = {}


def fingerprint(*parts: Any) -> str:
    """Return a hash of 16 hexadecimal digits that is equal for equal objects.

    Arrays are compared by type, shape, and values; other objects are compared by their `repr`.
    """
    digest = hashlib.blake2b(digest_size=8)
    for part in parts:
        if isinstance(part, np.ndarray):
            digest.update(f"{part.dtype} {part.shape}".encode())
            digest.update(np.ascontiguousarray(part).data)
        else:
            digest.update(repr(part).encode())
        digest.update(b"\0")
    return digest.hexdigest()


def pack_weights(weights: list[np.ndarray]) -> bytes:
    """Return the content of an .npz file with the arrays weight_0, weight_1, and so on."""
    file = io.BytesIO()
    arrays: dict[str, Any] = {f"weight_{number}": each for number, each in enumerate(weights)}
    np.savez(file, **arrays)
    return file.getvalue()


def plain_name(name: str, default: str) -> str:
    """Convert a network's name to text that can be part of a file name."""
    # In lower case, because file names are case-insensitive on some systems.
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40] or default


def folder() -> Path:
    """Return the folder `results`, beside the notebook or, on Colab, in a mounted Google Drive."""
    on_drive = platforms.on_colab() and DRIVE.is_dir()
    return DRIVE / "cnn-course" / FOLDER if on_drive else Path(FOLDER)


def open_store(run: Run) -> "MemoryStore | FileStore":
    """Return the store of a run's results."""
    return MemoryStore() if run.profile == "smoke" else FileStore(folder())


class MemoryStore:
    """A store with the methods of `FileStore` whose results last as long as this process."""

    def load(self, name: str, key: str, shapes: list[tuple]) -> StoredResult | None:
        """Return the saved (record, weights), or None."""
        return _results_in_memory.get(key)

    def save(self, record: dict, weights: list[np.ndarray]) -> None:
        """Save a result under its record's key."""
        _results_in_memory[record["key"]] = record, weights


class FileStore:
    """A store with two files per result: the record NAME-KEY.json and the weights NAME-KEY.npz.

    The folder is created when the first result is saved.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def load(self, name: str, key: str, shapes: list[tuple]) -> StoredResult | None:
        """Return the saved (record, weights), or None if no intact result has such shapes."""
        path = self._path(name, key)
        try:
            record = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
            with (
                path.with_suffix(".npz").open("rb") as file,  # np.load leaves a damaged file open
                np.load(file, allow_pickle=False) as stored,
            ):
                weights = [stored[f"weight_{number}"] for number in range(len(shapes))]
            if [weight.shape for weight in weights] != shapes or len(stored.files) != len(shapes):
                raise ValueError("weights of another network")
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            print(f"Cannot read {path}.json or .npz ({error}): this network is trained again.")
            return None
        return (record, weights) if record.get("key") == key else None

    def save(self, record: dict, weights: list[np.ndarray]) -> None:
        """Save a result completely or not at all; the record is JSON data with "name" and "key"."""
        path = self._path(record["name"], record["key"])
        try:
            write_atomically(path.with_suffix(".npz"), pack_weights(weights))
            # The record is written last: if it exists, the weights do too.
            write_atomically(path.with_suffix(".json"), json.dumps(record, indent=1) + "\n")
        except OSError as error:
            raise CourseError(
                f"{path}.json cannot be written ({error.strerror}): free some space for the folder"
                f" {self._folder.resolve()} or make it writable, then run this cell again."
            ) from None

    def _path(self, name: str, key: str) -> Path:
        """Return the path of a result's files without the suffix."""
        return self._folder / f"{plain_name(name, default='network')}-{key[:8]}"
