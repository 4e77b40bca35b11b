"""The garbage collector is held while networks are laid out, and is afterwards what it was."""

from __future__ import annotations

import gc

import pytest

from archinspect.analysis import analyse
from archinspect.collector import uncollected
from archinspect.frontends.spec import load_graph


def test_held_inside_and_back_afterwards() -> None:
    assert gc.isenabled()
    assert uncollected(gc.isenabled)() is False
    assert gc.isenabled()


def test_back_after_an_error() -> None:
    with pytest.raises(ZeroDivisionError):
        uncollected(lambda: 1 / 0)()
    assert gc.isenabled()


def test_one_that_was_off_stays_off() -> None:
    gc.disable()
    try:
        uncollected(gc.isenabled)()
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_large_networks_are_made_without_collecting() -> None:
    collections: list[str] = []

    def note(phase: str, _info: dict[str, int]) -> None:
        collections.append(phase)

    line = " -> ".join(["conv2d(8, 3, padding=1)", "relu"] * 1000)
    gc.collect()
    gc.callbacks.append(note)
    try:
        graph = load_graph(line, input="8x8x8")
        inside = len(collections)
        analyse(graph)
    finally:
        gc.callbacks.remove(note)
    assert len(graph.layers) == 2000
    assert inside == 0
