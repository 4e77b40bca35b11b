"""The speed that docs/performance.md promises."""

from __future__ import annotations

from pathlib import Path

import pytest

from .figures import FIGURES, growth
from .pairs import Timed, functions
from .zoo import zoo

pytestmark = pytest.mark.benchmark


@pytest.mark.parametrize("name", [*FIGURES, "zoo"])
def test_bounds_hold(name: str) -> None:
    figures = list(FIGURES.get(name, zoo)())
    assert figures
    broken = [figure for figure in figures if not figure.holds]
    assert not broken, "\n".join(f"{f.what}: {f.value:.1f} {f.unit}, bound {f.bound:g}" for f in broken)


def test_time_grows_linearly(tmp_path: Path) -> None:
    """A layer of a network of 100,000 costs no more than twice what it costs among 1,000."""
    thousand, hundred_thousand = growth(tmp_path, sizes=(1_000, 100_000))
    assert hundred_thousand.layers > 90 * thousand.layers
    assert hundred_thousand.per_layer <= 2 * thousand.per_layer


def test_the_measuring_itself_sees_a_known_factor() -> None:
    """Ten times the work is seen as about ten times the time."""
    pair = functions(Timed(lambda _: _spin(20_000)), Timed(lambda _: _spin(200_000)), rounds=9)
    assert 7 <= pair.speedup <= 13


def _spin(times: int) -> int:
    total = 0
    for i in range(times):
        total += i
    return total
