"""Load and analysis time of every network that ships, and of the commands that meet the largest ones."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from archinspect.analysis import analyse
from archinspect.frontends.spec import load_graph, shipped

from .figures import OURS, Figure, Growth
from .pairs import Timed, processes

LARGEST = ("inception_resnet_v2", "senet154", "resnet200", "densenet121")


def networks(rounds: int = 5) -> Iterator[tuple[str, Growth]]:
    """The best of a few runs for each network."""
    for name in shipped():
        load = min(Timed(load_graph, prepare=lambda name=name: name).once() for _ in range(rounds))
        count = min(Timed(analyse, prepare=lambda name=name: load_graph(name)).once() for _ in range(rounds))
        yield name, Growth(len(load_graph(name).nodes) - 1, load, count)


def zoo(rounds: int = 9) -> Iterator[Figure]:
    """The largest networks cost a command little more than VGG-16; the list loads them all."""
    for words, bound in (*((("params", name), 1.5) for name in LARGEST), (("list",), 5.0)):
        pair = processes((sys.executable, "-m", "archinspect", *words), OURS, rounds=rounds)
        ours, theirs = (f"{part.median * 1e3:.0f} ms" for part in (pair.ours, pair.theirs))
        what = f"`archinspect {' '.join(words)}`, whole process, time against `archinspect params vgg16`"
        yield Figure(what, ours, theirs, 1 / pair.speedup, bound, "×", at_least=False)
