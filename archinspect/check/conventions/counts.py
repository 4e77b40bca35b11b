"""A network counted by a convention."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import floor
from typing import Any

from ...graph import Graph, Node
from .rules import Convention, Count, Rule, term


@dataclass(frozen=True)
class RowCount:
    """What a tool makes of one layer: its count by term, in MACs, and what it leaves out.

    `ignored` and `unknown` hold the tool's words for the work left out, each with the number of times.
    """

    name: str
    op: str
    terms: Mapping[str, Count]
    ignored: Mapping[str, int]
    unknown: Mapping[str, int]
    params: int | None

    @property
    def count(self) -> int:
        return floor(sum(self.terms.values()))


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

    @property
    def macs(self) -> int:
        return sum(self.terms.values())

    @property
    def total(self) -> int:
        return self.convention.per_mac * self.macs

    @property
    def unit(self) -> str:
        return self.convention.unit

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "convention": self.convention.name,
            "tool": self.convention.tool,
            "unit": self.unit,
            "total": self.total,
            "params": self.params,
            "terms": {name: self.convention.per_mac * n for name, n in self.terms.items()},
            "ignored": dict(self.ignored),
            "unknown": dict(self.unknown),
        }


def count(graph: Graph, convention: Convention) -> Counts:
    """Count a network as a tool would, without running it."""
    rows = tuple(count_node(node, convention) for node in graph.layers)
    terms: Counter[str] = Counter()
    exact: dict[str, Count] = {}
    for row in rows:
        for name, value in row.terms.items():
            exact[name] = exact.get(name, 0) + value
    for name, value in exact.items():
        terms[name] = floor(value)  # tools cut the fraction off their total
    params = None if convention.params is None else sum(row.params or 0 for row in rows)
    return Counts(
        convention,
        rows,
        {name: n for name, n in terms.items() if n},
        _merge(row.ignored for row in rows),
        _merge(row.unknown for row in rows),
        params,
    )


def count_node(node: Node, convention: Convention) -> RowCount:
    """One layer as a tool would count it."""
    terms: dict[str, Count] = {}
    left_out: dict[bool, Counter[str]] = {True: Counter(), False: Counter()}
    for piece in convention.pieces(node.op.type):
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
    return RowCount(node.name, node.op.type, terms, ignored, unknown, params)


def _work(node: Node) -> tuple[str, ...]:
    """The op's type, if it computes anything."""
    return () if node.cost is not None and node.cost.flops == 0 else (node.op.type,)


def _merge(parts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    merged: Counter[str] = Counter()
    for part in parts:
        merged.update(part)
    return dict(merged)
