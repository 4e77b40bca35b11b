"""What is true of every network that ships: it says where it is from, and the real module agrees to the last digit."""

from __future__ import annotations

import re

import pytest
import yaml

from archinspect.analysis import analyse
from archinspect.check.reading import published
from archinspect.check.verify import verify
from archinspect.report.networks import challenge_results
from tests.support import DOCS, SPECS

from .zoo import CLASSIFIERS, LARGE, NAMES, PUBLISHED, mostly_slow, network

#: other input sizes and arguments that the paper or its released code uses
OTHERS = [
    ("alexnet_torchvision", "3x256x256"),
    ("vgg16:batch_norm=true", None),
    ("vgg11:batch_norm=true,num_classes=10", None),
    ("googlenet:aux=true", None),
    ("googlenet_torchvision:aux=true", None),
    ("googlenet", "3x320x256"),
    ("inception_v3:aux=true", None),
    ("inception_v3", "3x320x320"),
    ("resnet18:option_a=true", None),
    ("resnet34:option_a=true", "3x160x128"),
    ("resnet50:stride_in_1x1=true", "3x320x320"),
    ("resnet200:pre_activation=true", None),
    ("resnext50_32x4d:stride_in_1x1=true", None),
    ("se_resnet50:se_bias=false,stride_in_1x1=false", None),
    ("squeezenet1_0", "3x227x227"),
    ("squeezenet1_1:num_classes=7", "3x227x227"),
    ("mobilenet_v1:width_multiplier=0.25", "3x128x128"),
    ("mobilenet_v2:width_multiplier=0.35", "3x96x96"),
    ("mobilenet_v2:width_multiplier=1.4", None),
    ("densenet121:growth_rate=12,block3=6,block4=3", None),
    ("efficientnet_b0", "3x240x240"),
    ("convnext_tiny", "3x384x384"),
    ("vit_b_16:dropout=0.0", "3x384x384"),
    ("lenet5:original=true", None),
    ("xception", "3x224x224"),
    ("resnet20_cifar:depth=32,option_a=false", None),
    ("dcgan:width=16", None),
]


@pytest.mark.parametrize("name", mostly_slow(NAMES))
def test_the_real_module_agrees(name: str) -> None:
    found = verify(network(name), (1, 4), witnesses=())
    assert not found.mismatches, found.mismatches[:3]


@pytest.mark.parametrize(("model", "input"), OTHERS)
def test_the_real_module_agrees_on_other_sizes_and_arguments(model: str, input: str | None) -> None:
    found = verify(network(model, input), (1, 4), witnesses=())
    assert not found.mismatches, found.mismatches[:3]


@pytest.mark.parametrize("name", NAMES)
def test_a_spec_says_what_it_is(name: str) -> None:
    metadata = network(name).metadata
    assert network(name).name == name
    for key in ("title", "source", "family"):
        assert metadata.get(key), key
    if name in PUBLISHED:
        assert 1990 < metadata["year"] < 2030
        assert f"{metadata['year']}" in metadata["source"] or metadata["source"].startswith("LeCun")
        assert re.search(r"arXiv:\d{4}\.\d{4,5}|NeurIPS|Proc\. IEEE|ICML", metadata["source"])
    if name in CLASSIFIERS:
        assert network(name).arguments["num_classes"] == network(name).output_shape[-1]


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_classes_are_an_argument(name: str) -> None:
    graph = network(f"{name}:num_classes=7")
    assert graph.output_shape == (1, 7)
    assert analyse(graph).totals.params < analyse(network(name)).totals.params


def test_results_stand_for_subjects_with_a_source() -> None:
    results = challenge_results(figure for ledger in published() for figure in ledger.figures)
    named = {name: network(name).metadata.get("ilsvrc") for name in NAMES}
    assert {subject for subject in named.values() if subject} <= set(results)
    assert results["AlexNet"].value.text == "16.422%"
    assert results["GoogLeNet"].event == "ILSVRC 2014"  # and not the single model's 10.07 %
    assert {name for name, subject in named.items() if subject} == {
        "alexnet", "alexnet_grouped", "zfnet", "vgg16", "vgg19", "googlenet", "resnet152", "inception_v4",
        "inception_resnet_v2", "senet154",
    }  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_spec_is_short_and_satisfies_the_schema(name: str) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    from archinspect.frontends.spec import json_schema

    text = (SPECS / f"{name}.yaml").read_text(encoding="utf-8")
    jsonschema.validate(yaml.safe_load(text), json_schema())
    assert len(text.splitlines()) <= 150
    assert all(len(line) <= 120 for line in text.splitlines())


def test_large_networks_are_the_exception() -> None:
    large = [name for name in NAMES if len(network(name).nodes) > LARGE]
    assert len(large) < len(NAMES) / 4


def test_the_page_of_networks_is_what_its_writer_writes() -> None:
    from .page import page

    written = (DOCS / "networks.md").read_text(encoding="utf-8")
    assert written == page(), "python -m tests.networks writes docs/networks.md"
