"""Depth, as papers count it: layers with weights on the longest way from input to output."""

from __future__ import annotations

from ..graph import Graph, Node

#: what papers count as layers; normalisation, pooling and activation are parts of the layer before them.  An attention
#: is two fully connected layers one after the other: queries, keys and values, then the output.
COUNTED = {"convolution": 1, "linear": 1}
ATTENTION = {"multihead_attention": 2}


def depth(graph: Graph) -> int:
    """Convolutional and fully connected layers on the longest path to the main output.

    So VGG-16 has 16, GoogLeNet 22 and ResNet-50 50 (Simonyan & Zisserman 2014, table 1; Szegedy et al. 2014,
    section 5: "22 layers deep when counting only layers with parameters"; He et al. 2015, table 1).  A gate, which
    multiplies a map by one factor a channel, is beside the path: SENet-154 has 154 (Hu et al. 2017).
    """
    longest: list[int] = []
    for node in graph.nodes:
        op, sources = node.op, node.inputs
        before = (
            longest[sources[0]] if len(sources) == 1 else max([longest[i] for i in _path(node)], default=0)
        )
        # A product of two activations has no weights, and is no layer that papers count.
        layers = COUNTED.get(op.category, 0) if node.parameters is None or node.parameters else 0
        longest.append(before + layers + ATTENTION.get(op.type, 0))
    return longest[graph.outputs[0]] if graph.outputs else 0


def _path(node: Node) -> tuple[int, ...]:
    """The inputs of a join that are no gates."""
    if node.op.type != "multiply":
        return node.inputs
    pairs = zip(node.inputs, node.input_shapes, strict=True)
    return tuple(index for index, shape in pairs if shape == node.output_shape) or node.inputs
