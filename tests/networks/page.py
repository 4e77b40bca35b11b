"""docs/networks.md, written from the specs."""

from __future__ import annotations

import re
from collections.abc import Iterator

from archinspect import units
from archinspect.analysis import analyse
from archinspect.check.reading import published
from archinspect.graph import Graph
from archinspect.initializers import initialization
from archinspect.report.networks import challenge_results, paper

from .zoo import PUBLISHED, network

PAGE = """<!-- Written by `python -m tests.networks` from the specs themselves; do not edit. -->

# The networks that ship

Each is a file of [specs](../specs), as short as its paper's own table; a test holds it against the paper's figures, the
released code's, and the real PyTorch module. `archinspect list` prints this table, `--family NAME` a part of it and
`--sort params` another order; a network is used by its name:

```sh
archinspect params resnet50
archinspect flops mobilenet_v1 --set width_multiplier=0.5 --input 3x160x160
```

Input is channels × height × width, or the number of tokens; MACs are multiply-accumulates for one of them, and depth
counts convolutional and linear layers on the longest way ([counting](counting.md)). The last column is the top-5 error
of the entry in ImageNet's challenge that the network stood for.
{families}
## What figures disagree, and why

- **VGG-16 has 15.3 or 15.5 G MACs**: without or with its fully connected layers. The ResNet paper uses both counts in
  one sentence.
- **ResNet-50 has 3.8 or 4.1 G MACs**: the paper halves the map in the first 1×1 convolution of a stage, most code in
  the 3×3. Parameters are the same.
- **GoogLeNet has 6.8, 7.0 or 6.6 M parameters**: table 1's rounded column; its own filters, as in Caffe; torchvision,
  whose 5×5 branch has 3×3 filters.
- **AlexNet has 61.0, 62.4 or 61.1 M parameters**: with the two GPUs' groups, as one tower, or as torchvision's later
  variant.
- **Keras counts more**: it adds running statistics (what it calls non-trainable), and biases in its ResNets.
- **Inception-ResNet-v2 has 13.2 G MACs**; the SENet paper prints 11.75 G, which no released network has.
"""


def page() -> str:
    families: dict[str, list[Graph]] = {}
    for name in PUBLISHED:
        graph = network(name)
        families.setdefault(str(graph.metadata["family"]), []).append(graph)
    ordered = sorted(families.values(), key=lambda graphs: min(_order(graph) for graph in graphs))
    return PAGE.format(families="".join(line + "\n" for graphs in ordered for line in _family(graphs)))


def _order(graph: Graph) -> tuple[int, int, str]:
    return graph.metadata["year"], analyse(graph).totals.params, graph.name


def _family(graphs: list[Graph]) -> Iterator[str]:
    results = challenge_results(figure for ledger in published() for figure in ledger.figures)
    yield ""
    yield f"## {graphs[0].metadata['family']}"
    yield ""
    yield "| network | year | paper | input | params | MACs | depth | ILSVRC top-5 |"
    yield "| --- | --- | --- | --- | ---: | ---: | ---: | --- |"
    notes = []
    for graph in sorted(graphs, key=_order):
        totals = analyse(graph).totals
        result = results.get(graph.metadata.get("ilsvrc", ""))
        cells = (
            f"[{graph.name}](../specs/{graph.name}.yaml)",
            graph.metadata["year"],
            _link(paper(graph.metadata["source"])),
            " and ".join(units.shape_text(node.output_shape[1:]) for node in graph.nodes[: graph.inputs]),
            units.grouped(totals.params),
            units.grouped(totals.macs),
            totals.depth,
            f"{result.value.text} ({', '.join(filter(None, [result.event, result.entry]))})"
            if result
            else "",
        )
        yield f"| {' | '.join(map(str, cells))} |"
        settings = ", ".join(f"`{name}={_value(value)}`" for name, value in graph.arguments.items())
        text = f"{graph.metadata['source']}. {graph.metadata.get('notes', '')}".rstrip()
        start = initialization(graph)
        if start.source or start.rules:
            rules = "; ".join(f"`{rule.target}: {rule}`" for rule in start.rules)
            origin = f" as in {start.source}" if start.source else ""
            text += f" Weights start{origin}{f': {rules}' if rules else ''}."
        notes.append(f"- **{graph.metadata['title']}**: {text} Arguments: {settings}.")
    yield ""
    yield from notes


def _link(text: str) -> str:
    return f"[{text}](https://arxiv.org/abs/{text})" if re.fullmatch(r"\d{4}\.\d{4,5}", text) else text


def _value(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
