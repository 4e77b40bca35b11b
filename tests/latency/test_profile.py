"""Profiles of devices: which kernels a layer runs, what measurements say of others, files, and the commands."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from archinspect import load
from archinspect.errors import ArchinspectError
from archinspect.frontends.spec import load_graph
from archinspect.latency.ceilings import Ceilings
from archinspect.latency.kernels import FAMILIES, Kernel, kernels
from archinspect.latency.prediction_error import NETWORKS, NetworkError, PredictionError
from archinspect.latency.profile import Profile, Sample, Surface, combined, interval, read
from archinspect.latency.utilisation import predict_by_profile
from tests.support import run_cli

ROOFS = Ceilings("here", {"fp32": 1e11}, 1e10, 2e-6, "measured")


def planted_ms(kernel: Kernel) -> float:
    """A device by formula: 20 GMAC/s, 4 ns for each element, 5 µs for each call, all ± 30 % by size."""
    terms = kernel.terms
    first = terms[0] / 2e7 if kernel.family.startswith(("conv", "linear", "matmul")) else terms[0] * 4e-6
    rest = sum(terms[1:-1]) * 4e-6
    return (first + rest) * (1 + 0.3 * math.sin(sum(kernel.axes) / 3)) + 0.005


@cache
def synthetic_kernels() -> tuple[Kernel, ...]:
    from archinspect.latency.measure.calibrate import synthetic

    return tuple(synthetic())


@cache
def planted_profile(families: tuple[str, ...] = ()) -> Profile:
    """Half of the measurements that calibration would take on that device."""
    wanted = [kernel for kernel in synthetic_kernels() if not families or kernel.family in families]
    wanted = wanted if families else [*wanted[::2], *wanted[-2:]]
    samples = tuple(Sample(kernel, planted_ms(kernel), 0.01) for kernel in wanted)
    fits = dict.fromkeys(FAMILIES, (1.8, 0.03))  # seeking them takes its time
    return Profile("a formula", "fp32", {"threads": 2}, ROOFS, samples, (), fits)


@pytest.fixture(scope="module")
def profile_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("profile") / "formula.json"
    planted_profile().save(path)
    return path


def families_of(model: str, batch: int = 1, **options: Any) -> dict[str, tuple[str, ...]]:
    return {
        name: tuple(kernel.family for kernel in found or ())
        for name, found in kernels(load_graph(model, **options), batch)
    }


# Which kernels a layer runs.


def test_convolutions_are_told_apart_by_what_computes_them() -> None:
    text = "conv2d(8, 3) -> conv2d(16, 1) -> conv2d(16, 3, groups=16) -> conv2d(16, 3, groups=4) -> conv2d(8, (1, 7))"
    found = list(families_of(text, input="3x64x64").values())
    kinds = ["conv_first", "conv_pointwise", "conv_depthwise", "conv_grouped", "conv_dense"]
    assert found == [(kind,) for kind in kinds]


def test_sizes_by_hand_at_another_batch() -> None:
    graph = load_graph(
        "conv2d(64, 3, stride=2, padding=1) -> relu -> flatten -> linear(10)", input="16x56x56"
    )
    (_, conv), (_, relu), (_, view), (_, linear) = kernels(graph, 8)
    assert conv == (Kernel("conv_dense", (8, 16, 56, 56, 64, 28, 28, 3, 3, 2, 1, 1)),)
    assert relu == (Kernel("relu", (8 * 64 * 28 * 28,)),)
    assert view == (Kernel("view"),)
    assert linear == (Kernel("linear", (8, 64 * 28 * 28, 10)),)
    macs, read, written, weights, one = conv[0].terms
    assert macs == 8 * 64 * 28 * 28 * 16 * 9
    assert (read, written, weights, one) == (8 * 16 * 56 * 56, 8 * 64 * 28 * 28, 64 * 16 * 9, 1)


def test_channels_count_in_blocks_of_eight_but_for_images() -> None:
    def macs(c_in: int, c_out: int) -> float:
        return Kernel("conv_dense", (1, c_in, 8, 8, c_out, 8, 8, 3, 3, 1, 1, 1)).terms[0]

    assert macs(9, 10) == macs(16, 16)
    assert macs(3, 16) == 3 * 16 * 9 * 64


def test_joins_gates_and_attention_have_kernels() -> None:
    found = families_of("se_resnet50")
    assert found["conv2_x.block1.add"] == ("add",)
    assert ("multiply_planes",) in found.values()
    attention = next(found for found in families_of("vit_b_16").values() if "attention" in found)
    assert attention == ("linear", "copy", "attention", "copy", "linear")


@pytest.mark.parametrize(
    "model", ["resnet18", "mobilenet_v3_large", "densenet121", "googlenet", "alexnet_grouped"]
)
def test_every_layer_of_a_network_of_images_has_kernels(model: str) -> None:
    assert all(found is not None for _, found in kernels(load_graph(model), 1))


def test_writing_in_place_is_another_kernel() -> None:
    from torch import nn

    module = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(inplace=True), nn.ReLU())
    found = kernels(load(module, input="3x16x16").graph, 1)
    assert [kernel.family for _, each in found for kernel in each or ()] == ["conv_first", "relu_", "relu"]


# What measurements say of other sizes.


def test_other_sizes_are_predicted_from_measured_ones() -> None:
    """A third of the measurements is kept back; the interval holds nine in ten of them."""
    for family in ("conv_depthwise", "linear"):
        samples = planted_profile((family,)).samples
        known = Surface([sample for place, sample in enumerate(samples) if place % 3], (1.8, 0.03))
        hidden = samples[::3]
        errors, inside = [], 0
        for sample in hidden:
            found = known.estimate(sample.kernel)
            errors.append(abs(found.ms / sample.ms - 1))
            low, high = interval(found.ms, found.error)
            inside += low <= sample.ms <= high
        assert sorted(errors)[len(errors) // 2] < 0.08, family
        assert inside >= 0.8 * len(hidden), family


def test_an_exact_roofline_is_found() -> None:
    """Where time is a sum of costs, the costs come out, and the prediction is right to a per cent."""
    sizes = [(2**a, 2**b, 2**c) for a in (0, 4, 8) for b in (6, 9) for c in (5, 8, 10)]
    samples = []
    for each in sizes:
        kernel = Kernel("linear", each)
        samples.append(Sample(kernel, kernel.terms[0] * 5e-8 + kernel.terms[3] * 4e-7 + 0.004, 0.0))
    surface = Surface(samples)
    assert surface.costs[0] == pytest.approx(5e-8, rel=0.02)
    assert surface.costs[-1] == pytest.approx(0.004, rel=0.05)
    wanted = Kernel("linear", (32, 128, 128))
    assert surface.estimate(wanted).ms == pytest.approx(
        wanted.terms[0] * 5e-8 + wanted.terms[3] * 4e-7 + 0.004, rel=0.02
    )


def test_what_is_larger_than_measured_is_said() -> None:
    surface = planted_profile(("linear",)).families["linear"]
    assert not surface.is_outside(Kernel("linear", (8, 512, 1000)))
    assert surface.is_outside(Kernel("linear", (8, 10**8, 1000)))
    assert (
        surface.estimate(Kernel("linear", (8, 10**8, 1000))).error
        > surface.estimate(Kernel("linear", (8, 512, 1000))).error
    )


def test_errors_of_equal_kernels_do_not_cancel_and_of_others_do_in_part() -> None:
    profile = planted_profile(("linear", "batch_norm"))
    one, other = Kernel("linear", (8, 512, 512)), Kernel("linear", (8, 2048, 256))
    alike = [(one, found)] * 4 if (found := profile.estimate(one)) else []
    mixed = [(each, found) for each in (one, other) if (found := profile.estimate(each))]
    assert combined(alike, 0.0)[1] == pytest.approx(alike[0][1].error)
    total, error = combined(mixed, 0.0)
    assert error < sum(found.ms * found.error for _, found in mixed) / total
    assert combined(mixed, 0.02)[1] == pytest.approx(error + 0.02)


# Networks.


def test_a_network_is_the_sum_of_its_layers() -> None:
    found = predict_by_profile(load_graph("resnet18"), planted_profile(), 4)
    assert found.ms == pytest.approx(sum(layer.ms for layer in found.layers))
    assert found.interval_ms[0] < found.ms < found.interval_ms[1]
    exact = sum(planted_ms(k) for _, each in kernels(load_graph("resnet18"), 4) for k in each or ())
    assert found.ms == pytest.approx(exact, rel=0.1)
    folded = found.fold(1)
    assert len(folded.layers) < len(found.layers)
    assert sum(layer.ms for layer in folded.layers) == pytest.approx(found.ms)
    assert "Predicted" in str(found)


def test_a_layer_without_measurement_is_refused_by_name() -> None:
    with pytest.raises(ArchinspectError) as caught:
        predict_by_profile(load_graph("c3d"), planted_profile())
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "A403"
    assert any("conv3d (8 calls)" in note for note in diagnostic.notes)
    with pytest.raises(ArchinspectError) as caught:
        predict_by_profile(load_graph("alexnet"), planted_profile(("conv_first", "relu")))
    assert any("max_pool2d" in note for note in caught.value.diagnostics[0].notes)


def test_layers_beyond_the_measured_sizes_are_named() -> None:
    graph = load_graph("conv2d(64, 3, padding=1) -> relu", input="8x4000x4000")
    assert predict_by_profile(graph, planted_profile()).outside == ("conv2d", "relu")


def test_the_published_networks_are_at_least_sixty_and_each_stands_once() -> None:
    assert len(NETWORKS) == len(set(NETWORKS)) >= 60


def test_errors_are_summed_up() -> None:
    def entry(predicted: float, low: float, high: float) -> NetworkError:
        return NetworkError("net", 1, 10.0, predicted, (low, high), 5.0)

    found = PredictionError("here", tuple(entry(10 + i, 9, 12.5 + i) for i in range(5)))
    assert found.median_error == pytest.approx(0.2)
    assert found.mean_error == pytest.approx(0.2)
    assert found.roofline_median_error == pytest.approx(0.5)
    assert found.coverage == 1.0
    document = found.to_dict()
    wanted = {"device", "networks", "median_error", "p90_error", "roofline_median_error"}
    assert wanted <= set(document)
    assert {"model", "batch", "measured_ms", "predicted_ms", "interval_ms"} <= set(document["networks"][0])
    assert "median 20.0%" in str(found)


# Files.


def test_a_profile_is_read_as_it_was_written(profile_file: Path) -> None:
    assert read(profile_file).to_dict() == planted_profile().to_dict()


def _without(key: str) -> Any:
    return lambda data: {name: value for name, value in data.items() if name != key}


def _with_sample(**change: Any) -> Any:
    return lambda data: {**data, "samples": [{**data["samples"][0], **change}]}


@pytest.mark.parametrize(
    ("damage", "note"),
    [
        (lambda data: [data], "kind"),
        (_without("kind"), "kind"),
        (lambda data: {**data, "version": 99}, "version 99"),
        (lambda data: {**data, "version": "1"}, "version"),
        (_without("samples"), "samples is missing"),
        (lambda data: {**data, "samples": []}, "samples is empty"),
        (_without("ceilings"), "ceilings is missing"),
        (_with_sample(ms=-1), "ms is -1"),
        (_with_sample(ms=0), "ms is 0"),
        (_with_sample(ms="fast"), "ms is 'fast'"),
        (_with_sample(family="conv_dens"), "conv_dens"),
        (_with_sample(sizes={"n": 1}), "sizes are not"),
        (lambda data: _with_sample(sizes=dict.fromkeys(data["samples"][0]["sizes"], 0))(data), "0"),
    ],
)
def test_a_damaged_profile_is_an_error(profile_file: Path, tmp_path: Path, damage: Any, note: str) -> None:
    path = tmp_path / "damaged.json"
    path.write_text(json.dumps(damage(json.loads(profile_file.read_text()))))
    with pytest.raises(ArchinspectError) as caught:
        read(path)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "A403"
    assert note in "".join(diagnostic.notes)


@pytest.mark.parametrize("content", ["", "{", "null", "[" * 5000, '{"kind": NaN}'])
def test_what_is_no_json_is_an_error(tmp_path: Path, content: str) -> None:
    path = tmp_path / "p.json"
    path.write_text(content)
    with pytest.raises(ArchinspectError):
        read(path)


# Commands.


def test_predict_prints_layers_and_the_sum(profile_file: Path) -> None:
    done = run_cli("predict", "alexnet", "--profile", str(profile_file))
    assert done.returncode == 0, done.stderr
    assert "conv_first" in done.stdout
    assert "90 % interval" in done.stdout
    document = json.loads(
        run_cli(
            "predict",
            "alexnet",
            "resnet18",
            "--batch",
            "1,8",
            "--profile",
            str(profile_file),
            "--format",
            "json",
        ).stdout
    )
    keys = [(each["model"], each["batch"]) for each in document["predictions"]]
    assert keys == [("alexnet", 1), ("alexnet", 8), ("resnet18", 1), ("resnet18", 8)]
    for each in document["predictions"]:
        assert each["interval_ms"][0] < each["predicted_ms"] < each["interval_ms"][1]


def test_latency_takes_a_profile_for_a_device(profile_file: Path) -> None:
    done = run_cli("latency", "alexnet", "--predict", f"h100,{profile_file}", "--format", "json")
    assert done.returncode == 0, done.stderr
    h100, here = json.loads(done.stdout)["predictions"]
    assert h100["device"] == "h100"
    assert here["device"] == "a formula"
    assert here["predicted_ms"] == pytest.approx(load("alexnet").predict(profile=profile_file).ms)
    wrong = run_cli("latency", "alexnet", "--predict", str(profile_file), "--dtype", "fp16")
    assert wrong.returncode == 2
    assert "--dtype fp32" in wrong.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("predict", "alexnet"), "no profile"),
        (("predict", "--profile", "PROFILE"), "no network"),
        (("predict", "alexnet", "--profile", "missing.json"), "missing.json"),
        (("predict", "c3d", "--profile", "PROFILE"), "conv3d"),
        (("predict", "alexnet", "--profile", "PROFILE", "--error", "--time", "0"), "no time"),
        (("calibrate",), "no file"),
        (("calibrate", "-o", "missing/p.json"), "missing"),
        (("calibrate", "-o", "p.json", "--minutes", "0"), "no time"),
        (("latency", "alexnet", "--predict", "h1000"), "did you mean 'h100'"),
        (("latency", "alexnet", "--predict", "rtx40900"), "there is no device"),
    ],
)
def test_what_is_missing_is_said(profile_file: Path, words: Sequence[str], said: str) -> None:
    done = run_cli(*[str(profile_file) if word == "PROFILE" else word for word in words])
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_the_device_at_hand_is_measured_and_its_error_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole way on few and small kernels: calibrate, save, predict, measure."""
    from archinspect.latency.measure import calibrate as module

    small = sorted(synthetic_kernels(), key=lambda kernel: kernel.terms[0])
    few = [each for family in FAMILIES for each in [k for k in small if k.family == family][:2]]
    monkeypatch.setattr(module, "synthetic", lambda device: few)
    path = tmp_path / "here.json"
    done = run_cli("calibrate", "-o", str(path), "--minutes", "0.01", "--device", "cpu", "--threads", "1")
    assert done.returncode == 0, done.stderr
    assert "conv_first" in done.stdout
    found = read(path)
    assert [sample.kernel for sample in found.samples] == few
    assert {sample.kernel.family for sample in found.samples} == set(FAMILIES)
    assert found.environment["threads"] == 1
    done = run_cli(
        "predict",
        "lenet5",
        "--error",
        "--profile",
        str(path),
        "--time",
        "0.1",
        "--batch",
        "2",
        "--format",
        "json",
    )
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    (entry,) = document["networks"]
    assert (entry["model"], entry["batch"]) == ("lenet5", 2)
    assert entry["measured_ms"] > 0
    assert document["device"] == found.device


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.slow)])
def test_synthetic_kernels_are_the_same_each_time_and_of_every_family(device: str) -> None:
    from archinspect.latency.measure.calibrate import synthetic

    found = synthetic(device)
    assert {kernel.family for kernel in found} == set(FAMILIES)
    assert tuple(found) == (synthetic_kernels() if device == "cpu" else tuple(synthetic(device)))
