"""Copies of a module to run tools on, so that the module itself is never touched.

Tools hang hooks and buffers on modules, flip training flags and leave all that behind when they fail.  A replica has
the same structure and parameter shapes; it is in evaluation mode, and thrown away after one run.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from itertools import chain

import torch
from torch import nn


def on_meta(module: nn.Module) -> nn.Module:
    """A replica whose tensors are shapes only."""
    return _replica(module, lambda tensor: torch.empty_like(tensor, device="meta"))


def on_cpu(module: nn.Module) -> nn.Module:
    """A replica that can compute: it shares the weights where they are on the CPU, and has zeros elsewhere."""
    return _replica(module, lambda tensor: tensor.detach() if tensor.device.type == "cpu" else _zeros(tensor))


def _zeros(tensor: torch.Tensor) -> torch.Tensor:
    return torch.zeros(tensor.shape, dtype=tensor.dtype, device="cpu")


def _replica(module: nn.Module, make: Callable[[torch.Tensor], torch.Tensor]) -> nn.Module:
    memo: dict[int, object] = {}  # what deepcopy takes for copied already; tied tensors stay tied
    for tensor in chain(module.parameters(), module.buffers()):
        made = make(tensor)
        if isinstance(tensor, nn.Parameter):
            made = nn.Parameter(
                made
            )  # a frozen weight is a parameter all the same, and ptflops would not count it
        memo[id(tensor)] = made
    return copy.deepcopy(module, memo).eval()
