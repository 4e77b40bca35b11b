"""The recursions in closed form: against the papers' figures, and against what random wide networks do."""

from __future__ import annotations

import math

import pytest

import archinspect
from archinspect.ops import REGISTRY
from archinspect.signal.theory import Moments, scheme_weights, through_activation
from tests.support import DOCS, run_python


def chain(activation: str, width: int = 256, layers: int = 5) -> archinspect.Network:
    steps = " -> ".join(f"linear({width}) -> {activation}" for _ in range(layers))
    return archinspect.load(f"{steps} -> linear({width})", input=f"{width}")


def test_relu_halves_the_second_moment_and_the_gradient() -> None:
    """He et al. 2015, arXiv:1502.01852, equations 8 and 13."""
    passed = through_activation(REGISTRY["relu"](), Moments(0.0, 3.0))
    assert passed is not None
    assert passed.moments.square == pytest.approx(1.5)
    assert passed.moments.mean == pytest.approx(math.sqrt(3 / (2 * math.pi)))
    assert passed.slope == pytest.approx(0.5)


@pytest.mark.parametrize("mean", [-2.0, 0.0, 0.7])
def test_the_closed_form_of_relu_is_the_integral(mean: float) -> None:
    """A leaky ReLU of slope 0 is integrated."""
    x = Moments(mean, 1.3 + mean * mean)
    exact = through_activation(REGISTRY["relu"](), x)
    integrated = through_activation(REGISTRY["leaky_relu"](negative_slope=0.0), x)
    assert exact is not None
    assert integrated is not None
    assert exact.moments.mean == pytest.approx(integrated.moments.mean, abs=1e-3)
    assert exact.moments.square == pytest.approx(integrated.moments.square, abs=1e-3)
    assert exact.slope == pytest.approx(integrated.slope, abs=0.02)


def test_tanh_and_sigmoid_near_0_are_their_tangents() -> None:
    """Slopes 1 and 1/4 at 0 (Glorot & Bengio 2010, section 4.2.1)."""
    small = Moments(0.0, 1e-6)
    tanh = through_activation(REGISTRY["tanh"](), small)
    sigmoid = through_activation(REGISTRY["sigmoid"](), small)
    assert tanh is not None
    assert sigmoid is not None
    assert tanh.moments.square == pytest.approx(1e-6, rel=1e-3)
    assert sigmoid.slope == pytest.approx(1 / 16, rel=1e-3)
    assert sigmoid.moments.mean == pytest.approx(0.5)
    assert sigmoid.moments.variance == pytest.approx(1e-6 / 16, rel=1e-3)


def test_the_variances_of_the_schemes() -> None:
    """Glorot & Bengio 2010, equation 12: 2/(n_in + n_out); He et al. 2015, equation 10: 2/n_in."""
    node = archinspect.load("conv2d(64, 3, groups=2)", input="32x8x8").graph.nodes[1]
    fan_in, fan_out = 16 * 9, 32 * 9
    wanted = {"he": 2 / fan_in, "xavier": 2 / (fan_in + fan_out), "small": 1e-4, "zero": 0.0}
    for scheme, variance in wanted.items():
        found = scheme_weights(node, scheme)
        assert found is not None
        assert found.weight == pytest.approx(variance)
    assert scheme_weights(node, "as-published") is None


def test_padding_is_left_out_of_the_fan_in() -> None:
    """3×3 on 4×4 with a border of 1: of 9 taps (3·4 − 2)²/16 meet the map."""
    found = archinspect.load("conv2d(256, 3, padding=1, bias=False)", input="64x4x4").signal(
        init="he", seeds=1
    )
    expected = 2 / 9 * (10 / 4) ** 2
    assert found["conv2d"].expected_std == pytest.approx(math.sqrt(expected), rel=0.01)
    assert found["conv2d"].ratio == pytest.approx(1, rel=0.05)


@pytest.mark.parametrize(
    ("activation", "scheme"),
    [("relu", "he"), ("relu", "xavier"), ("tanh", "xavier"), ("sigmoid", "xavier"), ("relu", "default")],
)
def test_wide_random_chains_do_what_the_recursions_say(activation: str, scheme: str) -> None:
    """Within the sampling error of layers of 256 units and 3 seeds; a chain of 6 layers sums up those of each."""
    found = chain(activation).signal(init=scheme, batch=16)
    for row in found.rows:
        assert row.expected_std is not None
        assert row.ratio == pytest.approx(1, rel=0.12), row.name
        if row.expected_gradient_std is not None:
            assert row.gradient_std == pytest.approx(row.expected_gradient_std, rel=0.12), row.name


def test_he_keeps_a_relu_chain_and_xavier_halves_its_variance_at_each_layer() -> None:
    """He et al. 2015, section 2.2: with Xavier's variance the signal of layer L is scaled by 1/2^(L/2)."""
    he, xavier = (chain("relu").signal(init=scheme, batch=16) for scheme in ("he", "xavier"))
    for found, change in ((he, 1.0), (xavier, 2 ** (-5 / 2))):
        rows = [row for row in found.rows if row.op == "linear"]
        assert rows[-1].forward_std is not None
        assert rows[0].forward_std is not None
        assert rows[-1].forward_std / rows[0].forward_std == pytest.approx(change, rel=0.15)


def test_a_residual_network_adds_variances() -> None:
    """Behind batch normalisation a branch has variance 1: before its ReLU a block has that of its input, plus 1.

    A sum of what ReLUs put out is not normal, as theory takes it to be: the ratios grow slowly with depth.
    """
    found = archinspect.load(DOCS / "examples" / "residual.yaml").signal(init="he")
    for row in found.rows:
        assert row.ratio == pytest.approx(1, rel=0.2) or row.name == "fc", row.name
    assert found["block1.add"].expected_std == pytest.approx(
        math.sqrt(1 + found["stem"].expected_std ** 2), rel=1e-3
    )


def test_theory_says_where_it_has_no_figure_and_starts_again() -> None:
    net = archinspect.load("conv2d(64, 3) -> max_pool2d(2) -> conv2d(64, 3) -> relu", input="16x12x12")
    found = net.signal(init="he")
    assert "max pooling takes the largest of correlated neighbours" in found.variants[0].notes[0]
    assert found["max_pool2d"].expected_std is None
    assert found["conv2d_1"].ratio == pytest.approx(1, rel=0.1)


def test_theory_needs_no_torch() -> None:
    done = run_python(
        "-c",
        "import sys, archinspect.signal, archinspect.signal.theory, archinspect.signal.verdicts;"
        "print('torch' in sys.modules)",
    )
    assert done.stdout.strip() == "False", done.stderr
