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
from ..initializers import Rule, fans, is_bias, is_factor, numbers, starting_rules
from .construct import construct

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
        help = suggestion(scheme, SCHEMES, otherwise=f"known: {', '.join(SCHEMES)}")
        raise fail("A403", f"no initialisation is called '{scheme}'", help=help)
    parameter = next(module.parameters(), None)
    device = torch.device("cpu") if parameter is None else parameter.device
    if device.type == "meta":
        raise fail("A403", "weights on the meta device have no values", help="build(graph, device='cpu')")
    plan = Starts(graph, scheme)
    done: set[int] = set()  # tensors that layers share start once, as their first layer says
    with _seeded(seed, device), torch.no_grad(), device:
        for node in graph.layers:
            if node.op.torch_call(node.input_shapes).is_module and not node.module:
                _start_layer(module.get_submodule(node.name), node, plan.of(node), done)


class Starts:
    """What sets each tensor of a graph's layers, by a scheme."""

    def __init__(self, graph: Graph, scheme: str = "as-published") -> None:
        self.graph = graph
        self.scheme = scheme
        self._rules = starting_rules(graph) if scheme == "as-published" else {}

    def of(self, node: Node) -> dict[str, Start]:
        """By the layer's names of its tensors; those that are not named start as PyTorch starts them."""
        if self.scheme == "as-published":
            rules = {name: self._rules.get(f"{node.name}.{name}") for name in node.weights}
            return {name: partial(self._published, node, name, rule) for name, rule in rules.items() if rule}
        if self.scheme == "default" or node.cost is None or not node.cost.macs:
            return {}
        found: dict[str, Start] = {name: nn.init.zeros_ for name in node.weights if is_bias(name)}
        factors = [name for name in node.weights if is_factor(node, name)]
        return found | {name: partial(_by_scheme, self.scheme, node, name) for name in factors}

    def cover(self, node: Node) -> bool:
        """Whether no tensor of a layer stays as its constructor makes it: each is set here, or another layer's."""
        named = self.of(node)
        given = node.parameters or {}
        return (
            bool(node.weights)
            and not node.buffers
            and all(
                name in named or (name in given and given[name].name != f"{node.name}.{name}")
                for name in node.weights
            )
        )

    def apply(self, module: nn.Module) -> None:
        """Set the tensors of a module whose layers have just been made."""
        with torch.no_grad():
            for node in self.graph.layers:
                if not node.module:
                    for name, start in self.of(node).items():
                        start(module.get_parameter(f"{node.name}.{name}"))

    def _published(self, node: Node, name: str, rule: Rule, weight: Tensor) -> None:
        """Apply a rule of the spec to one tensor."""
        given = numbers(rule, node, name, self.graph)
        try:
            getattr(nn.init, f"{rule.function}_")(weight, **given)
        except (ValueError, RuntimeError) as error:
            raise fail(
                "A207",
                f"'{rule.function}' cannot initialise {node.name}.{name} {tuple(weight.shape)}",
                notes=[str(error)],
                help=f"give another initialiser for {rule.target}, or none",
            ) from None
        padding = getattr(node.op, "padding_idx", None)
        if padding is not None:
            weight[padding].zero_()


@contextmanager
def _seeded(seed: int | None, device: torch.device) -> Iterator[None]:
    """Random numbers that depend on `seed` alone; without one those of the global generator, which moves on."""
    if seed is None:
        yield
        return
    if device.type == "cpu":
        forked = torch.random.fork_rng(devices=[])
    else:
        forked = torch.random.fork_rng(devices=[device], device_type=device.type)
    with forked:
        torch.manual_seed(seed)
        yield


def _start_layer(layer: nn.Module, node: Node, starts: dict[str, Start], done: set[int]) -> None:
    """Set the tensors of one layer: those that `starts` does not name as a new layer has them."""
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


def _by_scheme(scheme: str, node: Node, name: str, weight: Tensor) -> None:
    """Set one weight of a layer that multiplies by it."""
    for matrix in _matrices(node, name, weight):
        fan_in, fan_out = fans(node, matrix.shape)
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


def _matrices(node: Node, name: str, weight: Tensor) -> list[Tensor]:
    """The matrices that one tensor packs, as views: of queries, keys and values, of gates, of experts."""
    if node.op.type == "mixture_of_experts" and weight.dim() == 3:
        return list(weight)
    if name in ("in_proj_weight", "qkv.weight"):
        return list(weight.chunk(3))
    if name.startswith(("weight_ih", "weight_hh")):
        return list(weight.chunk(getattr(node.op, "gates", 1)))
    return [weight]
