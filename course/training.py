"""Small helpers around training: timing, accuracy in inference mode, a table of results."""

import textwrap
import time
from itertools import zip_longest

import numpy as np

# Letters: of a text in one line of a table, and of a whole line before headings are broken too.
LONGEST_TEXT, LONGEST_LINE = 44, 100


class Stopwatch:
    """Measure the seconds that a `with` block takes.

    Attributes
    ----------
    seconds : float
        Wall time of the block, in seconds; 0 until it ends.

    Examples
    --------
    >>> with Stopwatch() as watch:
    ...     pass
    >>> watch.seconds < 1
    True
    """

    seconds = 0.0

    def __enter__(self):
        self._start = time.perf_counter()
        return self

    def __exit__(self, *exception):
        self.seconds = time.perf_counter() - self._start


def accuracy(probabilities, labels):
    """Return the share of pictures whose most probable class is the right one.

    Parameters
    ----------
    probabilities : array_like, shape (n, num_classes)
        What `model.predict` returns.
    labels : array_like of int, shape (n,)
        The true classes.

    Returns
    -------
    float
        From 0 to 1.

    Raises
    ------
    ValueError
        If the two do not belong together.
    """
    probabilities, labels = np.asarray(probabilities), np.asarray(labels)
    if probabilities.ndim != 2 or labels.shape != probabilities.shape[:1]:
        raise ValueError(
            f"expected probabilities (n, num_classes) and labels (n,), got {probabilities.shape}"
            f" and {labels.shape}: pass whole-number labels, not one-hot rows."
        )
    return float(np.mean(probabilities.argmax(axis=1) == labels))


def results_table(rows):
    """Return a text table of networks, one row each, for `print`.

    Parameters
    ----------
    rows : list of dict
        Column name to value; the columns are those of the first row. Names that end in "accuracy"
        hold shares from 0 to 1 and are shown in percent.

    Returns
    -------
    str
        The table, numbers aligned to the right, long texts broken into several lines.
    """
    names = list(rows[0])
    left = [isinstance(rows[0][name], str) for name in names]
    body = []
    for row in rows:
        cells = [textwrap.wrap(_cell(name, row.get(name)), LONGEST_TEXT) or [""] for name in names]
        body += zip_longest(*cells, fillvalue="")
    head = [names]
    if sum(_widths(head + body)) + 2 * (len(names) - 1) > LONGEST_LINE:
        broken = [name.split() for name in names]
        height = max(map(len, broken))
        head = list(zip(*[[""] * (height - len(each)) + each for each in broken], strict=True))
    widths = _widths(head + body)
    lines = [
        "  ".join(
            cell.ljust(width) if is_text else cell.rjust(width)
            for cell, width, is_text in zip(line, widths, left, strict=True)
        ).rstrip()
        for line in head + body
    ]
    return "\n".join([*lines[: len(head)], "-" * max(map(len, lines)), *lines[len(head) :]])


def _widths(lines):
    return [max(map(len, column)) for column in zip(*lines, strict=True)]


def _cell(name, value):
    if value is None:
        return "-"
    if isinstance(value, str):
        return value
    if name.endswith("accuracy"):
        return f"{100 * value:.1f} %"
    if name.endswith("loss"):
        return f"{value:.2f}"
    return f"{value:,}" if isinstance(value, int | np.integer) else f"{value:,.1f}"
