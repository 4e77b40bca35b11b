"""The networks that ship, for tests over all of them."""

from __future__ import annotations

from functools import lru_cache

from archinspect.frontends.spec import load_graph, shipped
from archinspect.graph import Graph

NAMES = shipped()
#: networks of the lecture's own figures: no paper, no year, no published total
LECTURE = [name for name in NAMES if name.startswith("lecture_")]
PUBLISHED = [name for name in NAMES if name not in LECTURE]
#: from this many layers on, what builds a network twice is left to the slow tests
LARGE = 400


@lru_cache
def network(model: str, input: str | None = None) -> Graph:
    """Loaded once for all tests; graphs are frozen."""
    return load_graph(model, input=input)
