"""Runs a recording on real tensors, operation by operation, beside the module that it was made from.

If both give the same outputs, bit for bit, the recording is the module's computation: nothing is missing in it and
nothing was taken for another thing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from math import inf
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from ...errors import fail
from ...graph import Graph
from .capture import ModuleState, Recording, named_tensors, real_input, tensors_of
from .lower import PASSING, ModuleSource
from .recorder import CPU, META, ExternalValue, Facts, Operation, TensorValue, random_like, tensor_values

__all__ = ["Replay", "replay"]

Arguments = tuple[tuple[Any, ...], dict[str, Any]]


@dataclass(frozen=True)
class Replay:
    """How the outputs of a recording differ from the module's.

    `difference` is the largest absolute one, infinity where shapes or types differ.  `node` names the first call whose
    result differs, `reason` says what else went wrong.
    """

    equal: bool
    outputs: int
    difference: float = 0.0
    node: str = ""
    reason: str = ""


def replay(graph: Graph, seed: int = 0) -> Replay:
    """Run the module of a captured graph and its recording on the same real inputs, in evaluation mode.

    Weights are the module's own; small random ones where it has none (on meta).  The module is left as it was.  Raises
    ArchinspectError (A403) for a graph that was not captured from a module, or only in part.
    """
    source = graph.source
    if not isinstance(source, ModuleSource):
        raise fail("A403", f"'{graph.name}' was not captured from a module", help="leave it to modules")
    recording = source.recording
    if recording.error is not None:
        raise fail("A403", f"'{graph.name}' was captured in part", help="leave --partial out")
    change = real_input(source.module)

    def inputs() -> Arguments:
        args, kwargs = tensors_of((tuple(source.args), dict(source.kwargs)), change)
        return args, kwargs

    with _with_values(source.module, recording) as owned:
        expected = _run_module(source.module, inputs(), seed)
        try:
            found = _Run(recording, owned, inputs(), seed).outputs()
        except (RuntimeError, TypeError, ValueError, IndexError, KeyError, AssertionError) as error:
            first = str(error).partition("\n")[0]
            return Replay(False, len(expected), inf, "", f"{type(error).__name__}: {first}")
        if len(expected) != len(found):
            return Replay(False, len(expected), inf, "", f"{len(found)} outputs, not {len(expected)}")
        difference = max([_difference(a, b) for a, b in zip(expected, found, strict=True)], default=0.0)
        if difference == 0:
            return Replay(True, len(expected))
        at = _first_difference(source.module, recording, owned, inputs, seed)
    names = {origin: node.name for node, origin in zip(graph.nodes, source.origins, strict=True)}
    return Replay(False, len(expected), difference, "" if at is None else names.get(at, ""))


@contextmanager
def _with_values(module: nn.Module, recording: Recording) -> Iterator[Mapping[int, Tensor]]:
    """The module with random values in the place of tensors on meta; gives the values by the tensors' ids."""
    state = ModuleState(module)
    fast_path = torch.backends.mha.get_fastpath_enabled()
    try:
        torch.backends.mha.set_fastpath_enabled(False)
        values = {}
        for own in recording.owned:
            value = own.tensor
            if value.device == META:
                value = random_like(value, own.names[0])
                if own.kind == "parameter":
                    value = nn.Parameter(value, requires_grad=False)
                for path in own.names:
                    owner, _, name = path.rpartition(".")
                    holder = module.get_submodule(owner).__dict__
                    place = {"parameter": "_parameters", "buffer": "_buffers"}.get(own.kind)
                    (holder if place is None else holder[place])[name] = value
            values[id(own.tensor)] = value
        yield values
    finally:
        state.restore()
        torch.backends.mha.set_fastpath_enabled(fast_path)


def _run_module(module: nn.Module, inputs: Arguments, seed: int) -> list[Tensor]:
    """The module's outputs; what it writes to its tensors is taken back, so that the run beside it begins alike."""
    args, kwargs = inputs
    held = [(buffer, buffer.detach().clone()) for buffer in module.buffers()]
    torch.manual_seed(seed)
    try:
        with torch.inference_mode():
            return [tensor for _, tensor in named_tensors(module(*args, **kwargs))]
    finally:
        with torch.no_grad():
            for buffer, contents in held:
                if not torch.equal(buffer, contents):
                    buffer.detach().copy_(contents)


class _Run:
    """A recording at work: each value's tensor, from the operation that makes it to the last that reads it."""

    def __init__(
        self,
        recording: Recording,
        owned: Mapping[int, Tensor],
        inputs: Arguments,
        seed: int,
        watch: list[Any] | None = None,
    ) -> None:
        self._recording, self._owned, self._seed, self._watch = recording, owned, seed, watch
        given = _each_once(inputs)
        self._tensors = {
            id(value): tensor for value, tensor in zip(recording.inputs, given, strict=True)
        }  # by the value's id

    def outputs(self) -> list[Tensor]:
        last = self._last_reads()
        torch.manual_seed(self._seed)
        with torch.inference_mode():
            for operation in self._recording.operations:
                self._run(operation)
                for value in last.get(operation.index, ()):
                    self._tensors.pop(id(value), None)
            return [self._tensor(value) for _, value in self._recording.outputs]

    def _last_reads(self) -> dict[int, list[TensorValue]]:
        """By operation the values that nobody reads after it."""
        reader: dict[int, tuple[int, TensorValue]] = {}
        for operation in self._recording.operations:
            for value in tensor_values((*operation.args, *operation.kwargs.values())):
                reader[id(value)] = operation.index, value
        for _, value in self._recording.outputs:
            reader.pop(id(value), None)
        found: dict[int, list[TensorValue]] = {}
        for index, value in reader.values():
            # What is written to later may be read as the value that was written over it.
            if value.operation is not None and value.root.writes is None:
                found.setdefault(index, []).append(value)
        return found

    def _run(self, operation: Operation) -> None:
        if operation.function is None:  # what was written to parts is in the memory of the whole
            merged = operation.outputs[0]
            assert merged is not None
            self._tensors[id(merged)] = self._tensor(operation.args[0])
            return
        args = self._real(operation.args)
        kwargs = {name: self._real(value) for name, value in operation.kwargs.items()}
        if operation.facts.name == "_grouped_mm" and args[0].dtype == torch.float32:
            made: Any = _grouped_mm(*args, **kwargs)
        else:
            made = _run_kernel(operation.function, args, kwargs)
        results = made if isinstance(made, (tuple, list)) else (made,)
        for value, tensor in zip(operation.outputs, results, strict=False):
            if value is not None:
                self._tensors[id(value)] = tensor
        for value in operation.written:
            for given in tensor_values((*operation.args, *operation.kwargs.values())):
                if given.root is value.root and given.spec is value.spec and given.offset == value.offset:
                    self._tensors[id(value)] = self._tensor(given)
        if self._watch is not None:
            self._watch.append(_fingerprint(made))

    def _real(self, argument: Any) -> Any:
        if isinstance(argument, TensorValue):
            return self._tensor(argument)
        if type(argument) is tuple:
            return [self._real(a) for a in argument]
        return CPU if type(argument) is torch.device else argument

    def _tensor(self, value: TensorValue) -> Tensor:
        tensor = self._tensors.get(id(value))
        if tensor is None:
            assert isinstance(value, ExternalValue), f"nothing made {value}"
            tensor = self._owned.get(id(value.tensor), value.tensor)
            if tensor.device == META:
                tensor = random_like(tensor, value.name)
            if value.writes is not None:  # it is the user's
                tensor = tensor.detach().clone()
            self._tensors[id(value)] = tensor
        return tensor


def _each_once(inputs: Arguments) -> list[Tensor]:
    """The tensors of the arguments, in the order in which the recording declared them."""
    args, kwargs = inputs
    seen: dict[int, Tensor] = {}
    for value in (*args, *kwargs.values()):
        for _, tensor in named_tensors(value):
            seen.setdefault(id(tensor), tensor)
    return list(seen.values())


def _run_kernel(function: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """The operation's result; whole numbers go as floats where a kernel has none for them, as on another device."""
    try:
        return function(*args, **kwargs)
    except NotImplementedError:
        wide = [
            a.to(torch.float64) if isinstance(a, Tensor) and not a.dtype.is_floating_point else a
            for a in args
        ]
        dtypes = [a.dtype for a in args if isinstance(a, Tensor)]
        return function(*wide, **kwargs).to(dtypes[0])


def _grouped_mm(a: Tensor, b: Tensor, offs: Tensor, bias: Any = None, out_dtype: Any = None) -> Tensor:
    """Rows up to each offset times the matrix of their group; the kernel takes bfloat16 alone on some machines."""
    parts, begin = [], 0
    for matrix, end in zip(b, offs.tolist(), strict=True):
        parts.append(a[begin:end] @ matrix)
        begin = end
    return torch.cat([*parts, a.new_zeros(a.shape[0] - begin, b.shape[2])])


def _difference(a: Tensor, b: Tensor) -> float:
    """The largest absolute difference; two that are no numbers do not differ."""
    if a.shape != b.shape or a.dtype != b.dtype:
        return inf
    if a.numel() == 0 or torch.equal(a, b):
        return 0.0
    left, right = (t.to(torch.complex128 if t.is_complex() else torch.float64) for t in (a, b))
    apart = (left - right).abs()
    apart[(left == right) | (left.isnan() & right.isnan())] = 0
    return float(apart.nan_to_num(nan=inf).max())


# Where they part.


class _Watch(TorchDispatchMode):
    """Fingerprints of what each operation makes, at the same level as the recorder's."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.seen: list[Any] = []
        self._facts: dict[Any, Facts] = {}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        made = func(*args, **(kwargs or {}))
        facts = self._facts.get(func)
        if facts is None:
            facts = self._facts[func] = Facts(func)
        if not facts.bookkeeping:
            self.seen.append((facts.type, _fingerprint(made)))
        return made


def _fingerprint(made: Any) -> Any:
    if isinstance(made, Tensor):
        if made.layout is not torch.strided:
            return tuple(made.shape)
        wide = made.to(torch.complex128 if made.is_complex() else torch.float64)
        return tuple(made.shape), str(wide.sum().item()), str(wide.abs().sum().item())
    return tuple(map(_fingerprint, made)) if isinstance(made, (tuple, list)) else None


def _first_difference(
    module: nn.Module, recording: Recording, owned: Mapping[int, Tensor], inputs: Any, seed: int
) -> int | None:
    """The index of the first operation that makes something else in the recording than in the module."""
    args, kwargs = inputs()
    torch.manual_seed(seed)
    with torch.inference_mode(), _Watch() as watch:
        module(*args, **kwargs)
    replayed: list[Any] = []
    _Run(recording, owned, inputs(), seed, replayed).outputs()
    real = [operation for operation in recording.operations if operation.function is not None]
    # Real kernels may lay tensors out otherwise than abstract ones, so that one of the two has more to do.
    pairs = zip(
        [seen for seen in watch.seen if seen[0] not in PASSING],
        [(op, made) for op, made in zip(real, replayed, strict=True) if op.facts.type not in PASSING],
        strict=False,
    )
    return next((op.index for (_, expected), (op, made) in pairs if expected != made), None)
