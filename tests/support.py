"""What tests share: running the command line as a user does."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from archinspect.cli.app import run
from archinspect.frontends.spec.models import _standard_input as standard_input_read

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


def run_program(*args: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """`archinspect ARGS...` in a process of its own, as a user starts it; see `run_python` for the options."""
    return run_python("-m", "archinspect", *args, **options)


def run_cli(
    *args: str,
    input: str = "",
    env: Mapping[str, str] | None = None,
    cwd: Path | str | None = None,
    timeout: float = 60,
) -> subprocess.CompletedProcess[str]:
    """`archinspect ARGS...`: returncode, stdout and stderr as text, from this process where that is the same.

    Most of a short command's time is Python's start and PyTorch's import, which a test need not wait for again.
    What Python reads at its own start (PYTHON..., LC_...) asks for a process of its own.

    >>> run_cli("params", "vgg16", "--format", "json").returncode
    0
    """
    if env and any(name.startswith(("PYTHON", "LC_")) for name in env):
        return run_program(*args, input=input, env=env, cwd=cwd, timeout=timeout)
    folder = Path(cwd if cwd is not None else ROOT).resolve()
    out, errors = text_stream(), text_stream()
    status = run_here(args, folder, clean_environment(env), text_stream(input), out, errors)
    return subprocess.CompletedProcess(["archinspect", *args], status, printed_on(out), printed_on(errors))


def run_here(
    args: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    standard_input: io.TextIOWrapper,
    out: io.TextIOWrapper,
    errors: io.TextIOWrapper,
) -> int:
    """Run a command line in this process with these streams; its exit code."""
    with (
        in_folder(folder),
        mock.patch.dict(os.environ, environment, clear=True),
        mock.patch.object(sys, "stdin", standard_input),
        redirect_stdout(out),
        redirect_stderr(errors),
    ):
        standard_input_read.cache_clear()  # a process reads its own once
        try:
            return run(args)
        except SystemExit as end:
            return end.code if isinstance(end.code, int) else int(end.code is not None)
        except Exception:  # noqa: BLE001  what Python would print, for the test to see
            traceback.print_exc()
            return 1


def text_stream(text: str = "") -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(text.encode()), encoding="utf-8", write_through=True, newline="")


def printed_on(stream: io.TextIOWrapper) -> str:
    return stream.buffer.getvalue().decode()  # type: ignore[attr-defined,no-any-return]


@contextmanager
def in_folder(folder: Path) -> Iterator[None]:
    """Work in a folder; what is imported from there is forgotten afterwards: another test has another net.py."""
    modules, path, before = set(sys.modules), list(sys.path), Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
        sys.path[:] = path
        forget_own_modules(set(sys.modules) - modules)


def forget_own_modules(names: Iterable[str]) -> None:
    """Forget which of these modules are a test's own: they come from a folder for temporary files."""
    for name in names:
        file = Path(getattr(sys.modules[name], "__file__", None) or ROOT)
        ours = any(file.is_relative_to(place) for place in (ROOT, sys.prefix, sys.base_prefix))
        if not ours and file.is_relative_to(tempfile.gettempdir()):
            del sys.modules[name]
