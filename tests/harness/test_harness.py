"""The harness for a short time; `python -m tests.harness --minutes 60` takes longer, with a fresh seed."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

import archinspect

from .run import run

pytestmark = [pytest.mark.harness, pytest.mark.slow]

#: seconds that the slow tests spend on it
BUDGET = float(os.environ.get("ARCHINSPECT_HARNESS_SECONDS", "60"))


def seed_of_the_code() -> int:
    """A number that each change of the package makes anew, so that what is found can be found again."""
    digest = hashlib.sha256()
    for file in sorted(Path(archinspect.__file__).parent.rglob("*.py")):
        digest.update(file.read_bytes())
    return int.from_bytes(digest.digest()[:4], "big")


def test_nothing_is_found() -> None:
    seed = seed_of_the_code()
    print(f"seed {seed}")
    _, found = run(seed, BUDGET)
    assert not found, f"python -m tests.harness --seed {seed}\n" + "\n\n".join(
        f"{finding.check}: {finding.error}" for finding in found
    )
