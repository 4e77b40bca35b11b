"""The library's verbs: named as the commands, typed, and results that show themselves."""

from __future__ import annotations

import doctest
import importlib
import inspect
import typing
from pathlib import Path
from typing import Any

import pytest

import archinspect
from archinspect import ArchinspectError
from archinspect.cli.registry import COMMANDS

#: commands that speak of no single network
NO_VERB = {"calibrate", "list", "ops", "schema"}
LINE = "conv2d(4, 3) -> relu -> flatten -> linear(2)"


def small() -> archinspect.Network:
    return archinspect.load(LINE, input="3x8x8")


@pytest.mark.parametrize("command", [name for name in COMMANDS if name not in NO_VERB])
def test_every_command_about_a_network_is_a_verb_of_this_name(command: str) -> None:
    verb = getattr(archinspect.Network, command)
    assert verb.__doc__


@pytest.mark.parametrize("verb", ["build", "diagram", "measure", "params", "flops", "summary", "export"])
def test_options_are_written_out(verb: str) -> None:
    parameters = inspect.signature(getattr(archinspect.Network, verb)).parameters.values()
    assert not [one for one in parameters if one.kind is inspect.Parameter.VAR_KEYWORD]


@pytest.mark.parametrize("module", ["archinspect.network", "archinspect.analysis.results"])
def test_examples_of_docstrings_are_true(module: str) -> None:
    names = {"archinspect": archinspect}
    found = doctest.testmod(
        importlib.import_module(module),
        extraglobs=names,
        optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE,
    )
    assert found.attempted
    assert not found.failed


RESULTS = {
    "analyse": lambda net: net.analyse(),
    "params": lambda net: net.params(explain=True),
    "shapes": lambda net: net.shapes(),
    "flops": lambda net: net.flops(depth=1),
    "summary": lambda net: net.summary(),
    "keras": lambda net: net.summary(style="keras"),
    "convention": lambda net: net.flops(convention="thop"),
    "compare": lambda net: net.compare(net),
    "bottleneck": lambda net: net.bottleneck(),
    "rewrite": lambda net: net.rewrite("asymmetric"),
    "sweep": lambda net: net.sweep(input=["3x8x8", (3, 16, 16)]),
    "predict": lambda net: net.latency(predict="h100"),
    "check": lambda net: net.check(pasted="| layer | params |\n| --- | --- |\n| conv2d | 112 |"),
}


@pytest.mark.parametrize("verb", RESULTS)
def test_a_result_prints_as_a_table_and_has_a_short_repr(verb: str) -> None:
    result: Any = RESULTS[verb](small())
    assert len(str(result).splitlines()) > 3
    assert "─" in str(result)
    assert "\n" not in repr(result)
    assert "<table>" in result._repr_html_()
    assert isinstance(result.to_dict(), typing.Mapping)


def test_printing_an_analysis_is_the_commands_table(capsys: pytest.CaptureFixture[str]) -> None:
    print(archinspect.load("alexnet").params())
    assert "62,378,344" in capsys.readouterr().out
    assert len(repr(archinspect.load("alexnet").analyse())) < 100


def test_a_row_is_found_by_name_scope_and_pattern() -> None:
    analysis = archinspect.load("resnet50").analyse()
    scope = analysis["conv2_x"]
    assert (
        scope.params == sum(row.params for row in analysis["conv2_x.*"]) == 215_808
    )  # He et al. 2015, Table 1
    assert analysis["fc"].params == 2_049_000
    assert "*.nothing" not in analysis
    with pytest.raises(ArchinspectError, match="no layer 'fcc'") as caught:
        analysis["fcc"]
    assert "fc" in caught.value.diagnostics[0].help
    assert repr(analysis["fc"]) == "<Row fc: linear, 1×1000, 2,049,000 parameters, 2,048,000 MACs>"


def test_compare_takes_what_load_takes() -> None:
    net = archinspect.load("resnet18")
    assert net.compare("resnet34").params == net.compare(archinspect.load("resnet34")).params
    with pytest.raises(ArchinspectError, match="resnet3"):
        net.compare("resnet3")


def test_a_sweep_keeps_what_was_set() -> None:
    found = archinspect.load("vgg11", num_classes=10, input="3x64x64").sweep(batch_norm=[False, True])
    alone = archinspect.load("vgg11", num_classes=10, input="3x64x64").analyse().totals
    figures = found.variants[0].figures
    assert figures is not None
    assert (figures.params, figures.macs) == (alone.params, alone.macs)
    with pytest.raises(ArchinspectError, match="several values"):
        archinspect.load("vgg11").sweep(num_classes=10)  # type: ignore[arg-type]
    with pytest.raises(ArchinspectError, match="loaded by name"):
        archinspect.from_text("name: a\ninput: 3x8x8\nlayers: [{b: relu()}]").sweep(input=["3x8x8"])


def test_pictures_and_programs_are_written_to_a_path(tmp_path: Path) -> None:
    net = small()
    net.draw(tmp_path / "net.svg")
    assert (tmp_path / "net.svg").read_text(encoding="utf-8").startswith("<svg")
    assert net.export(tmp_path / "net.py") == str(tmp_path / "net.py")
    assert (tmp_path / "net.py").read_text(encoding="utf-8") == net.export()
    for ending, options in (("txt", {}), ("pth", {}), ("", {"weights": {}})):
        with pytest.raises(ArchinspectError):
            net.export(tmp_path / f"net.{ending}" if ending else None, **options)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net.py", "net.svg"]


def test_a_device_that_is_not_there_is_our_error() -> None:
    import torch

    with pytest.raises(ArchinspectError) as caught:
        small().build(device="nonsense")
    assert caught.value.diagnostics[0].code == "A403"
    if not torch.cuda.is_available():
        with pytest.raises(ArchinspectError) as caught:
            small().build(device="cuda")
        assert caught.value.diagnostics[0].code == "A406"


@pytest.mark.parametrize("depth", [0, -1])
def test_a_depth_below_one_is_our_error(depth: int) -> None:
    with pytest.raises(ArchinspectError, match="at least 1"):
        small().params(depth=depth)


def test_a_view_takes_the_words_of_the_command() -> None:
    view = archinspect.load("alexnet").params().view(sort="params", top=2, only="fc*", columns="params,macs")
    lines = [line.split() for line in str(view).splitlines() if line.startswith("fc")]
    assert lines == [["fc6", "37,752,832", "37,748,736"], ["fc7", "16,781,312", "16,777,216"]]
    assert [row["name"] for row in view.to_dict()["rows"]] == ["fc6", "fc7"]
    with pytest.raises(ArchinspectError, match="no column"):
        archinspect.load("alexnet").params().view(sort="parms")


def test_verbs_work_on_a_module_of_ones_own_or_say_why_not() -> None:
    from torch import nn

    network = archinspect.load(nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2)), (1, 4))
    found = network.check(pasted="| layer | params |\n| --- | --- |\n| 0 | 15 |\n| 2 | 9 |")
    assert [judgement.wrong for judgement in found.judgements] == [False, True]
    assert network.analyse()["2"].params == 8
    with pytest.raises(ArchinspectError, match="not from a spec"):
        network.build()
    with pytest.raises(ArchinspectError, match="loaded by name"):
        network.sweep(width=[1, 2])
    with pytest.raises(ArchinspectError, match="at least 1"):
        network.params().view(top=0)
