"""Training against evaluation: what batch normalisation and dropout do to the same weights and the same batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd
from torch.utils._pytree import tree_leaves

from ..errors import fail
from ..ops.statistics import statistics_cost
from .measure import Settings, explained, modules, moments, random_inputs, undisturbed, with_inputs
from .results import ModeRow, Modes

if TYPE_CHECKING:
    from ..graph import Graph


@dataclass(slots=True)
class _Seen:
    """What one layer did: its output's standard deviation and share of zeros in each mode, and its statistics."""

    layer: nn.Module
    std: dict[str, float] = field(default_factory=dict)
    zero: dict[str, float] = field(default_factory=dict)
    elements: int = 0
    channels: int = 0
    batch_var: float | None = None
    expected: float | None = None


def compare_modes(graph: Graph, settings: Settings, batches: int, done: Callable[[int], None]) -> Modes:
    """Run `batches` in training, then the last of them in evaluation; `done` is told how many have run.

    Raises ArchinspectError (A403) for a network with neither batch normalisation nor dropout.
    """
    with undisturbed():
        module = next(modules(graph, settings))
        seen = {name: _Seen(part) for name, part in module.named_modules() if _differs(part)}
        if not seen:
            raise fail(
                "A403",
                f"{graph.name} does the same in training and in evaluation",
                notes=["no layer of it is batch normalisation or dropout"],
                help="leave --modes out",
            )
        output = _Seen(module)
        torch.manual_seed(0)
        with torch.no_grad(), explained(module, settings, graph):
            for number in range(batches):
                inputs = random_inputs(graph, settings, number)
                args, kwargs = with_inputs(graph, inputs)
                with _watching(seen, "train"):
                    _note(output, "train", module.train()(*args, **kwargs))
                done(number + 1)
            with _watching(seen, "eval"):
                _note(output, "eval", module.eval()(*args, **kwargs))
    rows = tuple(
        _row(name, each, graph) for name, each in seen.items() if each.std.keys() == {"train", "eval"}
    )
    whole = ModeRow(
        "output", "", output.std["train"], output.std["eval"], output.zero["train"], output.zero["eval"]
    )
    return Modes(graph.name, settings.batch, batches, rows, whole)


def _differs(part: nn.Module) -> bool:
    return isinstance(part, (_BatchNorm, _DropoutNd)) or type(part).__name__ in (
        "DropPath",
        "ShiftBatchNorm2d",
    )


class _watching:  # noqa: N801 - reads as a verb in a with statement
    """Hooks on the layers for one pass."""

    def __init__(self, seen: Mapping[str, _Seen], mode: str) -> None:
        self.seen, self.mode = seen, mode
        self.handles: list[Any] = []

    def __enter__(self) -> None:
        for each in self.seen.values():

            def ran(_: nn.Module, entry: tuple[Any, ...], made: Any, each: _Seen = each) -> None:
                _note(each, self.mode, made)
                if self.mode == "train" and _is_norm(each.layer):
                    _statistics(each, entry[0])

            self.handles.append(each.layer.register_forward_hook(ran))

    def __exit__(self, *_: object) -> None:
        for handle in self.handles:
            handle.remove()


def _is_norm(layer: nn.Module) -> bool:
    return getattr(layer, "running_var", None) is not None


def _note(each: _Seen, mode: str, made: Any) -> None:
    tensor = next((leaf for leaf in tree_leaves(made) if isinstance(leaf, Tensor)), None)
    found = moments(tensor) if tensor is not None else None
    if tensor is None or found is None:
        return
    each.std[mode] = found.std
    each.zero[mode] = 1 - int(torch.count_nonzero(tensor)) / tensor.numel()
    each.elements, each.channels = tensor.numel(), tensor.shape[1] if tensor.dim() > 1 else 1


def _statistics(each: _Seen, entry: Tensor) -> None:
    """The batch's variance, averaged over channels, and the running average that follows from those so far.

    PyTorch: running = (1 − momentum)·running + momentum·new, from 1; without a momentum the plain average.
    """
    layer: Any = each.layer
    others = [dim for dim in range(entry.dim()) if dim != 1]
    new = float(entry.double().var(dim=others, unbiased=True).mean())
    each.batch_var = new
    count = int(layer.num_batches_tracked)
    momentum = 1 / count if layer.momentum is None else layer.momentum
    each.expected = (1 - momentum) * (1.0 if each.expected is None else each.expected) + momentum * new


def _row(name: str, each: _Seen, graph: Graph) -> ModeRow:
    node = graph.by_name.get(name)
    layer: Any = each.layer
    if _is_norm(layer):
        learnt = sum(getattr(layer, key, None) is not None for key in ("weight", "bias"))
        train = statistics_cost(each.elements, each.channels, learnt).flops
        evaluation = 2 * each.elements
    else:  # a comparison with p and a multiplication, for each element
        train, evaluation = 2 * each.elements, 0
    return ModeRow(
        name,
        node.op.type if node is not None else type(layer).__name__,
        each.std["train"],
        each.std["eval"],
        each.zero["train"],
        each.zero["eval"],
        each.batch_var,
        float(layer.running_var.mean()) if _is_norm(layer) else None,
        each.expected,
        train,
        evaluation,
    )
