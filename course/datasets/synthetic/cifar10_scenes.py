"""Synthetic color images of CIFAR-10's ten classes, generated from a seed.

An image shows a silhouette in front of a background. The colors of the background hint at the
class; the silhouette determines it, whatever its position, size, and color. Softmax regression is
therefore better than chance, a network with a hidden layer is better, and a CNN is clearly best.
"""

from typing import Any

import numpy as np

from course.datasets.synthetic.cifar10_drawings import tone_maps
from course.datasets.synthetic.labels import draw_labels, draw_variants
from course.datasets.synthetic.polygons import BODY, DARK, GRID, LIGHT, SECOND, TONES

IMAGE_SIZE = 32  # pixels, as in CIFAR-10
# How much the images vary: bounds of uniform distributions.
# Measured with 800 training and 1,000 test images: see test_cifar10_scenes.py.
SIZE = (19.0, 26.0)  # side of the square that a silhouette fills, in pixels
SHIFT = 4.0  # pixels from the center
ROTATION = 0.15  # radians
STRETCH = 0.1  # relative; width and height change independently
TYPICAL_FRACTION = 0.6  # the fraction of images with a background that is typical of their class
COLOR_SHIFT = 22.0  # levels by which a background's colors differ from those in the table
LIGHTING = 22.0  # levels of gradual changes of brightness across an image
NOISE = 6.0  # levels, standard deviation
# Variants of each background: colors above and below the horizon.
BACKGROUNDS = {
    "sky": [((96, 160, 226), (176, 208, 238)), ((222, 228, 234), (190, 200, 212)),
            ((48, 62, 110), (196, 120, 96))],
    "water": [((168, 200, 228), (46, 96, 142)), ((226, 180, 140), (66, 74, 110))],
    "meadow": [((150, 186, 200), (98, 142, 62)), ((58, 84, 48), (112, 130, 60)),
               ((206, 206, 186), (172, 156, 92))],
    "street": [((172, 184, 196), (112, 112, 116)), ((120, 104, 92), (84, 84, 90)),
               ((210, 212, 214), (164, 160, 154))],
    "room": [((212, 186, 148), (150, 106, 70)), ((122, 78, 66), (96, 66, 48)),
             ((226, 214, 196), (188, 150, 130))],
}  # fmt: skip
# The typical background of each class.
TYPICAL_BACKGROUNDS = (
    "sky", "street", "sky", "room", "meadow", "room", "meadow", "meadow", "water", "street",
)  # fmt: skip
# Colors of silhouettes.
FUR = [(150, 100, 60), (92, 62, 42), (56, 52, 52), (205, 175, 130), (228, 222, 212),
       (130, 126, 124)]  # fmt: skip
PAINT = [(196, 44, 40), (40, 78, 168), (232, 232, 230), (232, 186, 46), (60, 62, 68),
         (44, 126, 92), (146, 152, 158), (226, 116, 40)]  # fmt: skip
SKIN = [(92, 146, 52), (62, 104, 48), (142, 160, 60), (120, 96, 56), (186, 130, 50)]
FEATHERS = [*FUR[1:], (186, 62, 48), (62, 104, 168), (226, 188, 66)]
METAL = [(236, 236, 238), (196, 200, 206), (120, 128, 140), (60, 70, 96), (190, 60, 54)]
CLASS_COLORS = (METAL, PAINT, FEATHERS, FUR, FUR[:4], FUR, SKIN, FUR, PAINT, PAINT)


def synthetic_scenes(count, seed=0):
    """Generate images of the ten CIFAR-10 classes from a seed.

    Parameters
    ----------
    count : int
        The number of images, at least 1.
    seed : int or sequence of int
        The same seed and count give the same images.

    Returns
    -------
    images : ndarray of uint8, shape (count, 32, 32, 3)
        Red, green, and blue values from 0 to 255.
    labels : ndarray of uint8, shape (count,)
        0 to 9 as in CIFAR-10; each block of ten images contains each class once, in random order.

    Raises
    ------
    CourseError
        If `count` is not an integer of 1 or greater, or `seed` is not a nonnegative integer or a
        sequence of nonnegative integers.
    """
    labels, random = draw_labels(count, seed)
    background = _backgrounds(labels, random)
    coverage = _silhouettes(labels, random)
    colors = _colors(labels, background, random)
    images = coverage[..., :1] * background + coverage[..., 1:] @ colors[:, None]
    images += _gradual(LIGHTING, 1, count, random)
    images += NOISE * random.standard_normal(images.shape, dtype="float32")
    return np.clip(images, 0, 255).astype("uint8"), labels


def _around_zero(half_width: float, shape: Any, random: np.random.Generator) -> np.ndarray:
    """Draw an array from a uniform distribution around zero."""
    return random.uniform(-half_width, half_width, shape).astype("float32")


def _gradual(
    half_width: float, channels: int, count: int, random: np.random.Generator
) -> np.ndarray:
    """Draw an array (count, 32, 32, channels) of values that change gradually across each image."""
    knots = _around_zero(half_width, (count, 4, 4, channels), random)
    position = np.linspace(0, 3, IMAGE_SIZE, dtype="float32")
    weights = np.maximum(0, 1 - np.abs(position[:, None] - np.arange(4, dtype="float32")))
    return np.einsum("yk,nklc,xl->nyxc", weights, knots, weights, optimize=True)


def _backgrounds(labels: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Draw an array (count, 32, 32, 3) of backgrounds with a horizon."""
    count = len(labels)
    names = list(BACKGROUNDS)
    typical = np.array([names.index(name) for name in TYPICAL_BACKGROUNDS])[labels]
    is_typical = random.random(count) < TYPICAL_FRACTION
    chosen = np.where(is_typical, typical, random.integers(len(names), size=count))
    pair = draw_variants(BACKGROUNDS.values(), chosen, random)
    pair += _around_zero(COLOR_SHIFT, (count, 2, 3), random)
    pair += _around_zero(COLOR_SHIFT, (count, 1, 1), random)
    horizon = random.uniform(8, 24, (count, 1)).astype("float32")
    softness = random.uniform(0.3, 6, (count, 1)).astype("float32")
    slope = _around_zero(0.1, (count, 1, 1), random)
    rows = np.arange(IMAGE_SIZE, dtype="float32")
    offset = ((rows - horizon)[:, :, None] + slope * (rows - 16)) / softness[..., None]
    below = 1 / (1 + np.exp(-np.clip(offset, -30, 30)))[..., None]
    return pair[:, None, None, 0] + below * (pair[:, 1] - pair[:, 0])[:, None, None]


def _silhouettes(labels: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Return an array (count, 32, 32, tones): the fraction of each pixel that each tone covers."""
    count = len(labels)
    maps = tone_maps()
    drawing = random.integers(maps.shape[1], size=count)
    size = random.uniform(*SIZE, (count, 1)) * (1 + _around_zero(STRETCH, (count, 2), random))
    angle = _around_zero(ROTATION, count, random)
    mirrored = random.choice([-1.0, 1.0], count)
    center = (IMAGE_SIZE - 1) / 2 + _around_zero(SHIFT, (count, 2), random)
    # Map pixels to cells of the drawing; four points per pixel make smooth edges.
    points = np.arange(IMAGE_SIZE * 2, dtype="float32") / 2 - 0.25
    cos, sin = np.cos(angle), np.sin(angle)
    across, down = (GRID / size * np.stack([mirrored, np.ones(count)], axis=1)).T
    matrix = np.array([[cos * across, sin * across], [-sin * down, cos * down]])

    def cells(row: np.ndarray) -> np.ndarray:
        by_x = row[0][:, None] * (points - center[:, :1]) + GRID / 2
        by_y = row[1][:, None] * (points - center[:, 1:])
        return np.clip((by_y[:, :, None] + by_x[:, None]).astype("int16"), -1, GRID)

    column, row = cells(matrix[0].astype("float32")), cells(matrix[1].astype("float32"))
    framed = np.pad(maps, ((0, 0), (0, 0), (1, 1), (1, 1)))
    flat = ((labels * maps.shape[1] + drawing) * (GRID + 2) ** 2).astype("int32")[:, None, None]
    tones = framed.ravel()[flat + (row + 1).astype("int32") * (GRID + 2) + column + 1]
    tones = tones.reshape(count, IMAGE_SIZE, 2, IMAGE_SIZE, 2)
    fractions = [(tones == tone).mean(axis=(2, 4), dtype="float32") for tone in range(TONES)]
    return np.stack(fractions, axis=-1)


def _colors(labels: np.ndarray, background: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Draw an array (count, tones - 1, 3) of colors for the tones of the silhouettes."""
    count = len(labels)
    body = draw_variants(CLASS_COLORS, labels, random)
    body += _around_zero(20, (count, 3), random) + _around_zero(15, (count, 1), random)
    contrast = body.mean(axis=1) - background.mean(axis=(1, 2, 3))
    body += (np.sign(contrast) * np.clip(55 - np.abs(contrast), 0, None))[:, None]
    colors = np.empty((count, TONES, 3), dtype="float32")
    factor = np.where(body.mean(axis=1) > 120, 0.7, 1.5)[:, None]
    colors[:, BODY], colors[:, SECOND] = body, body * factor
    colors[:, DARK] = 28 + _around_zero(16, (count, 3), random)
    colors[:, LIGHT] = 215 + _around_zero(25, (count, 3), random)
    return colors[:, 1:]
