"""Branches beside each other: solids in a row with their labels, rows between a dot and a join."""

from __future__ import annotations

from ..drawing import Point
from ..typeface import text_width
from .content import Aside, Gap, Part, Solid, Split
from .prism import Prism
from .scale import BAR_THICK, Scale
from .scene import CAPTION, NUMBER, Line, Placed, Sign, Strip, Thing, Way, Words, bounds

BAR_DEPTH = 14.0
LABEL = 13.0  # from a solid's lower edge to the baseline of its label
_GAP = 17.0  # between solids of a lane, with an arrow
_LANE = 9.0  # between lanes
_TRUNK = 20.0  # from the dot or to the join
_FORK = 12.0  # between a solid and the way down to an output aside
_ELBOW = 8.0  # from that way to the output
_BELOW = 12.0  # between an output aside and what is above it
_OVER = 14.0  # of a way around above what it goes around


def prism_of(solid: Solid, scale: Scale, x: float = 0.0, axis: float = 0.0) -> Prism:
    """The cuboid of a solid on an axis."""
    extent = solid.extent
    if extent.flat:
        return Prism(x, axis, BAR_THICK, scale.bar(extent.channels), BAR_DEPTH)
    return Prism(
        x, axis, scale.thickness(extent.channels), scale.side(extent.height), scale.side(extent.width)
    )


def way_out(prism: Prism) -> Point:
    """Where flow leaves a solid."""
    return prism.face_centre()


def lane(parts: tuple[Part, ...], scale: Scale) -> Strip:
    """Parts in a row, arrows between them, each solid with its kernel and channels below; outputs aside hang below."""
    row = Strip()
    x = 0.0
    asides: list[tuple[float, Aside]] = []
    for part in parts:
        if isinstance(part, Aside):
            x += _FORK
            asides.append((x, part))
            continue
        piece = _piece(part, scale)
        left = min(piece.box.x, piece.enter[0])
        begun = bool(row.things or asides)
        piece = piece.moved(x - left + (_GAP if begun else 0.0), 0.0)
        if begun:
            row.things.append(Line((row.leave, piece.enter), "flow", piece.first is not None))
        else:
            row.enter, row.first = piece.enter, piece.first
        row.things += piece.things
        row.leave, row.last = piece.leave, piece.last
        x = max(piece.box.right, piece.leave[0])
    for x, part in reversed(asides):  # from the right, so that no way down meets an output
        row.things += _hung(part, x, row.things, scale)
    return row


def _hung(part: Aside, x: float, above: list[Thing], scale: Scale) -> list[Thing]:
    """An output beside the main one: a solid below all that stands above it, reached by an elbow at `x`."""
    prism = prism_of(part.result, scale, x + _ELBOW)
    text = f"{part.result.words}, {part.result.extent.channels}"
    right = max(prism.end, prism.x + text_width(text, NUMBER))
    boxes = [bounds([thing]) for thing in above]
    depth = max((box.bottom for box in boxes if box.x < right and box.right > x), default=0.0)
    axis = max(depth, 0.0) + _BELOW - prism.crest
    prism = prism_of(part.result, scale, x + _ELBOW, axis)
    elbow = Line(((x, 0.0), (x, axis), (prism.x, axis)), "flow", True)
    return [elbow, Placed(part.result, prism), Words(prism.x, prism.bottom + LABEL, text, NUMBER, "number")]


def split(part: Split, scale: Scale) -> Strip:
    """Lanes between the dot at the strip's origin and the join."""
    strips = [lane(parts, scale) for parts in part.lanes]
    heights = _stacked(strips, part.straight)
    strips = [strip.moved(_TRUNK - strip.enter[0], y) for strip, y in zip(strips, heights, strict=True)]
    shift = max(0.0, *(8.0 - strip.box.x for strip in strips))  # labels may reach left of their solids
    strips = [strip.moved(shift, 0.0) for strip in strips]
    things: list[Thing] = []
    end = max(max(strip.box.right, strip.leave[0]) for strip in strips) + 10.0
    goal, joined = _joined(part, scale, end + _TRUNK)
    residual = part.straight is not None
    for i, strip in enumerate(strips):
        y = heights[i]
        aside = residual and i != part.straight
        way: Way = "projection" if aside else "flow"
        entry = ((0.0, 0.0), (0.0, y), strip.enter) if y else ((0.0, 0.0), strip.enter)
        things.append(Line(entry, way, strip.first is not None))
        things += strip.things
        if aside and part.sign:
            x = goal[0] + 9.0
            things.append(Line((strip.leave, (x, y), (x, -9.0)), way, True))
        else:
            out = (strip.leave, (end, y), (end, 0.0), goal) if y else (strip.leave, goal)
            things.append(Line(out, way, True))
    top = bounds(things).y
    for i in range(part.identities):
        y = top - _OVER * (i + 1)
        last = ((goal[0] + 9.0, y), (goal[0] + 9.0, -9.0)) if part.sign else ((end, y), (end, 0.0), goal)
        things.append(Line(((0.0, 0.0), (0.0, y), *last), "skip", True))
    return Strip(
        [*things, *joined.things], (0.0, 0.0), joined.leave, None, joined.last if part.join else None
    )


def _piece(part: Solid | Gap | Split, scale: Scale) -> Strip:
    if isinstance(part, Split):
        return split(part, scale)
    if isinstance(part, Gap):
        words = Words(0.0, 4.0, "…", NUMBER, "number")
        return Strip([words], (0.0, 0.0), (12.0, 0.0))
    return labelled(part, scale)


def labelled(solid: Solid, scale: Scale) -> Strip:
    """A solid with what computes it and its channels below."""
    prism = prism_of(solid, scale)
    y = prism.bottom + LABEL
    middle = (prism.x + prism.end) / 2
    text = f"{solid.short}, {solid.extent.channels}"
    words = Words(middle, y, text, CAPTION, "caption", anchor="middle")
    return Strip([Placed(solid, prism), words], (prism.x, 0.0), way_out(prism), prism, prism)


def _joined(part: Split, scale: Scale, x: float) -> tuple[Point, Strip]:
    """Where the join begins, and the join."""
    if part.join is None:
        sign = Sign(x + 9.0, 0.0, part.sign)
        return (x, 0.0), Strip([sign], (x, 0.0), (x + 18.0, 0.0))
    prism = prism_of(part.join, scale, x)
    middle = (prism.x + prism.right) / 2
    words = Words(
        middle, prism.bottom + LABEL, str(part.join.extent.channels), NUMBER, "number", anchor="middle"
    )
    return (x, 0.0), Strip([Placed(part.join, prism), words], (x, 0.0), way_out(prism), prism, prism)


def _stacked(strips: list[Strip], straight: int | None) -> list[float]:
    """Heights of the lanes' axes: around the axis, or the straight one on it and the others above."""
    boxes = [strip.box for strip in strips]
    if straight is not None:
        heights = [0.0] * len(strips)
        top = boxes[straight].y
        for i in reversed([i for i in range(len(strips)) if i != straight]):
            heights[i] = top - _LANE - boxes[i].bottom
            top = heights[i] + boxes[i].y
        return heights
    total = sum(box.height for box in boxes) + _LANE * (len(boxes) - 1)
    heights = []
    y = -total / 2
    for box in boxes:
        heights.append(y - box.y)
        y += box.height + _LANE
    nearest = min(heights, key=abs)
    return [height - nearest for height in heights] if abs(nearest) < 14.0 else heights
