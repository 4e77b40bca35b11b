"""At which batch a graph is, and which of its values grow with it.

A spec's network is proportional to its batch in every value.  Of a captured network only what follows from an input
with a batch dimension is: tables of positions, masks of constants and weights stay as they are.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import fail
from ..graph import Graph
from ..ops.base import Axes, Shape

#: types that a precision replaces; narrower ones (float8) are a choice of the network's own
CONVERTED = frozenset({"float64", "float32", "float16", "bfloat16"})


def batch_dimensions(inputs: Sequence[tuple[Shape, Axes | None]]) -> tuple[int | None, ...]:
    """Which dimension of each input is the batch; None for an input that has none.

    Where the meaning of dimensions is known, that decides.  Otherwise the batch is the first dimension of the first
    input of at least two dimensions, and of the inputs whose first dimension has the same size.
    """
    if any("batch" in (axes or ()) for _, axes in inputs):
        return tuple(axes.index("batch") if axes and "batch" in axes else None for _, axes in inputs)
    size = next((shape[0] for shape, _ in inputs if len(shape) > 1), None)
    return tuple(0 if shape and shape[0] == size else None for shape, _ in inputs)


def input_batches(graph: Graph) -> tuple[int | None, ...]:
    """Which dimension of each of the graph's inputs is the batch."""
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
        for node, at in zip(graph.nodes, input_batches(graph), strict=False)
        if at is not None
    )
    return next(sizes, 1)


def refuse_batch(graph: Graph, batch: int) -> None:
    """Raises ArchinspectError (A403) for another batch than its own of a network whose inputs have none."""
    if batch != own_batch(graph) and all(at is None for at in input_batches(graph)):
        raise fail(
            "A403",
            f"no input of {graph.name} has a batch dimension, so it cannot be taken at batch {batch}",
            notes=[f"{node.name}: {node.output_shape}" for node in graph.nodes[: graph.inputs]],
            help="leave --batch out, and give example inputs of the size that is wanted",
        )


def growing(graph: Graph) -> list[bool]:
    """Whether each node's values are proportional to the batch."""
    grows = [at is not None for at in input_batches(graph)]
    for node in graph.layers:
        grows.append(node.outputs is None or any(grows[source] for source in node.inputs))
    return grows
