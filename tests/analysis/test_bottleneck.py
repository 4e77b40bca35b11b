"""One convolution behind a 1×1 reduction."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from archinspect.analysis.bottleneck import Convolution, Figures
from archinspect.errors import ArchinspectError
from archinspect.formula import evaluate
from archinspect.frontends.spec import load_graph


def test_the_lectures_convolution() -> None:
    """Lecture 6: 5×5 from 256 to 128 channels, reduced to 64, on 32×32."""
    found = Convolution.of("256x32x32", 128, 5).at(64)
    assert found.direct == Figures(819_200, 838_860_800, 128 * 32 * 32 * 4)
    assert found.reduced == Figures(221_184, 226_492_416, (64 + 128) * 32 * 32 * 4)
    assert [row.params for row in found.after.rows] == [16_384, 204_800]
    assert found.params_ratio == found.macs_ratio == pytest.approx(3.70, abs=0.005)
    assert found.extra_activation_bytes == 64 * 32 * 32 * 4
    assert found.convolution.break_even.width == 237


@st.composite
def convolutions(draw: st.DrawFn) -> Convolution:
    groups = draw(st.sampled_from([1, 1, 2, 3, 4]))
    kernel = draw(st.tuples(*[st.integers(1, 5)] * 2))
    stride = draw(st.tuples(*[st.integers(1, 3)] * 2))
    channels, outputs = (groups * draw(st.integers(1, 12)) for _ in range(2))
    rows, columns = draw(st.tuples(*[st.integers(5, 12)] * 2))
    padding = draw(st.tuples(*[st.integers(0, 2)] * 2))
    batch = draw(st.sampled_from([1, 1, 3]))
    shape = (batch, channels, rows, columns)
    return Convolution.of(
        shape, outputs, kernel, stride=stride, padding=padding, groups=groups, bias=draw(st.booleans())
    )


def brute_force(convolution: Convolution, figure: str) -> int:
    """The widest multiple of the groups that saves, by pricing every width until long after the last that does."""
    groups, widest = convolution.op.groups, 0
    for width in range(groups, 2 * convolution.input_shape[1] + 3 * groups, groups):
        found = convolution.at(width)
        if getattr(found.reduced, figure) < getattr(found.direct, figure):
            widest = width
    return widest


@given(convolutions())
def test_break_even_is_what_trying_every_width_finds(convolution: Convolution) -> None:
    found = convolution.break_even
    assert found.params.width == brute_force(convolution, "params")
    assert found.macs.width == brute_force(convolution, "macs")
    assert found.width == min(found.params.width, found.macs.width)


@given(convolutions())
def test_the_formula_of_a_bound_is_its_quotient(convolution: Convolution) -> None:
    for bound in (convolution.break_even.params, convolution.break_even.macs):
        assert evaluate(bound.formula) * bound.denominator == bound.numerator


@given(convolutions(), st.integers(1, 6))
def test_both_sides_are_what_the_same_layers_cost_in_a_network(convolution: Convolution, times: int) -> None:
    op, width = convolution.op, convolution.op.groups * times
    text = f"conv2d({width}, 1, bias={op.bias}) -> {op}"
    graph = load_graph(text, input=convolution.input_shape)
    ours = convolution.reduced(width)
    assert [node.op for node in ours.layers] == [node.op for node in graph.layers]
    assert ours.output_shape == graph.output_shape


def test_unpadded_convolutions_keep_their_size_at_stride_1() -> None:
    for kernel in (1, 2, 3, 4, (1, 7), (2, 3)):
        assert Convolution.of("8x16x16", 4, kernel).direct.rows[0].output_shape == (1, 4, 16, 16)


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"input": "256x32"}, "A402"),
        ({"input": "axbxc"}, "A402"),
        ({"out_channels": 0}, "A207"),
        ({"groups": 3}, "A303"),
        ({"kernel_size": 40, "padding": 0}, "A302"),
        ({"padding": "same", "stride": 2}, "A207"),
    ],
)
def test_sizes_that_make_no_convolution_are_refused(given: dict[str, object], code: str) -> None:
    arguments = {"input": "256x32x32", "out_channels": 128, "kernel_size": 5, **given}
    with pytest.raises(ArchinspectError) as caught:
        Convolution.of(**arguments)  # type: ignore[arg-type]
    assert caught.value.diagnostics[0].code == code


def test_a_width_that_the_groups_do_not_divide_is_refused() -> None:
    with pytest.raises(ArchinspectError, match="A303"):
        Convolution.of("8x8x8", 8, 3, groups=4).at(6)


@given(st.integers(1, 4))
def test_a_convolution_of_one_channel_cannot_be_reduced(kernel: int) -> None:
    assume(kernel)
    assert Convolution.of("1x8x8", 4, kernel).break_even.width == 0
