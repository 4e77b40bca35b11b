"""Parts of networks against figures that papers and released networks state for them."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from archinspect.analysis import analyse
from archinspect.frontends.spec import load_graph
from archinspect.graph import Graph

STAGES = yaml.safe_load((Path(__file__).parent / "stages.yaml").read_text(encoding="utf-8"))


@lru_cache
def graph(model: str) -> Graph:
    return load_graph(model)


def params(model: str) -> dict[str, int]:
    """Parameters of each row of the table folded to its first level."""
    return {row.name: row.params for row in analyse(graph(model)).fold(1).rows}


def macs(model: str) -> dict[str, int]:
    return {row.name: row.macs or 0 for row in analyse(graph(model)).fold(1).rows}


def maps(model: str) -> dict[str, str]:
    """Output of each first-level row as papers print it: 56×56×64."""
    shapes = {row.name: row.output_shape[1:] for row in analyse(graph(model)).fold(1).rows}
    return {name: "x".join(map(str, (*shape[1:], shape[0]))) for name, shape in shapes.items()}


@pytest.mark.parametrize("stage", STAGES, ids=[stage["network"] for stage in STAGES])
def test_parts_are_as_published(stage: dict[str, Any]) -> None:
    quantities = {"maps": maps, "params": params, "macs": macs}
    stated = {key: stage[key] for key in quantities if key in stage}
    assert stated
    for key, parts in stated.items():
        found = quantities[key](stage["network"])
        assert {name: found[name] for name in parts} == parts, stage["source"]


#: arXiv:1409.4842 table 1, "ops" in millions; conv1 and 5a are printed otherwise than their filters say
TABLE_1 = {
    "conv2": 360,
    "inception_3a": 128,
    "inception_3b": 304,
    "inception_4a": 73,
    "inception_4b": 88,
    "inception_4c": 100,
    "inception_4d": 119,
    "inception_4e": 170,
    "inception_5b": 71,
    "classifier": 1,
}


def test_googlenet_operations_as_table_1_prints_them() -> None:
    for name, millions in TABLE_1.items():
        assert abs(macs("googlenet")[name] / 1e6 - millions) < max(0.01 * millions, 0.5), name


@pytest.mark.parametrize(
    ("model", "head", "count"),
    [
        ("googlenet:aux=true", "aux1", 3188840),
        ("googlenet:aux=true", "aux2", 3190888),
        ("googlenet_torchvision:aux=true", "aux1", 3188968),
        ("googlenet_torchvision:aux=true", "aux2", 3191016),
        ("inception_v3:aux=true", "AuxLogits", 27161264 - 23834568),
    ],
)
def test_auxiliary_heads(model: str, head: str, count: int) -> None:
    assert params(model)[head] == count


def test_lenet_has_the_papers_60_000_trainable_parameters() -> None:
    found = params("lenet5:original=true")
    assert sum(found.values()) - found["output"] == 60_000


def test_lenet_maps_see_what_table_1_says() -> None:
    seen = {}
    net = graph("lenet5:original=true")
    for number in range(15):
        wanted = f"C3.map{number}."
        slices = [n for n in net.layers if n.name.startswith(wanted) and n.op.type == "slice_channels"]
        seen[number] = sorted(i for n in slices for i in range(n.op.start, n.op.stop))  # type: ignore[attr-defined]
    assert [seen[i] for i in range(6)] == [sorted((i + k) % 6 for k in range(3)) for i in range(6)]
    assert [seen[6 + i] for i in range(6)] == [sorted((i + k) % 6 for k in range(4)) for i in range(6)]
    assert [seen[12], seen[13], seen[14]] == [[0, 1, 3, 4], [1, 2, 4, 5], [0, 2, 3, 5]]
    assert net.by_name["C3.map15"].input_shapes == ((1, 6, 14, 14),)


def test_vit_tokens() -> None:
    net = graph("vit_b_16")
    assert net.by_name["tokens"].output_shape == (1, 196, 768)
    assert net.by_name["class_token"].output_shape == (1, 197, 768)
    weights = {name: net.by_name[name].weights for name in ("class_token", "pos_embedding")}
    assert weights == {"class_token": {"token": (1, 1, 768)}, "pos_embedding": {"embedding": (1, 197, 768)}}
    # arXiv:2010.11929 table 1 counts 86 M: without the head there are 85,798,656
    assert analyse(net).totals.params - 769_000 == 85_798_656
    larger = load_graph("vit_b_16", input="3x384x384")
    assert larger.by_name["pos_embedding"].weights == {"embedding": (1, 577, 768)}


def test_attention_counts_its_two_matrix_products() -> None:
    node = graph("vit_b_16").by_name["encoder.layer1.attention.self_attention"]
    assert node.cost is not None
    assert node.cost.macs == 4 * 197 * 768**2 + 2 * 197**2 * 768


def test_mobilenet_shares_of_table_2() -> None:
    """arXiv:1704.04861 table 2: shares of weights and MACs, in per cent; 1.19 is a slip for 1.91."""
    net = graph("mobilenet_v1")
    weights = {"pointwise": 0, "depthwise": 0, "first": 0, "linear": 0}
    cost = dict(weights)
    for node in net.layers:
        kind = {"pw": "pointwise", "dw": "depthwise", "conv1": "first", "fc": "linear"}.get(
            node.name.split(".")[-2] if "." in node.name else node.name
        )
        if node.cost is None or not node.cost.macs:
            continue
        assert kind is not None
        height, *rest = node.weights["weight"]
        size = height
        for side in rest:
            size *= side
        weights[kind] += size
        cost[kind] += node.cost.macs

    def shares(of: dict[str, int]) -> dict[str, float]:
        return {kind: round(100 * count / sum(of.values()), 2) for kind, count in of.items()}

    assert shares(cost) == {"pointwise": 94.86, "depthwise": 3.06, "first": 1.91, "linear": 0.18}
    assert shares(weights) == {"pointwise": 74.59, "depthwise": 1.06, "first": 0.02, "linear": 24.33}


#: layers as their papers count them
DEPTHS = {
    "lenet5": 5,
    "alexnet_grouped": 8,
    "zfnet": 8,
    "vgg11": 11,
    "vgg13": 13,
    "vgg16": 16,
    "vgg16_c": 16,
    "vgg19": 19,
    "googlenet": 22,
    "googlenet:aux=true": 22,
    "resnet18": 18,
    "resnet18:option_a=true": 18,
    "resnet34": 34,
    "resnet50": 50,
    "resnet101": 101,
    "resnet152": 152,
    "resnet200": 200,
    "resnext50_32x4d": 50,
    "se_resnet50": 50,
    "senet154": 154,
    "densenet121": 121,
    "densenet121:block3=32,block4=32": 169,
    "mobilenet_v1": 28,
    "vit_b_16": 50,  # each of 12 layers: attention's two projections and the two of the MLP; patches and head
}


@pytest.mark.parametrize("model", DEPTHS)
def test_depth_is_what_papers_count(model: str) -> None:
    assert analyse(graph(model)).totals.depth == DEPTHS[model]
