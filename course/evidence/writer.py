"""Writing what is handed in of a training."""

import io
import itertools
import json
import math
import re
from pathlib import Path

import numpy as np

from course.errors import CourseError
from course.evidence.format import (
    CURVES,
    FOLDER,
    KINDS,
    MAX_EXPERIMENTS,
    MAX_NUMBERS,
    MAX_WEIGHTS,
    is_deep,
    key_of,
    size_of,
)
from course.experiments.specifications import check_names


def hand_in(run, results, chosen):
    """Write what is handed in of a training into the folder `evidence` beside the notebook.

    What else is there in .json and .npz files, as from an earlier call, is removed. In the smoke
    profile all is checked and nothing written: grading must neither see nor make such files.

    Parameters
    ----------
    run : course.Run
        What `course.setup` returned.
    results : list of experiments.Result
        All that are handed in.
    chosen : str
        The name of the one whose weights are handed in too.

    Raises
    ------
    CourseError
        If there is no such experiment, two have the same name, the weights are not finite, too
        large for float16 or for the file, or the files cannot be written.
    """
    check_names([result.specification for result in results])
    names = [result.name for result in results]
    if chosen not in names:
        raise CourseError(
            f"there is no experiment called {chosen!r} whose weights could be handed in: choose"
            f" one of {', '.join(map(repr, names))}."
        )
    files = {}
    for result, stem in zip(results, _stems(names), strict=True):
        weights = result.network.get_weights()
        with np.errstate(over="ignore"):
            halves = [np.array(weight, dtype="<f2", order="C") for weight in weights]
        # The numbers come last: where they are, the weights are too.
        if result.name == chosen:
            files[f"{stem}.npz"] = _pack(chosen, weights, halves)
        files[f"{stem}.json"] = _write_down(run, result, halves)
    weights_size = sum(len(content) for name, content in files.items() if name.endswith(".npz"))
    numbers_size = sum(map(len, files.values())) - weights_size
    if len(results) > MAX_EXPERIMENTS or numbers_size > MAX_NUMBERS:
        raise CourseError(
            f"{len(results)} experiments with {size_of(numbers_size)} of numbers are more than can"
            f" be handed in, {MAX_EXPERIMENTS} and {size_of(MAX_NUMBERS)}: leave some out."
        )
    if run.profile == "smoke":
        print("The smoke profile hands in nothing: train in the cpu or gpu profile.")
        return
    _save(Path(FOLDER), files)
    print(
        f"{len(results)} experiment{'s' * (len(results) > 1)} ({size_of(numbers_size)}) and the"
        f" weights of {chosen!r} ({size_of(weights_size)}) are in {Path(FOLDER).resolve()}.\n"
        "Hand in this folder together with the notebook."
    )


def _stems(names):
    """Return a file name without an ending for each name, no two alike."""
    stems = []
    for name in names:
        # In lower case, since to some systems a capital makes no other file.
        plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40] or "experiment"
        numbered = (f"{plain}-{number}" for number in itertools.count(2))
        stems.append(next(s for s in itertools.chain([plain], numbered) if s not in stems))
    return stems


def _pack(name, weights, halves):
    """Return the content of the file of weights."""
    if not all(np.isfinite(weight).all() for weight in weights):
        raise CourseError(
            f"the weights of {name!r} are not finite, since its training diverged: choose another"
            " experiment."
        )
    if not all(np.isfinite(half).all() for half in halves):
        raise CourseError(
            f"a weight of {name!r} is larger than 65,504, the largest number of float16: choose"
            " another experiment."
        )
    file = io.BytesIO()
    np.savez(file, **{f"weight_{number}": half for number, half in enumerate(halves)})
    content = file.getvalue()
    if len(content) > MAX_WEIGHTS:
        raise CourseError(
            f"the weights of {name!r} take {size_of(len(content))} as float16, more than the"
            f" {size_of(MAX_WEIGHTS)} that can be handed in: choose a smaller network."
        )
    return content


def _write_down(run, result, halves):
    """Return the content of an experiment's file of numbers."""
    known = vars(result) | vars(run)
    record = {name: known[name] for name in KINDS if name != "key"}
    # JSON has no NaN; None tells of a training that diverged.
    record["history"] = {
        curve: [number if math.isfinite(number) else None for number in result.history[curve]]
        for curve in CURVES
    }
    try:
        record = json.loads(json.dumps(record, allow_nan=False))
        if is_deep(record):
            raise ValueError
    except (TypeError, ValueError, RecursionError):
        raise CourseError(
            f"the specification of {result.name!r} cannot be written down: make it of finite"
            " numbers, texts, lists and dicts."
        ) from None
    record["key"] = key_of(record, halves)
    return json.dumps(record, indent=1).encode() + b"\n"


def _save(folder, files):
    """Write files so that whoever looks sees the whole of each or nothing; remove other ones."""
    try:
        folder.mkdir(exist_ok=True)
        for name, content in files.items():
            unfinished = folder / f"{name}.part"
            unfinished.write_bytes(content)
            unfinished.replace(folder / name)
        for path in folder.iterdir():
            ours = path.suffix in (".json", ".npz", ".part") and path.name not in files
            if ours and not path.is_dir():
                path.unlink()
    except OSError as error:
        raise CourseError(
            f"what is to be handed in cannot be written ({error.strerror}): make room in the folder"
            f" {folder.resolve()} or make it writable, then run this cell again."
        ) from None
