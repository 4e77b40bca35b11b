"""One training step, or one forward pass, call by call: what is alive when, and what the step computes.

The forward pass keeps what autograd keeps (`ops.memory`), the backward pass goes back through the calls, makes a
gradient for each value that needs one and lets go of what was kept.  So the peak follows, with the call at which it
stands.  `docs/memory.md` has the method, and what is checked against PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from typing import NamedTuple

from ..graph import Graph, Node, Parameter
from ..ops.base import Shape
from ..ops.memory import Footprint
from .kv_cache import products_within
from .memory import Storages, last_uses

__all__ = ["OPTIMIZERS", "Moment", "Optimizer", "Step", "step"]


class Optimizer(NamedTuple):
    """State of an optimiser for one parameter, and what its step holds beside state and gradients.

    `state` gives bytes by the parameter's shape, state in fp32; `temporary` is how many fp32 copies of the largest
    parameter are alive in a step that goes parameter by parameter.
    """

    title: str
    state: Callable[[Shape], int]
    temporary: int
    source: str


_STEP = 4  # the number of steps, a tensor of its own for each parameter


def _factored(shape: Shape) -> int:
    """A mean for each row and each column of a matrix; all second moments of a vector."""
    if len(shape) < 2:
        return 4 * prod(shape) + _STEP
    return 4 * (prod(shape[:-1]) + prod(shape[:-2]) * shape[-1]) + _STEP


def _eight_bits(shape: Shape) -> int:
    """Two moments of a byte an element and a scale for each 256; fp32 for what has fewer than 4,096 elements."""
    count = prod(shape)
    return 8 * count if count < 4096 else 2 * count + 2 * 4 * -(-count // 256)


#: by the word of `--train`
OPTIMIZERS: dict[str, Optimizer] = {
    "sgd": Optimizer("SGD", lambda shape: 0, 0, "torch.optim.SGD"),
    "momentum": Optimizer("SGD with momentum", lambda shape: 4 * prod(shape), 0, "torch.optim.SGD"),
    "adam": Optimizer("Adam", lambda shape: 8 * prod(shape) + _STEP, 2, "torch.optim.Adam"),
    "adamw": Optimizer("AdamW", lambda shape: 8 * prod(shape) + _STEP, 2, "torch.optim.AdamW"),
    "adafactor": Optimizer("Adafactor", _factored, 2, "torch.optim.Adafactor"),
    "adam8bit": Optimizer("Adam in 8 bits", _eight_bits, 2, "bitsandbytes.optim.Adam8bit"),
}


class Moment(NamedTuple):
    """The most bytes alive during one call of a pass; `phase` is `forward`, `backward` or `optimizer`."""

    phase: str
    name: str
    bytes: int


@dataclass(frozen=True)
class Step:
    """What a step holds and computes, by the node that it belongs to; the lists have an entry for each node.

    `saved` counts a storage once, at the first call that keeps it.  MACs are those of the forward pass, of the
    gradients of values and of weights, and of what checkpointing computes again.
    """

    moments: tuple[Moment, ...]
    saved: Sequence[int]
    temporary: Sequence[int]
    forward_macs: Sequence[int | None]
    input_macs: Sequence[int]
    weight_macs: Sequence[int]
    recomputed_macs: int
    #: calls that nobody has a rule of memory for, by their places, and their types: what they keep is not counted
    unknown: Mapping[int, str]

    @cached_property
    def peak(self) -> Moment:
        return max(self.moments, key=lambda moment: moment.bytes)


@dataclass
class _Gradient:
    """A storage of a gradient, and how many values it stands for."""

    bytes: int
    shared: int = 0


@dataclass
class _Run:
    """The state of a step as it goes on."""

    graph: Graph
    storages: Storages
    base: int
    alive: int = 0
    moments: list[Moment] = field(default_factory=list)

    def note(self, phase: str, name: str, extra: int = 0) -> int:
        total = self.base + self.alive + extra
        self.moments.append(Moment(phase, name, total))
        return total


def step(
    graph: Graph,
    storages: Storages,
    *,
    base: int,
    trained: Sequence[Mapping[str, Shape]] | None,
    gradient_size: int = 4,
    segments: Sequence[tuple[int, int]] = (),
    update: int = 0,
    extra: Sequence[tuple[int, int]] = (),
) -> Step:
    """The step of a network whose values are `storages`, while `base` bytes (weights, state) stay where they are.

    `trained` has for each node the shapes of its parameters that are trained; None for a forward pass alone.  Nodes of
    a segment (first, last) are computed again in the backward pass.  `update` are the temporaries of the optimiser's
    step, `extra` for each node further bytes that are kept for the backward pass, and alive in the forward.
    """
    walk = _Walk(graph, storages, base, trained, gradient_size, segments, extra)
    walk.forward()
    if trained is not None:
        walk.backward()
        walk.run.note("optimizer", "", update)
    return walk.result()


class _Walk:
    def __init__(
        self,
        graph: Graph,
        storages: Storages,
        base: int,
        trained: Sequence[Mapping[str, Shape]] | None,
        gradient_size: int,
        segments: Sequence[tuple[int, int]],
        extra: Sequence[tuple[int, int]],
    ) -> None:
        count = len(graph.nodes)
        self.graph, self.storages, self.trained = graph, storages, trained
        self.gradient_size, self.extra = gradient_size, extra
        self.run = _Run(graph, storages, base)
        self.needs = [False] * count  # whether a value needs a gradient
        self.prints: list[Footprint] = []
        self.saved = [0] * count
        self.temporary = [0] * count
        self.input_macs = [0] * count
        self.weight_macs = [0] * count
        self.recomputed = 0
        #: bytes of gradients of parameters that another call made one for, in the order in which they are added to it
        self.again: dict[int, list[int]] = {}
        self.in_place = not storages.watched
        self.unknown: dict[int, str] = {}
        self.segment_of: dict[int, tuple[int, int]] = {
            index: segment for segment in segments for index in range(segment[0], segment[1] + 1)
        }
        self.savers: dict[int, int] = {}  # storage -> the call of the forward pass that keeps it first
        self.kept = [0] * count  # bytes of further tensors that each call keeps
        self.keeps: list[tuple[int, ...]] = [()] * count
        for index, node in enumerate(graph.nodes):
            learns = trained is not None and bool(trained[index])
            follows = tuple([self.needs[source] for source in node.inputs])
            self.needs[index] = trained is not None and (learns or any(follows)) and index >= graph.inputs
            found = (
                storages.footprint(index, learns=learns, follows=follows) if index >= graph.inputs else None
            )
            if found is None and index >= graph.inputs and node.values and not node.op.aliases:
                self.unknown[index] = node.op.type
            self.prints.append(found or Footprint())

    # The forward pass.

    def _keep(self, index: int) -> None:
        """Which storages a call keeps, and further bytes."""
        if not self.needs[index]:
            return
        node, found, storages = self.graph.nodes[index], self.prints[index], self.storages
        keeps = []
        kept = found.kept + (self.extra[index][0] if self.extra else 0)
        for at in found.inputs:
            source = node.inputs[at] if at < len(node.inputs) else None
            if source is None:
                continue
            if storages.in_place(index) and at == 0:
                if node.op.type in _RESULT_IN_PLACE:
                    keeps.append(storages.owner[index])
                else:
                    kept += storages.bytes(source)  # a copy of what is overwritten
            else:
                keeps.append(storages.owner[source])
        if found.output:
            keeps.append(storages.owner[index])
        self.keeps[index] = tuple(dict.fromkeys(at for at in keeps if not storages.constant(at)))
        self.kept[index] = kept

    def forward(self) -> None:
        graph, storages, run = self.graph, self.storages, self.run
        owner, count = storages.owner, len(graph.nodes)
        for index in range(graph.inputs, count):
            self._keep(index)
        last = last_uses(graph, owner)
        for index in range(graph.inputs, count):
            segment = self.segment_of.get(index)
            if segment is None:
                for storage in self.keeps[index]:
                    self.savers.setdefault(storage, index)
            elif self.needs[segment[1]]:
                # Of a segment that is computed again its inputs are kept.
                for source in graph.nodes[index].inputs:
                    if source < segment[0] and not storages.constant(owner[source]):
                        self.savers.setdefault(owner[source], segment[0])
        for storage, index in self.savers.items():
            self.saved[index] += self._own(storage)
        for index in range(count):
            if index not in self.segment_of:
                self.saved[index] += self.kept[index]
        freed: list[int] = [0] * (count + 1)
        for index, node in enumerate(graph.nodes):
            found = self.prints[index]
            if owner[index] == index:
                run.alive += self._own(index)
                if index not in self.savers:
                    freed[min(last[index], count)] += self._own(index)
            recomputed = index in self.segment_of
            kept = 0 if recomputed else self.kept[index]
            held = found.forward if self.needs[index] and not recomputed else found.temporary
            beside = self.extra[index][1] if self.extra else 0
            self.temporary[index] = held + beside
            run.alive += kept
            if index >= graph.inputs and node.values:
                run.note("forward", node.name, held + beside)
            run.alive -= freed[index]

    def _own(self, storage: int) -> int:
        node = self.graph.nodes[storage]
        alias = node.op.aliases and self.storages.owner[storage] != storage
        return 0 if alias or self.storages.constant(storage) else self.storages.bytes(storage)

    # The backward pass.

    def backward(self) -> None:
        graph, storages, run = self.graph, self.storages, self.run
        gradients: dict[int, _Gradient] = {}
        for output in dict.fromkeys(graph.outputs):
            if self.needs[output]:
                gradients[output] = _Gradient(storages.bytes(output), 1)
                run.alive += storages.bytes(output)
        callers = {storages.owner[at] for at in (*range(graph.inputs), *graph.outputs)}
        by_saver: dict[int, list[int]] = {}
        for storage, saver in self.savers.items():
            by_saver.setdefault(saver, []).append(storage)
        seen: set[int] = set()  # parameters whose gradient is there
        for index in reversed(range(graph.inputs, len(graph.nodes))):
            segment = self.segment_of.get(index)
            if segment is not None and index == segment[1] and self.needs[index]:
                self._recompute(segment)
            made = self._gradients_of(index, gradients, seen) if self.needs[index] else []
            # What the call kept goes before its gradients are added to others.
            for storage in by_saver.get(index, ()):
                if storage not in callers:
                    run.alive -= self._own(storage)
            run.alive -= self.kept[index]
            for size in self.again.pop(index, ()):
                run.note("backward", graph.nodes[index].name, 0 if self.in_place else size)
                run.alive -= size
            if segment is not None and self.needs[segment[1]]:
                for storage in self._inner.get(index, ()):
                    run.alive -= self._own(storage)
            for _, gradient in made:
                gradient.shared += 1
            for source, gradient in made:
                self._deliver(source, gradient, gradients)

    _inner: Mapping[int, Sequence[int]] = {}

    def _recompute(self, segment: tuple[int, int]) -> None:
        """Run the forward of a segment again, keeping what autograd keeps."""
        graph, storages, run = self.graph, self.storages, self.run
        first, end = segment
        savers: dict[int, int] = {}
        for index in range(first, end + 1):
            for storage in self.keeps[index]:
                if storage >= first and storage not in self.savers:
                    savers.setdefault(storage, index)
        inner: dict[int, list[int]] = {}
        for storage, saver in savers.items():
            inner.setdefault(saver, []).append(storage)
        self._inner = inner
        last = last_uses(graph, storages.owner)
        gone: dict[int, int] = {}
        for index in range(first, end + 1):
            if storages.owner[index] == index:
                run.alive += self._own(index)
                if index not in savers:
                    at = min(last[index], end)
                    gone[at] = gone.get(at, 0) + self._own(index)
            run.alive += self.kept[index]
            run.note("backward", graph.nodes[index].name, self.prints[index].forward)
            run.alive -= gone.get(index, 0)
            self.recomputed += self._macs(index) or 0

    def _gradients_of(
        self, index: int, gradients: dict[int, _Gradient], seen: set[int]
    ) -> list[tuple[int, _Gradient]]:
        """The gradients that the backward of a call makes, by the node whose value they are for."""
        graph, storages, run = self.graph, self.storages, self.run
        node, found = graph.nodes[index], self.prints[index]
        gradient = gradients.pop(index, None)
        if gradient is None:
            return []
        # What a map is cropped to gives its size alone.
        read = node.inputs[:1] if node.op.type == "center_crop" else node.inputs
        sources = [source for source in dict.fromkeys(read) if self.needs[source]]
        made: list[tuple[int, _Gradient]] = []
        new = 0
        for source in sources:
            if _passes_gradient(node, source, graph, storages):
                made.append((source, gradient))
            else:
                own = _Gradient(storages.bytes(source))
                new += own.bytes
                made.append((source, own))
        assert self.trained is not None
        learnt = 0
        again: list[int] = []
        for name, shape in self.trained[index].items():
            parameter = None if node.parameters is None else node.parameters.get(name)
            if parameter is None or id(parameter) not in seen:
                learnt += prod(shape) * self.gradient_size
                if parameter is not None:
                    seen.add(id(parameter))
            else:
                again.append(prod(shape) * self.gradient_size)
        run.alive += new + learnt + sum(again)
        self.again[index] = again[::-1] if node.op.type == "linear" else again
        beside = found.backward
        if found.before is not None and gradient.shared == 1:
            beside = max(found.before, found.backward - gradient.bytes)
        run.note("backward", node.name, beside)
        self.temporary[index] = max(self.temporary[index], beside)
        gradient.shared -= 1
        if gradient.shared == 0 and not any(own is gradient for _, own in made):
            run.alive -= gradient.bytes
        self._work(index, node, sources)
        return made

    def _deliver(self, source: int, more: _Gradient, gradients: dict[int, _Gradient]) -> None:
        """Add a gradient to the one that a value has: in place, unless that stands for another value, too."""
        run = self.run
        before = gradients.get(source)
        if before is None:
            gradients[source] = more
            return
        if before.shared > 1 or not self.in_place:
            total = _Gradient(self.storages.bytes(source), 1)
            run.alive += total.bytes
            run.note("backward", self.graph.nodes[source].name)
            before.shared -= 1
            if before.shared == 0:
                run.alive -= before.bytes
            gradients[source] = total
        more.shared -= 1
        if more.shared == 0:
            run.alive -= more.bytes

    # Work.

    def _macs(self, index: int) -> int | None:
        cost = self.graph.nodes[index].cost
        return None if cost is None else self.storages.scaled(index, cost.macs)

    def _work(self, index: int, node: Node, sources: Sequence[int]) -> None:
        """MACs of the gradients: as many again for each factor of a product that needs one."""
        macs = self._macs(index) or 0
        if not macs:
            return
        assert self.trained is not None
        learns = any(len(shape) > 1 for shape in self.trained[index].values())
        within = self.storages.scaled(index, products_within(node))
        outside = macs - within
        self.input_macs[index] = 2 * within
        if node.op.category == "attention" and within == 0:  # of queries, keys and values, two products
            self.input_macs[index] = 2 * macs if sources else 0
            return
        if sources:
            alone = node.weights or len(node.inputs) == 1
            self.input_macs[index] += outside * (1 if alone else len(sources))
        elif within:  # the second projection's input needs one all the same
            self.input_macs[index] += outside // 4
        self.weight_macs[index] = outside if learns else 0
        if node.op.type in _RECURRENT and self.input_macs[index]:
            # The state before the first step is zero, and needs no gradient.
            batch = node.input_shapes[0][0 if getattr(node.op, "batch_first", True) else 1]
            states = [prod(shape) for name, shape in node.weights.items() if name.startswith("weight_hh")]
            self.input_macs[index] -= self.storages.scaled(index, batch * sum(states))

    def result(self) -> Step:
        return Step(
            tuple(self.run.moments),
            self.saved,
            self.temporary,
            [self._macs(index) for index in range(len(self.graph.nodes))],
            self.input_macs,
            self.weight_macs,
            self.recomputed,
            self.unknown,
        )


_RECURRENT = frozenset({"rnn", "lstm", "gru"})
#: in place these keep their result, not a copy of their input
_RESULT_IN_PLACE = frozenset({"leaky_relu", "elu", "celu", "selu"})
#: the gradient of a part is a tensor of the whole, with zeros around it
_PARTS = frozenset(
    {"select_token", "slice_channels", "select", "slice", "narrow", "chunk", "split", "unbind", "center_crop"}
)
#: the gradient goes through as it is, or as a view of it
_PASSING = frozenset(
    {"add", "concat", "cat", "position_embedding", "class_token", "clone", "contiguous", "stack"}
)


def _passes_gradient(node: Node, source: int, graph: Graph, storages: Storages) -> bool:
    """Whether the gradient of the output is that of an input, or holds it."""
    if node.op.type in _PASSING:
        return node.op.type != "add" or graph.nodes[source].output_shape == node.output_shape
    if not node.op.aliases or node.op.type in _PARTS:
        return False
    return storages.owner[graph.index[node.name]] != graph.index[node.name]


def trained_parameters(
    graph: Graph, trains: Callable[[Node, str, Parameter | None], bool]
) -> list[dict[str, Shape]]:
    """For each node the shapes of its parameters that are trained, by the op's names for them."""
    found: list[dict[str, Shape]] = []
    for node in graph.nodes:
        if node.parameters is None:
            found.append({name: shape for name, shape in node.weights.items() if trains(node, name, None)})
        else:
            found.append(
                {
                    name: parameter.shape
                    for name, parameter in node.parameters.items()
                    if not parameter.buffer and parameter.trainable and trains(node, name, parameter)
                }
            )
    return found
