"""Kernels as rows: which are one, and what they are called."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from archinspect.latency.fusion import grouped, homes, row_names
from archinspect.latency.layers import Fused, Row
from archinspect.latency.measure.compiled import kernel_rows


def kernel(layers: str = "", prepares: str = "", name: str = "kernel") -> Fused:
    return Fused((name,), tuple(layers.split()), tuple(prepares.split()))


def names(*kernels: Fused, depth: int | None = None) -> list[str]:
    return [row.name for row in kernel_rows(kernels, depth)[0]]


def test_a_copy_for_one_convolution_is_its_own_and_steps_of_a_layer_are_one() -> None:
    kernels = [
        kernel("", "a.conv", "copy"),
        kernel("a.conv", name="convolve"),
        kernel("b", name="largest"),
        kernel("b", name="sum"),
    ]
    groups, group_of = grouped(kernels)
    assert groups == (
        Fused(("copy", "convolve"), ("a.conv",)),
        Fused(("largest", "sum"), ("b",)),
    )
    assert group_of == (0, 0, 1, 1)
    rows, after = kernel_rows(kernels, None)
    assert rows == (Row("a.conv", ("a.conv",), groups[:1]), Row("b", ("b",), groups[1:]))
    assert after == {1: 1, 3: 2}


def test_what_is_timed_apart_is_told_once() -> None:
    """A convolution's copy may be made long before: a row of the same name, whose time is added."""
    kernels = [kernel("", "c", "copy"), kernel("a"), kernel("c", name="convolve")]
    rows, after = kernel_rows(kernels, None)
    assert [row.name for row in rows] == ["c", "a", "c"]
    assert [row.layers for row in rows] == [("c",), ("a",), ()]
    assert [each.kernels for row in rows for each in row.fused] == [("copy", "convolve"), ("kernel",)]
    assert after == {0: 1, 1: 2, 2: 3}


def test_rows_are_named_by_their_layers_below_the_scope_that_they_share() -> None:
    assert names(
        kernel("conv1"),
        kernel("bn1 relu1"),
        kernel("a.block.conv.bn a.block.relu", "a.block.conv2"),
        kernel("a.one a.two a.three a.four b.five"),
        kernel("", "a.conv1 a.conv2"),
        kernel("a.bn", "b.conv"),
    ) == [
        "conv1",
        "bn1 + relu1",
        "a.block: conv.bn + relu, prepares conv2",
        "a.one … b.five (5)",
        "a: prepares conv1 + conv2",
        "a.bn, prepares b.conv",
    ]


def test_folded_rows_are_scopes_and_a_kernel_across_scopes_names_them() -> None:
    kernels = [
        kernel("", "a.conv"),
        kernel("a.conv"),
        kernel("a.bn a.relu", "b.conv"),
        kernel("b.conv"),
        kernel("b.add c.pool"),
        kernel("c.conv"),
        kernel("", "a.other d"),
    ]
    assert names(*kernels, depth=1) == ["a", "b", "b + c", "c", "prepares a + d"]
    _, after = kernel_rows(kernels, 1)
    assert after == {2: 1, 3: 2, 4: 3, 5: 4, 6: 5}


LAYERS = [f"{scope}{layer}" for scope in ("", "a.", "a.b.", "c.") for layer in ("conv", "bn", "relu")]
SETS = st.sets(st.sampled_from(LAYERS), max_size=5).map(sorted).map(" ".join)
KERNELS = st.lists(st.builds(kernel, SETS, SETS), min_size=1, max_size=12)


@given(KERNELS, st.sampled_from([None, 1, 2]))
def test_rows_hold_every_kernel_once_and_different_groups_have_different_names(
    kernels: list[Fused], depth: int | None
) -> None:
    groups, _ = grouped(kernels)
    assert sum(len(group.kernels) for group in groups) == len(kernels)
    assert {name for each in kernels for name in each.layers} <= {
        name for group in groups for name in group.layers
    }
    if depth is None:
        assert len(set(row_names(groups, None))) == len(groups)
    rows, after = kernel_rows(kernels, depth)
    assert list(after.values()) == list(range(1, len(rows) + 1))
    assert max(after) == len(kernels) - 1
    assert sorted(group.layers for row in rows for group in row.fused) == sorted(g.layers for g in groups)
    assert all(one.name != other.name for one, other in pairwise(rows))


@given(KERNELS)
def test_every_layer_is_at_home_once_with_the_fewest_others(kernels: list[Fused]) -> None:
    groups, _ = grouped(kernels)
    home = homes(groups)
    assert set(home) == {name for group in groups for name in group.layers}
    for name, number in home.items():
        assert name in groups[number].layers
        assert all(
            len(groups[number].layers) <= len(group.layers) for group in groups if name in group.layers
        )
