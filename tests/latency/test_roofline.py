"""Work, floors and verdicts from the closed form; what each formula means, computed by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archinspect.errors import ArchinspectError
from archinspect.frontends.spec import load_graph
from archinspect.latency.ceilings import PRECISIONS, Ceilings
from archinspect.latency.roofline import Floor, Work, attainable, floor, verdict, works

ROOFS = Ceilings("test", {"fp32": 1e12, "tf32": 8e12, "fp16": 16e12}, 1e11, 5e-6, "made up")


def test_work_of_a_convolution_by_hand() -> None:
    graph = load_graph("conv2d(8, 3, padding=1)", input="4x10x10")
    (work,) = works(graph, batch=2, element_bytes=2)
    assert work.macs == 2 * 8 * 10 * 10 * 4 * 9
    assert work.input_bytes == 2 * 4 * 100 * 2
    assert work.weight_bytes == (8 * 4 * 9 + 8) * 2  # weights do not grow with the batch
    assert work.output_bytes == 2 * 8 * 100 * 2
    assert work.intensity == pytest.approx(2 * work.macs / work.bytes)


def test_views_do_no_work_and_a_concat_moves_bytes() -> None:
    graph = load_graph("conv2d(4, 1) -> flatten -> dropout", input="4x10x10")
    _, flatten, dropout = works(graph, 1, 4)
    assert flatten.idle
    assert dropout.idle


def test_a_batch_in_the_spec_is_not_counted_twice() -> None:
    one, four = load_graph("conv2d(8, 3)", input="3x9x9"), load_graph("conv2d(8, 3)", input="4x3x9x9")
    assert works(one, 4, 4) == works(four, 4, 4)


def test_fp32_convolutions_run_at_tf32_and_matrix_products_do_not() -> None:
    conv = Work("c", "conv2d", 10**9, 0, 0, 1, convolution=True)
    linear = Work("l", "linear", 10**9, 0, 0, 1, convolution=False)
    seconds = {
        name: (
            floor(conv, ROOFS, PRECISIONS[name]).seconds,
            floor(linear, ROOFS, PRECISIONS[name]).seconds,
        )
        for name in ("fp32", "tf32", "strict-fp32", "fp16")
    }
    assert seconds["fp32"] == pytest.approx((2e9 / 8e12, 2e9 / 1e12))
    assert seconds["tf32"] == pytest.approx((2e9 / 8e12, 2e9 / 8e12))
    assert seconds["strict-fp32"] == pytest.approx((2e9 / 1e12, 2e9 / 1e12))
    assert seconds["fp16"] == pytest.approx((2e9 / 16e12, 2e9 / 16e12))


def test_a_device_without_the_precision_is_an_error_not_a_guess() -> None:
    with pytest.raises(ArchinspectError, match="no bf16 arithmetic"):
        ROOFS.flops(PRECISIONS["bf16"], convolution=True)


def test_without_tf32_the_default_is_plain_fp32_and_says_so() -> None:
    plain = Ceilings("cpu", {"fp32": 1e11}, 1e10, 1e-6, "measured")
    assert plain.flops(PRECISIONS["fp32"], convolution=True) == 1e11
    assert PRECISIONS["fp32"].label(has_tf32=False) == "fp32"
    assert PRECISIONS["fp32"].label(has_tf32=True) == "fp32 (conv TF32)"
    assert PRECISIONS["strict-fp32"].label(has_tf32=True) == "fp32 (strict)"
    with pytest.raises(ArchinspectError, match="no tf32"):
        plain.flops(PRECISIONS["tf32"], convolution=False)


@pytest.mark.parametrize(
    ("seconds", "least", "launch", "words"),
    [
        (1.0, Floor(0.8, "compute-bound"), 0.0, "compute-bound"),
        (1.0, Floor(0.8, "memory-bound"), 0.0, "memory-bound"),
        (1.0, Floor(0.1, "compute-bound"), 0.6, "launch-bound"),
        (1.0, Floor(0.1, "compute-bound"), 0.1, "below both roofs"),
        (1.0, Floor(1.5, "compute-bound"), 0.0, "beats the roof"),
        (1.0, Floor(1.02, "compute-bound"), 0.0, "compute-bound"),
        (1.0, Floor(0.0, "memory-bound"), 0.9, "no work"),
    ],
)
def test_verdicts(seconds: float, least: Floor, launch: float, words: str) -> None:
    assert verdict(seconds, least, launch) == words


@given(st.floats(1e-3, 1e5), st.floats(1e9, 1e15), st.floats(1e9, 1e13))
def test_the_roof_is_the_floor_seen_from_above(intensity: float, peak: float, bandwidth: float) -> None:
    flops = 1e9
    seconds = max(flops / peak, flops / intensity / bandwidth)
    assert attainable(intensity, peak, bandwidth) == pytest.approx(flops / seconds)


def test_ceilings_survive_json() -> None:
    again = Ceilings.from_dict(ROOFS.to_dict())
    assert again.peak == pytest.approx(dict(ROOFS.peak))
    assert again.bandwidth == pytest.approx(ROOFS.bandwidth)
