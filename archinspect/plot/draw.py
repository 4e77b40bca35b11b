"""A chart laid out: frame, ticks, series, labels, legend."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from ..diagram.drawing import Box, Drawing, Group, Item, Path, Rect, Text
from ..diagram.theme import LIGHT, Theme
from ..diagram.typeface import text_width
from . import labels
from .chart import Band, Bars, Chart, Line, Point, Series
from .markers import colour, marker
from .scale import minor, scale

_MARGIN = 24.0
_TITLE, _SUBTITLE, _TICK, _LABEL, _NOTE = 18.0, 13.0, 12.0, 11.5, 12.0
_LINE = 1.45  # line height, in font sizes
_KEY = 22.0  # the legend's swatch and the gap behind it


def draw(chart: Chart, theme: Theme = LIGHT) -> Drawing:
    """The picture of a chart."""
    return _Layout(chart, theme).drawing()


class _Layout:
    """Places of one chart."""

    def __init__(self, chart: Chart, theme: Theme) -> None:
        self.chart, self.theme = chart, theme
        self.numbers = _numbered(chart.series)
        self.legend = self._legend_lines()
        bars = any(isinstance(series, Bars) for series in chart.series)
        points = [point for series in chart.series for point in series.points]
        points += [point for series in chart.series if isinstance(series, Band) for point in series.upper]
        top = _MARGIN + _TITLE * _LINE + (_SUBTITLE * _LINE if chart.subtitle else 0)
        top += len(self.legend) * _TICK * 1.7 + 10
        below = _TICK * _LINE + 8 + _LABEL * _LINE + len(self._notes()) * _NOTE * _LINE + 12
        bottom = chart.height - _MARGIN - below
        self.y = scale(chart.y, [point.y for point in points], bottom, top, from_zero=bars)
        widest = max((text_width(tick.text, _TICK) for tick in self.y.ticks), default=0.0)
        left = _MARGIN + _LABEL * _LINE + 8 + widest + 8
        self.x = scale(chart.x, [point.x for point in points], left, chart.width - _MARGIN)
        self.room = Box(left, top, chart.width - _MARGIN - left, bottom - top)

    def drawing(self) -> Drawing:
        items: list[Item] = [
            *self._headings(),
            *self._legend(),
            *self._grid(),
            *self._series(),
            *self._axes(),
        ]
        chart = self.chart
        summary = f"{chart.y.title} against {chart.x.title}: " + ", ".join(
            s.name for s in chart.series if s.name
        )
        return Drawing(chart.width, chart.height, self.theme.background, tuple(items), chart.title, summary)

    def _headings(self) -> Iterator[Item]:
        chart, theme = self.chart, self.theme
        y = _MARGIN + _TITLE
        yield Text(_MARGIN, y, chart.title, _TITLE, theme.heading, bold=True)
        if chart.subtitle:
            yield Text(_MARGIN, y + _SUBTITLE * _LINE, chart.subtitle, _SUBTITLE, theme.muted)
        notes = self._notes()
        for i, note in enumerate(notes):
            base = chart.height - _MARGIN - (len(notes) - 1 - i) * _NOTE * _LINE
            yield Text(_MARGIN, base, note, _NOTE, theme.muted)

    def _notes(self) -> list[str]:
        return [
            line
            for note in self.chart.notes
            for line in _wrapped(note, _NOTE, self.chart.width - 2 * _MARGIN)
        ]

    def _legend_lines(self) -> list[list[Series]]:
        """The named series, in as many lines as they need."""
        lines: list[list[Series]] = []
        used = 0.0
        for series in self.chart.series:
            if not series.name:
                continue
            width = _KEY + text_width(series.name, _TICK) + 18
            if not lines or used + width > self.chart.width - 2 * _MARGIN:
                lines.append([])
                used = 0.0
            lines[-1].append(series)
            used += width
        return lines

    def _legend(self) -> Iterator[Item]:
        y = self.room.y - 10 - len(self.legend) * _TICK * 1.7 + _TICK
        for line in self.legend:
            x = _MARGIN
            for series in line:
                number, middle = self.numbers[id(series)], y - _TICK * 0.36
                if isinstance(series, Line):
                    dash = (4.0, 3.0) if series.dashed else None
                    yield Path(((x, middle), (x + 16, middle)), colour(number), 2.0, dash=dash)
                if not isinstance(series, Line) or series.markers:
                    yield marker(number, x + 8, middle, 4.0, self.theme.background)
                yield Text(x + _KEY, y, series.name, _TICK, self.theme.text)
                x += _KEY + text_width(series.name, _TICK) + 18
            y += _TICK * 1.7

    def _grid(self) -> Iterator[Item]:
        room, faint = self.room, self.theme.inner_stroke
        for value in minor(self.x):
            at = self.x.place(value)
            yield Path(((at, room.bottom), (at, room.bottom - 4)), faint, 0.75)
        for value in minor(self.y):
            at = self.y.place(value)
            yield Path(((room.x, at), (room.x + 4, at)), faint, 0.75)
        for tick in self.x.ticks:
            at = self.x.place(tick.value)
            if not self.chart.x.categories:
                yield Path(((at, room.y), (at, room.bottom)), faint, 0.5)
        for tick in self.y.ticks:
            at = self.y.place(tick.value)
            yield Path(((room.x, at), (room.right, at)), faint, 0.5)

    def _axes(self) -> Iterator[Item]:
        room, theme, chart = self.room, self.theme, self.chart
        yield Path(((room.x, room.y), (room.x, room.bottom), (room.right, room.bottom)), theme.edge, 1.0)
        end = float("-inf")
        for tick in self.x.ticks:
            at, half = self.x.place(tick.value), text_width(tick.text, _TICK) / 2
            if at - half > end + 4:  # a tick's text that would touch the one before is left out
                yield Text(at, room.bottom + 6 + _TICK, tick.text, _TICK, theme.text, anchor="middle")
                end = at + half
        for tick in self.y.ticks:
            at = self.y.place(tick.value)
            yield Text(room.x - 8, at + _TICK * 0.36, tick.text, _TICK, theme.text, anchor="end")
        middle = room.x + room.width / 2
        below = room.bottom + 8 + _TICK * _LINE + _LABEL
        yield Text(middle, below, chart.x.title, _LABEL, theme.muted, anchor="middle")
        x, y = _MARGIN + _LABEL * 0.8, room.y + room.height / 2
        yield Text(x, y, chart.y.title, _LABEL, theme.muted, anchor="middle", angle=-90.0)

    def _series(self) -> Iterator[Item]:
        bars = [series for series in self.chart.series if isinstance(series, Bars)]
        taken: list[Box] = []
        wanted: list[labels.Wanted] = []
        for series in self.chart.series:
            if isinstance(series, Band):
                edge = [*series.points, *reversed(series.upper)]
                fill = _pale(colour(self.numbers[id(series)]), self.theme.background)
                yield Path(tuple(self._place(point) for point in edge), fill=fill, closed=True)
        for series in self.chart.series:
            number = self.numbers[id(series)]
            if isinstance(series, Band):
                continue
            if isinstance(series, Bars):
                yield from self._bars(series, number, bars.index(series), len(bars))
                continue
            if isinstance(series, Line):
                yield from self._line(series, number, taken)
            if not isinstance(series, Line) or series.markers:
                for point in series.points:
                    x, y = self._place(point)
                    shape = marker(number, x, y, point.size, self.theme.background)
                    yield Group((shape,), point.label, point.title) if point.title else shape
                    taken.append(Box(x - point.size, y - point.size, 2 * point.size, 2 * point.size))
            wanted += [
                labels.Wanted(*self._place(point), point.size, point.label, point.weight)
                for point in series.points
                if point.label
            ]
        yield from labels.place(wanted, self.room, taken, _LABEL, self.theme.text, self.theme.edge)

    def _line(self, series: Line, number: int, taken: list[Box]) -> Iterator[Item]:
        places = [self._place(point) for point in series.points]
        dash = (5.0, 4.0) if series.dashed else None
        if len(places) > 1:
            yield Path(tuple(places), colour(number), 2.0, dash=dash)
        for (x0, y0), (x1, y1) in pairwise(places):  # labels keep off the line: boxes along it
            steps = max(1, int(max(abs(x1 - x0), abs(y1 - y0)) / 8))
            for i in range(steps + 1):
                share = i / steps
                taken.append(Box(x0 + (x1 - x0) * share - 2, y0 + (y1 - y0) * share - 2, 4, 4))
        if series.caption:
            (x0, _), (x1, y1) = (places[-2], places[-1]) if len(places) > 1 else (places[0], places[0])
            text = Text(max(x0, x1) - 6, y1 - 6, series.caption, _LABEL, colour(number), anchor="end")
            taken.append(text.box)
            yield text

    def _bars(self, series: Bars, number: int, place: int, count: int) -> Iterator[Item]:
        slot = abs(self.x.place(1) - self.x.place(0)) if self.chart.x.categories else 24.0
        width = min(0.8 * slot / count, 48.0)
        base = self.y.place(max(self.y.low, 0.0) if not self.y.log else self.y.low)
        for point in series.points:
            x, y = self._place(point)
            left = x + (place - count / 2) * width
            top, height = min(y, base), abs(base - y)
            bar = Rect(Box(left + 0.5, top, width - 1, height), 0.0, colour(number))
            yield Group((bar,), point.label, point.title) if point.title else bar
            if point.label and text_width(point.label, _LABEL) <= slot / count:
                yield Text(left + width / 2, top - 4, point.label, _LABEL, self.theme.text, anchor="middle")

    def _place(self, point: Point) -> tuple[float, float]:
        return self.x.place(point.x), self.y.place(point.y)


def _numbered(series: tuple[Series, ...]) -> dict[int, int]:
    """The palette's number of each series, by identity: what it asks for, else the next."""
    numbers: dict[int, int] = {}
    free = 0
    for each in series:
        numbers[id(each)] = free if each.colour is None else each.colour
        free += each.colour is None
    return numbers


def _pale(colour: str, background: str) -> str:
    """A colour (#rrggbb) that is mostly the background's."""
    mixed = [
        round(0.22 * int(colour[at : at + 2], 16) + 0.78 * int(background[at : at + 2], 16))
        for at in (1, 3, 5)
    ]
    return "#" + "".join(f"{part:02x}" for part in mixed)


def _wrapped(text: str, size: float, room: float) -> list[str]:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and text_width(longer, size) > room:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines
