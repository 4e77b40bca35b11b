"""Executes a captured graph on real tensors, and holds its outputs against those of the module itself, bit for bit.

A node's operation gets what the graph's edges say, and every value stays what it was when it was made: an operation
that works in place works on a copy.  So a wrong edge, a write that a later read does not see, or a missing call shows.
The module is a replica with the weights of the original, small random ones in the place of those on the meta device.
"""

from __future__ import annotations

import ctypes
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_unflatten

from ...frontends.torch.capture import named_tensors, tensors_of
from ...frontends.torch.lower import PASSING, ModuleSource
from ...frontends.torch.recorder import Operation, TensorValue, random_like, tensor_values
from ...graph import Graph
from ..verification import Execution
from .replicas import replica_of

#: bytes of weights and buffers from which on a module is not run; it takes about twice as much memory
LIMIT = 4 << 30
_SEED = 20240229

# What executing what another program recorded can raise.
_FAILURES = (RuntimeError, ValueError, TypeError, IndexError, KeyError, AttributeError, NotImplementedError)


def execute(graph: Graph) -> Execution:
    """Run the graph and its module on the same random inputs, and compare their outputs."""
    with torch.random.fork_rng(devices=[]):  # the user's generator goes on where it was
        torch.manual_seed(_SEED)
        return _execute(graph)


def _execute(graph: Graph) -> Execution:
    source = graph.source
    assert isinstance(source, ModuleSource)
    size = sum(t.numel() * t.element_size() for t in (*source.module.parameters(), *source.module.buffers()))
    if size > LIMIT:
        return Execution(
            "not run", message=f"the weights take {size / 2**30:.1f} GiB; up to {LIMIT >> 30} are run"
        )
    run = _Run(graph, source)
    try:
        expected = run.module_outputs()
    except _FAILURES as error:
        return Execution("not run", message=f"the module itself fails on random inputs: {_first_line(error)}")
    try:
        found = run.graph_outputs()
    except _ImpossibleError as error:
        return Execution("not run", message=str(error))
    except _FAILURES as error:
        return Execution("differs", len(run.operations), where=run.where, message=_first_line(error))
    if len(found) == len(expected) and all(map(_same, found, expected)):
        return Execution("equal", len(run.operations), len(found))
    where, message = run.first_difference()
    return Execution("differs", len(run.operations), len(expected), where, message)


class _ImpossibleError(Exception):
    """The graph holds what cannot be executed call by call."""


class _Run:
    """A module with real weights, inputs for it, and the graph to execute."""

    def __init__(self, graph: Graph, source: ModuleSource) -> None:
        self.recording = source.recording
        self.operations = [
            operation for operation in self.recording.operations if operation.function is not None
        ]
        self.where = ""
        self._graph = graph
        self._nodes = {origin: at for at, origin in enumerate(source.origins) if origin >= 0}
        self._arguments = tensors_of((source.args, dict(source.kwargs)), _real_input)
        self._module: Callable[..., Any]
        if source.program is None:
            self._module, self._own = _real(source.module)
        else:
            self._module, self._own = _of_program(source.program(), source.stored)

    def module_outputs(self, observer: TorchDispatchMode | None = None) -> list[Tensor]:
        args, kwargs = tensors_of(self._arguments, torch.clone)
        with _conditions(observer):
            out = self._module(*args, **kwargs)
        return [tensor for _, tensor in named_tensors(out)]

    def graph_outputs(self, note: Callable[[Operation, Any], None] | None = None) -> list[Tensor]:
        """The outputs by the graph's edges; `note` is told of each operation and what it made."""
        contents = self._externals()
        last = self._last_uses()
        with _conditions(None):
            for operation in self.recording.operations:
                self.where = self.name_of(operation)
                made = self._perform(operation, contents)
                if note is not None and operation.function is not None:
                    note(operation, made)
                for value in self._read(operation):
                    if last.get(id(value)) == operation.index:
                        contents.pop(id(value), None)
            return [contents[id(value)] for value in self._ends()]

    def name_of(self, operation: Operation) -> str:
        """The node that an operation is, or where it ran."""
        at = self._nodes.get(operation.index)
        if at is not None:
            return self._graph.nodes[at].name
        path = self.recording.calls[operation.call].path if operation.call >= 0 else ""
        return f"{path}.{operation.facts.type}" if path else operation.facts.type

    def first_difference(self) -> tuple[str, str]:
        """The first call whose result differs from what the module computes there, and by how much."""
        wanted = _Observer()
        self.module_outputs(wanted)
        found: list[tuple[Operation, str]] = []
        self.graph_outputs(lambda operation, made: found.append((operation, _digest(made))))
        # Real kernels may lay a tensor out otherwise than abstract ones do, so that one of the two copies it.
        theirs = [(at, *seen) for at, seen in enumerate(wanted.seen) if _bare(seen[0]) not in PASSING]
        ours = [(at, *seen) for at, seen in enumerate(found) if seen[0].facts.type not in PASSING]
        for at, (mine, operation, digest) in enumerate(ours):
            if at >= len(theirs) or theirs[at][1] != operation.function:
                runs = theirs[at][1] if at < len(theirs) else "nothing"
                return self.name_of(
                    operation
                ), f"the module runs {runs} where the graph has {operation.function}"
            if theirs[at][2] != digest:
                return self.name_of(operation), self._how_far(theirs[at][0], mine)
        return "", "every call gives the module's own result, and the outputs are others"

    def _how_far(self, theirs: int, ours: int) -> str:
        """By how much the results of two operations differ, given which of the module's and of ours they are."""
        kept: list[Any] = []
        observer = _Observer(keep=theirs)
        self.module_outputs(observer)
        pending = iter(range(len(self.operations)))

        def keep(operation: Operation, made: Any) -> None:
            if next(pending) == ours:
                kept.append(made)

        self.graph_outputs(keep)
        pairs = zip(_tensors(observer.kept), _tensors(kept), strict=False)
        for wanted, found in pairs:
            if wanted.shape != found.shape or wanted.dtype != found.dtype:
                return f"its result is {_look(found)}, and the module's is {_look(wanted)}"
            if not _same(wanted, found):
                distance = (wanted.to(torch.float64) - found.to(torch.float64)).abs().max()
                return f"its result differs from the module's by up to {float(distance):.3g}"
        return "its result differs from the module's"

    # Values.

    def _externals(self) -> dict[int, Tensor]:
        contents: dict[int, Tensor] = {}
        inputs = [tensor for part in self._arguments for _, tensor in named_tensors(part)]
        distinct = list({id(tensor): tensor for tensor in inputs}.values())
        for value, tensor in zip(self.recording.inputs, distinct, strict=True):
            contents[id(value)] = tensor
        for value in self.recording.externals:
            if value.kind in ("parameter", "buffer") or id(value.tensor) in self._own:
                contents[id(value)] = self._own[id(value.tensor)]
            elif value.kind == "constant":
                if value.tensor.device.type == "meta" and value.tensor.numel():
                    raise _ImpossibleError(
                        "a constant of the module has no value: it was made on the meta device"
                    )
                empty = value.tensor.device.type == "meta"
                contents[id(value)] = (
                    torch.empty_like(value.tensor, device="cpu") if empty else value.tensor.cpu()
                )
        return contents

    def _read(self, operation: Operation) -> list[TensorValue]:
        """What an operation reads: of what nodes made, the value that the graph's edges lead to."""
        at = self._nodes.get(operation.index)
        if at is None:
            return list(operation.reads)
        node = self._graph.nodes[at]
        ports = node.ports or (0,) * len(node.inputs)
        edges = [self._along(*edge) for edge in zip(node.inputs, ports, strict=True)]
        if len(edges) != sum(map(self._from_node, operation.reads)):
            raise ValueError("the node has other inputs than its operation reads")
        pending = iter(edges)
        return [next(pending) if self._from_node(value) else value for value in operation.reads]

    def _along(self, node: int, port: int) -> TensorValue:
        if node < self._graph.inputs:
            return self.recording.inputs[node]
        return _made(self.recording.operations[self._origin(node)])[port]

    def _origin(self, node: int) -> int:
        source = self._graph.source
        assert isinstance(source, ModuleSource)
        return source.origins[node]

    def _from_node(self, value: TensorValue) -> bool:
        operation = value.operation
        if operation is None:
            return getattr(value, "kind", "") == "input"
        if operation.index in self._nodes:
            return True
        # What hands its input on is no node: the edge leads to where the input came from.
        if operation.facts.type not in PASSING or not operation.reads or value is not operation.outputs[0]:
            return False
        source = operation.reads[0]
        return value.root is source.root and value.spec is source.spec and self._from_node(source)

    def _last_uses(self) -> dict[int, int]:
        last: dict[int, int] = {}
        for operation in self.recording.operations:
            for value in self._read(operation):
                last[id(value)] = operation.index
        for value in self._ends():
            last.pop(id(value), None)
        return last

    def _ends(self) -> list[TensorValue]:
        """The outputs, as the graph leads to them."""
        ends = []
        ports = self._graph.output_ports or (0,) * len(self._graph.outputs)
        for (_, value), node, port in zip(self.recording.outputs, self._graph.outputs, ports, strict=True):
            ends.append(self._along(node, port) if self._from_node(value) else value)
        return ends

    # One operation.

    def _perform(self, operation: Operation, contents: dict[int, Tensor]) -> Any:
        reads = [contents[id(value)] for value in self._read(operation)]
        if operation.function is None:
            merged = _merge(operation, reads)
            contents[id(operation.outputs[0])] = merged
            return merged
        if not hasattr(operation.function, "_schema"):
            raise _ImpossibleError(f"{operation.facts.type} takes functions, and is not executed by itself")
        given = iter(reads)
        place: dict[int, Tensor] = {}
        names = operation.facts.names
        mutated = {names[at] for at in operation.facts.mutates}

        def fill(argument: Any, written: bool) -> Any:
            if isinstance(argument, TensorValue):
                tensor = next(given)
                if written:
                    tensor = tensor.clone()
                    place[id(argument)] = tensor
                return tensor
            if type(argument) is tuple:
                return [fill(part, written) for part in argument]
            return torch.device("cpu") if isinstance(argument, torch.device) else argument

        args = [fill(argument, names[at] in mutated) for at, argument in enumerate(operation.args)]
        kwargs = {name: fill(argument, name in mutated) for name, argument in operation.kwargs.items()}
        made = _computed(operation.function, args, kwargs)
        results = made if isinstance(made, (tuple, list)) else (made,)
        for value, result in zip(operation.outputs, results, strict=False):
            if value is not None:
                contents[id(value)] = result
        self._keep_writes(operation, place, contents)
        return made

    @staticmethod
    def _keep_writes(operation: Operation, place: dict[int, Tensor], contents: dict[int, Tensor]) -> None:
        """What was written to and not returned."""
        pending = iter(operation.written)
        for argument in tensor_values((*operation.args, *operation.kwargs.values())):
            returned = any(o is not None and o.root is argument.root for o in operation.outputs)
            if id(argument) in place and not returned:
                value = next(pending, None)
                if value is not None:
                    contents[id(value)] = place[id(argument)]


def _computed(function: Callable[..., Any], args: list[Any], kwargs: dict[str, Any]) -> Any:
    """An operation's result; where the CPU has no kernel for the types that a capture on meta met, that of others.

    Whole numbers go as floats, and products by expert one by one, as the module itself does them on a CPU.
    """
    if _bare(function) == "_grouped_mm" and args[0].dtype == torch.float32:
        return _products_by_expert(*args, **kwargs)
    try:
        return function(*args, **kwargs)
    except NotImplementedError:
        whole = [a for a in args if isinstance(a, Tensor) and not a.dtype.is_floating_point]
        if not whole:
            raise
        wide = [
            a.to(torch.float64) if isinstance(a, Tensor) and not a.dtype.is_floating_point else a
            for a in args
        ]
        return function(*wide, **kwargs).to(whole[0].dtype)


def _products_by_expert(
    rows: Tensor, matrices: Tensor, ends: Tensor, bias: Any = None, out_dtype: Any = None
) -> Tensor:
    parts, begin = [], 0
    for matrix, end in zip(matrices, ends.tolist(), strict=True):
        parts.append(rows[begin:end] @ matrix)
        begin = end
    return torch.cat([*parts, rows.new_zeros(rows.shape[0] - begin, matrices.shape[2])])


def _made(operation: Operation) -> list[TensorValue]:
    return [value for value in (*operation.outputs, *operation.written) if value is not None]


def _merge(operation: Operation, reads: Sequence[Tensor]) -> Tensor:
    """A tensor with what was written to parts of its memory."""
    values = operation.reads
    start = min(value.offset for value in values)
    end = max(value.offset + _extent(value) for value in values)
    memory = torch.empty(end - start + 1, dtype=reads[0].dtype)
    for value, content in zip(values, reads, strict=True):
        assert value.spec.stride is not None
        memory.as_strided(value.spec.shape, value.spec.stride, value.offset - start).copy_(content)
    first = values[0].spec
    assert first.stride is not None
    return memory.as_strided(first.shape, first.stride, values[0].offset - start)


def _extent(value: TensorValue) -> int:
    assert value.spec.stride is not None
    return sum((size - 1) * stride for size, stride in zip(value.spec.shape, value.spec.stride, strict=True))


# The module, its weights and its inputs.


def _real(module: nn.Module) -> tuple[nn.Module, dict[int, Tensor]]:
    """A replica that can compute, and its tensors by the identity of the originals."""
    own: dict[int, Tensor] = {}

    def make(tensor: Tensor, name: str) -> Tensor:
        if tensor.device.type == "meta":
            made = random_like(tensor, name)
        else:  # a buffer may be written to
            made = tensor.detach().to("cpu", copy=not isinstance(tensor, nn.Parameter))
        own[id(tensor)] = made
        return made

    return replica_of(module, make), own


def _of_program(
    program: ExportedProgram, stored: Mapping[int, str]
) -> tuple[Callable[..., Any], dict[int, Tensor]]:
    """An exported program as PyTorch runs it, on the inputs in order, and its tensors by the identity of ours."""
    values = {**program.state_dict, **program.constants}
    own = {
        at: values[path].detach().cpu() for at, path in stored.items() if isinstance(values.get(path), Tensor)
    }
    module = program.module()

    def run(*inputs: Any) -> Any:
        args, kwargs = tree_unflatten(list(inputs), program.call_spec.in_spec)
        return module(*args, **kwargs)

    return run, own


def _real_input(tensor: Tensor) -> Tensor:
    if tensor.device.type != "meta":
        return tensor.detach().to("cpu", copy=True)
    return random_like(tensor, "input")


@contextmanager
def _conditions(observer: TorchDispatchMode | None) -> Iterator[None]:
    """Evaluation as the capture saw it: without gradients, with attention in full, the same random numbers."""
    fast_path = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with ExitStack() as stack:
            torch.manual_seed(_SEED)
            stack.enter_context(torch.inference_mode())
            stack.enter_context(
                torch._C._ExcludeDispatchKeyGuard(
                    torch._C.DispatchKeySet(torch._C.DispatchKey.ADInplaceOrView)
                )
            )
            if observer is not None:
                stack.enter_context(observer)
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast_path)


class _Observer(TorchDispatchMode):
    """Operations of a real pass in order, with a digest of what each made."""

    def __init__(self, keep: int = -1) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.seen: list[tuple[Any, str]] = []
        self.kept: Any = None
        self._keep = keep

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        made = func(*args, **(kwargs or {}))
        if not hasattr(func, "_schema") or func._schema.name.startswith(("profiler::", "prim::")):
            return made
        if len(self.seen) == self._keep:
            self.kept = [tensor.clone() for tensor in _tensors(made)]
        self.seen.append((func, _digest(made)))
        return made


def _bare(function: Any) -> str:
    return str(function._schema.name).rpartition("::")[2]


def _tensors(made: Any) -> list[Tensor]:
    if isinstance(made, Tensor):
        return [made]
    return [tensor for part in made for tensor in _tensors(part)] if isinstance(made, (tuple, list)) else []


def _digest(made: Any) -> str:
    parts = []
    for tensor in _tensors(made):
        dense = tensor.contiguous()
        data = (
            ctypes.string_at(dense.data_ptr(), dense.numel() * dense.element_size()) if dense.numel() else b""
        )
        parts.append(
            f"{tuple(tensor.shape)}{tensor.dtype}{hashlib.blake2b(data, digest_size=16).hexdigest()}"
        )
    return " ".join(parts)


def _same(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and one.dtype == other.dtype and _digest(one) == _digest(other)


def _look(tensor: Tensor) -> str:
    return f"{'×'.join(map(str, tensor.shape)) or 'a scalar'} of {str(tensor.dtype)[6:]}"


def _first_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".partition("\n")[0]
