"""What all synthetic pictures begin with: a checked count, a seed, balanced labels."""

import numpy as np

from course.errors import CourseError


def draw_labels(count, seed):
    """Draw the labels of ten classes.

    Parameters
    ----------
    count : int
        How many, at least 1.
    seed : int or sequence of int
        The same seed and count give the same labels.

    Returns
    -------
    labels : ndarray of uint8, shape (count,)
        0 to 9, each once in every ten, in random order.
    random : numpy.random.Generator
        What the pictures are then drawn with.

    Raises
    ------
    CourseError
        If `count` is not a whole number of at least 1, or `seed` not one of at least 0.
    """
    if isinstance(count, bool) or not isinstance(count, int | np.integer) or count < 1:
        raise CourseError(f"count={count!r} is not a whole number of at least 1: choose one.")
    try:
        random = np.random.default_rng(np.atleast_1d(seed))  # None, in an array, is an error
    except (TypeError, ValueError):
        raise CourseError(
            f"seed={seed!r} is not a whole number of at least 0: choose one."
        ) from None
    # Ten in a row hold each class once, so that a small part of them is balanced too.
    tens = np.tile(np.arange(10, dtype="uint8"), ((count + 9) // 10, 1))
    return random.permuted(tens, axis=1).ravel()[:count], random
