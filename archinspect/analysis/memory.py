"""Activation memory: what each layer adds, and the most that is alive at once during inference."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING

from ..graph import ELEMENT_BYTES, Graph, Node
from ..ops.tensor import TensorOp
from .batch import CONVERTED, growing, is_spec, own_batch

if TYPE_CHECKING:
    from ..ops.memory import Footprint

FP32_BYTES = 4


def activation_bytes(node: Node, element_bytes: int = FP32_BYTES) -> int:
    """Bytes of what the call computes; none where it only hands on other memory (flatten, dropout in evaluation).

    What is computed in place counts here, though it needs no memory of its own.  `element_bytes` is the size of an
    element where the node does not know its type (the nodes of a spec).
    """
    if node.outputs is not None:
        handed_on = node.memory is not None and node.op.aliases
        return 0 if handed_on else sum([value.bytes for value in node.outputs])
    return 0 if node.op.aliases else prod(node.output_shape) * element_bytes


class Storages:
    """The storages of a graph's values at a batch and a precision, and the footprints of its calls.

    `owner` has for each node the node whose storage its outputs lie in; a call that computes in place, or only looks
    at memory, owns none.  `element_bytes` replaces the floating-point types of values; None keeps those of the graph,
    fp32 for a spec.  `training` lets layers behave as in training.  `watched` is for a comparison with PyTorch while a
    dispatch mode watches it: autograd then adds up gradients in new memory, and not in place.
    """

    def __init__(
        self,
        graph: Graph,
        element_bytes: int | None = None,
        batch: int | None = None,
        *,
        training: bool = False,
        attention: str = "",
        watched: bool = False,
    ) -> None:
        self.graph = graph
        self.watched = watched
        self.training = training
        self.attention = attention
        self._element_bytes = element_bytes
        self._spec = is_spec(graph)
        self._size = FP32_BYTES if element_bytes is None else element_bytes
        self._own = own_batch(graph)
        self._batch = self._own if batch is None else batch
        self._known: dict[tuple[int, tuple[object, ...], bool, tuple[bool, ...]], Footprint | None] = {}
        self.owner: list[int] = []
        for index, node in enumerate(graph.nodes):
            self.owner.append(self._owner(index, node))

    def _owner(self, index: int, node: Node) -> int:
        if self.training and _drops(node):
            return index  # what evaluation hands on, training multiplies by noise
        if node.outputs is None:
            return self.owner[node.inputs[0]] if node.op.aliases and node.inputs else index
        if node.memory is None or node.memory < 0:
            return index
        return (
            self.owner[node.inputs[0]]
            if node.inputs and self._follows_input(node)
            else self.owner[node.memory]
        )

    def _follows_input(self, node: Node) -> bool:
        """Whether a view looks at its input, which in training may not be the memory that evaluation has there."""
        return self.training and node.memory is not None and len(node.inputs) == 1

    @cached_property
    def _grows(self) -> list[bool]:
        return [True] * len(self.graph.nodes) if self._spec else growing(self.graph)

    def scaled(self, index: int, count: int) -> int:
        """A figure of the graph's own batch, at the batch that is asked for."""
        return (
            count if self._batch == self._own or not self._grows[index] else count * self._batch // self._own
        )

    def size_of(self, dtype: str) -> int:
        """Bytes of an element of a type of the graph."""
        if self._element_bytes is not None and dtype in CONVERTED:
            return self._element_bytes
        return ELEMENT_BYTES[dtype]

    def bytes(self, index: int) -> int:
        """Bytes of what a node makes, wherever it lies."""
        node = self.graph.nodes[index]
        if node.outputs is None:
            return self.scaled(index, prod(node.output_shape) * self._size)
        own = [prod(value.shape) * self.size_of(value.dtype) for value in node.outputs]
        return self.scaled(index, sum(own))

    def constant(self, index: int) -> bool:
        """Whether a node's memory is that of parameters or constants."""
        return self.graph.nodes[index].memory == -1

    def in_place(self, index: int) -> bool:
        """Whether a node computes something into memory that another one made."""
        node = self.graph.nodes[index]
        return node.memory is not None and node.memory >= 0 and not node.op.aliases and not _drops(node)

    def footprint(
        self, index: int, *, learns: bool = True, follows: tuple[bool, ...] = ()
    ) -> Footprint | None:
        """What a call holds beside its values; None where nobody has a rule for it."""
        from ..ops.memory import Call, footprint  # commands that show no memory need no rules of it

        node = self.graph.nodes[index]
        operands = node.op.operands if isinstance(node.op, TensorOp) else ()
        key = id(node.op), (node.input_shapes, node.output_shape), learns, follows
        if key in self._known:
            found = self._known[key]
        else:
            size = (
                self._size
                if node.outputs is None
                else self.size_of(node.outputs[0].dtype)
                if node.outputs
                else 4
            )
            call = Call(
                node.op,
                node.input_shapes,
                node.output_shape,
                size,
                self.training,
                self.attention,
                learns,
                follows,
                operands,
                self.watched,
            )
            found = self._known[key] = footprint(call)
        if found is None or self._batch == self._own or not self._grows[index]:
            return found
        kept, forward = self.scaled(index, found.kept), self.scaled(index, found.forward)
        temporary, backward = self.scaled(index, found.temporary), self.scaled(index, found.backward)
        before = None if found.before is None else self.scaled(index, found.before)
        return found._replace(
            temporary=temporary, kept=kept, forward=forward, backward=backward, before=before
        )


def _drops(node: Node) -> bool:
    """Whether a layer does something in training alone."""
    return node.op.category == "regularisation" and bool(getattr(node.op, "p", 0))


def last_uses(graph: Graph, owner: Sequence[int]) -> list[int]:
    """For each storage the last call that needs it in the forward pass; what the caller keeps outlives the last one."""
    count = len(graph.nodes)
    last = list(range(count))
    for index, node in enumerate(graph.nodes):
        for source in node.inputs:
            last[owner[source]] = max(last[owner[source]], index)
        last[owner[index]] = max(last[owner[index]], index)
        if node.outputs is not None and node.held is not None and owner[index] == index:
            last[index] = max(last[index], node.held)
    for kept in (*range(graph.inputs), *graph.outputs):
        last[owner[kept]] = count
    return last


def without_rule(storages: Storages) -> dict[int, str]:
    """Calls that nobody has a rule of memory for, by their places: their types.  A peak is then a lower bound."""
    graph = storages.graph
    return {
        index: node.op.type
        for index, node in enumerate(graph.nodes)
        if index >= graph.inputs and node.values and not node.op.aliases and storages.footprint(index) is None
    }


def peak_activation_bytes(
    graph: Graph, element_bytes: int | None = None, batch: int | None = None, attention: str = ""
) -> int:
    """The most bytes of activations that are alive at the same time in one forward pass without gradients.

    Calls run in the graph's order.  A call's inputs, outputs and temporaries are alive while it runs, and an activation
    lives until its last reader has run, or as long as a captured module holds it in a variable.  A view keeps what it
    looks at alive, and what is written in place needs no memory of its own.  The network's inputs belong to the caller,
    who keeps them; so do the outputs.  Workspaces inside kernels come on top.  `attention` is `math` or `fused`, by
    default as the network has it written.
    """
    storages = Storages(graph, element_bytes, batch, attention=attention)
    owner = storages.owner
    count = len(graph.nodes)
    last = last_uses(graph, owner)
    freed = [0] * (count + 1)  # bytes by the step that needs them last
    alive = most = 0
    for index in range(count):
        if owner[index] == index:
            size = 0 if graph.nodes[index].op.aliases else storages.bytes(index)
            freed[last[index]] += size
            alive += size
        held = storages.footprint(index) if index >= graph.inputs else None
        most = max(most, alive + (held.temporary if held is not None else 0))
        alive -= freed[index]
    return most
