"""Copies of a module to run tools on, so that the module itself is never touched.

Tools hang hooks and buffers on modules, flip training flags and leave all that behind when they fail.  A replica has
the same structure and parameter shapes; it is in evaluation mode, and thrown away after one run.  Tensors that the
module holds as plain attributes are not weights: they are copied as they are.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from itertools import chain

import torch
from torch import nn


def on_meta(module: nn.Module, *, own: bool = False) -> nn.Module:
    """A replica whose tensors are shapes only; `own` for the user's module, whose frozen weights stay frozen."""
    return _replica(module, lambda tensor: torch.empty_like(tensor, device="meta"), own)


def on_cpu(module: nn.Module, *, own: bool = False) -> nn.Module:
    """A replica that can compute: it shares the weights where they are on the CPU, and has zeros elsewhere."""
    return _replica(
        module, lambda tensor: tensor.detach() if tensor.device.type == "cpu" else _zeros(tensor), own
    )


def _zeros(tensor: torch.Tensor) -> torch.Tensor:
    return torch.zeros(tensor.shape, dtype=tensor.dtype, device="cpu")


def _replica(module: nn.Module, make: Callable[[torch.Tensor], torch.Tensor], own: bool) -> nn.Module:
    return replica_of(module, lambda tensor, _: make(tensor), own=own)


def replica_of(
    module: nn.Module, make: Callable[[torch.Tensor, str], torch.Tensor], *, own: bool = True
) -> nn.Module:
    """A copy in evaluation mode whose parameters and buffers `make` makes of each and its name."""
    memo: dict[int, object] = {}  # what deepcopy takes for copied already; tied tensors stay tied
    for name, tensor in chain(module.named_parameters(), module.named_buffers()):
        made = make(tensor, name)
        if isinstance(tensor, nn.Parameter):
            # Of a network from a spec a frozen weight is a parameter all the same; ptflops would not count it.
            made = nn.Parameter(made, tensor.requires_grad if own else True)
        memo[id(tensor)] = made
    return copy.deepcopy(module, memo).eval()
