"""`bottleneck` of one convolution as curves: parameters and MACs against the width of the reduction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .. import units
from ..plot import Axis, Chart, Line, Point, Points, Series
from .bottleneck import title

if TYPE_CHECKING:
    from ..analysis.bottleneck import Convolution, Reduction

_MOST_MARKERS = 40


def curves(convolution: Convolution, found: Sequence[Reduction], chosen: int | None = None) -> list[Chart]:
    """Two charts with the `chosen` width marked; a single width is that itself."""
    marked = found[0] if len(found) == 1 else None if chosen is None else convolution.at(chosen)
    return [
        _curve(convolution, found, marked, "params", "Parameters"),
        _curve(convolution, found, marked, "macs", "Multiply-accumulates"),
    ]


def _curve(
    convolution: Convolution, found: Sequence[Reduction], marked: Reduction | None, figure: str, name: str
) -> Chart:
    bound = convolution.break_even.params if figure == "params" else convolution.break_even.macs
    direct = getattr(found[0].direct, figure)
    ratio = f"{figure}_ratio"
    line = list(found) if len(found) > 1 else _around(convolution, found[0].width, bound.width)
    widths = [one.width for one in line]
    ends = min(widths), max(*widths, bound.width)
    series: list[Series] = [
        Line(
            "behind a 1×1 reduction",
            tuple(
                Point(one.width, getattr(one.reduced, figure), title=_words(one, figure, ratio))
                for one in line
            ),
            markers=1 < len(found) <= _MOST_MARKERS,
        ),
        Line(
            f"directly: {direct:,}",
            (Point(ends[0], direct), Point(ends[1], direct)),
            dashed=True,
            markers=False,
        ),
    ]
    if bound.width:
        label = f"break-even: {bound.width} channels"
        where = bound.numerator / bound.denominator
        series.append(Line("", (Point(where, 0), Point(where, direct)), colour=2, dashed=True, markers=False))
        series.append(Points("break-even", (Point(where, direct, label, label, 5.0, 2.0),), colour=2))
    if marked is not None:
        words = _words(marked, figure, ratio)
        place = Point(marked.width, getattr(marked.reduced, figure), words, words, 6.0, 3.0)
        series.append(Points(f"reduced to {marked.width}", (place,), colour=3))
    return Chart(
        f"{name} of {title(convolution)[:1].lower()}{title(convolution)[1:]}",
        Axis("channels after the reduction"),
        Axis(name, low=0, show=lambda value: units.brief(round(value))),
        tuple(series),
        subtitle="directly, and behind a 1×1 convolution that narrows its input",
    )


def _around(convolution: Convolution, chosen: int, break_even: int) -> list[Reduction]:
    """A line from the narrowest reduction past the break-even and the chosen one; it is straight."""
    groups = convolution.op.groups
    last = max(chosen, break_even) * 5 // 4 // groups * groups
    return [convolution.at(width) for width in sorted({groups, chosen, max(last, 2 * groups)})]


def _words(one: Reduction, figure: str, ratio: str) -> str:
    times = getattr(one, ratio)
    many = f"{times:.2f}× fewer" if times >= 1 else f"{1 / times:.2f}× more"
    return f"{one.width} channels: {getattr(one.reduced, figure):,}, {many}"
