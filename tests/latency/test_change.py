"""When a run is called a regression against a saved one: beyond the limit, and beyond what noise explains."""

from __future__ import annotations

import pytest

from archinspect.latency.change import Change
from archinspect.latency.results import Run


def run(median: float | None, half_width: float = 0.005, noise: float | None = 0.01) -> Run:
    """A run whose median is known to ± `half_width` of itself; None: it did not run."""
    if median is None:
        return Run("net", 1, "fp32", "fp32", "latency", status="out-of-memory")
    interval = (median * (1 - half_width), median * (1 + half_width))
    return Run("net", 1, "fp32", "fp32", "latency", median_ms=median, interval_ms=interval, noise=noise)


@pytest.mark.parametrize(
    ("before", "after", "regressed"),
    [
        (run(10.0), run(10.4), False),  # real, within the limit
        (run(10.0), run(10.6), True),
        (run(10.0), run(9.0), False),
        (run(10.0), run(10.6, half_width=0.08), False),  # the intervals meet
        (run(10.0), run(10.6, noise=0.2), False),  # within the noise
        (run(10.0), run(10.6, noise=None), False),  # nothing is known of the noise
        (run(10.0), run(None), True),  # it no longer runs
        (run(None), run(10.0), False),
    ],
)
def test_a_limit_of_five_percent(before: Run, after: Run, regressed: bool) -> None:
    assert Change(before, after).regressed(0.05) is regressed
