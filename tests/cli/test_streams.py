"""Pipes, terminals, colour, encodings, files: how results leave the program."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import ROOT, clean_environment, run_cli

ARCHINSPECT = [sys.executable, "-m", "archinspect"]


def on_terminal(
    *arguments: str, env: dict[str, str] | None = None, columns: int = 80, stderr: bool = False
) -> str:
    """What a command writes to a terminal of that width (its standard output, or its standard error)."""
    ours, theirs = pty.openpty()
    import fcntl
    import struct
    import termios

    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    streams = {"stderr": theirs} if stderr else {"stdout": theirs}
    with subprocess.Popen(
        [*ARCHINSPECT, *arguments],
        env=clean_environment({"TERM": "xterm-256color", **(env or {})}),
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        **({"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL} | streams),
    ) as process:
        os.close(theirs)
        text = b""
        while select.select([ours], [], [], 30)[0]:
            try:
                part = os.read(ours, 65536)
            except OSError:  # the other side is closed
                break
            if not part:
                break
            text += part
        process.wait(30)
    os.close(ours)
    return text.decode().replace("\r\n", "\n")


def visible(text: str) -> str:
    import re

    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def test_a_terminal_gets_colour_and_its_own_width() -> None:
    for columns in (60, 80, 120):
        text = on_terminal("summary", "googlenet", "--explain", columns=columns)
        assert "\x1b[1m" in text
        assert max(map(len, visible(text).splitlines())) <= columns


@pytest.mark.parametrize("env", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_colour_can_be_turned_off(env: dict[str, str]) -> None:
    assert "\x1b" not in on_terminal("params", "alexnet", env=env)
    assert "\x1b" not in on_terminal("params", "nothing", env=env, stderr=True)


def test_errors_are_coloured_on_a_terminal_only() -> None:
    assert "\x1b[31merror[A101]" in on_terminal("params", "nothing", stderr=True)
    assert "\x1b" not in run_cli("params", "nothing").stderr


def test_a_pipe_is_never_cut_and_columns_or_width_overrule_that() -> None:
    done = run_cli("summary", "resnet50", "--explain")
    assert "\x1b" not in done.stdout
    [line] = [line for line in done.stdout.splitlines() if "conv2_x.block1.residual.conv1.conv" in line]
    for cell in ("conv2d", "1×64×56×56", "4,096", "12,845,056", "784.00 KiB", "(1×1×64×64) = 4,096"):
        assert cell in line
    assert "Left out" not in done.stdout
    wide = run_cli("summary", "resnet50", "--explain", env={"COLUMNS": "200"})
    assert 80 < max(map(len, wide.stdout.splitlines())) <= 200
    narrow = run_cli("summary", "resnet50", "--explain", "--width", "80")
    assert max(map(len, narrow.stdout.splitlines())) <= 80


@pytest.mark.parametrize("format", ["table", "json", "csv"])
def test_a_reader_that_stops_early_is_no_failure(format: str) -> None:
    command = (
        f"set -o pipefail; {sys.executable} -m archinspect summary googlenet --format {format} | head -n 1"
    )
    done = subprocess.run(
        ["bash", "-c", command], env=clean_environment(), cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 1


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_is_an_error() -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*ARCHINSPECT, "params", "vgg16"],
            env=clean_environment(),
            cwd=ROOT,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
        )
    assert done.returncode == 2
    assert done.stderr.startswith("error[A405]: cannot write to standard output")
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


def test_ascii_terminals_get_ascii_and_machine_formats_stay_utf8() -> None:
    ascii_only = {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    table = run_cli("shapes", "vgg16", "--explain", env=ascii_only)
    assert (table.returncode, table.stderr) == (0, "")
    assert table.stdout.isascii()
    assert "floor((224" in table.stdout
    assert "×" in run_cli("params", "vgg16", "--format", "markdown", env=ascii_only).stdout


def test_files_are_written_whole_in_the_format_of_their_ending(tmp_path: Path) -> None:
    for ending, start in {
        "md": "**vgg16: VGG-16**",
        "tex": "% needs",
        "html": "<!DOCTYPE",
        "csv": "name,",
        "json": "{",
        "txt": "vgg16: VGG-16",
    }.items():
        file = tmp_path / f"t.{ending}"
        done = run_cli("params", "vgg16", "-o", str(file))
        assert (done.returncode, done.stdout) == (0, "")
        assert file.read_text(encoding="utf-8").startswith(start)
    assert sorted(p.suffix for p in tmp_path.iterdir()) == [".csv", ".html", ".json", ".md", ".tex", ".txt"]


def test_format_wins_over_the_ending(tmp_path: Path) -> None:
    file = tmp_path / "t.data"
    assert run_cli("params", "vgg16", "--format", "csv", "-o", str(file)).returncode == 0
    assert file.read_text(encoding="utf-8").startswith("name,")


def test_a_failed_command_leaves_the_old_file(tmp_path: Path) -> None:
    file = tmp_path / "t.md"
    file.write_text("old")
    assert run_cli("params", "vgg61", "-o", str(file)).returncode == 2
    assert file.read_text() == "old"


def test_ctrl_c_leaves_quietly_with_130() -> None:
    code = (
        "import os, time; from archinspect.frontends import spec; from archinspect.__main__ import main;"
        "spec.load_graph = lambda *a, **k: (os.write(2, b'up\\n'), time.sleep(30)); main()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, "params", "vgg16"],
        env=clean_environment(),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stderr is not None
        process.stderr.readline()
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=30)
    assert process.returncode == 130
    assert b"Traceback" not in error


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_help_on_a_full_disk_is_an_error_too() -> None:
    with open("/dev/full", "w") as full:
        found = subprocess.run(
            [*ARCHINSPECT, "--help"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env=clean_environment(),
            check=False,
        )
    assert found.returncode == 2
    assert found.stderr.startswith("error[A405]: cannot write to standard output")


@pytest.mark.parametrize(
    ("command", "status"), [(("params", "lenet5", "-o", "x.csv"), 0), (("params", "lenet"), 2)]
)
def test_nobody_listening_to_diagnostics_changes_no_exit_code(
    command: tuple[str, ...], status: int, tmp_path: Path
) -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    with os.fdopen(theirs, "w") as gone:
        found = subprocess.run(
            [*ARCHINSPECT, *command], cwd=tmp_path, stderr=gone, env=clean_environment(), check=False
        )
    assert found.returncode == status


def test_warnings_that_are_errors_elsewhere_end_no_command() -> None:
    found = run_cli("params", "lenet5", env={"PYTHONWARNINGS": "error"})
    assert found.returncode == 0
    assert "61,706" in found.stdout
