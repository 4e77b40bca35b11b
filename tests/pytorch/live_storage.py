"""What memory the real module needs: which storages are alive after each operation, and which autograd keeps.

The module runs on the meta device, where a tensor has a storage of the right size and no memory: a pass takes as long
as its operations take to be called.  Storages are held weakly, so that each counts as long as PyTorch or the module
holds it.  `check_memory` holds our own rules against what was seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter
from torch.utils.flop_counter import FlopCounterMode

from archinspect.analysis.memory import Storages, peak_activation_bytes, without_rule
from archinspect.analysis.step import Step, step, trained_parameters
from archinspect.check.witnesses import MISFITS
from archinspect.graph import Graph

INFERENCE = "peak of inference"
SAVED = "saved for the backward pass"
TRAINING = "peak of a step"
BACKWARD = "MACs of the backward pass"


@dataclass(frozen=True)
class MemoryObservation:
    """Bytes of the real module beside parameters and buffers, and its multiply-accumulates.

    The peak of inference, what autograd keeps, and the peak of a step without an optimiser; MACs of the forward pass in
    evaluation and in training, and of the backward pass.
    """

    inference_peak: int
    saved: int
    training_peak: int
    evaluated_macs: int
    forward_macs: int
    backward_macs: int


@dataclass(frozen=True)
class MemoryCheck:
    """A figure of memory, or of a step's work, beside that of the real module; `message` says why there is none."""

    quantity: str
    batch: int
    verdict: Literal["agrees", "differs", "at least", "not run"]
    predicted: int | None = None
    found: int | None = None
    message: str = ""


class LiveStorage(TorchDispatchMode):
    """The most bytes of storages alive after an operation, those of `apart` (parameters, buffers) not counted."""

    def __init__(self, apart: Iterable[Tensor] = ()) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.peak = 0
        self.where = ""
        self._apart = {key(tensor) for tensor in apart}
        self._alive: dict[int, tuple[StorageWeakRef, int]] = {}
        self._most = 0  # no more than so many bytes are alive

    def watch(self, tensor: Tensor) -> None:
        """Count the storage of a tensor from now on."""
        storage = tensor.untyped_storage()
        reference = StorageWeakRef(storage)
        known = self._alive.get(reference.cdata)
        if reference.cdata not in self._apart and (known is None or known[0].expired()):
            self._alive[reference.cdata] = reference, storage.nbytes()
            self._most += storage.nbytes()

    @property
    def now(self) -> int:
        """Bytes of the storages that are alive."""
        self._alive = {at: entry for at, entry in self._alive.items() if not entry[0].expired()}
        self._most = sum([size for _, size in self._alive.values()])
        return self._most

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        made = func(*args, **(kwargs or {}))
        counted = made[0] if func is _BATCH_NORM and not args[5] else made
        for tensor in tree_iter(counted):
            if isinstance(tensor, Tensor):
                self.watch(tensor)
        # What is alive has to be asked only where it may be more than ever before.
        if self._most > self.peak and self.now > self.peak:
            self.peak, self.where = self._most, str(func)
        return made


#: in evaluation it makes no statistics of the batch, but on the meta device
_BATCH_NORM = torch.ops.aten.native_batch_norm.default


def key(tensor: Tensor) -> int:
    """The identity of a tensor's storage while it is alive."""
    return int(StorageWeakRef(tensor.untyped_storage()).cdata)


def own_tensors(module: nn.Module) -> list[Tensor]:
    """Parameters and buffers of a module."""
    return [*module.parameters(), *module.buffers()]


class _Loss(torch.autograd.Function):
    """A loss that holds nothing: the gradients of the outputs are made when the backward pass begins."""

    @staticmethod
    def forward(ctx: Any, *outputs: Tensor) -> Tensor:
        ctx.like = [(tensor.shape, tensor.dtype, tensor.device) for tensor in outputs]
        return outputs[0].new_empty(0)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        return tuple([torch.ones(shape, dtype=dtype, device=device) for shape, dtype, device in ctx.like])


def observe_memory(
    module: nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any] | None = None
) -> MemoryObservation:
    """Run a replica for inference, and for one training step without an optimiser; the module's modes are changed.

    All outputs in floating point that need gradients get one.  Raises what the module raises.
    """
    kwargs = kwargs or {}
    inputs = [tensor for tensor in tree_iter((args, kwargs)) if isinstance(tensor, Tensor)]
    own = own_tensors(module)
    apart = {key(tensor) for tensor in own}
    module.eval()
    inference = LiveStorage(own)
    for tensor in inputs:
        inference.watch(tensor)
    with torch.no_grad(), FlopCounterMode(display=False) as evaluated, inference:
        module(*args, **kwargs)

    module.train()
    training = LiveStorage(own)
    for tensor in inputs:
        training.watch(tensor)
    with training:
        outputs = module(*args, **kwargs)  # which the caller keeps to the end
        loss = _lost(outputs)
        if loss is not None:
            torch.autograd.backward(loss, torch.empty_like(loss))
    del outputs, loss

    kept: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        if key(tensor) not in apart:
            kept[key(tensor)] = tensor.untyped_storage().nbytes()
        return tensor

    # Once more, since another mode and hooks would change what is alive.
    with FlopCounterMode(display=False) as trained:
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            loss = _lost(module(*args, **kwargs))
        forward = trained.get_total_flops()
        if loss is not None:
            torch.autograd.backward(loss, torch.empty_like(loss))
    for parameter in module.parameters():
        parameter.grad = None
    return MemoryObservation(
        inference.peak,
        sum(kept.values()),
        training.peak,
        evaluated.get_total_flops() // 2,
        forward // 2,
        (trained.get_total_flops() - forward) // 2,
    )


def _lost(outputs: Any) -> Tensor | None:
    """The loss of all outputs that need a gradient; None where there is none."""
    tensors = {
        id(tensor): tensor
        for tensor in tree_iter(outputs)
        if isinstance(tensor, Tensor) and tensor.requires_grad
    }
    loss: Tensor | None = _Loss.apply(*tensors.values()) if tensors else None  # type: ignore[no-untyped-call]
    return loss


def check_memory(
    graph: Graph, module: nn.Module, args: Any, kwargs: Any, batch: int
) -> tuple[MemoryCheck, ...]:
    """Hold our figures for one batch against a replica of the module, which is run and changed.

    A figure is a lower bound where a layer has no rule; it then must not be larger than the module's.
    """
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
