"""Start-up is a feature: what a command does not need, it does not import."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from archinspect.cli.registry import COMMANDS
from tests.latency.test_profile import planted_profile
from tests.support import run_python

LINE = "conv2d(8, 3) -> relu -> flatten -> linear(10)"
HEAVY = {"fvcore", "matplotlib", "numpy", "onnx", "pandas", "rich", "torch", "torchinfo"}

#: Commands that run a real module; all others work where torch is not installed.  `export` holds what it writes
#: against the real module where torch is installed, and says so where it is not (`smoke.py` has none).
NEED_TORCH = {"calibrate", "export", "signal", "verify"}
#: One use of each of the others, on a network with branches where it takes one.
WITHOUT_TORCH = {
    "bottleneck": ("googlenet",),
    "budget": ("googlenet", "--max-params", "10M"),
    "check": ("vgg16",),
    "compare": ("alexnet", "vgg16"),
    "diagram": ("resnet50", "-o", "-"),
    "latency": ("googlenet", "--predict", "h100"),
    "predict": ("resnet18", "--profile", "PROFILE"),
    "sweep": ("vgg11", "--set", "num_classes=10,100"),
    "params": ("resnet50", "--explain"),
    "shapes": ("googlenet", "--depth", "1"),
    "flops": (LINE, "--input", "3x8x8", "--format", "markdown"),
    "summary": ("alexnet", "--style", "keras"),
    "memory": ("resnet18", "--train", "adam"),
    "list": (),
    "ops": ("conv2d",),
    "schema": (),
}

IMPORTED = """
import json, sys
from archinspect.__main__ import main
sys.argv = json.loads(sys.argv[1])
try:
    main()
finally:
    print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})), file=sys.stderr)
"""


def test_every_command_is_of_one_kind_or_the_other() -> None:
    assert set(COMMANDS) == NEED_TORCH | set(WITHOUT_TORCH)


@pytest.mark.parametrize("command", WITHOUT_TORCH)
def test_a_command_imports_nothing_heavy(command: str, tmp_path: Path) -> None:
    profile = tmp_path / "profile.json"
    words = [
        "archinspect",
        command,
        *(str(profile) if word == "PROFILE" else word for word in WITHOUT_TORCH[command]),
    ]
    if str(profile) in words:
        planted_profile().save(profile)
    result = run_python("-c", IMPORTED, json.dumps(words))
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip()
    imported = set(json.loads(result.stderr.splitlines()[-1]))
    assert {"archinspect", "typer"} <= imported
    assert not imported & HEAVY


@pytest.mark.parametrize("command", [*COMMANDS, None], ids=str)
def test_help_imports_nothing_heavy(command: str | None) -> None:
    words = ["archinspect", *([command] if command else []), "--help"]
    result = run_python("-c", IMPORTED, json.dumps(words))
    assert result.returncode == 0, result.stderr
    assert not set(json.loads(result.stderr.splitlines()[-1])) & HEAVY


def test_the_library_analyses_without_torch() -> None:
    code = "import archinspect, sys; before = set(sys.modules)\n"
    code += "params = archinspect.load('vgg16').analyse().totals.params\n"
    code += "print(params, 'torch' in sys.modules, any(name.startswith('archinspect.') for name in before))"
    result = run_python("-c", code)
    assert result.stdout.split() == ["138357544", "False", "False"], result.stderr
