"""What is exported is the network, or is not written."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from archinspect.cli.app import run
from archinspect.errors import ArchinspectError
from archinspect.pytorch import checked
from archinspect.pytorch.checked import checked_source
from archinspect.pytorch.source.expressions import _Loop

from ..strategies_networks import graph_of

TALL = """
name: tall
input: 3x16x16
blocks:
  tall(i):
    - l[1..3]: conv2d(8, (i, 1), padding='same')
layers:
  - a: tall(3)
  - b: tall(5)
"""
LOOP = """
name: loop
input: 8x16x16
blocks:
  unit(i, n, number):
    - l[1..4]: conv2d(8, (i, n), padding=(i // 2, n // 2), groups=number)
layers:
  - a: unit(3, 1, 1)
  - b: unit(5, 3, 2)
  - c: unit(1, 5, 4)
"""


@pytest.mark.parametrize("text", [TALL, LOOP], ids=["tall", "loop"])
def test_names_of_arguments_are_not_those_of_loops(text: str) -> None:
    source, unchecked = checked_source(graph_of(text))
    assert not unchecked
    assert source


FAULTS = {
    "a bias too few": ("nn.Conv2d(3, 8", "nn.Conv2d(3, 8, bias=False, kernel_size=3) #"),
    "another width": ("nn.Linear(8, 4)", "nn.Linear(8, 5)"),
    "another activation": ("nn.ReLU()", "nn.Tanh()"),
    "another order of layers": ("self.relu(x)", "x"),
    "no program": ("def forward", "def forward("),
    "another name": ("self.fc", "self.fc2"),
}
NET = """
name: net
input: 3x8x8
layers:
  - conv: conv2d(8, 3)
  - relu: relu()
  - pool: adaptive_avg_pool2d(1)
  - flat: flatten()
  - fc: linear(4)
"""


@pytest.mark.parametrize("fault", FAULTS)
def test_a_wrong_program_is_not_written(
    fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before, after = FAULTS[fault]
    written = checked.export_source

    def broken(*args: Any, **options: Any) -> str:
        text = written(*args, **options)
        assert before in text
        return text.replace(before, after)

    monkeypatch.setattr(checked, "export_source", broken)
    monkeypatch.chdir(tmp_path)
    Path("net.yaml").write_text(NET)
    assert run(["export", "net.yaml", "-o", "net.py"]) == 2
    assert "error[A405]: the program would not be 'net', and was not written" in capsys.readouterr().err
    assert os.listdir() == ["net.yaml"]


def test_without_torch_source_is_written_and_said_to_be_unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checked, "find_spec", lambda name: None)
    assert checked_source(graph_of(NET))[1] == "torch is not installed"


@pytest.mark.slow
def test_a_wrong_onnx_model_is_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("onnxscript")
    import onnx

    from archinspect.pytorch import onnx as exporter

    graph = graph_of(NET)
    exporter.export_onnx(graph)
    written = exporter._content

    def broken(*args: Any, **options: Any) -> bytes:
        model = onnx.load_model_from_string(written(*args, **options))
        weight = next(tensor for tensor in model.graph.initializer if tensor.name == "fc.weight")
        del model.graph.output[0].type.tensor_type.shape.dim[1]
        assert weight.dims
        return model.SerializeToString()

    monkeypatch.setattr(exporter, "_content", broken)
    with pytest.raises(ArchinspectError, match="its outputs are"):
        exporter.export_onnx(graph)


def test_loops_have_a_variable_that_nothing_else_has() -> None:
    from archinspect.pytorch.source.expressions import Call, Name

    loop = _Loop("l", 1, 3, Call("Unit", (Name("(i, n)"), Name("number + number2"))))
    assert " for number3 in range(1, 4)" in loop.inline()
