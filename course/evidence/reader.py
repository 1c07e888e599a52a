"""Reading what was handed in, which may be anything."""

import io
import itertools
import json
import math
import os
import stat
import zipfile
from pathlib import Path

import numpy as np

from course.evidence.format import (
    FOLDER,
    MAX_ENTRIES,
    MAX_HEADER,
    MAX_NUMBERS,
    MAX_WEIGHTS,
    is_deep,
    shown,
    size_of,
)


class _Unusable(Exception):
    """What `hand_in` has not written; the text says why."""


def read(folder=FOLDER):
    """Return what was handed in, as plain data; raise nothing, whatever the files are.

    Parameters
    ----------
    folder : str or Path

    Returns
    -------
    dict
        - metrics: the name of each experiment to its record, a dict of what JSON holds. All that
          is known of it is its name; `problems_of_metrics` looks at the rest.
        - weights: the name of the chosen experiment to a list of float16 arrays; else empty.
        - problems: a sentence for each file that is missing or not as `hand_in` writes it.
    """
    metrics, weights, problems, names, room = {}, {}, [], {}, MAX_NUMBERS
    found = {"metrics": metrics, "weights": weights, "problems": problems}
    try:
        paths = _entries(Path(folder))
    except Exception as error:
        problems.append(_sentence(FOLDER, error))
        return found
    for path in (path for path in paths if path.suffix == ".json"):
        try:
            content = _content(path, MAX_NUMBERS)
            if len(content) > room:
                raise _Unusable(f"all numbers together take more than {size_of(MAX_NUMBERS)}")
            room -= len(content)
            record = _record(content)
            if record["name"] in metrics:
                raise _Unusable("another file has an experiment of the same name")
        except Exception as error:  # there is no end to the ways in which a file can be wrong
            problems.append(_sentence(f"{FOLDER}/{path.name}", error))
        else:
            metrics[record["name"]] = record
            names[path.stem] = record["name"]
    packed = [path for path in paths if path.suffix == ".npz"]
    try:
        if len(packed) != 1:
            raise _Unusable(f"it holds {len(packed) or 'no'} files of weights instead of one")
        if packed[0].stem not in names:
            raise _Unusable("there are no numbers that can be read beside its weights")
        weights[names[packed[0].stem]] = _arrays(_content(packed[0], MAX_WEIGHTS))
    except Exception as error:
        place = f"{FOLDER}/{packed[0].name}" if len(packed) == 1 else FOLDER
        problems.append(_sentence(place, error))
    return found


def _entries(folder):
    """Return the paths in a folder, in order; hidden ones are left by systems and editors."""
    if not stat.S_ISDIR(folder.lstat().st_mode):
        raise _Unusable("it is no folder")
    with os.scandir(folder) as entries:
        names = [entry.name for entry in itertools.islice(entries, MAX_ENTRIES + 1)]
    if len(names) > MAX_ENTRIES:
        raise _Unusable(f"it holds more than {MAX_ENTRIES} files")
    return [folder / name for name in sorted(names) if not name.startswith(".")]


def _content(path, limit):
    """Return the bytes of a plain file that is not too large."""
    status = path.lstat()
    if not stat.S_ISREG(status.st_mode):  # a pipe would let us wait, a link leads anywhere
        raise _Unusable("it is no plain file")
    if status.st_size > limit:
        raise _Unusable(f"it takes {size_of(status.st_size)}, more than {size_of(limit)}")
    with path.open("rb") as file:
        return file.read(limit)


def _record(content):
    """Return the dict in the content of a file of numbers."""
    record = json.loads(
        content.decode(), object_pairs_hook=_once, parse_float=_finite, parse_constant=_finite
    )
    if type(record) is not dict or type(record.get("name")) is not str:
        raise _Unusable("it is no record of an experiment")
    if is_deep(record):
        raise _Unusable("it is too deeply nested")
    return record


def _once(pairs):
    if len(dict(pairs)) < len(pairs):
        raise _Unusable("something stands in it twice")
    return dict(pairs)


def _finite(text):
    if not math.isfinite(number := float(text)):
        raise _Unusable("it holds a number that is not finite")
    return number


def _arrays(content):
    """Return the arrays in the content of a file of weights."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = archive.infolist()
        # hand_in does not compress. So whatever claims more than the file takes unpacks to more, or
        # is many members in the same bytes.
        if sum(member.file_size for member in members) > len(content):
            raise _Unusable("it would unpack to more than it takes")
        if any(member.compress_type != zipfile.ZIP_STORED for member in members):
            raise _Unusable("it is compressed")
        if [m.filename for m in members] != [f"weight_{n}.npy" for n in range(len(members))]:
            raise _Unusable("it holds something else than weights")
        return [_array(archive.read(member)) for member in members]


def _array(content):
    # Not np.load, which makes room for as much as the header claims before it reads.
    file = io.BytesIO(content)
    if np.lib.format.read_magic(file) != (1, 0):
        raise _Unusable("it holds something else than weights")
    shape, by_columns, dtype = np.lib.format.read_array_header_1_0(file, MAX_HEADER)
    if by_columns or dtype != np.dtype("<f2"):
        raise _Unusable("it holds something else than float16")
    if math.prod(shape) * dtype.itemsize != len(content) - file.tell():
        raise _Unusable("an array has not the size that it claims")
    return np.frombuffer(content, dtype, offset=file.tell()).reshape(shape).astype(np.float16)


def _sentence(place, error):
    reason = "it is damaged"
    if isinstance(error, _Unusable):
        reason = str(error)
    elif isinstance(error, FileNotFoundError):
        reason = "it is not beside the notebook"
    return (
        f"{shown(place)} cannot be used ({reason}): run the cell with hand_in once more, in the"
        " cpu or gpu profile, and hand in the whole folder."
    )
