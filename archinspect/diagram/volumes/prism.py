"""Cabinet projection: a cuboid's three visible faces.

The front shows thickness × height, the side that recedes to the right shows the map, width × height.  The silhouette is
centred on the axis, so that a chain of cuboids reads as one line.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..drawing import Point

ANGLE, FACTOR = math.radians(40), 0.46  # direction and shortening of what recedes

Polygon = tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Prism:
    """A cuboid in its place: left edge of the front, axis, thickness, height, and the depth that recedes."""

    x: float
    axis: float
    thickness: float
    height: float
    depth: float

    @property
    def dx(self) -> float:
        return self.depth * FACTOR * math.cos(ANGLE)

    @property
    def dy(self) -> float:
        return self.depth * FACTOR * math.sin(ANGLE)

    @property
    def top(self) -> float:
        """Of the front."""
        return self.axis - self.height / 2 + self.dy / 2

    @property
    def bottom(self) -> float:
        """Of the front, and of the whole."""
        return self.axis + self.height / 2 + self.dy / 2

    @property
    def crest(self) -> float:
        """Upper edge of the whole."""
        return self.top - self.dy

    @property
    def right(self) -> float:
        """Right edge of the front."""
        return self.x + self.thickness

    @property
    def end(self) -> float:
        """Right edge of the whole."""
        return self.right + self.dx

    def front(self, start: float = 0.0, stop: float | None = None) -> Polygon:
        """The front between two distances from its left edge."""
        a, b = self.x + start, self.x + (self.thickness if stop is None else stop)
        return ((a, self.top), (b, self.top), (b, self.bottom), (a, self.bottom))

    def lid(self, start: float = 0.0, stop: float | None = None) -> Polygon:
        """The top face between two distances from the left edge."""
        a, b = self.x + start, self.x + (self.thickness if stop is None else stop)
        return ((a, self.top), (a + self.dx, self.crest), (b + self.dx, self.crest), (b, self.top))

    def side(self) -> Polygon:
        """The face that shows the map."""
        return (
            (self.right, self.top),
            (self.end, self.crest),
            (self.end, self.bottom - self.dy),
            (self.right, self.bottom),
        )

    def silhouette(self) -> Polygon:
        return (
            (self.x, self.top),
            (self.x + self.dx, self.crest),
            (self.end, self.crest),
            (self.end, self.bottom - self.dy),
            (self.right, self.bottom),
            (self.x, self.bottom),
        )

    def face_centre(self) -> Point:
        """Centre of the map."""
        return self.right + self.dx / 2, self.axis

    def window(self, share: tuple[float, float]) -> Polygon:
        """A window in the middle of the map, in shares of its height and width."""
        tall, wide = min(share[0], 1.0), min(share[1], 1.0)
        x, y = self.face_centre()
        w, rise, h = self.dx * wide / 2, self.dy * wide / 2, self.height * tall / 2
        return ((x - w, y - h + rise), (x + w, y - h - rise), (x + w, y + h - rise), (x - w, y + h + rise))


def turned(corner: Point, width: float, above: float, below: float, angle: float) -> Polygon:
    """Corners of a text box whose baseline starts at `corner` and runs at `angle` degrees, clockwise."""
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    x, y = corner
    return tuple(
        (x + along * cos - down * sin, y + along * sin + down * cos)
        for along, down in ((0.0, -above), (width, -above), (width, below), (0.0, below))
    )


def meet(first: Polygon, second: Polygon, slack: float = 0.01) -> bool:
    """Whether two convex polygons, or straight lines of two points, overlap by more than `slack` (separating axes)."""
    for polygon in (first, second):
        for (x0, y0), (x1, y1) in zip(polygon, (*polygon[1:], polygon[0]), strict=True):
            dx, dy = x1 - x0, y1 - y0
            length = math.hypot(dx, dy)
            if not length:
                continue
            # lines on one straight line are told apart only along it
            for nx, ny in ((dy, -dx), (dx, dy)) if len(polygon) == 2 else ((dy, -dx),):
                a = [(x * nx + y * ny) / length for x, y in first]
                b = [(x * nx + y * ny) / length for x, y in second]
                if max(a) <= min(b) + slack or max(b) <= min(a) + slack:
                    return False
    return True
