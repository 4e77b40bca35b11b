"""What a `TorchCall` names, as the real thing."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import torch
from torch import nn

from ..ops import TorchCall
from . import modules

_HOMES: dict[str, Any] = {"nn": nn, "torch": torch, "archinspect": modules}


def target(call: TorchCall) -> Callable[..., Any]:
    """The module class or function of a call: `nn.Conv2d`, `torch.cat`, `archinspect.SelfAttention`."""
    home, _, path = call.target.partition(".")
    found: Callable[..., Any] = reduce(getattr, path.split("."), _HOMES[home])
    return found


def construct(call: TorchCall) -> nn.Module:
    """The module that a call constructs, on the current default device."""
    module = target(call)(*call.args, **call.kwargs)
    assert isinstance(module, nn.Module), f"{call.target} is a function"
    return module
