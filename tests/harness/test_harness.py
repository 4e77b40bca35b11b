"""The harness for a short time, with a fresh seed; `python -m tests.harness --minutes 60` takes longer."""

from __future__ import annotations

import os
import secrets

import pytest

from .run import run

pytestmark = [pytest.mark.harness, pytest.mark.slow]

#: seconds that the slow tests spend on it
BUDGET = float(os.environ.get("ARCHINSPECT_HARNESS_SECONDS", "60"))


def test_nothing_is_found() -> None:
    seed = secrets.randbits(32)
    print(f"seed {seed}")
    _, found = run(seed, BUDGET)
    assert not found, f"python -m tests.harness --seed {seed}\n" + "\n\n".join(
        f"{finding.check}: {finding.error}" for finding in found
    )
