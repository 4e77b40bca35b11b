"""Rewritten networks: real graphs, with the figures that their papers or arithmetic give."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings

from archinspect.analysis import analyse
from archinspect.analysis.rewrites import (
    REWRITES,
    Options,
    Substitution,
    applicable,
    rewrite,
    rewrite_called,
    substitute,
)
from archinspect.analysis.rewrites.reductions import reductions
from archinspect.errors import ArchinspectError
from archinspect.frontends.spec import dump, load_graph
from archinspect.frontends.spec.load import lay_out, read_text
from archinspect.graph import Graph
from archinspect.ops.convolution import Conv2d
from tests.strategies_networks import networks


def loaded(graph: Graph) -> Graph:
    return lay_out(read_text(dump(graph), "rewritten.yaml"))


def rewritten(model: str, name: str, *sites: str, options: Options | None = None) -> Substitution:
    return substitute(load_graph(model), rewrite_called(name), sites=sites, options=options)


@given(networks())
def test_a_rewrite_of_nothing_is_the_network(graph: Graph) -> None:
    assert rewrite(graph, {}, name=graph.name) == graph


@given(networks())
@settings(max_examples=40)
def test_every_rewrite_of_any_network_is_a_network_that_can_be_written_and_read(graph: Graph) -> None:
    for made in applicable(graph):
        with suppress(ArchinspectError):  # something later was fixed to a width that is now another
            assert loaded(made.rewritten) == made.rewritten
            assert len(made.rewritten.outputs) == len(graph.outputs)


@pytest.mark.parametrize("model", ["googlenet", "resnet50", "vgg16", "alexnet"])
@pytest.mark.parametrize(
    "name", ["two-3x3", "three-3x3", "asymmetric", "depthwise", "grouped", "no-reductions"]
)
def test_only_weights_and_work_change_where_widths_stay(model: str, name: str) -> None:
    graph = load_graph(model)
    found = [one for one in applicable(graph) if one.rewrite.name == name]
    for made in found:
        assert made.rewritten.output_shape == graph.output_shape
        assert made.is_additive
        for priced in made.priced:
            assert priced.end_before.output_shape == priced.end_after.output_shape
            assert priced.end_before.receptive_field == priced.end_after.receptive_field


def test_googlenet_without_reductions() -> None:
    """Each inception's 3×3 and 5×5 read the module's input: k²·C·out weights instead of C·r + k²·r·out."""
    graph = load_graph("googlenet")
    made = rewritten("googlenet", "no-reductions")
    assert len(made.sites) == 18
    expected = 0
    for found in reductions(graph):
        reduce, larger = graph.nodes[found.index], graph.nodes[found.readers[0]]
        assert isinstance(larger.op, Conv2d)
        area, wide = larger.op.kernel_size[0] * larger.op.kernel_size[1], reduce.input_shapes[0][1]
        narrow, out = reduce.output_shape[1], larger.output_shape[1]
        expected += area * wide * out - (wide * narrow + narrow + area * narrow * out)
    assert made.after.totals.params - made.before.totals.params == expected == 18_307_392
    assert made.after.totals.params == 25_305_944


def test_naive_inception_widens_from_module_to_module() -> None:
    """Without the projection a module puts out c1 + c3 + c5 + what came in (figure 2a of the paper)."""
    made = rewritten("googlenet", "naive")
    widths = [priced.end_after.output_shape[1] for priced in made.priced]
    table = [(64, 128, 32), (128, 192, 96), (192, 208, 48), (160, 224, 64), (128, 256, 64), (112, 288, 64)]
    table += [(256, 320, 128), (256, 320, 128), (384, 384, 128)]
    channels, expected = 192, []
    for row in table:
        channels += sum(row)
        expected.append(channels)
    assert widths == expected
    assert not made.is_additive
    assert made.after.totals.params == 97_526_008


def test_conv2_of_googlenet_is_no_reduction() -> None:
    """Its 1×1 keeps 64 channels, so that it does not narrow."""
    sites = rewritten("googlenet", "no-reductions").sites
    assert not any(site.path.startswith("conv2") for site in sites)


def test_resnet50_at_full_width() -> None:
    """Two 3×3 at W channels take 9·C·W + 9·W·W weights; BatchNorms 2·W each; shortcuts stay."""
    made = rewritten("resnet50", "full-width")
    before = {
        "conv2_x": (64, 256, 3),
        "conv3_x": (256, 512, 4),
        "conv4_x": (512, 1024, 6),
        "conv5_x": (1024, 2048, 3),
    }
    expected = 3 * 49 * 64 + 128 + 2048 * 1000 + 1000
    for first, width, count in before.values():
        expected += first * width + 2 * width  # the projection
        expected += 9 * first * width + (2 * count - 1) * 9 * width * width + 2 * count * 2 * width
    assert made.after.totals.params == expected == 341_832_488
    assert len(made.sites) == 16


def test_basic_blocks_take_no_more_macs_stage_by_stage_and_one_wider_would() -> None:
    graph = load_graph("resnet50")
    made = rewritten("resnet50", "basic-blocks")
    allowed = {stage: macs_of(graph, stage) for stage in ("conv2_x", "conv3_x", "conv4_x", "conv5_x")}
    for stage, most in allowed.items():
        assert macs_of(made.rewritten, stage) <= most
        assert macs_of(made.rewritten, stage) > 0.97 * most
    assert made.rewritten.by_name["conv2_x.block2.residual.conv2.conv"].output_shape[1] == 62


def macs_of(graph: Graph, scope: str) -> int:
    return sum(row.macs or 0 for row in analyse(graph).rows if row.name.startswith(f"{scope}.block"))


def test_the_stride_of_a_reduction_goes_to_the_convolution_behind_it() -> None:
    """ResNet-50 of the paper strides in the 1×1; without it the 3×3 must, and both versions are then one network."""
    one = rewritten("resnet50", "no-reductions").rewritten
    other = rewritten("resnet50:stride_in_1x1=true", "no-reductions").rewritten
    assert analyse(one).totals == analyse(other).totals


def test_alexnet_grouped_as_its_paper_groups_it() -> None:
    made = rewritten("alexnet", "grouped", "conv2", "conv4", "conv5")
    assert made.after.totals.params == analyse(load_graph("alexnet_grouped")).totals.params == 60_965_224
    assert made.after.totals.macs == analyse(load_graph("alexnet_grouped")).totals.macs


def test_global_pooling_instead_of_the_fully_connected_head() -> None:
    for model, channels in (("vgg16", 512), ("alexnet", 256)):
        made = rewritten(model, "global-pool")
        head = sum(row.params for row in made.before.rows if row.op == "linear")
        assert made.after.totals.params == made.before.totals.params - head + channels * 1000 + 1000


def test_depthwise_separable_costs_one_over_n_plus_one_over_k_squared() -> None:
    """Howard et al. 2017, section 3.1: 1/N + 1/D_K² of a standard convolution's work."""
    made = rewritten("vgg16", "depthwise")
    for priced in made.priced:
        node = made.graph.by_name[priced.site.path]
        standard = node.cost.macs if node.cost else 0
        assert standard + priced.macs == standard // 9 + standard // node.output_shape[1]


def test_a_stack_of_3x3_takes_18_25ths_of_a_5x5_at_equal_widths() -> None:
    graph = load_graph("conv2d(32, 5, padding=2, bias=False) -> batch_norm2d -> relu", input="32x9x9")
    made = substitute(graph, rewrite_called("two-3x3"))
    assert made.priced[0].params == 2 * 9 * 32 * 32 + 2 * 32 - 25 * 32 * 32
    names = [node.name for node in made.rewritten.layers]
    assert names == ["conv2d.conv1", "conv2d.norm1", "conv2d.act1", "conv2d.conv2", "batch_norm2d", "relu"]


@pytest.mark.parametrize(("mid", "width"), [("in", 16), ("out", 48), (20, 20)])
def test_the_width_between_can_be_chosen(mid: str | int, width: int) -> None:
    graph = load_graph("conv2d(48, 5, padding=2)", input="16x9x9")
    made = substitute(graph, rewrite_called("two-3x3"), options=Options(mid=mid))
    assert made.rewritten.nodes[1].output_shape[1] == width


@pytest.mark.parametrize("size", [5, 7])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("padding", [0, 1, 2, 3])
def test_a_stack_keeps_sizes_and_fields_for_every_stride_and_padding(
    size: int, stride: int, padding: int
) -> None:
    graph = load_graph(f"conv2d(4, {size}, stride={stride}, padding={padding})", input="3x17x19")
    made = substitute(graph, rewrite_called("two-3x3" if size == 5 else "three-3x3"))
    assert made.rewritten.output_shape == graph.output_shape
    assert made.priced[0].end_after.receptive_field == size


def test_scopes_keep_their_block_only_where_nothing_changed() -> None:
    new = rewritten("googlenet", "two-3x3", "inception_3a").rewritten
    blocks = {item.name: item.block for _, item in new.walk() if getattr(item, "block", None)}
    assert "inception_3b" in blocks
    assert "inception_3a" not in blocks


def test_unknown_rewrites_sites_and_networks_without_any_are_told() -> None:
    for call in (
        lambda: rewrite_called("depthwize"),
        lambda: rewritten("vgg16", "naive"),
        lambda: rewritten("alexnet", "grouped", "conv9"),
    ):
        with pytest.raises(ArchinspectError, match="A403"):
            call()


def test_a_form_that_cannot_be_built_says_where_and_the_others_go_on() -> None:
    """Inception-ResNet's first module is naïve-able, but the residual blocks behind it are fixed to 320 channels."""
    forms = {form.rewrite.name: form for form in applicable(load_graph("inception_resnet_v2"))}
    failure = forms["naive"].failure
    assert failure is not None
    assert (failure.code, failure.path) == ("A304", "block35_1.add")
    assert "error" in forms["naive"].to_dict()
    assert forms["no-reductions"].failure is None


def test_a_rewrite_whose_sites_cannot_be_found_is_left_out_with_its_reason(tmp_path: Path) -> None:
    """A residual block at another width no longer fits the gate behind it: the command goes on with the others."""
    file = tmp_path / "gated.yaml"
    file.write_text(
        """
name: gated
input: 64x28x28
layers:
  - block:
      - add:
          residual: conv2d(16, 1) -> conv2d(16, 3, padding=1) -> conv2d(128, 1)
          shortcut: conv2d(128, 1)
  - multiply:
      map: identity
      gate: adaptive_avg_pool2d(1) -> conv2d(128, 1) -> sigmoid
"""
    )
    forms = {form.rewrite.name: form for form in applicable(load_graph(str(file)))}
    refused = forms["basic-blocks"].failure
    assert refused is not None
    assert "equal channels" in refused.message
    assert forms["asymmetric"].failure is None


@pytest.mark.slow
@pytest.mark.parametrize(("model", "name"), [("googlenet", "naive"), ("resnet50", "basic-blocks")])
def test_counterfactuals_are_verified_like_any_network(model: str, name: str) -> None:
    from archinspect.check.verify import verify

    found = verify(rewritten(f"{model}:input=3x64x64", name).rewritten, batches=(1,))
    assert found.ok, found.mismatches


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("googlenet:input=3x64x64", "no-reductions"),
        ("googlenet:input=3x64x64", "naive"),
        ("resnet50:input=3x64x64", "basic-blocks"),
        ("alexnet", "global-pool"),
        ("alexnet:input=3x67x67", "asymmetric"),
        ("vgg16:input=3x32x32", "depthwise"),
    ],
)
def test_counterfactuals_agree_with_their_torch_modules(model: str, name: str) -> None:
    from torch import nn

    from archinspect.pytorch import build

    graph = rewritten(model, name).rewritten
    module = build(graph, device="meta")
    assert isinstance(module, nn.Module)
    ours = {f"{node.name}.{key}": shape for node in graph.layers for key, shape in node.weights.items()}
    assert {key: tuple(value.shape) for key, value in module.named_parameters()} == ours


def test_every_rewrite_is_explained_and_sourced() -> None:
    for name, found in REWRITES.items():
        assert found.name == name
        assert found.source
        assert found.explanation.endswith(".")
