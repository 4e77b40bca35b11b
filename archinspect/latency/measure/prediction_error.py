"""How far predictions by a profile are off: networks that calibration has not seen, measured and predicted."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import torch

from ..ceilings import precision
from ..plan import Options
from ..prediction_error import NetworkError, PredictionError
from ..profile import Profile
from ..stats import median
from ..timers import Timer, synchronised
from ..utilisation import ProfilePrediction, predict_by_profile
from .own_module import errors_of, kept_random_state
from .prepare import arithmetic, original, to_change
from .runtime import find_device, runtime_for, threads
from .sentinel import Sentinel, settle_allocator
from .session import Session

if TYPE_CHECKING:
    from ...graph import Graph

#: told before each measurement: the network and the batch
Tell = Callable[[str, int], None]

#: forwards before the first sample, samples at least, seconds of forwards between two looks at the machine
_WARM, _LEAST, _BLOCK_S = 2, 3, 0.15
#: so many times the time asked for, an undisturbed machine is waited for
_PATIENCE = 4


def prediction_error(
    networks: Iterable[tuple[str, Graph]],
    profile: Profile,
    batches: Sequence[int] = (1, 8),
    *,
    time_s: float = 1.0,
    tell: Tell | None = None,
) -> PredictionError:
    """Measure each network at each batch, about `time_s` seconds long, beside what the profile predicts.

    A machine that is slower than it was at best is waited for, at most four times as long.  Ctrl-C ends it and keeps
    what was measured.

    The device and the number of threads are those of the profile.  Raises ArchinspectError (A403) for a network that
    the profile cannot predict.
    """
    place = find_device("cuda" if "gpu" in profile.environment else "cpu")
    runtime = runtime_for(place)
    count = profile.environment.get("threads")
    kind = precision(profile.dtype)
    found: list[NetworkError] = []
    with arithmetic(kind, place), threads(count if isinstance(count, int) else None) as used:
        session = Session(place, runtime, Options(), used, time_s)
        settle_allocator(runtime)
        best = profile.environment.get("sentinel_us")
        sentinel = Sentinel(runtime, math.inf, best / 1e6 if isinstance(best, float) else math.inf)
        with suppress(KeyboardInterrupt):
            for name, graph in networks:
                found += _network(name, graph, profile, batches, session, sentinel, tell)
    if not found:
        raise KeyboardInterrupt
    return PredictionError(profile.device, tuple(found))


def _network(
    name: str,
    graph: Graph,
    profile: Profile,
    batches: Sequence[int],
    session: Session,
    sentinel: Sentinel,
    tell: Tell | None,
) -> list[NetworkError]:
    """One network at each batch."""
    kind = precision(profile.dtype)
    found = []
    predictions = [predict_by_profile(graph, profile, batch) for batch in batches]
    module = original(graph)
    for predicted in predictions:
        if tell is not None:
            tell(name, predicted.batch)
        blank = session.blank(graph, predicted.batch, kind, "latency")
        own = to_change(graph, module)
        with (
            errors_of(module, predicted.batch),
            kept_random_state(session.device),
            torch.inference_mode(),
        ):
            prepared = session.prepared(graph, own, blank, kind)
            timer = synchronised(prepared.forward, session.runtime)
            values, undisturbed = _samples(timer, sentinel, session.time_s)
        found.append(_entry(name, predicted, 1000 * median(values), undisturbed))
    return found


def _samples(timer: Timer, sentinel: Sentinel, time_s: float) -> tuple[list[float], bool]:
    """Samples taken while the machine was as fast as at best, about `time_s` seconds of them; and whether it was.

    Where it was not for four times as long, the faster half of all samples.
    """
    timer(_WARM)
    good: list[float] = []
    every: list[float] = []
    end = time.perf_counter() + _PATIENCE * time_s
    while sum(good) < time_s or len(good) < _LEAST:
        before = sentinel.wait(max(0.0, end - time.perf_counter()))
        taken = timer(max(1, min(50, int(_BLOCK_S / every[-1])) if every else 1))
        every += taken
        if before and sentinel.undisturbed():
            good += taken
        if time.perf_counter() > end and len(every) >= _LEAST:
            break
    if len(good) >= _LEAST:
        return good, True
    return sorted(every)[: max(_LEAST, len(every) // 2)], False


def _entry(name: str, predicted: ProfilePrediction, measured_ms: float, undisturbed: bool) -> NetworkError:
    return NetworkError(
        name,
        predicted.batch,
        measured_ms,
        predicted.ms,
        predicted.interval_ms,
        predicted.roofline_ms,
        undisturbed,
    )
