"""Shapes that silhouettes are painted of, one over the other.

A shape is a tone and the corners of what it covers; x goes to the right, y down, both from 0 to 1.
"""

from itertools import pairwise

import numpy as np

GRID = 64  # cells along each side of a drawing; on a picture it has at most half as many pixels
# What a shape is painted with; every picture has colours of its own for them.
CLEAR, BODY, SECOND, DARK, LIGHT = range(5)
TONES = 5


def ellipse(tone, center_x, center_y, radius_x, radius_y, degrees=0):
    """Return an ellipse's outline; it is turned clockwise."""
    turn = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    x, y = radius_x * np.cos(turn), radius_y * np.sin(turn)
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return tone, np.stack([center_x + x * cos - y * sin, center_y + x * sin + y * cos], axis=1)


def box(tone, left, top, right, bottom):
    """Return a rectangle."""
    return tone, np.array([(left, top), (right, top), (right, bottom), (left, bottom)])


def polygon(tone, *points):
    """Return what lies between points, given in order."""
    return tone, np.array(points)


def bars(tone, width, *points):
    """Return the thick pieces of a line through points, as a list of shapes."""
    shapes = []
    for start, end in pairwise(points):
        along = np.subtract(end, start) / np.hypot(*np.subtract(end, start))
        aside = np.array([-along[1], along[0]]) * width / 2
        first, last = start - along * width / 3, end + along * width / 3
        shapes.append((tone, np.array([first + aside, last + aside, last - aside, first - aside])))
    return shapes


def wheels(radius, y, *places):
    """Return wheels with hubs."""
    shapes = []
    for x in places:
        shapes.append(ellipse(DARK, x, y, radius, radius))
        shapes.append(ellipse(LIGHT, x, y, radius / 2.4, radius / 2.4))
    return shapes


def legs(tone, width, top, bottom, *places):
    """Return legs; a place is where a leg begins, and how far aside it ends."""
    shapes = []
    for x, aside in places:
        shapes += bars(tone, width, (x, top), (x + aside, bottom))
    return shapes


def paint(shapes):
    """Return a drawing's tones, ndarray of uint8, shape (GRID, GRID)."""
    grid = np.zeros((GRID, GRID), dtype="uint8")
    y, x = (np.mgrid[:GRID, :GRID] + 0.5) / GRID
    for tone, corners in shapes:
        # A point is inside where a ray from it to the right crosses the outline an odd number of
        # times.
        inside = np.zeros(grid.shape, dtype=bool)
        for (x1, y1), (x2, y2) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
            if y1 != y2:
                inside ^= ((y1 > y) != (y2 > y)) & (x < x1 + (y - y1) * (x2 - x1) / (y2 - y1))
        grid[inside] = tone
    return grid
