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


@dataclass(frozen=True, slots=True)
class Samples:
    """Seconds per forward after warm-up, and how they were got.

    `stopped`: precise | cap | interrupted.  `steady`: warming up ended because it was over, not at its cap.
    `first_s` is the first forward of all, with everything that happens only once (compiling, tuning, loading).
    """

    values: tuple[float, ...]
    warmup: tuple[float, ...]
    steady: bool
    stopped: str

    @property
    def first_s(self) -> float | None:
        return self.warmup[0] if self.warmup else None


def collect(
    timer: Timer,
    clock: Callable[[], float],
    precision: Precision,
    progress: Progress | None = None,
) -> Samples:
    """Warm up and sample; at most `precision.cap_s` seconds in all.  Ctrl-C ends it and keeps what is there."""
    warmup: list[float] = []
    values: list[float] = []
    begin = clock()
    limit = precision.cap_s * _WARMUP_SHARE
    is_steady = False
    try:
        warmup += timer(1)
        begin = clock()  # compiling and tuning have a time of their own
        while True:
            is_steady = steady(warmup[1:])
            spent = clock() - begin
            if spent >= (min(precision.warm_s, limit) if is_steady else limit):
                break
            _tell(progress, "warm-up", warmup, spent / precision.cap_s)
            warmup += timer(_slice(warmup[-1]))
        started = clock()
        checked = 0
        while True:
            now = clock()
            # the statistics cost more the more samples there are: look again when there are a tenth more
            if len(values) >= checked * 1.1 or now - begin >= precision.cap_s:
                checked = len(values)
                _tell(progress, "sampling", values, (now - begin) / precision.cap_s)
                remaining = replace(precision, cap_s=max(precision.cap_s - (started - begin), 0.0))
                verdict = remaining.verdict(values, now - started) if values else None
                if verdict is not None:
                    return Samples(tuple(values), tuple(warmup), is_steady, verdict)
            values += timer(min(_slice(warmup[-1]), precision.cap - len(values)))
    except KeyboardInterrupt:
        return Samples(tuple(values), tuple(warmup), is_steady, "interrupted")


def _slice(seconds: float) -> int:
    return max(1, min(200, int(_SLICE_S / max(seconds, 1e-7))))


def _tell(progress: Progress | None, phase: str, samples: list[float], share: float) -> None:
    if progress is not None:
        known = precision_of(samples) if phase == "sampling" and len(samples) >= 10 else None
        progress(phase, len(samples), known[0] if known else None, min(share, 1.0))
