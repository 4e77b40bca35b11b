"""What can go wrong in counting a layer: other widths, kernels, biases.

A count is explained by changing one attribute of one layer; the explanation stands only when the changed count is
exactly the printed one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import prod

from ..graph import Graph, Node
from .equations import Weights
from .quantities import kernel, params
from .select import has_weights

_KERNELS = (1, 2, 3, 5, 7, 11)


@dataclass(frozen=True)
class Variation:
    """A count that comes out when one attribute is another, the words for it, and how rare it is (see `Hypothesis`)."""

    count: int
    words: str
    key: str
    tier: float = 2


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


def variations(
    layer: Weights, known: Mapping[int, str], groups: int = 1, map_inputs: int = 0
) -> Iterator[Variation]:
    """Counts of a layer with one attribute changed.

    `known` are the widths that could be taken by mistake; `groups` are the layer's, whose widths are per group;
    `map_inputs` the features of the map before the pooling that a fully connected layer reads.
    """
    if layer.bias:
        yield Variation(
            replace(layer, bias=False).count, f"leaving out the {layer.outputs:,} biases", "no biases", 1
        )
        one = replace(layer, bias=False).count + 1
        yield Variation(one, f"one bias for the whole layer instead of {layer.outputs:,}", "one bias a layer")
    else:
        yield Variation(replace(layer, bias=True).count, f"adding {layer.outputs:,} biases", "biases", 1)
    if layer.inputs != layer.outputs:
        wrong = replace(layer, bias=False).count + layer.inputs
        words = f"counting biases per input ({layer.inputs:,}) instead of per output ({layer.outputs:,})"
        yield Variation(wrong, words, "biases per input")
    yield from _kernels(layer)
    yield from _groups(layer, groups)
    if layer.inputs > 1:
        words = f"leaving out the {layer.inputs:,} input channels"
        yield Variation(replace(layer, inputs=1).count, words, "no input channels")
    if map_inputs:
        words = f"counting the {map_inputs:,} values before the pooling instead of {layer.inputs:,} inputs"
        yield Variation(replace(layer, kernel=(), inputs=map_inputs).count, words, "before the pooling")
    for times, words in ((2, "a scale and a shift"), (4, "a scale, a shift and two running statistics")):
        for width, end in ((layer.outputs, "output"), (layer.inputs, "input")):
            said = f"adding {words} for each of {width:,} {end} channels (BatchNorm's)"
            yield Variation(layer.count + times * width, said, f"BatchNorm {times} {end}", 2.5)
    yield from _other_widths(layer, known)


def _kernels(layer: Weights) -> Iterator[Variation]:
    area = prod(layer.kernel)
    if area > 1:
        name = "×".join(map(str, layer.kernel))
        yield Variation(replace(layer, kernel=(1,)).count, f"leaving out the {name} kernel area", "no kernel")
        one = replace(layer, kernel=layer.kernel[:1])
        yield Variation(one.count, f"counting {layer.kernel[0]} instead of {name}", "kernel side")
        twice = layer.kernel + layer.kernel
        yield Variation(
            replace(layer, kernel=twice).count, f"counting the {name} kernel area twice", "kernel twice"
        )
    if layer.kernel:
        for size in _KERNELS:
            other = (size,) * len(layer.kernel)
            if other != layer.kernel:
                words = f"a {'×'.join(map(str, other))} kernel instead of {'×'.join(map(str, layer.kernel))}"
                yield Variation(replace(layer, kernel=other).count, words, f"kernel {size}")


def _groups(layer: Weights, groups: int) -> Iterator[Variation]:
    if groups > 1:
        kind = "depthwise" if layer.inputs == 1 else f"{groups:,} groups"
        words = f"counting it as a full convolution, not {kind}"
        yield Variation(replace(layer, inputs=layer.inputs * groups).count, words, "groups ignored", 1)
    elif layer.kernel:
        for number in (2, 32):
            if layer.inputs % number == 0 and layer.inputs > number:
                words = f"in {number} groups instead of 1"
                yield Variation(
                    replace(layer, inputs=layer.inputs // number).count, words, f"{number} groups", 2.5
                )


def _other_widths(layer: Weights, known: Mapping[int, str]) -> Iterator[Variation]:
    for width, owner in known.items():
        if width not in (1, layer.inputs):  # 1 leaves the input channels out
            words = f"input width {width:,} ({owner}) instead of {layer.inputs:,}"
            yield Variation(replace(layer, inputs=width).count, words, f"input width {width}")
        if width != layer.outputs:
            words = f"width {width:,} ({owner}) instead of {layer.outputs:,}"
            yield Variation(replace(layer, outputs=width).count, words, f"width {width}")


def differences(said: Weights, real: Weights, groups: int = 1) -> list[str]:
    """The attributes in which a described layer is not the network's, in words."""
    words = []
    if groups > 1 and said.inputs == real.inputs * groups:
        words.append(f"without its {groups:,} groups")
        said = replace(said, inputs=real.inputs)
    if real.kernel and prod(said.kernel) != prod(real.kernel):
        shapes = ["×".join(map(str, layer.kernel)) or "1×1" for layer in (said, real)]
        words.append(f"{shapes[0]} kernel, not {shapes[1]}")
    # A fully connected layer may be written with its input's height and width apart.
    reads = (prod(said.kernel) if not real.kernel else 1) * said.inputs
    if reads != real.inputs:
        words.append(f"input width {reads:,}, not {real.inputs:,}")
    if said.outputs != real.outputs:
        words.append(f"width {said.outputs:,}, not {real.outputs:,}")
    if said.bias and not real.bias:
        words.append(f"{said.outputs:,} biases, and it has none")
    if real.bias and not said.bias:
        words.append(f"its {real.outputs:,} biases are left out")
    return words
