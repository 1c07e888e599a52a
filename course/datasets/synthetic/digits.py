"""Synthetic handwritten digits, drawn from a seed: for tests and for a student's own digit.

A digit is a handful of strokes. Every picture bends, turns, slants, stretches and moves them, takes
a pen of another width and draws. Where a digit stands on the picture varies by several pixels, so
that a network which looks for shapes wherever they are does clearly better than a linear one.
"""

import numpy as np

from course.datasets.synthetic.digit_strokes import WRITINGS
from course.datasets.synthetic.labels import draw_labels
from course.errors import CourseError

IMAGE_SIZE = 28  # pixels, as in MNIST
DIGIT_HEIGHT = 17.0  # pixels; MNIST's digits fill 20, ours leave room to move
# How much the pictures differ: half-widths of uniform distributions around the drawn strokes.
# Measured with 500 training and 1,000 test pictures: see tests/datasets/synthetic/test_digits.py.
SHIFT = 3.8  # pixels; unless synthetic_digits is told another
ROTATION = 0.15  # radians
SHEAR = 0.15
STRETCH = 0.1  # of width and height, independently
WOBBLE = 0.03  # of the digit's height
NOISE = 4.0  # grey levels, standard deviation


def _segments(strokes):
    """Return the straight pieces of strokes, shape (pieces, 2 ends, 2); a dot has length 0."""
    pieces = []
    for stroke in strokes:
        points = np.asarray(stroke, dtype="float32")
        starts, ends = (points, points) if len(points) == 1 else (points[:-1], points[1:])
        pieces.append(np.stack([starts, ends], axis=1))
    return np.concatenate(pieces)


def synthetic_digits(count, seed=0, shift=SHIFT):
    """Draw handwritten digits from a seed.

    Parameters
    ----------
    count : int
        How many pictures, at least 1.
    seed : int or sequence of int
        The same seed, count and shift give the same pictures.
    shift : float
        How far a digit may stand from the middle, up and down, left and right; in pixels, at least
        0. The further, the more pictures a network needs to learn them.

    Returns
    -------
    images : ndarray of uint8, shape (count, 28, 28)
        White ink (up to 255) on black paper (near 0), as in MNIST.
    labels : ndarray of uint8, shape (count,)
        0 to 9, each once in every ten pictures, in random order.

    Raises
    ------
    CourseError
        If `count` is not a whole number of at least 1, or `seed` not one of at least 0.
    """
    labels, random = draw_labels(count, seed)
    pieces = _place(_choose_writings(labels, random), shift, random)
    width = random.uniform(1.8, 3.2, count)
    images = _render(pieces, width) * random.uniform(200, 255, (count, 1, 1)).astype("float32")
    images += NOISE * random.standard_normal(images.shape, dtype="float32")
    return np.clip(images, 0, 255).astype("uint8"), labels


def _choose_writings(labels, random):
    """Return the pieces of one writing a label, shape (count, pieces, 2, 2), from 0 to 1."""
    writings = [_segments(strokes) for digit in range(10) for strokes in WRITINGS[digit]]
    longest = max(map(len, writings))
    # Digits with fewer pieces repeat their last one, so that all are drawn in one go.
    table = np.stack([piece[np.minimum(np.arange(longest), len(piece) - 1)] for piece in writings])
    ways = np.array([len(WRITINGS[digit]) for digit in range(10)])
    first = np.cumsum(ways) - ways
    return table[first[labels] + random.integers(ways[labels])]


def _place(pieces, farthest, random):
    """Bend, turn, slant, stretch and move digits; return their pieces in pixels."""
    count = len(pieces)

    def around_zero(half_width, *shape):
        return random.uniform(-half_width, half_width, (count, *shape)).astype("float32")

    # A slow wave through the whole digit: strokes that meet still meet.
    wave = np.einsum("npek,nkl->npel", pieces, around_zero(6.0, 2, 2)) + around_zero(np.pi, 1, 1, 2)
    points = pieces - np.float32(0.5) + np.float32(WOBBLE) * np.sin(wave)
    angle, shear = around_zero(ROTATION), around_zero(SHEAR)
    rotate = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    slant = np.array([[np.ones(count), np.zeros(count)], [-shear, np.ones(count)]])
    stretch = DIGIT_HEIGHT * (1 + around_zero(STRETCH, 1, 2))
    matrix = stretch * np.einsum("ijn,jkn->nik", slant, rotate)
    shift = (IMAGE_SIZE - 1) / 2 + around_zero(farthest, 1, 1, 2)
    return np.einsum("npek,nkl->npel", points, matrix.astype("float32")) + shift


def _render(pieces, width):
    """Draw straight pieces with a round pen.

    Parameters
    ----------
    pieces : ndarray, shape (count, pieces, 2 ends, 2)
        In pixels; (0, 0) is the middle of the pixel at the upper left.
    width : ndarray, shape (count,)
        Of the pen, in pixels.

    Returns
    -------
    ndarray of float32, shape (count, 28, 28)
        Ink from 0 to 1.
    """
    pieces, width = pieces.astype("float32"), np.asarray(width, dtype="float32")
    # A few pictures at a time: what is computed on stays in the processor's cache.
    parts = [slice(first, first + 32) for first in range(0, len(pieces), 32)]
    distance = np.concatenate([_distance(pieces[part]) for part in parts])
    # A pixel half covered by the pen's edge is half as bright.
    return np.clip(width[:, None, None] / 2 + 0.5 - distance, 0, 1)


def _distance(pieces):
    """Return how far each pixel lies from the nearest piece, shape (count, 28, 28), in pixels."""
    start, vector = pieces[:, :, 0], pieces[:, :, 1] - pieces[:, :, 0]
    length = np.linalg.norm(vector, axis=-1, keepdims=True)
    # A dot has no direction; any does.
    direction = np.where(length > 0, vector / np.maximum(length, 1e-6), np.float32([1, 0]))
    pixel = np.arange(IMAGE_SIZE, dtype="float32")
    x, y = pixel - start[..., :1], pixel - start[..., 1:]  # (count, pieces, 28)
    direction_x, direction_y = direction[..., :1], direction[..., 1:]
    nearest = np.full((len(pieces), IMAGE_SIZE, IMAGE_SIZE), np.inf, dtype="float32")
    for index in range(pieces.shape[1]):
        along = (y * direction_y)[:, index, :, None] + (x * direction_x)[:, index, None]
        across = (y * direction_x)[:, index, :, None] - (x * direction_y)[:, index, None]
        along -= np.clip(along, 0, length[:, index, None])  # 0 beside the piece, else past its end
        np.minimum(nearest, along**2 + across**2, out=nearest)
    return np.sqrt(nearest)


def draw_digit(strokes, thickness=2.2):
    """Draw a digit of your own with the pen that draws the synthetic ones.

    Parameters
    ----------
    strokes : list of list of (x, y)
        Each stroke is a list of points, in pixels from 0 to 27, x to the right and y down; the pen
        is lifted between strokes. A stroke of one point is a dot.
    thickness : float
        Width of the pen in pixels, above 0 and at most 28.

    Returns
    -------
    ndarray of uint8, shape (28, 28)
        White ink (255) on black paper (0).

    Raises
    ------
    CourseError
        If there is no stroke, a stroke is not a list of pairs, or a number is out of range.

    Examples
    --------
    >>> draw_digit([[(14, 4), (14, 23)]]).shape
    (28, 28)
    """
    if not isinstance(thickness, int | float | np.number) or not 0 < thickness <= IMAGE_SIZE:
        raise CourseError(
            f"thickness={thickness!r} is not a number above 0 and at most {IMAGE_SIZE}: try 2.2."
        )
    if not isinstance(strokes, list | tuple | np.ndarray) or len(strokes) == 0:
        raise CourseError(
            "strokes holds nothing to draw: give a list of strokes, such as [[(14, 4), (14, 23)]]."
        )
    pieces = _segments([_stroke(number, points) for number, points in enumerate(strokes, start=1)])
    return np.round(255 * _render(pieces[None], [thickness])[0]).astype("uint8")


def _stroke(number, points):
    """Return the points of a student's stroke, shape (points, 2)."""
    try:
        stroke = np.asarray(points, dtype="float32")
    except (TypeError, ValueError):
        stroke = np.empty(0)
    if stroke.ndim != 2 or stroke.shape[1] != 2 or len(stroke) == 0:
        raise CourseError(
            f"Stroke {number} is not a list of (x, y) points: write it as [(14, 4), (14, 23)]."
        )
    inside = (stroke >= 0) & (stroke <= IMAGE_SIZE - 1)  # not a number is not inside either
    if not inside.all():
        x, y = stroke[~inside.all(axis=1)][0]
        raise CourseError(
            f"Stroke {number} has the point ({x:g}, {y:g}) outside the picture: x and y go from 0"
            f" to {IMAGE_SIZE - 1} pixels."
        )
    return stroke
