"""Runs other people's counters, each as its own documentation does.

Every function takes a replica (see `replicas`) and an input shape.  torchinfo, thop and FlopCounterMode need shapes
only and run on the meta device.  fvcore and ptflops run on the CPU: tracing a convolution fails on the meta device,
and what torch computes there in Python is counted again by ptflops' patches.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - PyTorch's own name for it
from torch import nn

from ...ops import Shape
from .replicas import on_cpu, on_meta

Figures = dict[str, Any]


class ToolError(Exception):
    """A tool gave up; its own message."""


def torchinfo(module: nn.Module, shape: Shape) -> Figures:
    import torchinfo as tool

    try:
        found = tool.summary(on_meta(module), input_data=torch.empty(shape, device="meta"), verbose=0)
    finally:
        tool.torchinfo.clear_cached_forward_pass()  # it keeps the last network alive
    layers: dict[str, int] = {}
    for info in found.summary_list:
        if info.is_leaf_layer and info.depth:
            path = _torchinfo_path(info)
            layers[path] = layers.get(path, 0) + info.macs
    return {"total": found.total_mult_adds, "params": found.total_params, "layers": layers}


def _torchinfo_path(info: Any) -> str:
    names: list[str] = []
    while info is not None and info.depth:
        names.append(info.var_name)
        info = info.parent_info
    return ".".join(reversed(names))


def fvcore(module: nn.Module, shape: Shape) -> Figures:
    from fvcore.nn import FlopCountAnalysis, parameter_count

    replica = on_cpu(module)
    analysis = FlopCountAnalysis(replica, (torch.zeros(shape),))
    analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    with torch.no_grad():
        total = analysis.total()
    return {
        "total": total,
        "params": parameter_count(replica)[""],
        "unsupported": dict(analysis.unsupported_ops()),
        "layers": dict(analysis.by_module()),
    }


def flop_counter(module: nn.Module, shape: Shape) -> Figures:
    from torch.utils.flop_counter import FlopCounterMode

    replica = on_meta(module)
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        replica(torch.empty(shape, device="meta"))
    prefix = f"{type(replica).__name__}."
    layers = {
        path.removeprefix(prefix): sum(counts.values())
        for path, counts in counter.get_flop_counts().items()
        if path.startswith(prefix)
    }
    return {"total": counter.get_total_flops(), "layers": layers}


def ptflops(module: nn.Module, shape: Shape) -> Figures:
    from ptflops import get_model_complexity_info
    from ptflops.pytorch_ops import FUNCTIONAL_MAPPING, TENSOR_OPS_MAPPING

    names = {function.__name__ for function in (*FUNCTIONAL_MAPPING, *TENSOR_OPS_MAPPING)}
    said = io.StringIO()
    with torch.no_grad(), _restored((F, torch, torch.Tensor), names), contextlib.redirect_stdout(said):
        total, params = get_model_complexity_info(
            on_cpu(module),
            tuple(shape[1:]),
            as_strings=False,
            print_per_layer_stat=False,
            input_constructor=lambda _: torch.zeros(shape),
            backend="pytorch",
        )
    if total is None:  # it prints what went wrong, and goes on
        raise ToolError(said.getvalue().strip())
    return {"total": total, "params": params}


@contextlib.contextmanager
def _restored(homes: tuple[Any, ...], names: set[str]) -> Iterator[None]:
    """Undo whatever is patched under these names, also where the patcher was interrupted."""
    before = [(home, name, vars(home).get(name)) for home in homes for name in sorted(names)]
    try:
        yield
    finally:
        for home, name, value in before:
            if value is not None:
                setattr(home, name, value)
            elif name in vars(home):
                delattr(home, name)


def thop(module: nn.Module, shape: Shape) -> Figures:
    import thop as tool

    found = tool.profile(
        on_meta(module), (torch.empty(shape, device="meta"),), verbose=False, ret_layer_info=True
    )
    total, params, tree = found
    layers = {path: int(count) for path, count in _leaves("", tree)}
    return {"total": int(total), "params": int(params), "layers": layers}


def _leaves(path: str, tree: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    for name, (count, _, children) in tree.items():
        here = f"{path}.{name}" if path else name
        if children:
            yield from _leaves(here, children)
        else:
            yield here, count


#: By convention's name: the distribution that must be installed, and how it is run.
TOOLS: dict[str, tuple[str, Callable[[nn.Module, Shape], Figures]]] = {
    "torchinfo": ("torchinfo", torchinfo),
    "fvcore": ("fvcore", fvcore),
    "torch": ("torch", flop_counter),
    "ptflops": ("ptflops", ptflops),
    "thop": ("thop", thop),
}
