"""What fused kernels must move and multiply at least, from the network alone: which layers feed which.  Pure.

Fusing saves traffic: what one layer of a kernel hands to the next never reaches memory.  A kernel moves the values that
its layers read from outside, their weights, and the values of its layers that others read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from ..ops.base import NO_COST
from .ceilings import Ceilings, Precision
from .fusion import homes
from .layers import Fused
from .roofline import COMPUTE, MEMORY, Floor, Work, works
from .sizes import Sizes

if TYPE_CHECKING:
    from ..graph import Graph, Node

#: nodes, and how many elements of the value of each
Parts = dict[int, int]


@dataclass(frozen=True, slots=True)
class FusedWork:
    """The work of one group of kernels for one batch.  `macs` None: some cannot be counted."""

    convolution_macs: int
    product_macs: int
    counted: bool
    input_bytes: int
    weight_bytes: int
    output_bytes: int

    @property
    def macs(self) -> int | None:
        return self.convolution_macs + self.product_macs if self.counted else None

    @property
    def bytes(self) -> int:
        return self.input_bytes + self.weight_bytes + self.output_bytes

    def floor(self, ceilings: Ceilings, precision: Precision) -> Floor:
        """The least time: all multiplications at their peaks, or all bytes at the bandwidth, whichever is slower."""
        compute, memory = 0.0, self.bytes / ceilings.bandwidth
        if self.convolution_macs:
            compute += 2 * self.convolution_macs / ceilings.flops(precision, convolution=True)
        if self.product_macs:
            compute += 2 * self.product_macs / ceilings.flops(precision, convolution=False)
        return Floor(compute, COMPUTE) if compute >= memory > 0 else Floor(memory, MEMORY)


def fused_works(
    groups: Sequence[Fused], graph: Graph, batch: int, element_bytes: int
) -> tuple[FusedWork, ...]:
    """The work of each group, of all groups of a network.

    Multiply-accumulates and weights of a layer are counted in the group where it is at home, a value's way to memory in
    its home, too, and its way back in each group that reads it without having computed it.
    """
    return _Traffic(groups, graph, batch, element_bytes).works()


class _Traffic:
    def __init__(self, groups: Sequence[Fused], graph: Graph, batch: int, element_bytes: int) -> None:
        self.graph = graph
        index = {node.name: number for number, node in enumerate(graph.nodes)}
        self.home = {index[name]: number for name, number in homes(groups).items()}
        self.sizes = Sizes(graph, batch, element_bytes)
        self.work = dict(enumerate(works(graph, batch, element_bytes), start=graph.inputs))
        computed = [[index[name] for name in group.layers] for group in groups]
        counts = Counter(i for layers in computed for i in layers)
        filled = {i for i, count in counts.items() if count > 1 and _only_places(graph.nodes[i])}
        #: what each group computes from what the layer reads; a product is never done twice, so that a second group of
        #: it finishes what the first has written
        self.groups = [
            frozenset(i for i in layers if self.home[i] == number or self.work[i].macs == 0) - filled
            for number, layers in enumerate(computed)
        ]
        self.present = frozenset[int]().union(*self.groups)

    def works(self) -> tuple[FusedWork, ...]:
        return tuple(self._work(number, layers) for number, layers in enumerate(self.groups))

    def _work(self, number: int, layers: frozenset[int]) -> FusedWork:
        own: list[Work] = [self.work[i] for i in layers if self.home[i] == number]
        read = _most(self.sources[i] for i in layers)
        written = [i for i in layers if self.home[i] == number and self._leaves(i)]
        return FusedWork(
            convolution_macs=sum(each.macs or 0 for each in own if each.convolution),
            product_macs=sum(each.macs or 0 for each in own if not each.convolution),
            counted=all(each.macs is not None for each in own),
            input_bytes=sum(
                self._bytes(source, count) for source, count in read.items() if source not in layers
            ),
            weight_bytes=sum(each.weight_bytes for each in own),
            output_bytes=sum(self._bytes(i, self._elements(i)) for i in written),
        )

    def _leaves(self, layer: int) -> bool:
        """Whether the network returns it, or some group reads it that does not compute it itself."""
        if any(layer in self.values[output] for output in self.graph.outputs):
            return True
        return any(
            layer not in group and any(layer in self.sources[reader] for reader in group)
            for group in self.groups
        )

    @cached_property
    def values(self) -> list[Parts]:
        """For each node the nodes whose values hold its value: itself, or what stands for a layer without a kernel.

        Such a layer is a view, nothing at all in evaluation, a join whose branches are written in their place by one
        kernel or another, or does the same as another layer, which is done once.
        """
        values: list[Parts] = []
        same: dict[tuple[object, tuple[tuple[int, ...], ...]], int] = {}
        for number, node in enumerate(self.graph.nodes):
            inputs = [values[i] for i in node.inputs]
            key = (node.op, tuple(map(tuple, inputs)))
            own = {number: self._elements(number)}
            if number < self.graph.inputs or number in self.present:
                values.append(own)
                same.setdefault(key, number)
            elif not node.weights and key in same:
                values.append({same[key]: self._elements(number)})
            else:
                size = self._elements(number)  # a view may show a part only
                values.append({source: min(count, size) for source, count in _most(inputs).items()})
        return values

    @cached_property
    def sources(self) -> list[Parts]:
        """For each node the nodes whose values it reads."""
        return [_most(self.values[i] for i in node.inputs) for node in self.graph.nodes]

    def _elements(self, node: int) -> int:
        """Elements of all outputs of a node."""
        return sum(self.sizes.elements(node, port) for port in range(len(self.graph.nodes[node].values)))

    def _bytes(self, node: int, elements: int) -> int:
        """Bytes of so many elements of a node's value."""
        values = self.graph.nodes[node].values
        return elements * self.sizes.bytes_of_type(values[0].dtype) if values else 0


def _only_places(node: Node) -> bool:
    """Whether the layer is a join that computes nothing."""
    return node.op.arity is None and node.cost == NO_COST


def _most(reads: Iterable[Parts]) -> Parts:
    """All that is read; of a value that several read in part, the largest part."""
    most: Parts = {}
    for parts in reads:
        for source, count in parts.items():
            most[source] = max(count, most.get(source, 0))
    return most
