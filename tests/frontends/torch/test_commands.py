"""Modules by name on the command line: what a new user types first."""

from __future__ import annotations

import json
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import archinspect
from archinspect.errors import ArchinspectError
from archinspect.frontends.models import kind_of, load

from ...support import run_cli

NET = """
import torch
from torch import nn
from helper import WIDTH

class Net(nn.Module):
    def __init__(self, width=WIDTH):
        super().__init__()
        self.conv = nn.Conv2d(3, width, 3, padding=1)
        self.fc = nn.Linear(width, 10)
    def forward(self, x, mask=None):
        x = torch.relu(self.conv(x)).mean((2, 3))
        return self.fc(x if mask is None else x * mask)

class Sub(Net):
    def __init__(self, needed):
        super().__init__(needed)

def make(width=4):
    return Net(width)

ready = Net(2)
number = 3
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a user's files, in which we are."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "helper", raising=False)
    (tmp_path / "net.py").write_text(NET)
    (tmp_path / "helper.py").write_text("WIDTH = 16\n")
    return tmp_path


@pytest.mark.parametrize(
    ("model", "width"),
    [("net.py:Net", 16), ("net.py:make(width=8)", 8), ("net.py:ready", 2), ("net.py:Sub(5)", 5)],
)
def test_a_module_in_a_file(folder: Path, model: str, width: int) -> None:
    found = archinspect.load(model, (1, 3, 32, 32)).to_dict()
    assert found["totals"]["params"] == 27 * width + width + 10 * width + 10
    assert found["totals"]["macs"] == 27 * width * 1024 + 10 * width
    assert [row["name"] for row in found["rows"]] == ["conv", "relu", "mean", "fc"]


def test_set_reaches_the_class_and_inputs_go_by_name(folder: Path) -> None:
    arguments = ["--set", "width=8", "--input", "3x32x32", "--input", "mask=float32:1x8"]
    done = run_cli("summary", "net.py:Net", *arguments, "--format", "json", cwd=folder)
    assert done.stderr == ""
    rows = json.loads(done.stdout)["rows"]
    assert [row["name"] for row in rows] == ["conv", "relu", "mean", "multiply", "fc"]


@pytest.mark.parametrize(
    ("model", "inputs", "code", "says"),
    [
        ("net.py:Nt", [], "A101", "did you mean 'Net'?"),
        ("nat.py:Net", [], "A101", "there is no file 'nat.py'"),
        ("no.such.package:Net", [], "A101", "there is no Python module 'no'"),
        ("net.py:Net", [], "A402", "missing a required argument: 'x'"),
        ("net.py:Net", ["3x32x32", "mask=flat:1x16"], "A402", "no type 'flat'"),
        ("net.py:Net", ["3y32"], "A402", "is not an input size"),
        ("net.py:Sub", ["3x32x32"], "A603", "Sub(needed)"),
        ("net.py:number", [], "A603", "neither an nn.Module"),
        ("net.py:make(width=print())", [], "A403", "literal arguments"),
        ("net.py:Net", ["1x4x32x32"], "A601", "net.py:12:"),
        ("transformers:missing", [], "A101", "there is no configuration"),
    ],
)
def test_what_is_wrong_is_an_error_of_ours(
    folder: Path, model: str, inputs: list[str], code: str, says: str
) -> None:
    if model.startswith("transformers"):
        pytest.importorskip("transformers", reason="transformers is not installed")
    with pytest.raises(ArchinspectError) as caught:
        load(model, inputs=inputs)
    (found,) = caught.value.diagnostics
    assert found.code == code
    assert says in str(caught.value)


def test_the_command_line_shows_the_error_alone(folder: Path) -> None:
    done = run_cli("summary", "net.py:Net", "--input", "1x4x32x32", cwd=folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert "error[A601]" in done.stderr
    assert "return self.fc" not in done.stderr
    assert "Traceback" not in done.stderr
    refused = run_cli("summary", "resnet18", "--real", cwd=folder)
    assert "a spec is not run on real tensors" in refused.stderr


def test_partial_shows_the_part_before_the_error(folder: Path) -> None:
    (folder / "bad.py").write_text(NET.replace(".mean((2, 3))", ""))
    found = archinspect.load("bad.py:Net", (1, 3, 8, 8), partial=True).to_dict()
    assert [row["name"] for row in found["rows"]][:2] == ["conv", "relu"]


@pytest.mark.parametrize("library", ["torchvision", "timm"])
def test_a_librarys_model(library: str) -> None:
    if find_spec(library) is None:
        pytest.skip(f"{library} is not installed")
    network = archinspect.load(f"{library}:resnet18(num_classes=10)")
    assert network.analyse().totals.params == 11_689_512 - 990 * 513
    with pytest.raises(ArchinspectError, match="did you mean 'resnet18'"):
        archinspect.load(f"{library}:resnet17")


def test_a_configuration_of_transformers(tmp_path: Path) -> None:
    pytest.importorskip("transformers", reason="transformers is not installed")
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    settings = {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "vocab_size": 100, **sizes}
    path = tmp_path / "config.json"
    path.write_text(json.dumps(settings))
    network = archinspect.load(path)
    assert network.graph.input_shape == (1, 128)
    assert network.analyse().totals.params == 2 * 100 * 32 + 2 * (4 * 32 * 32 + 3 * 32 * 64 + 2 * 32) + 32
    assert archinspect.load(f"transformers:{tmp_path}", (2, 16)).graph.input_shape == (2, 16)
    path.write_text(json.dumps({"model_type": "odd", "auto_map": {"AutoModel": "m.M"}}))
    with pytest.raises(ArchinspectError, match="A604"):
        archinspect.load(path)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "shapes"),
    [
        ({"model_type": "t5"}, [(1, 128), (1, 128)]),
        ({"model_type": "clip"}, [(1, 77), (1, 3, 224, 224)]),
        ({"model_type": "whisper"}, [(1, 80, 3000), (1, 128)]),
        ({"model_type": "wav2vec2"}, [(1, 16000)]),
        ({"model_type": "llava"}, [(1, 128)]),
        ({"_class_name": "FluxTransformer2DModel", "num_layers": 1, "num_single_layers": 1}, [(1, 1024, 64)]),
        ({"_class_name": "AutoencoderKLHunyuanVideo"}, [(1, 3, 9, 64, 64)]),
    ],
)
def test_models_have_inputs_of_their_kind(
    settings: dict[str, object], shapes: list[tuple[int, ...]], tmp_path: Path
) -> None:
    library = "diffusers" if "_class_name" in settings else "transformers"
    pytest.importorskip(library, reason=f"{library} is not installed")
    (tmp_path / "config.json").write_text(json.dumps(settings), encoding="utf-8")
    graph = archinspect.load(f"{library}:{tmp_path}").graph
    assert [node.output_shape for node in graph.nodes[: graph.inputs]][: len(shapes)] == shapes


@pytest.mark.parametrize(
    ("model", "kind"),
    [
        ("resnet50", "spec"),
        ("resnet50:num_classes=10", "spec"),
        ("conv2d(96, 11) -> relu", "spec"),
        ("-", "spec"),
        ("path/net.yaml", "spec"),
        ("net.py:Net", "named"),
        ("a/b/net.py:make(width=64)", "named"),
        ("package.module:attr", "named"),
        ("package:make(4, name='a:b')", "named"),
        ("timm:convnext_base", "named"),
        ("transformers:some/folder", "named"),
        ("transformers:some/config.json", "named"),
        ("a/config.json", "configuration"),
        ("net.onnx", "onnx"),
        ("net.pt2", "exported"),
        ("w.safetensors", "checkpoint"),
        ("w.safetensors.index.json", "checkpoint"),
        ("w.gguf", "checkpoint"),
        ("w.pth", "checkpoint"),
        (Path("w.bin"), "checkpoint"),
    ],
)
def test_a_model_is_told_by_its_text(model: str | Path, kind: str) -> None:
    assert kind_of(model) == kind


def test_an_object_that_is_no_network_is_refused() -> None:
    with pytest.raises(ArchinspectError, match="int objects are no networks"):
        kind_of(3)
