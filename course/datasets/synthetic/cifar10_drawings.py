"""Drawings of the ten CIFAR-10 classes, from which synthetic scenes are composed."""

from functools import cache

import numpy as np

from course.datasets.synthetic.polygons import (
    BODY,
    DARK,
    LIGHT,
    SECOND,
    bars,
    box,
    ellipse,
    legs,
    polygon,
    rasterize,
    wheels,
)

AIRPLANES = [
    [  # from the side
        polygon(BODY, (0.78, 0.5), (0.88, 0.2), (0.98, 0.2), (0.95, 0.5)),
        ellipse(BODY, 0.5, 0.52, 0.5, 0.1),
        polygon(SECOND, (0.36, 0.53), (0.54, 0.53), (0.8, 0.78), (0.7, 0.8)),
        polygon(SECOND, (0.82, 0.48), (0.92, 0.48), (1, 0.58), (0.95, 0.6)),
        box(DARK, 0.2, 0.48, 0.74, 0.51),
        polygon(DARK, (0.04, 0.49), (0.12, 0.45), (0.13, 0.5)),
    ],
    [  # from below
        polygon(SECOND, (0.42, 0.5), (0.36, 0.28), (0.62, 0.02), (0.72, 0.02), (0.6, 0.5)),
        polygon(SECOND, (0.42, 0.5), (0.36, 0.72), (0.62, 0.98), (0.72, 0.98), (0.6, 0.5)),
        polygon(SECOND, (0.84, 0.5), (0.93, 0.3), (1, 0.3), (0.96, 0.5), (1, 0.7), (0.93, 0.7)),
        ellipse(BODY, 0.5, 0.5, 0.5, 0.085),
        ellipse(DARK, 0.44, 0.24, 0.07, 0.03),
        ellipse(DARK, 0.44, 0.76, 0.07, 0.03),
    ],
]
AUTOMOBILES = [
    [  # from the side
        polygon(BODY, (0.2, 0.5), (0.34, 0.3), (0.68, 0.3), (0.84, 0.5)),
        polygon(LIGHT, (0.27, 0.48), (0.37, 0.34), (0.49, 0.34), (0.49, 0.48)),
        polygon(LIGHT, (0.53, 0.48), (0.53, 0.34), (0.66, 0.34), (0.76, 0.48)),
        polygon(BODY, (0, 0.55), (0.15, 0.48), (0.85, 0.48), (1, 0.54), (1, 0.7), (0, 0.7)),
        box(SECOND, 0, 0.64, 1, 0.7),
        *wheels(0.115, 0.7, 0.23, 0.77),
    ],
    [  # from the front
        box(DARK, 0.12, 0.7, 0.27, 0.86),
        box(DARK, 0.73, 0.7, 0.88, 0.86),
        polygon(BODY, (0.14, 0.46), (0.26, 0.2), (0.74, 0.2), (0.86, 0.46)),
        polygon(DARK, (0.2, 0.45), (0.3, 0.25), (0.7, 0.25), (0.8, 0.45)),
        polygon(
            BODY, (0.06, 0.5), (0.16, 0.44), (0.84, 0.44), (0.94, 0.5), (0.94, 0.77), (0.06, 0.77)
        ),
        box(DARK, 0.34, 0.57, 0.66, 0.66),
        ellipse(LIGHT, 0.19, 0.58, 0.09, 0.06),
        ellipse(LIGHT, 0.81, 0.58, 0.09, 0.06),
    ],
]
BIRDS = [
    [  # on the ground
        *bars(DARK, 0.03, (0.46, 0.7), (0.44, 0.96), (0.34, 0.96)),
        *bars(DARK, 0.03, (0.56, 0.7), (0.56, 0.96), (0.46, 0.96)),
        polygon(SECOND, (0.68, 0.5), (1, 0.78), (0.9, 0.84), (0.6, 0.68)),
        ellipse(BODY, 0.5, 0.54, 0.29, 0.19, 24),
        ellipse(BODY, 0.27, 0.32, 0.14, 0.14),
        polygon(DARK, (0.15, 0.27), (0.15, 0.37), (0, 0.35)),
        ellipse(SECOND, 0.57, 0.54, 0.2, 0.1, 30),
        ellipse(DARK, 0.25, 0.3, 0.035, 0.035),
    ],
    [  # flying
        polygon(SECOND, (0.38, 0.56), (0.5, 0.06), (0.62, 0.02), (0.64, 0.56)),
        polygon(BODY, (0.36, 0.6), (0.62, 0.6), (0.96, 0.2), (0.8, 0.16)),
        polygon(SECOND, (0.66, 0.56), (0.97, 0.62), (0.95, 0.76), (0.64, 0.68)),
        ellipse(BODY, 0.46, 0.62, 0.27, 0.11, 4),
        ellipse(BODY, 0.18, 0.55, 0.11, 0.1),
        polygon(DARK, (0.09, 0.51), (0.09, 0.59), (0, 0.57)),
        ellipse(DARK, 0.17, 0.53, 0.03, 0.03),
    ],
]
CATS = [
    [  # sitting, seen from the front
        *bars(SECOND, 0.08, (0.66, 0.9), (0.9, 0.86), (0.95, 0.62)),
        ellipse(BODY, 0.5, 0.76, 0.24, 0.24),
        polygon(BODY, (0.22, 0.36), (0.2, 0.02), (0.46, 0.16)),
        polygon(BODY, (0.78, 0.36), (0.8, 0.02), (0.54, 0.16)),
        ellipse(BODY, 0.5, 0.34, 0.3, 0.25),
        ellipse(LIGHT, 0.38, 0.31, 0.075, 0.06),
        ellipse(LIGHT, 0.62, 0.31, 0.075, 0.06),
        ellipse(DARK, 0.38, 0.31, 0.03, 0.06),
        ellipse(DARK, 0.62, 0.31, 0.03, 0.06),
        polygon(DARK, (0.45, 0.41), (0.55, 0.41), (0.5, 0.48)),
        ellipse(LIGHT, 0.5, 0.72, 0.1, 0.12),
        ellipse(SECOND, 0.39, 0.96, 0.1, 0.05),
        ellipse(SECOND, 0.61, 0.96, 0.1, 0.05),
    ],
    [  # its face
        polygon(BODY, (0.1, 0.5), (0.06, 0.02), (0.44, 0.24)),
        polygon(BODY, (0.9, 0.5), (0.94, 0.02), (0.56, 0.24)),
        polygon(SECOND, (0.17, 0.36), (0.14, 0.13), (0.32, 0.25)),
        polygon(SECOND, (0.83, 0.36), (0.86, 0.13), (0.68, 0.25)),
        ellipse(BODY, 0.5, 0.56, 0.43, 0.37),
        ellipse(LIGHT, 0.32, 0.5, 0.11, 0.09),
        ellipse(LIGHT, 0.68, 0.5, 0.11, 0.09),
        ellipse(DARK, 0.32, 0.5, 0.04, 0.09),
        ellipse(DARK, 0.68, 0.5, 0.04, 0.09),
        polygon(DARK, (0.43, 0.66), (0.57, 0.66), (0.5, 0.74)),
        *bars(DARK, 0.025, (0.4, 0.82), (0.5, 0.76), (0.6, 0.82)),
    ],
]
DEER = [
    [  # from the side
        *bars(DARK, 0.04, (0.22, 0.22), (0.16, 0.0)),
        *bars(DARK, 0.04, (0.27, 0.22), (0.4, 0.1), (0.42, 0.0)),
        *bars(DARK, 0.035, (0.19, 0.12), (0.06, 0.03)),
        *bars(DARK, 0.035, (0.33, 0.15), (0.3, 0.02)),
        *legs(SECOND, 0.045, 0.62, 0.98, (0.42, 0.03), (0.76, -0.02)),
        *legs(BODY, 0.05, 0.62, 0.98, (0.36, -0.03), (0.82, 0.05)),
        polygon(BODY, (0.2, 0.26), (0.32, 0.24), (0.46, 0.5), (0.34, 0.6)),
        ellipse(BODY, 0.58, 0.55, 0.28, 0.13, -4),
        ellipse(LIGHT, 0.87, 0.5, 0.045, 0.065, -20),
        ellipse(LIGHT, 0.56, 0.65, 0.16, 0.035),
        ellipse(BODY, 0.2, 0.28, 0.13, 0.07, -18),
        ellipse(SECOND, 0.33, 0.22, 0.07, 0.03, -20),
        ellipse(DARK, 0.08, 0.32, 0.03, 0.03),
    ],
    [  # its head
        *bars(DARK, 0.045, (0.42, 0.4), (0.3, 0.24), (0.28, 0.02)),
        *bars(DARK, 0.045, (0.58, 0.4), (0.7, 0.24), (0.72, 0.02)),
        *bars(DARK, 0.04, (0.3, 0.24), (0.12, 0.16), (0.1, 0.04)),
        *bars(DARK, 0.04, (0.7, 0.24), (0.88, 0.16), (0.9, 0.04)),
        polygon(BODY, (0.38, 0.7), (0.62, 0.7), (0.7, 1), (0.3, 1)),
        ellipse(SECOND, 0.24, 0.46, 0.14, 0.05, 14),
        ellipse(SECOND, 0.76, 0.46, 0.14, 0.05, -14),
        ellipse(BODY, 0.5, 0.52, 0.16, 0.16),
        polygon(BODY, (0.35, 0.54), (0.65, 0.54), (0.57, 0.84), (0.43, 0.84)),
        ellipse(LIGHT, 0.5, 0.79, 0.1, 0.07),
        ellipse(DARK, 0.5, 0.81, 0.06, 0.04),
        ellipse(DARK, 0.4, 0.55, 0.03, 0.04),
        ellipse(DARK, 0.6, 0.55, 0.03, 0.04),
    ],
]
DOGS = [
    [  # from the side
        *bars(BODY, 0.06, (0.82, 0.48), (0.95, 0.28), (0.98, 0.16)),
        *legs(SECOND, 0.09, 0.6, 0.94, (0.4, 0.0), (0.72, 0.0)),
        *legs(BODY, 0.1, 0.6, 0.94, (0.34, -0.02), (0.8, 0.02)),
        ellipse(BODY, 0.57, 0.54, 0.29, 0.15),
        polygon(BODY, (0.2, 0.3), (0.4, 0.2), (0.5, 0.56), (0.32, 0.62)),
        ellipse(BODY, 0.27, 0.26, 0.15, 0.13),
        ellipse(LIGHT, 0.11, 0.33, 0.12, 0.065, -8),
        ellipse(DARK, 0.02, 0.31, 0.035, 0.035),
        ellipse(SECOND, 0.37, 0.33, 0.06, 0.16, -12),
        ellipse(DARK, 0.22, 0.24, 0.03, 0.03),
        *bars(LIGHT, 0.05, (0.34, 0.5), (0.46, 0.44)),
    ],
    [  # its face
        ellipse(BODY, 0.5, 0.48, 0.33, 0.38),
        ellipse(SECOND, 0.14, 0.46, 0.12, 0.34, 10),
        ellipse(SECOND, 0.86, 0.46, 0.12, 0.34, -10),
        ellipse(LIGHT, 0.5, 0.7, 0.2, 0.19),
        ellipse(DARK, 0.5, 0.6, 0.09, 0.065),
        ellipse(DARK, 0.36, 0.38, 0.05, 0.055),
        ellipse(DARK, 0.64, 0.38, 0.05, 0.055),
        ellipse(SECOND, 0.5, 0.86, 0.06, 0.1),
        *bars(DARK, 0.025, (0.38, 0.75), (0.5, 0.72), (0.62, 0.75)),
    ],
]
FROGS = [
    [  # sitting, seen from the front
        ellipse(SECOND, 0.14, 0.72, 0.14, 0.2, 20),
        ellipse(SECOND, 0.86, 0.72, 0.14, 0.2, -20),
        ellipse(BODY, 0.5, 0.6, 0.36, 0.28),
        ellipse(LIGHT, 0.5, 0.73, 0.22, 0.13),
        *bars(BODY, 0.09, (0.3, 0.68), (0.26, 0.9)),
        *bars(BODY, 0.09, (0.7, 0.68), (0.74, 0.9)),
        ellipse(SECOND, 0.22, 0.92, 0.13, 0.04),
        ellipse(SECOND, 0.78, 0.92, 0.13, 0.04),
        ellipse(BODY, 0.27, 0.32, 0.13, 0.13),
        ellipse(BODY, 0.73, 0.32, 0.13, 0.13),
        ellipse(LIGHT, 0.27, 0.3, 0.085, 0.085),
        ellipse(LIGHT, 0.73, 0.3, 0.085, 0.085),
        ellipse(DARK, 0.27, 0.3, 0.045, 0.045),
        ellipse(DARK, 0.73, 0.3, 0.045, 0.045),
        *bars(DARK, 0.03, (0.28, 0.52), (0.42, 0.58), (0.58, 0.58), (0.72, 0.52)),
    ],
    [  # from the side
        polygon(BODY, (0.04, 0.5), (0.3, 0.36), (0.9, 0.76), (0.72, 0.88), (0.3, 0.78)),
        ellipse(BODY, 0.24, 0.52, 0.22, 0.16),
        ellipse(LIGHT, 0.26, 0.66, 0.18, 0.08, 10),
        ellipse(BODY, 0.27, 0.35, 0.1, 0.1),
        ellipse(LIGHT, 0.27, 0.34, 0.065, 0.065),
        ellipse(DARK, 0.26, 0.34, 0.035, 0.035),
        *bars(DARK, 0.025, (0.04, 0.54), (0.3, 0.56)),
        *bars(SECOND, 0.09, (0.34, 0.7), (0.28, 0.88), (0.16, 0.9)),
        ellipse(SECOND, 0.74, 0.7, 0.21, 0.11, -24),
        *bars(SECOND, 0.08, (0.92, 0.66), (0.66, 0.88), (0.98, 0.9)),
    ],
]
HORSES = [
    [  # standing
        *bars(DARK, 0.1, (0.9, 0.46), (0.97, 0.58), (0.95, 0.78)),
        *legs(SECOND, 0.075, 0.58, 0.98, (0.44, 0.0), (0.74, 0.0)),
        *legs(BODY, 0.085, 0.58, 0.98, (0.36, -0.01), (0.84, 0.02)),
        polygon(BODY, (0.18, 0.1), (0.34, 0.06), (0.54, 0.42), (0.34, 0.6)),
        ellipse(BODY, 0.61, 0.5, 0.31, 0.165),
        polygon(DARK, (0.3, 0.02), (0.38, 0.06), (0.58, 0.38), (0.48, 0.42)),
        ellipse(BODY, 0.17, 0.2, 0.18, 0.075, -42),
        polygon(BODY, (0.24, 0.1), (0.27, 0.0), (0.32, 0.1)),
        ellipse(DARK, 0.22, 0.14, 0.025, 0.025),
    ],
    [  # galloping
        *bars(DARK, 0.09, (0.84, 0.4), (0.95, 0.34), (1, 0.48)),
        *bars(SECOND, 0.075, (0.42, 0.55), (0.2, 0.66), (0.22, 0.84)),
        *bars(SECOND, 0.075, (0.78, 0.52), (0.94, 0.68), (0.82, 0.84)),
        *bars(BODY, 0.085, (0.38, 0.55), (0.24, 0.76), (0.08, 0.8)),
        *bars(BODY, 0.085, (0.8, 0.5), (0.86, 0.74), (0.98, 0.86)),
        polygon(BODY, (0.14, 0.16), (0.26, 0.08), (0.54, 0.36), (0.36, 0.6)),
        ellipse(BODY, 0.6, 0.46, 0.28, 0.15, -4),
        polygon(DARK, (0.22, 0.04), (0.34, 0.06), (0.6, 0.3), (0.5, 0.38)),
        ellipse(BODY, 0.12, 0.24, 0.17, 0.07, -38),
        polygon(BODY, (0.16, 0.12), (0.19, 0.02), (0.25, 0.12)),
        ellipse(DARK, 0.16, 0.18, 0.025, 0.025),
    ],
]
SHIPS = [
    [  # a steamer
        box(DARK, 0.44, 0.22, 0.54, 0.46),
        box(SECOND, 0.62, 0.26, 0.7, 0.46),
        *bars(DARK, 0.025, (0.24, 0.5), (0.24, 0.16)),
        box(LIGHT, 0.3, 0.42, 0.84, 0.6),
        box(DARK, 0.35, 0.47, 0.79, 0.51),
        polygon(BODY, (0, 0.56), (1, 0.56), (0.9, 0.8), (0.14, 0.8)),
        polygon(SECOND, (0.1, 0.73), (0.93, 0.73), (0.9, 0.8), (0.14, 0.8)),
    ],
    [  # a sailing boat
        *bars(DARK, 0.035, (0.5, 0.76), (0.5, 0.02)),
        polygon(LIGHT, (0.46, 0.08), (0.46, 0.68), (0.1, 0.68)),
        polygon(LIGHT, (0.54, 0.04), (0.54, 0.68), (0.92, 0.68)),
        polygon(BODY, (0.04, 0.74), (0.96, 0.74), (0.8, 0.94), (0.2, 0.94)),
        polygon(SECOND, (0.13, 0.86), (0.86, 0.86), (0.8, 0.94), (0.2, 0.94)),
    ],
]
TRUCKS = [
    [  # from the side
        box(DARK, 0.06, 0.68, 0.98, 0.76),
        box(BODY, 0.32, 0.16, 1, 0.7),
        box(SECOND, 0.32, 0.4, 1, 0.47),
        polygon(SECOND, (0.02, 0.5), (0.1, 0.32), (0.28, 0.32), (0.28, 0.74), (0.02, 0.74)),
        polygon(LIGHT, (0.07, 0.5), (0.13, 0.36), (0.24, 0.36), (0.24, 0.5)),
        *wheels(0.1, 0.77, 0.17, 0.66, 0.87),
    ],
    [  # from the front
        box(DARK, 0.14, 0.8, 0.3, 0.98),
        box(DARK, 0.7, 0.8, 0.86, 0.98),
        box(BODY, 0.1, 0.02, 0.9, 0.62),
        box(SECOND, 0.14, 0.26, 0.86, 0.86),
        box(LIGHT, 0.2, 0.32, 0.8, 0.54),
        box(DARK, 0.34, 0.62, 0.66, 0.76),
        ellipse(LIGHT, 0.23, 0.72, 0.06, 0.05),
        ellipse(LIGHT, 0.77, 0.72, 0.06, 0.05),
        box(DARK, 0.1, 0.82, 0.9, 0.87),
    ],
]
# In the order of CIFAR-10's labels.
DRAWINGS = [AIRPLANES, AUTOMOBILES, BIRDS, CATS, DEER, DOGS, FROGS, HORSES, SHIPS, TRUCKS]


@cache
def tone_maps() -> np.ndarray:
    """Return the drawings' tones, a uint8 array of shape (10, drawings per class, GRID, GRID)."""
    return np.array([[rasterize(shapes) for shapes in drawings] for drawings in DRAWINGS])
