"""Labels beside points that hide neither one another nor the points."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..diagram.drawing import Box, Path, Text
from ..diagram.typeface import ASCENT, DESCENT, text_width

_GAP = 4.0
#: directions to try, right and left first: a label reads best beside its point
_DIRECTIONS = ((1, 0), (-1, 0), (0, -1), (0, 1), (1, -1), (-1, -1), (1, 1), (-1, 1))
_DISTANCES = (0.0, 10.0, 22.0, 38.0)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A label for the point at (x, y) of some radius."""

    x: float
    y: float
    radius: float
    text: str
    weight: float


def place(
    wanted: Iterable[Wanted], room: Box, taken: Sequence[Box], size: float, colour: str, line: str
) -> list[Text | Path]:
    """The labels that find a place in `room` and outside `taken`, the weightiest first, with leaders to far ones."""
    occupied = list(taken)
    items: list[Text | Path] = []
    for label in sorted(wanted, key=lambda w: (-w.weight, w.x, w.y, w.text)):
        found = _free(label, room, occupied, size)
        if found is None:
            continue
        box, distance = found
        occupied.append(box)
        if distance:
            items.append(Path((_nearest(box, label), (label.x, label.y)), line, 0.75))
        items.append(Text(box.x, box.y + ASCENT * size, label.text, size, colour))
    return items


def _free(label: Wanted, room: Box, occupied: Sequence[Box], size: float) -> tuple[Box, float] | None:
    width, height = text_width(label.text, size), (ASCENT + DESCENT) * size
    for distance in _DISTANCES:
        reach = label.radius + _GAP + distance
        for right, down in _DIRECTIONS:
            slant = 0.75 if right and down else 1.0
            x = label.x + right * reach * slant - (width / 2 if not right else width if right < 0 else 0)
            y = label.y + down * reach * slant - (height / 2 if not down else height if down < 0 else 0)
            box = Box(x, y, width, height)
            if room.contains(box) and not any(box.overlaps(other) for other in occupied):
                return box, distance
    return None


def _nearest(box: Box, label: Wanted) -> tuple[float, float]:
    """The place on the box's edge closest to the point."""
    return min(max(label.x, box.x), box.right), min(max(label.y, box.y), box.bottom)
