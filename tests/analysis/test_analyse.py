"""The closed form's figures as a user of the library gets them."""

from __future__ import annotations

import pickle

import pytest

import archinspect
from archinspect.formula import evaluate
from archinspect.ops import REGISTRY

MODELS = ["alexnet", "alexnet_grouped", "vgg16", "googlenet", "googlenet:aux=true", "resnet50"]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("depth", [1, 2, 3, 9])
def test_folding_keeps_totals_and_sums(model: str, depth: int) -> None:
    network = archinspect.load(model)
    whole, folded = network.analyse(), network.analyse(depth)
    assert folded.totals == whole.totals
    for key in ("params", "trainable", "buffers", "macs", "flops", "activation_bytes"):
        assert sum(getattr(row, key) for row in folded.rows) == getattr(whole.totals, key)
    assert len({row.name for row in folded.rows}) == len(folded.rows)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("depth", [None, 1, 2])
def test_every_derivation_evaluates_to_its_figure(model: str, depth: int | None) -> None:
    for row in archinspect.load(model).analyse(depth).rows:
        figures = {"params": row.params, "macs": row.macs, "flops": row.flops, "shape": row.output_shape}
        for key, value in figures.items():
            assert evaluate(row.derivations[key]) == value, (row.name, key)


def test_a_folded_row_has_the_shape_and_field_of_what_leaves_the_scope() -> None:
    rows = {row.name: row for row in archinspect.load("googlenet", aux=True).analyse(1).rows}
    assert rows["inception_3a"].output_shape == (1, 256, 28, 28)
    assert rows["inception_3a"].op == "inception"
    assert rows["aux1"].output_shape == (1, 1000)
    assert rows["aux1"].op == "auxiliary"
    assert rows["inception_4a"].output_shape == (1, 512, 14, 14)


def test_a_depth_below_one_is_refused() -> None:
    with pytest.raises(archinspect.ArchinspectError, match="at least 1"):
        archinspect.load("alexnet").analyse(0)


def test_depth_is_what_the_papers_titles_say() -> None:
    """Krizhevsky et al. 2012, 3.5; Simonyan & Zisserman, table 1; Szegedy et al., section 5; He et al., table 1."""
    depths = {"alexnet": 8, "alexnet_grouped": 8, "vgg16": 16, "googlenet": 22, "resnet50": 50}
    assert {name: archinspect.load(name).analyse().totals.depth for name in depths} == depths


def test_what_cannot_be_counted_is_named_and_never_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    """No op that ships is uncountable; one that were would make every total a lower bound."""
    monkeypatch.setattr(REGISTRY["sigmoid"], "cost", lambda self, inputs, output: None)
    network = archinspect.load("conv2d(8, 3) -> sigmoid -> conv2d(8, 1)", input="3x8x8")
    analysis = network.analyse()
    assert [row.macs for row in analysis.rows] == [8 * 27 * 36, None, 8 * 8 * 36]
    assert analysis.totals.macs == 8 * 27 * 36 + 8 * 8 * 36
    assert analysis.totals.complete is False
    assert analysis.to_dict()["totals"]["complete"] is False  # type: ignore[index]


def test_the_first_layer_of_vgg_in_json() -> None:
    record = archinspect.load("vgg16").analyse().rows[0].to_dict()
    assert record == {
        "name": "conv1_1",
        "op": "conv2d",
        "output_shape": [1, 64, 224, 224],
        "params": 1792,
        "trainable": 1792,
        "buffers": 0,
        "macs": 86_704_128,
        "flops": 176_619_520,
        "activation_bytes": 64 * 224 * 224 * 4,
        "receptive_field": 3,
        "receptive_field_proof": "exact",
        "derivation": "(3×3×3×64) + 64 = 1,792",
        "derivations": record["derivations"],
    }


def test_a_network_shows_itself() -> None:
    network = archinspect.load("vgg16")
    assert repr(network) == "<Network vgg16: input 1×3×224×224, 138,357,544 parameters, 15,470,264,320 MACs>"
    assert "138,357,544" in network._repr_html_()
    frame = network.to_pandas()
    assert frame["params"].sum() == 138_357_544
    assert archinspect.from_text(network.dump()).graph == network.graph


@pytest.mark.parametrize("model", ["resnet50", "vit_b_16", "conv2d(8, 3) -> relu"])
def test_networks_and_analyses_pickle(model: str) -> None:
    """For worker processes: with the weight names of a spec, whose expressions are compiled."""
    network = archinspect.load(model, input="3x224x224")
    again = pickle.loads(pickle.dumps(network))
    assert again == network
    assert again.analyse() == pickle.loads(pickle.dumps(network.analyse()))
    assert again.dump() == network.dump()


def test_a_scope_with_a_side_output_inside_ends_where_the_main_path_leaves_it() -> None:
    text = """
name: inside
input: 3x8x8
layers:
  - body:
      - first: conv2d(4, 1)
      - side_output:
          aux: conv2d(2, 1)
      - last: conv2d(5, 3)
  - head: conv2d(6, 1)
"""
    body, head = archinspect.from_text(text).analyse(1).rows
    assert (body.name, body.output_shape, body.receptive_field) == ("body", (1, 5, 6, 6), 3)
    assert head.output_shape == (1, 6, 6, 6)
