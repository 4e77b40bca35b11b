"""Costs against plain loops that count what they do, and whose values are torch's.

The loops (naive.py, formulas.py) know the definitions of the ops and none of our closed forms.  Each case checks
both: that the loop computes what torch computes, and that it did as many operations as `cost` says.
"""

from __future__ import annotations

from collections import Counter
from itertools import product
from typing import Any

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from archinspect.errors import OpError
from archinspect.ops import REGISTRY, Cost, Op, Shape, Shapes

from . import formulas, naive
from .counted import Number, counted, tensor
from .real import real
from .strategies import STRATEGIES, case, flag, sizes

few_channels = st.sampled_from([1, 2, 4])
#: inputs small enough for loops, by their number of spatial dimensions
small = {
    n: st.tuples(st.integers(1, 2), few_channels, *[st.integers(1, most)] * n)
    for n, most in ((1, 12), (2, 6), (3, 3))
}


def convolutions(n: int, *, transposed: bool) -> st.SearchStrategy[tuple[dict[str, Any], Shapes]]:
    padding = sizes(n, 0, 1) if transposed else st.sampled_from(["same", "valid"]) | sizes(n, 0, 2)
    more = {"output_padding": sizes(n, 0, 1)} if transposed else {}
    return case(
        small[n],
        out_channels_=few_channels,
        kernel_size_=sizes(n, 1, 3 if n < 3 else 2),
        stride=sizes(n, 1, 3),
        padding=padding,
        dilation=sizes(n, 1, 2),
        groups=st.integers(1, 2),
        bias=flag,
        **more,
    )


def prepared(name: str, drawn: tuple[dict[str, Any], Shapes]) -> tuple[Op, Shape, Shape]:
    attributes, (shape,) = drawn
    try:
        op = REGISTRY[name].of(**attributes)
        return op, shape, op.shape((shape,))
    except OpError:
        assume(False)
        raise


def agrees(op: Op, shape: Shape, made: dict[Shape, Number], x: torch.Tensor, layer: torch.nn.Module) -> Cost:
    """The loop's values are torch's; the closed form's cost is returned."""
    output = op.shape((shape,))
    with torch.no_grad():
        expected = layer(x)
    torch.testing.assert_close(tensor(made, output), expected, rtol=1e-6, atol=1e-6)
    cost = op.cost((shape,), output)
    assert cost is not None
    return cost


def start(op: Op, shape: Shape) -> tuple[torch.nn.Module, torch.Tensor, Counter[str], dict[Shape, Number]]:
    layer = real(op, (shape,), "cpu").double()
    tally: Counter[str] = Counter()
    x = torch.randn(shape, dtype=torch.float64)
    return layer, x, tally, counted(x, tally)


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("transposed", [False, True])
def test_convolutions_multiply_as_often_as_their_macs(n: int, transposed: bool) -> None:
    name, loop = (
        (f"conv_transpose{n}d", naive.transposed_convolution)
        if transposed
        else (f"conv{n}d", naive.convolution)
    )

    @settings(max_examples=25)
    @given(convolutions(n, transposed=transposed))
    def check(drawn: tuple[dict[str, Any], Shapes]) -> None:
        op, shape, output = prepared(name, drawn)
        layer, x, tally, elements = start(op, shape)
        weights = {k.rpartition(".")[2]: counted(v, tally) for k, v in layer.state_dict().items()}
        made = loop(op, elements, shape, weights, output)
        cost = agrees(op, shape, made, x, layer)
        assert tally["·"] == cost.macs
        assert tally["bias"] == cost.bias_adds
        assert tally["+"] <= cost.macs  # the first product of a sum needs no addition; 2·MACs counts one
        assert cost.elementwise == cost.comparisons == 0

    check()


POOLS = [f"{kind}_pool{n}d" for kind in ("max", "avg", "adaptive_max", "adaptive_avg") for n in (1, 2, 3)]


@pytest.mark.parametrize("name", POOLS)
def test_pools_compare_and_add_as_often_as_they_cost(name: str) -> None:
    @settings(max_examples=40)
    @given(STRATEGIES[name])
    def check(drawn: tuple[dict[str, Any], Shapes]) -> None:
        op, shape, output = prepared(name, drawn)
        layer, x, tally, elements = start(op, shape)
        loop = naive.adaptive_pool if name.startswith("adaptive") else naive.pool
        cost = agrees(op, shape, loop(op, elements, shape, output), x, layer)
        assert tally["max"] == cost.comparisons
        assert tally["+"] + tally["/"] == cost.elementwise
        assert cost.macs == cost.bias_adds == 0

    check()


@pytest.mark.parametrize("name", sorted(formulas.POINTWISE))
def test_pointwise_formulas_cost_what_they_do(name: str) -> None:
    @settings(max_examples=10)
    @given(STRATEGIES[name])
    def check(drawn: tuple[dict[str, Any], Shapes]) -> None:
        op, shape, _ = prepared(name, drawn)
        layer, x, tally, elements = start(op, shape)
        made = {index: formulas.POINTWISE[name](element, op) for index, element in elements.items()}
        does(tally, agrees(op, shape, made, x, layer))

    check()


def does(tally: Counter[str], cost: Cost) -> None:
    assert tally["max"] == cost.comparisons
    assert sum(tally.values()) - tally["max"] == cost.elementwise
    assert cost.macs == cost.bias_adds == 0


def groups_of(op: Any, shape: Shape) -> list[list[Shape]]:
    """The indices that a normalisation (or a softmax) works out together."""

    def group(index: Shape) -> Shape:
        match op.type:
            case "softmax":
                axis = op._dim(shape)
                return index[:axis] + index[axis + 1 :]
            case "layer_norm":
                return index[: len(shape) - len(op.normalized_shape or shape[-1:])]
            case "layer_norm2d":
                return (index[0], *index[2:])
            case "group_norm":
                return index[0], index[1] // (shape[1] // op.num_groups)
            case "instance_norm1d" | "instance_norm2d" | "instance_norm3d":
                return index[:2]
        return (index[1],)  # batch norm without running statistics

    made: dict[Shape, list[Shape]] = {}
    for index in product(*map(range, shape)):
        made.setdefault(group(index), []).append(index)
    return list(made.values())


NORMALISATIONS = [
    *(f"{kind}_norm{n}d" for kind in ("batch", "instance") for n in (1, 2, 3)),
    *("group_norm", "layer_norm", "layer_norm2d", "softmax"),
]


@pytest.mark.parametrize("name", NORMALISATIONS)
def test_normalisations_cost_what_they_do(name: str) -> None:
    @settings(max_examples=20)
    @given(STRATEGIES[name])
    def check(drawn: tuple[dict[str, Any], Shapes]) -> None:
        attributes, inputs = drawn
        if name.startswith("batch_norm"):
            attributes = {**attributes, "track_running_stats": False}
            attributes.pop("scale", None)
        op, shape, _ = prepared(name, (attributes, inputs))
        layer, x, tally, elements = start(op, shape)
        learnt = op.weights((shape,))
        made = {}
        for indices in groups_of(op, shape):
            group = [elements[index] for index in indices]
            if name == "softmax":
                values = formulas.softmax(group)
            else:
                values = formulas.normalised(group, op.eps, "weight" in learnt, "bias" in learnt)  # type: ignore[attr-defined]
            made.update(zip(indices, values, strict=True))
        does(tally, agrees(op, shape, made, x, layer))

    check()


@settings(max_examples=20)
@given(STRATEGIES["local_response_norm"])
def test_local_response_normalisation_costs_what_it_does(drawn: tuple[dict[str, Any], Shapes]) -> None:
    op: Any
    op, shape, _ = prepared("local_response_norm", drawn)
    assume(op.k > 0)  # 0/0 otherwise
    layer, x, tally, elements = start(op, shape)
    squares = {index: element * element for index, element in elements.items()}
    zero = Number(0.0, tally)
    made = {}
    for index, element in elements.items():
        n, c, row, column = index
        first = c - op.size // 2
        window = [squares.get((n, other, row, column), zero) for other in range(first, first + op.size)]
        made[index] = formulas.local_response(window, element, op)
    does(tally, agrees(op, shape, made, x, layer))


def test_attention_costs_what_it_does() -> None:
    """One small attention, written out token by token; its values are those of nn.MultiheadAttention."""
    batch, length, width, heads = 2, 3, 4, 2
    op = REGISTRY["multihead_attention"].of(heads)
    shape = (batch, length, width)
    layer, x, tally, elements = start(op, shape)
    weights = {k.removeprefix("layer."): counted(v, tally) for k, v in layer.state_dict().items()}

    def project(vector: list[Number], weight: str, bias: str, rows: range) -> list[Number]:
        made = []
        for row in rows:
            products = [v * weights[weight][row, i] for i, v in enumerate(vector)]
            made.append(_plain_sum(products, weights[bias][(row,)]))
            tally["bias"] += 1
        return made

    made = {}
    scaled, softmaxed = Counter[str](), Counter[str]()
    for n in range(batch):
        rows = [[elements[n, t, i] for i in range(width)] for t in range(length)]
        q, k, v = (
            [project(r, "in_proj_weight", "in_proj_bias", range(p * width, (p + 1) * width)) for r in rows]
            for p in range(3)
        )
        mixed = [[Number(0.0, tally)] * width for _ in range(length)]
        for head in range(heads):
            part = range(head * width // heads, (head + 1) * width // heads)
            for t in range(length):
                query = [Number(q[t][i].value, scaled) / (width / heads) ** 0.5 for i in part]
                scores = [
                    _plain_sum([Number(a.value, tally) * k[s][i] for a, i in zip(query, part, strict=True)])
                    for s in range(length)
                ]
                shares = formulas.softmax([Number(s.value, softmaxed) for s in scores])
                for i in part:
                    mixed[t][i] = _plain_sum(
                        [Number(share.value, tally) * v[s][i] for s, share in enumerate(shares)]
                    )
        for t in range(length):
            for i, out in enumerate(project(mixed[t], "out_proj.weight", "out_proj.bias", range(width))):
                made[n, t, i] = out
    cost = agrees(op, shape, made, x, layer)
    assert tally["·"] == cost.macs
    assert tally["bias"] == cost.bias_adds
    assert softmaxed["max"] == cost.comparisons
    assert sum((scaled + softmaxed).values()) - softmaxed["max"] == cost.elementwise


def _plain_sum(products: list[Number], bias: Number | None = None) -> Number:
    """The additions of a matrix product, which belong to its multiply-accumulates."""
    summed = sum(number.value for number in products) + (bias.value if bias else 0.0)
    return Number(summed, products[0].tally)
