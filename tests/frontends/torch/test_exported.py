"""Exported programs are the networks that were exported, and files of them run nothing."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from archinspect.analysis import analyse
from archinspect.check.verify import verify
from archinspect.errors import ArchinspectError
from archinspect.frontends.torch import load_module
from archinspect.frontends.torch.exported import load_exported
from archinspect.graph import Graph


class Block(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)
        self.bn = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.relu(self.relu(self.bn(self.conv(x))) + x)  # type: ignore[no-any-return]


class Net(nn.Module):
    """In-place and repeated calls, tied weights, a buffer of indices, a constant, an LSTM, a dict of outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3)
        self.stage = nn.Sequential(Block(8), Block(8))
        self.embed = nn.Linear(8, 8, bias=False)
        self.out = nn.Linear(8, 8, bias=False)
        self.out.weight = self.embed.weight
        self.register_buffer("order", torch.arange(8).flip(0))
        self.lstm = nn.LSTM(8, 8, batch_first=True)
        self.norm = nn.LayerNorm(8)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        x = self.stage(self.stem(x)).flatten(2).transpose(1, 2)
        x = self.norm(x[..., self.order] * torch.tensor([1.0, 2.0] * 4))
        y, _ = self.lstm(x)
        return {"tokens": self.out(self.embed(x.view(x.shape[0], -1, 8)).relu_()), "mean": y.mean((1, 2))}


IMAGES = torch.zeros(2, 3, 8, 8)


@pytest.fixture(scope="module")
def program() -> ExportedProgram:
    return torch.export.export(Net().eval(), (IMAGES,), dynamic_shapes={"x": {0: Dim("images")}})


@pytest.fixture(scope="module")
def file(program: ExportedProgram, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("programs") / "net.pt2"
    torch.export.save(program, path)
    return path


def rows(graph: Graph) -> list[tuple[Any, ...]]:
    return [
        (row.name, row.op, row.output_shape, row.params, row.macs, row.flops, row.activation_bytes)
        for row in analyse(graph).rows
    ]


def test_a_file_and_an_object_are_what_the_module_is(program: ExportedProgram, file: Path) -> None:
    module = load_module(Net().eval(), (IMAGES[:1],))
    for graph in (load_exported(file), load_exported(program)):
        assert rows(graph) == rows(module)
        assert [node.name for node in graph.nodes] == [node.name for node in module.nodes]
        assert graph.structure == module.structure
        assert [parameter.names for parameter in graph.parameters] == [p.names for p in module.parameters]
        assert graph.source is not None
        assert graph.source.kind == "exported"
    assert load_exported(program).output_names == ("tokens", "mean")


def test_the_graph_is_the_program_bit_for_bit(program: ExportedProgram, file: Path) -> None:
    for source in (program, program.run_decompositions(), file):
        found = verify(load_exported(source), (1, 4))
        (execution,) = found.executions.values()
        assert (execution.status, found.ok) == ("equal", True), execution
        assert execution.calls > 3
    graph = load_exported(file)
    source: Any = graph.source
    operation = next(o for o in source.recording.operations if o.facts.type == "relu")
    operation.function = torch.ops.aten.neg.default
    (execution,) = verify(graph).executions.values()
    assert execution.status == "differs"


def test_tied_weights_are_counted_once(file: Path) -> None:
    graph = load_exported(file)
    (tied,) = [p for p in graph.parameters if "embed.weight" in p.names]
    assert tied.names == ("embed.weight", "out.weight")
    assert analyse(graph).totals.params == sum(p.numel() for p in Net().parameters())


def test_shapes_by_place_or_by_name(file: Path) -> None:
    for inputs in ([(4, 3, 8, 8)], {"x": (4, 3, 8, 8)}):
        assert load_exported(file, inputs=inputs).nodes[0].output_shape == (4, 3, 8, 8)
    for wrong in ([(4, 3, 9, 8)], [(3, 8, 8)], {"y": (4, 3, 8, 8)}, [(4, 3, 8, 8)] * 2):
        with pytest.raises(ArchinspectError, match="A402"):
            load_exported(file, inputs=wrong)


def test_a_decomposed_program_has_the_same_layers(program: ExportedProgram) -> None:
    whole, apart = load_exported(program), load_exported(program.run_decompositions())
    for graph in (whole, apart):
        assert analyse(graph).totals.complete
    weighted = [
        [
            (node.module, node.op)
            for node in graph.layers
            if node.op.type in ("conv2d", "batch_norm2d", "linear") and node.module != "lstm"
        ]
        for graph in (whole, apart)
    ]
    assert weighted[0] == weighted[1]
    assert analyse(apart).totals.macs == analyse(whole).totals.macs


class WithoutGradient(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x: Tensor, scale: float = 2.0) -> Tensor:
        with torch.no_grad():
            y = self.fc(x) * scale
        return y + x


def test_a_part_without_gradients_is_followed(tmp_path: Path) -> None:
    program = torch.export.export(WithoutGradient(), (torch.zeros(2, 4),))
    torch.export.save(program, tmp_path / "net.pt2")
    for graph in (load_exported(program), load_exported(tmp_path / "net.pt2")):
        assert [node.op.type for node in graph.layers] == ["linear", "scale", "add"]


# Files that are damaged, or mean harm.


def changed(file: Path, target: Path, change: Callable[[Any], None]) -> Path:
    """The archive with its program changed."""
    with zipfile.ZipFile(file) as source, zipfile.ZipFile(target, "w") as archive:
        for name in source.namelist():
            content = source.read(name)
            if name.endswith("models/model.json"):
                program = json.loads(content)
                change(program["graph_module"]["graph"])
                content = json.dumps(program).encode()
            archive.writestr(name, content)
    return target


def error_of(path: Path) -> Any:
    with pytest.raises(ArchinspectError) as caught:
        load_exported(path)
    return caught.value.diagnostics[0]


def calls(target: str) -> Callable[[Any], None]:
    def change(graph: Any) -> None:
        text = {"name": "filename", "arg": {"as_string": "/etc/hostname"}, "kind": 1}
        graph["nodes"].insert(0, {**graph["nodes"][0], "target": target, "inputs": [text]})

    return change


@pytest.mark.parametrize(
    "target",
    [
        "torch.ops.aten.from_file.default",
        "torch.ops.aten.save.default",
        "torch.ops.aten.__class__.default",
        "torch.load",
        "os.system",
        "builtins.exec",
        "torch.ops.no_such.operator.default",
        "torch.ops.aten.relu.no_such",
    ],
)
def test_functions_that_are_no_operators_are_not_called(target: str, file: Path, tmp_path: Path) -> None:
    assert error_of(changed(file, tmp_path / "net.pt2", calls(target))).code == "A605"


def test_expressions_are_not_evaluated(file: Path, tmp_path: Path) -> None:
    mark = tmp_path / "ran"

    def change(graph: Any) -> None:
        for size in graph["sym_int_values"].values():
            size["as_expr"]["expr_str"] = f"__import__('pathlib').Path({str(mark)!r}).touch()"
        for meta in graph["tensor_values"].values():
            for size in meta["sizes"]:
                if "as_expr" in size:
                    size["as_expr"]["expr_str"] = f"__import__('pathlib').Path({str(mark)!r}).touch()"

    load_exported(changed(file, tmp_path / "net.pt2", change))
    assert not mark.exists()


@pytest.mark.parametrize(
    "change",
    [
        lambda graph: graph.pop("nodes"),
        lambda graph: graph["nodes"].reverse(),
        lambda graph: graph["nodes"].clear(),
        lambda graph: graph["tensor_values"].clear(),
        lambda graph: graph["nodes"][0].update(inputs=[{"name": "self", "arg": {"as_magic": 3}}]),
        lambda graph: graph["nodes"][0].update(inputs=7),
        lambda graph: graph["tensor_values"]["p_stem_weight"].update(sizes=[{"as_int": -4}]),
        lambda graph: graph["tensor_values"]["p_stem_weight"].update(sizes=[{"as_int": 2**60}] * 2),
        lambda graph: graph["tensor_values"]["x"].update(dtype=99),
    ],
)
def test_damaged_programs_are_errors_of_ours(
    change: Callable[[Any], None], file: Path, tmp_path: Path
) -> None:
    assert error_of(changed(file, tmp_path / "net.pt2", change)).code == "A605"


def test_shapes_that_do_not_suit_are_errors_of_ours(file: Path, tmp_path: Path) -> None:
    def change(graph: Any) -> None:
        graph["tensor_values"]["p_stem_weight"]["sizes"][1]["as_int"] = 5

    assert error_of(changed(file, tmp_path / "net.pt2", change)).code == "A601"


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"no program", bytes(200)])
def test_what_is_no_archive_says_so(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "net.pt2").write_bytes(content)
    assert error_of(tmp_path / "net.pt2").code == "A605"


def test_an_archive_without_a_program_says_so(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "net.pt2", "w") as archive:
        archive.writestr("a/b", b"c")
    assert error_of(tmp_path / "net.pt2").code == "A605"
    with pytest.raises(ArchinspectError, match="A101"):
        load_exported(tmp_path / "none.pt2")
