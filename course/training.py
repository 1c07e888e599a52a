"""Helpers for training: a stopwatch and the accuracy of predictions."""

import time

import numpy as np


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
