"""Random draws that all synthetic images share: balanced labels, and variants of each class."""

from typing import Any

import numpy as np

from course.errors import CourseError


def draw_labels(count: int, seed: Any) -> tuple[np.ndarray, np.random.Generator]:
    """Return `count` balanced labels of ten classes (uint8), and the generator for the images.

    CourseError is raised if the count is not a whole number of at least 1, or the seed not one, or
    a sequence, of at least 0.
    """
    if isinstance(count, bool) or not isinstance(count, int | np.integer) or count < 1:
        raise CourseError(f"count={count!r} is not a whole number of at least 1: choose one.")
    try:
        # None raises a TypeError only inside an array.
        random = np.random.default_rng(np.atleast_1d(seed))
    except (TypeError, ValueError):
        raise CourseError(
            f"seed={seed!r} is not a whole number of at least 0: choose one."
        ) from None
    # Each ten in a row contain every class once, so that small subsets are balanced too.
    tens = np.tile(np.arange(10, dtype="uint8"), ((count + 9) // 10, 1))
    return random.permuted(tens, axis=1).ravel()[:count], random


def draw_variants(groups: Any, chosen: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Return a random variant (float32) of each chosen group; groups can differ in size."""
    counts = np.array([len(group) for group in groups])
    table = np.array([variant for group in groups for variant in group], dtype="float32")
    return table[(np.cumsum(counts) - counts)[chosen] + random.integers(counts[chosen])]
