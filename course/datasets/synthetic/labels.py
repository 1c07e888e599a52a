"""Balanced random labels, and the checks of count and seed that all synthetic images share."""

import numpy as np

from course.errors import CourseError


def draw_labels(count, seed):
    """Draw balanced labels of ten classes.

    Parameters
    ----------
    count : int
        The number of labels, at least 1.
    seed : int or sequence of int
        The same seed and count give the same labels.

    Returns
    -------
    labels : ndarray of uint8, shape (count,)
        0 to 9; every ten in a row contain each class once, in random order.
    random : numpy.random.Generator
        The generator to draw the images with.

    Raises
    ------
    CourseError
        If `count` is not a whole number of at least 1, or `seed` is not one of at least 0.
    """
    if isinstance(count, bool) or not isinstance(count, int | np.integer) or count < 1:
        raise CourseError(f"count={count!r} is not a whole number of at least 1: choose one.")
    try:
        random = np.random.default_rng(
            np.atleast_1d(seed)
        )  # None raises a TypeError inside an array
    except (TypeError, ValueError):
        raise CourseError(
            f"seed={seed!r} is not a whole number of at least 0: choose one."
        ) from None
    # Each ten in a row contain every class once, so that small subsets are balanced too.
    tens = np.tile(np.arange(10, dtype="uint8"), ((count + 9) // 10, 1))
    return random.permuted(tens, axis=1).ravel()[:count], random
