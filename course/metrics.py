"""Metrics that a notebook records for whoever runs it headlessly."""

import math
import numbers

import numpy as np

from course.errors import CourseError

# An executed notebook carries its metrics in its own outputs, under this type; a front-end that
# does not know the type shows the plain text beside it.
MIME_TYPE = "application/vnd.cnn-course.metrics+json"


def record(**metrics):
    """Show metrics and keep them in the notebook's output.

    Parameters
    ----------
    **metrics : int, float, or list of them
        Names as in `record(parameters=1199882, test_accuracy=0.987)`. NumPy and backend scalars
        are turned into plain numbers, NaN and infinity into None.

    Raises
    ------
    CourseError
        If a value is not a number or a list of numbers.
    """
    from IPython.display import display

    plain = {name: _plain(name, value) for name, value in metrics.items()}
    lines = "\n".join(f"{name} = {text(value)}" for name, value in plain.items())
    display({MIME_TYPE: plain, "text/plain": lines}, raw=True)


def _plain(name, value):
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
    # JSON has no NaN and no infinity; None is what a regression reports as no number.
    return float(value) if math.isfinite(value) else None


def text(value):
    """Return a recorded value as a person reads it."""
    if value is None:
        return "not a finite number"
    if isinstance(value, list):
        return "[" + ", ".join(map(text, value)) + "]"
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"
