"""Real forwards on the CPU: rows that add up, planted layers, memory, and what makes a figure doubtful.

The machine may be busy.  What depends on quiet is given several tries, and compared as ratios.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
import torch
from torch import nn

import archinspect
from archinspect.frontends.spec import load_graph
from archinspect.latency.ceilings import PRECISIONS, Ceilings
from archinspect.latency.conditions import counters, disturbances
from archinspect.latency.measure import bench, compare, measure
from archinspect.latency.measure.instrument import segments
from archinspect.latency.measure.prepare import network
from archinspect.latency.measure.roofs import measure_ceilings
from archinspect.latency.measure.runtime import runtime_for
from archinspect.latency.peaks import PeakMeasurement
from archinspect.latency.plan import Options
from archinspect.latency.results import Measurement, Run
from archinspect.pytorch import build
from tests.latency.planted import LINE, SMALL, beside_torchs_timer, planted
from tests.latency.proof.pairing import AGREE, DIFFER, UNDECIDED

ONE = Options(threads=1)
RUN_KEYS = {
    "batch",
    "dtype",
    "mode",
    "median_ms",
    "interval_ms",
    "n",
    "samples_ms",
    "images_per_s",
    "peak_memory_bytes",
    "layers",
    "closure",
    "inflation",
    "flags",
}
LAYER_KEYS = {"name", "ms", "share", "macs", "bytes", "floor_ms", "efficiency", "bound"}


@pytest.fixture(autouse=True)
def roofs_measured_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Real roofs, but not anew for each of these tests."""
    monkeypatch.setattr(bench, "measure_peaks", lambda runtime, precisions: PeakMeasurement(roofs()))


@cache
def roofs() -> Ceilings:
    kinds = [PRECISIONS["fp32"], PRECISIONS["bf16"]]
    return measure_ceilings(runtime_for(torch.device("cpu")), kinds)


def test_roofs_are_measured_and_leave_the_random_state() -> None:
    state = torch.random.get_rng_state()
    found = measure_ceilings(runtime_for(torch.device("cpu")), [PRECISIONS["fp32"]])
    assert torch.equal(torch.random.get_rng_state(), state)
    assert found.origin == "measured"
    assert found.peak["fp32"] > 1e8
    assert found.bandwidth > 1e8
    assert 0 < found.launch_s < 1e-2


def quick(**changes: Any) -> Measurement:
    arguments: dict[str, Any] = {"device": "cpu", "options": ONE, "time_s": 1.0}
    return measure(arguments.pop("graph", SMALL), **{**arguments, **changes})


def prove(attempt: Callable[[], bool], times: int = 4) -> None:
    """Pass when an attempt succeeds, fail when a quiet one does not; where others use the machine, say so."""
    for _ in range(times):
        before = counters()
        if attempt():
            return
        if not disturbances(before, counters(), len(os.sched_getaffinity(0))):
            pytest.fail("on a quiet machine")
    pytest.skip("others use this machine, and a figure that needs quiet was not to be had")


def test_rows_add_up_to_the_whole() -> None:
    def closes() -> bool:
        (run,) = quick(time_s=2.0).runs
        assert run.closure is not None
        assert run.median_ms is not None
        assert sum(row.ms for row in run.layers) == pytest.approx(run.closure * run.median_ms)
        assert sum(row.share for row in run.layers) == pytest.approx(1)
        return abs(run.closure - 1) <= 0.05

    prove(closes)


@pytest.mark.parametrize("name", ["relu", "conv2d_1"])
def test_a_layer_that_loops_five_milliseconds_is_found_in_its_row_at_its_size(name: str) -> None:
    def found() -> bool:
        (run,) = quick(module=planted(name, 0.005)).runs
        rows = {row.name: row.ms for row in run.layers}
        assert max(rows, key=rows.__getitem__) == name
        assert rows[name] >= 4.99  # no machine makes the loop shorter
        return rows[name] < 10  # a busy one stretches it

    prove(found)


def test_json_is_the_contract_and_comes_back() -> None:
    found = quick(batch=[1, 2], mode=["latency", "throughput"])
    document = found.to_dict()
    assert {"model", "device", "environment", "runs"} <= set(document)
    assert [(run["batch"], run["mode"]) for run in document["runs"]] == [
        (1, "latency"),
        (1, "throughput"),
        (2, "latency"),
        (2, "throughput"),
    ]
    for run in document["runs"]:
        assert set(run) >= RUN_KEYS
        assert run["n"] == len(run["samples_ms"]) > 0
        assert run["images_per_s"] == pytest.approx(1000 * run["batch"] / run["median_ms"])
        assert all(set(layer) >= LAYER_KEYS for layer in run["layers"])
        assert bool(run["layers"]) is (run["mode"] == "latency")
    assert len(document["ceilings"]["looks"]) == 2  # at the roofs, before and after
    again = Measurement.from_dict(document)
    assert again.runs == found.runs
    assert again.environment == found.environment


def test_measuring_leaves_the_caller_as_it_was() -> None:
    threads, state = torch.get_num_threads(), torch.random.get_rng_state()
    module = network(SMALL)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    quick(module=module, dtype=["fp32", "bf16"], options=Options(threads=1, channels_last=True))
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.random.get_rng_state(), state)
    for name, value in module.state_dict().items():
        assert value.dtype == before[name].dtype
        assert torch.equal(value, before[name])


@pytest.mark.parametrize("model", ["alexnet", "resnet18", "mobilenet_v2"])
def test_peak_memory_is_the_closed_forms(model: str) -> None:
    graph = load_graph(model, input="3x96x96")
    (run,) = measure(graph, device="cpu", batch=2, options=ONE, time_s=0.2, layers=False).runs
    assert run.peak_memory_bytes == run.predicted_memory_bytes


def test_a_batch_that_cannot_fit_says_so_and_the_sweep_goes_on() -> None:
    first, second = quick(batch=[10**9, 1]).runs
    assert first.status == "out-of-memory"
    assert first.median_ms is None
    assert "GiB are available" in first.flags[0].message
    assert second.status == "ok"
    assert second.median_ms is not None


def test_memory_that_runs_out_on_the_way_says_so_too() -> None:
    module = network(SMALL)

    def fail(*_: object) -> None:
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: 1 bytes\nmore")

    module.get_submodule("relu").register_forward_hook(fail)
    (run,) = quick(module=module).runs
    assert run.status == "out-of-memory"
    assert run.flags[0].remedy


def test_another_failure_is_not_taken_for_that() -> None:
    module = network(SMALL)

    def fail(*_: object) -> None:
        raise RuntimeError("something else")

    module.get_submodule("relu").register_forward_hook(fail)
    with pytest.raises(RuntimeError, match="something else"):
        quick(module=module)


def codes(run: Run) -> list[str]:
    return [flag.code for flag in run.flags]


@pytest.mark.parametrize(
    ("value", "code"), [(float("nan"), "nan"), (float("inf"), "nan"), (1e-41, "denormals")]
)
def test_values_that_make_a_figure_meaningless_are_noticed(value: float, code: str) -> None:
    module = network(SMALL)
    layer = module.get_submodule("conv2d_1")
    assert isinstance(layer, nn.Conv2d)
    assert layer.bias is not None
    with torch.no_grad():
        layer.weight.fill_(0.0)
        layer.bias.fill_(value)
    (run,) = quick(module=module, time_s=0.3).runs
    (flag,) = [flag for flag in run.flags if flag.code == code]
    assert "conv2d_1" in flag.message
    assert code not in codes(quick(time_s=0.3).runs[0])


def test_ctrl_c_keeps_what_is_known() -> None:
    def stop(what: str, phase: str, samples: int, known: float | None, share: float) -> None:
        if "batch 2" in what and phase == "layers" and samples > 2:
            raise KeyboardInterrupt

    found = quick(batch=[1, 2, 4], progress=stop)
    assert found.interrupted
    assert [run.batch for run in found.runs] == [1, 2]
    assert found.runs[0].status == "ok"
    assert found.runs[1].status == "interrupted"
    assert found.runs[1].median_ms is not None
    assert "interrupted" in codes(found.runs[1])


def test_more_threads_than_cores_are_flagged() -> None:
    (run,) = quick(options=Options(threads=200), time_s=0.3, layers=False).runs
    assert "threads" in codes(run)


@pytest.mark.parametrize(
    "model", ["googlenet", "resnet50", "densenet121", "efficientnet_b0", "vit_b_16", "inception_v3"]
)
def test_every_layer_of_a_network_is_a_row(model: str) -> None:
    graph = load_graph(model)
    rows = segments(build(graph, device="meta"), graph)
    assert [row.name for row in rows] == [node.name for node in graph.layers]
    assert sum(len(row.nodes) for row in rows) >= len(graph.layers)


def test_a_module_of_another_network_is_refused() -> None:
    with pytest.raises(ValueError, match="the module's code"):
        segments(build(load_graph("alexnet"), device="meta"), SMALL)


def test_networks_are_compared_in_turn_and_a_network_does_not_differ_from_itself() -> None:
    large = load_graph(LINE.replace("(16,", "(128,"), input="3x64x64")
    found = compare([SMALL, SMALL, large], device="cpu", options=ONE, time_s=2.0)
    assert [each.model for each in found.measurements] == ["network", "network#2", "network#3"]
    (contest,) = found.contests
    pairs = {(pair.first, pair.second): pair for pair in contest.pairs}
    assert len(pairs) == 3
    assert pairs["network", "network#3"].ratio > 1.5
    assert 0.7 < pairs["network", "network#2"].ratio < 1.4
    for each in found.measurements:
        (run,) = each.runs
        assert run.n == 2 * contest.rounds
        assert [row.name for row in run.layers][:-1] == [node.name for node in SMALL.layers]
        assert run.closure is not None
        assert run.inflation is not None
        assert sum(row.ms for row in run.layers) == pytest.approx(run.closure * (run.whole_ms or 0))
    planted = found.measurements[2].runs[0], found.measurements[0].runs[0]
    assert planted[0].layers[0].ms > 2 * planted[1].layers[0].ms  # the wider convolution is the slower row


def test_networks_are_compared_without_rows_where_none_are_wanted() -> None:
    found = compare([SMALL, SMALL], device="cpu", options=ONE, mode=["latency", "throughput"], time_s=0.5)
    assert [bool(run.layers) for run in found.measurements[1].runs] == [True, False]
    found = compare([SMALL, SMALL], device="cpu", options=ONE, layers=False, time_s=0.5)
    assert not found.measurements[0].runs[0].layers


def test_one_ctrl_c_ends_a_comparison_while_networks_warm_up() -> None:
    warmed = set()

    def stop(what: str, phase: str, samples: int, known: float | None, share: float) -> None:
        warmed.add(what.partition(" ")[0])
        if phase == "warm-up" and what.startswith("network#2"):
            raise KeyboardInterrupt

    found = compare([SMALL, SMALL, SMALL], device="cpu", options=ONE, time_s=1.0, progress=stop)
    assert found.interrupted
    assert "network#3" not in warmed
    assert found.contests[0].pairs == ()
    assert [each.runs[0].status for each in found.measurements[:2]] == ["interrupted"] * 2
    assert not found.measurements[2].runs


def test_ctrl_c_among_the_rows_of_several_networks_keeps_their_figures() -> None:
    def stop(what: str, phase: str, samples: int, known: float | None, share: float) -> None:
        if phase == "layers" and what.startswith("network#2"):
            raise KeyboardInterrupt

    found = compare([SMALL, SMALL, SMALL], device="cpu", options=ONE, time_s=1.0, progress=stop)
    assert found.interrupted
    first, second, third = (each.runs[0] for each in found.measurements)
    assert (first.status, second.status) == ("ok", "interrupted")
    assert first.layers
    assert all(run.median_ms is not None for run in (first, second, third))
    assert len(found.contests[0].pairs) == 3


def test_torchs_own_timer_agrees_within_one_percent_when_both_take_turns() -> None:
    def agrees() -> bool:
        found = beside_torchs_timer(cap_s=3.0)
        if found.verdict == UNDECIDED:
            pytest.skip(f"this machine is too restless to tell: {found}")
        return found.verdict == AGREE

    prove(agrees)


def test_a_timer_that_is_three_percent_wrong_would_be_found() -> None:
    """The test of the test above: the same procedure with a planted bias."""

    def noticed() -> bool:
        found = beside_torchs_timer(bias=0.03, cap_s=3.0)
        if found.verdict == UNDECIDED:
            pytest.skip(f"this machine is too restless to tell: {found}")
        return found.verdict == DIFFER

    prove(noticed)


def test_notebooks_show_measurements_and_comparisons() -> None:
    found = quick()
    assert repr(found).startswith("<Measurement of network on ")
    assert "conv2d_1" in str(found)
    html = found._repr_html_()
    assert html.count('<th scope="row">conv2d_1</th>') == 1
    assert "closure" in html.lower()
    html = compare([SMALL, SMALL], device="cpu", options=ONE, time_s=0.5)._repr_html_()
    assert ">network#2<" in html
    assert html.count('<th scope="row">conv2d_1</th>') == 2  # the rows of both


def test_the_library_measures_and_predicts_under_the_commands_names() -> None:
    network = archinspect.load(LINE, input="3x64x64")
    found = network.measure(device="cpu", batch=2, threads=1, depth=1, time_s=0.3)
    assert [run.batch for run in found.runs] == [2]
    assert found.environment["threads"] == 1
    assert network.predict("h100", batch=2, dtype="fp16").high_ms > 0
