"""Every figure of every network as it was last read and found right; `pytest --update-golden` rewrites the files."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from archinspect.analysis import analyse
from archinspect.report.formats import render
from archinspect.report.layers import summary
from archinspect.report.style import Style

from .zoo import PUBLISHED, network


@pytest.mark.parametrize("name", PUBLISHED)
def test_summary(name: str, golden: Callable[[str, str], None]) -> None:
    """The folded table as people read it."""
    graph = network(name)
    golden(f"{name}.txt", render(summary(graph, analyse(graph).fold(1)), "table", Style(width=120)))


@pytest.mark.parametrize("name", PUBLISHED)
def test_layers(name: str, golden: Callable[[str, str], None]) -> None:
    """Totals, and each layer on a line: name, call, output shape, parameters, MACs, FLOPs, receptive field."""
    graph = network(name)
    analysis = analyse(graph)
    lines = [
        json.dumps([r.name, str(n.op), r.output_shape, r.params, r.macs, r.flops, r.receptive_field])
        for r, n in zip(analysis.rows, graph.layers, strict=True)
    ]
    totals = json.dumps(analysis.to_dict()["totals"], indent=1)
    golden(f"{name}.json", f'{{"totals": {totals},\n"layers": [\n' + ",\n".join(lines) + "\n]}\n")
