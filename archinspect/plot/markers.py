"""The palette, and the shapes that tell series apart without colour."""

from __future__ import annotations

import math

from ..diagram.drawing import Box, Disc, Path, Point, Rect

#: blue, orange, green, purple, ochre, teal, red, grey: at least 3:1 on white and on the dark background
PALETTE = ("#3B7DD8", "#D9622B", "#2F9E6A", "#A25BC4", "#A98500", "#1E93A0", "#D2455F", "#7A8699")
#: disc, square, diamond, triangle, triangle upside down
_SHAPES = 5


def colour(number: int) -> str:
    """The palette's colour of that number, from its beginning again after the last."""
    return PALETTE[number % len(PALETTE)]


def marker(number: int, x: float, y: float, radius: float, edge: str) -> Disc | Rect | Path:
    """A disc, square, diamond or triangle, as large as a disc of that radius."""
    fill = colour(number)
    shape = number % _SHAPES
    if shape == 0:
        return Disc((x, y), radius, fill, edge)
    if shape == 1:
        half = radius * math.sqrt(math.pi) / 2
        return Rect(Box(x - half, y - half, 2 * half, 2 * half), 0.0, fill, edge)
    corners, turn = {2: (4, 0.0), 3: (3, -math.pi / 2), 4: (3, math.pi / 2)}[shape]
    area = math.pi * radius**2
    outer = math.sqrt(2 * area / (corners * math.sin(2 * math.pi / corners)))
    return Path(
        tuple(_corner(x, y, outer, turn + 2 * math.pi * i / corners) for i in range(corners)),
        edge,
        1.0,
        fill,
        True,
    )


def _corner(x: float, y: float, radius: float, angle: float) -> Point:
    return x + radius * math.cos(angle), y + radius * math.sin(angle)
