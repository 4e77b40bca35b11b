"""What fused kernels must move and multiply at least: known groups by hand, and what holds for every network."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archinspect.frontends.spec import load_graph
from archinspect.graph import Graph
from archinspect.latency.ceilings import PRECISIONS, Ceilings
from archinspect.latency.efficiency import judged
from archinspect.latency.layers import Fused, LayerTiming, Row, layer_timings
from archinspect.latency.results import Run
from archinspect.latency.roofline import COMPUTE, MEMORY, works
from archinspect.latency.traffic import FusedWork, fused_works

FP32 = PRECISIONS["fp32"]
ROOFS = Ceilings("a device", {"fp32": 1e9}, 1e9, 1e-9, "measured")
LINE = "conv2d(8, 3, padding=1, bias=False) -> batch_norm2d -> relu -> dropout -> flatten -> linear(10)"
CHAIN = load_graph(LINE, input="3x16x16")
MAP = 4 * 8 * 16 * 16  # bytes of a feature map of eight channels
CONV = 4 * 8 * 3 * 3 * 3
LINEAR = 4 * (10 * 2048 + 10)


def groups(*layers: str) -> list[Fused]:
    return [Fused((f"kernel{number}",), tuple(names.split())) for number, names in enumerate(layers)]


def moved(graph: Graph, *layers: str, batch: int = 1) -> list[tuple[int, int, int]]:
    found = fused_works(groups(*layers), graph, batch, 4)
    return [(each.input_bytes, each.weight_bytes, each.output_bytes) for each in found]


def test_what_is_handed_on_within_a_kernel_is_not_moved() -> None:
    assert moved(CHAIN, "conv2d", "batch_norm2d relu", "linear") == [
        (4 * 3 * 16 * 16, CONV, MAP),
        (MAP, 4 * 4 * 8, MAP),  # scale, shift, mean and variance; relu reads what is still at hand
        (MAP, LINEAR, 40),  # dropout and flatten: views of what relu wrote
    ]


def test_activations_grow_with_the_batch_and_weights_do_not() -> None:
    assert moved(CHAIN, "conv2d", "batch_norm2d relu", "linear", batch=8)[1] == (8 * MAP, 128, 8 * MAP)


def test_a_network_in_one_kernel_moves_its_input_weights_and_output() -> None:
    (whole,) = fused_works(groups("conv2d batch_norm2d relu linear"), CHAIN, 1, 4)
    assert (whole.input_bytes, whole.weight_bytes, whole.output_bytes) == (3072, CONV + 128 + LINEAR, 40)
    assert whole.macs == 8 * 27 * 256 + 10 * 2048
    assert (whole.convolution_macs, whole.product_macs) == (8 * 27 * 256, 10 * 2048)


RESIDUAL = load_graph("resnet18", input="3x32x32")
BLOCK = "conv2_x.block1."


def residual_groups() -> list[str]:
    fused = [
        f"{BLOCK}residual.conv1.bn {BLOCK}residual.relu1",
        f"{BLOCK}residual.conv2.bn {BLOCK}add {BLOCK}relu",
    ]
    inside = {name for names in fused for name in names.split()}
    return [*(node.name for node in RESIDUAL.layers if node.name not in inside), *fused]


def test_a_residual_addition_reads_both_branches_and_writes_once() -> None:
    found = dict(zip(residual_groups(), moved(RESIDUAL, *residual_groups()), strict=True))
    size = 4 * 64 * 8 * 8
    assert found[f"{BLOCK}residual.conv2.bn {BLOCK}add {BLOCK}relu"] == (2 * size, 4 * 4 * 64, size)


def test_a_concatenation_without_a_kernel_is_where_its_branches_are() -> None:
    graph = load_graph("googlenet")
    names = [node.name for node in graph.layers]
    kept = [
        name for name in names if not name.endswith("concat") and graph.by_name[name].op.type != "flatten"
    ]
    joined = fused_works(groups(*kept), graph, 1, 4)
    reader = joined[kept.index("inception_3b.branch1.conv")]
    assert reader.input_bytes == 4 * 256 * 28 * 28
    assert sum(each.macs or 0 for each in joined) == sum(n.cost.macs for n in graph.layers if n.cost)


def test_a_concatenation_that_several_kernels_fill_costs_what_writing_its_branches_costs() -> None:
    graph = load_graph("googlenet")
    block, size = "inception_5b.", 4 * 7 * 7
    others = [
        node.name
        for node in graph.layers
        if not node.name.startswith(block) and not node.op.aliases and not node.name.endswith("concat")
    ]
    own = [node.name for node in graph.layers if node.name.startswith(block)]
    own.remove(f"{block}concat")
    fill = (f"{block}branch1.relu {block}concat", f"{block}concat")
    own.remove(f"{block}branch1.relu")
    found = moved(graph, *others, *own, *fill)
    assert found[-2:] == [(384 * size, 0, 384 * size), (0, 0, 0)]
    assert found[len(others) - 1 - others[::-1].index("pool5")][0] == 1024 * size


def test_what_two_kernels_compute_is_counted_where_it_is_at_home() -> None:
    """relu is made again for the second: its own input is read twice, its work counted once."""
    spec = "conv2d(8, 1, bias=False) -> relu -> max_pool2d(2)"
    graph = load_graph(spec, input="8x4x4")
    found = moved(graph, "conv2d", "relu", "relu max_pool2d")
    size = 4 * 8 * 16
    assert found[1:] == [(size, 0, 0), (size, 0, size // 4)]


def test_a_product_that_a_second_kernel_finishes_is_read_as_the_first_has_written_it() -> None:
    """A GPU's convolution and, in the kernel that follows, its bias: the convolution is not done twice."""
    graph = load_graph("conv2d(8, 3, stride=2, padding=1) -> batch_norm2d -> relu", input="3x32x32")
    found = moved(graph, "conv2d", "conv2d batch_norm2d relu")
    assert found == [(4 * 3 * 32 * 32, CONV + 4 * 8, MAP), (MAP, 4 * 4 * 8, MAP)]


def test_a_kernel_that_only_prepares_has_no_floor() -> None:
    prepares = Fused(("copy",), (), ("conv2d",))
    (work, *_) = fused_works([prepares, *groups("conv2d", "batch_norm2d relu", "linear")], CHAIN, 1, 4)
    assert work == FusedWork(0, 0, True, 0, 0, 0)


@pytest.mark.parametrize("model", ["alexnet", "resnet50", "mobilenet_v2", "densenet121", "vit_b_16"])
def test_without_fusing_the_traffic_is_each_layers_input_weights_and_output(model: str) -> None:
    graph = load_graph(model)
    layers = [node.name for node in graph.layers if not node.op.aliases]
    found = fused_works(groups(*layers), graph, 2, 2)
    expected = {each.name: each for each in works(graph, 2, 2)}
    for name, each in zip(layers, found, strict=True):
        alone = expected[name]
        assert each.macs == alone.macs
        assert each.bytes == alone.bytes, name


NETWORKS = {name: load_graph(name, input="3x64x64") for name in ("resnet18", "googlenet", "mobilenet_v2")}


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(NETWORKS)), st.data())
def test_fusing_neighbours_never_moves_more_and_counts_all_work_once(name: str, data: st.DataObject) -> None:
    graph = NETWORKS[name]
    layers = [node.name for node in graph.layers if not node.op.aliases]
    cuts = sorted(data.draw(st.sets(st.integers(1, len(layers) - 1))))
    parts = [layers[i:j] for i, j in zip([0, *cuts], [*cuts, len(layers)], strict=True)]
    fine = fused_works(groups(*map(" ".join, parts)), graph, 1, 4)
    total = sum(node.cost.macs for node in graph.layers if node.cost)
    assert sum(each.macs or 0 for each in fine) == total
    if len(parts) > 1:
        at = data.draw(st.integers(0, len(parts) - 2))
        merged = [*parts[:at], parts[at] + parts[at + 1], *parts[at + 2 :]]
        coarse = fused_works(groups(*map(" ".join, merged)), graph, 1, 4)
        assert sum(each.bytes for each in coarse) <= sum(each.bytes for each in fine)
        assert sum(each.weight_bytes for each in coarse) == sum(each.weight_bytes for each in fine)


# Floors and verdicts


def compiled_run(*layers: str, ms: float = 1.0) -> Run:
    made = [Fused(("copy",), (), ("conv2d", "linear")), *groups(*layers)]
    rows = layer_timings((Row(f"row{i}", each.layers, (each,)), ms / 1000) for i, each in enumerate(made))
    run = Run("network", 1, "fp32", "fp32", "latency", median_ms=4.0, layers=rows, options={"compile": True})
    return judged(run, CHAIN, ROOFS)


def row(run: Run, number: int) -> LayerTiming:
    return run.layers[number]


def test_a_floor_is_the_slower_of_all_multiplications_and_all_bytes() -> None:
    run = compiled_run("conv2d", "batch_norm2d relu", "linear", ms=1.0)
    conv, norm = row(run, 1), row(run, 2)
    assert conv.floor_ms == pytest.approx(1000 * 2 * 8 * 27 * 256 / 1e9)
    assert norm.floor_ms == pytest.approx(1000 * (2 * MAP + 128) / 1e9)
    assert (norm.macs, norm.bytes) == (0, 2 * MAP + 128)
    assert run.floor_ms == pytest.approx(sum(each.floor_ms for each in run.layers))
    assert run.absorbed == ("dropout", "flatten")


def test_a_kernel_that_only_prepares_is_overhead() -> None:
    run = compiled_run("conv2d", "batch_norm2d relu", "linear")
    assert (row(run, 0).bound, row(run, 0).macs, row(run, 0).bytes) == ("overhead", 0, 0)
    assert row(run, 0).efficiency is None


def test_fused_multiplications_are_judged_together() -> None:
    floor = fused_works(groups("conv2d batch_norm2d relu linear"), CHAIN, 1, 4)[0].floor(ROOFS, FP32)
    assert floor.seconds == pytest.approx(2 * (8 * 27 * 256 + 20480) / 1e9)
    assert floor.bound == COMPUTE
    wide = Ceilings("another", {"fp32": 1e15}, 1e9, 1e-9, "measured")
    assert fused_works(groups("conv2d"), CHAIN, 1, 4)[0].floor(wide, FP32).bound == MEMORY


def test_the_whole_of_compiled_code_has_no_floor_where_its_kernels_are_not_known() -> None:
    run = Run("network", 1, "fp32", "fp32", "throughput", median_ms=4.0, options={"compile": True})
    assert judged(run, CHAIN, ROOFS).floor_ms is None
    eager = Run("network", 1, "fp32", "fp32", "throughput", median_ms=4.0)
    assert judged(eager, CHAIN, ROOFS).floor_ms is not None


def test_rows_of_compiled_code_come_back_from_json() -> None:
    run = compiled_run("conv2d", "batch_norm2d relu", "linear")
    document = run.to_dict()
    assert document["absorbed"] == ["dropout", "flatten"]
    assert document["layers"][0]["fused"] == [
        {"kernels": ["copy"], "layers": [], "prepares": ["conv2d", "linear"]}
    ]
    assert Run.from_dict("network", document) == run
    for each in document["layers"]:  # as runs were saved before there were such rows
        del each["fused"]
    del document["absorbed"]
    assert Run.from_dict("network", document).absorbed == ()
