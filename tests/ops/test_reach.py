"""How far an output sees, against what torch's gradients say: which inputs an output depends on."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from archinspect.errors import OpError
from archinspect.geometry import AdaptiveWindow
from archinspect.ops import REGISTRY, Op

from .real import real
from .strategies import flag

one = st.integers(1, 4)
ROWS = 24  # enough for every phase of a stride, a dilation or a scale to occur away from the borders

CASES: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "conv2d": {
        "out_channels": st.just(1),
        "kernel_size": one,
        "stride": one,
        "dilation": one,
        "padding": one,
    },
    "conv_transpose2d": {"out_channels": st.just(1), "kernel_size": one, "stride": one, "dilation": one},
    "avg_pool2d": {"kernel_size": one, "stride": one, "ceil_mode": flag},
    "adaptive_avg_pool2d": {"output_size": st.integers(1, 30)},
    "upsample": {
        "scale_factor": st.sampled_from([1, 2, 3, 4, 1.5]),
        "mode": st.sampled_from(["nearest", "bilinear"]),
    },
}


def seen(op: Op, outputs: int) -> int:
    """The most input rows, first to last, that any `outputs` neighbouring output rows depend on."""
    shape = (1, 1, ROWS, ROWS)
    layer = real(op, (shape,), "cpu").double()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.fill_(1.0)  # no dependency may vanish by chance
    x = torch.rand(shape, dtype=torch.float64, requires_grad=True)
    y = layer(x)
    most = 0
    for first in range(y.shape[2] - outputs + 1):
        (gradient,) = torch.autograd.grad(y[:, :, first : first + outputs].sum(), x, retain_graph=True)
        rows = gradient.abs().sum((0, 1, 3)).nonzero().flatten().tolist()
        if rows:
            most = max(most, rows[-1] - rows[0] + 1)
    return most


@pytest.mark.parametrize("name", sorted(CASES))
def test_reach_is_what_gradients_say(name: str) -> None:
    @settings(max_examples=12)
    @given(st.fixed_dictionaries(CASES[name]), st.integers(1, 3))
    def check(attributes: dict[str, Any], outputs: int) -> None:
        shape = (1, 1, ROWS, ROWS)
        try:
            op = REGISTRY[name].of(**attributes)
            output = op.shape((shape,))
        except OpError:
            return
        axes = op.windows((shape,))
        assert axes is not None
        assert axes[0].reach == axes[1].reach
        expected = axes[0].reach.inputs(outputs)
        found = seen(op, min(outputs, output[2]))
        assert found <= expected, "a receptive field is never larger than said"
        # What cannot be met by every case: windows of two sizes side by side, taps that miss each other, weights of 0.
        exact = {
            "adaptive_avg_pool2d": outputs == 1,
            "conv_transpose2d": attributes.get("dilation") == 1,
            "upsample": attributes.get("mode") == "nearest",
        }.get(name, True)
        if exact and outputs <= output[2] and expected <= ROWS // 2:
            assert found == expected

    check()


@given(st.integers(1, 200), st.integers(1, 60))
def test_adaptive_windows_add_up(size: int, outputs: int) -> None:
    window = AdaptiveWindow(size, outputs)
    assert sum(window.lengths) == window.total
    assert max(window.lengths) == window.reach.inputs(1)


def test_what_is_read_from_end_to_end() -> None:
    linear = REGISTRY["linear"].of(10)
    assert linear.mixes(((1, 9216),)) == (1,)
    assert linear.mixes(((1, 197, 768),)) == (2,), "each token by itself"
    assert 1 in REGISTRY["multihead_attention"].of(12).mixes(((1, 197, 768),))
    assert REGISTRY["relu"].of().mixes(((1, 9216),)) == ()


def test_windows_of_known_layers() -> None:
    """AlexNet's first layers: Araujo et al. 2019, Distill, "Computing receptive fields", table 1 gives 195 for all."""
    steps = [
        ("conv2d", {"out_channels": 1, "kernel_size": 11, "stride": 4}),
        ("max_pool2d", {"kernel_size": 3, "stride": 2}),
        ("conv2d", {"out_channels": 1, "kernel_size": 5, "padding": 2}),
        ("max_pool2d", {"kernel_size": 3, "stride": 2}),
        ("conv2d", {"out_channels": 1, "kernel_size": 3, "padding": 1}),
        ("conv2d", {"out_channels": 1, "kernel_size": 3, "padding": 1}),
        ("conv2d", {"out_channels": 1, "kernel_size": 3, "padding": 1}),
        ("max_pool2d", {"kernel_size": 3, "stride": 2}),
    ]
    field = 1
    for name, attributes in reversed(steps):
        axes = REGISTRY[name].of(**attributes).windows(((1, 1, 64, 64),))
        assert axes is not None
        field = axes[0].reach.inputs(field)
    assert field == 195
