"""Where a rewrite applies, and what it puts there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from ...graph import Graph, Node
from ...ops.convolution import Conv2d
from .assemble import Changes


@dataclass(frozen=True)
class Options:
    """What some rewrites leave open.

    `groups` of a grouped convolution; `mid`, the width between the convolutions that replace one: as wide as the
    output ("out"), as the input ("in"), or so many channels.
    """

    groups: int = 2
    mid: str | int = "out"

    def width_between(self, node: Node, op: Conv2d) -> int:
        if isinstance(self.mid, int):
            return self.mid
        return node.input_shapes[0][1] if self.mid == "in" else op.out_channels


@dataclass(frozen=True)
class Site:
    """One place of a network that a rewrite changes.

    `path` names it, `before` and `after` say it in words, `changes` are for `rewrite`; `end_before` and `end_after`
    are the paths of the layer that the place ends with, for its receptive field.
    """

    path: str
    before: str
    after: str
    end_before: str
    end_after: str
    changes: Changes = field(repr=False)


@dataclass(frozen=True)
class Rewrite:
    """A named substitution: `find` says where it applies."""

    name: str
    title: str
    source: str
    explanation: str
    find: Callable[[Graph, Options], Sequence[Site]]


def convolutions(graph: Graph) -> Iterator[tuple[int, Node, Conv2d]]:
    """Every convolution of a graph, in order."""
    for index, node in enumerate(graph.nodes):
        if isinstance(node.op, Conv2d):
            yield index, node, node.op


def trail(graph: Graph, index: int) -> list[int]:
    """The norm and the activation that belong to a layer, where they follow it and nothing else reads it."""
    found: list[int] = []
    current = index
    while True:
        readers = graph.consumers[current]
        if len(readers) != 1 or current in graph.outputs:
            return found
        node = graph.nodes[readers[0]]
        first = not found and node.op.category == "normalisation"
        if not first and node.op.category != "activation":
            return found
        found.append(readers[0])
        if not first:
            return found
        current = readers[0]


def reads_input(node: Node) -> bool:
    """Whether the layer reads the network's input."""
    return 0 in node.inputs


def kernel(op: Conv2d) -> str:
    return f"{op.kernel_size[0]}×{op.kernel_size[1]}"


def place(node: Node) -> str:
    """`192 → 96 channels at 28×28`."""
    inputs, output = node.input_shapes[0], node.output_shape
    return f"{inputs[1]} → {output[1]} channels at {output[2]}×{output[3]}"
