"""Depth, as papers count it: layers with weights on the longest way from input to output."""

from __future__ import annotations

from ..graph import Graph

#: what papers count as layers; normalisation, pooling and activation are parts of the layer before them
COUNTED = frozenset({"convolution", "linear"})


def depth(graph: Graph) -> int:
    """Convolutional and fully connected layers on the longest path to the main output.

    So VGG-16 has 16, GoogLeNet 22 and ResNet-50 50 (Simonyan & Zisserman 2014, table 1; Szegedy et al. 2014,
    section 5: "22 layers deep when counting only layers with parameters"; He et al. 2015, table 1).
    """
    longest: list[int] = []
    for node in graph.nodes:
        sources = node.inputs
        before = longest[sources[0]] if len(sources) == 1 else max([longest[i] for i in sources], default=0)
        longest.append(before + 1 if node.op.category in COUNTED else before)
    return longest[graph.outputs[0]]
