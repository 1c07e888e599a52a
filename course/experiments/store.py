"""Results of trainings, saved as plain files under a key of everything that determines them."""

import hashlib
import io
import json
import os
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from course.errors import CourseError
from course.files import write_atomically

FOLDER = "results"  # beside the notebook
# A mounted Google Drive; Colab deletes its own files at the end of the session.
DRIVE = Path("/content/drive/MyDrive")
# The smoke profile uses no files: grading must not find what a student submitted.
_results_in_memory: dict[str, tuple[dict, list[np.ndarray]]] = {}


def fingerprint(*parts):
    """Return a short hash that is equal for equal objects.

    Parameters
    ----------
    *parts : ndarray or object
        Arrays are compared by type, shape and values, other objects by their `repr`.

    Returns
    -------
    str
        16 hexadecimal digits.
    """
    digest = hashlib.blake2b(digest_size=8)
    for part in parts:
        if isinstance(part, np.ndarray):
            digest.update(f"{part.dtype} {part.shape}".encode())
            content: Any = np.ascontiguousarray(part)
            digest.update(content)
        else:
            digest.update(repr(part).encode())
        digest.update(b"\0")
    return digest.hexdigest()


def folder():
    """Return the folder of the results.

    Returns
    -------
    pathlib.Path
        `results` beside the notebook; on Colab in Google Drive, if it is mounted.
    """
    on_drive = "COLAB_RELEASE_TAG" in os.environ and DRIVE.is_dir()
    return DRIVE / "cnn-course" / FOLDER if on_drive else Path(FOLDER)


def open_store(run):
    """Return the store of a run's results.

    Parameters
    ----------
    run : course.Run

    Returns
    -------
    FileStore or MemoryStore
        Both have `load(name, key, shapes)` and `save(record, weights)`.
    """
    return MemoryStore(_results_in_memory) if run.profile == "smoke" else FileStore(folder())


class MemoryStore:
    """Results that last as long as this process.

    Parameters
    ----------
    results : dict
        Maps keys to (record, weights).
    """

    def __init__(self, results):
        self._results = results

    def load(self, name, key, shapes):
        """Return the saved (record, weights), or None; see `FileStore.load`."""
        return self._results.get(key)

    def save(self, record, weights):
        """Save a result under its record's key; see `FileStore.save`."""
        self._results[record["key"]] = record, weights


class FileStore:
    """Results as two files each: the record NAME-KEY.json and the weights NAME-KEY.npz.

    Parameters
    ----------
    folder : pathlib.Path
        Created when the first result is saved.
    """

    def __init__(self, folder):
        self._folder = folder

    def load(self, name, key, shapes):
        """Return the saved (record, weights), or None if nothing intact is saved.

        Parameters
        ----------
        name, key : str
            The network's name, and the fingerprint of everything that determines the result.
        shapes : list of tuple
            The expected shapes of the weights.

        Returns
        -------
        (dict, list of ndarray) or None
        """
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

    def save(self, record, weights):
        """Save a result, complete or not at all.

        Parameters
        ----------
        record : dict
            Data that JSON can hold, with "name" and "key".
        weights : list of ndarray

        Raises
        ------
        CourseError
            If the files cannot be written.
        """
        path = self._path(record["name"], record["key"])
        content = io.BytesIO()
        np.savez(content, **{f"weight_{number}": weight for number, weight in enumerate(weights)})
        try:
            write_atomically(path.with_suffix(".npz"), content.getvalue())
            # The record comes last: if it exists, the weights do too.
            write_atomically(path.with_suffix(".json"), json.dumps(record, indent=1) + "\n")
        except OSError as error:
            raise CourseError(
                f"{path}.json cannot be written ({error.strerror}): free some space for the folder"
                f" {self._folder.resolve()} or make it writable, then run this cell again."
            ) from None

    def _path(self, name: str, key: str) -> Path:
        """Return the path of a result's files, without suffix."""
        plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40] or "network"
        return self._folder / f"{plain}-{key[:8]}"
