"""Reading submitted evidence, which can contain anything."""

import io
import itertools
import json
import math
import os
import stat
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from course.evidence.format import (
    FOLDER,
    MAX_FILES,
    MAX_HEADER_BYTES,
    MAX_METRICS_BYTES,
    MAX_WEIGHTS_BYTES,
    format_size,
    is_too_deep,
    printable_text,
)


class _InvalidFile(Exception):
    """A file that `save` cannot have written; the message gives the reason."""


def read(folder=FOLDER):
    """Return submitted evidence; never raise an error, whatever the files contain.

    Parameters
    ----------
    folder : str or Path

    Returns
    -------
    dict
        - metrics: maps the name of each experiment to its record, a dict read from JSON. Only the
          name is checked; `find_metric_problems` checks the rest.
        - weights: maps the name of the chosen experiment to a list of float16 arrays; empty if the
          arrays cannot be read.
        - problems: one sentence for each file that is missing or that `save` cannot have written.
    """
    metrics: dict[str, dict] = {}
    weights: dict[str, list[np.ndarray]] = {}
    problems: list[str] = []
    name_of: dict[str, str] = {}  # maps file names without suffixes to experiments
    bytes_left = MAX_METRICS_BYTES
    found = {"metrics": metrics, "weights": weights, "problems": problems}
    try:
        paths = _list_files(Path(folder))
    except Exception as error:
        _report(problems, FOLDER, error)
        return found
    for path in (path for path in paths if path.suffix == ".json"):
        try:
            content = _read_bytes(path, MAX_METRICS_BYTES)
            if len(content) > bytes_left:
                raise _InvalidFile(
                    f"all records together are larger than {format_size(MAX_METRICS_BYTES)}"
                )
            bytes_left -= len(content)
            record = _parse_record(content)
            if record["name"] in metrics:
                raise _InvalidFile("another file has a record of the same name")
        except Exception as error:  # a file can be invalid in countless ways
            _report(problems, f"{FOLDER}/{path.name}", error)
        else:
            metrics[record["name"]] = record
            name_of[path.stem] = record["name"]
    archives = [path for path in paths if path.suffix == ".npz"]
    try:
        if len(archives) != 1:
            raise _InvalidFile(f"it has {len(archives) or 'no'} weights files instead of one")
        if archives[0].stem not in name_of:
            raise _InvalidFile("it has no readable record")
        weights[name_of[archives[0].stem]] = _parse_weights(
            _read_bytes(archives[0], MAX_WEIGHTS_BYTES)
        )
    except Exception as error:
        place = f"{FOLDER}/{archives[0].name}" if len(archives) == 1 else FOLDER
        _report(problems, place, error)
    return found


def _list_files(folder: Path) -> list[Path]:
    """Return the sorted paths in a folder, excluding the hidden files of systems and editors."""
    if not stat.S_ISDIR(folder.lstat().st_mode):
        raise _InvalidFile("it is not a folder")
    with os.scandir(folder) as entries:
        names = [entry.name for entry in itertools.islice(entries, MAX_FILES + 1)]
    if len(names) > MAX_FILES:
        raise _InvalidFile(f"it has more than {MAX_FILES} files")
    return [folder / name for name in sorted(names) if not name.startswith(".")]


def _read_bytes(path: Path, limit: int) -> bytes:
    """Return the content of a regular file that is not too large."""
    status = path.lstat()
    if not stat.S_ISREG(status.st_mode):  # a pipe would block, a link can lead anywhere
        raise _InvalidFile("it is not a regular file")
    if status.st_size > limit:
        raise _InvalidFile(
            f"its size is {format_size(status.st_size)}, more than {format_size(limit)}"
        )
    with path.open("rb") as file:
        return file.read(limit)


def _parse_record(content: bytes) -> dict:
    """Return the record in the content of a JSON file."""
    record = json.loads(
        content.decode(),
        object_pairs_hook=_to_dict,
        parse_float=_to_float,
        parse_constant=_to_float,
    )
    if type(record) is not dict or type(record.get("name")) is not str:
        raise _InvalidFile("it is not the record of an experiment")
    if is_too_deep(record):
        raise _InvalidFile("it is too deeply nested")
    return record


def _to_dict(pairs: list[tuple[str, Any]]) -> dict:
    """Convert key-value pairs to a dict; their keys must be unique."""
    if len(dict(pairs)) < len(pairs):
        raise _InvalidFile("it has a duplicate key")
    return dict(pairs)


def _to_float(text: str) -> float:
    """Convert text to a float, which must be finite."""
    if not math.isfinite(number := float(text)):
        raise _InvalidFile("it has a value that is not finite")
    return number


def _parse_weights(content: bytes) -> list[np.ndarray]:
    """Return the arrays in the content of a weights file."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = archive.infolist()
        # `save` does not compress. If the members claim more bytes than the file has, they are
        # compressed or overlap.
        if sum(member.file_size for member in members) > len(content):
            raise _InvalidFile("its arrays would be larger than the file")
        if any(member.compress_type != zipfile.ZIP_STORED for member in members):
            raise _InvalidFile("it is compressed")
        if [m.filename for m in members] != [f"weight_{n}.npy" for n in range(len(members))]:
            raise _InvalidFile("it contains something other than weights")
        return [_parse_array(archive.read(member)) for member in members]


def _parse_array(content: bytes) -> np.ndarray:
    """Return the array in the content of a .npy file."""
    # np.load would allocate the size that the header claims before it reads the data.
    file = io.BytesIO(content)
    if np.lib.format.read_magic(file) != (1, 0):
        raise _InvalidFile("it contains something other than weights")
    shape, is_fortran_order, dtype = np.lib.format.read_array_header_1_0(file, MAX_HEADER_BYTES)
    if is_fortran_order or dtype != np.dtype("<f2"):
        raise _InvalidFile("it contains something other than float16")
    if math.prod(shape) * dtype.itemsize != len(content) - file.tell():
        raise _InvalidFile("an array does not have the size that it claims")
    return np.frombuffer(content, dtype, offset=file.tell()).reshape(shape).astype(np.float16)


def _report(problems: list[str], place: str, error: Exception) -> None:
    """Append a sentence about a file that cannot be used."""
    reason = "it is damaged"
    if isinstance(error, _InvalidFile):
        reason = str(error)
    elif isinstance(error, FileNotFoundError):
        reason = "it is not beside the notebook"
    problems.append(
        f"{printable_text(place)} cannot be used ({reason}): run the cell with evidence.save"
        " again, in the cpu or gpu profile, and submit the whole folder."
    )
