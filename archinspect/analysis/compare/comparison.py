"""Two networks side by side: totals, and where their difference comes from, to the last parameter."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from ...graph import Graph
from ...shown import Shown, counted
from ..analyse import analyse
from ..results import Analysis, Row
from . import describe, parameters
from .align import Match, align
from .pieces import pieces
from .stages import Stage, stages

Change = Literal["added", "removed", "changed"]


@dataclass(frozen=True)
class Difference:
    """One layer that differs: its path in each network, what changed, and what that adds to the totals.

    `path_a` is None for an added layer, `path_b` for a removed one.  Figures are the second network's minus the
    first's; what cannot be counted counts as 0, and the totals say that they are lower bounds.
    """

    path_a: str | None
    path_b: str | None
    change: Change
    what: str
    params: int
    macs: int
    flops: int
    activation_bytes: int

    @property
    def path(self) -> str:
        """The path in the second network, or in the first for a removed layer."""
        return self.path_b or self.path_a or ""

    def to_dict(self) -> dict[str, object]:
        return {
            "path_a": self.path_a,
            "path_b": self.path_b,
            "change": self.change,
            "what": self.what,
            "params": self.params,
            "macs": self.macs,
            "flops": self.flops,
            "activation_bytes": self.activation_bytes,
        }


@dataclass(frozen=True)
class Side:
    """One of the networks, with its figures."""

    graph: Graph = field(repr=False)
    label: str = ""

    @property
    def name(self) -> str:
        return self.label or self.graph.name

    @cached_property
    def analysis(self) -> Analysis:
        return analyse(self.graph)

    @cached_property
    def stages(self) -> tuple[Stage, ...]:
        return stages(self.graph, self.analysis)

    @property
    def receptive_field(self) -> Row | None:
        """The last layer on the way to the output that still has positions: its field is the network's."""
        graph = self.graph
        end = graph.outputs[0] if graph.outputs else 0
        while end >= graph.inputs and graph.nodes[end].inputs:
            sizes = zip(graph.axes[end], graph.nodes[end].output_shape, strict=True)
            if any(meaning == "space" and size > 1 for meaning, size in sizes):
                return self.row(end)
            end = graph.nodes[end].inputs[0]
        return None

    def row(self, index: int) -> Row:
        """The figures of the node at `index`, which is no input."""
        return self.analysis.rows[index - self.graph.inputs]

    def to_dict(self) -> dict[str, object]:
        seen = self.receptive_field
        field = seen.receptive_field if seen else None
        return {
            "name": self.name,
            "input": list(self.graph.input_shape),
            "totals": {
                **self.analysis.totals.to_dict(),
                "receptive_field": list(field) if isinstance(field, tuple) else field,
            },
        }


@dataclass(frozen=True)
class Comparison(Shown):
    """A second network against a first: which nodes stand for each other, and what differs.

    `matches` has every node of both but the inputs exactly once, as (index in a, index in b); None where it has no
    partner.  `differences` are those that differ, in reading order.
    """

    a: Side
    b: Side
    matches: tuple[Match, ...] = field(repr=False)

    @cached_property
    def differences(self) -> tuple[Difference, ...]:
        found = [self._difference(match) for match in self.matches]
        return tuple(difference for difference in found if difference is not None)

    @property
    def renamed(self) -> tuple[tuple[str, str], ...]:
        """Layers that are the same and have another path, as (path in a, path in b)."""
        nodes, others = self.a.graph.nodes, self.b.graph.nodes
        pairs = [(nodes[i].name, others[j].name) for i, j in self.matches if i is not None and j is not None]
        return tuple((one, other) for one, other in pairs if one != other)

    @property
    def parameters_only(self) -> bool:
        """Whether nothing but parameters is held side by side, since one of the networks is a checkpoint."""
        return not self.a.graph.inputs

    @property
    def params(self) -> int:
        """Parameters that the second has more than the first, by the totals."""
        return self.b.analysis.totals.params - self.a.analysis.totals.params

    @property
    def macs(self) -> int:
        return self.b.analysis.totals.macs - self.a.analysis.totals.macs

    @property
    def unexplained(self) -> int:
        """What the differences leave of the difference of the totals, in parameters, MACs, FLOPs and bytes: 0."""
        one, other = self.a.analysis.totals, self.b.analysis.totals
        keys = ("params",) if self.parameters_only else ("params", "macs", "flops", "activation_bytes")
        return sum(
            abs(getattr(other, key) - getattr(one, key) - sum(getattr(d, key) for d in self.differences))
            for key in keys
        )

    def _difference(self, match: Match) -> Difference | None:
        i, j = match
        one = None if i is None else self.a.row(i)
        other = None if j is None else self.b.row(j)
        change: Change = "changed"
        words = parameters if self.parameters_only else describe
        if one is not None and other is not None:
            assert i is not None
            assert j is not None
            left, right = self.a.graph.nodes[i], self.b.graph.nodes[j]
            # Of tied parameters one row may count those that on the other side are another's.
            if words.same(left, right) and (not self.parameters_only or one.params == other.params):
                return None
            what = (
                parameters.change(left, right)
                if self.parameters_only
                else describe.change(describe.placed(self.a.graph, i), describe.placed(self.b.graph, j))
            )
        elif i is not None:
            change, what = "removed", self._layer(self.a.graph, i)
        else:
            assert j is not None
            change, what = "added", self._layer(self.b.graph, j)
        return Difference(
            path_a=one.name if one else None,
            path_b=other.name if other else None,
            change=change,
            what=what,
            params=_minus(other, one, "params"),
            macs=_minus(other, one, "macs"),
            flops=_minus(other, one, "flops"),
            activation_bytes=_minus(other, one, "activation_bytes"),
        )

    def __repr__(self) -> str:
        names = f"{self.a.graph.name} and {self.b.graph.name}"
        what = f"{counted(len(self.differences), 'difference')}, {self.params:+,} parameters"
        return f"<Comparison of {names}: {what}, {self.macs:+,} MACs>"

    def _layer(self, graph: Graph, index: int) -> str:
        """One layer in a few words."""
        if self.parameters_only:
            return parameters.layer(graph.nodes[index])
        return describe.layer(describe.placed(graph, index))


def _minus(one: Row | None, other: Row | None, key: str) -> int:
    return (getattr(one, key) or 0 if one else 0) - (getattr(other, key) or 0 if other else 0)


def compare(a: Graph, b: Graph, *, labels: tuple[str, str] = ("", "")) -> Comparison:
    """Align two networks by structure, or by their parameters alone where one is a checkpoint.

    `labels` name them where their own names would not tell them apart.
    """
    if not (a.inputs and b.inputs):
        a, b = parameters.parameters_of(a), parameters.parameters_of(b)
        found = parameters.align(a, b)
        return Comparison(Side(a, labels[0]), Side(b, labels[1]), tuple(found))
    matches = _by_flow(a, b, align(pieces(a), pieces(b)))
    return Comparison(Side(a, labels[0]), Side(b, labels[1]), (*matches, *_apart(a, b, matches)))


def _by_flow(a: Graph, b: Graph, matches: Sequence[Match]) -> list[Match]:
    """The matches, with layers added that are the same and read the same, where scopes kept them apart.

    A pool at the end of one scope is the pool at the beginning of the next, and no difference but of names.
    """
    partner = {i: j for i, j in matches if i is not None and j is not None}
    partner.update((i, i) for i in range(min(a.inputs, b.inputs)))
    alone: dict[tuple[int, ...], list[int]] = {}  # layers of b without a partner, by what they read
    for i, j in matches:
        if i is None and j is not None:
            alone.setdefault(b.nodes[j].inputs, []).append(j)
    if not alone:
        return list(matches)
    found: dict[int, int] = {}
    for i in sorted(i for i, j in matches if i is not None and j is None):
        read = tuple(partner.get(source, -1) for source in a.nodes[i].inputs)
        for j in alone.get(read, ()):
            if describe.same(a.nodes[i], b.nodes[j]):
                found[i] = partner[i] = j
                alone[read].remove(j)
                break
    taken = set(found.values())
    return [
        (i, found.get(i, j) if i is not None else j) for i, j in matches if not (i is None and j in taken)
    ]


def _apart(a: Graph, b: Graph, matches: Sequence[Match]) -> Iterator[Match]:
    """What is in no structure (parameters that nothing reads, calls without effect on an output), by name."""
    mine = _left(a, {i for i, _ in matches})
    theirs = _left(b, {j for _, j in matches})
    yield from ((index, theirs.get(name)) for name, index in mine.items())
    yield from ((None, index) for name, index in theirs.items() if name not in mine)


def _left(graph: Graph, matched: set[int | None]) -> dict[str, int]:
    rest = range(graph.inputs, len(graph.nodes))
    return {graph.nodes[index].name: index for index in rest if index not in matched}
