"""A module as torch.compile runs it, and its kernels as rows that name the network's layers."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import FunctionType
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import fx, nn

from ...errors import fail
from ..fusion import grouped, row_names
from ..layers import Fused, Row
from ..runtime import Forward
from .capacity import is_out_of_memory
from .inductor import Kernel, Recording, Wrapper, recording
from .instrument import Instrument, Ledger, Segment
from .module_calls import Calls, ModuleOrigins
from .provenance import Lines, NotUnderstoodError, Origins, layers_of, only_in_parts
from .runtime import TorchRuntime

if TYPE_CHECKING:
    from ...graph import Graph


@dataclass(frozen=True, slots=True)
class Compiled:
    """A compiled module.  `module` is what was compiled, `first_s` the seconds of that and of one forward."""

    function: Callable[..., object]
    module: nn.Module
    first_s: float
    recording: Recording


def compiled(module: fx.GraphModule, image: torch.Tensor) -> Compiled:
    """Compile a module for inputs like this one, and run it once.

    What is compiled is a module of its own with the same code and the same weights, so that nothing compiled before is
    used or recompiled.  Raises ArchinspectError (A407) when torch.compile cannot, RuntimeError where memory runs out.
    """
    own = fx.GraphModule(module, module.graph, class_name=type(module).__name__)
    own.training = module.training
    return _compiled(own, own, (image,), {})


def compiled_own(module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Compiled:
    """Compile the user's own module for these inputs, and run it once.

    What is compiled is a function of its own that calls the module: torch.compile keeps what it compiled by the code,
    and gives up on code that was compiled for several modules or shapes.  Raises as `compiled` does.
    """

    def forward(*args: Any, **kwargs: Any) -> Any:
        return module(*args, **kwargs)

    own = FunctionType(forward.__code__.replace(), forward.__globals__, "forward", None, forward.__closure__)
    return _compiled(own, module, args, kwargs)


def _compiled(
    own: Callable[..., Any], module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Compiled:
    begin = time.perf_counter()
    with recording() as found:
        function = torch.compile(own, backend=found.compile, dynamic=None if own is module else False)
        try:
            function(*args, **kwargs)
        except torch._dynamo.exc.TorchDynamoException as error:
            if is_out_of_memory(error):
                raise
            raise _cannot_compile(error) from error
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        torch.cuda.synchronize()
    return Compiled(function, module, time.perf_counter() - begin, found)


def _cannot_compile(error: Exception) -> Exception:
    first = str(error).strip().partition("\n")[0]
    compiler = "C++ compiler" in first or "Triton" in first
    return fail(
        "A407",
        "torch.compile cannot compile the network here",
        notes=[first],
        help="install a C++ compiler (g++ or clang++), or name one in CXX; or leave --compile out"
        if compiler
        else "leave --compile out",
    )


def understood(found: Compiled, steps: Sequence[Segment], graph: Graph) -> tuple[Wrapper, tuple[Fused, ...]]:
    """The compiled code, and the layers that each of its kernels computes and prepares.

    `steps` are the layers of the module that was compiled.  Raises NotUnderstoodError rather than guess.
    """
    return _understood(found, Lines(cast("fx.GraphModule", found.module), steps), graph)


def _understood(found: Compiled, origins: Origins, graph: Graph) -> tuple[Wrapper, tuple[Fused, ...]]:
    wrappers = found.recording.wrappers
    if found.recording.failure:
        raise NotUnderstoodError(found.recording.failure)
    if len(wrappers) != 1:
        raise NotUnderstoodError(f"torch.compile made {len(wrappers)} graphs of the network, not one")
    kernels = fused(wrappers[0].kernels, origins, graph)
    missing = [
        node.name
        for node in graph.layers
        if node.weights and not any(node.name in kernel.layers for kernel in kernels)
    ]
    if missing:
        raise NotUnderstoodError(f"no kernel computes {missing[0]}")
    return wrappers[0], kernels


def fused(kernels: Sequence[Kernel], lines: Origins, graph: Graph) -> tuple[Fused, ...]:
    """The layers of each kernel, in the network's order."""
    order = {node.name: number for number, node in enumerate(graph.nodes)}
    found = [layers_of(kernel.operations, lines) for kernel in kernels]
    whole = only_in_parts(found)
    return tuple(
        Fused(
            (kernel.name,),
            tuple(sorted(makes | whole[number], key=order.__getitem__)),
            tuple(sorted(prepares - whole[number], key=order.__getitem__)),
        )
        for number, (kernel, (makes, prepares)) in enumerate(zip(kernels, found, strict=True))
    )


def kernels_marked(
    runtime: TorchRuntime,
    found: Compiled,
    image: torch.Tensor,
    steps: Sequence[Segment],
    graph: Graph,
    depth: int | None,
) -> Instrument:
    """Marks between the kernels of a compiled module.  Raises NotUnderstoodError where they cannot be had."""
    wrapper, kernels = understood(found, steps, graph)
    return _marked(runtime, wrapper, *kernel_rows(kernels, depth), lambda: found.function(image))


def own_kernels_marked(
    runtime: TorchRuntime,
    found: Compiled,
    forward: Forward,
    calls: Calls,
    graph: Graph,
    depth: int | None,
) -> Instrument:
    """Marks between the kernels of a user's own module that was compiled, rows by the calls of its parts.

    Raises NotUnderstoodError where they cannot be had.
    """
    wrapper, kernels = _understood(found, ModuleOrigins(calls, graph), graph)
    names = calls.row_names(graph, depth)
    return _marked(runtime, wrapper, *kernel_rows(kernels, depth, names.__getitem__), forward)


def _marked(
    runtime: TorchRuntime, wrapper: Wrapper, rows: tuple[Row, ...], after: dict[int, int], forward: Forward
) -> Instrument:
    ledger = Ledger(runtime, len(rows))
    noted: list[int] = []
    switch = wrapper.mark_kernels(after, noted.append)
    switch(True)
    forward()
    switch(False)
    if noted != list(range(len(rows) + 1)):
        raise NotUnderstoodError("the compiled code does not run each of its kernels once, in order")
    switch = wrapper.mark_kernels(after, ledger.note)
    return Instrument(rows, ledger, forward, forward, switch)


def kernel_rows(
    kernels: Sequence[Fused], depth: int | None, name_of: Callable[[str], str] | None = None
) -> tuple[tuple[Row, ...], dict[int, int]]:
    """(the kernels as rows in execution order, number of each row by that of its last kernel, from 1).

    A name may come again: its times add up.  What a name's kernels compute is told where it comes first.
    """
    groups, group_of = grouped(kernels)
    names = row_names(groups, depth, name_of)
    rows: list[Row] = []
    after: dict[int, int] = {}
    told: set[int] = set()
    for number, group in enumerate(group_of):
        new = () if group in told else (groups[group],)
        told.add(group)
        row = Row(names[group], tuple(name for each in new for name in each.layers), new)
        if rows and rows[-1].name == row.name:
            before = rows.pop()
            row = Row(row.name, before.layers + row.layers, before.fused + row.fused)
            del after[number - 1]
        rows.append(row)
        after[number] = len(rows)
    return tuple(rows), after
