"""Helpers for training: a stopwatch, the accuracy of predictions, and a table of results."""

import textwrap
import time
from itertools import zip_longest
from typing import Any

import numpy as np

MAX_WIDTH, TEXT_WIDTH, NARROW_TEXT_WIDTH = 100, 44, 28  # in characters: tables, text columns


class Stopwatch:
    """A stopwatch that measures the duration of a `with` block.

    Attributes
    ----------
    seconds : float
        Wall time of the block, in seconds; 0 until the block ends.

    Examples
    --------
    >>> with Stopwatch() as stopwatch:
    ...     pass
    >>> stopwatch.seconds < 1
    True
    """

    seconds = 0.0

    def __enter__(self):
        self._start = time.perf_counter()
        return self

    def __exit__(self, *exception):
        self.seconds = time.perf_counter() - self._start


def accuracy(probabilities, labels):
    """Return the fraction of images whose most probable class is the true class.

    Parameters
    ----------
    probabilities : array_like, shape (n, num_classes)
        The output of `model.predict`.
    labels : array_like of int, shape (n,)
        The true classes.

    Returns
    -------
    float
        A fraction from 0 to 1.

    Raises
    ------
    ValueError
        If the shapes do not match.
    """
    probabilities, labels = np.asarray(probabilities), np.asarray(labels)
    if probabilities.ndim != 2 or labels.shape != probabilities.shape[:1]:
        raise ValueError(
            "expected probabilities of shape (n, num_classes) and labels of shape (n,), got"
            f" {probabilities.shape} and {labels.shape}: pass integer labels, not one-hot vectors."
        )
    return float(np.mean(probabilities.argmax(axis=1) == labels))


def results_table(rows):
    """Format results as a text table for `print`, with one row per network.

    Parameters
    ----------
    rows : list of dict
        Each maps column names to values; the first row determines the columns. Values in columns
        whose names end in "accuracy" are fractions and are shown as percentages.

    Returns
    -------
    str
        The table. Numbers are right-aligned, and long texts are wrapped.
    """
    names = list(rows[0])
    is_text = [isinstance(rows[0][name], str) for name in names]
    # Use the first layout that fits: plain, with wrapped headings, or also with narrow texts.
    layouts = [(False, TEXT_WIDTH), (True, TEXT_WIDTH), (True, NARROW_TEXT_WIDTH)]
    for wrap_headings, text_width in layouts:
        head = _to_lines([[name.split() if wrap_headings else [name] for name in names]], True)
        body = _to_lines(
            [[_wrap(_format(name, row.get(name)), text_width) for name in names] for row in rows]
        )
        widths = [max(map(len, column)) for column in zip(*head, *body, strict=True)]
        if sum(widths) + 2 * (len(widths) - 1) <= MAX_WIDTH:
            break
    lines = [
        "  ".join(
            cell.ljust(width) if left else cell.rjust(width)
            for cell, width, left in zip(line, widths, is_text, strict=True)
        ).rstrip()
        for line in head + body
    ]
    return "\n".join([*lines[: len(head)], "-" * max(map(len, lines)), *lines[len(head) :]])


def _wrap(text: str, width: int) -> list[str]:
    """Break text into lines."""
    return textwrap.wrap(text, width, break_long_words=False) or [""]


def _to_lines(rows: list[list[list[str]]], align_bottom: bool = False) -> list[tuple[str, ...]]:
    """Split rows of multi-line cells into lines; cells with fewer lines are padded."""
    lines: list[tuple[str, ...]] = []
    # To pad at the top, pad the reversed lines at the end.
    step = -1 if align_bottom else 1
    for cells in rows:
        lines += list(zip_longest(*(cell[::step] for cell in cells), fillvalue=""))[::step]
    return lines


def _format(name: str, value: Any) -> str:
    """Format a value for its column."""
    if value is None:
        return "-"
    if isinstance(value, str):
        return value
    if name.endswith("accuracy"):
        return f"{100 * value:.1f} %"
    if name.endswith("loss"):
        return f"{value:.2f}"
    return f"{value:,}" if isinstance(value, int | np.integer) else f"{value:,.1f}"
