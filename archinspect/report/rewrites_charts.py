"""`bottleneck` of a network as charts: its forms beside one another, part by part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from .. import units
from ..analysis.compare import stages
from ..plot import Axis, Bars, Chart, Point

if TYPE_CHECKING:
    from ..analysis import Analysis
    from ..analysis.rewrites import Substitution
    from ..graph import Graph

_MOST_PARTS = 14
_MOST_FORMS = 5

#: name of a part → figure → value
_Parts = Mapping[str, Mapping[str, int]]


def forms(found: Sequence[Substitution]) -> list[Chart]:
    """Parameters and MACs of the network's parts, as it is and in each of the forms (the first five)."""
    found = found[:_MOST_FORMS]
    first = found[0]
    by_scope = _scopes(first.before)
    parts = _by_scope if 1 < len(by_scope) <= _MOST_PARTS else _by_stage
    sides = {"as it is": parts(first.graph, first.before)}
    sides |= {one.rewrite.name: parts(one.rewritten, one.after) for one in found}
    totals = {"as it is": first.before.totals, **{one.rewrite.name: one.after.totals for one in found}}
    where = "part of the network" if parts is _by_scope else "height and width, as a fraction of the input's"
    name = str(first.graph.metadata.get("title") or first.graph.name)
    return [
        _bars(f"{title} of {name}", where, figure, {n: (sides[n], getattr(totals[n], figure)) for n in sides})
        for figure, title in (("params", "Parameters"), ("macs", "Multiply-accumulates"))
    ]


def _bars(title: str, where: str, figure: str, sides: Mapping[str, tuple[_Parts, int]]) -> Chart:
    names = list(dict.fromkeys(name for parts, _ in sides.values() for name in parts))
    names = [name for name in names if any(parts.get(name, {}).get(figure) for parts, _ in sides.values())]
    shared = _shared_word(names)
    series = []
    for form, (parts, total) in sides.items():
        values = [parts.get(name, {}).get(figure, 0) for name in names]
        points = tuple(
            Point(place, value, title=f"{name}, {form}: {value:,}")
            for place, (name, value) in enumerate(zip(names, values, strict=True))
        )
        series.append(Bars(f"{form}: {units.brief(total)}", points))
    return Chart(
        title,
        Axis(where, categories=tuple(name.removeprefix(shared) for name in names)),
        Axis(title.partition(" of ")[0], low=0, show=lambda value: units.brief(round(value))),
        tuple(series),
        subtitle="as it is, and as other networks of their own",
    )


def _shared_word(names: Sequence[str]) -> str:
    """`inception_` where all names of several words begin with that one."""
    words = {name.partition("_")[0] for name in names if "_" in name}
    return f"{words.pop()}_" if len(words) == 1 else ""


def _scopes(analysis: Analysis) -> list[str]:
    """The top-level parts that cost anything."""
    return [row.name for row in analysis.fold(1).rows if row.params or row.macs]


def _by_scope(graph: Graph, analysis: Analysis) -> _Parts:
    return {row.name: {"params": row.params, "macs": row.macs or 0} for row in analysis.fold(1).rows}


def _by_stage(graph: Graph, analysis: Analysis) -> _Parts:
    return {stage.name: {"params": stage.params, "macs": stage.macs} for stage in stages(graph, analysis)}
