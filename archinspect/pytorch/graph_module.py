"""A graph as a real PyTorch module, ready to run, train, compile, export, copy and pickle."""

from __future__ import annotations

import operator
from typing import Any

import torch
from torch import fx, nn

from ..errors import fail
from ..graph import Graph, Node, refuse_parameters_only
from ..ops import TorchCall
from .construct import construct, target
from .initialization import Starts
from .names import class_name
from .weights import Weights, load_weights


def build(
    graph: Graph, *, device: str | torch.device = "cpu", weights: Weights | None = None
) -> fx.GraphModule:
    """The network as a `torch.fx.GraphModule`, in training mode as PyTorch makes all modules.

    Submodules stand at their scope paths, so that the keys of its `state_dict` are the names of the spec, and
    `print(module.code)` shows the forward pass line by line.  The forward takes a tensor of the spec's input shape,
    with any batch size, or one for each input, and returns the main output; with more outputs it returns a tuple, the
    main output first.  A layer that is called again is one module, tensors that layers share are one parameter.

    Weights start as the spec's `init` says, and as PyTorch starts them where it says nothing; or they are read from
    `weights`, a file or a `state_dict` of ours or of other people's (see `weights.load_weights`).  On `device="meta"`
    no weight is allocated.

    Raises ArchinspectError: A207 for an initialiser that does not suit its weight, A209 for a layer with a name that
    the module needs itself, A403 and A406 for a device that there is not, A501 to A503 for weights that cannot be
    read or do not fit.
    """
    refuse_parameters_only(graph, "a module")
    if graph.source is not None:
        raise fail(
            "A403",
            f"'{graph.name}' is not built: it comes from a module or a file, and not from a spec",
            help="use the module itself; export('net.yaml') writes a spec, which can be built",
        )
    device = _device(device)
    root = nn.Module()
    starts = Starts(graph) if weights is None and device.type != "meta" else None
    for node in graph.layers:
        call = node.op.torch_call(node.input_shapes)
        if call.is_module and not node.module:
            # What is read or set later needs no start: drawing it twice would take as long again.
            with device if starts is not None and not starts.cover(node) else torch.device("meta"):
                _place(root, node, construct(call))
    _tie(root, graph)
    module = fx.GraphModule(root, _forward(graph), class_name=class_name(graph))
    if device.type != "meta":
        _allocate(module, device)
    if weights is not None:
        load_weights(module, graph, weights)
    elif starts is not None:
        starts.apply(module)
    return module


def _device(name: str | torch.device) -> torch.device:
    try:
        device = torch.device(name)
    except RuntimeError:
        raise fail("A403", f"torch knows no device '{name}'", help="for example cpu, cuda or meta") from None
    if device.type in ("cpu", "meta"):
        return device
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:  # as its backend says it
        first = str(error).strip().split("\n")[0]
        raise fail("A406", f"there is no device '{name}' here", notes=[first], help="device='cpu'") from None
    return device


def _tie(root: nn.Module, graph: Graph) -> None:
    """Make tensors that several layers share one parameter."""
    for parameter in graph.parameters:
        for name in parameter.names[1:]:
            holder, _, last = name.rpartition(".")
            shared = root.get_parameter(parameter.name)
            setattr(root.get_submodule(holder), last, shared)


def _allocate(module: nn.Module, device: torch.device) -> None:
    """Give what is on the meta device memory, as `Module.to_empty` does in half a second more."""
    made: dict[int, nn.Parameter] = {}  # tensors that layers share stay one
    for part in module.modules():
        for name, parameter in list(part.named_parameters(recurse=False)):
            if not parameter.is_meta:
                continue
            if id(parameter) not in made:
                empty = torch.empty(parameter.shape, dtype=parameter.dtype, device=device)
                made[id(parameter)] = nn.Parameter(empty)
            setattr(part, name, made[id(parameter)])
        for name, buffer in list(part.named_buffers(recurse=False)):
            if buffer.is_meta:
                setattr(part, name, torch.empty(buffer.shape, dtype=buffer.dtype, device=device))


def _place(root: nn.Module, node: Node, layer: nn.Module) -> None:
    """Hang a layer at its path below the root; scopes on the way are made as they are met."""
    *scopes, name = node.name.split(".")
    holder = root
    for scope in scopes:
        if scope not in holder._modules:
            _refuse_collision(holder, scope, node)
            holder.add_module(scope, nn.Module())
        holder = holder.get_submodule(scope)
    _refuse_collision(holder, name, node)
    holder.add_module(name, layer)


def _refuse_collision(holder: nn.Module, name: str, node: Node) -> None:
    if hasattr(holder, name) or name in _OF_GRAPH_MODULES:
        raise fail(
            "A209", f"'{name}' in {node.name} is an attribute of PyTorch's modules", help=f"e.g. {name}_"
        )


_OF_GRAPH_MODULES = frozenset(dir(fx.GraphModule(nn.Module(), fx.Graph())))


def _forward(graph: Graph) -> fx.Graph:
    """The steps of the forward pass; each is named by its layer's path."""
    steps = fx.Graph()
    names = ["x"] if graph.inputs == 1 else [node.name for node in graph.nodes[: graph.inputs]]
    values: list[fx.Node] = [steps.placeholder(name) for name in names]
    parts: dict[tuple[int, int], fx.Node] = {}

    def read(index: int, port: int) -> fx.Node:
        """One output of a step."""
        node = graph.nodes[index]
        call = node.op.torch_call(node.input_shapes) if index >= graph.inputs else None
        if call is None or not call.outputs:
            return values[index]
        if (index, port) not in parts:
            found = values[index]
            for place in call.outputs[port]:
                found = steps.call_function(operator.getitem, (found, place))
            parts[index, port] = found
        return parts[index, port]

    for node in graph.layers:
        call = node.op.torch_call(node.input_shapes)
        ports = node.ports or (0,) * len(node.inputs)
        inputs = [read(index, port) for index, port in zip(node.inputs, ports, strict=True)]
        name = node.name.replace(".", "_")
        if call.is_module:
            value = steps.create_node("call_module", node.module or node.name, tuple(inputs), name=name)
        elif call.as_list:
            value = _call(steps, call, (inputs, *call.args), name)
        elif call.fold:
            value = inputs[0]
            for other in inputs[1:]:
                value = _call(steps, call, (value, other, *call.args), name)
                value.meta["layer"] = node.name
        else:
            value = _call(steps, call, (*inputs, *call.args), name)
        value.meta["layer"] = node.name  # which the name of a step may not tell
        values.append(value)
    ports = graph.output_ports or (0,) * len(graph.outputs)
    outputs = tuple(read(index, port) for index, port in zip(graph.outputs, ports, strict=True))
    steps.output(outputs if len(outputs) > 1 else outputs[0])
    return steps


def _call(steps: fx.Graph, call: TorchCall, args: tuple[Any, ...], name: str) -> fx.Node:
    return steps.create_node("call_function", target(call), args, dict(call.kwargs), name=name)
