"""The networks that ship, for tests over all of them."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import pytest

from archinspect.frontends.spec import load_graph, shipped
from archinspect.graph import Graph

NAMES = shipped()
#: networks of the lecture's own figures: no paper, no year, no published total
LECTURE = [name for name in NAMES if name.startswith("lecture_")]
PUBLISHED = [name for name in NAMES if name not in LECTURE]
#: those that tell classes of images apart
CLASSIFIERS = [name for name in PUBLISHED if "task" not in load_graph(name).metadata]
#: those of which most tests are slow
OTHER_TASKS = [name for name in PUBLISHED if name not in CLASSIFIERS]
#: large ones of which others have the same kinds of blocks: most tests of them are slow, too
ALIKE = (
    "darknet53", "efficientnet_v2_s", "mobilenet_v3_small", "overfeat", "overfeat_accurate", "regnet_y_400mf",
    "vgg11_bn", "vgg13_bn", "vgg16_bn", "vgg19_bn",
)  # fmt: skip
#: from this many layers on, what builds a network twice is left to the slow tests
LARGE = 400


def mostly_slow(names: list[str]) -> list[Any]:
    """The networks as parameters of a test: large ones alike are slow, and other tasks' but the smallest."""
    return [
        pytest.param(name, marks=pytest.mark.slow)
        if name in ALIKE or (name in OTHER_TASKS and name not in ("lstm_classifier", "siamese", "vae"))
        else name
        for name in names
    ]


@lru_cache
def network(model: str, input: str | None = None) -> Graph:
    """Loaded once for all tests; graphs are frozen."""
    return load_graph(model, input=input)
