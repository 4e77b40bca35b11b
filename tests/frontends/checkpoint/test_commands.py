"""Commands on checkpoints: params, compare and diagram work, the others say what is missing; no torch, soon."""

from __future__ import annotations

import json
import re
import struct
import sys
from pathlib import Path
from typing import Any

import pytest

from archinspect.analysis import analyse
from archinspect.analysis.compare import compare
from archinspect.diagram import draw
from archinspect.errors import ArchinspectError
from archinspect.frontends.checkpoint import load_checkpoint
from archinspect.frontends.spec import load_graph
from archinspect.graph import Graph
from archinspect.report.compare import comparison
from archinspect.report.formats import render
from archinspect.report.layers import params
from tests.support import run_cli, run_python

Shapes = dict[str, tuple[int, ...]]

TRANSFORMER: Shapes = {
    "embed.weight": (100, 16),
    **{
        f"layers.{layer}.{name}": shape
        for layer in range(12)
        for name, shape in (
            ("attention.weight", (16, 16)),
            ("attention.bias", (16,)),
            ("mlp.up.weight", (64, 16)),
            ("mlp.down.weight", (16, 64)),
            ("norm.weight", (16,)),
        )
    },
    "norm.weight": (16,),
}


def write(path: Path, shapes: Shapes, dtype: str = "F32") -> Path:
    """A safetensors file of zeros, its tensors in the order of their names as the library writes them."""
    header: dict[str, Any] = {}
    end = 0
    for name, shape in sorted(shapes.items()):
        size = {"F32": 4, "F16": 2}[dtype]
        for length in shape:
            size *= length
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [end, end + size]}
        end += size
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + bytes(end))
    return path


def of_spec(path: Path, model: str, prefix: str = "", dtype: str = "F32", **arguments: Any) -> Path:
    """A checkpoint with the parameters of a spec."""
    graph = load_graph(model, arguments=arguments)
    shapes = {prefix + p.name: p.shape for p in graph.parameters}
    return write(path, shapes, dtype)


def table(graph: Graph, depth: int | None = None) -> str:
    analysis = analyse(graph)
    return render(params(graph, analysis if depth is None else analysis.fold(depth)))


def test_params_of_each_module_and_in_all(tmp_path: Path) -> None:
    graph = load_checkpoint(write(tmp_path / "w.safetensors", TRANSFORMER))
    shown = table(graph)
    assert re.search(r"layers\.0\.attention +weight 16×16, bias 16 +fp32 +272 +1\.06 KiB", shown)
    assert shown.index("layers.2.norm") < shown.index("layers.10.norm")
    whole = 1600 + 12 * (256 + 16 + 1024 + 1024 + 16) + 16
    assert re.search(rf"Total +{whole:,} ", shown)
    assert re.search(r"fp32 +62 +", shown)


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_folded_rows_add_up(tmp_path: Path, depth: int) -> None:
    graph = load_checkpoint(write(tmp_path / "w.safetensors", TRANSFORMER))
    analysis = analyse(graph).fold(depth)
    assert sum(row.params for row in analysis.rows) == analyse(graph).totals.params
    assert len(analysis.rows) == {1: 3, 2: 14, 3: 38}[depth]
    assert sum(len(row.tensors) for row in analysis.rows) == len(TRANSFORMER)


def test_a_module_with_parameters_of_its_own_and_modules_inside(tmp_path: Path) -> None:
    shapes: Shapes = {"a.weight": (2, 3), "a.inner.weight": (5,), "a.inner.deep.weight": (7,)}
    graph = load_checkpoint(write(tmp_path / "w.safetensors", shapes))
    assert [row.params for row in analyse(graph).fold(1).rows] == [18]
    assert {row.name: row.params for row in analyse(graph).fold(2).rows} == {"a": 6, "a.inner": 12}


def test_json_has_the_keys_of_every_table(tmp_path: Path) -> None:
    path = write(tmp_path / "w.safetensors", TRANSFORMER)
    ours = json.loads(run_cli("params", str(path), "--format", "json").stdout)
    spec = json.loads(run_cli("params", "conv2d(8, 3)", "--input", "3x8x8", "--format", "json").stdout)
    assert ours.keys() >= spec.keys()
    assert ours["rows"][0].keys() >= spec["rows"][0].keys()
    assert ours["totals"].keys() >= spec["totals"].keys()
    row = next(row for row in ours["rows"] if row["name"] == "embed")
    assert (row["params"], row["output_shape"], row["macs"], row["stored_bytes"]) == (1600, None, None, 6400)
    assert row["tensors"]["weight"]["shape"] == [100, 16]
    assert ours["checkpoint"]["format"] == "safetensors"


@pytest.mark.parametrize("format", ["table", "markdown", "latex", "html", "csv", "json"])
def test_every_format(tmp_path: Path, format: str) -> None:
    graph = load_checkpoint(write(tmp_path / "w.safetensors", TRANSFORMER))
    assert "embed" in render(params(graph, analyse(graph), explain=True), format)


def test_from_python(tmp_path: Path) -> None:
    import archinspect

    network = archinspect.load(write(tmp_path / "w.safetensors", {"a.weight": (3, 4), "b": (2,)}))
    assert repr(network) == "<Network w: 14 parameters, as a checkpoint holds them>"
    assert "weight_bytes" in network.to_dict()["totals"]  # type: ignore[operator]
    assert not network.analyse().totals.complete, "what it computes is not known"
    assert "fp32" in network._repr_html_()
    with pytest.raises(ArchinspectError, match="holds parameters only"):
        network.export()


# compare ------------------------------------------------------------------------------------------------------------


def test_a_checkpoint_agrees_with_its_spec(tmp_path: Path) -> None:
    graph = load_checkpoint(of_spec(tmp_path / "w.safetensors", "resnet18"))
    for a, b in ((graph, load_graph("resnet18")), (load_graph("resnet18"), graph)):
        found = compare(a, b)
        assert not found.differences
        assert not found.unexplained
        assert "The two are the same" in render(comparison([found]))


@pytest.mark.parametrize("prefix", ["module.", "model."])
def test_what_differs_is_named_whatever_the_prefix_and_type(tmp_path: Path, prefix: str) -> None:
    one = load_checkpoint(of_spec(tmp_path / "a.safetensors", "resnet18"))
    other = load_checkpoint(
        of_spec(tmp_path / "b.safetensors", "resnet18", prefix=prefix, dtype="F16", num_classes=10)
    )
    for a, b, sign in ((one, other, -1), (other, one, 1)):
        found = compare(a, b)
        (difference,) = found.differences
        assert difference.path_a == ("fc" if a is one else f"{prefix}fc")
        assert difference.params == sign * 990 * 513
        assert not found.unexplained
    shown = render(comparison([compare(one, other)]))
    assert "weight 1000×512 → 10×512, bias 1000 → 10" in shown
    assert "MACs" not in shown


def test_parameters_that_only_one_has(tmp_path: Path) -> None:
    graph = load_checkpoint(of_spec(tmp_path / "w.safetensors", "resnet18"))
    found = compare(graph, load_graph("resnet34"))
    assert {difference.change for difference in found.differences} == {"added"}
    assert not found.unexplained
    document = json.loads(render(comparison([found]), "json"))
    assert document["differences"][0]["macs"] is None
    assert document["models"][1]["totals"]["macs"] is None
    assert document["unexplained"] == 0


def test_equal_shapes_meet_under_other_names(tmp_path: Path) -> None:
    one = load_checkpoint(write(tmp_path / "a.safetensors", {"x.weight": (3, 4), "y.weight": (5, 6)}))
    other = load_checkpoint(write(tmp_path / "b.safetensors", {"p.weight": (5, 6), "q.weight": (4, 3)}))
    found = compare(one, other)
    assert found.renamed == (("y", "p"),)
    assert [(d.path_a, d.path_b) for d in found.differences] == [("x", None), (None, "q")]


def test_a_shape_that_was_turned_is_a_difference_though_it_counts_the_same(tmp_path: Path) -> None:
    one = load_checkpoint(write(tmp_path / "a.safetensors", {"x.weight": (3, 4)}))
    other = load_checkpoint(write(tmp_path / "b.safetensors", {"x.weight": (4, 3)}))
    assert "weight 3×4 → 4×3" in render(comparison([compare(one, other)]))


# diagram ------------------------------------------------------------------------------------------------------------


def test_boxes_by_size(tmp_path: Path) -> None:
    graph = load_checkpoint(write(tmp_path / "w.safetensors", TRANSFORMER))
    picture = draw(graph, overview=True)
    assert "layers.0 ×12: 28,032 parameters" in picture.svg()
    assert "0–11" in picture.svg()
    assert "layers.11: " in draw(graph, fold=False).svg()
    assert "mlp" not in draw(graph, depth=1).svg()
    assert "embed" not in draw(graph, only=("layers",)).svg()
    assert picture.pdf().startswith(b"%PDF")


def test_areas_are_numbers_of_parameters(tmp_path: Path) -> None:
    from archinspect.diagram.drawing import Box
    from archinspect.diagram.treemap import _squarified

    sizes, whole = [60, 25, 9, 4, 1, 1], Box(10, 20, 300, 200)
    boxes = _squarified(sizes, whole)
    for size, box in zip(sizes, boxes, strict=True):
        assert whole.contains(box)
        assert box.width * box.height == pytest.approx(600 * size)
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


@pytest.mark.parametrize(
    "options",
    [{"style": "volume"}, {"color": "macs"}, {"only": ("nothing",)}, {"only": ("embed", "norm")}],
    ids=str,
)
def test_pictures_that_need_a_flow_are_refused(tmp_path: Path, options: dict[str, Any]) -> None:
    graph = load_checkpoint(write(tmp_path / "w.safetensors", TRANSFORMER))
    with pytest.raises(ArchinspectError) as caught:
        draw(graph, **options).svg()
    assert caught.value.diagnostics[0].code == "A403"
    with pytest.raises(ArchinspectError, match="SVG, PNG and PDF"):
        draw(graph).html()


# The command line ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        ("shapes",),
        ("flops",),
        ("summary",),
        ("summary", "--style", "keras"),
        ("params", "--convention", "thop"),
        ("latency", "--predict", "h100"),
        ("verify",),
        ("export",),
        ("bottleneck",),
    ],
    ids=" ".join,
)
def test_what_needs_a_forward_pass_says_so(tmp_path: Path, words: tuple[str, ...]) -> None:
    command, *rest = words
    result = run_cli(command, str(write(tmp_path / "w.safetensors", TRANSFORMER)), *rest)
    assert result.returncode == 2
    assert "it is a checkpoint, which holds parameters only" in result.stderr
    assert "net.py:Net" in result.stderr
    assert not result.stdout


def test_a_damaged_file_is_an_error_on_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "w.safetensors").write_bytes(b"\xff" * 100)
    result = run_cli("params", str(tmp_path / "w.safetensors"))
    assert result.returncode == 2
    assert "error[A501]: cannot read the checkpoint" in result.stderr
    assert "Traceback" not in result.stderr


COMMANDS = """
import sys
from archinspect.__main__ import main
sys.argv = ["archinspect", *sys.argv[1:]]
try:
    main()
finally:
    print(sorted({name.partition(".")[0] for name in sys.modules}), file=sys.stderr)
"""


@pytest.mark.parametrize("command", ["params", "compare", "diagram"])
def test_nothing_heavy_is_imported(tmp_path: Path, command: str) -> None:
    path = str(write(tmp_path / "w.safetensors", TRANSFORMER))
    more = {"params": [], "compare": [path], "diagram": ["-o", str(tmp_path / "w.svg")]}[command]
    result = run_python("-c", COMMANDS, command, path, *more)
    assert result.returncode == 0, result.stderr
    imported = result.stderr.splitlines()[-1]
    assert "archinspect" in imported
    for package in ("torch", "numpy", "safetensors", "gguf", "pickle", "zipfile"):
        assert f"'{package}'" not in imported


@pytest.mark.benchmark
def test_a_thousand_tensors_in_a_moment(tmp_path: Path) -> None:
    import subprocess
    import time

    shapes: Shapes = {f"layers.{i}.{name}.weight": (64, 64) for i in range(250) for name in "qkvo"}
    path = str(write(tmp_path / "w.safetensors", shapes))
    times = []
    for _ in range(9):
        begin = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "archinspect", "params", path], check=True, stdout=subprocess.DEVNULL
        )
        times.append(time.perf_counter() - begin)
    assert min(times) < 0.15
