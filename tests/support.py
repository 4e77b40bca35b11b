"""What tests share: running the command line as a user does, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
SPECS = ROOT / "specs"
DOCS = ROOT / "docs"


def clean_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The caller's environment without what would change our output (colour, width), plus `extra`."""
    unwanted = {"NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE", "COLUMNS", "LINES", "PYTHONWARNINGS"}
    environment = {name: value for name, value in os.environ.items() if name not in unwanted}
    # A test may run in another folder; the package under test is still this checkout's.
    paths = [str(ROOT), *filter(None, [environment.get("PYTHONPATH")])]
    environment |= {"PYTHONPATH": os.pathsep.join(paths), "PYTHONIOENCODING": "utf-8"}
    return environment | dict(extra or {})


def one_in(every: int, values: Sequence[Any]) -> list[Any]:
    """Parameters for a test: one in `every` runs where the test does, the others with the marker `many`.

    The networks that are left out change with the list, not with the day: a failure can be repeated.
    """
    return [
        pytest.param(value, marks=() if i % every == 0 else pytest.mark.many)
        for i, value in enumerate(values)
    ]


def run_python(
    *args: str,
    input: str | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | str | None = None,
    timeout: float = 60,
) -> subprocess.CompletedProcess[str]:
    """Run this interpreter with `args`: text in and out, never a terminal; `env` adds to the environment."""
    return subprocess.run(
        [sys.executable, *args],
        input=input if input is not None else "",
        capture_output=True,
        text=True,
        encoding="utf-8",
        env=clean_environment(env),
        cwd=cwd if cwd is not None else ROOT,
        timeout=timeout,
        check=False,
    )


def run_cli(
    *args: str,
    input: str | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | str | None = None,
    timeout: float = 60,
) -> subprocess.CompletedProcess[str]:
    """`archinspect ARGS...` in a process of its own: returncode, stdout and stderr as text.

    >>> run_cli("params", "vgg16", "--format", "json").returncode  # doctest: +SKIP
    0
    """
    return run_python("-m", "archinspect", *args, input=input, env=env, cwd=cwd, timeout=timeout)
