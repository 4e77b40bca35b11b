"""Totals against published ones; `totals.yaml` holds them with their sources."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import yaml

from archinspect.analysis import analyse
from archinspect.frontends.spec import load_graph, shipped

TOTALS: list[dict[str, Any]] = yaml.safe_load(
    (Path(__file__).parent / "totals.yaml").read_text(encoding="utf-8")
)
#: networks of the lecture's own figures, which have no published total
UNPUBLISHED = {"lecture_1_2", "lecture_1_3", "lecture_inception"}


@pytest.mark.parametrize("published", TOTALS, ids=[total["network"] for total in TOTALS])
def test_totals_are_the_published_ones(published: dict[str, Any]) -> None:
    totals = analyse(load_graph(published["network"])).totals
    assert totals.complete
    found = {"params": totals.params, "macs": totals.macs}
    stated = {key: published[key] for key in found if key in published}
    assert stated
    assert {key: found[key] for key in stated} == stated, published["source"]


def test_every_network_has_a_published_total() -> None:
    assert {total["network"] for total in TOTALS if ":" not in total["network"]} | UNPUBLISHED >= set(
        shipped()
    )


#: Keras' trainable and non-trainable parameters, computed with keras 3.15.1.  Keras' batch normalisation keeps a mean
#: and a variance and no count of batches; these are what it calls non-trainable.
KERAS = {
    "vgg16": (138357544, 0),
    "vgg19": (143667240, 0),
    "xception": (22855952, 54528),
    "mobilenet_v1": (4231976, 21888),
    "mobilenet_v2": (3504872, 34112),
    "mobilenet_v3_large": (5483032, 24400),
    "densenet121": (7978856, 83648),
    "convnext_tiny": (28589128, 0),
}


@pytest.mark.parametrize("name", KERAS)
def test_keras_counts_the_same_and_running_statistics_are_not_parameters(name: str) -> None:
    graph = load_graph(name)
    totals = analyse(graph).totals
    counters = sum("num_batches_tracked" in node.buffers for node in graph.layers)
    assert (totals.params, totals.buffers - counters) == KERAS[name]
    assert (totals.trainable, totals.non_trainable) == (totals.params, 0)


#: the papers' own rounded figures: (network, quantity, printed, unit), each true of the exact figure when rounded
PRINTED = [
    ("vgg11", "params", 133, 1_000_000, "arXiv:1409.1556 table 2, A"),
    ("vgg13", "params", 133, 1_000_000, "arXiv:1409.1556 table 2, B"),
    ("vgg16_c", "params", 134, 1_000_000, "arXiv:1409.1556 table 2, C"),
    ("vgg16", "params", 138, 1_000_000, "arXiv:1409.1556 table 2, D"),
    ("vgg19", "params", 144, 1_000_000, "arXiv:1409.1556 table 2, E"),
    ("vgg19", "macs", 196, 100_000_000, "arXiv:1512.03385 section 3.3"),
    ("resnet18", "macs", 18, 100_000_000, "arXiv:1512.03385 table 1"),
    ("resnet34:option_a=true", "macs", 36, 100_000_000, "arXiv:1512.03385 table 1"),
    ("resnet101:stride_in_1x1=true", "macs", 76, 100_000_000, "arXiv:1512.03385 table 1"),
    ("resnet152:stride_in_1x1=true", "macs", 113, 100_000_000, "arXiv:1512.03385 table 1"),
    ("resnet50:stride_in_1x1=true", "macs", 386, 10_000_000, "arXiv:1709.01507 table 2"),
    ("bn_inception", "macs", 203, 10_000_000, "arXiv:1709.01507 table 2"),
    ("vgg16", "macs", 1547, 10_000_000, "arXiv:1709.01507 table 2"),
    ("resnext50_32x4d", "params", 250, 100_000, "arXiv:1611.05431 table 1"),
    ("resnext50_32x4d", "macs", 42, 100_000_000, "arXiv:1611.05431 table 1"),
    ("resnet50", "macs", 41, 100_000_000, "arXiv:1611.05431 table 1"),
    ("mobilenet_v1", "params", 42, 100_000, "arXiv:1704.04861 table 8"),
    ("mobilenet_v1", "macs", 569, 1_000_000, "arXiv:1704.04861 table 8"),
    ("efficientnet_b0", "params", 53, 100_000, "arXiv:1905.11946 table 2"),
    ("efficientnet_b0", "macs", 39, 10_000_000, "arXiv:1905.11946 table 2"),
    ("convnext_tiny", "macs", 45, 100_000_000, "arXiv:2201.03545, README"),
    ("inception_v3", "params", 24, 1_000_000, "arXiv:1905.11946 table 2"),
    ("inception_v3", "macs", 57, 100_000_000, "arXiv:1905.11946 table 2"),
]


@pytest.mark.parametrize(("network", "quantity", "printed", "unit", "source"), PRINTED)
def test_papers_print_the_rounded_figure(
    network: str, quantity: str, printed: int, unit: int, source: str
) -> None:
    exact = getattr(analyse(load_graph(network)).totals, quantity)
    assert math.floor(exact / unit + 0.5) == printed, source


#: convnet-burden's memory of parameters in MiB, some of them cut off (albanie/convnet-burden@9c7f31b README.md)
BURDEN = {
    "squeezenet1_0": 5,
    "squeezenet1_1": 5,
    "vgg16": 528,
    "vgg19": 548,
    "googlenet:aux=true": 51,
    "resnet18": 45,
    "resnet34": 83,
    "resnet50": 98,
    "resnet101": 170,
    "resnet152": 230,
    "resnext50_32x4d": 96,
    "inception_v3": 91,
    "se_resnet50": 107,
    "senet154": 440,
    "densenet121": 31,
    "mobilenet_v1": 16,
}


@pytest.mark.parametrize("network", BURDEN)
def test_memory_of_parameters_as_convnet_burden_has_it(network: str) -> None:
    exact = analyse(load_graph(network)).totals.weight_bytes / 2**20
    assert abs(exact - BURDEN[network]) < 1
