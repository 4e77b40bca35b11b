"""Stages along one axis: how far apart, what links them, and their captions on a common baseline."""

from __future__ import annotations

from ..drawing import Point
from ..typeface import text_width
from .content import Gap, Solid
from .groups import Group, lines, titles
from .prism import Prism, meet
from .scale import Scale
from .scene import CAPTION, TITLE, Line, Placed, Strip, Thing, Words, bounds
from .stages import Stage

_APART, _BARS_APART, _WINDOW_APART = 22.0, 34.0, 34.0
_CAPTIONS = 16.0  # between captions
_BASELINE, _LINE = 34.0, 15.0  # from the lowest thing to the first line, and between lines
_STEP = 2.0
_WINDOW = 9.0  # least height of a kernel's window


def along(shown: list[Group | Gap], scale: Scale) -> list[Thing]:
    """Everything of a row of stages, on the axis y = 0."""
    things: list[Thing] = []
    captions: list[tuple[float, list[str]]] = []
    before: Strip | None = None
    edge = 0.0  # right end of the last caption
    names = iter(titles([group for group in shown if isinstance(group, Group)]))
    for group in shown:
        strip = Stage(group, scale).strip if isinstance(group, Group) else _ellipsis()
        texts = _caption(group, next(names) if isinstance(group, Group) else "")
        half = _width(texts) / 2
        start = 0.0 if before is None else _start(before, strip, group)
        start = max(start, edge + _CAPTIONS + half - _middle(strip)) if before else start
        while before is not None and not _clear(before, strip.moved(start, 0.0)):
            start += _STEP
        strip = strip.moved(start, 0.0)
        if before is not None:
            things += _links(before, strip, group)
        things += strip.things
        captions.append((_middle(strip), texts))
        edge = _middle(strip) + half
        before = strip
    y = bounds(things).bottom + _BASELINE
    for x, texts in captions:
        for i, text in enumerate(texts):
            size, role = (TITLE, "title") if i == 0 else (CAPTION, "caption")
            things.append(Words(x, y + i * _LINE, text, size, role, i == 0, "middle"))  # type: ignore[arg-type]
    return _unhidden(things)


def _ellipsis() -> Strip:
    return Strip([Words(0.0, 4.0, "…", 16.0, "number")], (0.0, 0.0), (14.0, 0.0))


def _caption(group: Group | Gap, name: str) -> list[str]:
    """Name, then what the stage computes."""
    if isinstance(group, Gap):
        return [f"{group.count} more", "stages"]
    first = group.results[0]
    if first.kind == "input":
        return [name, first.words]
    return [name, *lines(group)]


def _width(texts: list[str]) -> float:
    return max(text_width(texts[0], TITLE, True), *(text_width(text, CAPTION) for text in texts[1:]), 0.0)


def _middle(strip: Strip) -> float:
    box = (
        bounds(thing for thing in strip.things if not isinstance(thing, Words)) if strip.first else strip.box
    )
    return box.x + box.width / 2


def _start(before: Strip, strip: Strip, group: Group | Gap) -> float:
    """Preferred place of a strip behind another."""
    solid = group.drawn[0] if isinstance(group, Group) else None
    apart = _APART
    if isinstance(solid, Solid):
        apart = _BARS_APART if solid.extent.flat else _WINDOW_APART if solid.kernel else _APART
    end = bounds(thing for thing in before.things if not isinstance(thing, Words)).right
    left = bounds(thing for thing in strip.things if not isinstance(thing, Words)).x if strip.first else 0.0
    return max(end, before.leave[0]) + apart - left


def _clear(before: Strip, strip: Strip) -> bool:
    """Whether no text of one strip covers text or solids of the other."""
    pairs = ((before, strip), (strip, before))
    for one, other in pairs:
        for words in (thing for thing in one.things if isinstance(thing, Words)):
            for thing in other.things:
                if not isinstance(thing, Line) and meet(words.corners, thing.corners, -3.0):
                    return False
    return True


def _links(before: Strip, strip: Strip, group: Group | Gap) -> list[Thing]:
    """Funnel lines between silhouettes, the pyramid of a kernel, or an arrow to and from what is no solid."""
    last, first = before.last, strip.first
    if isinstance(group, Gap) or last is None or first is None:
        if isinstance(group, Gap) or not strip.things or isinstance(before.things[0], Words):
            return []
        return [Line((before.leave, strip.enter), "flow", first is not None)]
    things: list[Thing] = [
        Line(((last.end, last.crest), (first.x + first.dx, first.crest)), "funnel"),
        Line(((last.right, last.bottom), (first.x, first.bottom)), "funnel"),
    ]
    solid = group.drawn[0]
    size = _end_size(before)
    if isinstance(solid, Solid) and solid.kernel and size and max(solid.kernel) > 1:
        tall, wide = (1, *solid.kernel)[-2:]  # of a volume the last two sides are drawn
        pyramid = _pyramid(last, first, (tall / size[0], wide / size[1]))
        texts = [thing for thing in (*before.things, *strip.things) if isinstance(thing, Words)]
        if not any(meet(ray.points[:2], words.corners, -1.0) for ray in pyramid for words in texts):
            things += pyramid
    return things


def _end_size(strip: Strip) -> tuple[int, int] | None:
    """Height and width of the map at a strip's end; None for a bar."""
    for thing in reversed(strip.things):
        if isinstance(thing, Placed) and thing.prism == strip.last:
            extent = thing.solid.extent
            return None if extent.flat else (extent.height, extent.width)
    return None


def _pyramid(last: Prism, first: Prism, share: tuple[float, float]) -> list[Line]:
    """The window of a kernel on the map before, in true proportion where that is visible, and lines to its output."""
    least = _WINDOW / last.height, _WINDOW / 2 / max(last.dx, 1.0)
    window = last.window((max(share[0], least[0]), max(share[1], least[1])))
    apex: Point = (first.x, first.axis)
    rays = [Line((corner, apex), "kernel") for corner in window]
    return [*rays, Line(window, "kernel", closed=True)]


def _unhidden(things: list[Thing]) -> list[Thing]:
    """Funnel lines interrupted where they would run through text."""
    texts = [thing for thing in things if isinstance(thing, Words)]
    result: list[Thing] = []
    for thing in things:
        if not isinstance(thing, Line) or thing.way != "funnel":
            result.append(thing)
            continue
        near = [words for words in texts if _crosses(thing.points[0], thing.points[1], words)]
        result += _pieces(thing, near)
    return result


def _crosses(a: Point, b: Point, words: Words) -> bool:
    return meet((a, b), words.corners, -2.0)


def _pieces(line: Line, texts: list[Words]) -> list[Line]:
    """The parts of a straight line that keep clear of the texts."""
    if not texts:
        return [line]
    (x0, y0), (x1, y1) = line.points
    count = 64
    points = [(x0 + (x1 - x0) * i / count, y0 + (y1 - y0) * i / count) for i in range(count + 1)]
    free = [not any(_crosses(points[i], points[i + 1], words) for words in texts) for i in range(count)]
    pieces: list[Line] = []
    start: int | None = None
    for i, clear in enumerate([*free, False]):
        if clear and start is None:
            start = i
        elif not clear and start is not None:
            if i - start > 2:
                pieces.append(Line((points[start], points[i]), "funnel"))
            start = None
    return pieces
