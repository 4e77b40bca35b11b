"""Mixtures of experts: total and active parameters, and which experts the MACs are of."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import archinspect
from archinspect.report import layers

SPEC = """\
name: mixture
input: 128xint64
layers:
  - embed: embedding(100, 32)
  - experts: mixture_of_experts(8, 2, 64, gated=True, bias=False)
"""


def test_a_mixture_of_a_spec() -> None:
    network = archinspect.from_text(SPEC)
    totals = network.analyse().totals
    expert = 3 * 32 * 64
    assert totals.params == 100 * 32 + 8 * 32 + 8 * expert
    assert totals.experts is not None
    assert totals.experts.used == ((2, 8),)
    assert totals.experts.params == 100 * 32 + 8 * 32 + 2 * expert
    assert totals.macs == 128 * (8 * 32 + 2 * expert)
    assert totals.experts.macs_of_all == 128 * (8 * 32 + 8 * expert)
    table = layers.summary(network.graph, network.analyse()).tables[0]
    assert any("each token uses 2 of 8" in note for note in table.notes)


def test_a_network_without_experts_says_nothing_of_them() -> None:
    totals = archinspect.load("lenet5").analyse().totals
    assert totals.experts is None
    assert "experts" not in totals.to_dict()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("mixtral", {"num_local_experts": 8}),
        ("gpt_oss", {"num_local_experts": 8, "head_dim": 8}),
        ("olmoe", {"num_experts": 8}),
    ],
)
def test_a_mixture_of_transformers(kind: str, settings: dict[str, int], tmp_path: Path) -> None:
    pytest.importorskip("transformers", reason="transformers is not installed")
    sizes = {"vocab_size": 200, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2, "num_experts_per_tok": 2}
    config = {"model_type": kind, **sizes, **heads, **settings}
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    totals = archinspect.load(f"transformers:{tmp_path}").analyse().totals
    biases = 128 + 32 if kind == "gpt_oss" else 0
    idle = 2 * (3 * 32 * 64 + biases) * 6  # of 2 layers, 6 of 8 experts
    assert totals.experts is not None
    assert totals.experts.params == totals.params - idle
    assert totals.experts.macs_of_all == totals.macs + 2 * 128 * 6 * 3 * 32 * 64
