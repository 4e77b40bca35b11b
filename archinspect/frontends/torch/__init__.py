"""Modules of PyTorch as graphs: any `nn.Module`, by one abstract forward pass that allocates no weight."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...graph import Graph

if TYPE_CHECKING:
    from torch import nn

__all__ = ["load_module"]


def load_module(
    module: nn.Module,
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    name: str | None = None,
    real: bool = False,
    partial: bool = False,
) -> Graph:
    """The graph of a module, by one forward pass on these arguments in evaluation mode; the module is left as it was.

    An argument is whatever forward takes.  A tuple of whole numbers is a shape: a float tensor of the module's type,
    without values.  `real` runs forward on small real tensors, for one that looks at values; `partial` keeps what was
    recorded up to an exception (`graph.metadata["partial"]` then says which).

    Raises ArchinspectError (A402, A601, A602).
    """
    from .capture import capture
    from .lower import lower

    args = [_tensor(module, value) for value in args]
    kwargs = {key: _tensor(module, value) for key, value in (kwargs or {}).items()}
    recording = capture(module, args, kwargs, real=real, partial=partial)
    return lower(recording, name or type(module).__name__, module, args, kwargs)


def _tensor(module: nn.Module, value: Any) -> Any:
    """A shape as a tensor of the type that the module computes in."""
    import torch

    if type(value) is not tuple or not value or not all(type(size) is int for size in value):
        return value
    dtype = next((p.dtype for p in module.parameters() if p.dtype.is_floating_point), torch.float32)
    return torch.empty(value, dtype=dtype, device="meta")
