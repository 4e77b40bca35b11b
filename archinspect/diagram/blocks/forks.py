"""Boxes of branches: a main path with skips beside it, parallel lanes between two rails, and side outputs."""

from __future__ import annotations

from ...ops.base import Shape
from ..captions import shape_label
from ..drawing import Point
from ..scene import SHAPE, Edge, Label, Scene
from ..typeface import text_width
from . import spacing as s
from .boxes import Stack, link, top_lift
from .cards import CardBox

_DROP = s.ARROW + 2  # from the dot of a fork to the first box below it


class Skips:
    """Lanes right of a path that starts and ends on the axis; an empty lane is a plain line."""

    def __init__(self, lanes: list[Stack], start: float) -> None:
        self.lanes = lanes
        self.offsets: list[float] = []
        edge = start
        for lane in lanes:
            edge += s.SKIP if not lane.boxes else s.LANE
            self.offsets.append(edge + lane.left)
            edge += lane.left + lane.right
        self.right = edge
        self.height = max((_DROP + lane.height + s.ARROW for lane in lanes if lane.boxes), default=0.0)

    def place(
        self, scene: Scene, x: float, y: float, join: Point, owner: str, level: int, *, arrow: bool = True
    ) -> None:
        """From the dot at (x, y) over each lane to the join's side."""
        room = join[1] - y
        for lane, offset in zip(self.lanes, self.offsets, strict=True):
            at = x + offset
            if not lane.boxes:
                scene.edges.append(Edge(((x, y), (at, y), (at, join[1]), join), "skip", arrow, owner))
                continue
            top = y + max(_DROP, (room - lane.height) / 2)
            start = ((x, y), (at, y), (at, top + top_lift(lane.boxes[0])))
            scene.edges.append(Edge(start, "skip", lane.arrow, owner))
            lane.place(scene, at, top, owner, level)
            end = at + lane.out
            scene.edges.append(Edge(((end, top + lane.height), (end, join[1]), join), "skip", arrow, owner))


class Residual:
    """A main path on the axis and skips at its right, ending in the side of the join."""

    arrow = False
    out = 0.0

    def __init__(self, main: Stack, lanes: list[Stack], join: CardBox) -> None:
        self.main, self.join = main, join
        self.skips = Skips(lanes, max(main.right, join.right))
        self.left = max(main.left, join.left)
        self.right = self.skips.right
        below = s.ARROW + (s.TURN if main.out else 0.0)
        self.path = max(_DROP + main.height + below, self.skips.height - join.body / 2, _DROP + s.ARROW)
        self.height = self.path + join.height

    def place(self, scene: Scene, x: float, y: float, owner: str, level: int) -> None:
        scene.dots.append((x, y))
        bottom = y + self.path
        if self.main.boxes:
            first = y + _DROP
            link(scene, x, y, first, "", owner, arrow=self.main.arrow, lift=top_lift(self.main.boxes[0]))
            self.main.place(scene, x, first, owner, level)
            link(scene, x, first + self.main.height, bottom, "", owner, out=self.main.out)
        else:
            link(scene, x, y, bottom, "", owner)
        self.join.place(scene, x, bottom, owner, level)
        side = (x + self.join.width / 2, bottom + self.join.body / 2)
        self.skips.place(scene, x, y, side, owner, level)


class Parallel:
    """Lanes side by side between a rail that spreads and a rail that collects, identities as skips at the right."""

    arrow = False
    out = 0.0

    def __init__(self, lanes: list[Stack], ends: list[Shape], identities: int, join: CardBox) -> None:
        self.lanes, self.join = lanes, join
        self.labels = [shape_label(shape) for shape in ends]
        widths = [(lane.left, self._lane_right(i)) for i, lane in enumerate(lanes)]
        self.centres: list[float] = []
        edge = 0.0
        for left, right in widths:
            self.centres.append(edge + left)
            edge += left + right + s.LANE
        middle = len(lanes) // 2
        odd = len(lanes) % 2 == 1
        axis = self.centres[middle] if odd else (self.centres[middle - 1] + self.centres[middle]) / 2
        self.centres = [centre - axis for centre in self.centres]
        self.left = max(axis, join.left)
        right = max(edge - s.LANE - axis, join.right)
        self.skips = Skips([Stack([], []) for _ in range(identities)], right)
        self.right = self.skips.right
        self.tallest = max(lane.height for lane in lanes)
        self.path = _DROP + self.tallest + s.RAIL + s.ARROW
        self.height = self.path + join.height

    def _lane_right(self, i: int) -> float:
        return max(self.lanes[i].right, self.lanes[i].out + s.LABEL + text_width(self.labels[i], SHAPE))

    def place(self, scene: Scene, x: float, y: float, owner: str, level: int) -> None:
        scene.dots.append((x, y))
        rail = y + _DROP + self.tallest + s.RAIL
        for lane, offset, label in zip(self.lanes, self.centres, self.labels, strict=True):
            at = x + offset
            top = y + _DROP + self.tallest - lane.height
            start: tuple[Point, ...] = ((x, y), (at, y), (at, top + top_lift(lane.boxes[0])))
            scene.edges.append(Edge(start if at != x else (start[0], start[2]), "main", lane.arrow, owner))
            lane.place(scene, at, top, owner, level)
            bottom = top + lane.height
            exit = at + lane.out
            end: tuple[Point, ...] = ((exit, bottom), (exit, rail), (x, rail), (x, y + self.path))
            scene.edges.append(Edge(end if exit != x else (end[0], end[3]), "main", True, owner))
            if label:
                scene.labels.append(Label(exit + s.LABEL, bottom + 12.0, label, SHAPE, "shape"))
        bottom = y + self.path
        self.join.place(scene, x, bottom, owner, level)
        side = (x + self.join.width / 2, bottom + self.join.body / 2)
        self.skips.place(scene, x, y, side, owner, level)


class SideWays:
    """Outputs beside the main one: the axis goes on, each way leaves at a dot to the right."""

    arrow = False
    out = 0.0

    def __init__(self, lanes: list[Stack], around: float) -> None:
        self.skips = Skips(lanes, around)
        self.left = 0.0
        self.right = self.skips.right
        self.height = self.skips.height - s.ARROW + 4

    def place(self, scene: Scene, x: float, y: float, owner: str, level: int) -> None:
        scene.dots.append((x, y))
        link(scene, x, y, y + self.height, "", owner, arrow=False)
        for lane, offset in zip(self.skips.lanes, self.skips.offsets, strict=True):
            at = x + offset
            top = y + _DROP
            scene.edges.append(Edge(((x, y), (at, y), (at, top)), "main", lane.arrow, owner))
            lane.place(scene, at, top, owner, level)
