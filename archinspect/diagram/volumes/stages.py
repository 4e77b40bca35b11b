"""The places of one stage: maps of one size touch, pooling stands before the last of them, splits get room.

Every label looks for a free place; what follows moves to the right until it covers none.
"""

from __future__ import annotations

from ..typeface import text_width
from .content import Aside, Gap, Part, Solid, Split
from .groups import Group, channels_text
from .lanes import LABEL, prism_of, split, way_out
from .prism import Polygon, Prism, meet
from .scale import Scale
from .scene import NUMBER, Line, Placed, Strip, Thing, Words

_APART = 24.0  # between a split or a sign and what is beside it
_AFTER_GAP = 8.0
_STEP = 2.0
_ARC = 13.0  # of a way around above its solid
_TURN = -40.0  # of labels along a receding edge
_BAR_APART = 10.0


class Stage:
    """Places the parts of a group on the axis y = 0, from x = 0."""

    def __init__(self, group: Group, scale: Scale) -> None:
        self.scale = scale
        self.strip = Strip()
        self.below: list[Polygon] = []  # outputs beside the main one
        self.skipped = False  # whether solids are left out right before the next part
        self.sized: set[tuple[int, int]] = set()  # map sizes that are written already
        for run in _runs(group.drawn):
            first = run[0]
            if isinstance(first, Split):
                self._split(first)
            elif isinstance(first, Gap):
                self._gap()
            elif isinstance(first, Aside):
                self._aside(first)
            else:
                self._run([solid for solid in run if isinstance(solid, Solid)])

    def _run(self, run: list[Solid]) -> None:
        """Solids of one size, touching."""
        strip = self.strip
        prisms = []
        x = 0.0
        for solid in run:
            prisms.append(prism_of(solid, self.scale, x))
            x = prisms[-1].right
        before = strip.last if strip.things and isinstance(strip.things[-1], (Placed, Words)) else None
        known = before is not None and run[0].kind == "pooling"
        piece = Strip([], (0.0, 0.0), way_out(prisms[-1]), prisms[0], prisms[-1])
        for solid, prism in zip(run, prisms, strict=True):
            piece.things.append(Placed(solid, prism))
            piece.things += _arc(solid, prism)
        labels = [] if known and not _narrows(before, prisms[0]) else _labels(run, prisms)
        size = (run[0].extent.height, run[0].extent.width)
        words = "" if run[0].extent.flat or size in self.sized or known else run[0].size_text
        self.sized.add(size)
        piece.things += labels
        if words:
            piece.things.append(_size_label(words, prisms[-1], labels))
        if run[0].kind == "input" and not run[0].extent.flat:
            piece.things.append(_height_label(run[0], prisms[0]))
        self._append(piece, self._start(prisms[0]), arrow=strip.last is None and not self.skipped)
        self.skipped = False

    def _start(self, first: Prism) -> float:
        """Preferred place of the next run."""
        strip = self.strip
        if not strip.things:
            return 0.0
        last = strip.last
        if last is None:
            return strip.leave[0] + (_AFTER_GAP if self.skipped else _APART)
        if first.height <= last.height and first.dx <= last.dx:
            return last.right + max(9.0, last.dx - first.dx - first.thickness)
        return last.end + _BAR_APART

    def _append(self, piece: Strip, start: float, *, arrow: bool) -> None:
        """Put a piece where it covers no label, with a flow line where one is needed."""
        strip = self.strip
        taken = [thing.corners for thing in strip.things if isinstance(thing, Words)] + self.below
        while not _clear(piece, start, taken):
            start += _STEP
        moved = piece.moved(start, 0.0)
        if strip.things and arrow:
            strip.things.append(Line((strip.leave, (start, 0.0)), "flow", piece.first is not None))
        if not strip.things:
            strip.enter, strip.first = moved.enter, moved.first
        strip.things += moved.things
        strip.leave, strip.last = moved.leave, moved.last

    def _split(self, part: Split) -> None:
        piece = split(part, self.scale)
        strip = self.strip
        start = (strip.last.end if strip.last else strip.leave[0]) + _APART / 2 if strip.things else 0.0
        self._append(piece, start, arrow=not self.skipped)
        self.skipped = False

    def _gap(self) -> None:
        strip = self.strip
        x = (strip.last.end if strip.last else strip.leave[0]) + 8.0
        self._append(Strip([Words(0.0, 4.0, "…", 16.0, "number")], leave=(16.0, 0.0)), x, arrow=False)
        self.skipped = True

    def _aside(self, part: Aside) -> None:
        """An output beside the main one: a bar below, reached by an elbow."""
        strip = self.strip
        x = strip.last.end if strip.last else strip.leave[0]
        depth = max((y for thing in strip.things for at, y in thing.corners if at > x), default=0.0)
        depth = max(depth, strip.last.bottom + LABEL if strip.last else 0.0)
        axis = depth + 12.0 + prism_of(part.result, self.scale).height / 2
        prism = prism_of(part.result, self.scale, 8.0, axis)
        text = f"{part.result.words}, {part.result.extent.channels}"
        elbow = Line(((0.0, 0.0), (0.0, axis), (prism.x, axis)), "flow", True)
        words = Words(prism.x, prism.bottom + LABEL, text, NUMBER, "number")
        piece = Strip([elbow, Placed(part.result, prism), words], (0.0, 0.0), (0.0, 0.0))
        self._append(piece, x + 14.0, arrow=True)
        self.below += [shape for thing in strip.things[-3:] for shape in _shapes(thing)]


def _runs(parts: list[Part]) -> list[list[Part]]:
    """Consecutive solids of equal height and width together, everything else alone."""
    runs: list[list[Part]] = []
    for part in parts:
        before = runs[-1][-1] if runs else None
        if (
            isinstance(part, Solid)
            and isinstance(before, Solid)
            and "pooling" not in (part.kind, before.kind)
            and not part.extent.flat
            and (part.extent.height, part.extent.width) == (before.extent.height, before.extent.width)
        ):
            runs[-1].append(part)
        else:
            runs.append([part])
    return runs


def _labels(run: list[Solid], prisms: list[Prism]) -> list[Words]:
    """Channels under each solid, or under the run as a whole where they would touch."""
    y = prisms[0].bottom + LABEL
    texts = [str(solid.extent.channels) for solid in run]
    centres = [(prism.x + prism.right) / 2 for prism in prisms]
    widths = [text_width(text, NUMBER) for text in texts]
    fits = all(
        centres[i] + widths[i] / 2 + 4 <= centres[i + 1] - widths[i + 1] / 2 for i in range(len(run) - 1)
    )
    if fits:
        return [
            Words(x, y, text, NUMBER, "number", anchor="middle")
            for x, text in zip(centres, texts, strict=True)
        ]
    text = channels_text(run)
    x = (prisms[0].x + prisms[-1].right) / 2
    return [Words(x, y, text, NUMBER, "number", anchor="middle")]


def _size_label(text: str, prism: Prism, labels: list[Words]) -> Words:
    """Height × width below the edge that recedes, clear of the channels; where it is too long for that, below them."""
    along = 4.0
    while True:
        # a baseline one line below the edge, which rises at the angle of the projection
        x, y = prism.right + along * 0.766 + 9.0, prism.bottom - along * 0.643 + 7.6
        words = Words(x, y, text, NUMBER, "number", angle=_TURN)
        if min(y for _, y in words.corners) < prism.axis + 6.0:
            middle = (prism.x + prism.right) / 2
            return Words(middle, prism.bottom + LABEL + 13.0, text, NUMBER, "number", anchor="middle")
        if not any(meet(words.corners, label.corners) for label in labels):
            return words
        along += _STEP


def _height_label(solid: Solid, prism: Prism) -> Words:
    x, y = prism.x - 5.0, (prism.top + prism.bottom) / 2
    return Words(x, y, str(solid.extent.height), NUMBER, "number", anchor="middle", angle=-90.0)


def _arc(solid: Solid, prism: Prism) -> list[Thing]:
    """The way around a block, above its lid; dashed where it is a projection."""
    if not solid.skip:
        return []
    left, right = prism.x + prism.dx, prism.end
    y = prism.crest
    points = ((left + 1, y), (left + 1, y - _ARC), (right - 1, y - _ARC), (right - 1, y))
    return [Line(points, "skip" if solid.skip == "identity" else "projection", True)]


def _narrows(before: Prism | None, prism: Prism) -> bool:
    """Whether pooling changes the number of channels, which no pooling does but a join may."""
    return before is not None and abs(before.thickness - prism.thickness) > 0.01


def _clear(piece: Strip, x: float, taken: list[Polygon]) -> bool:
    moved = [shape for thing in piece.moved(x, 0.0).things for shape in _shapes(thing)]
    return not any(meet(shape, other, -1.5) for shape in moved for other in taken)


def _shapes(thing: Thing) -> list[Polygon]:
    """Convex shapes that a thing consists of: a way's segments, or its corners."""
    if isinstance(thing, Line):
        return list(zip(thing.points, thing.points[1:], strict=False))
    return [thing.corners]
