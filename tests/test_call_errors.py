"""Errors of `archinspect.load` and `from_text` speak of the call, not of options of the command line."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from torch import nn

import archinspect
from archinspect import ArchinspectError


class Masked(nn.Module):
    def forward(self, x, mask):  # type: ignore[no-untyped-def]
        return x * mask


@pytest.mark.parametrize(
    ("load", "said"),
    [
        (
            lambda: archinspect.load(nn.Linear(3, 2)),
            "give example inputs or shapes: archinspect.load(net, (1, 3, 224, 224))",
        ),
        (lambda: archinspect.load(Masked(), (1, 3), msk=(1, 3)), "did you mean 'mask'?"),
        (lambda: archinspect.load(nn.Linear(3, 2), (1, 3), num_classes=3), "leave it out"),
        (lambda: archinspect.load(nn.Linear(3, 2), [1, 3]), "is [1, 3] a shape? Write it as a tuple: (1, 3)"),
        (lambda: archinspect.load(nn.Linear(3, 2), (-1, 3)), "every size must be at least 1"),
        (lambda: archinspect.load(nn.Linear(3, 2), (1, 4)), "linear met (1, 4), (2, 3), (2,)"),
        (lambda: archinspect.load("resnet18", num_clases=10), "did you mean 'num_classes'?"),
        (
            lambda: archinspect.load("resnet18", num_clases=10),
            "archinspect.load('resnet18', num_clases=10)\n  |                              ^^^^^^^^^^",
        ),
        (
            lambda: archinspect.load("resnet18", num_classes="ten"),
            "archinspect.load('resnet18', num_classes='ten')\n   |                                          ^^^^^",
        ),
        (lambda: archinspect.load("resnet18", real=True), "leave real out"),
        (lambda: archinspect.load("resnet18", (1, 3, 64, 64), (1, 3)), "give one shape"),
        (lambda: archinspect.load("conv2d(8, 3) -> relu"), "give input=(1, 3, 224, 224)"),
        (
            lambda: archinspect.load("conv2d(8) -> relu", (1, 3, 8, 8)),
            "archinspect.load('conv2d(8) -> relu', (1, 3, 8, 8))\n  |                   ^^^^^^^^^",
        ),
        (lambda: archinspect.load("resnet18", input="3xx"), "give a shape, such as input=(1, 3, 224, 224)"),
        (lambda: archinspect.from_text("name: n", input="3xx"), "from_text('name: n', input='3xx')"),
    ],
)
def test_an_error_speaks_of_the_call(load: Callable[[], object], said: str) -> None:
    with pytest.raises(ArchinspectError) as raised:
        load()
    assert said in str(raised.value)
    assert not re.search(r"--(input|set|real|partial)", str(raised.value))
