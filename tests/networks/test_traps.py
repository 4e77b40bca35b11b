"""What people get wrong about these networks: each trap has the right figure and the wrong one."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest

from archinspect.analysis import Totals, analyse
from archinspect.errors import ArchinspectError
from archinspect.frontends.spec import lay_out, load_graph, shipped
from archinspect.frontends.spec.load import read_text
from archinspect.graph import Graph
from tests.support import SPECS


def totals(model: str, **arguments: Any) -> Totals:
    return analyse(load_graph(model, arguments=arguments)).totals


def edited(name: str, old: str, new: str, input: str | None = None) -> Graph:
    """A shipped network with a text of its spec replaced wherever it stands."""
    text = (SPECS / f"{name}.yaml").read_text(encoding="utf-8")
    assert old in text
    return lay_out(read_text(text.replace(old, new), f"{name}.yaml"), {}, input)


def sides(graph: Graph, *names: str) -> list[int]:
    return [graph.by_name[name].output_shape[-1] for name in names]


# Pooling that rounds up


def test_googlenet_pools_round_up() -> None:
    pools = ("pool1", "pool2", "pool3", "pool4")
    assert sides(load_graph("googlenet"), *pools) == [56, 28, 14, 7]
    assert sides(edited("googlenet", ", ceil_mode=True", ""), *pools) == [55, 27, 13, 6]


def test_zfnet_reaches_55_and_6_only_by_rounding_up() -> None:
    pools = ("pool1", "pool2", "pool5")
    assert sides(load_graph("zfnet"), *pools) == [55, 13, 6]
    floored = edited("zfnet", ", ceil_mode=True", "")
    assert sides(floored, *pools) == [54, 12, 5]
    assert analyse(floored).totals.params != 62_357_608


def test_senets_pool_without_padding_and_round_up() -> None:
    for name in ("se_resnet50", "senet154"):
        assert sides(load_graph(name), "conv2_x.pool") == [56]
        assert sides(edited(name, ", ceil_mode=True", ""), "conv2_x.pool") == [55]


# 227, or 224 with padding


def test_alexnet_at_224_without_padding_is_another_network() -> None:
    assert sides(load_graph("alexnet"), "conv1", "pool5") == [55, 6]
    wrong = load_graph("alexnet", input="3x224x224")
    assert sides(wrong, "conv1", "pool5") == [54, 5]
    assert analyse(wrong).totals.params == 62_378_344 - (9216 - 6400) * 4096


def test_alexnet_torchvision_pads_224() -> None:
    assert sides(load_graph("alexnet_torchvision"), "conv1", "pool5", "avgpool") == [55, 6, 6]
    assert sides(edited("alexnet_torchvision", "stride=4, padding=2", "stride=4"), "conv1") == [54]
    # its adaptive pooling keeps the classifier's size at any input
    other = load_graph("alexnet_torchvision", input="3x256x256")
    assert analyse(other).totals.params == 61_100_840


# Stride in the 1×1 or in the 3×3


@pytest.mark.parametrize("name", ["resnet50", "resnet101", "resnet152", "se_resnet50"])
def test_stride_in_the_1x1_saves_231_million_macs(name: str) -> None:
    v1, v15 = totals(name, stride_in_1x1=True), totals(name, stride_in_1x1=False)
    assert v1.params == v15.params
    assert v15.macs - v1.macs == 231_211_008  # three first blocks, whatever the depth
    block = "conv3_x.block1.residual"
    for early, expected in ((True, [28, 28]), (False, [56, 28])):
        graph = load_graph(name, arguments={"stride_in_1x1": early})
        assert sides(graph, f"{block}.conv1.conv", f"{block}.conv2.conv") == expected


# Shortcuts without parameters


def test_option_a_has_no_weights_in_shortcuts() -> None:
    graph = load_graph("resnet34", arguments={"option_a": True})
    shortcuts = [node for node in graph.layers if ".shortcut." in node.name]
    assert {node.op.type for node in shortcuts} == {"max_pool2d", "pad_channels"}
    assert not any(node.weights for node in shortcuts)
    assert analyse(graph).totals.params == 21_797_672 - 173_824


# Biases beside batch normalisation


def test_convolutions_before_batch_norm_have_no_bias_where_the_paper_has_none() -> None:
    for name in shipped():
        graph = load_graph(name)
        before = [
            graph.nodes[node.inputs[0]]
            for node in graph.layers
            if node.op.type == "batch_norm2d" and graph.nodes[node.inputs[0]].op.category == "convolution"
        ]
        biased = {"bias" in node.weights for node in before}
        keeps = name == "bn_inception" or re.fullmatch(r"vgg\d+_bn", name)
        assert biased <= {bool(keeps)}, name
    # torchvision's VGGs with batch normalisation keep the biases they have without it
    vgg = load_graph("vgg16:batch_norm=true")
    assert all("bias" in node.weights for node in vgg.layers if node.op.type == "conv2d")


def test_keras_resnet_has_26_560_biases_more() -> None:
    biased = edited("resnet50", "groups=groups, bias=False", "groups=groups")
    assert analyse(biased).totals.params == 25_583_592  # keras 3.15.1, trainable


# Batch normalisation without scale


@pytest.mark.parametrize(
    ("name", "keras"), [("inception_v3", 23_817_352), ("inception_resnet_v2", 55_813_192)]
)
def test_keras_inceptions_have_no_scale(name: str, keras: int) -> None:
    unscaled = edited(name, "batch_norm2d(eps=0.001)", "batch_norm2d(eps=0.001, scale=False)")
    assert analyse(unscaled).totals.params == keras  # keras 3.15.1, trainable
    norms = [node for node in unscaled.layers if node.op.type == "batch_norm2d"]
    scales = sum(node.output_shape[1] for node in norms)
    assert totals(name).params - keras == scales


# Squeeze-and-excitation


#: arXiv:1709.01507 table 10, whose networks have no biases in the excitation; derived figures
REDUCTIONS = {2: 45_676_584, 4: 35_616_808, 8: 30_586_920, 16: 28_071_976, 32: 26_814_504}


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_excitation_without_biases(reduction: int) -> None:
    assert totals("se_resnet50", reduction=reduction, se_bias=False).params == REDUCTIONS[reduction]


def test_excitation_has_biases_and_costs_2_530_992_parameters() -> None:
    assert totals("se_resnet50").params - totals("resnet50").params == 2_530_992
    assert totals("se_resnet50").params - totals("se_resnet50", se_bias=False).params == 16_048


def test_efficientnet_squeezes_the_blocks_input() -> None:
    graph = load_graph("efficientnet_b0")
    first = graph.by_name["stage3.mbconv1.residual.se.gate.fc1"]  # from 16 channels, expanded to 96
    assert (first.input_shapes[0][1], first.output_shape[1]) == (96, 4)
    mobile = load_graph("mobilenet_v3_large").by_name["bneck4.residual.se.gate.fc1"]  # of 72 expanded
    assert (mobile.input_shapes[0][1], mobile.output_shape[1]) == (72, 24)


# Auxiliary heads


@pytest.mark.parametrize(
    ("name", "heads", "more"),
    [("googlenet", 2, 6_379_728), ("googlenet_torchvision", 2, 6_379_984), ("inception_v3", 1, 3_326_696)],
)
def test_auxiliary_heads_are_side_outputs_that_can_be_left_out(name: str, heads: int, more: int) -> None:
    without, with_heads = load_graph(name), load_graph(name, arguments={"aux": True})
    assert (len(without.outputs), len(with_heads.outputs)) == (1, 1 + heads)
    assert {with_heads.nodes[index].output_shape for index in with_heads.outputs} == {(1, 1000)}
    assert analyse(with_heads).totals.params - analyse(without).totals.params == more
    main = {node.name: node.output_shape for node in without.layers}
    assert {n.name: n.output_shape for n in with_heads.layers if n.name in main} == main


# Running statistics


def test_running_statistics_are_buffers() -> None:
    for name in ("resnet50", "densenet121", "inception_v4"):
        graph = load_graph(name)
        norms = [node for node in graph.layers if node.op.type == "batch_norm2d"]
        statistics = sum(2 * node.output_shape[1] + 1 for node in norms)  # mean, variance, count of batches
        found = analyse(graph).totals
        assert (found.buffers, found.non_trainable) == (statistics, 0)
    assert totals("resnet50").buffers == 53_120 + 53


# Dropout

DROPOUT = {
    "alexnet": {"drop6": 0.5, "drop7": 0.5},  # NeurIPS 25, section 4.2
    "alexnet_torchvision": {"drop6": 0.5, "drop7": 0.5},
    "zfnet": {"drop6": 0.5, "drop7": 0.5},  # arXiv:1311.2901, section 3
    "vgg16": {"drop6": 0.5, "drop7": 0.5},  # arXiv:1409.1556, section 3.1
    "googlenet:aux=true": {
        "dropout": 0.4,
        "aux1.dropout": 0.7,
        "aux2.dropout": 0.7,
    },  # arXiv:1409.4842, section 5
    "googlenet_torchvision:aux=true": {"dropout": 0.2, "aux1.dropout": 0.7, "aux2.dropout": 0.7},
    "resnet50": {},  # arXiv:1512.03385, section 3.4: "We do not use dropout"
    "bn_inception": {},  # arXiv:1502.03167, section 4.2.1 removes it
    "inception_v3": {"dropout": 0.5},
    "inception_v4": {"dropout": 0.2},  # arXiv:1602.07261, figure 9: keep 0.8
    "inception_resnet_v2": {"dropout": 0.2},  # figure 15: keep 0.8
    "xception": {"dropout": 0.5},  # arXiv:1610.02357, section 4.3
    "squeezenet1_0": {"dropout": 0.5},  # arXiv:1602.07360, section 3.3
    "senet154": {"dropout": 0.2},
    "efficientnet_b0": {"stage9.dropout": 0.2},  # arXiv:1905.11946, section 5.2
    "densenet121": {},
}


@pytest.mark.parametrize("model", DROPOUT)
def test_dropout_rates(model: str) -> None:
    layers = load_graph(model).layers
    assert {n.name: n.op.p for n in layers if n.op.type == "dropout"} == DROPOUT[model]  # type: ignore[attr-defined]


def test_stochastic_depth_grows_linearly() -> None:
    drops = [n.op.p for n in load_graph("convnext_tiny").layers if n.op.type == "drop_path"]  # type: ignore[attr-defined]
    assert drops == pytest.approx([0.1 * i / 17 for i in range(18)])
    graph = load_graph("efficientnet_b0")
    drops = {n.name: n.op.p for n in graph.layers if n.op.type == "drop_path"}  # type: ignore[attr-defined]
    blocks = sorted({m[0] for n in graph.layers if (m := re.match(r"stage\d\.mbconv\d", n.name))})
    residual = [f"{block}.residual.drop_path" for block in blocks if f"{block}.add" in graph.by_name]
    assert drops == pytest.approx({name: 0.2 * blocks.index(name[:14]) / 16 for name in residual})
    assert len(blocks) == 16
    assert len(residual) == 9


# Widths


@pytest.mark.parametrize("multiplier", [0.1, 0.35, 0.5, 0.75, 1.0, 1.3, 1.4])
def test_mobilenet_v2_widths_are_multiples_of_8_and_the_last_is_never_narrowed(multiplier: float) -> None:
    graph = load_graph("mobilenet_v2", arguments={"width_multiplier": multiplier})
    widths = [n.output_shape[1] for n in graph.layers if n.op.type == "conv2d"]
    assert all(width % 8 == 0 for width in widths)
    assert widths[-1] >= 1280


# What cannot be


@pytest.mark.parametrize("setting", ["aux=1", "num_classes=0", "num_classes=many", "norm=true"])
def test_wrong_settings_are_errors(setting: str) -> None:
    with pytest.raises(ArchinspectError):
        load_graph(f"googlenet:{setting}")


TOO_SMALL = ["alexnet", "zfnet", "vgg16", "squeezenet1_0", "inception_v3", "inception_v4", "vit_b_16"]


@pytest.mark.parametrize("name", TOO_SMALL)
def test_an_input_that_is_too_small_is_an_error_with_its_place(name: str) -> None:
    with pytest.raises(ArchinspectError) as caught:
        load_graph(name, input="3x9x9")
    assert all(error.code == "A302" and error.span for error in caught.value.diagnostics)


# Activations, which no count of parameters or MACs misses

ACTIVATIONS = {
    "alexnet": {"relu": 5 + 2},
    "vgg16": {"relu": 13 + 2},
    "googlenet": {"relu": 3 + 9 * 6},
    "bn_inception": {"relu": 3 + 8 * 7 + 2 * 5},
    "inception_v3": {"relu": 94},  # its convolutions
    "inception_v4": {"relu": 149},  # its convolutions
    "xception": {"relu": 2 + 1 + 3 * 2 + 8 * 3 + 2},  # none inside a separable convolution
    "resnet18": {"relu": 1 + 8 * 2},
    "resnet50": {"relu": 1 + 16 * 3},
    "resnet200": {"relu": 1 + 66 * 3},
    "resnet200:pre_activation=true": {"relu": 1 + 66 * 3 + 1},
    "se_resnet50": {"relu": 1 + 16 * 3 + 16, "sigmoid": 16},
    "senet154": {"relu": 3 + 50 * 3 + 50, "sigmoid": 50},
    "squeezenet1_0": {"relu": 1 + 8 * 3 + 1},
    "mobilenet_v1": {"relu": 1 + 13 * 2},
    "mobilenet_v2": {
        "relu6": 1 + 1 + 16 * 2 + 1
    },  # the first bottleneck does not expand; none projects into one
    "mobilenet_v3_large": {"relu": 1 + 5 * 2 + 8, "hardswish": 1 + 9 * 2 + 2, "hardsigmoid": 8},
    "efficientnet_b0": {"silu": 1 + 1 + 15 * 2 + 16 + 1, "sigmoid": 16},
    "densenet121": {"relu": 1 + 58 * 2 + 3 + 1},
    "convnext_tiny": {"gelu": 18},
    "vit_b_16": {"gelu": 12},
    "lenet5": {"tanh": 4},
    "lenet5:original=true": {"tanh": 6},
}


@pytest.mark.parametrize("model", ACTIVATIONS)
def test_activations(model: str) -> None:
    ops = [node.op for node in load_graph(model).layers]
    assert (
        Counter(op.type for op in ops if op.category == "activation" and op.type != "scale")
        == ACTIVATIONS[model]
    )
