"""How the weights of a built network start: as its spec says, as PyTorch does, or by one scheme for all layers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor, nn

from ..errors import fail, suggestion
from ..graph import Graph, Node
from .construct import construct
from .source.initialise import initialised

#: `as-published`: the spec's `init`, PyTorch's own start where it says nothing; `default`: PyTorch's own.  The others
#: set the weights of layers that multiply by them (convolutions, linear, attention, recurrent), biases of these to 0:
#: `zero`; `small`: normal, deviation 0.01; `xavier`: uniform within ±√(6 / (fan_in + fan_out)), Glorot & Bengio
#: 2010, equation 16; `he`: normal, deviation √(2 / fan_in), He et al. 2015 (arXiv:1502.01852), equation 10;
#: `orthogonal`: orthonormal rows or columns, Saxe et al. 2013 (arXiv:1312.6120).
SCHEMES = ("as-published", "default", "zero", "small", "xavier", "he", "orthogonal")

#: sets one tensor in place
Start = Callable[[Tensor], object]


def initialize(
    module: nn.Module, graph: Graph, scheme: str = "as-published", *, seed: int | None = None
) -> None:
    """Start the parameters and buffers of `build(graph)`'s module anew, in place, by one of `SCHEMES`.

    What a scheme does not set (norms, embeddings, tables of positions) starts as PyTorch starts it.  With a `seed` the
    values depend on nothing else, and the state of torch's global random generator stays as it was.

    Raises ArchinspectError: A403 for an unknown scheme or weights on the meta device, A207 for an initialiser of the
    spec that does not suit its weight.
    """
    if scheme not in SCHEMES:
        known = f"known: {', '.join(SCHEMES)}"
        help = suggestion(scheme, SCHEMES, otherwise=known)
        raise fail("A403", f"no initialisation is called '{scheme}'", help=help)
    parameter = next(module.parameters(), None)
    device = torch.device("cpu") if parameter is None else parameter.device
    if device.type == "meta":
        raise fail("A403", "weights on the meta device have no values", help="build(graph, device='cpu')")
    done: set[int] = set()  # tensors that layers share start once, as their first layer says
    with _seeded(seed, device), torch.no_grad(), device:
        for node in graph.layers:
            if node.op.torch_call(node.input_shapes).is_module and not node.module:
                _start_layer(module.get_submodule(node.name), node, _starts(node, graph, scheme), done)


def start_as_published(module: nn.Module, graph: Graph) -> None:
    """Apply the spec's `init` to a module whose layers have just been made: all else is as PyTorch starts it."""
    with torch.no_grad():
        for node in graph.layers:
            for name, start in _published(node, graph).items():
                start(module.get_parameter(f"{node.name}.{name}"))


@contextmanager
def _seeded(seed: int | None, device: torch.device) -> Iterator[None]:
    """Random numbers that depend on `seed` alone; without one those of the global generator, which moves on."""
    if seed is None:
        yield
        return
    others = {} if device.type == "cpu" else {"devices": [device], "device_type": device.type}
    with torch.random.fork_rng(**others or {"devices": []}):
        torch.manual_seed(seed)
        yield


def _start_layer(layer: nn.Module, node: Node, starts: dict[str, Start], done: set[int]) -> None:
    """Set the tensors of one layer: those that `starts` has no rule for as a new layer has them."""
    own = {**dict(layer.named_parameters()), **dict(layer.named_buffers())}
    if own.keys() - starts.keys():
        new = construct(node.op.torch_call(node.input_shapes))
        for name, tensor in (*new.named_parameters(), *new.named_buffers()):
            if name not in starts and id(own[name]) not in done:
                own[name].copy_(tensor)
    for name, start in starts.items():
        if id(own[name]) not in done:
            start(own[name])
    done.update(map(id, own.values()))


def _starts(node: Node, graph: Graph, scheme: str) -> dict[str, Start]:
    """What sets each weight of a layer; PyTorch's own start for those that are not named."""
    if scheme == "as-published":
        return _published(node, graph)
    if scheme == "default" or node.cost is None or not node.cost.macs:
        return {}
    return {name: nn.init.zeros_ if _is_bias(name) else _scheme(node, name, scheme) for name in node.weights}


def _published(node: Node, graph: Graph) -> dict[str, Start]:
    """The spec's `init` for a layer of its op: every learnt tensor except biases."""
    item = next((item for item in graph.metadata.get("init", ()) if item.op == node.op.type), None)
    if item is None:
        return {}

    def start(weight: Tensor, name: str) -> None:
        try:
            getattr(nn.init, f"{item.function}_")(weight, **item.kwargs)
        except (ValueError, RuntimeError) as error:
            raise fail(
                "A207",
                f"'{item.function}' cannot initialise {node.name}.{name} {tuple(weight.shape)}",
                notes=[str(error)],
                help=f"give another initialiser for {node.op.type}, or none",
            ) from None

    return {name: partial(start, name=name) for name in initialised(node.weights)}


def _is_bias(name: str) -> bool:
    """Whether a tensor of a layer that multiplies is added: biases, tables of attention's biases, b1 of experts."""
    return "bias" in name or name in ("b1", "b2", "b3")


def _scheme(node: Node, name: str, scheme: str) -> Start:
    """How a scheme sets one weight of a layer that multiplies by it."""

    def start(weight: Tensor) -> None:
        for matrix in _matrices(node, name, weight):
            fan_in, fan_out = fans(node, matrix)
            if scheme == "zero":
                matrix.zero_()
            elif scheme == "small":
                matrix.normal_(std=0.01)
            elif scheme == "xavier":
                bound = math.sqrt(6 / (fan_in + fan_out))
                matrix.uniform_(-bound, bound)
            elif scheme == "he":
                matrix.normal_(std=math.sqrt(2 / fan_in))
            else:
                nn.init.orthogonal_(matrix)

    return start


def _matrices(node: Node, name: str, weight: Tensor) -> list[Tensor]:
    """The matrices that one tensor packs, as views: of queries, keys and values, of gates, of experts."""
    if node.op.type == "mixture_of_experts" and weight.dim() == 3:
        return list(weight)
    if name in ("in_proj_weight", "qkv.weight"):
        return list(weight.chunk(3))
    if name.startswith(("weight_ih", "weight_hh")):
        return list(weight.chunk(getattr(node.op, "gates", 1)))
    return [weight]


def fans(node: Node, weight: Tensor) -> tuple[int, int]:
    """How many inputs each output of a layer sums, and how many outputs each input goes to.

    Groups are separate layers: with `groups=g` both are those of one group.  A transposed convolution sums
    kernel / stride inputs along each dimension.
    """
    rows, columns = weight.shape[:2]
    window = math.prod(weight.shape[2:])
    groups = getattr(node.op, "groups", 1)
    if node.op.type.startswith("conv_transpose"):
        stride = math.prod(getattr(node.op, "stride", (1,)))
        return max(1, rows // groups * window // stride), columns * window
    if node.op.type.startswith("conv"):
        return columns * window, rows // groups * window
    return columns * window, rows
