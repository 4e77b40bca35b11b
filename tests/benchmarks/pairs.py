"""Two things measured in turn (A B A B ...), so that what slows the machine slows both."""

from __future__ import annotations

import functools
import gc
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..support import ROOT, clean_environment

LAUNCHER = Path(__file__).with_name("launcher.py")


@dataclass(frozen=True)
class Samples:
    """Seconds of each round; peak resident bytes where a whole process was measured."""

    seconds: tuple[float, ...]
    peak_bytes: tuple[int, ...] = ()

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    @property
    def peak(self) -> int:
        return max(self.peak_bytes)


@dataclass(frozen=True)
class Pair:
    """Ours and theirs, round by round."""

    ours: Samples
    theirs: Samples

    @property
    def speedup(self) -> float:
        """How many times ours is faster: the median over the rounds of theirs / ours."""
        rounds = zip(self.ours.seconds, self.theirs.seconds, strict=True)
        return statistics.median(theirs / ours for ours, theirs in rounds)


def processes(ours: Sequence[str], theirs: Sequence[str], *, rounds: int) -> Pair:
    """Whole processes, from start to end; the first round warms the file cache and is not counted."""
    plan = json.dumps({"commands": [list(ours), list(theirs)], "rounds": rounds})
    command = [sys.executable, "-I", "-S", str(LAUNCHER), plan]
    done = subprocess.run(
        command, cwd=ROOT, env=clean_environment(), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    first, second = (
        Samples(tuple(seconds for seconds, _ in noted), tuple(peak for _, peak in noted))
        for noted in json.loads(done.stdout)
    )
    return Pair(first, second)


def functions(ours: Timed, theirs: Timed, *, rounds: int) -> Pair:
    """Two functions in this process; the first round is not counted."""
    samples: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds + 1):
        for timed, noted in zip((ours, theirs), samples, strict=True):
            noted.append(timed.once())
    return Pair(*(Samples(tuple(noted[1:])) for noted in samples))


@dataclass(frozen=True)
class Timed:
    """`run(prepare())`, of which only `run` is timed; nothing is cached from one round to the next."""

    run: Callable[[Any], object]
    prepare: Callable[[], Any] = lambda: None

    def once(self) -> float:
        forget()
        given = self.prepare()
        gc.collect()
        start = time.perf_counter()
        self.run(given)
        return time.perf_counter() - start


def forget() -> None:
    """Empty archinspect's caches of what files said, so that a second load reads and parses like the first.

    A cached function without parameters holds a constant of the program (the signatures of all ops), and keeps it.
    """
    for thing in gc.get_objects():
        ours = type(thing) is functools._lru_cache_wrapper and thing.__module__.startswith("archinspect")
        if ours and thing.__wrapped__.__code__.co_argcount:
            thing.cache_clear()
