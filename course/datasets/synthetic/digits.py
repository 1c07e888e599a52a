"""Synthetic handwritten digits generated from a seed, and a function that draws your own digit.

A digit consists of a few strokes. For each image, they are bent, rotated, sheared, stretched, and
shifted at random and drawn with a random pen width. The position varies by several pixels, so that
a CNN classifies the digits clearly better than softmax regression does.
"""

from typing import Any

import numpy as np

from course.datasets.synthetic.digit_strokes import DIGIT_VARIANTS
from course.datasets.synthetic.labels import draw_labels, draw_variants
from course.errors import CourseError

IMAGE_SIZE = 28  # pixels, as in MNIST
DIGIT_HEIGHT = 17.0  # pixels; 20 in MNIST, but these digits need room for shifts
# How much the images vary: half-widths of uniform distributions around the defined strokes.
# Measured with 500 training and 1,000 test images: see tests/datasets/synthetic/test_digits.py.
SHIFT = 3.8  # pixels; the default of synthetic_digits
ROTATION = 0.15  # radians
SHEAR = 0.15
STRETCH = 0.1  # relative; width and height change independently
WOBBLE = 0.03  # as a fraction of the digit's height
NOISE = 4.0  # gray levels, standard deviation


def _segments(strokes: Any) -> np.ndarray:
    """Return strokes as segments (n, 2 ends, 2 coordinates); a dot is a segment of length 0."""
    segments = []
    for stroke in strokes:
        points = np.asarray(stroke, dtype="float32")
        starts, ends = (points, points) if len(points) == 1 else (points[:-1], points[1:])
        segments.append(np.stack([starts, ends], axis=1))
    return np.concatenate(segments)


def synthetic_digits(count, seed=0, shift=SHIFT):
    """Generate images of handwritten digits from a seed.

    Parameters
    ----------
    count : int
        The number of images, at least 1.
    seed : int or sequence of int
        The same seed, count, and shift give the same images.
    shift : float
        The maximum vertical and horizontal offset of a digit from the center, in pixels; at least
        0. The larger the shift, the more images a network needs to learn the digits.

    Returns
    -------
    images : ndarray of uint8, shape (count, 28, 28)
        White strokes (up to 255) on a black background (near 0), as in MNIST.
    labels : ndarray of uint8, shape (count,)
        0 to 9; each block of ten images contains each digit once, in random order.

    Raises
    ------
    CourseError
        If `count` is not an integer of 1 or greater, or `seed` is not a nonnegative integer or a
        sequence of nonnegative integers.
    """
    labels, random = draw_labels(count, seed)
    segments = _transform(_choose_variants(labels, random), shift, random)
    width = random.uniform(1.8, 3.2, count)
    images = _render(segments, width) * random.uniform(200, 255, (count, 1, 1)).astype("float32")
    images += NOISE * random.standard_normal(images.shape, dtype="float32")
    return np.clip(images, 0, 255).astype("uint8"), labels


def _choose_variants(labels: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Return segments (count, segments, 2, 2), from 0 to 1, of a random variant for each label."""
    digits = [list(map(_segments, DIGIT_VARIANTS[digit])) for digit in range(10)]
    longest = max(len(variant) for variants in digits for variant in variants)
    # Digits with fewer segments repeat their last one, so that all fit into one array.
    padded = [
        [variant[np.minimum(np.arange(longest), len(variant) - 1)] for variant in variants]
        for variants in digits
    ]
    return draw_variants(padded, labels, random)


def _transform(segments: np.ndarray, max_shift: float, random: np.random.Generator) -> np.ndarray:
    """Bend, rotate, shear, stretch, and shift digits; return their segments in pixels."""
    count = len(segments)

    def around_zero(half_width: float, *shape: int) -> np.ndarray:
        return random.uniform(-half_width, half_width, (count, *shape)).astype("float32")

    # A smooth wave goes through the whole digit, so that strokes that meet still meet.
    phase = around_zero(6.0, 2, 2)
    wave = np.einsum("npek,nkl->npel", segments, phase) + around_zero(np.pi, 1, 1, 2)
    points = segments - np.float32(0.5) + np.float32(WOBBLE) * np.sin(wave)
    angle, shear = around_zero(ROTATION), around_zero(SHEAR)
    rotate = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    skew = np.array([[np.ones(count), np.zeros(count)], [-shear, np.ones(count)]])
    stretch = DIGIT_HEIGHT * (1 + around_zero(STRETCH, 1, 2))
    matrix = stretch * np.einsum("ijn,jkn->nik", skew, rotate)
    shift = (IMAGE_SIZE - 1) / 2 + around_zero(max_shift, 1, 1, 2)
    return np.einsum("npek,nkl->npel", points, matrix.astype("float32")) + shift


def _render(segments: np.ndarray, width: Any) -> np.ndarray:
    """Draw segments (in pixels) with a round pen as an (n, 28, 28) array of values from 0 to 1."""
    segments, width = segments.astype("float32"), np.asarray(width, dtype="float32")
    # Draw a few images at a time, so that the arrays fit into the processor's cache.
    batches = [slice(first, first + 32) for first in range(0, len(segments), 32)]
    distance = np.concatenate([_distance(segments[batch]) for batch in batches])
    # A pixel half covered by the edge of the pen is half as bright.
    return np.clip(width[:, None, None] / 2 + 0.5 - distance, 0, 1)


def _distance(segments: np.ndarray) -> np.ndarray:
    """Return an (n, 28, 28) array of each pixel's distance in pixels to the nearest segment."""
    start, vector = segments[:, :, 0], segments[:, :, 1] - segments[:, :, 0]
    length = np.linalg.norm(vector, axis=-1, keepdims=True)
    # A dot has no direction: use any.
    direction = np.where(length > 0, vector / np.maximum(length, 1e-6), np.array([1, 0], "float32"))
    pixel = np.arange(IMAGE_SIZE, dtype="float32")
    x, y = pixel - start[..., :1], pixel - start[..., 1:]  # (count, segments, 28)
    direction_x, direction_y = direction[..., :1], direction[..., 1:]
    nearest = np.full((len(segments), IMAGE_SIZE, IMAGE_SIZE), np.inf, dtype="float32")
    for index in range(segments.shape[1]):
        along = (y * direction_y)[:, index, :, None] + (x * direction_x)[:, index, None]
        across = (y * direction_x)[:, index, :, None] - (x * direction_y)[:, index, None]
        # Now, `along` is 0 beside the segment; elsewhere, it is the distance beyond its end.
        along -= np.clip(along, 0, length[:, index, None])
        np.minimum(nearest, along**2 + across**2, out=nearest)
    return np.sqrt(nearest)


def draw_digit(strokes, thickness=2.2):
    """Draw your own digit in the style of the synthetic digits.

    Parameters
    ----------
    strokes : list of list of (x, y)
        Each stroke is a list of connected points, in pixels from 0 to 27; x increases to the right,
        and y increases downward. A stroke with one point is a dot.
    thickness : float
        The width of the pen in pixels, greater than 0 and at most 28.

    Returns
    -------
    ndarray of uint8, shape (28, 28)
        White strokes (255) on a black background (0).

    Raises
    ------
    CourseError
        If there are no strokes, a stroke is not a list of pairs, or a value is out of range.

    Examples
    --------
    >>> draw_digit([[(14, 4), (14, 23)]]).shape
    (28, 28)
    """
    if not isinstance(thickness, int | float | np.number) or not 0 < thickness <= IMAGE_SIZE:
        raise CourseError(
            f"thickness must be a number greater than 0 and at most {IMAGE_SIZE}, not"
            f" {thickness!r}: try 2.2."
        )
    if not isinstance(strokes, list | tuple | np.ndarray) or len(strokes) == 0:
        raise CourseError(
            "strokes is empty or not a list: write a list such as [[(14, 4), (14, 23)]]."
        )
    checked = [_check_stroke(number, points) for number, points in enumerate(strokes, start=1)]
    return np.round(255 * _render(_segments(checked)[None], [thickness])[0]).astype("uint8")


def _check_stroke(number: int, points: Any) -> np.ndarray:
    """Return the points of a student's stroke as an array of shape (points, 2)."""
    try:
        stroke = np.asarray(points, dtype="float32")
    except (TypeError, ValueError):
        stroke = np.empty(0)
    if stroke.ndim != 2 or stroke.shape[1] != 2 or len(stroke) == 0:
        raise CourseError(
            f"stroke {number} is not a list of (x, y) points: write a list of strokes, such as"
            " [[(14, 4), (14, 23)]]."
        )
    inside = (stroke >= 0) & (stroke <= IMAGE_SIZE - 1)  # NaN is not inside
    if not inside.all():
        x, y = stroke[~inside.all(axis=1)][0]
        raise CourseError(
            f"stroke {number} has the point ({x:g}, {y:g}) outside the image: x and y must be from"
            f" 0 to {IMAGE_SIZE - 1} pixels."
        )
    return stroke
