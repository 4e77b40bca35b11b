"""Totals that are printed alone: counted in another way, rounded, or another network's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from archinspect.check.judge import judge
from archinspect.check.reading import read_text
from archinspect.check.verdicts import NO_CAUSE, Judgement
from tests.support import run_cli


def total(model: str, stated: str, quantity: str = "params") -> Judgement:
    text = f"source: s\nclaims:\n  - {{id: t, model: '{model}', stated: '{stated}', quantity: {quantity}}}\n"
    (judgement,) = judge(read_text(text))
    return judgement


# Totals that tools and papers print, by what they do otherwise; keras_applications.csv has those of Keras.
COUNTED = [
    ("mobilenet_v2", "3,538,984", "params", "running statistics"),  # Keras
    ("densenet121", "8,062,504", "params", "running statistics"),  # Keras
    ("xception", "22,910,480", "params", "running statistics"),  # Keras
    ("resnet50", "25,636,712", "params", "with biases"),  # Keras, statistics too
    ("resnet50", "25,636,712", "params", "running statistics"),
    ("resnet50", "23,587,712", "params", "linear is left out"),  # Keras without its top
    ("densenet121", "6,953,856", "params", "linear is left out"),
    ("vgg16", "14,714,688", "params", "linear is left out"),
    ("vgg16", "134,301,514", "params", "10 classes instead of 1,000"),
    ("resnet18", "11,684,712", "params", "one parameter a channel"),
    ("resnet50", "4.1 GFLOPs", "flops", "these are multiply-accumulates"),
    ("resnet34", "3.6 GFLOPs", "flops", "these are multiply-accumulates"),  # He et al. 2015, table 1
    ("alexnet", "61,100,840", "params", "it is alexnet_torchvision"),
    ("alexnet", "61M", "params", "alexnet_grouped, which has 60,965,224"),
    ("vgg19", "138,357,544", "params", "it is vgg16"),
    ("googlenet", "13,004,888", "params", "it is googlenet_torchvision with aux"),
]


@pytest.mark.parametrize(("model", "stated", "quantity", "words"), COUNTED)
def test_another_way_of_counting_is_named(model: str, stated: str, quantity: str, words: str) -> None:
    judgement = total(model, stated, quantity)
    assert judgement.wrong
    assert words in judgement.cause


@pytest.mark.parametrize(
    ("model", "stated"), [("mobilenet_v2", "3,517,777"), ("resnet50", "33M"), ("vgg16", "141M")]
)
def test_what_nothing_gives_has_no_cause(model: str, stated: str) -> None:
    judgement = total(model, stated)
    assert judgement.wrong
    assert NO_CAUSE in judgement.cause


@pytest.mark.parametrize(
    ("model", "stated"), [("vgg16", "138,000,000"), ("vgg16", "138.4M"), ("densenet121", "8.0M")]
)
def test_rounded_totals_are_rounded(model: str, stated: str) -> None:
    assert total(model, stated).verdicts == ("rounded",)


def test_a_round_figure_among_exact_ones_is_wrong() -> None:
    text = (
        "source: s\nmodel: vgg16\nsections:\n  - section: '1'\n    title: t\n    items:\n      - table: t\n"
        "        columns: {Layer: layer, Params: params}\n        rows:\n"
        "          - conv1_1: a | 1,792\n          - conv1_2: b | 37,000\n          - conv2_1: c | 73,856\n"
        '          - conv2_2: d | 147,584\n          - {row: "All | 138,000,000", layer: .}\n'
    )
    verdicts = {j.claim.id: j.verdicts for j in judge(read_text(text))}
    assert verdicts["t.b.params"] == ("differs",)
    assert verdicts["t.all.params"] == ("rounded",)


def waterfall(tmp_path: Path, model: str, stated: str) -> dict[str, Any]:
    path = tmp_path / "t.yaml"
    path.write_text(
        f"source: s\nclaims:\n  - {{id: t, model: {model}, stated: '{stated}', quantity: params}}\n",
        encoding="utf-8",
    )
    done = run_cli("check", "--claims", str(path), "--reconcile", "--format", "json")
    assert done.stderr == ""
    (found,) = json.loads(done.stdout)["waterfalls"]
    return dict(found)


@pytest.mark.parametrize(
    ("model", "stated", "steps"),
    [
        ("resnet50", "25,636,712", ["biases removed", "BatchNorm statistics removed"]),
        ("vgg19", "138,357,544", ["convolutions only in vgg19"]),
        ("alexnet", "60,965,224", ["groups"]),
        ("alexnet", "61M", ["digits that are not printed", "groups"]),
        ("mobilenet_v2", "3.4M", ["not explained"]),
    ],
)
def test_totals_without_parts_are_reconciled(
    tmp_path: Path, model: str, stated: str, steps: list[str]
) -> None:
    found = waterfall(tmp_path, model, stated)["steps"]
    assert [step["step"] for step in found[1:]] == steps
    amounts = [step["amount"] for step in found[1:]]
    assert found[0]["sum"] + sum(amounts) == found[-1]["sum"]


def test_weights_that_two_towers_share_are_counted_once() -> None:
    assert not total("siamese", "38,951,745").wrong
    assert total("siamese", "77,899,393").wrong  # each tower with weights of its own
