"""Makes a `Graph` of a recording.

What becomes a node, and what does not:

- an operation that depends on an input becomes one, unless it hands its input on as it is (`detach`, `contiguous` of
  what is contiguous), or moves data that nobody reads;
- of those that depend on weights alone (a position table that is interpolated, a weight that is standardised) the ones
  that compute something do: such a node depends on no input.  One that only moves a weight's elements is dropped, and
  the weight is a parameter of whatever reads the result;
- of those that depend on constants alone (masks, positions) only the ones with multiply-accumulates do.

A value that was written in place is an output of the operation that wrote it, in the memory of the one it replaced.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from torch import nn

from ...errors import ArchinspectError
from ...graph import BlockUse, Graph, Node, Parameter, Scope, Value
from ...ops import Input, Op, Shapes
from ...ops.tensor import TensorOp
from ...regions import structured
from .capture import OwnTensor, Recording
from .language import attention_layers
from .layers import layer_of, made_layer, tensor_op_of
from .recorder import INPUT, ExternalValue, ModuleCall, Operation, TensorValue, tensor_values

__all__ = ["ModuleSource", "call_names", "lower"]

#: what hands on its input where it makes no tensor of its own
PASSING = frozenset(
    [
        "alias",
        "detach",
        "contiguous",
        "to",
        "expand",
        "expand_as",
        "type_as",
        "lift_fresh",
        "lift",
        "positive",
    ]
)


@dataclass(frozen=True)
class ModuleSource:
    """The module that a graph was captured from, with the arguments of the pass.

    `origins` has for each node the index of the operation of `recording` that it came from; -1 for none.  `again`
    builds the module with its weights, where `module` was built without.

    Of an exported program `module` is its steps laid out again; `program` loads the program itself with its weights,
    and `stored` has what it calls each tensor, by the tensor's id.
    """

    module: nn.Module
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    recording: Recording = field(repr=False)
    origins: tuple[int, ...] = field(repr=False, default=())
    again: Callable[[], nn.Module] | None = field(repr=False, default=None)
    kind: str = "module"
    program: Callable[[], Any] | None = field(repr=False, default=None)
    stored: Mapping[int, str] = field(repr=False, default_factory=dict)

    def with_weights(self) -> nn.Module:
        """The module if its weights have values, else one that is built again, with weights as its class sets them."""
        tensors = (*self.module.parameters(), *self.module.buffers())
        if self.again is None or not any(tensor.is_meta for tensor in tensors):
            return self.module
        return self.again()


@dataclass(eq=False, slots=True)
class _Draft:
    """A node to be.  Inputs are drafts with the number of their output; `memory` is a draft, or -1."""

    op: Op
    inputs: list[tuple[_Draft, int]]
    input_shapes: Shapes
    outputs: tuple[Value, ...]
    parameters: dict[str, Parameter]
    memory: _Draft | int | None
    call: int
    origin: int
    released: int | None = None
    name: str = ""


@dataclass(slots=True)
class _Place:
    """Where a value comes from: an output of a draft, or, without one, parameters that were read on the way."""

    draft: _Draft | None
    port: int = 0
    parameters: tuple[Parameter, ...] = ()


def lower(
    recording: Recording,
    name: str,
    module: nn.Module,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    again: Callable[[], nn.Module] | None = None,
) -> Graph:
    """The graph of a recording; `name` is what it is called."""
    lowering = _Lowering(recording)
    inputs = [lowering.add_input(value) for value in recording.inputs]
    for operation in recording.operations:
        lowering.add(operation)
    ends = [lowering.end(value) for _, value in recording.outputs]
    _say_chosen_experts(lowering.drafts)
    drafts = [*inputs, *_needed(lowering.drafts, [draft for draft, _ in ends])]
    reserved = {call.path for call in recording.calls}
    for draft, value in zip(inputs, recording.inputs, strict=True):
        draft.name = _unused(value.name or "input", reserved)
        reserved.add(draft.name)
    classes = _name(drafts[len(inputs) :], recording, reserved)
    index = {id(draft): i for i, draft in enumerate(drafts)}
    paths = [call.path for call in recording.calls]
    order = [draft.origin for draft in drafts[len(inputs) :] if draft.origin >= 0]
    nodes = [
        Node.of_call(
            draft.name,
            draft.op,
            tuple([index[id(source)] for source, _ in draft.inputs]),
            draft.input_shapes,
            draft.outputs,
            parameters=draft.parameters,
            ports=tuple([port for _, port in draft.inputs]) if any(p for _, p in draft.inputs) else (),
            memory=index.get(id(draft.memory), -1) if draft.memory is not None else None,
            module=paths[draft.call] if draft.call >= 0 else "",
            # the last node that ran before the memory was let go of
            held=None if draft.released is None else len(inputs) + bisect_left(order, draft.released) - 1,
        )
        for draft in drafts
    ]
    outputs = tuple(index[id(draft)] for draft, _ in ends)
    structure = structured(nodes, len(inputs), classes, outputs)
    structure = Scope(structure.name, structure.items, BlockUse(recording.paths[""], {}))
    nodes += _holders(nodes, lowering.parameters, {node.name for node in nodes} | reserved)
    ports = tuple(port for _, port in ends)
    return Graph(
        name,
        tuple(nodes),
        structure,
        outputs,
        metadata=_metadata(recording, module),
        inputs=len(inputs),
        source=ModuleSource(
            module,
            tuple(args),
            dict(kwargs),
            recording,
            tuple([draft.origin for draft in drafts] + [-1] * (len(nodes) - len(drafts))),
            again,
        ),
        output_names=tuple(name for name, _ in recording.outputs),
        output_ports=ports if any(ports) else (),
    )


def _say_chosen_experts(drafts: Sequence[_Draft]) -> None:
    """Tell the layers of mixtures of experts how many experts a token uses: as many as the router before them takes.

    These are grouped products, and what looks up a part for each expert (biases) in the same call of a module.
    """
    for draft in drafts:
        if draft.op.type != "grouped_mm" or not isinstance(draft.op, TensorOp):
            continue
        count, router = draft.op.details["experts"], _router(draft)
        if router is None:
            continue
        for beside in drafts:
            op = beside.op
            shares = beside is draft or (
                beside.call == draft.call
                and op.type == "index"
                and any(p.shape[:1] == (count,) for p in beside.parameters.values())
            )
            if shares and isinstance(op, TensorOp) and "top_k" not in op.details:
                beside.op = replace(op, details={**op.details, "experts": count, "top_k": router})


def _router(draft: _Draft) -> int | None:
    """How many the nearest top-k before a draft takes."""
    seen, waiting = {id(draft)}, deque([draft])
    while waiting:
        current = waiting.popleft()
        if current.op.type == "topk" and isinstance(current.op, TensorOp):
            return current.op.results[0][-1]
        for source, _ in current.inputs:
            if id(source) not in seen:
                seen.add(id(source))
                waiting.append(source)
    return None


def _metadata(recording: Recording, module: nn.Module) -> dict[str, Any]:
    found: dict[str, Any] = {}
    attention = attention_layers(module)
    if attention:
        found["attention"] = attention
    if recording.error is not None:
        found["partial"] = _summary(recording.error)
    if recording.others:
        found["other_outputs"] = [f"{name}: {kind}" if name else kind for name, kind in recording.others]
    return found


def _summary(error: ArchinspectError) -> str:
    return error.diagnostics[0].message


class _Lowering:
    """The drafts of a recording, in order, and where each value is among them."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self.drafts: list[_Draft] = []
        self.parameters: dict[int, Parameter] = {
            id(own.tensor): _parameter(own) for own in recording.owned if own.kind != "constant"
        }
        self._by_name = {name: p for p in self.parameters.values() for name in p.names}
        self._places: dict[int, _Place] = {}
        self._ops: dict[Any, tuple[str, Op] | None] = {}
        self._values: dict[tuple[Any, ...], Value] = {}

    def add_input(self, value: ExternalValue) -> _Draft:
        shape = value.spec.shape
        draft = _Draft(Input(shape), [], (), (self._value(value),), {}, None, -1, -1)
        self._places[id(value)] = _Place(draft)
        return draft

    def add(self, operation: Operation) -> None:
        reads = [self._place(value) for value in operation.reads]
        first = operation.outputs[0] if operation.outputs else None
        if operation.facts.type in PASSING and first is not None:
            source = operation.reads[0] if operation.reads else None
            if source is not None and first.root is source.root and first.spec is source.spec:
                self._places[id(first)] = reads[0]
                return
        if not operation.live & INPUT:
            op = tensor_op_of(operation) if operation.live else None
            cost = op.work if op is not None else _products_alone(operation)
            computes = cost is None or cost.macs > 0 or (operation.live and cost.flops > 0)
            if not computes:
                carried = tuple(dict.fromkeys([p for place in reads for p in place.parameters]))
                for value in _made(operation):
                    self._places[id(value)] = _Place(None, 0, carried)
                return
        draft = self._draft(operation, reads)
        draft.released = _released(_made(operation))
        self.drafts.append(draft)
        for port, value in enumerate(_made(operation)):
            self._places[id(value)] = _Place(draft, port)

    def _draft(self, operation: Operation, reads: list[_Place]) -> _Draft:
        made = _made(operation)
        outputs = tuple([self._value(value) for value in made])
        memory = self._memory(operation, made)
        layer = self._layer(operation, reads)
        if layer is not None:
            op, inputs, parameters = layer
            sources = [self._source(self._current(operation, value)) for value in inputs]
            shapes = tuple([value.spec.shape for value in inputs])
            return _Draft(op, sources, shapes, outputs, parameters, memory, operation.call, operation.index)
        sources, shapes_read = [], []
        parameters = {}
        for value, place in zip(operation.reads, reads, strict=True):
            if place.draft is not None:
                sources.append((place.draft, place.port))
                shapes_read.append(value.spec.shape)
            for parameter in place.parameters:
                if parameter not in parameters.values():
                    parameters[_short(parameter, parameters)] = parameter
        op = self._tensor_op(operation)
        return _Draft(
            op, sources, tuple(shapes_read), outputs, parameters, memory, operation.call, operation.index
        )

    def _tensor_op(self, operation: Operation) -> Op:
        """The operation as a tensor op; equal ones are one object, whose figures are then worked out once."""
        op = tensor_op_of(operation)
        key = op.type, op.operands, op.results, tuple(op.details.items()), op.work, op.copied
        try:
            found = self._ops.setdefault(key, (op.type, op))
        except TypeError:
            return op
        assert found is not None
        return found[1]

    def _layer(
        self, operation: Operation, reads: list[_Place]
    ) -> tuple[Op, tuple[TensorValue, ...], dict[str, Parameter]] | None:
        if len(operation.outputs) < 1 or operation.outputs[0] is None:
            return None
        candidate = layer_of(operation)
        if candidate is None:
            return None
        inputs, output = candidate.inputs, operation.outputs[0].spec.shape
        if any(self._place(self._current(operation, value)).draft is None for value in inputs):
            return None
        parameters: dict[str, Parameter] = {}
        for name, value in candidate.weights.items():
            current = self._current(operation, value)
            parameter = self._own(current)
            if parameter is None:
                return None
            parameters[name] = parameter
        learnt = {name: p.shape for name, p in parameters.items() if not p.buffer}
        shapes = tuple([value.spec.shape for value in inputs])
        key = candidate.type, tuple(candidate.attributes.items()), shapes, output, tuple(learnt.items())
        if key not in self._ops:
            op = made_layer(candidate, shapes, output, learnt)
            self._ops[key] = (candidate.type, op) if op is not None else None
        found = self._ops[key]
        if found is None:
            return None
        if "running_mean" in parameters:
            # A counter that batch normalisation keeps, and evaluation does not read.
            counter = parameters["running_mean"].name.removesuffix("running_mean") + "num_batches_tracked"
            if counter in self._by_name:
                parameters["num_batches_tracked"] = self._by_name[counter]
        return found[1], inputs, parameters

    def _current(self, operation: Operation, value: TensorValue) -> TensorValue:
        """What an argument held when the operation ran."""
        if value.root.writes is None:
            return value
        everything = (*operation.args, *operation.kwargs.values())
        for given, read in zip(tensor_values(everything), operation.reads, strict=True):
            if given is value:
                return read
        return value

    def _own(self, value: TensorValue) -> Parameter | None:
        if isinstance(value, ExternalValue) and value.kind in ("parameter", "buffer"):
            return self.parameters.get(id(value.tensor))
        return None

    def _source(self, value: TensorValue) -> tuple[_Draft, int]:
        place = self._place(value)
        assert place.draft is not None
        return place.draft, place.port

    def _place(self, value: TensorValue) -> _Place:
        place = self._places.get(id(value))
        if place is None:
            own = self._own(value)
            place = self._places[id(value)] = _Place(None, 0, () if own is None else (own,))
        return place

    def _memory(self, operation: Operation, made: Sequence[TensorValue]) -> _Draft | int | None:
        """The draft in whose memory the outputs lie, where it is not their own."""
        first = made[0] if made else None
        if first is None or first.root is first:
            return None
        place = self._place(first.root)
        return -1 if place.draft is None else place.draft

    def _value(self, value: TensorValue) -> Value:
        key = value.spec.shape, value.spec.dtype
        found = self._values.get(key)
        if found is None:
            found = self._values[key] = Value(value.spec.shape, str(value.spec.dtype)[6:])
        return found

    def end(self, value: TensorValue) -> tuple[_Draft, int]:
        """Where an output of the network is; one that is a weight or a constant gets a draft of its own."""
        place = self._place(value)
        if place.draft is None:
            parameters: dict[str, Parameter] = {}
            for parameter in place.parameters:
                parameters[_short(parameter, parameters)] = parameter
            shape = value.spec.shape
            kind = "parameter" if parameters else "constant"
            op = TensorOp(kind, "shape", (), (shape,))
            draft = _Draft(op, [], (), (self._value(value),), parameters, -1, -1, -1)
            self.drafts.append(draft)
            place = self._places[id(value)] = _Place(draft)
        assert place.draft is not None
        return place.draft, place.port


def _made(operation: Operation) -> list[TensorValue]:
    return [value for value in (*operation.outputs, *operation.written) if value is not None]


def _released(made: Sequence[TensorValue]) -> int | None:
    """When the module let go of the memory that an operation made; None if it kept some, or nobody looked."""
    times = [value.released for value in made if value.root is value]
    known = [time for time in times if time is not None]
    return max(known) if known and len(known) == len(times) else None


def _products_alone(operation: Operation) -> Any:
    """The cost of what constants alone go into, of which only products are told."""
    op = tensor_op_of(operation)
    from ...ops import Cost

    return op.work if op.work is not None and op.work.macs else Cost()


def _parameter(own: OwnTensor) -> Parameter:
    tensor, buffer = own.tensor, own.kind == "buffer"
    dtype = str(tensor.dtype)[6:]
    return Parameter(own.names, tuple(tensor.shape), dtype, bool(tensor.requires_grad) and not buffer, buffer)


def _short(parameter: Parameter, taken: Mapping[str, Any]) -> str:
    last = parameter.name.rpartition(".")[2]
    return parameter.name if last in taken else last


def _needed(drafts: list[_Draft], ends: list[_Draft]) -> list[_Draft]:
    """The drafts without those that cost nothing and that nobody reads."""
    read = {id(draft) for draft in ends}
    kept = []
    for draft in reversed(drafts):
        free = isinstance(draft.op, TensorOp) and draft.op.work is not None and not draft.op.work.flops
        if id(draft) in read or not free or draft.parameters:
            kept.append(draft)
            read.update([id(source) for source, _ in draft.inputs])
    return kept[::-1]


# Names.


def _name(drafts: list[_Draft], recording: Recording, reserved: set[str]) -> dict[str, str]:
    """Name the drafts after the modules that made them; gives the class of each scope.

    The call of a module in which one operation ran is that operation.
    """
    calls = recording.calls
    names = call_names(calls)
    classes = dict(recording.paths)
    classes.update({name: call.kind for name, call in zip(names, calls, strict=True)})
    inside: dict[int, int] = {}
    for draft in drafts:
        inside[draft.call] = inside.get(draft.call, 0) + 1
    used = {*reserved, *names}
    for draft in drafts:
        scope = names[draft.call] if draft.call >= 0 else ""
        if scope and inside[draft.call] == 1 and not calls[draft.call].children:
            draft.name = scope
            continue
        base = draft.op.type.strip("_")
        draft.name = _unused(f"{scope}.{base}" if scope else base, used)
        used.add(draft.name)
    return classes


def call_names(calls: Sequence[ModuleCall]) -> list[str]:
    """What scopes are called: by the path of the module, with the number of the call from the second on."""
    names: list[str] = []
    times: dict[str, int] = {}
    for call in calls:
        parent = calls[call.parent].path if call.parent >= 0 else ""
        name = call.path
        prefix = f"{parent}." if parent else ""
        if call.parent >= 0 and name.startswith(prefix):
            name = f"{names[call.parent]}.{name[len(prefix) :]}" if names[call.parent] else name
        times[name] = times.get(name, 0) + 1
        if times[name] > 1 and name:
            name = f"{name}#{times[name]}"
        names.append(name)
    return names


def _unused(name: str, used: set[str]) -> str:
    if name not in used:
        return name
    number = 1
    while f"{name}_{number}" in used:
        number += 1
    return f"{name}_{number}"


def _holders(nodes: Sequence[Node], parameters: Mapping[int, Parameter], used: set[str]) -> list[Node]:
    """Nodes for parameters that no call reads, one for each module that owns some."""
    read = {id(parameter) for node in nodes for parameter in (node.parameters or {}).values()}
    unread: dict[str, dict[str, Parameter]] = {}
    for parameter in parameters.values():
        if id(parameter) not in read:
            owner, _, name = parameter.name.rpartition(".")
            unread.setdefault(owner, {})[name] = parameter
    holders = []
    for owner, held in unread.items():
        name = (
            owner
            if owner and owner not in used
            else _unused(f"{owner}.parameters" if owner else "parameters", used)
        )
        used.add(name)
        op = TensorOp("parameters", "parameters", (), ())
        holders.append(Node.of_call(name, op, (), (), (), parameters=held, module=owner))
    return holders
