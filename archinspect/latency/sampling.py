"""How long to measure: warm up until steady, sample until the median is known, all within a time."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from .stats import Interval, median, median_interval, spread
from .timers import Timer

WINDOW = 8
STEADY_WITHIN = 0.02


def steady(samples: Sequence[float], window: int = WINDOW, tolerance: float = STEADY_WITHIN) -> bool:
    """Whether warming up is over: the last two windows have the same median, to `tolerance` or to their own noise.

    pyperf's test, made robust; the noise term is two standard errors of a difference of two medians, at most 10 %.
    """
    if len(samples) < 2 * window:
        return False
    before, after = samples[-2 * window : -window], samples[-window:]
    first, second = median(before), median(after)
    noise = 2 * 1.2533 * max(spread(before), spread(after)) * math.sqrt(2 / window)
    return abs(second - first) <= max(tolerance * first, min(noise, 0.1 * first))


@dataclass(frozen=True, slots=True)
class StoppingRule:
    """What ends a measurement: the median known to ±`relative` and both halves agreeing within `halves`; or a cap.

    `least` samples and `least_s` seconds are always taken, `cap` samples and `cap_s` seconds never passed.  `warm_s`
    seconds of warming up come before: clocks take tenths of a second to rise.  `until`, on the clock that measures, is
    the moment by which all has to be over: nothing more is begun that would end later.
    """

    relative: float = 0.005
    halves: float = 0.01
    least: int = 20
    least_s: float = 0.5
    warm_s: float = 0.5
    cap: int = 4000
    cap_s: float = 10.0
    until: float = math.inf

    def too_late(self, now: float, takes_s: float) -> bool:
        """Whether what is begun now and takes so long would end too late."""
        return now + takes_s > self.until

    def reached(self, samples: Sequence[float]) -> bool:
        """Whether the samples meet the precision, caps aside."""
        if len(samples) < self.least:
            return False
        centre, interval = median(samples), median_interval(samples)
        return (
            interval is not None
            and interval.half_width <= self.relative * centre
            and abs(drift(samples)) <= self.halves
        )

    def verdict(self, samples: Sequence[float], elapsed: float) -> str | None:
        """`precise`, `cap` when a cap ended it, or None: go on."""
        if elapsed >= self.least_s and self.reached(samples):
            return "precise"
        return "cap" if self.exhausted(samples, elapsed) else None

    def exhausted(self, samples: Sequence[float], elapsed: float) -> bool:
        """Whether a cap is reached."""
        return len(samples) >= self.cap or elapsed >= self.cap_s


def precision_of(samples: Sequence[float]) -> tuple[float, Interval] | None:
    """(± relative half width, interval) of the median, or None while there is no interval."""
    interval = median_interval(samples)
    return None if interval is None else (interval.half_width / median(samples), interval)


def drift(samples: Sequence[float]) -> float:
    """How much slower the second half is than the first, as a fraction; 0 with fewer than two samples."""
    half = len(samples) // 2
    if half == 0:
        return 0.0
    return median(samples[half:]) / median(samples[:half]) - 1


#: seconds that a configuration has at least: `--time` is about how long to sample, and a large network needs more
LIMIT_S = 20.0
#: what is not foreseen: preparing another pass, printing
_MARGIN_S = 0.5


@dataclass
class TimeBudget:
    """Until when, on `clock`, everything has to be over.  Unlimited until a configuration begins."""

    clock: Callable[[], float]
    time_s: float
    until: float = math.inf

    @property
    def limit_s(self) -> float:
        """What one configuration may take."""
        return max(self.time_s, LIMIT_S)

    def begin(self, *, count: int = 1, spent_s: float = 0.0, after_s: float = 0.0) -> None:
        """`count` configurations begin, for which `spent_s` seconds went already and `after_s` have to be left."""
        self.until = self.clock() + count * self.limit_s - spent_s - after_s - _MARGIN_S

    def affords(self, seconds: float) -> bool:
        """Whether what takes so long would still be over in time."""
        return self.clock() + seconds <= self.until

    def reserving(self, seconds: float) -> float:
        """Until when to go on, so that so many seconds are left."""
        return self.until - seconds


#: told while measuring: phase, samples so far, ± relative half width (None while unknown), share of the time cap used
Progress = Callable[[str, int, float | None, float], None]

_SLICE_S = 0.05  # samples are taken in slices of about this long, so that a cap or Ctrl-C is answered soon
_WARMUP_SHARE = 0.3  # of the time cap, at most
#: a first forward of so long is no longer than the others by what happens only once, but by its work
_LONG_S = 5.0


@dataclass(frozen=True, slots=True)
class WarmUp:
    """The forwards before measuring, in seconds, and how warming up ended: because it was over, or at its cap.

    The first forward of all contains everything that happens only once (compiling, tuning, loading).
    """

    values: tuple[float, ...]
    steady: bool
    seconds: float
    interrupted: bool = False

    @property
    def first_s(self) -> float | None:
        return self.values[0] if self.values else None


@dataclass(frozen=True, slots=True)
class Samples:
    """Seconds per forward after warming up, and how they were got.  `stopped`: precise | cap | interrupted."""

    values: tuple[float, ...]
    warmth: WarmUp
    stopped: str


def warm_up(
    timer: Timer, clock: Callable[[], float], precision: StoppingRule, progress: Progress | None = None
) -> WarmUp:
    """Run until steady, for at least `precision.warm_s` and at most a share of `precision.cap_s`.

    However slow, one forward is run, and a second where that is not too late.
    """
    values: list[float] = []
    limit = precision.cap_s * _WARMUP_SHARE
    begin = clock()
    is_steady = False
    try:
        values += timer(1)
        begin = clock()  # compiling and tuning have a time of their own
        while True:
            is_steady = steady(values[1:])
            now = clock()
            spent = now - begin
            known = len(values) > 1 or values[-1] > _LONG_S
            late = precision.too_late(now, values[-1] if known else 0.0)
            if late or spent >= (min(precision.warm_s, limit) if is_steady else limit):
                return WarmUp(tuple(values), is_steady, spent)
            _tell(progress, "warm-up", values, spent / precision.cap_s)
            values += timer(_slice(values[-1]))
    except KeyboardInterrupt:
        return WarmUp(tuple(values), is_steady, clock() - begin, interrupted=True)


def collect(
    timer: Timer, clock: Callable[[], float], precision: StoppingRule, progress: Progress | None = None
) -> Samples:
    """Warm up and sample; at most `precision.cap_s` seconds in all.  Ctrl-C ends it and keeps what is there."""
    return sample(timer, clock, precision, warm_up(timer, clock, precision, progress), progress)


def sample(
    timer: Timer,
    clock: Callable[[], float],
    precision: StoppingRule,
    warmth: WarmUp,
    progress: Progress | None = None,
) -> Samples:
    """Sample what has been warmed up, as `collect` does.  Where it is too late for that, the last forward stands."""
    values: list[float] = []
    if warmth.interrupted:
        return Samples((), warmth, "interrupted")
    remaining = replace(precision, cap_s=max(precision.cap_s - warmth.seconds, 0.0))
    begin = clock()
    checked = 0
    try:
        while True:
            spent = clock() - begin
            # the statistics cost more the more samples there are: look again when there are a tenth more
            if values and (len(values) >= checked * 1.1 or spent >= remaining.cap_s):
                checked = len(values)
                _tell(progress, "sampling", values, (warmth.seconds + spent) / precision.cap_s)
                verdict = remaining.verdict(values, spent)
                if verdict is not None:
                    return Samples(tuple(values), warmth, verdict)
            if precision.too_late(clock(), values[-1] if values else warmth.values[-1]):
                return Samples(tuple(values), warmth, "cap") if values else _last_of(warmth)
            values += timer(min(_slice(warmth.values[-1]), precision.cap - len(values)))
    except KeyboardInterrupt:
        return Samples(tuple(values), warmth, "interrupted")


def _last_of(warmth: WarmUp) -> Samples:
    """The last forward of warming up as the only sample."""
    return Samples(warmth.values[-1:], replace(warmth, values=warmth.values[:-1]), "cap")


def _slice(seconds: float) -> int:
    return max(1, min(200, int(_SLICE_S / max(seconds, 1e-7))))


def _tell(progress: Progress | None, phase: str, samples: list[float], share: float) -> None:
    if progress is not None:
        known = precision_of(samples) if phase == "sampling" and len(samples) >= 10 else None
        progress(phase, len(samples), known[0] if known else None, min(share, 1.0))
