"""Bytes and work of a graph at another batch and precision.  Pure.

Values grow with the batch as `analysis.batch` says.  Floating-point values take the bytes of the precision, others
(token ids, masks) those of their own type.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from ..analysis.batch import CONVERTED, growing, is_spec, own_batch, refuse_batch
from ..errors import fail
from ..graph import ELEMENT_BYTES, Graph, Node, Parameter, refuse_parameters_only
from ..ops.base import numel

#: operations that read as many elements of what they look something up in as they return
_LOOKUPS = frozenset({"embedding", "gather", "index", "index_select", "take"})


def batches_of(graphs: Sequence[Graph], asked: int | Sequence[int] | None) -> tuple[int, ...]:
    """The batches that were asked for; if none, that of the example inputs of captured networks, and 1 for specs.

    Raises ArchinspectError (A403) for example inputs of different batches, networks that have no forward pass, and
    batches at which a network cannot be taken.
    """
    for graph in graphs:
        refuse_parameters_only(graph, "the time of a forward pass")
    if asked is not None:
        batches = (asked,) if isinstance(asked, int) else tuple(asked)
    else:
        sizes = {graph.name: own_batch(graph) for graph in graphs if not is_spec(graph)}
        if len(set(sizes.values())) > 1:
            raise fail(
                "A403",
                "the networks' example inputs have different batches",
                notes=[", ".join(f"{name}: {size}" for name, size in sizes.items())],
                help="--batch says at which to take them all",
            )
        batches = (next(iter(sizes.values()), 1),)
    for graph in graphs:
        for batch in batches:
            refuse_batch(graph, batch)
    return batches


class Sizes:
    """Values, parameters and multiply-accumulates of a graph at a batch, in a precision of so many bytes."""

    def __init__(self, graph: Graph, batch: int, element_bytes: int) -> None:
        self.graph = graph
        self.element_bytes = element_bytes
        self._batch, self._own = batch, own_batch(graph)

    @cached_property
    def _grows(self) -> list[bool]:
        return growing(self.graph)

    def scaled(self, count: int, index: int) -> int:
        return count * self._batch // self._own if self._grows[index] else count

    def macs(self, index: int) -> int | None:
        cost = self.graph.nodes[index].cost
        return None if cost is None else self.scaled(cost.macs, index)

    def elements(self, index: int, port: int = 0) -> int:
        """Elements of one output of a node."""
        return self.scaled(numel(self.graph.nodes[index].values[port].shape), index)

    def bytes(self, index: int, port: int = 0) -> int:
        """Bytes of one output of a node."""
        return self.elements(index, port) * self.bytes_of_type(self.graph.nodes[index].values[port].dtype)

    def bytes_of_type(self, dtype: str) -> int:
        """Bytes of an element of that type in the graph."""
        return self.element_bytes if dtype in CONVERTED else ELEMENT_BYTES[dtype]

    def parameter_bytes(self, parameter: Parameter) -> int:
        if parameter.dtype in CONVERTED and parameter.stored is None:
            return parameter.numel * self.element_bytes
        return parameter.bytes

    def read_bytes(self, index: int) -> int:
        """Bytes of the values that a node reads, each once."""
        node = self.graph.nodes[index]
        ports = node.ports or (0,) * len(node.inputs)
        if node.parameters is None:  # an op of a spec reads each of its inputs
            return sum([self.bytes(source) for source in node.inputs])
        sizes = [self.bytes(source, port) for source, port in set(zip(node.inputs, ports, strict=True))]
        if node.op.type in _LOOKUPS:
            most = self.written_bytes(index)
            sizes = [min(size, most) for size in sizes]
        return sum(sizes)

    def written_bytes(self, index: int) -> int:
        """Bytes of a node's outputs."""
        return sum([self.bytes(index, port) for port in range(len(self.graph.nodes[index].values))])

    @cached_property
    def weight_bytes(self) -> list[int]:
        """Bytes of parameters and buffers that each node reads, each parameter at the first call that reads all of it.

        A look-up reads as much of its table as it returns.
        """
        counted: set[int] = set()
        return [self._weight_bytes(index, node, counted) for index, node in enumerate(self.graph.nodes)]

    def _weight_bytes(self, index: int, node: Node, counted: set[int]) -> int:
        if node.parameters is None:
            # a buffer without dimensions counts batches, and no forward in evaluation reads it
            state = [*node.weights.values(), *(shape for shape in node.buffers.values() if shape)]
            return sum(map(numel, state)) * self.element_bytes
        if not node.outputs:
            return 0  # parameters that no call reads
        lookup = node.op.type in _LOOKUPS
        total = 0
        for parameter in node.parameters.values():
            if id(parameter) in counted or (parameter.buffer and not parameter.shape):
                continue
            size = self.parameter_bytes(parameter)
            if lookup:
                size = min(size, self.written_bytes(index))
            else:
                counted.add(id(parameter))
            total += size
        return total


def unknown_work(graph: Graph) -> tuple[str, ...]:
    """Operations that nobody has a rule for, each type once with how often it is called: `grid_sampler (2 calls)`."""
    counts: dict[str, int] = {}
    for node in graph.layers:
        if node.cost is None and node.values:
            counts[node.op.type] = counts.get(node.op.type, 0) + 1
    return tuple(f"{type} ({count} call{'s' if count > 1 else ''})" for type, count in counts.items())
