"""`verify` on a user's own module or exported program: the graph executed, other tools' totals predicted."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import ArchinspectError, fail
from ..graph import Graph
from .conventions import CONVENTIONS, OURS, Counts
from .conventions import count as count_spec
from .conventions.captured import count_captured
from .verification import EXECUTION, Execution, Figures, LayerCheck, Mismatch, ToolCheck, Verification

if TYPE_CHECKING:
    from .conventions.captured import Record
    from .witnesses import Testimony

__all__ = ["check_tool", "count", "is_own_module", "verify_module", "verify_program"]


def is_own_module(graph: Graph) -> bool:
    """Whether the graph was captured from a module, which can be run."""
    return graph.source is not None and graph.source.kind == "module"


def count(graph: Graph, name: str) -> Counts:
    """Count any network by the convention of that name; a captured module by what the tool sees of it.

    Raises ArchinspectError (A403) for a name that is no convention.
    """
    if not is_own_module(graph) or name not in CONVENTIONS:
        return count_spec(graph, name)
    return count_captured(graph, _watched(graph), CONVENTIONS[name])


def _watched(graph: Graph) -> Record:
    from .witnesses.watch import watch

    source: Any = graph.source
    return watch(source.module, source.args, source.kwargs, real=source.recording.real)


def verify_module(graph: Graph, batches: Sequence[int], names: Sequence[str]) -> Verification:
    """Execute the graph beside its module, and hold the tools' totals against our predictions, for each batch.

    For another batch than the graph's the module is captured again, with inputs whose first dimension is that batch.
    """
    from .witnesses import TORCH_VERSION

    if graph.metadata.get("partial"):
        raise fail(
            "A403",
            f"'{graph.name}' was captured only in part, and what ends in an error cannot be verified",
            notes=[str(graph.metadata["partial"])],
            help="leave out --partial to see the error in full",
        )
    networks, notes = _batched(graph, batches)
    first = next(iter(networks.values()))
    layers: tuple[LayerCheck, ...] = ()
    executions: dict[int, Execution] = {}
    tools: list[ToolCheck] = []
    mismatches: list[Mismatch] = []
    for batch, network in networks.items():
        execution = executions[batch] = _execute(network)
        layers = layers or _check_layers(network, execution)
        if execution.status == "differs":
            mismatches.append(Mismatch(execution.where, EXECUTION, None, execution.message, batch))
        if network is first:
            mismatches += _of_parameters(network, batch)
        record = _watched(network)
        for name in names:
            counts = count_captured(network, record, CONVENTIONS[name])
            testimony = _hear(name, network)
            found = tuple(_of_tool(testimony, counts, batch))
            mismatches += found
            tools.append(check_tool(testimony, counts, batch, found))
    return Verification(
        graph.name,
        first.input_shape,
        tuple(networks),
        TORCH_VERSION,
        layers,
        tuple(tools),
        count_spec(first, OURS.name),
        tuple(mismatches),
        executions,
        tuple(notes),
    )


def verify_program(graph: Graph, batches: Sequence[int]) -> Verification:
    """Execute the graph of an exported program beside the program as PyTorch runs it, with its own weights.

    No tool is run: each would count the program's operators, not the module that it was exported from.
    """
    from .witnesses import TORCH_VERSION

    own = graph.input_shape[0] if graph.input_shape else 1
    notes = ["Other tools count modules, and were not asked about an exported program."]
    if tuple(batches) != (own,):
        notes.append(f"Verified at the batch of the program's inputs, {own}.")
    execution = _execute(graph)
    mismatches = [Mismatch(execution.where, EXECUTION, None, execution.message, own)]
    return Verification(
        graph.name,
        graph.input_shape,
        (own,),
        TORCH_VERSION,
        _check_layers(graph, execution),
        (),
        count_spec(graph, OURS.name),
        tuple(mismatches) if execution.status == "differs" else (),
        {own: execution},
        tuple(notes),
    )


def _batched(graph: Graph, batches: Sequence[int]) -> tuple[dict[int, Graph], list[str]]:
    """The network for each batch; where it cannot be captured for one, that is said and the batch left out."""
    own = graph.input_shape[0] if graph.input_shape else None
    if own is None:
        return {1: graph}, ["The first input has no batch: it was verified as it is."]
    networks: dict[int, Graph] = {}
    notes: list[str] = []
    for batch in batches:
        if batch == own:
            networks[batch] = graph
            continue
        try:
            networks[batch] = _with_batch(graph, own, batch)
        except ArchinspectError as error:
            reason = error.diagnostics[0].message
            notes.append(f"Batch {batch} is left out: with inputs of that batch, {reason}.")
    if not networks:
        networks[own] = graph
        notes.append(f"Verified at the batch of its inputs, {own}.")
    return networks, notes


def _with_batch(graph: Graph, own: int, batch: int) -> Graph:
    """The module captured again on inputs of which the first dimension, where it is the batch, has another size."""
    import torch

    from ..frontends.torch import load_module
    from ..frontends.torch.capture import tensors_of

    def resized(tensor: torch.Tensor) -> torch.Tensor:
        if not tensor.dim() or tensor.shape[0] != own:
            return tensor
        if tensor.device.type == "meta":
            return torch.empty((batch, *tensor.shape[1:]), dtype=tensor.dtype, device="meta")
        return tensor[torch.arange(batch) % own]

    source: Any = graph.source
    args, kwargs = tensors_of((source.args, dict(source.kwargs)), resized)
    return load_module(source.module, args, kwargs, name=graph.name, real=source.recording.real)


def _execute(graph: Graph) -> Execution:
    from .witnesses.execute import execute

    return execute(graph)


def _check_layers(graph: Graph, execution: Execution) -> tuple[LayerCheck, ...]:
    """A row for each call, with the parameters that no call before it read."""
    read: set[int] = set()
    checks = []
    for node in graph.layers:
        own = {name: p for name, p in (node.parameters or {}).items() if id(p) not in read}
        read.update(map(id, own.values()))
        params, buffers = (
            {name: p.shape for name, p in own.items() if p.buffer == kind} for kind in (False, True)
        )
        expected = Figures(node.output_shape, params, buffers, None if node.cost is None else node.cost.macs)
        found = None if execution.status == "not run" else expected
        differing = ("outputs",) if execution.status == "differs" and execution.where == node.name else ()
        checks.append(LayerCheck(node.name, node.op.type, expected, found, differing))
    return tuple(checks)


def _of_parameters(graph: Graph, batch: int) -> Iterator[Mismatch]:
    """The graph's parameters and buffers against those that the module itself names."""
    from .witnesses import state

    source: Any = graph.source
    held = state(source.module)
    for quantity, shapes in (("parameters", held.params), ("buffers", held.buffers)):
        wanted = {p.name: p.shape for p in graph.parameters if p.buffer == (quantity == "buffers")}
        names = {name for p in graph.parameters for name in p.names}
        for name in wanted.keys() | shapes.keys():
            expected, found = wanted.get(name), shapes.get(name)
            if expected != found and not (expected is None and name in names):
                yield Mismatch(name, quantity, expected, found, batch)


def _hear(name: str, graph: Graph) -> Testimony:
    """Run a tool on the module; one that fails on the meta device has another try on the CPU."""
    from .witnesses import Subject, Testimony, hear_about
    from .witnesses.execute import LIMIT

    source: Any = graph.source
    tensors = (*source.module.parameters(), *source.module.buffers())
    size = sum(tensor.numel() * tensor.element_size() for tensor in tensors)
    real = bool(source.recording.real)
    if size > LIMIT and (real or name in _ON_CPU):
        reason = f"it needs real weights, which take {size / 2**30:.1f} GiB; up to {LIMIT >> 30} are run"
        return Testimony(name, "", "not run", message=reason)
    heard = hear_about(name, Subject(source.module, source.args, source.kwargs, own=True, real=real))
    if heard.status == "failed" and not real and name not in _ON_CPU and size <= LIMIT:
        again = hear_about(name, Subject(source.module, source.args, source.kwargs, own=True, real=True))
        return again if again.status == "ran" else heard
    return heard


_ON_CPU = ("fvcore", "ptflops")


def _of_tool(testimony: Testimony, counts: Counts, batch: int) -> Iterator[Mismatch]:
    """Where a tool's figures are not those predicted: the innermost modules first, then the totals."""
    if testimony.status != "ran":
        return
    if counts.total != testimony.total:
        yield from _of_modules(testimony, counts, batch)
        yield Mismatch("", counts.unit, counts.total, testimony.total, batch, testimony.tool)
    if testimony.params is not None and counts.params != testimony.params:
        yield Mismatch("", "parameters", counts.params, testimony.params, batch, testimony.tool)


def _of_modules(testimony: Testimony, counts: Counts, batch: int) -> Iterator[Mismatch]:
    factor = counts.convention.per_mac
    predicted = dict.fromkeys(testimony.layers, 0)
    for row in counts.rows:
        path = _CALL_NUMBER.sub("", row.name)
        while path:
            if path in predicted:
                predicted[path] += factor * row.count
            path = path.rpartition(".")[0]
    differing = [path for path, told in testimony.layers.items() if path and predicted[path] != told]
    for path in differing:
        if not any(other.startswith(f"{path}.") for other in differing):
            yield Mismatch(path, counts.unit, predicted[path], testimony.layers[path], batch, testimony.tool)


_CALL_NUMBER = re.compile(r"#\d+")


def check_tool(testimony: Testimony, counts: Counts, batch: int, found: tuple[Mismatch, ...]) -> ToolCheck:
    """What a tool told beside what was predicted; `found` are the differences."""
    verdict: Any = testimony.status
    if verdict == "ran":
        verdict = "differs" if found else "agrees"
    return ToolCheck(
        testimony.tool,
        testimony.version,
        batch,
        verdict,
        counts,
        testimony.total,
        testimony.params,
        testimony.message,
    )
