"""The box of a net: its parts in layers from top to bottom, ways between them in lanes and channels.

This is Sugiyama's method: each part goes into the layer below the last that it reads; a way over several layers goes
through a place of its own in each, so that it passes no card; the order in a layer is that which crosses least; the
places are drawn towards what they are linked to.  Between two layers lies a channel, in which each value that turns
aside has a level line of its own.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from dataclasses import dataclass, field
from itertools import pairwise

from ...ops.base import Shape
from ..captions import shape_label
from ..drawing import Point
from ..elements import Link, Net
from ..scene import SHAPE, Edge, Label, Scene
from ..typeface import text_width
from . import spacing as s
from .boxes import BlockBox, Stack, top_lift
from .cards import CardBox
from .columns import Columns
from .frames import FrameBox

_LANE = 12.0  # the width of a way's place in a layer
_TRACK = 9.0  # between level lines of a channel
_ABOVE, _BELOW = 8.0, 14.0  # from a part to the first line, from the last to the arrow's end
_LABELLED = 18.0  # instead of _ABOVE, where a shape stands beside the way
_SWEEPS = 8


@dataclass(eq=False)
class _Spot:
    """A place in a layer: of a part, of an entry, or of a way that passes."""

    layer: int
    box: BlockBox | None
    value: int  # of an entry or a way: the node that made what flows
    left: float = _LANE / 2
    right: float = _LANE / 2
    x: float = 0.0  # of its axis
    label: str = ""
    place: int = 0  # in its layer
    above: list[_Spot] = field(default_factory=list)  # what it reads, in the layer above
    below: list[_Spot] = field(default_factory=list)
    values: dict[int, list[int]] = field(
        default_factory=dict
    )  # what flows to a spot below, by that spot's id

    @property
    def out(self) -> float:
        """Where the way goes on."""
        return self.x + (self.box.out if self.box else 0.0)


class NetBox:
    """The parts of a net with the ways between them; the axis is at the first way in."""

    arrow = False

    def __init__(self, net: Net, parts: list[Stack], ends: list[Shape]) -> None:
        self.net = net
        self.parts = [_Spot(0, box, -1) for box in parts]
        self.entries = [_Spot(0, None, value) for value in net.entries]
        values: dict[int, set[int]] = {}
        for link in net.links:
            values.setdefault(link.source, set()).add(link.value)
        for place, (spot, box, end) in enumerate(zip(self.parts, parts, ends, strict=True)):
            # of a part that several values come from the last one's shape would be said of all
            one = len(values.get(place, ())) == 1
            spot.label = shape_label(end) if one and not _is_io(box) else ""
            room = box.out + s.LABEL + text_width(spot.label, SHAPE) if spot.label else 0.0
            spot.left, spot.right = box.left, max(box.right, room)
        self._set_layers()
        self.layers = self._with_lanes()
        count = sum(map(len, self.layers))
        self.sweeps = _SWEEPS if count < 600 else 3 if count < 3000 else 1
        self._order()
        self._turn_aside()
        self._set_places()
        self.tracks = [self._channel(upper) for upper in self.layers[:-1]]
        self._set_heights()
        axis = self.entries[0].x if self.entries else self.parts[-1].x
        spots = [spot for layer in self.layers for spot in layer]
        for spot in spots:
            spot.x -= axis
        self.left = max(spot.left - spot.x for spot in spots)
        self.right = max(spot.right + spot.x for spot in spots)
        self.out = self.parts[-1].out

    @property
    def ways_in(self) -> tuple[tuple[int, float], ...]:
        """The values that come in from outside, and where, from the axis."""
        return tuple((entry.value, entry.x) for entry in self.entries)

    # Layers

    def _set_layers(self) -> None:
        sources: list[list[int]] = [[] for _ in self.parts]
        readers: list[list[int]] = [[] for _ in self.parts]
        for link in self.net.links:
            if link.source >= 0:
                sources[link.target].append(link.source)
                readers[link.source].append(link.target)
        first = 1 if self.entries else 0
        for place, spot in enumerate(self.parts):  # in the order of execution
            spot.layer = max((self.parts[source].layer + 1 for source in sources[place]), default=first)
        fed = {link.target for link in self.net.links}
        for place in reversed(range(len(self.parts))):  # what reads nothing stands near what reads it
            if place not in fed and readers[place]:
                self.parts[place].layer = min(self.parts[reader].layer for reader in readers[place]) - 1
        self.parts[-1].layer = max(spot.layer for spot in self.parts)

    def _with_lanes(self) -> list[list[_Spot]]:
        """Layers with a place for each value in every layer that it passes; one for all that read it below."""
        layers: list[list[_Spot]] = [[] for _ in range(self.parts[-1].layer + 1)]
        for spot in (*self.entries, *self.parts):
            layers[spot.layer].append(spot)
        self.lanes: dict[tuple[int, int], list[_Spot]] = {}
        for link in sorted(self.net.links, key=lambda link: (link.source, link.target)):
            source, target = self._ends(link)
            lane = self.lanes.setdefault((link.source, link.value), [source])
            while lane[-1].layer < target.layer - 1:
                passing = _Spot(lane[-1].layer + 1, None, link.value)
                _tie(lane[-1], passing, link.value)
                lane.append(passing)
                layers[passing.layer].append(passing)
            _tie(lane[target.layer - 1 - source.layer], target, link.value)
        return layers

    def _ends(self, link: Link) -> tuple[_Spot, _Spot]:
        source = self.parts[link.source] if link.source >= 0 else self.entries[-1 - link.source]
        return source, self.parts[link.target]

    # Order and places

    def _order(self) -> None:
        """Sort each layer by the middle of what its spots are linked to, and keep the order that crosses least."""
        for layer in self.layers:
            _number(layer)
        best, fewest, idle = [list(layer) for layer in self.layers], self._crossings(), 0
        for sweep in range(self.sweeps):
            if not fewest or idle == 2:
                break
            down = sweep % 2 == 0
            for layer in self.layers[1:] if down else reversed(self.layers[:-1]):
                layer.sort(
                    key=lambda spot: (_middle(spot.above if down else spot.below, spot.place), spot.place)
                )
                _number(layer)
            crossings = self._crossings()
            idle += 1
            if crossings < fewest:
                best, fewest, idle = [list(layer) for layer in self.layers], crossings, 0
        self.layers = best
        for layer in self.layers:
            _number(layer)

    def _crossings(self) -> int:
        """Pairs of ways between two layers that cross."""
        count = 0
        for layer in self.layers:
            met: list[int] = []
            for spot in layer:
                ends = sorted(below.place for below in spot.below)
                count += sum(len(met) - bisect_right(met, end) for end in ends)
                for end in ends:
                    insort(met, end)
        return count

    def _turn_aside(self) -> None:
        """Let a way that passed other parts come to a join from its side, where a spot beside it is made for it."""
        self.sides: dict[Link, _Spot] = {}
        for link in self.net.links:
            source, target = self._ends(link)
            before = self.lanes[link.source, link.value][target.layer - 1 - source.layer]
            others = [spot for spot in target.above if spot is not before]
            card = _first_card(target.box)
            if before.box or source is before or not others or card is None or card.card.kind != "merge":
                continue
            right = before.place > min(spot.place for spot in others)
            used = [side for other, side in self.sides.items() if other.target == link.target]
            if any((side.place > target.place) == right for side in used):
                continue
            spot = _Spot(target.layer, None, link.value)
            before.below.remove(target)
            target.above.remove(before)
            _tie(before, spot, link.value)
            layer = self.layers[target.layer]
            layer.insert(layer.index(target) + right, spot)
            _number(layer)
            self.sides[link] = spot

    def _set_places(self) -> None:
        for layer in self.layers:
            edge = 0.0
            for spot in layer:
                spot.x = edge + spot.left
                edge += spot.left + spot.right + s.LANE
        for sweep in range(self.sweeps):
            down = sweep % 2 == 0
            for layer in self.layers if down else reversed(self.layers):
                _draw_near(layer, above=down)
        _draw_near(self.layers[-1], above=True)

    def _meets_border(self, spot: _Spot) -> bool:
        """Whether several values come into a frame that begins with no card for all of them: they end at its border."""
        return (
            len(spot.above) > 1
            and _frame(spot.box) is not None
            and not _ports(spot.box)
            and not _face(spot.box)
        )

    # Channels

    def _way_in(self, source: _Spot, target: _Spot, value: int) -> float:
        """Where the way from `source` meets the top of a part."""
        if target.box is None:
            return target.x
        ports = dict(_ports(target.box))
        if value in ports:
            return target.x + ports[value]
        others = sorted(target.above, key=lambda spot: spot.x)
        if len(others) == 1:
            return target.x
        step = min(16.0, (_face_width(target.box) - 14.0) / (len(others) - 1))
        return target.x + (others.index(source) - (len(others) - 1) / 2) * step

    def _channel(self, upper: list[_Spot]) -> dict[int, int]:
        """The track of each spot whose way turns, by the spot's id: level lines that meet get different ones."""
        spans: list[tuple[float, float, _Spot, list[float]]] = []
        for spot in upper:
            ends = [
                self._way_in(spot, below, value) for below in spot.below for value in spot.values[id(below)]
            ]
            if ends and any(abs(end - spot.out) > 0.5 for end in ends):
                spans.append((min(*ends, spot.out), max(*ends, spot.out), spot, ends))
        # Where one way comes down to a part right below another's source, the other has to turn off first.
        before: dict[int, set[int]] = {id(spot): set() for _, _, spot, _ in spans}
        outs = sorted((spot.out, id(spot)) for _, _, spot, _ in spans)
        for _, _, spot, ends in spans:
            for end in ends:
                for out, other in outs[bisect_right(outs, (end - 3.0, 0)) :]:
                    if out > end + 3.0:
                        break
                    if other != id(spot):
                        before[id(spot)].add(other)
        tracks: dict[int, int] = {}
        taken: list[list[tuple[float, float]]] = []
        waiting = sorted(spans, key=lambda span: (span[1] - span[0], span[0]))
        while waiting:
            ready = [span for span in waiting if before[id(span[2])] <= tracks.keys()] or waiting[:1]
            for span in ready:
                left, right, spot, _ = span
                lowest = max((tracks[other] + 1 for other in before[id(spot)] if other in tracks), default=0)
                track = lowest
                while track < len(taken) and any(left < b + 6 and a < right + 6 for a, b in taken[track]):
                    track += 1
                while len(taken) <= track:
                    taken.append([])
                taken[track].append((left, right))
                tracks[id(spot)] = track
                waiting.remove(span)
        return tracks

    def _set_heights(self) -> None:
        self.tops: list[float] = []
        self.starts: list[float] = []  # of the first track below each layer
        y = 0.0
        for number, layer in enumerate(self.layers):
            self.tops.append(y)
            y += max((spot.box.height for spot in layer if spot.box), default=0.0)
            if number < len(self.tracks):
                y += _LABELLED if any(spot.label for spot in layer) else _ABOVE
                self.starts.append(y)
                count = max(self.tracks[number].values(), default=-1) + 1
                y += _TRACK * max(count - 1, 0) + _BELOW
        self.height = y

    # Drawing

    def place(self, scene: Scene, x: float, y: float, owner: str, level: int) -> None:
        for entry in self.entries:
            scene.dots.append((x + entry.x, y))
        for spot in self.parts:
            assert spot.box is not None
            top = y + self.tops[spot.layer]
            spot.box.place(scene, x + spot.x, top, owner, level)
            if spot.label:
                at = Label(x + spot.out + s.LABEL, top + spot.box.height + 12.0, spot.label, SHAPE, "shape")
                scene.labels.append(at)
        for link in self.net.links:
            points = [(x + px, y + py) for px, py in self._way(link)]
            source, target = self._ends(link)
            assert target.box is not None
            aside = target.layer - source.layer > 1
            arrow = target.box.arrow or self._meets_border(target)
            scene.edges.append(Edge(tuple(points), "skip" if aside else "main", arrow, owner))
        for spot in self.parts:
            assert spot.box is not None
            if self._meets_border(spot):  # from the border on, what came in apart is one way
                top = y + self.tops[spot.layer]
                border, first = top + _border(spot.box), top + top_lift(spot.box)
                through = ((x + spot.x, border), (x + spot.x, first))
                scene.edges.append(Edge(through, "main", spot.box.arrow, owner))
        last = self.parts[-1]
        assert last.box is not None
        bottom = self.tops[last.layer] + last.box.height
        if bottom < self.height:
            end = (x + last.out, y + self.height)
            scene.edges.append(Edge(((x + last.out, y + bottom), end), "main", False, owner))

    def _way(self, link: Link) -> list[Point]:
        source, target = self._ends(link)
        lane = self.lanes[link.source, link.value]
        side = self.sides.get(link)
        spots = [*lane[: target.layer - source.layer], side or target]
        y = self.tops[source.layer] + (source.box.height if source.box else 0.0)
        points = [(source.out, y)]
        for upper, lower in pairwise(spots):
            end = self._way_in(upper, lower, link.value)
            track = self.tracks[upper.layer].get(id(upper))
            if track is not None and abs(end - upper.out) > 0.5:
                level = self.starts[upper.layer] + track * _TRACK
                points += [(upper.out, level), (end, level)]
        assert target.box is not None
        top = self.tops[target.layer] + (
            _border(target.box) if self._meets_border(target) else top_lift(target.box)
        )
        if not side:
            return [*points, (points[-1][0], top)]
        card = _first_card(target.box)
        assert card is not None
        level = top + card.body / 2
        face = target.x + (card.width / 2 if side.x > target.x else -card.width / 2)
        return [*points, (side.x, level), (face, level)]


def _tie(upper: _Spot, lower: _Spot, value: int) -> None:
    values = upper.values.setdefault(id(lower), [])
    if not values:
        upper.below.append(lower)
        lower.above.append(upper)
    if value not in values:
        values.append(value)


def _draw_near(layer: list[_Spot], *, above: bool) -> None:
    """Move the spots towards the middle of what they are linked to, in their order and without overlap.

    Spots that would overlap are moved together, to the mean of where they want to be (the pool of adjacent violators,
    which is the least sum of squares); ways that pass weigh more, so that they stay straight.
    """
    groups: list[tuple[float, float, list[_Spot], list[float]]] = []  # place, weight, spots, their offsets
    for spot in layer:
        linked = spot.above if above else spot.below
        if spot.box or spot.layer == 0:  # rather in line with parts than with ways that pass
            linked = [other for other in linked if other.box or other.layer == 0] or linked
        goal = sum(other.out if above else other.x for other in linked) / len(linked) if linked else spot.x
        group = (goal, 4.0 if spot.box is None else 1.0, [spot], [0.0])
        while groups:
            place, weight, spots, offsets = groups[-1]
            last = spots[-1]
            need = offsets[-1] + last.right + s.LANE + group[2][0].left
            if place + need <= group[0]:
                break
            groups.pop()
            total = weight + group[1]
            merged = (place * weight + (group[0] - need) * group[1]) / total
            group = (merged, total, [*spots, *group[2]], [*offsets, *(need + offset for offset in group[3])])
        groups.append(group)
    for place, _, spots, offsets in groups:
        for spot, offset in zip(spots, offsets, strict=True):
            spot.x = place + offset


def _number(layer: list[_Spot]) -> None:
    for place, spot in enumerate(layer):
        spot.place = place


def _middle(spots: list[_Spot], otherwise: int) -> float:
    return sum(spot.place for spot in spots) / len(spots) if spots else float(otherwise)


def _first_card(box: BlockBox | None) -> CardBox | None:
    """The card that a part begins with, if it begins with one."""
    first = box.boxes[0] if isinstance(box, Stack) and box.boxes else box
    return first if isinstance(first, CardBox) else None


def _ports(box: object) -> tuple[tuple[int, float], ...]:
    """Where values come into a box that tells them apart: a net, or what begins with one."""
    while True:
        if isinstance(box, NetBox):
            return box.ways_in
        if isinstance(box, FrameBox):
            box = box.inner
        elif isinstance(box, Columns):
            box = box.stacks[0]
        elif isinstance(box, Stack) and box.boxes:
            box = box.boxes[0]
        else:
            return ()


def _face(box: object) -> CardBox | None:
    """The card that a way into the box comes to, through the frames around it; None where that is a fork or a net."""
    while not isinstance(box, CardBox):
        if isinstance(box, FrameBox):
            box = box.inner
        elif isinstance(box, Columns):
            box = box.stacks[0]
        elif isinstance(box, Stack) and box.boxes:
            box = box.boxes[0]
        else:
            return None
    return box


def _face_width(box: BlockBox) -> float:
    """How wide the card is that a way into a part comes to, or its frame."""
    card = _face(box)
    return card.width if card else box.left + box.right


def _frame(box: BlockBox | None) -> FrameBox | None:
    """The frame that a part begins with, if it begins with one."""
    first = box.boxes[0] if isinstance(box, Stack) and box.boxes else box
    return first if isinstance(first, FrameBox) else None


def _border(box: BlockBox) -> float:
    """How far below a part's top the border of its frame is: the frames behind a folded one stand above it."""
    frame = _frame(box)
    return frame.stack if frame else 0.0


def _is_io(box: Stack) -> bool:
    card = getattr(box.boxes[-1], "card", None)
    return card is not None and card.kind == "io"
