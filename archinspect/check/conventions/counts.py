"""A network counted by a convention."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from math import floor
from typing import Any

from ...graph import Graph, Node
from ...ops import Shape
from .rules import Convention, Count, Rule, term


@dataclass(frozen=True)
class RowCount:
    """What a tool makes of one layer: its count by term, in MACs, and what it leaves out.

    `ignored` and `unknown` hold the tool's words for the work left out, each with the number of times.  `rule` says in
    words how a call of a captured module was counted; for a layer of a spec the convention says it by op.
    """

    name: str
    op: str
    terms: Mapping[str, Count]
    ignored: Mapping[str, int]
    unknown: Mapping[str, int]
    params: int | None
    output_shape: Shape | None = None
    rule: str | None = None

    @property
    def count(self) -> int:
        return floor(sum(self.terms.values()))

    @property
    def known(self) -> bool:
        """Whether the tool has a rule for any of the layer's work, be it zero."""
        return bool(self.terms) or not self.unknown


@dataclass(frozen=True)
class Counts:
    """A network by the rules of one tool.

    `terms` and `macs` are in multiply-accumulates, or what the tool takes for one; `total` is the tool's own figure
    in its own `unit`.  `unknown` work adds nothing to the total, though it costs something: the tool has no rule.
    """

    convention: Convention
    rows: tuple[RowCount, ...]
    terms: Mapping[str, int]
    ignored: Mapping[str, int]
    unknown: Mapping[str, int]
    params: int | None
    notes: tuple[str, ...]

    @property
    def macs(self) -> int:
        return sum(self.terms.values())

    @property
    def total(self) -> int:
        return self.convention.per_mac * self.macs

    @property
    def unit(self) -> str:
        return self.convention.unit

    def fold(self, depth: int) -> Counts:
        """The same with layers below `depth` levels of scopes added up under their scope."""
        groups: dict[str, list[RowCount]] = {}
        for row in self.rows:
            groups.setdefault(".".join(row.name.split(".")[:depth]), []).append(row)
        return replace(self, rows=tuple(_fold(name, rows) for name, rows in groups.items()))

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; counts are in the tool's unit."""
        factor = self.convention.per_mac
        return {
            "convention": self.convention.name,
            "tool": self.convention.tool,
            "unit": self.unit,
            "total": self.total,
            "params": self.params,
            "terms": {name: factor * n for name, n in self.terms.items()},
            "ignored": dict(self.ignored),
            "unknown": dict(self.unknown),
            "rows": [
                {
                    "name": row.name,
                    "op": row.op,
                    "count": factor * row.count if row.known else None,
                    "params": row.params,
                    "ignored": dict(row.ignored),
                    "unknown": dict(row.unknown),
                }
                for row in self.rows
            ],
        }


def count(graph: Graph, convention: Convention) -> Counts:
    """Count a network as a tool would, without running it."""
    rows = tuple(count_node(node, convention) for node in graph.layers)
    params = None if convention.params is None else sum(row.params or 0 for row in rows)
    notes = tuple(note.text for note in convention.notes if any(map(note.applies, graph.layers)))
    return add_up(rows, convention, params, notes)


def add_up(
    rows: tuple[RowCount, ...], convention: Convention, params: int | None, notes: tuple[str, ...]
) -> Counts:
    """The network's counts from those of its rows."""
    return Counts(
        convention,
        rows,
        _whole(_sum(row.terms for row in rows)),
        _merge(row.ignored for row in rows),
        _merge(row.unknown for row in rows),
        params,
        notes,
    )


def count_node(node: Node, convention: Convention) -> RowCount:
    """One layer as a tool would count it."""
    terms: dict[str, Count] = {}
    left_out: dict[bool, Counter[str]] = {True: Counter(), False: Counter()}
    for piece in convention.pieces_of(node.op):
        if isinstance(piece, Rule):
            value = piece.count(node)
            if value:
                name = term(node.op.type, piece.part)
                terms[name] = terms.get(name, 0) + value
        else:
            for name in piece.names or _work(node):
                left_out[piece.known][name] += piece.times(node)
    ignored, unknown = ({name: n for name, n in left_out[known].items() if n} for known in (True, False))
    params = None if convention.params is None else convention.params(node)
    return RowCount(node.name, node.op.type, terms, ignored, unknown, params, node.output_shape)


def _fold(name: str, rows: list[RowCount]) -> RowCount:
    if len(rows) == 1 and rows[0].name == name:
        return rows[0]
    params = None if rows[0].params is None else sum(row.params or 0 for row in rows)
    return RowCount(
        name,
        "scope",
        _sum(row.terms for row in rows),
        _merge(row.ignored for row in rows),
        _merge(row.unknown for row in rows),
        params,
    )


def _sum(parts: Iterable[Mapping[str, Count]]) -> dict[str, Count]:
    total: dict[str, Count] = {}
    for part in parts:
        for name, value in part.items():
            total[name] = total.get(name, 0) + value
    return total


def _whole(terms: Mapping[str, Count]) -> dict[str, int]:
    """The terms in whole numbers, their sum the whole part of the sum, as tools cut the fraction off their total."""
    whole = {name: floor(count) for name, count in terms.items()}
    left = floor(sum(terms.values())) - sum(whole.values())
    for name in sorted(terms, key=lambda name: whole[name] - terms[name])[:left]:
        whole[name] += 1
    return whole


def _work(node: Node) -> tuple[str, ...]:
    """The op's type, if it computes anything."""
    return () if node.cost is not None and node.cost.flops == 0 else (node.op.type,)


def _merge(parts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    merged: Counter[str] = Counter()
    for part in parts:
        merged.update(part)
    return dict(merged)
