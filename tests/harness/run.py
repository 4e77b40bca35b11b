"""Running the checks for some time, with a seed that can be given again."""

from __future__ import annotations

import time
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import hypothesis
from hypothesis import HealthCheck, Phase, given, settings

from .checks import Check, ordered


@dataclass(frozen=True)
class Finding:
    """A check that did not hold: its name and seed, and the smallest example with what it raised."""

    check: str
    seed: int
    error: str


def once(check: Check, seed: int, examples: int | None = None, *, shrink: bool = True) -> Finding | None:
    """Try a check on a few examples; what it found, if anything."""
    phases = (Phase.generate, Phase.shrink) if shrink else (Phase.generate,)

    @hypothesis.seed(seed)
    @settings(
        max_examples=examples or check.examples,
        database=None,
        deadline=None,
        phases=phases,
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    @given(check.examples_of)
    def holds(example: object) -> None:
        check.holds(example)

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            holds()
    except Exception as error:  # noqa: BLE001  whatever it is, it is a finding
        notes = "\n".join(getattr(error, "__notes__", ()))
        return Finding(check.name, seed, f"{type(error).__name__}: {error}\n{notes}")
    return None


def run(seed: int, seconds: float, only: Sequence[str] = ()) -> tuple[Counter[str], list[Finding]]:
    """How often each check was tried within the time, and what was found: of each check the first."""
    end = time.monotonic() + seconds
    tried: Counter[str] = Counter()
    found: dict[str, Finding] = {}
    for check, own in ordered(seed):
        if time.monotonic() > end:
            break
        if check.name in found or (only and check.name not in only):
            continue
        tried[check.name] += check.examples
        finding = once(check, own)
        if finding is not None:
            found[check.name] = finding
    return tried, list(found.values())
