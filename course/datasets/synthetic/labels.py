"""Random choices for all synthetic images: balanced labels, and variants of each class."""

from typing import Any

import numpy as np

from course.errors import CourseError


def draw_labels(count: int, seed: Any) -> tuple[np.ndarray, np.random.Generator]:
    """Return `count` balanced uint8 labels of ten classes, and the random generator for the images.

    CourseError is raised if the count is not an integer of 1 or greater, or if the seed is not a
    nonnegative integer or a sequence of nonnegative integers.
    """
    if isinstance(count, bool) or not isinstance(count, int | np.integer) or count < 1:
        raise CourseError(f"count must be an integer of 1 or greater, not {count!r}.")
    try:
        # None raises a TypeError only inside an array; by itself, it means an unpredictable seed.
        random = np.random.default_rng(np.atleast_1d(seed))
    except (TypeError, ValueError):
        raise CourseError(
            f"seed must be a nonnegative integer, or a sequence of them, not {seed!r}."
        ) from None
    # Each block of ten labels contains every class once, so that small subsets are balanced too.
    tens = np.tile(np.arange(10, dtype="uint8"), ((count + 9) // 10, 1))
    return random.permuted(tens, axis=1).ravel()[:count], random


def draw_variants(groups: Any, chosen: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Return a random float32 variant from each chosen group; groups can differ in size."""
    counts = np.array([len(group) for group in groups])
    table = np.array([variant for group in groups for variant in group], dtype="float32")
    return table[(np.cumsum(counts) - counts)[chosen] + random.integers(counts[chosen])]
