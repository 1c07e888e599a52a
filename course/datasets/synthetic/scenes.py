"""Synthetic colour pictures of CIFAR-10's ten classes, drawn from a seed: for tests and quick runs.

A picture is a silhouette before a background. The background's colours tell the class only partly;
the silhouette tells it, but stands anywhere, in any size and colour. So a linear network learns
something, a hidden layer more, and a network that looks for shapes wherever they are clearly most.
"""

import numpy as np

from course.datasets.synthetic.labels import draw_labels
from course.datasets.synthetic.shapes import BODY, DARK, GRID, LIGHT, SECOND, TONES
from course.datasets.synthetic.silhouettes import tone_maps

IMAGE_SIZE = 32  # pixels, as in CIFAR-10
# How much the pictures differ: the ends of uniform distributions.
# Measured with 800 training pictures and 1,000 others: see tests/datasets/synthetic/test_scenes.py.
SIZE = (19.0, 26.0)  # pixels, of the square that a silhouette fills
SHIFT = 4.0  # pixels, from the middle
TILT = 0.15  # radians
STRETCH = 0.1  # of width and height, independently
AT_HOME = 0.6  # share of the pictures whose background is one of their class
COLOUR = 22.0  # levels by which a background's colours differ from those below
LIGHTS = 22.0  # levels of slow changes of light across a picture
NOISE = 6.0  # levels, standard deviation
# Colours above and below the horizon; by place, as the light may be.
PLACES = {
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
HOMES = (
    "sky", "street", "sky", "room", "meadow", "room", "meadow", "meadow", "water", "street",
)  # fmt: skip
# Colours of silhouettes.
FUR = [(150, 100, 60), (92, 62, 42), (56, 52, 52), (205, 175, 130), (228, 222, 212),
       (130, 126, 124)]  # fmt: skip
PAINT = [(196, 44, 40), (40, 78, 168), (232, 232, 230), (232, 186, 46), (60, 62, 68),
         (44, 126, 92), (146, 152, 158), (226, 116, 40)]  # fmt: skip
SKIN = [(92, 146, 52), (62, 104, 48), (142, 160, 60), (120, 96, 56), (186, 130, 50)]
FEATHERS = [*FUR[1:], (186, 62, 48), (62, 104, 168), (226, 188, 66)]
METAL = [(236, 236, 238), (196, 200, 206), (120, 128, 140), (60, 70, 96), (190, 60, 54)]
COATS = (METAL, PAINT, FEATHERS, FUR, FUR[:4], FUR, SKIN, FUR, PAINT, PAINT)


def synthetic_scenes(count, seed=0):
    """Draw pictures of the ten classes of CIFAR-10 from a seed.

    Parameters
    ----------
    count : int
        How many pictures, at least 1.
    seed : int or sequence of int
        The same seed and count give the same pictures.

    Returns
    -------
    images : ndarray of uint8, shape (count, 32, 32, 3)
        Red, green and blue from 0 to 255.
    labels : ndarray of uint8, shape (count,)
        0 to 9 as in CIFAR-10, each once in every ten pictures, in random order.

    Raises
    ------
    CourseError
        If `count` is not a whole number of at least 1, or `seed` not one of at least 0.
    """
    labels, random = draw_labels(count, seed)
    background = _backgrounds(labels, random)
    share = _place(labels, random)
    colours = _colours(labels, background, random)
    images = share[..., :1] * background + share[..., 1:] @ colours[:, None]
    images += _slow(LIGHTS, 1, count, random)
    images += NOISE * random.standard_normal(images.shape, dtype="float32")
    return np.clip(images, 0, 255).astype("uint8"), labels


def _around_zero(half_width, shape, random):
    return random.uniform(-half_width, half_width, shape).astype("float32")


def _slow(half_width, channels, count, random):
    """Draw what changes slowly across a picture, shape (count, 32, 32, channels)."""
    knots = _around_zero(half_width, (count, 4, 4, channels), random)
    place = np.linspace(0, 3, IMAGE_SIZE, dtype="float32")
    weights = np.maximum(0, 1 - np.abs(place[:, None] - np.arange(4, dtype="float32")))
    return np.einsum("yk,nklc,xl->nyxc", weights, knots, weights, optimize=True)


def _backgrounds(labels, random):
    """Draw what lies above and below a horizon, shape (count, 32, 32, 3)."""
    count = len(labels)
    names = list(PLACES)
    ways = np.array([len(PLACES[name]) for name in names])
    table = np.array([pair for name in names for pair in PLACES[name]], dtype="float32")
    home = np.array([names.index(name) for name in HOMES])[labels]
    place = np.where(random.random(count) < AT_HOME, home, random.integers(len(names), size=count))
    pair = table[(np.cumsum(ways) - ways)[place] + random.integers(ways[place])]
    pair = pair + _around_zero(COLOUR, (count, 2, 3), random)
    pair += _around_zero(COLOUR, (count, 1, 1), random)
    horizon = random.uniform(8, 24, (count, 1)).astype("float32")
    softness = random.uniform(0.3, 6, (count, 1)).astype("float32")
    slope = _around_zero(0.1, (count, 1, 1), random)
    rows = np.arange(IMAGE_SIZE, dtype="float32")
    offset = ((rows - horizon)[:, :, None] + slope * (rows - 16)) / softness[..., None]
    below = 1 / (1 + np.exp(-np.clip(offset, -30, 30)))[..., None]
    return pair[:, None, None, 0] + below * (pair[:, 1] - pair[:, 0])[:, None, None]


def _place(labels, random):
    """Return how much of each pixel has which tone, shape (count, 32, 32, tones)."""
    count = len(labels)
    maps = tone_maps()
    drawing = random.integers(maps.shape[1], size=count)
    size = random.uniform(*SIZE, (count, 1)) * (1 + _around_zero(STRETCH, (count, 2), random))
    tilt = _around_zero(TILT, count, random)
    mirrored = random.choice([-1.0, 1.0], count)
    middle = (IMAGE_SIZE - 1) / 2 + _around_zero(SHIFT, (count, 2), random)
    # From pixels back to the drawing; four points a pixel make smooth edges.
    points = np.arange(IMAGE_SIZE * 2, dtype="float32") / 2 - 0.25
    cos, sin = np.cos(tilt), np.sin(tilt)
    across, down = (GRID / size * np.stack([mirrored, np.ones(count)], axis=1)).T
    matrix = np.array([[cos * across, sin * across], [-sin * down, cos * down]])

    def cells(row):
        by_x = row[0][:, None] * (points - middle[:, :1]) + GRID / 2
        by_y = row[1][:, None] * (points - middle[:, 1:])
        return np.clip((by_y[:, :, None] + by_x[:, None]).astype("int16"), -1, GRID)

    column, row = cells(matrix[0].astype("float32")), cells(matrix[1].astype("float32"))
    framed = np.pad(maps, ((0, 0), (0, 0), (1, 1), (1, 1)))
    flat = ((labels * maps.shape[1] + drawing) * (GRID + 2) ** 2).astype("int32")[:, None, None]
    tones = framed.ravel()[flat + (row + 1).astype("int32") * (GRID + 2) + column + 1]
    tones = tones.reshape(count, IMAGE_SIZE, 2, IMAGE_SIZE, 2)
    shares = [(tones == tone).mean(axis=(2, 4), dtype="float32") for tone in range(TONES)]
    return np.stack(shares, axis=-1)


def _colours(labels, background, random):
    """Return the colours of the silhouettes' tones, shape (count, tones - 1, 3)."""
    count = len(labels)
    ways = np.array([len(coat) for coat in COATS])
    table = np.array([colour for coat in COATS for colour in coat], dtype="float32")
    body = table[(np.cumsum(ways) - ways)[labels] + random.integers(ways[labels])]
    body += _around_zero(20, (count, 3), random) + _around_zero(15, (count, 1), random)
    contrast = body.mean(axis=1) - background.mean(axis=(1, 2, 3))
    body += (np.sign(contrast) * np.clip(55 - np.abs(contrast), 0, None))[:, None]
    colours = np.empty((count, TONES, 3), dtype="float32")
    factor = np.where(body.mean(axis=1) > 120, 0.7, 1.5)[:, None]
    colours[:, BODY], colours[:, SECOND] = body, body * factor
    colours[:, DARK] = 28 + _around_zero(16, (count, 3), random)
    colours[:, LIGHT] = 215 + _around_zero(25, (count, 3), random)
    return colours[:, 1:]
