"""The real module as a witness: its parameters, and each layer's shape and work as it runs."""

from __future__ import annotations

from typing import Any

import torch
from torch import fx, nn
from torch.utils.flop_counter import FlopCounterMode

from ...graph import Graph
from ...ops import Shape
from .replicas import on_meta
from .testimony import Observation, State, Step

#: What running a network that does not fit together can raise.
MISFITS = (RuntimeError, ValueError, TypeError, IndexError, AttributeError, AssertionError)


def state(module: nn.Module) -> State:
    """Shapes of all parameters and buffers."""
    return State(
        {name: tuple(p.shape) for name, p in module.named_parameters(remove_duplicate=False)},
        {name: tuple(b.shape) for name, b in module.named_buffers()},
    )


def observe(module: fx.GraphModule, graph: Graph) -> Observation:
    """Run a replica of the module on the meta device, with the graph's inputs, and watch each step.

    A module call is the layer of its path.  Function calls are taken in order: a join of n branches makes n − 1.
    """
    replica = on_meta(module)
    assert isinstance(replica, fx.GraphModule)
    inputs = examples(graph)
    recorder = _Recorder(replica, _layer_names(replica, graph))
    outputs: tuple[Shape, ...] = ()
    failure = ""
    with torch.no_grad(), recorder.counter:
        try:
            outputs = _shapes(recorder.run(*inputs))
        except MISFITS as error:
            failure = str(error).partition("\n\nWhile executing")[0].strip()
    return Observation(recorder.steps, outputs, recorder.current if failure else "", failure)


def examples(graph: Graph) -> list[torch.Tensor]:
    """Abstract tensors of the shapes and types of the graph's inputs."""
    values = [node.values[0] for node in graph.nodes[: graph.inputs]]
    return [torch.empty(v.shape, dtype=getattr(torch, v.dtype), device="meta") for v in values]


class _Recorder(fx.Interpreter):
    def __init__(self, module: fx.GraphModule, names: dict[fx.Node, str]) -> None:
        super().__init__(module)
        self.names = names
        self.counter = FlopCounterMode(display=False)
        self.steps: dict[str, Step] = {}
        self.current = ""

    def run_node(self, n: fx.Node) -> Any:
        if n not in self.names:
            return super().run_node(n)
        self.current = self.names[n]
        before = self.counter.get_total_flops()
        result = super().run_node(n)
        macs = (self.counter.get_total_flops() - before) // 2
        made = result
        while isinstance(made, (tuple, list)):  # an LSTM's outputs and last states
            made = made[0]
        if isinstance(made, torch.Tensor):
            done = self.steps.get(self.current)
            self.steps[self.current] = Step(tuple(made.shape), macs + (done.macs if done else 0))
        return result


def _layer_names(module: fx.GraphModule, graph: Graph) -> dict[fx.Node, str]:
    """Which layer each step of the module's code belongs to: `build` notes it; a module of others goes by order."""
    noted = {step: step.meta["layer"] for step in module.graph.nodes if "layer" in step.meta}
    if noted:
        return noted
    calls: list[str] = []
    for node in graph.layers:
        call = node.op.torch_call(node.input_shapes)
        if not call.is_module:
            calls += [node.name] * (len(node.inputs) - 1 if call.fold else 1)
    pending = iter(calls)
    names: dict[fx.Node, str] = {}
    for step in module.graph.nodes:
        if step.op == "call_module":
            names[step] = str(step.target)
        elif step.op in ("call_function", "call_method"):
            names[step] = next(pending, step.name)
    return names


def _shapes(outputs: Any) -> tuple[Shape, ...]:
    tensors = outputs if isinstance(outputs, (tuple, list)) else (outputs,)
    return tuple(tuple(tensor.shape) for tensor in tensors)
