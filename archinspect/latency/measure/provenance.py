"""Which layers a compiled kernel computes: by dataflow in the compiler's graph, and by the line each node came from.

The compiler says too much by itself: its notes on a kernel name everything that its inputs were once made of.  So a
kernel computes what lies on a path from the values it reads to the value it is for, and nothing else.
"""

from __future__ import annotations

import ast
import linecache
import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import fx

from .instrument import Segment

_FRAME = re.compile(r'File "(?P<file>[^"]+)", line (?P<line>\d+)')


class NotUnderstoodError(Exception):
    """The compiler's output is not as this code knows it; says what was met."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One loop nest or library call of a kernel.

    `owner` is the node of the compiler's graph that it is for; `whole`: it makes that node's value, else something
    ready for it (an input in another layout, a partial sum).  It may compute nodes of `among` on the way, from the
    `values` of nodes that it reads and from what was made ready for the nodes of `partial`.
    """

    owner: fx.Node
    whole: bool
    among: frozenset[fx.Node]
    values: tuple[fx.Node, ...] = ()
    partial: tuple[fx.Node, ...] = ()


def computed(operation: Operation) -> tuple[frozenset[fx.Node], frozenset[fx.Node]]:
    """(nodes that the operation computes, nodes that it only makes something ready for), views left out."""
    base = viewed(operation.owner)
    values = {viewed(node) for node in operation.values}
    if base in values:  # the same value once more: a view that had to be copied, or a copy in another layout
        mine = frozenset([operation.owner])
        return (mine, frozenset()) if operation.whole else (frozenset(), mine)
    behind = _closure([base], lambda node: node.all_input_nodes, lambda node: viewed(node) in values)
    starts = [*(user for node in values for user in node.users), *map(viewed, operation.partial)]
    ahead = _closure(starts, lambda node: node.users, lambda _: False)
    among = {viewed(node) for node in operation.among}
    inner = {node for node in behind & ahead & among if not _is_view(node) and node.op == "call_function"}
    inner.discard(base)
    if not operation.whole:
        inner = _ready(inner, values.union(map(viewed, operation.partial)))
    return (
        frozenset({*inner, base} if operation.whole else inner),
        frozenset(() if operation.whole else [base]),
    )


def _ready(nodes: set[fx.Node], known: set[fx.Node]) -> set[fx.Node]:
    """Those of the nodes that can be computed from what is known.

    A weight that is used twice lies on a path through the first use to the second, which its new layout does not take.
    """
    while True:
        left = {
            node
            for node in nodes
            if all(
                source in known or source in nodes or not source.all_input_nodes
                for source in map(viewed, node.all_input_nodes)
            )
        }
        if left == nodes:
            return nodes
        nodes = left


def viewed(node: fx.Node) -> fx.Node:
    """The node whose memory a chain of views shows; the node itself if it is no view."""
    while _is_view(node):
        node = node.all_input_nodes[0]
    return node


def _is_view(node: fx.Node) -> bool:
    if node.op != "call_function" or not node.all_input_nodes:
        return False
    if node.target is operator.getitem:
        return True
    if not isinstance(node.target, torch._ops.OpOverload):
        return False
    returns = node.target._schema.returns
    return node.target is torch.ops.aten._unsafe_view.default or any(
        each.alias_info is not None and not each.alias_info.is_write for each in returns
    )


def _closure(
    starts: Iterable[fx.Node],
    steps: Callable[[fx.Node], Iterable[fx.Node]],
    stop: Callable[[fx.Node], bool],
) -> set[fx.Node]:
    """All nodes reached from `starts`; where `stop` says so no further, the node itself left out.  Starts are in."""
    todo = list(starts)
    found = set(todo)
    while todo:
        for node in steps(todo.pop()):
            if node not in found and not stop(node):
                found.add(node)
                todo.append(node)
    return found


class Origins(Protocol):
    """Tells which layers of the network nodes of the compiler's graph came from."""

    def layers(self, nodes: Iterable[fx.Node]) -> frozenset[str]:
        """Raises NotUnderstoodError for a node that is of no layer."""


class Lines:
    """The layer of each node of a graph that was traced from a module's code, by the line it was traced at."""

    def __init__(self, module: fx.GraphModule, rows: Sequence[Segment]) -> None:
        """`module` is what was compiled; `rows` are the layers of a module with the same steps."""
        self._file = module.forward.__code__.co_filename
        layers = {step.name: row.layers[0] for row in rows for step in row.nodes}
        self._layers = {
            line: layers[name] for name, line in _assignments(self._file, module) if name in layers
        }

    def layer(self, node: fx.Node) -> str:
        """Raises NotUnderstoodError for a node that no line of the module accounts for."""
        for frame in reversed(list(_FRAME.finditer(node.meta.get("stack_trace") or ""))):
            if frame["file"] == self._file and int(frame["line"]) in self._layers:
                return self._layers[int(frame["line"])]
        raise NotUnderstoodError(f"no layer is known for the step {node.name} ({node.target})")

    def layers(self, nodes: Iterable[fx.Node]) -> frozenset[str]:
        return frozenset(map(self.layer, nodes))


def _assignments(file: str, module: fx.GraphModule) -> Iterator[tuple[str, int]]:
    """(name, line) of each value in the forward code."""
    text = "".join(linecache.getlines(file)) or module.code
    for statement in ast.walk(ast.parse(text)):
        if isinstance(statement, ast.Assign) and not isinstance(statement.value, ast.Constant):
            for target in statement.targets:
                if isinstance(target, ast.Name):
                    yield target.id, statement.lineno


def layers_of(operations: Iterable[Operation], lines: Origins) -> tuple[frozenset[str], frozenset[str]]:
    """(layers that a kernel of these operations computes, layers that it only makes something ready for)."""
    makes: set[str] = set()
    prepares: set[str] = set()
    for operation in operations:
        whole, part = computed(operation)
        makes |= lines.layers(whole)
        prepares |= lines.layers(part)
    return frozenset(makes), frozenset(prepares - makes)


def only_in_parts(kernels: Sequence[tuple[frozenset[str], frozenset[str]]]) -> Mapping[int, frozenset[str]]:
    """Layers that no kernel computes as such, by the kernels whose parts are all there is of them.

    Branches that are copied into their place in a concatenation are parts of it, and no kernel joins them.
    """
    somewhere = frozenset[str]().union(*(makes for makes, _ in kernels))
    return {index: parts - somewhere for index, (_, parts) in enumerate(kernels)}
