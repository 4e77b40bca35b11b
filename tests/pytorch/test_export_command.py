"""`archinspect export`: source, ONNX and weights, as a user asks for them."""

from __future__ import annotations

import inspect
import io
import json
import subprocess
import sys
from pathlib import Path

import onnx
import pytest
import torch
from onnx.reference import ReferenceEvaluator

from archinspect.errors import ArchinspectError
from archinspect.frontends.spec import load_graph
from archinspect.pytorch import build, export_source
from archinspect.pytorch.onnx import export_onnx
from tests.support import run_cli

from .programs import outputs, random_state
from .reference import BasicBlock, ResNet
from .test_build import EVERYTHING


def test_source_goes_to_standard_output_and_needs_no_torch() -> None:
    hidden = "import sys; sys.modules['torch'] = None; from archinspect.__main__ import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", hidden, "export", "resnet50"], capture_output=True, text=True, check=False
    )
    said = "not checked against the network: torch is not installed\n"
    assert (done.returncode, done.stderr) == (0, said)
    assert done.stdout == export_source(load_graph("resnet50"))


def test_source_of_a_network_as_set(tmp_path: Path) -> None:
    file = tmp_path / "net.py"
    done = run_cli("export", "googlenet", "--set", "aux=true", "--set", "num_classes=7", "-o", str(file))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", f"wrote {file}\n")
    assert file.read_text() == export_source(
        load_graph("googlenet", arguments={"aux": True, "num_classes": 7})
    )


@pytest.mark.slow
def test_source_with_weights_reads_them(tmp_path: Path) -> None:
    torch.manual_seed(0)
    reference = ResNet(BasicBlock, (2, 2, 2, 2), num_classes=3).eval()
    theirs = tmp_path / "net.pth"
    torch.save(reference.state_dict(), theirs)
    before = theirs.read_bytes()
    done = run_cli(
        "export", "resnet18:num_classes=3", "--weights", str(theirs), "-o", str(tmp_path / "net.py")
    )
    assert (done.returncode, done.stdout) == (0, "")
    assert theirs.read_bytes() == before
    ran = subprocess.run(
        [sys.executable, str(tmp_path / "net.py")], capture_output=True, text=True, check=False
    )
    assert (ran.stdout, ran.stderr) == ("(1, 3)\n", "")
    module = build(load_graph("resnet18", arguments={"num_classes": 3}), weights=tmp_path / "net_weights.pth")
    x = torch.randn(1, 3, 64, 64)
    torch.testing.assert_close(outputs(module, x), outputs(reference, x), rtol=1e-4, atol=1e-5)


def test_weights_alone_are_written_by_our_names(tmp_path: Path) -> None:
    graph = load_graph("lenet5")
    state = random_state(build(graph))
    torch.save(state, tmp_path / "w.pth")
    done = run_cli("export", "lenet5", "--weights", str(tmp_path / "w.pth"), "-o", str(tmp_path / "ours.pth"))
    assert done.returncode == 0, done.stderr
    found = torch.load(tmp_path / "ours.pth", weights_only=True)
    assert found.keys() == state.keys()
    assert all(torch.equal(found[name], state[name]) for name in state)


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["-o", "net.txt"], "A403"),
        (["--weights", "none.pth"], "A403"),
        (["--weights", "none.pth", "-o", "net.py"], "A501"),
        (["--weights", "none.pth", "-o", "net.onnx"], "A501"),
        (["-o", "net.pth"], "A403"),
        (["-o", "/no/such/folder/net.py"], "A405"),
    ],
)
def test_what_cannot_be_done_says_so_and_writes_nothing(
    options: list[str], code: str, tmp_path: Path
) -> None:
    done = run_cli("export", "lenet5", *options, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error[{code}]")
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


# ONNX


def test_onnx_of_a_small_network_computes_the_same() -> None:
    graph = load_graph("conv2d(4, 3) -> relu -> flatten -> linear(3)", input="2x6x6")
    module = build(graph)
    content = export_onnx(graph, weights=module.state_dict())
    x = torch.randn(3, 2, 6, 6)
    torch.testing.assert_close(outputs(module, x)[0], onnx_outputs(content, x)[0], rtol=1e-4, atol=1e-5)


def onnx_outputs(content: bytes, x: torch.Tensor) -> list[torch.Tensor]:
    model = onnx.load_from_string(content)
    onnx.checker.check_model(model, full_check=True)
    return [torch.from_numpy(found) for found in ReferenceEvaluator(model).run(None, {"x": x.numpy()})]


@pytest.mark.slow
def test_onnx_computes_the_same_for_any_batch(tmp_path: Path) -> None:
    (tmp_path / "net.yaml").write_text(EVERYTHING)
    graph = load_graph(tmp_path / "net.yaml")
    module = build(graph)
    module.load_state_dict(random_state(module))
    content = export_onnx(graph, weights=module.state_dict())
    for batch in (1, 3):
        x = torch.randn(batch, 4, 12, 12)
        for ours, theirs in zip(outputs(module, x), onnx_outputs(content, x), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4)


@pytest.mark.slow
def test_the_command_writes_onnx_with_names_and_nothing_of_this_machine(tmp_path: Path) -> None:
    file = tmp_path / "net.onnx"
    done = run_cli("export", "googlenet:aux=true,num_classes=3", "-o", str(file))
    announced = f"{file} will hold 41.25 MB of weights (--no-weights leaves them out)\n"
    assert (done.returncode, done.stdout, done.stderr) == (0, "", f"{announced}wrote {file}\n")
    content = file.read_bytes()
    model = onnx.load(io.BytesIO(content))
    assert [value.name for value in model.graph.input] == ["x"]
    assert [value.name for value in model.graph.output] == ["classifier", "aux1.fc2", "aux2.fc2"]
    assert {"conv1.conv.weight", "aux2.fc2.bias"} <= {value.name for value in model.graph.initializer}
    assert b"/archinspect/" not in content
    assert b"stack_trace" not in content


def test_a_network_beyond_protobuf_is_refused_before_anything_is_built() -> None:
    graph = load_graph("linear(40000) -> linear(20000)", input="10000")
    with pytest.raises(ArchinspectError) as caught:
        export_onnx(graph)
    assert caught.value.diagnostics[0].code == "A403"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mobilenet_v3_large", "vit_b_16"])
def test_whole_networks_become_valid_onnx(name: str) -> None:
    onnx.checker.check_model(onnx.load_from_string(export_onnx(load_graph(name))), full_check=True)


def test_what_the_onnx_exporter_cannot_translate_is_named(tmp_path: Path) -> None:
    done = run_cli(
        "export",
        "conv2d(4, 1) -> adaptive_max_pool2d((3, 2))",
        "--input",
        "3x8x8",
        "-o",
        str(tmp_path / "n.ONNX"),
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "error[A403]" in done.stderr
    if (
        "dynamic_shapes" in inspect.signature(torch.onnx.export).parameters
    ):  # torch 2.4's exporter names no operator
        assert "adaptive_max_pool2d: adaptive_max_pool2d((3, 2))" in done.stderr
    assert not list(tmp_path.iterdir())


MODULE = """
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.stage = nn.Sequential(nn.Conv2d(3, width, 3, bias=False), nn.BatchNorm2d(width), nn.ReLU())
        self.fc = nn.Linear(width, 5)

    def forward(self, x):
        return self.fc(self.stage(x).mean((2, 3)))
"""


def test_a_module_is_exported_itself(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(MODULE)
    options = ["net.py:Net(width=4)", "--input", "3x9x9"]
    done = run_cli("export", *options, "-o", "net.onnx", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "wrote net.onnx\n")
    assert str(tmp_path).encode() not in (tmp_path / "net.onnx").read_bytes()
    module = run_cli("params", *options, "--format", "json", cwd=tmp_path)
    written = run_cli("params", "net.onnx", "--format", "json", cwd=tmp_path)
    shown = [
        [
            (row["name"], row["op"], row["params"], row["output_shape"])
            for row in json.loads(done.stdout)["rows"]
        ]
        for done in (module, written)
    ]
    assert shown[0] == shown[1]
    refused = run_cli("export", *options, "-o", "net.onnx", "--weights", "w.pth", cwd=tmp_path)
    assert (refused.returncode, refused.stderr.startswith("error[A403]")) == (2, True)
