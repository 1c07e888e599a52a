"""Writing the evidence of training runs."""

import itertools
import json
import math
from pathlib import Path

import numpy as np

from course.errors import CourseError
from course.evidence.format import (
    CURVES,
    FIELDS,
    FOLDER,
    MAX_EXPERIMENTS,
    MAX_METRICS_BYTES,
    MAX_WEIGHTS_BYTES,
    format_size,
    is_too_deep,
    record_key,
)
from course.experiments.store import pack_weights, plain_name
from course.experiments.train import Result
from course.experiments.training_preparation import check_specifications
from course.files import write_atomically
from course.session import Run


def save(run, results, chosen):
    """Write the evidence of training runs to the folder `evidence` beside the notebook.

    Other .json and .npz files in the folder, such as those of an earlier call, are removed. In the
    smoke profile, everything is checked but nothing is written, because grading must not create
    evidence.

    Parameters
    ----------
    run : course.Run
        As `course.setup` returns it.
    results : list of experiments.Result
        The experiments to submit.
    chosen : str
        The name of the experiment whose weights are submitted too.

    Raises
    ------
    CourseError
        If there is no such experiment, two have the same name, the weights are not finite or are
        too large for float16 or for the file, there are too many metrics, a specification is not
        JSON data, or the files cannot be written.
    """
    check_specifications([result.specification for result in results])
    names = [result.name for result in results]
    if chosen not in names:
        raise CourseError(
            f"there is no experiment called {chosen!r} whose weights can be submitted: choose one"
            f" of {', '.join(map(repr, names))}."
        )
    files = {}
    for result, stem in zip(results, _unique_stems(names), strict=True):
        weights = result.network.get_weights()
        with np.errstate(over="ignore"):
            halves = [np.array(weight, dtype="<f2", order="C") for weight in weights]
        # The record is written last: if it exists, the weights do too.
        if result.name == chosen:
            files[f"{stem}.npz"] = _pack_weights(chosen, weights, halves)
        files[f"{stem}.json"] = _pack_record(run, result, halves)
    weights_size = sum(len(content) for name, content in files.items() if name.endswith(".npz"))
    metrics_size = sum(map(len, files.values())) - weights_size
    if len(results) > MAX_EXPERIMENTS or metrics_size > MAX_METRICS_BYTES:
        raise CourseError(
            f"{len(results)} experiments with {format_size(metrics_size)} of metrics exceed the"
            f" limits of {MAX_EXPERIMENTS} experiments and {format_size(MAX_METRICS_BYTES)}: leave"
            " some experiments out."
        )
    if run.profile == "smoke":
        print("The smoke profile saves no evidence: train with the cpu or gpu profile.")
        return
    _write(Path(FOLDER), files)
    print(
        f"{len(results)} experiment{'s' * (len(results) > 1)} ({format_size(metrics_size)}) and the"
        f" weights of {chosen!r} ({format_size(weights_size)}) are in {Path(FOLDER).resolve()}.\n"
        "Submit this folder together with the notebook."
    )


def _unique_stems(names: list[str]) -> list[str]:
    """Return a unique file name without suffix for each name."""
    stems: list[str] = []
    for name in names:
        plain = plain_name(name, default="experiment")
        numbered = (f"{plain}-{number}" for number in itertools.count(2))
        stems.append(next(s for s in itertools.chain([plain], numbered) if s not in stems))
    return stems


def _pack_weights(name: str, weights: list[np.ndarray], halves: list[np.ndarray]) -> bytes:
    """Return the content of the weights file."""
    if not all(np.isfinite(weight).all() for weight in weights):
        raise CourseError(
            f"the weights of {name!r} are not finite, because its training diverged: choose"
            " another experiment."
        )
    if not all(np.isfinite(half).all() for half in halves):
        raise CourseError(
            f"a weight of {name!r} is larger than 65,504, the largest value of float16: choose"
            " another experiment."
        )
    content = pack_weights(halves)
    if len(content) > MAX_WEIGHTS_BYTES:
        raise CourseError(
            f"the weights of {name!r} take {format_size(len(content))} as float16, more than the"
            f" limit of {format_size(MAX_WEIGHTS_BYTES)}: choose a smaller network."
        )
    return content


def _pack_record(run: Run, result: Result, halves: list[np.ndarray]) -> bytes:
    """Return the content of an experiment's record file."""
    fields = vars(result) | vars(run)
    record = {name: fields[name] for name in FIELDS if name != "key"}
    # JSON has no NaN; None marks a training run that diverged.
    record["history"] = {
        curve: [number if math.isfinite(number) else None for number in result.history[curve]]
        for curve in CURVES
    }
    try:
        record = json.loads(json.dumps(record, allow_nan=False))
        if is_too_deep(record):
            raise ValueError
    except (TypeError, ValueError, RecursionError):
        raise CourseError(
            f"the specification of {result.name!r} cannot be saved as JSON: use only finite"
            " numbers, strings, lists, and dicts."
        ) from None
    record["key"] = record_key(record, halves)
    return json.dumps(record, indent=1).encode() + b"\n"


def _write(folder: Path, files: dict[str, bytes]) -> None:
    """Write files to a folder and remove any other evidence from it."""
    try:
        for name, content in files.items():
            write_atomically(folder / name, content)
        for path in folder.iterdir():
            is_old = path.suffix in (".json", ".npz", ".part") and path.name not in files
            if is_old and not path.is_dir():
                path.unlink()
    except OSError as error:
        raise CourseError(
            f"the evidence cannot be written ({error.strerror}): free some space for the folder"
            f" {folder.resolve()} or make it writable, then run this cell again."
        ) from None
