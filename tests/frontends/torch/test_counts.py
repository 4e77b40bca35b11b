"""Costs of operations beside layers, held against plain loops that count what they do."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations, product
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

import archinspect
from archinspect.frontends.torch.build import with_torchvision


class Calls(nn.Module):
    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *args: torch.Tensor) -> Any:
        return self.function(*args)


def counted(function: Callable[..., Any], *inputs: Any, real: bool = False) -> tuple[int, int]:
    """Operations and comparisons of what a function does."""
    nodes = archinspect.load(Calls(function), *inputs, real=real).graph.layers
    assert all(node.cost is not None for node in nodes), [node.op.type for node in nodes if node.cost is None]
    costs = [node.cost for node in nodes if node.cost is not None]
    return sum(c.elementwise + c.bias_adds for c in costs), sum(c.comparisons for c in costs)


class Counter:
    """Counts what a loop does: `+=` sums are one less than what is summed."""

    def __init__(self) -> None:
        self.operations = self.comparisons = 0

    def does(self, operations: int, comparisons: int = 0) -> None:
        self.operations += operations
        self.comparisons += comparisons

    @property
    def both(self) -> tuple[int, int]:
        return self.operations, self.comparisons


def test_distances_of_pairs() -> None:
    loop = Counter()
    for _ in product(range(5), range(7)):
        for element in range(8):
            loop.does(2)  # the difference, its square
            loop.does(int(element > 0))  # the sum
        loop.does(1)  # the root
    assert counted(torch.cdist, (1, 5, 8), (1, 7, 8)) == loop.both
    assert counted(lambda a, b: torch.cdist(a, b, p=1.0), (1, 5, 8), (1, 7, 8)) == (35 * (8 + 7), 0)
    largest = counted(lambda a, b: torch.cdist(a, b, p=float("inf")), (1, 5, 8), (1, 7, 8))
    assert largest == (35 * 8, 35 * 7)
    assert counted(F.pairwise_distance, (4, 8), (4, 8)) == (4 * (8 * 3 + 7 + 1), 0)


def test_cosines() -> None:
    loop = Counter()
    for _ in range(4):
        for element, _ in product(range(8), range(3)):  # a·b, a·a, b·b
            loop.does(1 + int(element > 0))
        loop.does(2, 2)  # roots, each kept above ε
        loop.does(2)  # their product, the division
    assert counted(lambda a, b: F.cosine_similarity(a, b, dim=1), (4, 8), (4, 8)) == loop.both


def test_suppression_of_boxes() -> None:
    torchvision = pytest.importorskip("torchvision.ops", exc_type=ImportError) if _imports() else None
    if torchvision is None:
        pytest.skip("torchvision does not load")
    from tests.coverage.libraries import complete_torchvision

    complete_torchvision()
    loop = Counter()
    count = 6
    loop.does(3 * count, count * 3)  # areas; a sort of 6 is 6·⌈log₂ 6⌉ comparisons
    for _ in combinations(range(count), 2):
        loop.does(2 + 1 + 2 + 1, 4 + 2 + 1)
    boxes = torch.rand(count, 4).cumsum(1)
    assert counted(lambda b, s: torchvision.nms(b, s, 0.5), boxes, torch.rand(count), real=True) == loop.both


def _imports() -> bool:
    try:
        with_torchvision(lambda: __import__("torchvision.ops"))
    except (ImportError, RuntimeError):
        return False
    return True


def test_boxes_that_are_aligned() -> None:
    library = torch.library.Library("archinspect_test", "DEF")
    library.define(
        "roi_align(Tensor input, Tensor rois, float scale, int height, int width, int sampling_ratio) -> Tensor"
    )
    library.impl(
        "roi_align", lambda x, rois, scale, h, w, ratio: x.new_empty(len(rois), x.shape[1], h, w), "Meta"
    )
    aligned = torch.ops.archinspect_test.roi_align
    loop = Counter()
    for _ in range(4 * 3 * 7 * 7):
        for place in range(2 * 2):
            loop.does(4 + 3)  # bilinear: four products, three sums
            loop.does(int(place > 0))
        loop.does(1)
    assert counted(lambda x, r: aligned(x, r, 1.0, 7, 7, 2), (1, 3, 32, 32), (4, 5)) == loop.both
    graph = archinspect.load(Calls(lambda x, r: aligned(x, r, 1.0, 7, 7, -1)), (1, 3, 32, 32), (4, 5)).graph
    assert graph.layers[0].cost is None  # as many places as the boxes are large


@pytest.mark.parametrize(
    ("function", "inputs", "wanted"),
    [
        (lambda x: x.median(1)[0], [(4, 8)], (0, 4 * 8 * 3)),
        (lambda x: x.quantile(0.5, 1), [(4, 8)], (4 * 3, 4 * 8 * 3)),
        (lambda x: x.sort(1)[0], [(4, 8)], (0, 4 * 8 * 3)),
        (lambda x: x.topk(2, 1)[0], [(4, 8)], (0, 4 * 8 * 2)),
        (torch.searchsorted, [(8,), (5,)], (0, 5 * 4)),
        (torch.fft.rfft2, [(1, 3, 8, 8)], (5 * 3 * 64 * 6 // 2, 0)),
        (torch.fft.fft, [(2, 8)], (5 * 2 * 8 * 3, 0)),
        (F.mse_loss, [(4, 8), (4, 8)], (3 * 32, 0)),
        (lambda a, b: torch.linalg.cross(a, b), [(4, 3), (4, 3)], (3 * 12, 0)),
        (torch.outer, [(4,), (5,)], (20, 0)),
        (lambda x: torch.histc(x, bins=4), [(4, 4)], (16, 0)),
        (lambda x: F.interpolate(x, scale_factor=2, mode="bicubic"), [(1, 3, 8, 8)], (31 * 3 * 256, 0)),
    ],
)
def test_what_a_formula_says(
    function: Callable[..., Any], inputs: list[tuple[int, ...]], wanted: tuple[int, int]
) -> None:
    assert counted(function, *inputs) == wanted
