"""Taking samples: warm up until steady, then sample until the median is known, within a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from .stopping import Precision, precision_of, steady
from .timers import Timer

#: told while measuring: phase, samples so far, ± relative half width (None while unknown), share of the time cap used
Progress = Callable[[str, int, float | None, float], None]

_SLICE_S = 0.05  # samples are taken in slices of about this long, so that a cap or Ctrl-C is answered soon
_WARMUP_SHARE = 0.3  # of the time cap, at most
#: a first forward of so long is no longer than the others by what happens only once, but by its work
_LONG_S = 5.0


@dataclass(frozen=True, slots=True)
class Warmth:
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
    warmth: Warmth
    stopped: str


def warm_up(
    timer: Timer, clock: Callable[[], float], precision: Precision, progress: Progress | None = None
) -> Warmth:
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
                return Warmth(tuple(values), is_steady, spent)
            _tell(progress, "warm-up", values, spent / precision.cap_s)
            values += timer(_slice(values[-1]))
    except KeyboardInterrupt:
        return Warmth(tuple(values), is_steady, clock() - begin, interrupted=True)


def collect(
    timer: Timer, clock: Callable[[], float], precision: Precision, progress: Progress | None = None
) -> Samples:
    """Warm up and sample; at most `precision.cap_s` seconds in all.  Ctrl-C ends it and keeps what is there."""
    return sample(timer, clock, precision, warm_up(timer, clock, precision, progress), progress)


def sample(
    timer: Timer,
    clock: Callable[[], float],
    precision: Precision,
    warmth: Warmth,
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


def _last_of(warmth: Warmth) -> Samples:
    """The last forward of warming up as the only sample."""
    return Samples(warmth.values[-1:], replace(warmth, values=warmth.values[:-1]), "cap")


def _slice(seconds: float) -> int:
    return max(1, min(200, int(_SLICE_S / max(seconds, 1e-7))))


def _tell(progress: Progress | None, phase: str, samples: list[float], share: float) -> None:
    if progress is not None:
        known = precision_of(samples) if phase == "sampling" and len(samples) >= 10 else None
        progress(phase, len(samples), known[0] if known else None, min(share, 1.0))
