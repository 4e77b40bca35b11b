"""Where in the network a figure comes from, and which other part of it has the printed value."""

from __future__ import annotations

import re

from ...graph import Graph, Node
from ..equations import Weights
from ..layers import described
from ..ledger import Claim
from ..quantities import measure
from ..select import NoSuchLayerError, Selection, all_paths, select


def place(graph: Graph, selectors: tuple[str, ...], chosen: Selection | None) -> str:
    """The paper and the part of the network: `Szegedy et al. 2014, arXiv:1409.4842, table 1, inception_3a`."""
    source = str(graph.metadata.get("source") or "")
    if chosen is None or chosen.whole or not source:
        return source
    top = list(dict.fromkeys(path.split(".")[0] for path in chosen.paths))
    return f"{source}: {', '.join(top)}" if len(top) <= 3 else source


def siblings(graph: Graph, path: str) -> list[str]:
    """Paths that differ from this one only in the number or letter that ends its first name: 3a and 3b."""
    first, _, rest = path.partition(".")
    stem = re.sub(r"(\d+[a-z]?|_\w+)\Z", "", first)
    found = []
    for other in all_paths(graph):
        name, _, tail = other.partition(".")
        if name != first and tail == rest and re.sub(r"(\d+[a-z]?|_\w+)\Z", "", name) == stem:
            found.append(other)
    return found


def alike(graph: Graph, path: str) -> list[str]:
    """The parts beside this one whose names differ only in the number or letter that ends them, itself among them."""
    parent, _, last = path.rpartition(".")
    stem = last.rstrip("0123456789")
    return [
        other
        for other in all_paths(graph)
        if other.rpartition(".")[0] == parent and other.rpartition(".")[2].rstrip("0123456789") == stem
    ]


def sibling_values(graph: Graph, chosen: Selection | Node, said: Claim | Weights) -> str:
    """Which sibling of the selected layers has the printed value, in words: `128 is inception_3b's`."""
    if isinstance(said, Weights):
        assert isinstance(chosen, Node)
        return _sibling_widths(graph, chosen, said)
    assert isinstance(chosen, Selection)
    for path in chosen.paths:
        for other in siblings(graph, path):
            try:
                selection = select(graph, (other,))
            except NoSuchLayerError:
                continue
            truth = measure(graph, selection, said.quantity, said.stated)
            if truth is not None and truth.agrees(said.stated):
                return f"{said.stated.text} is {other}'s"
            if said.stated.form == "sequence" and truth is not None:
                words = _shared_figures(graph, chosen, said, other)
                if words:
                    return words
    return ""


def _shared_figures(graph: Graph, chosen: Selection, said: Claim, other: str) -> str:
    """Of a printed sequence, the figures that are not this part's but its sibling's."""
    mine = measure(graph, chosen, said.quantity, said.stated)
    theirs = measure(graph, select(graph, (other,)), said.quantity, said.stated)
    if mine is None or theirs is None:
        return ""
    printed = [int(value) for value in said.stated.values]
    rows = (printed, mine.readings[0], theirs.readings[0])
    if len({len(row) for row in rows}) != 1:
        return ""
    wrong = [(p, m, t) for p, m, t in zip(*rows, strict=True) if p != m]
    if wrong and all(p == t for p, _, t in wrong):
        return ", ".join(f"{p:,} is {other}'s, here it is {m:,}" for p, m, _ in wrong)
    return ""


def _sibling_widths(graph: Graph, node: Node, said: Weights) -> str:
    real = described(node)
    nodes = graph.by_name
    for path in siblings(graph, node.name):
        if path not in nodes:
            continue
        theirs = described(nodes[path]) if nodes[path].op.type == node.op.type else None
        if theirs is None:
            continue
        if said.outputs != real.outputs and said.outputs == theirs.outputs:
            return f"{said.outputs:,} is {path.split('.')[0]}'s"
        if said.inputs != real.inputs and said.inputs == theirs.inputs:
            return f"{said.inputs:,} is {path.split('.')[0]}'s"
    return ""
