"""Shell completion, as a shell asks for it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support import ROOT, clean_environment, run_cli


def complete(line: str) -> list[str]:
    """What bash is told when TAB is pressed at the end of the line."""
    words = line.split(" ")
    done = subprocess.run(
        [sys.executable, "-m", "archinspect"],
        env=clean_environment(
            {
                "_ARCHINSPECT_COMPLETE": "complete_bash",
                "COMP_WORDS": line,
                "COMP_CWORD": str(len(words) - 1),
            }
        ),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "Traceback" not in done.stderr
    return done.stdout.split()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("archinspect par", ["params"]),
        ("archinspect params alexnet_g", ["alexnet_grouped"]),
        ("archinspect params vgg16 --form", ["--format"]),
        ("archinspect params vgg16 --format mark", ["markdown"]),
        ("archinspect summary alexnet --style k", ["keras"]),
        ("archinspect ops conv2", ["conv2d"]),
        ("archinspect params specs/vgg16.", ["specs/vgg16.yaml"]),
        ("archinspect params nosuchfolder/", []),
    ],
)
def test_completions(line: str, expected: list[str]) -> None:
    assert complete(line) == expected


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "powershell"])
def test_scripts_name_the_program(shell: str) -> None:
    done = run_cli("--show-completion", shell)
    assert done.returncode == 0
    assert "_ARCHINSPECT_COMPLETE" in done.stdout


def test_bash_accepts_its_script() -> None:
    script = run_cli("--show-completion", "bash").stdout
    done = subprocess.run(
        ["bash", "-c", f"{script}\ncomplete -p archinspect"], capture_output=True, text=True, timeout=30
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "-F _archinspect_completion" in done.stdout
