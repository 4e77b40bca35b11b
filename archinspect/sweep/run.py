"""A sweep: every variant of a grid, on all cores, as far as one lets it."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from multiprocessing import get_context
from typing import Any

from ..errors import fail, nearest
from ..shown import Shown, counted
from .grid import INPUT, Grid
from .pareto import DEFAULT, Objective, front
from .variants import Evaluator, Variant

#: below so many variants a second process costs more than it brings
WORTH_A_PROCESS = 1500
_CHUNK = 250

Progress = Callable[[int], None]


@dataclass(frozen=True)
class Sweep(Shown):
    """The variants that were evaluated, in the grid's order; not all of it if the sweep was interrupted."""

    model: str
    grid: Grid
    variants: tuple[Variant, ...]
    objectives: tuple[Objective, ...] = DEFAULT

    @cached_property
    def front(self) -> frozenset[int]:
        """Places of the variants that no other beats in the objectives."""
        return front(self.variants, self.objectives)

    def __repr__(self) -> str:
        varied = " × ".join(f"{len(values)} of {name}" for name, values in self.grid.axes)
        return f"<Sweep of {self.model}: {counted(len(self.variants), 'variant')}, {varied}>"

    @property
    def complete(self) -> bool:
        return len(self.variants) == len(self.grid)


def sweep(
    model: str,
    grid: Grid,
    *,
    settings: Mapping[str, Any] | None = None,
    objectives: Sequence[Objective] = DEFAULT,
    jobs: int | None = None,
    progress: Progress = lambda count: None,
) -> Sweep:
    """Evaluate the whole grid; `progress` is told how many variants more are done.

    `settings` hold where a variant does not say otherwise; the front is that of the `objectives`.
    `jobs` processes share the work (all cores unless given; small grids stay in this one).  An interrupt (Ctrl-C) ends
    the sweep with what is done.  Raises ArchinspectError for a network that cannot be read, an argument that it does
    not have, and when no variant at all can be laid out.
    """
    evaluator = Evaluator(model, settings)
    _refuse_unknown(evaluator, grid)
    cores = _cores() if jobs is None else jobs
    # More processes than chunks of work idle, and many more than cores only take turns.
    processes = (
        min(cores, -(-len(grid) // WORTH_A_PROCESS))
        if jobs is None
        else min(jobs, -(-len(grid) // _CHUNK), 4 * _cores())
    )
    done: dict[int, Variant] = {}
    try:
        if processes > 1:
            _in_parallel(model, settings, grid, processes, done, progress)
        else:
            for index, settings in enumerate(grid):
                done[index] = evaluator.evaluate(settings)
                progress(1)
    except KeyboardInterrupt:
        if not done:
            raise
    variants = tuple(done[index] for index in sorted(done))
    if variants and all(variant.figures is None for variant in variants):
        first = next(iter(grid))
        evaluator.figures(
            {k: v for k, v in first.items() if k != INPUT}, first.get(INPUT)
        )  # raises its error
    return Sweep(evaluator.name, grid, variants, tuple(objectives))


def _in_parallel(
    model: str,
    settings: Mapping[str, Any] | None,
    grid: Grid,
    processes: int,
    done: dict[int, Variant],
    progress: Progress,
) -> None:
    chunks = _chunks(grid)
    # A fork needs no importable main module, so that a script may sweep as it likes; elsewhere it is not safe.
    context = get_context("fork" if sys.platform == "linux" else None)
    with ProcessPoolExecutor(processes, context, initializer=_begin, initargs=(model, settings)) as pool:
        waiting: set[Future[list[tuple[int, Variant]]]] = set()  # what is in it is not yet in `done`
        try:
            while True:
                with _interrupts_held_back():  # a worker that is interrupted before it ignores that would die
                    more = islice(chunks, 2 * processes - len(waiting))
                    waiting |= {pool.submit(_work, chunk) for chunk in more}
                if not waiting:
                    return
                for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                    results = future.result()
                    done.update(results)
                    waiting.remove(future)
                    progress(len(results))
        except KeyboardInterrupt:
            pool.shutdown(wait=True, cancel_futures=True)
            for future in waiting:
                if future.done() and not future.cancelled() and future.exception() is None:
                    done.update(future.result())
            raise


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """An interrupt that comes meanwhile is delivered afterwards; processes started meanwhile never get it."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _chunks(grid: Grid) -> Iterator[Sequence[tuple[int, Mapping[str, Any]]]]:
    numbered = iter(enumerate(grid))
    while chunk := list(islice(numbered, _CHUNK)):
        yield chunk


_evaluator: Evaluator | None = None  # of a worker process


def _begin(model: str, settings: Mapping[str, Any] | None) -> None:
    global _evaluator
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when to stop
    _evaluator = Evaluator(model, settings)


def _work(chunk: Sequence[tuple[int, Mapping[str, Any]]]) -> list[tuple[int, Variant]]:
    assert _evaluator is not None
    return [(index, _evaluator.evaluate(settings)) for index, settings in chunk]


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _refuse_unknown(evaluator: Evaluator, grid: Grid) -> None:
    known = evaluator.arguments
    for name in grid.names:
        if name == INPUT or name in known:
            continue
        close = nearest(name, known)
        listed = ", ".join(f"{key}={default!r}" for key, default in known.items())
        help = (
            f"did you mean '{close}'?" if close else f"it has {listed}" if listed else "it has no arguments"
        )
        raise fail("A401", f"'{evaluator.name}' has no argument '{name}'", help=help)
