"""What holds for every command: help, documentation, what is imported, how it fails."""

from __future__ import annotations

import inspect
import re
from importlib import import_module

import pytest

from archinspect.cli.registry import COMMANDS
from tests.cli import reference
from tests.support import run_cli, run_python

MODEL_COMMANDS = ["params", "shapes", "flops", "summary"]


def function(name: str) -> object:
    module, _, attribute = COMMANDS[name].target.partition(":")
    return getattr(import_module(f"archinspect.cli.commands.{module}"), attribute)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_line_in_the_help_is_the_commands_own_first_line(name: str) -> None:
    assert inspect.getdoc(function(name)).splitlines()[0] == COMMANDS[name].help


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_that_fits_80_columns(name: str) -> None:
    done = run_cli(name, "--help", env={"COLUMNS": "80"})
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"Usage: archinspect {name} ")
    assert max(map(len, done.stdout.splitlines())) <= 80
    options = done.stdout.partition("Options:")[2]
    for line in re.findall(r"^  (-.*)$", options, re.M):
        assert re.search(r"--[\w-]+", line), line


def test_the_help_lists_every_command_without_importing_any() -> None:
    done = run_python(
        "-c",
        "import sys; from archinspect.cli.app import run; run(['--help']);"
        "print([m for m in sys.modules if m.startswith('archinspect.cli.commands.')], file=sys.stderr)",
    )
    for name, entry in COMMANDS.items():
        assert re.search(rf"^  {name} +{re.escape(entry.help)}$", done.stdout, re.M)
    assert done.stderr.strip() == "[]"


def test_docs_cli_is_what_the_commands_say() -> None:
    assert reference.PAGE.read_text(encoding="utf-8") == reference.page(), "python -m tests.cli.reference"


@pytest.mark.parametrize(
    "arguments",
    [
        ("params", "vgg16"),
        ("summary", "alexnet", "--explain"),
        ("list",),
        ("ops",),
        ("schema",),
        ("--version",),
    ],
    ids=" ".join,
)
def test_no_torch_and_nothing_slow_is_imported(arguments: tuple[str, ...]) -> None:
    slow = {"torch", "numpy", "rich", "tabulate", "torchinfo", "fvcore", "pandas", "jinja2", "asyncio"}
    done = run_python(
        "-c",
        f"import sys; from archinspect.cli.app import run; status = run({list(arguments)!r});"
        f"print(sorted({slow!r} & set(sys.modules)), status, file=sys.stderr)",
    )
    assert done.stderr.strip() == "[] 0"


def test_no_arguments_print_the_help() -> None:
    assert run_cli().stdout == run_cli("--help").stdout


def test_short_help_and_version() -> None:
    assert run_cli("params", "-h").stdout == run_cli("params", "--help").stdout
    assert re.fullmatch(r"archinspect \d+\.\d+\.\d+\S*\n", run_cli("--version").stdout)


@pytest.mark.parametrize(
    ("arguments", "code", "help"),
    [
        (["parmas", "vgg16"], "A403", "did you mean 'params'?"),
        (["vgg16"], "A403", "archinspect params vgg16"),
        (["params"], "A403", "archinspect params --help"),
        (["params", "vgg16", "alexnet"], "A403", "archinspect params --help"),
        (["params", "vgg16", "--fromat", "csv"], "A403", "did you mean '--format'?"),
        (["params", "vgg16", "--format", "xml"], "A403", "archinspect params --help"),
        (["params", "vgg16", "--depth", "0"], "A403", "archinspect params --help"),
        (["params", "vgg16", "--depth", "x"], "A403", "archinspect params --help"),
        (["params", "vgg16", "-o", "x.docx"], "A403", ".md"),
        (["params", "vgg16", "-o", "missing/x.md"], "A405", "folder"),
        (["params", "vgg61"], "A101", "did you mean 'vgg16'?"),
        (["params", "vgg16", "--set", "num_clases=10"], "A401", "did you mean 'num_classes'?"),
        (["params", "vgg16", "--set", "num_classes"], "A401", "NAME=VALUE"),
        (["params", "vgg16", "--set", "num_classes=many"], "A401", "1000"),
        (["params", "vgg16", "--input", "3x0x7"], "A402", ""),
        (["params", "vgg16", "--input", "224"], "A301", "write the size as CxHxW"),
        (["params", "conv2d(8, 3)"], "A402", "--input"),
        (["params", "vgg16", "--input", "3x16x16"], "A302", "padding"),
        (["ops", "conv4d"], "A202", "did you mean 'conv3d'?"),
        (["list", "--family", "ResNets"], "A403", "did you mean 'ResNet'?"),
        (["--show-completion", "tcsh"], "A403", "bash"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_bad_usage_is_one_error_with_a_way_out(arguments: list[str], code: str, help: str) -> None:
    done = run_cli(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith(f"error[{code}]: ")
    assert help in done.stderr
    assert "Traceback" not in done.stderr
    assert "\x1b" not in done.stderr


@pytest.mark.parametrize(
    ("words", "help"),
    [
        (["params", "vgg16", "--format", "JSON"], "did you mean 'json'?"),
        (["params", "vgg16", "--convention", "Torchinfo"], "did you mean 'torchinfo'?"),
        (["summary", "vgg16", "--style", "kerras"], "did you mean 'keras'?"),
        (["summary", "vgg16", "--style", "keras", "--explain"], "leave one out"),
        (["params", "vgg16", "--depth", "two"], "archinspect params --help"),
        (["verify", "lenet5", "--tools", ""], "--tools torchinfo,fvcore"),
    ],
)
def test_a_wrong_value_of_an_option_is_refused_with_a_way_out(words: list[str], help: str) -> None:
    done = run_cli(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error[A403]")
    assert f"help: {help}" in done.stderr
    assert "range" not in done.stderr
