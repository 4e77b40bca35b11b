"""How large a tensor is drawn: monotone in height, width, channels and features, and nothing too small to see.

Linear scales do not work: 224 and 7 pixels, 3 and 2,048 channels stand in one picture.  A side of n positions is drawn
n^p long, with the largest p (at most 1) that keeps the smallest map visible; thickness and bars go with the root.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from .content import Extent

LARGEST, SMALLEST = 240.0, 44.0  # of a map's side, px
THINNEST = 4.0
BAR, BAR_LEAST, BAR_THICK = 206.0, 44.0, 13.0  # of bars: height of the longest and shortest, thickness


@dataclass(frozen=True)
class Scale:
    """Scale of one picture: the longest side in px and in positions, the most channels and features, exponents."""

    largest: float
    side_power: float
    side_most: int
    thickest: float
    channels_most: int
    bar_power: float
    bar_most: int

    def side(self, positions: int) -> float:
        """Length of a map's side, px."""
        return float(self.largest * (positions / self.side_most) ** self.side_power)

    def thickness(self, channels: int) -> float:
        """Thickness of a map, px."""
        return max(THINNEST, self.thickest * math.sqrt(channels / self.channels_most))

    def bar(self, features: int) -> float:
        """Length of a bar, px."""
        return float(BAR * (features / self.bar_most) ** self.bar_power)

    @property
    def words(self) -> str:
        """What the picture says of its scale."""
        parts = []
        if self.side_most:
            linear = self.side_power > 0.995
            parts.append("sides grow as size" if linear else f"sides grow as size^{self.side_power:.2f}")
            parts.append("thickness as √channels")
        if self.bar_most:
            root = abs(self.bar_power - 0.5) < 0.005
            parts.append("bars as √features" if root else f"bars as features^{self.bar_power:.2f}")
        return ", ".join(parts)


def scale(extents: list[Extent], largest: float = LARGEST) -> Scale:
    """The scale that suits all tensors of a picture, whose longest side is `largest` px long."""
    maps = [extent for extent in extents if not extent.flat]
    bars = [extent.channels for extent in extents if extent.flat]
    sides = [side for extent in maps for side in (extent.height, extent.width)]
    side_most, side_least = max(sides, default=0), min(sides, default=0)
    most = max((extent.channels for extent in maps), default=1)
    return Scale(
        largest,
        _power(side_most, side_least, largest / SMALLEST, 1.0),
        side_most,
        min(max(1.15 * math.sqrt(most), 18.0), 46.0),
        most,
        _power(max(bars, default=0), min(bars, default=0), BAR / BAR_LEAST, 0.5),
        max(bars, default=0),
    )


def _power(most: int, least: int, ratio: float, limit: float) -> float:
    """The exponent, at most `limit`, that makes `most` no more than `ratio` times as long as `least`."""
    return min(limit, math.log(ratio) / math.log(most / least)) if most > least > 0 else limit
