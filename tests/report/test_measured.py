"""Whether time goes the way of multiply-accumulates, said only as far as it was measured."""

from __future__ import annotations

import pytest

from archinspect.latency.interleaved import Pair
from archinspect.latency.results import Comparison
from archinspect.report import Report, render
from archinspect.report.measured import verdict, with_measurement


def pair(
    ratio: float, noise: float = 0.02, interval: tuple[float, float] | None = None, *, known: bool = True
) -> Pair:
    around = interval or (ratio * 0.99, ratio * 1.01)
    return Pair("direct", "reduced", ratio, around if known else None, 0.001, noise, 40)


@pytest.mark.parametrize(
    ("macs", "found", "words"),
    [
        (0.27, pair(0.40), "fewer MACs, less time: 82% of what MACs promise"),
        (0.27, pair(1.30), "fewer MACs, more time"),
        (0.27, pair(1.01), "fewer MACs, no difference in time beyond the noise of ±2%"),
        (0.27, pair(0.80, noise=0.5), "fewer MACs, no difference in time beyond the noise of ±50%"),
        (0.27, pair(0.50, interval=(0.3, 1.2)), "fewer MACs, no difference in time beyond the noise of ±2%"),
        (3.0, pair(2.0), "more MACs, more time"),
        (3.0, pair(0.5), "more MACs, less time"),
        (1.0, pair(1.5), "as many MACs, more time"),
        (0.5, pair(0.5, known=False), "too few rounds to tell"),
        (0.5, None, "too few rounds to tell"),
    ],
)
def test_verdict(macs: float, found: Pair | None, words: str) -> None:
    assert verdict(macs, found) == words


def test_ctrl_c_before_the_first_figure_leaves_rows_that_say_so() -> None:
    report = with_measurement(Report(()), Comparison((), ()), {"net": 100, "other": 50})
    assert "interrupted" in render(report, "table")
    assert '"median_ms": null' in render(report, "json")
