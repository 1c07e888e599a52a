"""Metrics that a notebook records for headless runs, each with its kind."""

import math
import numbers
from dataclasses import asdict
from typing import Any

import numpy as np

from course import session
from course.errors import CourseError

# An executed notebook stores its metrics in its outputs under this media type; a front end that
# does not know the type shows the plain text stored with it.
MIME_TYPE = "application/vnd.cnn-course.recorded_metrics+json"
# The kinds of metrics; a regression compares each kind differently.
COUNT = "count"  # integers that follow from the architecture; the same in every run
MEASUREMENT = "measurement"  # varies with the seed
ACCURACY = "accuracy"  # a fraction of a number of images; varies with the seed
SECONDS = "seconds"  # also depends on the machine
RATE = "rate"  # a value per second; also depends on the machine
TIME_RATIO = "time ratio"  # the ratio of two times on one machine; depends little on the machine


def record(*, accuracies=None, seconds=None, rates=None, time_ratios=None, curves=None, **metrics):
    """Show metrics and save them, each with its kind, in the notebook's output.

    `accuracies`, `seconds`, `rates`, and `time_ratios` map metric names to values; an argument that
    is not a dict is recorded under its own name. A value is a number or a list of numbers. NumPy
    and backend scalars are converted to Python numbers; NaN and infinity become None.

    Parameters
    ----------
    accuracies : dict, optional
        Fractions of a set of images, as in `accuracies={"test_accuracy": 0.987}`.
    seconds : dict, float, or list of float, optional
        Durations.
    rates : dict, optional
        Values per second, such as images per second.
    time_ratios : dict, optional
        One duration divided by another.
    curves : dict, optional
        Learning curves: each training run's name mapped to its training history, a dict with one
        list per metric ("loss", "val_accuracy") and one value per epoch. The report plots them.
    **metrics : int, float, or list of them
        All other metrics, as in `record(parameters=1199882, first_loss=2.3)`. Integers are counts,
        which must be the same in every run; other numbers are measurements.

    Raises
    ------
    CourseError
        If a value is not a number or a list of numbers, or a curve is not a training history.
    """
    from IPython.display import display

    values = {name: _plain(name, value) for name, value in metrics.items()}
    kinds = {name: kind_of_value(value) for name, value in values.items()}
    groups = {
        ACCURACY: ("accuracies", accuracies),
        SECONDS: ("seconds", seconds),
        RATE: ("rates", rates),
        TIME_RATIO: ("time_ratios", time_ratios),
    }
    for kind, (argument, group) in groups.items():
        if group is not None:
            named = group if isinstance(group, dict) else {argument: group}
            values |= {name: _plain(name, value) for name, value in named.items()}
            kinds |= dict.fromkeys(named, kind)
    histories = {name: _plain_history(name, history) for name, history in (curves or {}).items()}
    lines = [f"{name} = {text(value)}" for name, value in values.items()]
    if histories:
        lines.append(f"learning curves of: {'; '.join(histories)}")
    recorded = {"values": values, "kinds": kinds, "curves": histories}
    where = {MIME_TYPE: asdict(session.current_run)} if session.current_run else {}
    content = {MIME_TYPE: recorded, "text/plain": "\n".join(lines)}
    display(content, metadata=where, raw=True)


def kind_of_value(value: Any) -> str:
    """Return the kind of a value or list of values that is recorded as a keyword argument."""
    values = value if isinstance(value, list) else [value]
    return COUNT if all(isinstance(each, int) for each in values) else MEASUREMENT


def _plain_history(name: str, history: Any) -> dict[str, list]:
    """Return a training history with its values converted to Python numbers."""
    is_dict = isinstance(history, dict)
    if not is_dict or not all(isinstance(each, list) for each in history.values()):
        raise CourseError(
            f"the learning curves for {name!r} are not a training history: pass a dict with one"
            " list per metric, such as fit(...).history."
        )
    return {key: _plain("curves", values) for key, values in history.items()}


def _plain(name: str, value: Any) -> Any:
    """Convert a number or list of numbers to Python numbers that JSON can represent."""
    if isinstance(value, list | tuple):
        return [_plain(name, item) for item in value]
    if hasattr(value, "__array__") and tuple(getattr(value, "shape", ())) == ():
        value = np.asarray(value).item()
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise CourseError(
            f"record({name}=...) takes a number or a list of numbers, not {type(value).__name__}:"
            " convert it first."
        )
    if isinstance(value, numbers.Integral):
        return int(value)
    # JSON has no NaN or infinity; a regression reports None as not a finite number.
    return float(value) if math.isfinite(value) else None


def text(value: Any) -> str:
    """Format a recorded value or list of values; floats get four significant digits."""
    if value is None:
        return "not a finite number"
    if isinstance(value, list):
        return "[" + ", ".join(map(text, value)) + "]"
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"
