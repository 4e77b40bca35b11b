"""Tables that tell the truth about every layer of a network: none of their numbers may be called wrong."""

from __future__ import annotations

import pytest

from archinspect.analysis import analyse
from archinspect.check.judge import judge
from archinspect.check.reading import read_text
from archinspect.frontends.spec import load_graph, shipped

FEW = (
    "alexnet_grouped",
    "densenet121",
    "googlenet",
    "mobilenet_v1",
    "siamese",
    "squeezenet1_0",
    "vit_b_16",
    "zfnet",
)
HEAD = """source: a table that tells the truth
model: {name}
sections:
  - section: "1"
    title: Layers
    items:
      - table: layers
        columns: {{Layer: layer, Output: output_shape, From: formula, Params: params, MACs: macs}}
        rows:
"""


def true_table(name: str) -> str:
    """A claims file with shape, derivation, parameters and MACs of every layer, and their totals."""
    analysis = analyse(load_graph(name))
    rows = []
    for row in analysis.rows:
        shape = "×".join(map(str, (*row.output_shape[2:], row.output_shape[1])))
        shape = shape if len(row.output_shape) == 4 else "-"
        formula = row.derivations.get("params") if row.params else None
        cells = (row.name, shape, formula or "-", f"{row.params:,}", f"{row.macs:,}")
        rows.append(f"          - {row.name}: {' | '.join(cells)}")
    totals = analysis.totals
    rows.append(
        f'          - {{row: "Total | - | - | {totals.params:,} | {totals.macs:,}", layer: ., sum: layers}}'
    )
    return HEAD.format(name=name) + "\n".join(rows) + "\n"


def hold(name: str) -> None:
    judgements = judge(read_text(true_table(name)))
    assert len(judgements) > 2 * len(load_graph(name).layers)
    assert [(j.claim.id, j.claim.stated.text, j.word, j.cause) for j in judgements if j.wrong] == []


@pytest.mark.parametrize("name", FEW)
def test_true_tables_raise_no_alarm(name: str) -> None:
    hold(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in shipped() if name not in FEW])
def test_true_tables_of_all_networks_raise_no_alarm(name: str) -> None:
    hold(name)
