"""Runs other people's counters, each as its own documentation does.

Every function takes a `Subject`, which makes replicas (see `replicas`) and inputs for them.  torchinfo, thop and
FlopCounterMode need shapes only and run on the meta device.  fvcore and ptflops run on the CPU: tracing a convolution
fails on the meta device, and what torch computes there in Python is counted again by ptflops' patches.
"""

from __future__ import annotations

import contextlib
import inspect
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - PyTorch's own name for it
from torch import nn

from ...frontends.torch.build import with_torchvision
from ...frontends.torch.capture import named_tensors
from .replicas import on_cpu, on_meta

Figures = dict[str, Any]


class ToolError(Exception):
    """A tool gave up; its own message."""


@dataclass(frozen=True)
class Subject:
    """The module to count, and what to call it with.

    `own` tells a module that is the user's from one that we built from a spec: it keeps its frozen weights, and runs
    with gradients where a tool does not turn them off, as the tools' documentation does.  `real` is for a forward that
    looks at values: nothing runs on the meta device.
    """

    module: nn.Module
    args: Sequence[Any]
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    own: bool = False
    real: bool = False

    def on_meta(self) -> tuple[nn.Module, tuple[Any, ...], dict[str, Any]]:
        if self.real:
            return self.on_cpu()
        args, kwargs = _changed(
            (tuple(self.args), dict(self.kwargs)), lambda t: torch.empty_like(t, device="meta")
        )
        return on_meta(self.module, own=self.own), args, kwargs

    def on_cpu(self) -> tuple[nn.Module, tuple[Any, ...], dict[str, Any]]:
        args, kwargs = _changed((tuple(self.args), dict(self.kwargs)), _on_cpu)
        return on_cpu(self.module, own=self.own), args, kwargs

    def gradients(self) -> contextlib.AbstractContextManager[Any]:
        """With gradients attention takes no fast path, which would hide it from the tools."""
        return torch.enable_grad() if self.own else torch.no_grad()


def _on_cpu(tensor: torch.Tensor) -> torch.Tensor:
    if tensor.device.type == "meta":
        return torch.zeros(tensor.shape, dtype=tensor.dtype)
    return tensor.detach().to("cpu", copy=True)


def _changed(value: Any, change: Callable[[torch.Tensor], torch.Tensor]) -> Any:
    """Arguments with each tensor in lists, tuples and dicts changed."""
    if isinstance(value, torch.Tensor):
        return change(value)
    if type(value) is dict:
        return {name: _changed(part, change) for name, part in value.items()}
    return type(value)(_changed(part, change) for part in value) if type(value) in (list, tuple) else value


def _tensors(value: Any) -> Iterator[torch.Tensor]:
    """The tensors that `_changed` changes, in its order."""
    if isinstance(value, torch.Tensor):
        yield value
    elif type(value) in (dict, list, tuple):
        for part in value.values() if type(value) is dict else value:
            yield from _tensors(part)


class _Positional(nn.Module):
    """The network for tools that pass tensors in order and understand tuples of tensors alone."""

    def __init__(self, network: nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        super().__init__()
        self.network = network
        self._arguments = tuple(args), dict(kwargs)

    def tensors(self) -> tuple[torch.Tensor, ...]:
        return tuple(_tensors(self._arguments))

    def forward(self, *tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
        given = iter(tensors)
        args, kwargs = _changed(self._arguments, lambda _: next(given))
        return tuple(tensor for _, tensor in named_tensors(self.network(*args, **kwargs)))


def _plain_call(subject: Subject) -> bool:
    return not subject.kwargs and all(isinstance(argument, torch.Tensor) for argument in subject.args)


def torchinfo(subject: Subject) -> Figures:
    import torchinfo as tool

    replica, args, kwargs = subject.on_meta()
    try:
        if args and kwargs:  # summary has options of its own among keywords
            args, kwargs = (), _by_name(replica, args, kwargs)
        found = tool.summary(replica, input_data=list(args) or kwargs, verbose=0)
    finally:
        tool.torchinfo.clear_cached_forward_pass()  # it keeps the last network alive
    layers: dict[str, int] = {}
    for info in found.summary_list:
        if info.is_leaf_layer:
            path = _torchinfo_path(info)
            layers[path] = layers.get(path, 0) + info.macs
    return {"total": found.total_mult_adds, "params": found.total_params, "layers": layers}


def _by_name(module: nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    return dict(inspect.signature(module.forward).bind(*args, **kwargs).arguments)


def _torchinfo_path(info: Any) -> str:
    names: list[str] = []
    while info is not None and info.depth:
        names.append(info.var_name)
        info = info.parent_info
    return ".".join(reversed(names))


def fvcore(subject: Subject) -> Figures:
    from fvcore.nn import FlopCountAnalysis, parameter_count

    replica, args, kwargs = subject.on_cpu()
    wrapped = subject.own and not (_plain_call(subject) and len(args) == 1)
    network = _Positional(replica, args, kwargs) if wrapped else replica
    analysis = FlopCountAnalysis(network, network.tensors() if isinstance(network, _Positional) else args)
    analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    with subject.gradients():
        total = analysis.total()
    return {
        "total": int(total),
        "params": parameter_count(replica)[""],
        "unsupported": dict(analysis.unsupported_ops()),
        "layers": {
            path.removeprefix("network.") if wrapped else path: n for path, n in analysis.by_module().items()
        },
    }


def flop_counter(subject: Subject) -> Figures:
    from torch.utils.flop_counter import FlopCounterMode

    replica, args, kwargs = subject.on_meta()
    counter = FlopCounterMode(display=False)
    with subject.gradients(), counter:  # without them it refuses a parameter that is passed to a module
        replica(*args, **kwargs)
    prefix = f"{type(replica).__name__}."
    layers = {
        path.removeprefix(prefix): sum(counts.values())
        for path, counts in counter.get_flop_counts().items()
        if path.startswith(prefix)
    }
    return {"total": counter.get_total_flops(), "layers": layers}


def ptflops(subject: Subject) -> Figures:
    tool = with_torchvision(lambda: import_module("ptflops"))  # it imports torchvision where there is one
    known = import_module("ptflops.pytorch_ops")
    replica, args, kwargs = subject.on_cpu()
    # Several arguments go by name; the batch is then unknown to it.
    inputs = args[0] if len(args) == 1 and not kwargs else _by_name(replica, args, kwargs)
    names = {function.__name__ for function in (*known.FUNCTIONAL_MAPPING, *known.TENSOR_OPS_MAPPING)}
    said = io.StringIO()
    with subject.gradients(), _restored((F, torch, torch.Tensor), names), contextlib.redirect_stdout(said):
        total, params = tool.get_model_complexity_info(
            replica,
            (1,),  # it asks for a shape, and does not look at it
            as_strings=False,
            print_per_layer_stat=False,
            input_constructor=lambda _: inputs,
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


def thop(subject: Subject) -> Figures:
    import thop as tool

    replica, args, kwargs = subject.on_meta()
    network = replica
    if kwargs:
        network = _Positional(replica, args, kwargs)
        args = network.tensors()
    total, params, tree = tool.profile(network, args, verbose=False, ret_layer_info=True)
    layers = {
        path.removeprefix("network.") if kwargs else path: int(count) for path, count in _leaves("", tree)
    }
    return {"total": int(total), "params": int(params), "layers": layers}


def _leaves(path: str, tree: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    for name, (count, _, children) in tree.items():
        here = f"{path}.{name}" if path else name
        if children:
            yield from _leaves(here, children)
        else:
            yield here, count


#: By convention's name: the distribution that must be installed, and how it is run.
TOOLS: dict[str, tuple[str, Callable[[Subject], Figures]]] = {
    "torchinfo": ("torchinfo", torchinfo),
    "fvcore": ("fvcore", fvcore),
    "torch": ("torch", flop_counter),
    "ptflops": ("ptflops", ptflops),
    "thop": ("thop", thop),
}
