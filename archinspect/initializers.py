"""How weights start, as data: the initialisers of torch.nn.init, and which tensors of a network each is for.

A spec's `init` becomes an `Initialization`, which the language checks, the builder applies and the exporter writes.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping
from functools import cached_property
from math import prod
from typing import Any

from .errors import fail
from .graph import Graph, Node
from .ops import REGISTRY
from .ops.base import Shape

#: torch.nn.init's functions without their trailing underscore, and the arguments they take
INITIALIZERS: dict[str, tuple[str, ...]] = {
    "constant": ("val",),
    "kaiming_normal": ("a", "mode", "nonlinearity"),
    "kaiming_uniform": ("a", "mode", "nonlinearity"),
    "normal": ("mean", "std"),
    "ones": (),
    "orthogonal": ("gain",),
    "trunc_normal": ("mean", "std", "a", "b"),
    "uniform": ("a", "b"),
    "xavier_normal": ("gain",),
    "xavier_uniform": ("gain",),
    "zeros": (),
}
#: arguments that are words, and the words
WORDS = {
    "mode": ("fan_in", "fan_out"),
    "nonlinearity": ("relu", "leaky_relu", "linear", "tanh", "sigmoid"),
}
#: names that an argument may compute with, beside the network's own arguments
FANS = ("fan_in", "fan_out")
#: targets that are for all layers that multiply by their weights: convolutions, linear, attention, recurrent ones
EVERYWHERE = ("weight", "bias")


class Rule:
    """One line of a spec's `init`: the tensors that it is for, and the function of torch.nn.init that starts them.

    `target` is `weight` or `bias`, an op, a tensor of an op (`linear.bias`), or the path of a layer or scope, with
    `{n}` for a part of a name.  Arguments are numbers and words, or expressions of the spec language over `FANS` and
    the network's arguments.
    """

    def __init__(self, target: str, function: str, arguments: Mapping[str, Any]) -> None:
        self.target = target
        self.function = function
        self.arguments = arguments

    def is_for(self, node: Node, tensor: str) -> bool:
        """Whether it starts this tensor of this layer.  A target that names no tensor is for all but biases."""
        if self.target in EVERYWHERE:
            multiplies = node.cost is not None and node.cost.macs > 0
            return multiplies and (is_bias(tensor) if self.target == "bias" else is_factor(node, tensor))
        op, _, named = self.target.partition(".")
        if op in REGISTRY:
            return node.op.type == op and (
                self._pattern.fullmatch(tensor) is not None if named else not is_bias(tensor)
            )
        path = f"{node.name}.{tensor}"
        found = self._pattern.match(path)
        return found is not None and (found.end() == len(path) or not is_bias(tensor))

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        """What the target looks like: a tensor of an op, or a path up to a dot."""
        op, _, named = self.target.partition(".")
        return re.compile(pattern(named) if op in REGISTRY else rf"{pattern(self.target)}(?=\.|\Z)")

    @property
    def names(self) -> frozenset[str]:
        """What its arguments compute with."""
        given = [value.names for value in self.arguments.values() if not isinstance(value, (int, float, str))]
        return frozenset().union(*given)

    @cached_property
    def varying(self) -> tuple[str, ...]:
        """The arguments that depend on a layer's fans."""
        return tuple(
            name
            for name, value in self.arguments.items()
            if not isinstance(value, (int, float, str)) and not value.names.isdisjoint(FANS)
        )

    def values(self, names: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments as numbers and words; `names` are what arithmetic may compute with."""
        return {
            name: value if isinstance(value, (int, float, str)) else value.evaluate(names)
            for name, value in self.arguments.items()
        }

    def written(self, arguments: Mapping[str, Any]) -> dict[str, str]:
        """The arguments as Python writes them, with the values of the network's arguments in place of their names."""
        return {name: _written(value, arguments) for name, value in self.arguments.items()}

    def __str__(self) -> str:
        return called(self.function, self.written({}))


class Initialization:
    """How a network starts: rules, of which the last that is for a tensor counts, and where they come from."""

    def __init__(self, rules: tuple[Rule, ...] = (), source: str = "") -> None:
        self.rules = rules
        self.source = source

    def within(self, arguments: Iterable[str]) -> Initialization:
        """The rules that a network of these arguments can have too."""
        known = {*FANS, *arguments}
        return Initialization(tuple([rule for rule in self.rules if rule.names <= known]), self.source)

    def rule(self, node: Node, tensor: str) -> Rule | None:
        """The rule that starts a tensor; None leaves it to PyTorch."""
        return next((rule for rule in reversed(self.rules) if rule.is_for(node, tensor)), None)


def initialization(graph: Graph) -> Initialization:
    """How a graph's spec says that it starts."""
    found = graph.metadata.get("init")
    return found if isinstance(found, Initialization) else Initialization()


def starting_rules(graph: Graph) -> dict[str, Rule | None]:
    """The rule of every learnable tensor by its path; one that layers share starts as its first layer says."""
    start, found = initialization(graph), dict[str, Rule | None]()
    for node in graph.layers:
        if node.module:  # a second call
            continue
        for tensor in node.weights:
            shared = (node.parameters or {}).get(tensor)
            path = f"{node.name}.{tensor}"
            if shared is None or shared.name == path:
                found[path] = start.rule(node, tensor)
    return found


def numbers(rule: Rule, node: Node, tensor: str, graph: Graph) -> dict[str, Any]:
    """A rule's arguments for one tensor.  Raises ArchinspectError (A207) where one has no value."""
    names = dict(graph.arguments)
    if rule.varying:
        names.update(zip(FANS, fans(node, _weight_shape(node, tensor)), strict=True))
    try:
        found = rule.values(names)
        for name, value in found.items():
            if name not in WORDS and (isinstance(value, bool) or not isinstance(value, (int, float))):
                raise ValueError(f"{name} is {value!r}, and no number")
    except Exception as error:  # noqa: BLE001  as the language's arithmetic or a number says it
        raise fail(
            "A207",
            f"'{rule}' has no value for {node.name}.{tensor}",
            notes=[str(error)],
            help=f"give another initialiser for {rule.target}",
        ) from None
    return found


def is_bias(tensor: str) -> bool:
    """Whether a layer adds a tensor of this name: a bias, b1 of a mixture's experts."""
    last = tensor.rpartition(".")[2]
    return last.endswith("bias") or last.startswith(("bias_ih_", "bias_hh_")) or last in ("b1", "b2", "b3")


def is_factor(node: Node, tensor: str) -> bool:
    """Whether a layer multiplies what comes in by this tensor: weights of convolutions, linear layers, attention."""
    if node.cost is None or not node.cost.macs or len(node.weights[tensor]) < 2:
        return False
    return not is_bias(tensor) and "bias" not in tensor


def _weight_shape(node: Node, tensor: str) -> Shape:
    """The shape whose fans a tensor has: its own, and for a vector that of the weight beside it."""
    shape = node.weights[tensor]
    if len(shape) > 1:
        return shape
    return next((each for name, each in node.weights.items() if len(each) > 1), shape)


def fans(node: Node, shape: Iterable[int]) -> tuple[int, int]:
    """How many inputs each output of a layer sums, and how many outputs each input goes to, by its weight's shape.

    Groups are separate layers: with `groups=g` both are those of one group.  A transposed convolution sums
    kernel / stride inputs along each dimension.
    """
    sizes = tuple(shape)
    if node.op.type == "mixture_of_experts" and len(sizes) == 3:
        sizes = sizes[1:]  # of one expert
    rows, columns, window = sizes[0], prod(sizes[1:2]), prod(sizes[2:])
    groups = getattr(node.op, "groups", 1)
    if node.op.family == "conv_transpose":
        stride = prod(getattr(node.op, "stride", (1,)))
        return max(1, rows // groups * window // stride), columns * window
    if node.op.family == "conv":
        return columns * window, rows // groups * window
    return columns * window, rows


def called(function: str, arguments: Mapping[str, str]) -> str:
    """A call as a spec writes it."""
    return f"{function}({', '.join(f'{name}={text}' for name, text in arguments.items())})"


def _written(value: Any, arguments: Mapping[str, Any]) -> str:
    if isinstance(value, (int, float, str)):
        return repr(value)
    if arguments and value.names <= arguments.keys():
        return repr(value.evaluate(arguments))
    return ast.unparse(_Settled(arguments).visit(ast.parse(value.text.strip(), mode="eval")))


class _Settled(ast.NodeTransformer):
    """Puts values in place of names."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = values

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return ast.Constant(self.values[node.id]) if node.id in self.values else node


def pattern(path: str) -> str:
    """The regular expression of a path in which `{n}` stands for a part of a name."""
    literals = re.split(r"\{[A-Za-z_]\w*\}", path)
    return "[A-Za-z0-9_]+?".join(map(re.escape, literals))
