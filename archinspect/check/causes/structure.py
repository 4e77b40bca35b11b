"""What can go wrong in counting a layer: other widths, kernels, biases.

A count is explained by changing one attribute of one layer; the explanation stands only when the changed count is
exactly the printed one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import prod

from ...graph import Graph, Node
from ..equations import Weights
from ..quantities import kernel, params
from ..select import has_weights

_KERNELS = (1, 2, 3, 5, 7, 11)


@dataclass(frozen=True)
class Variation:
    """A count that comes out when one attribute is another, and the words for it."""

    count: int
    words: str


def described(node: Node) -> Weights:
    """A layer of the network in the terms of a printed derivation; its widths per group."""
    weight = next(shape for shape in node.weights.values() if len(shape) >= 2)
    bias = "bias" in node.weights
    outputs, inputs = weight[0], weight[1]
    if node.op.type == "conv_transpose2d":
        inputs, outputs = weight[0], weight[1] * int(getattr(node.op, "groups", 1))
    return Weights(kernel(node) if len(weight) > 2 else (), inputs, outputs, bias)


def is_described(node: Node) -> bool:
    """Whether these terms say all of the layer's parameters: attention has several weights, and no one kernel."""
    return has_weights(node) and described(node).count == params((node,))


def widths(graph: Graph) -> dict[int, str]:
    """Every number of channels or features of the network → a layer that has it."""
    found: dict[int, str] = {}
    for node in graph.layers:
        if has_weights(node):
            layer = described(node)
            found.setdefault(layer.outputs, f"{node.name}'s width")
            found.setdefault(layer.inputs, f"{node.name}'s input width")
    return found


def variations(layer: Weights, known: Mapping[int, str]) -> Iterator[Variation]:
    """Counts of a layer with one attribute changed, the likeliest mistakes first."""
    if layer.bias:
        yield Variation(replace(layer, bias=False).count, f"leaving out the {layer.outputs:,} biases")
    else:
        yield Variation(replace(layer, bias=True).count, f"adding {layer.outputs:,} biases")
    if layer.bias and layer.inputs != layer.outputs:
        wrong = replace(layer, bias=False).count + layer.inputs
        words = f"counting biases per input ({layer.inputs:,}) instead of per output ({layer.outputs:,})"
        yield Variation(wrong, words)
    area = prod(layer.kernel)
    if area > 1:
        name = "×".join(map(str, layer.kernel))
        yield Variation(replace(layer, kernel=(1,)).count, f"leaving out the {name} kernel area")
        one = replace(layer, kernel=layer.kernel[:1])
        yield Variation(one.count, f"counting {layer.kernel[0]} instead of {name}")
        twice = layer.kernel + layer.kernel
        yield Variation(replace(layer, kernel=twice).count, f"counting the {name} kernel area twice")
    if layer.kernel:
        for size in _KERNELS:
            if (size, size) != layer.kernel:
                words = f"a {size}×{size} kernel instead of {'×'.join(map(str, layer.kernel))}"
                yield Variation(replace(layer, kernel=(size, size)).count, words)
    yield from _other_widths(layer, known)


def _other_widths(layer: Weights, known: Mapping[int, str]) -> Iterator[Variation]:
    for width, owner in known.items():
        if width != layer.inputs:
            words = f"input width {width:,} ({owner}) instead of {layer.inputs:,}"
            yield Variation(replace(layer, inputs=width).count, words)
        if width != layer.outputs:
            words = f"width {width:,} ({owner}) instead of {layer.outputs:,}"
            yield Variation(replace(layer, outputs=width).count, words)


def differences(said: Weights, real: Weights, groups: int = 1) -> list[str]:
    """The attributes in which a described layer is not the network's, in words."""
    words = []
    if groups > 1 and said.inputs == real.inputs * groups:
        words.append(f"without its {groups:,} groups")
        said = replace(said, inputs=real.inputs)
    if said.kernel != real.kernel and prod(said.kernel) != prod(real.kernel):
        shapes = ["×".join(map(str, layer.kernel)) or "no" for layer in (said, real)]
        words.append(f"{shapes[0]} kernel, not {shapes[1]}")
    # A fully connected layer may be written with its input's height and width apart.
    if prod(said.kernel) * said.inputs != prod(real.kernel) * real.inputs and said.inputs != real.inputs:
        words.append(f"input width {said.inputs:,}, not {real.inputs:,}")
    if said.outputs != real.outputs:
        words.append(f"width {said.outputs:,}, not {real.outputs:,}")
    if said.bias != real.bias:
        words.append(f"{said.outputs:,} biases, and it has none" if said.bias else "no bias, and it has one")
    return words
