"""Small helpers around training: timing, accuracy in inference mode, a table of results."""

import textwrap
import time

import numpy as np

LINE, TEXT, NARROW_TEXT = 100, 44, 28  # letters of a table's line and of a text in it


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
    # As it stands, with headings of several lines, and with narrow texts too: the first that fits.
    for break_headings, letters in [(False, TEXT), (True, TEXT), (True, NARROW_TEXT)]:
        head = [[name.split() if break_headings else [name] for name in names]]
        body = [[_lines(_cell(name, row.get(name)), letters) for name in names] for row in rows]
        head, body = _spread(head, at_bottom=True), _spread(body)
        widths = [max(map(len, column)) for column in zip(*head, *body, strict=True)]
        if sum(widths) + 2 * (len(widths) - 1) <= LINE:
            break
    lines = [
        "  ".join(
            cell.ljust(width) if is_text else cell.rjust(width)
            for cell, width, is_text in zip(line, widths, left, strict=True)
        ).rstrip()
        for line in head + body
    ]
    return "\n".join([*lines[: len(head)], "-" * max(map(len, lines)), *lines[len(head) :]])


def _lines(text, letters):
    return textwrap.wrap(text, letters, break_long_words=False) or [""]


def _spread(rows, at_bottom=False):
    """Return the lines of rows whose cells have several, the missing ones empty."""
    lines = []
    for cells in rows:
        height = max(map(len, cells))
        room = [[""] * (height - len(cell)) for cell in cells]
        pairs = zip(room, cells, strict=True)
        cells = [empty + cell if at_bottom else cell + empty for empty, cell in pairs]
        lines += zip(*cells, strict=True)
    return lines


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
