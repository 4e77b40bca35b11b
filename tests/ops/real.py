"""The real torch side of an op: its module or function, run on the meta device or with values."""

from __future__ import annotations

from functools import reduce
from operator import getitem
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from archinspect.ops import Op, Shape, Shapes, TorchCall
from archinspect.pytorch import modules

_HOMES: dict[str, Any] = {"nn": nn, "torch": torch, "archinspect": modules}


class Real(nn.Module):
    """What a `TorchCall` names, as a module of any number of inputs."""

    def __init__(self, call: TorchCall) -> None:
        super().__init__()
        self.call = call
        home, _, name = call.target.partition(".")
        self.target = getattr(_HOMES[home], name)
        self.layer = self.target(*call.args, **call.kwargs) if call.is_module else None

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        return self.outputs(*inputs)[0]

    def outputs(self, *inputs: torch.Tensor) -> list[torch.Tensor]:
        """All outputs, as the call says where they stand."""
        made = self._made(*inputs)
        return [reduce(getitem, place, made) for place in self.call.outputs or ((),)]

    def _made(self, *inputs: torch.Tensor) -> torch.Tensor:
        call = self.call
        if self.layer is not None:
            return self.layer(*inputs)
        if call.as_list:
            return self.target(list(inputs), *call.args, **call.kwargs)
        if call.fold:
            return reduce(self.target, inputs)
        return self.target(*inputs, *call.args, **call.kwargs)


def real(op: Op, inputs: Shapes, device: str = "meta") -> Real:
    """The op's module in evaluation mode; its random weights are the same in every run."""
    torch.manual_seed(0)
    with torch.device(device):
        return Real(op.torch_call(inputs)).eval()


def state(module: Real) -> tuple[dict[str, Shape], dict[str, Shape]]:
    """Parameters and buffers by name, as shapes."""
    layer = module.layer or module
    return (
        {name: tuple(p.shape) for name, p in layer.named_parameters()},
        {name: tuple(b.shape) for name, b in layer.named_buffers()},
    )


def run_on_meta(module: Real, inputs: Shapes, *, integers: bool = False) -> tuple[Shapes, int]:
    """Shapes of the outputs, and what FlopCounterMode counts (twice the MACs)."""
    dtype = torch.int64 if integers else torch.float32
    tensors = [torch.empty(shape, device="meta", dtype=dtype) for shape in inputs]
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        outputs = module.outputs(*tensors)
    return tuple(tuple(output.shape) for output in outputs), counter.get_total_flops()
