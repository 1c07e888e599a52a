"""Polygons that silhouettes are composed of, and their rasterization.

A shape is a tone and the corners of a polygon. Both coordinates are from 0 to 1; x increases to the
right, and y increases downward.
"""

from itertools import pairwise

import numpy as np

GRID = 64  # cells along each side of a drawing, at least two per pixel of an image
# The tones of shapes; every image maps them to its own colors.
CLEAR, BODY, SECOND, DARK, LIGHT = range(5)
TONES = 5
Shape = tuple[int, np.ndarray]  # the tone, and the corners of shape (n, 2)


def ellipse(
    tone: int,
    center_x: float,
    center_y: float,
    radius_x: float,
    radius_y: float,
    degrees: float = 0,
) -> Shape:
    """Return an ellipse, rotated clockwise."""
    angle = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    x, y = radius_x * np.cos(angle), radius_y * np.sin(angle)
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return tone, np.stack([center_x + x * cos - y * sin, center_y + x * sin + y * cos], axis=1)


def box(tone: int, left: float, top: float, right: float, bottom: float) -> Shape:
    """Return a rectangle."""
    return tone, np.array([(left, top), (right, top), (right, bottom), (left, bottom)])


def polygon(tone: int, *points: tuple[float, float]) -> Shape:
    """Return a polygon, given by its corners in order."""
    return tone, np.array(points)


def bars(tone: int, width: float, *points: tuple[float, float]) -> list[Shape]:
    """Return the segments of a thick line through points."""
    shapes = []
    for start, end in pairwise(points):
        along = np.subtract(end, start) / np.hypot(*np.subtract(end, start))
        across = np.array([-along[1], along[0]]) * width / 2
        first, last = start - along * width / 3, end + along * width / 3
        corners = [first + across, last + across, last - across, first - across]
        shapes.append((tone, np.array(corners)))
    return shapes


def wheels(radius: float, y: float, *centers: float) -> list[Shape]:
    """Return wheels with hubs, centered at the given values of x."""
    shapes = []
    for x in centers:
        shapes.append(ellipse(DARK, x, y, radius, radius))
        shapes.append(ellipse(LIGHT, x, y, radius / 2.4, radius / 2.4))
    return shapes


def legs(
    tone: int, width: float, top: float, bottom: float, *positions: tuple[float, float]
) -> list[Shape]:
    """Return legs; a position is the x of a leg's top and the horizontal offset of its bottom."""
    shapes = []
    for x, offset in positions:
        shapes += bars(tone, width, (x, top), (x + offset, bottom))
    return shapes


def rasterize(shapes: list[Shape]) -> np.ndarray:
    """Return a uint8 array (GRID, GRID) of a drawing's tones; later shapes cover earlier ones."""
    grid = np.zeros((GRID, GRID), dtype="uint8")
    y, x = (np.mgrid[:GRID, :GRID] + 0.5) / GRID
    for tone, corners in shapes:
        # A point is inside if a ray to the right crosses the outline an odd number of times.
        inside = np.zeros(grid.shape, dtype=bool)
        for (x1, y1), (x2, y2) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
            if y1 != y2:
                inside ^= ((y1 > y) != (y2 > y)) & (x < x1 + (y - y1) * (x2 - x1) / (y2 - y1))
        grid[inside] = tone
    return grid
