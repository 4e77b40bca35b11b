"""Memory and work of a step by our rules, beside those of the real module."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ..analysis.memory import Storages, peak_activation_bytes, without_rule
from ..analysis.step import Step, step, trained_parameters
from ..graph import Graph
from .verification import MemoryCheck

if TYPE_CHECKING:
    from torch import nn

    from .witnesses import MemoryObservation

__all__ = ["check_memory"]

INFERENCE = "peak of inference"
SAVED = "saved for the backward pass"
TRAINING = "peak of a step"
BACKWARD = "MACs of the backward pass"


def check_memory(
    graph: Graph, module: nn.Module, args: Any, kwargs: Any, batch: int
) -> tuple[MemoryCheck, ...]:
    """Hold our figures for one batch against a replica of the module, which is run and changed.

    A figure is a lower bound where a layer has no rule; it then must not be larger than the module's.
    """
    from .witnesses import MISFITS, observe_memory

    try:
        seen = observe_memory(module, args, kwargs)
    except MISFITS as error:
        return _not_run(f"the module fails: {type(error).__name__}: {error}".partition("\n")[0], batch)
    return tuple(_checks(graph, seen, batch))


def _not_run(why: str, batch: int) -> tuple[MemoryCheck, ...]:
    """No figure was held against anything, and why."""
    return (MemoryCheck("memory", batch, "not run", message=why),)


def _checks(graph: Graph, seen: MemoryObservation, batch: int) -> Iterator[MemoryCheck]:
    found = step(
        graph,
        Storages(graph, training=True, watched=True),
        base=0,
        trained=trained_parameters(graph, lambda node, name, parameter: True),
    )
    bound = bool(without_rule(Storages(graph)))
    yield _check(INFERENCE, peak_activation_bytes(graph), seen.inference_peak, bound, batch)
    if seen.forward_macs != seen.evaluated_macs:
        why = (
            f"in training the module computes {seen.forward_macs:,} MACs, in evaluation {seen.evaluated_macs:,}: "
            "another network, of which nothing is predicted"
        )
        yield MemoryCheck("training", batch, "not run", message=why)
        return
    bound = bool(found.unknown)
    yield _check(SAVED, sum(found.saved), seen.saved, bound, batch)
    if bound:
        what = f"{next(iter(found.unknown.values()))} has no rule of memory"
        yield MemoryCheck(TRAINING, batch, "not run", message=what)
    else:
        yield _check(TRAINING, found.peak.bytes, seen.training_peak, bound, batch)
    work_known = all(macs is not None for macs in found.forward_macs)
    yield _check(BACKWARD, _as_counted(graph, found), seen.backward_macs, not work_known, batch)


def _check(quantity: str, ours: int, theirs: int, bound: bool, batch: int) -> MemoryCheck:
    if ours == theirs:
        return MemoryCheck(quantity, batch, "agrees", ours, theirs)
    return MemoryCheck(quantity, batch, "at least" if bound and ours < theirs else "differs", ours, theirs)


def _as_counted(graph: Graph, found: Step) -> int:
    """FlopCounterMode counts the gradient of a grouped convolution's weight as if it were dense."""
    weights = zip(graph.nodes, found.weight_macs, strict=True)
    return sum(found.input_macs) + sum([macs * getattr(node.op, "groups", 1) for node, macs in weights])
