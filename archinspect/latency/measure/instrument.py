"""Marks between the layers of a module, written into its own forward code.

The copy runs the same code as the original with one call between layers that notes the time; it shares the weights.
So the rows add up: the time between two layers (an addition, a free, Python itself) belongs to one of them.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import torch
from torch import fx, nn

from ..layers import Row
from ..runtime import Event, Forward
from .runtime import TorchRuntime

if TYPE_CHECKING:
    from ...graph import Graph


@dataclass(frozen=True, slots=True)
class Segment:
    """Neighbouring steps of the forward code that are one row, and the layers they belong to."""

    name: str
    layers: tuple[str, ...]
    nodes: tuple[fx.Node, ...]


def segments(module: fx.GraphModule, graph: Graph) -> tuple[Segment, ...]:
    """The steps of a built module's code by layer of the graph it was built from, in order.

    A layer is one call, of a module or a function; only a join by a function of two is a call for each further branch.
    """
    calls = [
        node for node in module.graph.nodes if node.op in ("call_module", "call_function", "call_method")
    ]
    rows = []
    at = 0
    for layer in graph.layers:
        call = layer.op.torch_call(layer.input_shapes)
        count = len(layer.inputs) - 1 if call.fold else 1
        mine = calls[at : at + count]
        if call.is_module and [step.target for step in mine] != [layer.name]:
            raise ValueError(f"the module's code has no call of {layer.name} where the graph has it")
        if mine:
            rows.append(Segment(layer.name, (layer.name,), tuple(mine)))
        at += count
    if at != len(calls):
        raise ValueError(f"the module's code makes {len(calls)} calls, the graph has {at}")
    return tuple(rows)


def together(rows: Sequence[Segment], name_of: Callable[[str], str]) -> tuple[Segment, ...]:
    """Neighbouring rows that get the same name made one, so that no mark stands between them."""
    joined: list[Segment] = []
    for row in rows:
        name = name_of(row.name)
        if joined and joined[-1].name == name:
            last = joined.pop()
            joined.append(Segment(name, last.layers + row.layers, last.nodes + row.nodes))
        else:
            joined.append(Segment(name, row.layers, row.nodes))
    return tuple(joined)


def instrumented(
    module: fx.GraphModule, rows: Sequence[Segment], note: Callable[[int], None]
) -> fx.GraphModule:
    """A copy of the module that calls `note(0)` before the first row and `note(i)` after the i-th (from 1)."""
    return _with_calls(module, rows, lambda index, _name: note(index), values=False)


def watched(
    module: fx.GraphModule, rows: Sequence[Segment], look: Callable[[str, torch.Tensor], None]
) -> fx.GraphModule:
    """A copy of the module that shows `look` each row's name and output."""

    def show(_index: int, name: str, value: object) -> None:
        if isinstance(value, torch.Tensor):
            look(name, value)

    return _with_calls(module, rows, show, values=True)


def _with_calls(
    module: fx.GraphModule, rows: Sequence[Segment], call: Callable[..., None], *, values: bool
) -> fx.GraphModule:
    graph = fx.Graph()
    copies: dict[fx.Node, fx.Node] = {}
    output = graph.graph_copy(module.graph, copies)
    graph.output(output)

    def insert(index: int, name: str, after: fx.Node | None, before: fx.Node | None) -> None:
        arguments: tuple[Any, ...] = (index, name, after) if values else (index, name)
        place = graph.inserting_after(after) if after is not None else graph.inserting_before(before)
        with place:
            graph.call_function(call, arguments)

    if rows and not values:
        insert(0, "", None, copies[rows[0].nodes[0]])
    for index, row in enumerate(rows, 1):
        insert(index, row.name, copies[row.nodes[-1]], None)
    return fx.GraphModule(module, graph)


class Ledger:
    """The marks of one pass, and the seconds of each row between them; the last row is what lies outside all.

    On a CPU a pass is timed on the host.  On a GPU the marks are events, in a captured graph where that can be had.
    """

    def __init__(self, runtime: TorchRuntime, rows: int) -> None:
        self._runtime = runtime
        self._marks: list[Event] = [runtime.boundary() for _ in range(rows + 1)]
        self._first, self._last = runtime.event(), runtime.event()

    def note(self, index: int) -> None:
        """Mark 0 stands before the first row, mark i after the i-th."""
        self._marks[index].record()

    def timed(self, forward: Forward) -> list[float]:
        """Run a forward with marks (or its replay) and read them."""
        self._first.record()
        forward()
        self._last.record()
        self._runtime.synchronize()
        marks = self._marks
        rows = [a.seconds_until(b) for a, b in pairwise(marks)]
        outside = self._first.seconds_until(marks[0]) + marks[-1].seconds_until(self._last)
        return [*rows, outside]


@dataclass(frozen=True)
class Instrument:
    """A forward with marks and the same without.  `rows` are what lies between the marks.

    `switch(True)` is called, untimed, before each forward with marks, `switch(False)` before each without.  `eager`:
    never in a captured graph.
    """

    rows: tuple[Row, ...]
    ledger: Ledger
    plain: Forward
    marked: Forward
    switch: Callable[[bool], None]
    eager: bool = False


def layers_marked(
    runtime: TorchRuntime, module: fx.GraphModule, image: torch.Tensor, parts: Sequence[Segment]
) -> Instrument:
    """Marks between the layers of a module."""
    ledger = Ledger(runtime, len(parts))
    marked = instrumented(module, parts, ledger.note)
    rows = tuple(Row(part.name, part.layers) for part in parts)
    return Instrument(rows, ledger, lambda: module(image), lambda: marked(image), lambda _on: None)


def clone(module: nn.Module) -> nn.Module:
    """A copy with weights of its own, to be moved or narrowed without touching the original."""
    return copy.deepcopy(module)
