"""What a training leaves: numbers and weights as plain files, found again by what made them."""

import hashlib
import json
import os
import re
import zipfile
from pathlib import Path

import numpy as np

from course.errors import CourseError

FOLDER = "results"  # beside the notebook
# Where a student's Google Drive is, once it is mounted; Colab's own files go with the session.
DRIVE = Path("/content/drive/MyDrive")
# The smoke profile reads and writes no files: grading must not find what a student handed in.
_in_memory = {}


def fingerprint(*parts):
    """Return a text of 16 letters that tells whether things are the same.

    Parameters
    ----------
    *parts : ndarray, or anything whose `repr` says what it is
    """
    digest = hashlib.blake2b(digest_size=8)
    for part in parts:
        if isinstance(part, np.ndarray):
            digest.update(f"{part.dtype} {part.shape}".encode())
            digest.update(np.ascontiguousarray(part))
        else:
            digest.update(repr(part).encode())
        digest.update(b"\0")
    return digest.hexdigest()


def folder():
    """Return where results are kept: beside the notebook, on Colab in Google Drive if mounted."""
    on_drive = "COLAB_RELEASE_TAG" in os.environ and DRIVE.is_dir()
    return DRIVE / "cnn-course" / FOLDER if on_drive else Path(FOLDER)


def open_results(run):
    """Return the shelf where a run keeps its results.

    Parameters
    ----------
    run : course.Run

    Returns
    -------
    ResultFiles or ResultsInMemory
        Both have `load(name, key, shapes)` and `keep(record, weights)`.
    """
    return ResultsInMemory(_in_memory) if run.profile == "smoke" else ResultFiles(folder())


class ResultsInMemory:
    """Results that last as long as this process."""

    def __init__(self, kept):
        self._kept = kept

    def load(self, name, key, shapes):
        """Return what was kept, (record, weights), or None."""
        return self._kept.get(key)

    def keep(self, record, weights):
        """Keep a result under its record's key."""
        self._kept[record["key"]] = record, weights


class ResultFiles:
    """Results as two files each: NAME-KEY.json, its numbers, and NAME-KEY.npz, its weights.

    Parameters
    ----------
    folder : pathlib.Path
        Made when the first result is kept.
    """

    def __init__(self, folder):
        self._folder = folder

    def load(self, name, key, shapes):
        """Return what was kept, (record, weights), or None; a damaged file counts as none.

        Parameters
        ----------
        name, key : str
        shapes : list of tuple
            Those of the weights.

        Returns
        -------
        (dict, list of ndarray) or None
        """
        path = self._path(name, key)
        try:
            record = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
            with (
                path.with_suffix(".npz").open("rb") as file,  # np.load leaves a damaged one open
                np.load(file, allow_pickle=False) as stored,
            ):
                weights = [stored[f"weight_{number}"] for number in range(len(shapes))]
            if [weight.shape for weight in weights] != shapes or len(stored.files) != len(shapes):
                raise ValueError("weights of another network")
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            print(f"{path}.json or .npz cannot be read ({error}): this network is trained again.")
            return None
        return (record, weights) if record.get("key") == key else None

    def keep(self, record, weights):
        """Keep a result; whoever looks sees the whole of it or nothing.

        Parameters
        ----------
        record : dict
            Plain numbers and texts, with "name" and "key".
        weights : list of ndarray

        Raises
        ------
        CourseError
            If the files cannot be written.
        """
        path = self._path(record["name"], record["key"])
        named = {f"weight_{number}": weight for number, weight in enumerate(weights)}
        unfinished = path.with_suffix(".part")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with unfinished.open("wb") as file:
                np.savez(file, **named)
            unfinished.replace(path.with_suffix(".npz"))
            # The numbers come last: where they are, the weights are too.
            unfinished.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
            unfinished.replace(path.with_suffix(".json"))
        except OSError as error:
            raise CourseError(
                f"{path}.json cannot be written ({error.strerror}): make room in the folder"
                f" {self._folder.resolve()} or make it writable, then run this cell again."
            ) from None

    def _path(self, name, key):
        plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40] or "network"
        return self._folder / f"{plain}-{key[:8]}"
