"""From described layers to the network's, one attribute at a time, and from one network to another.

Every step changes one attribute of one layer and is the exact difference of the counts before and after, so that the
steps add up to the whole.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from math import prod

from ...graph import Graph, Join, Layer, Leaf, Node, Scope
from ..equations import Weights
from ..layers import described
from ..quantities import params, size
from ..select import has_weights
from .steps import (
    BIAS_OFF,
    BIAS_ON,
    GROUPS,
    INPUTS,
    KERNELS,
    LATER,
    PROJECTIONS,
    WIDTHS,
    Ledgerbook,
    Step,
)

_TITLES = {
    "conv2d": "convolutions",
    "linear": "fully connected layers",
    "batch_norm2d": "BatchNorm",
    "layer_norm": "LayerNorm",
    "group_norm": "GroupNorm",
}


def mend(book: Ledgerbook, said: Weights, node: Node, *, copy: int = 1, groups: int = 1) -> None:
    """Book the steps from a described layer to the network's; `copy` counts the repeats of a block, `groups` those
    of the described layer, whose widths are per group.
    """
    real = described(node)
    current = _like(said, real)
    if current.bias != real.bias:
        current = _step(
            book, BIAS_ON if real.bias else BIAS_OFF, node, current, replace(current, bias=real.bias)
        )
    if prod(current.kernel) != prod(real.kernel):
        current = _step(book, KERNELS, node, current, replace(current, kernel=real.kernel))
    if current.outputs != real.outputs:
        words = f"{node.name}: {current.outputs:,} → {real.outputs:,}"
        current = _step(book, WIDTHS, node, current, replace(current, outputs=real.outputs), words)
    if current.inputs != real.inputs:
        regrouped = current.inputs * groups == real.inputs * groups_of(node)
        name = GROUPS if regrouped else LATER if copy > 1 else INPUTS
        words = f"{node.name}: {current.inputs:,} → {real.inputs:,}"
        _step(book, name, node, current, replace(current, inputs=real.inputs, kernel=real.kernel), words)


def _like(said: Weights, real: Weights) -> Weights:
    """The description of a fully connected layer with its input's height, width and channels multiplied out."""
    if not real.kernel and said.kernel:
        return Weights((), prod(said.kernel) * said.inputs, said.outputs, said.bias)
    return said


def _step(book: Ledgerbook, name: str, node: Node, old: Weights, new: Weights, words: str = "") -> Weights:
    book.add(name, words or node.name, new.count - old.count)
    return new


def groups_of(node: Node) -> int:
    return int(getattr(node.op, "groups", 1))


def rest(node: Node) -> int:
    """Parameters of a layer beyond its weight and bias."""
    return params([node]) - described(node).count if has_weights(node) else params([node])


def left_out(book: Ledgerbook, graph: Graph, nodes: Iterable[Node], covered: set[str]) -> None:
    """Book the layers with parameters that nothing described, by type; shortcuts apart."""
    shortcuts = projections(graph)
    for node in nodes:
        if node.name in covered or not params([node]):
            continue
        kind = _TITLES.get(node.op.type, node.op.type)
        name = PROJECTIONS if node.name in shortcuts and has_weights(node) else f"{kind} left out"
        name = kind if node.op.type.endswith("norm") or "norm" in node.op.type else name
        book.add(name, node.name, params([node]))


def projections(graph: Graph) -> set[str]:
    """Layers in the shorter branch of a residual addition: projections of the shortcut."""
    found: set[str] = set()
    for _, item in graph.walk():
        if isinstance(item, Join) and graph.nodes[item.index].op.type == "add":
            branches = [[n.name for n in _nodes(graph, branch) if has_weights(n)] for branch in item.branches]
            longest = max(len(names) for names in branches)
            found.update(name for names in branches if len(names) < longest for name in names)
    return found


def _nodes(graph: Graph, item: object) -> list[Node]:
    if isinstance(item, (Layer, Leaf)):
        return [graph.nodes[item.index]]
    if isinstance(item, Scope):
        return [node for inner in item.items for node in _nodes(graph, inner)]
    if isinstance(item, Join):
        return [node for branch in item.branches for node in _nodes(graph, branch)]
    return []


def between_sizes(one: Graph, other: Graph, quantity: str) -> tuple[Step, ...]:
    """The steps from one network's size to another's, by type of layer; parameters attribute by attribute."""
    if quantity == "params":
        return between(one, other)
    book = Ledgerbook()
    for node in one.layers:
        twin = other.by_name.get(node.name)
        after = size((twin,), quantity) if twin is not None else 0
        kind = _TITLES.get(node.op.type, node.op.type)
        book.add(kind, node.name, (after or 0) - (size((node,), quantity) or 0))
    for node in other.layers:
        if node.name not in one.by_name:
            kind = _TITLES.get(node.op.type, node.op.type)
            book.add(f"{kind} only in {other.name}", node.name, size((node,), quantity) or 0)
    return book.steps()


def between(one: Graph, other: Graph) -> tuple[Step, ...]:
    """The steps from one network's parameters to another's, layers matched by name."""
    book = Ledgerbook()
    for node in one.layers:
        twin = other.by_name.get(node.name)
        if twin is None or has_weights(node) != has_weights(twin):
            kind = _TITLES.get(node.op.type, node.op.type)
            book.add(f"{kind} only in {one.name}", node.name, -params([node]))
            continue
        if has_weights(node):
            mend(book, described(node), twin, groups=groups_of(node))
            book.add("other parameters", node.name, rest(twin) - rest(node))
        else:
            book.add(_TITLES.get(node.op.type, node.op.type), node.name, params([twin]) - params([node]))
    for node in other.layers:
        twin = one.by_name.get(node.name)
        if twin is None or has_weights(node) != has_weights(twin):
            kind = _TITLES.get(node.op.type, node.op.type)
            book.add(f"{kind} only in {other.name}", node.name, params([node]))
    return book.steps()
