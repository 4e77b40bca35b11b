"""Branches, loops, sequences and constants: nodes that a walk does not leave to their schemas.

Each rule gives the outputs of a node, or None where it is to be taken like any other.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import GraphProto, NodeProto, TensorProto, TypeProto, helper

from .read import broken
from .values import (
    Call,
    Frame,
    Names,
    Step,
    Tensor,
    called,
    captured,
    constant_of,
    sequence_of,
    tensor_of,
    type_of,
)

if TYPE_CHECKING:
    from .walk import Walk

#: nodes that a loop may unroll to, and parts of a sequence
_MOST_UNROLLED = 20_000

_Outputs = list[Tensor] | None


def _constant(walk: Walk, step: Step) -> _Outputs:
    for name, attribute in step.attributes.items():
        if name == "value":
            tensor = walk.store(attribute.t, initializer=False)
            tensor.stored[0].name = tensor.stored[0].name or step.node.output[0]
            return [tensor]
        if name == "sparse_value":
            return [walk.store_sparse(attribute.sparse_tensor, initializer=False)]
        if name in ("value_float", "value_floats"):
            return [constant_of(np.asarray(helper.get_attribute_value(attribute), np.float32))]
        if name in ("value_int", "value_ints"):
            return [constant_of(np.asarray(helper.get_attribute_value(attribute), np.int64))]
        if name in ("value_string", "value_strings"):
            count = (len(attribute.strings),) if name.endswith("s") else ()
            return [tensor_of(type_of(TensorProto.STRING, count))]
    raise broken(walk.name, f"the constant '{called(step.node)}' has no value")


def _identity(walk: Walk, step: Step) -> _Outputs:
    first = step.inputs[0] if step.inputs else None
    return None if first is None else [first]


def _if(walk: Walk, step: Step) -> _Outputs:
    """The branch whose condition is known to hold; else one call for both."""
    then, other = step.graph("then_branch"), step.graph("else_branch")
    if not step.inputs or then is None or other is None:
        raise broken(walk.name, f"'{called(step.node)}' lacks a condition or a branch")
    condition = step.value(0)
    if condition is not None and condition.size == 1:
        return walk.graph(then if condition.item() else other, ChainMap({}, step.names), step.frame.inside)
    begin = len(walk.stored)
    ends = [_aside(walk, branch, ChainMap({}, step.names), step.frame.inside) for branch in (then, other)]
    return _unfolded(walk, step, ends, begin)


def _loop(walk: Walk, step: Step) -> _Outputs:
    """A loop whose number of turns is known is unrolled; another one is one call whose cost is not known."""
    body = step.graph("body")
    if body is None or len(step.inputs) < 2:
        raise broken(walk.name, f"'{called(step.node)}' has no body, or no condition")
    turns, condition = step.value(0), step.value(1)
    if turns is not None and turns.size == 1 and (step.inputs[1] is None or condition is not None):
        going = condition is None or bool(condition.all())
        unrolled = _unrolled(walk, step, body, int(turns.item()) if going else 0)
        if unrolled is not None:
            return unrolled
    begin = len(walk.stored)
    start = [tensor_of(type_of(kind, ())) for kind in (TensorProto.INT64, TensorProto.BOOL)]
    local: Names = {
        info.name: Tensor(tensor.proto, tensor.dims, items=tensor.items)
        for info, tensor in zip(body.input, [*start, *step.inputs[2:]], strict=False)
        if tensor is not None
    }
    ends = _aside(walk, body, ChainMap(local, step.names), step.frame.inside)
    after = len(step.inputs) - 1
    return _unfolded(walk, step, [[*ends[1:after], *[_stacked(end, None) for end in ends[after:]]]], begin)


def _unrolled(walk: Walk, step: Step, body: GraphProto, turns: int) -> _Outputs:
    """The results of a loop, turn by turn; None where the turns depend on values, or are very many."""
    if turns * max(1, len(body.node)) > _MOST_UNROLLED:
        return None
    calls, stored = len(walk.calls), len(walk.stored)
    carried: Sequence[Tensor | None] = step.inputs[2:]
    after = 1 + len(carried)
    collected: list[list[Tensor]] = [[] for _ in range(len(body.output) - after)]
    for turn in range(turns):
        start = [constant_of(np.asarray(turn, np.int64)), constant_of(np.asarray(True))]
        local: Names = {
            info.name: tensor
            for info, tensor in zip(body.input, [*start, *carried], strict=False)
            if tensor is not None
        }
        ends = walk.graph(body, ChainMap(local, step.names), step.frame.inside)
        goes_on = ends[0].value
        if goes_on is None:
            del walk.calls[calls:], walk.stored[stored:]
            return None
        carried = ends[1:after]
        for found, end in zip(collected, ends[after:], strict=True):
            found.append(end)
        if not goes_on.all():
            break
    results = [tensor for tensor in carried if tensor is not None]
    if len(results) < len(carried) or not all(collected):
        return None
    name = step.node.name
    return [*results, *[_joined(walk, step.frame, found, 0, name, new=True) for found in collected]]


def _scan(walk: Walk, step: Step) -> _Outputs:
    """A scan as one call whose cost is not known."""
    body = step.graph("body")
    if body is None or step.frame.version < 9:
        return None
    scanned = step.int("num_scan_inputs", 0)
    states = len(step.inputs) - scanned
    given = step.attributes.get("scan_input_axes")
    axes = [0] * scanned if given is None else list(given.ints)
    local: Names = {}
    count: int | None = None
    for index, (info, tensor) in enumerate(zip(body.input, step.inputs, strict=False)):
        if tensor is None or tensor.dims is None:
            continue
        dims = tensor.dims
        if index >= states and dims and index - states < len(axes):
            axis = axes[index - states] % len(dims)
            count = dims[axis]
            dims = dims[:axis] + dims[axis + 1 :]
        local[info.name] = tensor_of(type_of(tensor.proto.tensor_type.elem_type, dims))
    begin = len(walk.stored)
    ends = _aside(walk, body, ChainMap(local, step.names), step.frame.inside)
    return _unfolded(walk, step, [[*ends[:states], *[_stacked(end, count) for end in ends[states:]]]], begin)


def _aside(walk: Walk, graph: GraphProto, names: Names, frame: Frame) -> list[Tensor]:
    """The outputs of a graph that may or may not run, without keeping its calls."""
    kept = walk.calls
    walk.calls = []
    try:
        return walk.graph(graph, names, frame)
    finally:
        walk.calls = kept


def _unfolded(walk: Walk, step: Step, ends: Sequence[Sequence[Tensor]], begin: int) -> list[Tensor]:
    """One call for all that a branch or loop does.

    It reads what its graphs read from outside, and the tensors that they store (those from `begin` on).
    """
    outer = [step.names[name] for name in captured(step.node) if name in step.names]
    inside = [
        Tensor(type_of(entry.type, entry.shape), entry.shape, stored=(entry,))
        for entry in walk.stored[begin:]
        if entry.initializer
    ]
    outputs = []
    for index in range(len(step.node.output)):
        dims, proto = _agreed([end[index] for end in ends if index < len(end)])
        outputs.append(tensor_of(proto if dims is None else type_of(proto.tensor_type.elem_type, dims)))
    call = Call(step.node, step.frame, {}, [*step.inputs, *outer, *inside])
    walk.note(call, outputs)
    return outputs


def _sequence(walk: Walk, step: Step) -> _Outputs:
    """Sequences whose elements are known are lists; other ones are left to the schema."""
    op = step.node.op_type
    given = [tensor for tensor in step.inputs if tensor is not None]
    if op in ("SequenceConstruct", "SequenceEmpty"):
        return [sequence_of(given)]
    if op == "SplitToSequence":
        return _split(walk, step) if given else None
    items = given[0].items if given else None
    if items is None:
        return None
    if op == "SequenceLength":
        return [constant_of(np.asarray(len(items), np.int64))]
    if op == "ConcatFromSequence":
        if not items or "axis" not in step.attributes:
            raise broken(walk.name, f"'{called(step.node)}' joins nothing, or along no axis")
        new = bool(step.int("new_axis", 0))
        return [_joined(walk, step.frame, items, step.int("axis", 0), step.node.name, new=new)]
    place = step.value(2 if op == "SequenceInsert" else 1)
    if place is None and len(given) > (2 if op == "SequenceInsert" else 1):
        return None  # a place that depends on values
    index = len(items) if place is None else int(place.ravel()[0])
    if op == "SequenceAt" and -len(items) <= index < len(items):
        return [items[index]]
    if op == "SequenceInsert" and len(given) > 1:
        return [sequence_of((*items[:index], given[1], *items[index:]))]
    if op == "SequenceErase" and items:
        index = len(items) - 1 if place is None else index % len(items)
        return [sequence_of(items[:index] + items[index + 1 :])]
    return None


def _joined(walk: Walk, frame: Frame, items: Sequence[Tensor], axis: int, name: str, *, new: bool) -> Tensor:
    """The tensors one after another, along a new axis or one that they have."""
    names: Names = {f"{index}": item for index, item in enumerate(items)}
    parts = list(names)
    nodes: list[NodeProto] = []
    if new:
        nodes, parts = _along(frame, names, "Unsqueeze", parts, axis, name)
    nodes.append(helper.make_node("Concat", parts, ["joined"], name, axis=axis))
    walk.nodes(nodes, names, frame)
    return names["joined"]


def _split(walk: Walk, step: Step) -> _Outputs:
    """A tensor as the sequence of its parts, where their sizes are known."""
    tensor, axis = step.inputs[0], step.int("axis", 0)
    if tensor is None or not tensor.known or not -len(tensor.shape) <= axis < len(tensor.shape):
        return None
    size, asked = tensor.shape[axis], step.value(1)
    whole = len(step.inputs) < 2 or step.inputs[1] is None
    if size > _MOST_UNROLLED or (asked is None and not whole):
        return None
    if asked is None:
        sizes = [1] * size
    elif asked.ndim:
        sizes = [int(part) for part in asked]
    else:
        part = max(1, int(asked.item()))
        sizes = [min(part, size - start) for start in range(0, size, part)]
    old = step.frame.version < 13
    names: Names = {"whole": tensor, "sizes": constant_of(np.asarray(sizes, np.int64))}
    parts = [f"{index}" for index in range(len(sizes))]
    options: dict[str, Any] = {"split": sizes} if old else {}
    inputs = ["whole"] if old else ["whole", "sizes"]
    nodes = [helper.make_node("Split", inputs, parts, step.node.name, axis=axis, **options)]
    if whole and not step.int("keepdims", 1):
        more, parts = _along(step.frame, names, "Squeeze", parts, axis, step.node.name)
        nodes += more
    walk.nodes(nodes, names, step.frame)
    return [sequence_of([names[part] for part in parts])]


def _along(
    frame: Frame, names: Names, op: str, parts: Sequence[str], axis: int, name: str
) -> tuple[list[NodeProto], list[str]]:
    """A `Squeeze` or `Unsqueeze` of each part along one axis: the nodes, and what they are called then."""
    old = frame.version < 13
    names["axes"] = constant_of(np.asarray([axis], np.int64))
    inputs = [] if old else ["axes"]
    options: dict[str, Any] = {"axes": [axis]} if old else {}
    made = [f"{part}'" for part in parts]
    nodes = [
        helper.make_node(op, [part, *inputs], [new], f"{name}/{op}", **options)
        for part, new in zip(parts, made, strict=True)
    ]
    return nodes, made


def _stacked(tensor: Tensor, count: int | None) -> Tensor:
    """The results of all turns of a loop, one after another."""
    if tensor.dims is None:
        return tensor
    return tensor_of(type_of(tensor.proto.tensor_type.elem_type, (count, *tensor.dims)))


def _agreed(ends: Sequence[Tensor]) -> tuple[tuple[int | None, ...] | None, TypeProto]:
    """The sizes that all branches agree on."""
    first = ends[0] if ends else Tensor(TypeProto(), None)
    dims = first.dims
    for end in ends[1:]:
        if dims is None or end.dims is None or len(end.dims) != len(dims):
            return None, TypeProto()
        dims = tuple([a if a == b else None for a, b in zip(dims, end.dims, strict=True)])
    return dims, first.proto


#: by operator
RULES: dict[str, Callable[[Walk, Step], _Outputs]] = {
    "Constant": _constant,
    "Identity": _identity,
    "If": _if,
    "Loop": _loop,
    "Scan": _scan,
    **dict.fromkeys(("SequenceConstruct", "SequenceEmpty", "SequenceAt", "SequenceInsert"), _sequence),
    **dict.fromkeys(("SequenceErase", "SequenceLength", "ConcatFromSequence", "SplitToSequence"), _sequence),
}
