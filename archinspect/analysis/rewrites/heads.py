"""Fully connected heads as global average pooling and one classifier.

Lin et al. 2013, arXiv:1312.4400, section 3.2; so GoogLeNet and ResNet end.
"""

from __future__ import annotations

from ...graph import Graph
from ...ops.linear import Linear
from ...ops.pooling import AdaptiveAvgPool2d
from ...ops.shaping import Flatten
from .assemble import Part
from .site import Options, Site


def find_heads(graph: Graph, options: Options) -> list[Site]:
    """Flattened maps larger than 1×1 that go through fully connected layers: pooled, only the last of these stays."""
    sites = []
    for index, node in enumerate(graph.nodes):
        if (
            not isinstance(node.op, Flatten)
            or len(node.input_shapes[0]) != 4
            or node.input_shapes[0][2:] == (1, 1)
        ):
            continue
        after = _path(graph, index)
        linear = [i for i in after if isinstance(graph.nodes[i].op, Linear)]
        if not linear or len(node.output_shape) != 2:
            continue
        last = graph.nodes[linear[-1]]
        dropped = after[: after.index(linear[-1])]
        channels, rows, columns = node.input_shapes[0][1:]
        widths = [str(graph.nodes[i].output_shape[1]) for i in linear]
        sites.append(
            Site(
                path=node.name,
                before=f"{channels}×{rows}×{columns} → {' → '.join(widths)}",
                after=f"{channels} means → {widths[-1]}",
                end_before=last.name,
                end_after=last.name,
                changes={
                    index: (Part("pool", AdaptiveAvgPool2d.of(1)), Part("flatten", node.op)),
                    **dict.fromkeys(dropped, ()),
                },
            )
        )
    return sites


def _path(graph: Graph, index: int) -> list[int]:
    """The layers after one, as long as each has a single reader of a single input."""
    found: list[int] = []
    current = index
    while len(graph.consumers[current]) == 1 and current not in graph.outputs:
        current = graph.consumers[current][0]
        if len(graph.nodes[current].inputs) != 1:
            break
        found.append(current)
    return found
