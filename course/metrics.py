"""Metrics that a notebook records for whoever runs it headlessly.

What kind of figure a metric is shows in what it is and what it is called: whole numbers follow from
the structure and are always the same; fractions are measured and scatter; seconds, and what is
counted a second, also depend on the machine, ratios of seconds a little.
"""

import math
import numbers
from dataclasses import asdict

import numpy as np

from course import session
from course.errors import CourseError

# An executed notebook carries its metrics in its own outputs, under this type; a front-end that
# does not know the type shows the plain text beside it.
MIME_TYPE = "application/vnd.cnn-course.metrics+json"
# The name under which learning curves stand among them.
CURVES = "curves"


def record(*, curves=None, **metrics):
    """Show metrics and keep them in the notebook's output.

    Parameters
    ----------
    curves : dict, optional
        Learning curves: name of a training to its history, which is a dict of one list a quantity
        ("loss", "val_accuracy") with a number an epoch. The report draws them.
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
    lines = [f"{name} = {text(value)}" for name, value in plain.items()]
    if curves:
        plain[CURVES] = {name: _plain_history(name, history) for name, history in curves.items()}
        lines.append(f"curves of: {'; '.join(curves)}")
    where = {MIME_TYPE: asdict(session.opened)} if session.opened else {}
    content = {MIME_TYPE: plain, "text/plain": "\n".join(lines)}
    display(content, metadata=where, raw=True)


def kind(name, value):
    """Return what kind of figure a metric is.

    Parameters
    ----------
    name : str
        The metric's name.
    value : int, float, None, or list of them
        As it was recorded.

    Returns
    -------
    {"timing", "timing ratio", "structural", "measured"}
    """
    values = value if isinstance(value, list) else [value]
    if "second" in name:
        return "timing ratio" if name.endswith(("ratio", "ratios")) else "timing"
    return "structural" if all(isinstance(each, int) for each in values) else "measured"


def _plain_history(name, history):
    if not isinstance(history, dict) or not all(
        isinstance(each, list) for each in history.values()
    ):
        raise CourseError(
            f"the learning curves of {name!r} are no history: give a dict of one list a quantity,"
            " as fit(...).history is."
        )
    return {key: _plain(CURVES, values) for key, values in history.items()}


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
