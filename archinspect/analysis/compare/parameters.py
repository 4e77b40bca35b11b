"""Two networks of which only parameters can be held side by side, since one of them is a checkpoint.

Modules stand for each other by name, where need be without a leading part ("model." or "module."), and what is left
over by the shapes of its parameters, in order.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence

from ...graph import ELEMENT_BYTES, Graph, Node, Parameter
from ...ops.base import Shape
from .align import Match

_ARROW = " → "


def parameters_of(graph: Graph) -> Graph:
    """A network's parameters alone, by module; a checkpoint is that already."""
    if not graph.inputs:
        return graph
    return Graph.of_parameters(graph.name, graph.parameters, source=graph.source)


def align(one: Graph, other: Graph) -> list[Match]:
    """Every node of both, each once: those of the first in order, then what only the second has."""
    partners = _by_name(one.nodes, other.nodes)
    left: dict[tuple[Shape, ...], deque[int]] = {}
    taken = set(partners.values())
    for j, node in enumerate(other.nodes):
        if j not in taken:
            left.setdefault(_shapes(node), deque()).append(j)
    for i, node in enumerate(one.nodes):
        if i not in partners and left.get(_shapes(node)):
            partners[i] = left[_shapes(node)].popleft()
    taken = set(partners.values())
    matches: list[Match] = [(i, partners.get(i)) for i in range(len(one.nodes))]
    return matches + [(None, j) for j in range(len(other.nodes)) if j not in taken]


def _by_name(one: Sequence[Node], other: Sequence[Node]) -> dict[int, int]:
    """Nodes of the same name, when the leading part that one side has too many is taken off."""
    mine = {node.name: i for i, node in enumerate(one)}
    theirs = {node.name: j for j, node in enumerate(other)}
    best = [(i, theirs[name]) for name, i in mine.items() if name in theirs]
    for longer, shorter in ((mine, theirs), (theirs, mine)):
        firsts = Counter(
            first for first, _, rest in (name.partition(".") for name in longer) if rest and rest in shorter
        )
        if not firsts:
            continue
        prefix, count = firsts.most_common(1)[0]
        if count > len(best):
            pairs = [
                (at, shorter[name[len(prefix) + 1 :]])
                for name, at in longer.items()
                if name.startswith(f"{prefix}.") and name[len(prefix) + 1 :] in shorter
            ]
            best = pairs if longer is mine else [(i, j) for j, i in pairs]
    return dict(best)


def same(one: Node, other: Node) -> bool:
    """Whether the two hold parameters of the same shapes; types and buffers may differ."""
    mine, theirs = _learnt(one), _learnt(other)
    if mine.keys() == theirs.keys():
        return all(_same_shape(parameter, theirs[name]) for name, parameter in mine.items())
    return bool(mine) and _shapes(one) == _shapes(other)  # packed weights have names of their own


def change(one: Node, other: Node) -> str:
    """What differs: `weight 10×512 → 1000×512, with bias`."""
    mine, theirs = _learnt(one), _learnt(other)
    parts = []
    for name, parameter in mine.items():
        if name not in theirs:
            parts.append(f"without {name}")
        elif not _same_shape(parameter, theirs[name]):
            parts.append(f"{name} {_show(parameter.shape)}{_ARROW}{_show(theirs[name].shape)}")
    parts += [f"with {name}" for name in theirs if name not in mine]
    return ", ".join(parts) or "shared with others on one side only"


def layer(node: Node) -> str:
    """`weight 64×3×7×7, bias 64`; of many parameters how many there are."""
    learnt = _learnt(node)
    if not learnt:
        return f"{len(node.parameters or {}):,} buffers"
    if len(learnt) > 4:
        return f"{len(learnt):,} parameters"
    return ", ".join(f"{name} {_show(parameter.shape)}" for name, parameter in learnt.items())


def _learnt(node: Node) -> dict[str, Parameter]:
    return {name: p for name, p in (node.parameters or {}).items() if not p.buffer}


def _shapes(node: Node) -> tuple[Shape, ...]:
    return tuple(sorted(parameter.shape for parameter in _learnt(node).values()))


def _same_shape(one: Parameter, other: Parameter) -> bool:
    if one.shape == other.shape:
        return True
    # Of some packed weights the file says how many numbers they are, and not in which shape.
    flat = any(p.dtype not in ELEMENT_BYTES and len(p.shape) == 1 for p in (one, other))
    return flat and one.numel == other.numel


def _show(shape: Shape) -> str:
    return "×".join(map(str, shape)) or "1"
