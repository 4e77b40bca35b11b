"""What people type, and mean: spellings, standard input, options by meaning, sizes, what is large."""

from __future__ import annotations

from pathlib import Path

import pytest

from archinspect import units
from archinspect.cli.app import run
from archinspect.cli.usage import _meant
from archinspect.errors import ArchinspectError
from archinspect.frontends.spec import load_graph
from archinspect.pytorch import onnx
from tests.support import SPECS, run_cli

OPTIONS = (
    "--input",
    "--set",
    "--sort",
    "--top",
    "--only",
    "--batch",
    "--dtype",
    "--format",
    "--depth",
    "--output",
)


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("VGG16", "vgg16"),
        ("resnet-50", "resnet50"),
        ("ResNet50:num_classes=10", "resnet50"),
        ("vit-b-16", "vit_b_16"),
    ],
)
def test_a_name_is_found_however_it_is_spelt(typed: str, name: str) -> None:
    assert load_graph(typed).name == name


def test_a_name_that_is_not_unique_or_not_there_is_refused() -> None:
    with pytest.raises(ArchinspectError):
        load_graph("VGG61")


def test_a_dash_is_standard_input() -> None:
    text = (SPECS / "lenet5.yaml").read_text(encoding="utf-8")
    assert run_cli("params", "-", input=text).stdout == run_cli("params", "lenet5").stdout
    line = run_cli("params", "-", "--input", "3x8x8", input="conv2d(8, 3) -> relu\n")
    assert "224" in line.stdout
    assert run_cli("params", "-", input="").returncode == 2


def test_an_input_may_come_from_the_command_line_alone(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text("name: net\nlayers:\n  - conv: conv2d(8, 3)\n", encoding="utf-8")
    assert load_graph(str(path), input="3x32x32").nodes[-1].output_shape == (1, 8, 30, 30)
    with pytest.raises(ArchinspectError) as raised:
        load_graph(str(path))
    assert raised.value.diagnostics[0].code == "A109"


@pytest.mark.parametrize(
    ("typed", "help"),
    [
        ("--limit", "did you mean '--top'?"),
        ("--batch-size", "did you mean '--batch'?"),
        ("--half", "did you mean '--dtype fp16'?"),
        ("--json", "did you mean '--format json'?"),
        ("--input_size", "did you mean '--input'?"),
        ("--budget", "archinspect budget MODEL --max-params 25M"),
        ("--share", "tables of layers have --share: params, shapes, flops, summary, compare, check, latency"),
        ("--fromat", "did you mean '--format'?"),
        ("--quux", ""),
    ],
)
def test_an_unknown_option_is_understood_by_its_meaning(typed: str, help: str) -> None:
    assert _meant(typed, OPTIONS) == help


def test_other_weights_at_another_input_are_told() -> None:
    """torchvision's VGG pools to 7×7 before its first linear layer (torchvision/models/vgg.py, `avgpool`); the paper's,
    which the spec is, does not.
    """
    [remark] = load_graph("vgg16", input="3x192x256").metadata["remarks"]
    assert "fc6.weight is 4096×24576, not 4096×25088" in remark
    for model, size in (("vgg16", "8x3x224x224"), ("resnet50", "3x192x256")):
        assert "remarks" not in load_graph(model, input=size).metadata


def test_counts_beyond_all_prefixes_are_powers_of_ten() -> None:
    assert units.si(4_538_207_175 * 10**15) == "4.54 Y"
    assert units.si(10**30) == "1.00 Q"
    assert units.si(10**40) == "1.00e+40"
    assert units.si(9_999 * 10**36) == "1.00e+40"
    assert units.binary_bytes(2**90) == "1.24e+27 B"


def test_large_onnx_is_announced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(onnx, "export_onnx", lambda graph, weights: b"")
    assert run(["export", "vgg16", "-o", str(tmp_path / "v.onnx")]) == 0
    said = capsys.readouterr().err.splitlines()
    assert said[0].endswith("v.onnx will hold 553.43 MB of weights (--no-weights leaves them out)")
    assert run(["export", "lenet5", "-o", str(tmp_path / "l.onnx")]) == 0
    assert "of weights" not in capsys.readouterr().err
    assert run(["export", "lenet5", "-o", str(tmp_path / "l.py"), "--no-weights"]) == 2


@pytest.mark.slow
def test_upsampling_by_a_fraction_has_the_modules_size_in_onnx_without_weights_too(tmp_path: Path) -> None:
    """88 by 120/88 is ⌊119.99…⌋ in fp64, as `nn.Upsample` computes it, and 120 in fp32."""
    library = pytest.importorskip("onnx")
    path = tmp_path / "net.onnx"
    line = f"upsample(scale_factor={120 / 88!r}) -> conv2d(3, 1)"
    done = run_cli("export", line, "--input", "3x88x88", "-o", str(path), "--no-weights", timeout=120)
    assert done.returncode == 0, done.stderr
    model = library.load(str(path))
    library.checker.check_model(model)
    assert {value.name for value in model.graph.input} == {"x", "conv2d.weight", "conv2d.bias"}
    [output] = library.shape_inference.infer_shapes(model).graph.output
    assert [side.dim_value for side in output.type.tensor_type.shape.dim][1:] == [3, 119, 119]
