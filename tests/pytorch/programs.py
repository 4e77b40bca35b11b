"""Exported programs, run in a namespace of their own."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from archinspect.graph import Graph
from archinspect.pytorch import build, export_source


def run_program(text: str, name: str = "exported") -> dict[str, Any]:
    """The names that a program defines, without its `__main__` part."""
    namespace: dict[str, Any] = {"__name__": name}
    exec(compile(text, f"<{name}>", "exec"), namespace)
    return namespace


def exported(graph: Graph) -> nn.Module:
    """The network as its exported program makes it."""
    namespace = run_program(export_source(graph))
    classes = [
        value for value in namespace.values() if isinstance(value, type) and value.__module__ == "exported"
    ]
    module: nn.Module = classes[-1]()
    return module


def inputs(graph: Graph, seed: int = 1) -> tuple[torch.Tensor, ...]:
    """Random numbers for each input; integers are small enough for any table."""
    generator = torch.Generator().manual_seed(seed)
    values = [node.values[0] for node in graph.nodes[: graph.inputs]]
    return tuple(
        torch.randn(value.shape, generator=generator)
        if value.dtype == "float32"
        else torch.randint(0, 2, value.shape, generator=generator, dtype=getattr(torch, value.dtype))
        for value in values
    )


def outputs(module: nn.Module, *x: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """All outputs of a module in evaluation, as a tuple."""
    with torch.no_grad():
        found = module.eval()(*x)
    return found if isinstance(found, tuple) else (found,)


def random_state(module: nn.Module, seed: int = 0) -> dict[str, torch.Tensor]:
    """Weights and statistics that are neither zero nor one, so that every one of them shows in the output."""
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for name, tensor in module.state_dict().items():
        if tensor.is_floating_point():
            values = torch.rand(tensor.shape, generator=generator) - 0.5
            state[name] = (
                values.abs() + 0.5
                if name.endswith("running_var")
                else values * (0.5 if tensor.dim() > 1 else 1)
            )
        else:
            state[name] = tensor
    return state


def same(graph: Graph) -> None:
    """The exported program and `build` agree: parameter names, shapes and order, and outputs to the last bit."""
    ours, theirs = build(graph), exported(graph)
    mine, its = ours.state_dict(), theirs.state_dict()
    assert [(k, v.shape, v.dtype) for k, v in mine.items()] == [(k, v.shape, v.dtype) for k, v in its.items()]
    state = random_state(ours)
    ours.load_state_dict(state)
    theirs.load_state_dict(state)
    x = inputs(graph)
    expected, found = outputs(ours, *x), outputs(theirs, *x)
    assert len(expected) == len(found) == len(graph.outputs)
    for one, other in zip(expected, found, strict=True):
        assert torch.equal(one, other)
