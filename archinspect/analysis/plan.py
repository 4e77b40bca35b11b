"""What a network takes in memory and work as it is trained or run: the rows and totals of `archinspect memory`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from functools import cached_property
from math import prod
from typing import Any, NamedTuple

from .. import units
from ..errors import fail
from ..graph import ELEMENT_BYTES, Graph, Node, Parameter, refuse_parameters_only
from ..ops.base import Shape
from ..shown import Shown
from .batch import CONVERTED, is_spec, own_batch, refuse_batch
from .kv_cache import Cache, active_parameters, language_cache
from .memory import Storages
from .results import Analysis, Row
from .step import OPTIMIZERS, Moment, Step, step
from .variants import at_batch

__all__ = ["PRECISIONS", "Fit", "Memory", "MemoryRow", "Plan", "Suggestion", "fit_batch", "fitted", "memory"]

#: bytes that PyTorch's CUDA allocator rounds every tensor up to
ALLOCATION = 512


class Precision(NamedTuple):
    """Bits of a weight and bytes of an activation; `master`: training keeps fp32 copies of the weights."""

    weight_bits: int
    activation: int
    master: bool = False

    @property
    def quantised(self) -> bool:
        return self.weight_bits < 16


PRECISIONS = {
    "fp32": Precision(32, 4),
    "tf32": Precision(32, 4),
    "fp16": Precision(16, 2, master=True),
    "bf16": Precision(16, 2, master=True),
    "int8": Precision(8, 2),
    "int4": Precision(4, 2),
}


@dataclass(frozen=True)
class Plan:
    """How a network is run: batch, precision, training, and what is changed about it.

    `dtype` None keeps the types of a captured module, and is fp32 for a spec.  `train` is a word of `OPTIMIZERS`, None
    for inference.  `freeze` and `checkpoint` are patterns of paths; `checkpoint` may be ("auto",).  `lora` is the rank
    of adapters on all fully connected layers, with all else frozen.  `attention` is `math`, `fused`, or "" for what
    the network has written.
    """

    batch: int | None = None
    dtype: str | None = None
    train: str | None = None
    freeze: tuple[str, ...] = ()
    lora: int | None = None
    checkpoint: tuple[str, ...] = ()
    attention: str = ""
    context: int | None = None

    @property
    def precision(self) -> Precision | None:
        return None if self.dtype is None else PRECISIONS[self.dtype]


@dataclass(frozen=True)
class MemoryRow:
    """What one layer takes, or a scope that is folded: all in bytes, MACs for the whole batch.

    None is a figure that nobody has a rule for.
    """

    name: str
    op: str
    params: int
    trainable: int
    weight_bytes: int
    buffer_bytes: int
    gradient_bytes: int
    optimizer_bytes: int
    saved_bytes: int | None
    temporary_bytes: int | None
    forward_macs: int | None
    input_gradient_macs: int
    weight_gradient_macs: int

    @property
    def frozen(self) -> bool:
        """Whether it has parameters, none of which is trained."""
        return self.params > 0 and self.trainable == 0

    @property
    def backward_macs(self) -> int:
        return self.input_gradient_macs + self.weight_gradient_macs

    def to_dict(self) -> dict[str, object]:
        own = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {**own, "frozen": self.frozen, "backward_macs": self.backward_macs}


class Suggestion(NamedTuple):
    """A change of the plan, the memory with it, and whether that fits."""

    words: str
    memory: Memory
    fits: bool

    def to_dict(self) -> dict[str, Any]:
        return {
            "change": self.words,
            "peak_bytes": self.memory.peak_bytes,
            "fits": self.fits,
            "step_macs": self.memory.totals["step_macs"],
            "checkpoint": list(self.memory.checkpointed),
        }


class Fit(NamedTuple):
    """What fits into so many bytes: the largest batch (0: none), whether the plan does, and what would help it."""

    bytes: int
    batch: int
    fits: bool
    suggestions: tuple[Suggestion, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return {
            "bytes": self.bytes,
            "batch": self.batch,
            "fits": self.fits,
            "suggestions": [each.to_dict() for each in self.suggestions],
        }


@dataclass(frozen=True)
class Memory(Shown):
    """What a plan takes, layer by layer and in all, and when in the step most is alive."""

    model: str
    graph: Graph = field(repr=False)
    plan: Plan
    batch: int
    rows: tuple[MemoryRow, ...]
    step: Step = field(repr=False)
    master_bytes: int
    input_bytes: int
    dtype: str
    rounding_bytes: int
    #: paths of the scopes that are computed again in the backward pass
    checkpointed: tuple[str, ...] = ()
    cache: Cache | None = None
    fit: Fit | None = None
    depth: int | None = None

    def __repr__(self) -> str:
        what = f"training with {self.plan.train}" if self.plan.train else "inference"
        peak = units.binary_bytes(self.peak_bytes)
        return f"<Memory of {self.model}: {what}, batch {self.batch}, {self.dtype}, peak {peak}>"

    def _sum(self, name: str) -> int:
        return sum([getattr(row, name) or 0 for row in self.rows])

    @property
    def peak(self) -> Moment:
        return self.step.peak

    @property
    def peak_bytes(self) -> int:
        return self.peak.bytes + (self.cache.bytes(self.batch) if self.cache is not None else 0)

    @cached_property
    def totals(self) -> dict[str, Any]:
        names = ("params", "trainable", "weight_bytes", "buffer_bytes", "gradient_bytes", "optimizer_bytes")
        found: dict[str, Any] = {name: self._sum(name) for name in (*names, "saved_bytes")}
        forward, backward = self._sum("forward_macs"), self._sum("backward_macs")
        peak = self.peak
        found |= {
            "frozen": found["params"] - found["trainable"],
            "master_bytes": self.master_bytes,
            "input_bytes": self.input_bytes,
            "peak_bytes": self.peak_bytes,
            "peak_at": peak.name or peak.phase,
            "peak_phase": peak.phase,
            "rounding_bytes": self.rounding_bytes,
            "forward_macs": forward,
            "backward_macs": backward,
            "input_gradient_macs": self._sum("input_gradient_macs"),
            "weight_gradient_macs": self._sum("weight_gradient_macs"),
            "recomputed_macs": self.step.recomputed_macs,
            "step_macs": forward + backward + self.step.recomputed_macs,
            "optimizer_flops": self.optimizer_flops,
            "complete": not self.step.unknown and all(row.forward_macs is not None for row in self.rows),
        }
        active = active_parameters(self.graph)
        if active is not None:
            found["active_params"] = active
        if self.cache is not None:
            found["kv_cache_bytes"] = self.cache.bytes(self.batch)
        return found

    @property
    def optimizer_flops(self) -> int | None:
        """Operations of the optimiser's update of all trained parameters; None where it is not counted."""
        if self.plan.train is None:
            return 0
        each = _UPDATE_FLOPS.get(self.plan.train)
        return None if each is None else each * self._sum("trainable")

    @property
    def frozen_statistics(self) -> tuple[str, ...]:
        """Batch normalisation whose parameters are frozen, and whose statistics training changes all the same."""
        if self.plan.train is None:
            return ()
        return tuple([row.name for row in self.rows if row.frozen and row.op.startswith("batch_norm")])

    def fold(self, depth: int) -> Memory:
        """One row for each scope `depth` levels below the top; its temporaries are the most that a layer of it has."""
        groups: dict[str, list[MemoryRow]] = {}
        for row in self.rows:
            groups.setdefault(".".join(row.name.split(".", depth)[:depth]), []).append(row)
        folded = [_folded(name, rows) for name, rows in groups.items()]
        return replace(self, rows=tuple(folded))

    def document(self) -> dict[str, Any]:
        """What the command prints with `--format json`."""
        plan = self.plan
        document: dict[str, Any] = {
            "model": self.model,
            "batch": self.batch,
            "dtype": self.dtype,
            "train": plan.train,
            "attention": plan.attention or "as written",
            "freeze": list(plan.freeze),
            "lora": plan.lora,
            "checkpoint": list(self.checkpointed),
            "rows": [
                row.to_dict() for row in (self.rows if self.depth is None else self.fold(self.depth).rows)
            ],
            "totals": self.totals,
        }
        if self.cache is not None:
            document["cache"] = self.cache.to_dict(self.batch)
        if self.fit is not None:
            document["fit"] = self.fit.to_dict()
        return document


#: Operations for each parameter.  SGD: lr·g and a difference; momentum: μ·b + g more.  Adam: 3 for the first moment, 4
#: for the second, a root, a quotient and a sum for the divisor, a quotient, a product, a difference; AdamW one more.
_UPDATE_FLOPS = {"sgd": 2, "momentum": 4, "adam": 13, "adamw": 14}


def _folded(name: str, rows: Sequence[MemoryRow]) -> MemoryRow:
    if len(rows) == 1 and rows[0].name == name:
        return rows[0]
    figures: dict[str, Any] = {}
    for key in MemoryRow.__dataclass_fields__:
        if key not in ("name", "op"):
            values = [getattr(row, key) for row in rows]
            together = max if key == "temporary_bytes" else sum
            figures[key] = None if None in values else together(values)
    return MemoryRow(name=name, op="scope", **figures)


def memory(graph: Graph, plan: Plan) -> Memory:
    """What `plan` takes.  Raises ArchinspectError (A403) for options that do not suit each other or the network."""
    refuse_parameters_only(graph, "memory of a pass")
    _refuse(plan)
    if is_spec(graph):
        graph = at_batch(graph, plan.batch) if plan.batch is not None else graph
        batch = own_batch(graph)
    else:
        batch = own_batch(graph) if plan.batch is None else plan.batch
        refuse_batch(graph, batch)
    counted = _Parameters(graph, plan)
    segments = _segments(graph, plan.checkpoint) if plan.train else ()
    if plan.checkpoint == ("auto",):
        segments = _automatic(graph)
    precision = plan.precision
    storages = Storages(
        graph,
        None if precision is None else precision.activation,
        batch,
        training=plan.train is not None,
        attention=plan.attention,
    )
    if counted.adapters:
        counted.adapt(storages)
    optimizer = OPTIMIZERS[plan.train] if plan.train else None
    largest = max([prod(shape) for each in counted.shapes for shape in each.values()], default=0)
    base = sum(counted.weight_bytes) + sum(counted.buffer_bytes) + sum(counted.optimizer_bytes)
    found = step(
        graph,
        storages,
        base=base,
        trained=counted.shapes if plan.train else None,
        gradient_size=counted.gradient_size,
        segments=[(first, end) for _, first, end in segments],
        update=optimizer.temporary * 4 * largest if optimizer else 0,
        extra=counted.adapter_activations,
    )
    rows = []
    for index in range(graph.inputs, len(graph.nodes)):
        node = graph.nodes[index]
        rows.append(
            MemoryRow(
                node.name,
                node.op.type,
                counted.params[index],
                counted.trainable[index],
                counted.weight_bytes[index],
                counted.buffer_bytes[index],
                counted.gradient_bytes[index],
                counted.optimizer_bytes[index],
                None if index in found.unknown else found.saved[index],
                None if index in found.unknown else found.temporary[index],
                found.forward_macs[index],
                found.input_macs[index],
                found.weight_macs[index],
            )
        )
    return Memory(
        model=graph.name,
        graph=graph,
        plan=plan,
        batch=batch,
        rows=tuple(rows),
        step=found,
        master_bytes=counted.master_bytes,
        input_bytes=sum([storages.bytes(index) for index in range(graph.inputs)]),
        dtype=plan.dtype or _own_type(graph),
        rounding_bytes=counted.rounding + sum([-size % ALLOCATION for size in found.saved if size]),
        checkpointed=tuple([path for path, _, _ in segments]),
        cache=language_cache(graph, plan.context, _cache_bytes(graph, plan)),
    )


def _cache_bytes(graph: Graph, plan: Plan) -> int:
    if plan.precision is not None:
        return plan.precision.activation
    return ELEMENT_BYTES[_float_type(graph)]


def _float_type(graph: Graph) -> str:
    """The type of most parameters, by PyTorch's name; that of a spec is fp32."""
    if is_spec(graph):
        return "float32"
    floats = [p.dtype for p in graph.parameters if p.dtype in CONVERTED]
    return max(set(floats), key=floats.count) if floats else "float32"


def _own_type(graph: Graph) -> str:
    return units.dtype(_float_type(graph))


def _refuse(plan: Plan) -> None:
    for given, name, known in (
        (plan.dtype, "--dtype", PRECISIONS),
        (plan.train, "--train", OPTIMIZERS),
        (plan.attention or None, "--attention", {"math": None, "fused": None}),
    ):
        if given is not None and given not in known:
            raise fail("A403", f"{name} '{given}' is not known", help=f"one of {', '.join(known)}")
    if plan.batch is not None and plan.batch < 1:
        raise fail("A403", "batch must be at least 1", notes=[f"--batch {plan.batch}"])
    if plan.context is not None and plan.context < 1:
        raise fail("A403", "context must be at least 1", notes=[f"--context {plan.context}"])
    if plan.lora is not None and plan.lora < 1:
        raise fail("A403", "the rank of adapters must be at least 1", notes=[f"--lora {plan.lora}"])
    needs = [name for name, given in (("--lora", plan.lora), ("--checkpoint", plan.checkpoint)) if given]
    if plan.train is None and needs:
        raise fail("A403", f"{needs[0]} says how to train, and needs --train", help="e.g. --train 'adamw'")
    if plan.train and plan.precision and plan.precision.quantised and plan.lora is None:
        raise fail(
            "A403",
            f"weights in {plan.dtype} cannot be trained",
            notes=["gradients change a weight by less than one step of an integer"],
            help="--lora 16 trains adapters beside them, or --dtype 'bf16'",
        )


class _Parameters:
    """Parameters and buffers of each node, counted once, with gradients and optimiser state of those trained."""

    def __init__(self, graph: Graph, plan: Plan) -> None:
        self.plan = plan
        count = len(graph.nodes)
        self.params, self.trainable = [0] * count, [0] * count
        self.weight_bytes, self.buffer_bytes = [0] * count, [0] * count
        self.gradient_bytes, self.optimizer_bytes = [0] * count, [0] * count
        self.shapes: list[dict[str, Shape]] = [{} for _ in range(count)]
        self.master_bytes = 0
        self.rounding = 0
        self.adapters: dict[int, list[tuple[int, int]]] = {}
        self.adapter_activations: list[tuple[int, int]] = []
        precision = plan.precision
        self.gradient_size = 4 if precision is None else precision.activation
        self._graph = graph
        self._optimizer = OPTIMIZERS[plan.train] if plan.train else None
        self._master = precision is not None and precision.master
        frozen = matched(graph, plan.freeze, "--freeze")
        seen: set[int] = set()
        for index, node in enumerate(graph.nodes):
            if index < graph.inputs:
                continue
            for name, shape, parameter in _tensors(node):
                if name in node.buffers:
                    if parameter is None or id(parameter) not in seen:
                        self.buffer_bytes[index] += self._buffer(shape, parameter)
                        self._round(self._buffer(shape, parameter))
                    if parameter is not None:
                        seen.add(id(parameter))
                    continue
                trains = index not in frozen and plan.lora is None
                if parameter is not None:
                    trains = trains and parameter.trainable and not _named(parameter, plan.freeze)
                if trains:
                    self.shapes[index][name] = shape
                if parameter is not None:
                    if id(parameter) in seen:
                        continue
                    seen.add(id(parameter))
                self._count(index, shape, parameter, trains)
        if plan.lora is not None:
            self._add_adapters(plan.lora, frozen)

    def _count(self, index: int, shape: Shape, parameter: Parameter | None, trains: bool) -> None:
        count = prod(shape)
        size = self._weight(shape, parameter)
        self.params[index] += count
        self.weight_bytes[index] += size
        self._round(size)
        if not trains:
            return
        self.trainable[index] += count
        if self._optimizer is not None:
            gradient = count * self.gradient_size
            self.gradient_bytes[index] += gradient
            master = 4 * count if self._master else 0
            self.master_bytes += master
            state = self._optimizer.state(shape)
            self.optimizer_bytes[index] += master + state
            for tensor in (gradient, master, state):
                self._round(tensor)

    def _round(self, size: int) -> None:
        self.rounding += -size % ALLOCATION if size else 0

    def _weight(self, shape: Shape, parameter: Parameter | None) -> int:
        precision = self.plan.precision
        if precision is None or (parameter is not None and parameter.dtype not in CONVERTED):
            return 4 * prod(shape) if parameter is None else parameter.bytes
        # Packed types hold matrices; scales, shifts and biases stay in 16 bits.
        bits = 16 if precision.quantised and len(shape) < 2 else precision.weight_bits
        return -(-prod(shape) * bits // 8)

    def _buffer(self, shape: Shape, parameter: Parameter | None) -> int:
        size = 4 if self.plan.precision is None else self.plan.precision.activation
        if parameter is None:
            return size * prod(shape) if shape else 8  # a counter of batches is a 64-bit integer
        return size * prod(shape) if self.plan.precision and parameter.dtype in CONVERTED else parameter.bytes

    # Adapters of low rank: Hu et al. 2021, arXiv:2106.09685.

    def _add_adapters(self, rank: int, frozen: frozenset[int]) -> None:
        for index, node in enumerate(self._graph.nodes):
            if index in frozen or index < self._graph.inputs:
                continue
            pairs = [shape for shape in _adapted(node) if len(shape) == 2]
            if not pairs:
                continue
            self.adapters[index] = [(shape[0], shape[1]) for shape in pairs]
            for number, (out, width) in enumerate(self.adapters[index]):
                for name, shape in ((f"lora_A.{number}", (rank, width)), (f"lora_B.{number}", (out, rank))):
                    self.shapes[index][name] = shape
                    self._count_adapter(index, shape)

    def _count_adapter(self, index: int, shape: Shape) -> None:
        """Adapters are in the type of the activations."""
        count = prod(shape)
        size = 4 if self.plan.precision is None else self.plan.precision.activation
        self.params[index] += count
        self.trainable[index] += count
        self.weight_bytes[index] += count * size
        if self._optimizer is not None:
            self.gradient_bytes[index] += count * self.gradient_size
            self.master_bytes += 4 * count if self._master else 0
            self.optimizer_bytes[index] += self._optimizer.state(shape) + (4 * count if self._master else 0)

    def adapt(self, storages: Storages) -> None:
        """What adapters keep (the product with A), and have alive beside the output (the product with B)."""
        rank = self.plan.lora or 0
        for index in range(len(self._graph.nodes)):
            kept = beside = 0
            for out, _ in self.adapters.get(index, ()):
                rows = storages.bytes(index) // max(1, self._graph.nodes[index].output_shape[-1])
                kept += rows * rank
                beside = max(beside, rows * out)
            self.adapter_activations.append((kept, beside))


def _adapted(node: Node) -> Iterator[Shape]:
    """The matrices of a node that adapters are put beside."""
    if node.op.type in ("linear", "multihead_attention"):
        yield from node.weights.values()


def _tensors(node: Node) -> Iterator[tuple[str, Shape, Parameter | None]]:
    if node.parameters is None:
        for name, shape in (*node.weights.items(), *node.buffers.items()):
            yield name, shape, None
    else:
        for name, parameter in node.parameters.items():
            yield name, parameter.shape, parameter


def _named(parameter: Parameter, patterns: Sequence[str]) -> bool:
    return any(_matches(name, pattern) for name in parameter.names for pattern in patterns)


def _matches(path: str, pattern: str) -> bool:
    return path == pattern or path.startswith(f"{pattern}.") or fnmatchcase(path, pattern)


def matched(graph: Graph, patterns: Sequence[str], option: str) -> frozenset[int]:
    """The nodes that patterns name: a path and all below it, with wildcards, or from one to another (`conv1..conv4_x`).

    Raises ArchinspectError (A403) for a pattern that names nothing.
    """
    found: set[int] = set()
    for pattern in patterns:
        ends = [part.strip() for part in pattern.split("..")]
        places = [
            [
                index
                for index, node in enumerate(graph.nodes)
                if index >= graph.inputs and (_matches(node.name, end) or _has(node, end))
            ]
            for end in ends
        ]
        missing = [end for end, at in zip(ends, places, strict=True) if not at]
        if missing or len(ends) > 2:
            tops = list(dict.fromkeys(node.name.partition(".")[0] for node in graph.layers))
            shown = ", ".join(tops[:12]) + (", …" if len(tops) > 12 else "")
            raise fail(
                "A403",
                f"{option} '{pattern}' names no layer of {graph.name}"
                if missing
                else f"{option} '{pattern}' is no range",
                notes=[f"its layers and scopes are {shown}"],
                help=f"e.g. {option} '{tops[0]}..{tops[max(0, len(tops) - 2)]}'",
            )
        found.update(range(places[0][0], places[1][-1] + 1) if len(ends) == 2 else places[0])
    return frozenset(found)


def _has(node: Node, pattern: str) -> bool:
    return any(_named(parameter, (pattern,)) for parameter in (node.parameters or {}).values())


# Checkpointing: Chen et al. 2016, arXiv:1604.06174.


def _segments(graph: Graph, patterns: Sequence[str]) -> list[tuple[str, int, int]]:
    """The scopes that are computed again: path, first and last node.  One inside another is a part of that."""
    if not patterns or patterns == ("auto",):
        return []
    matched(graph, patterns, "--checkpoint")
    found: dict[str, list[int]] = {}
    for index, node in enumerate(graph.nodes):
        parts = node.name.split(".")
        paths = [".".join(parts[:count]) for count in range(1, len(parts) + 1)]
        path = next(
            (p for p in paths for pattern in patterns if p == pattern or fnmatchcase(p, pattern)), None
        )
        if path is not None and index >= graph.inputs:
            found.setdefault(path, []).append(index)
    segments: list[tuple[str, int, int]] = []
    for path, nodes in found.items():
        if not segments or nodes[0] > segments[-1][2]:
            segments.append((path, nodes[0], nodes[-1]))
    return segments


def _automatic(graph: Graph) -> list[tuple[str, int, int]]:
    """The scopes one level below the stages, or the stages where these have no scopes inside: blocks, mostly.

    Of the scopes that hold more than one layer the innermost repeated level is taken, whose number is nearest to the
    root of the number of layers: the classical choice of segments.
    """
    layers = len(graph.nodes) - graph.inputs
    best: list[tuple[str, int, int]] = []
    for depth in range(1, 6):
        groups: dict[str, list[int]] = {}
        for index, node in enumerate(graph.nodes):
            parts = node.name.split(".")
            if index >= graph.inputs and len(parts) > depth:
                groups.setdefault(".".join(parts[:depth]), []).append(index)
        found: list[tuple[str, int, int]] = []
        for path, nodes in groups.items():
            whole = nodes == list(range(nodes[0], nodes[-1] + 1))
            if len(nodes) > 1 and whole and (not found or nodes[0] > found[-1][2]):
                found.append((path, nodes[0], nodes[-1]))
        if found and (not best or abs(len(found) - layers**0.5) < abs(len(best) - layers**0.5)):
            best = found
    return best


# Fitting.


def fitted(graph: Graph, plan: Plan, limit: int) -> Memory:
    """What a plan takes, with what fits into `limit` bytes: the largest batch, at which it is taken if it names none.

    Where its batch does not fit, changes of the plan are tried: checkpointing, precision, freezing, attention.
    """
    largest = fit_batch(graph, plan, limit)
    if plan.batch is None:
        plan = replace(plan, batch=max(largest, 1))
    found = memory(graph, plan)
    fits = found.peak_bytes <= limit
    return replace(found, fit=Fit(limit, largest, fits, () if fits else suggestions(found, limit)))


def fit_batch(graph: Graph, plan: Plan, limit: int) -> int:
    """The largest batch whose peak is at most `limit` bytes; 0 where not even one image fits."""

    def fits(batch: int) -> bool:
        return memory(graph, replace(plan, batch=batch)).peak_bytes <= limit

    if not is_spec(graph):
        refuse_batch(graph, own_batch(graph) + 1)
    if not fits(1):
        return 0
    low, high = 1, 2
    while fits(high):
        low, high = high, 2 * high
        if high > 1 << 40:
            return low
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def suggestions(now: Memory, limit: int) -> tuple[Suggestion, ...]:
    """What makes a plan fit into `limit` bytes, or comes nearer, with what it costs in work: the least work first."""
    graph, plan = now.graph, now.plan
    changes: list[tuple[str, Plan]] = []
    if plan.train and not plan.checkpoint:
        changes.append(("checkpoint every block", replace(plan, checkpoint=("auto",))))
    if plan.dtype in (None, "fp32", "tf32"):
        changes.append(("bf16", replace(plan, dtype="bf16")))
        if plan.train and not plan.checkpoint:
            changes.append(
                ("bf16, checkpoint every block", replace(plan, dtype="bf16", checkpoint=("auto",)))
            )
    if not plan.attention:
        changes.append(("fused attention", replace(plan, attention="fused")))
    if plan.train and not plan.lora:
        changes += _freezing(graph, plan, limit)
    if plan.train in ("adam", "adamw"):
        changes.append(("Adam in 8 bits", replace(plan, train="adam8bit")))
    found = []
    for words, changed in changes:
        result = memory(graph, changed)
        if result.peak_bytes < now.peak_bytes:
            found.append(Suggestion(words, result, result.peak_bytes <= limit))
    found.sort(
        key=lambda each: (
            not each.fits,
            each.memory.totals["step_macs"] if each.fits else each.memory.peak_bytes,
        )
    )
    return tuple(found)


def _freezing(graph: Graph, plan: Plan, limit: int) -> list[tuple[str, Plan]]:
    """Freezing from the first scope on, as little as fits, or else as much as there is but the last scope."""
    tops = list(dict.fromkeys(node.name.partition(".")[0] for node in graph.layers if node.weights))
    for count in range(1, len(tops)):
        end = tops[count - 1]
        pattern = tops[0] if count == 1 else f"{tops[0]}..{end}"
        frozen = replace(plan, freeze=(*plan.freeze, pattern))
        if count == len(tops) - 1 or memory(graph, frozen).peak_bytes <= limit:
            return [(f"freeze {pattern}", frozen)]
    return []


def with_frozen(analysis: Analysis, patterns: Sequence[str]) -> Analysis:
    """The analysis with no parameter trained that a pattern names.  Raises ArchinspectError (A403)."""
    graph = analysis.graph
    frozen = matched(graph, patterns, "--freeze")
    rows = []
    for row, index in zip(analysis.rows, range(graph.inputs, len(graph.nodes)), strict=True):
        trainable = 0 if index in frozen else row.trainable
        if trainable and graph.nodes[index].parameters is not None:
            named = [p for p in row.tensors.values() if p.trainable and not p.buffer and _named(p, patterns)]
            trainable -= sum(p.numel for p in named)
        rows.append(row if trainable == row.trainable else Row(**{**row.__dict__, "trainable": trainable}))
    return replace(analysis, rows=tuple(rows))
