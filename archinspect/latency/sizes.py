"""Bytes and work of a graph at another batch and precision.  Pure.

A spec's network is proportional to its batch in every value.  Of a captured network only what follows from an input
with a batch dimension is: tables of positions, masks of constants and weights stay as they are.  Floating-point values
take the bytes of the precision, others (token ids, masks) those of their own type.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

from ..errors import fail
from ..graph import ELEMENT_BYTES, Graph, Node, Parameter, Value, refuse_parameters_only
from ..ops.base import Axes, Shape, numel

#: types that a precision replaces; narrower ones (float8) are a choice of the network's own
CONVERTED = frozenset({"float64", "float32", "float16", "bfloat16"})
#: operations that read as many elements of what they look something up in as they return
_LOOKUPS = frozenset({"embedding", "gather", "index", "index_select", "take"})
_BY_SIZE = {4: "float32", 2: "float16"}


def batch_dimensions(inputs: Sequence[tuple[Shape, Axes | None]]) -> tuple[int | None, ...]:
    """Which dimension of each input is the batch; None for an input that has none.

    Where the meaning of dimensions is known, that decides.  Otherwise the batch is the first dimension of the first
    input of at least two dimensions, and of the inputs whose first dimension has the same size.
    """
    if any("batch" in (axes or ()) for _, axes in inputs):
        return tuple(axes.index("batch") if axes and "batch" in axes else None for _, axes in inputs)
    size = next((shape[0] for shape, _ in inputs if len(shape) > 1), None)
    return tuple(0 if shape and shape[0] == size else None for shape, _ in inputs)


def _dimensions(graph: Graph) -> tuple[int | None, ...]:
    if is_spec(graph):
        return (0,)
    values = [node.values[0] for node in graph.nodes[: graph.inputs]]
    return batch_dimensions([(value.shape, value.axes) for value in values])


def is_spec(graph: Graph) -> bool:
    """Whether values and parameters follow from the ops, and all values are of one type."""
    return bool(graph.inputs) and graph.nodes[0].outputs is None


def own_batch(graph: Graph) -> int:
    """The batch of the graph's inputs; 1 where none of them has a batch dimension."""
    sizes = (
        node.output_shape[at]
        for node, at in zip(graph.nodes, _dimensions(graph), strict=False)
        if at is not None
    )
    return next(sizes, 1)


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


def refuse_batch(graph: Graph, batch: int) -> None:
    """Raises ArchinspectError (A403) for another batch than its own of a network whose inputs have none."""
    if batch != own_batch(graph) and all(at is None for at in _dimensions(graph)):
        raise fail(
            "A403",
            f"no input of {graph.name} has a batch dimension, so it cannot be taken at batch {batch}",
            notes=[f"{node.name}: {node.output_shape}" for node in graph.nodes[: graph.inputs]],
            help="leave --batch out, and give example inputs of the size that is wanted",
        )


class Sizes:
    """Values, parameters and multiply-accumulates of a graph at a batch, in a precision of so many bytes."""

    def __init__(self, graph: Graph, batch: int, element_bytes: int) -> None:
        self.graph = graph
        self.element_bytes = element_bytes
        self._batch, self._own = batch, own_batch(graph)

    @cached_property
    def _grows(self) -> list[bool]:
        """Whether each node's values are proportional to the batch."""
        grows = [at is not None for at in _dimensions(self.graph)]
        for node in self.graph.layers:
            grows.append(node.outputs is None or any(grows[source] for source in node.inputs))
        return grows

    def _scaled(self, count: int, index: int) -> int:
        return count * self._batch // self._own if self._grows[index] else count

    def macs(self, index: int) -> int | None:
        cost = self.graph.nodes[index].cost
        return None if cost is None else self._scaled(cost.macs, index)

    def elements(self, index: int, port: int = 0) -> int:
        """Elements of one output of a node."""
        return self._scaled(numel(self.graph.nodes[index].values[port].shape), index)

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

    def resized(self) -> Graph:
        """The graph with values of the bytes that they have here, for analyses of memory; their shapes are lost."""
        if is_spec(self.graph):
            return self.graph
        nodes = []
        for index, node in enumerate(self.graph.nodes):
            if node.outputs is None:
                nodes.append(node)
                continue
            outputs = tuple(
                Value(
                    (self.elements(index, port),),
                    _BY_SIZE[self.element_bytes] if value.dtype in CONVERTED else value.dtype,
                )
                for port, value in enumerate(node.outputs)
            )
            nodes.append(
                Node.of_call(
                    node.name,
                    node.op,
                    node.inputs,
                    node.input_shapes,
                    outputs,
                    parameters=node.parameters,
                    ports=node.ports,
                    memory=node.memory,
                    module=node.module,
                )
            )
        return replace(self.graph, nodes=tuple(nodes))


def unknown_work(graph: Graph) -> tuple[str, ...]:
    """Operations that nobody has a rule for, each type once with how often it is called: `grid_sampler (2 calls)`."""
    counts: dict[str, int] = {}
    for node in graph.layers:
        if node.cost is None and node.values:
            counts[node.op.type] = counts.get(node.op.type, 0) + 1
    return tuple(f"{type} ({count} call{'s' if count > 1 else ''})" for type, count in counts.items())
