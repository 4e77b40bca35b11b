"""What real libraries wrote is read as they wrote it: names, shapes, types, bytes, ties."""

from __future__ import annotations

import json
import os
import pickle
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from archinspect.errors import ArchinspectError
from archinspect.frontends.checkpoint import load_checkpoint
from archinspect.graph import Graph, Parameter


class Net(nn.Module):
    """Convolution, norm with statistics, a tied weight, a parameter and a buffer at the top."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1, 3))
        self.body = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU())
        self.encoder = nn.Linear(8, 5)
        self.decoder = nn.Linear(8, 5, bias=False)
        self.decoder.weight = self.encoder.weight
        self.register_buffer("grid", torch.arange(4))

    def forward(self, x: Tensor) -> Tensor:
        features = self.body(x).mean((2, 3))
        total: Tensor = self.encoder(features) + self.decoder(features)
        return total


def tensors(graph: Graph) -> dict[str, Parameter]:
    """Every tensor by each of its names."""
    return {name: parameter for parameter in graph.parameters for name in parameter.names}


def agrees(graph: Graph, state: dict[str, Tensor]) -> None:
    """The graph has the tensors of a state_dict, and tells them by identity as torch does."""
    found = tensors(graph)
    assert found.keys() == state.keys()
    for name, tensor in state.items():
        assert found[name].shape == tuple(tensor.shape)
        assert found[name].dtype == str(tensor.dtype).removeprefix("torch.")
        assert found[name].bytes == tensor.numel() * tensor.element_size()


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "older form"])
@pytest.mark.parametrize("protocol", [1, 2, 3, 4, 5])
def test_a_state_dict(tmp_path: Path, protocol: int, zipped: bool) -> None:
    net = Net()
    path = tmp_path / "net.pth"
    torch.save(net.state_dict(), path, pickle_protocol=protocol, _use_new_zipfile_serialization=zipped)
    graph = load_checkpoint(path)
    agrees(graph, net.state_dict())
    assert graph.inputs == 0
    assert tensors(graph)["decoder.weight"] is tensors(graph)["encoder.weight"]
    assert {name for name, p in tensors(graph).items() if p.buffer} == {
        name for name, _ in net.named_buffers()
    }
    assert sum(p.numel for p in graph.parameters if not p.buffer) == sum(p.numel() for p in net.parameters())
    assert [node.name for node in graph.nodes] == ["scale", "grid", "body.0", "body.1", "encoder", "decoder"]


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "older form"])
def test_a_whole_module_with_its_classes(tmp_path: Path, zipped: bool) -> None:
    net = Net()
    net.encoder.bias.requires_grad_(False)
    torch.save(net, tmp_path / "net.pt", _use_new_zipfile_serialization=zipped)
    graph = load_checkpoint(tmp_path / "net.pt")
    agrees(graph, net.state_dict())
    assert not tensors(graph)["encoder.bias"].trainable
    assert tensors(graph)["scale"].trainable
    assert tensors(graph)["grid"].buffer
    body = next(item for _, item in graph.walk() if getattr(item, "name", "") == "body")
    assert body.block.name == "Sequential"  # type: ignore[union-attr]
    assert graph.source.metadata["class"] == "Net"  # type: ignore[union-attr]


def test_torchscript(tmp_path: Path) -> None:
    net = Net()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(net).save(str(tmp_path / "net.pt"))
    graph = load_checkpoint(tmp_path / "net.pt")
    agrees(graph, net.state_dict())
    assert graph.source.format == "TorchScript"  # type: ignore[union-attr]


def test_a_training_checkpoint(tmp_path: Path) -> None:
    net = Net()
    # What torch.optim.AdamW's state_dict has; making one imports the compiler, which takes seconds.
    moments = {
        number: {"step": torch.tensor(1.0), "exp_avg": p.detach() * 0, "exp_avg_sq": p.detach() * 1}
        for number, p in enumerate(net.parameters())
    }
    optimiser = {"state": moments, "param_groups": [{"lr": 0.001, "params": list(moments)}]}
    whole = {"epoch": 3, "state_dict": net.state_dict(), "optimizer": optimiser, "args": {"lr": 0.1}}
    torch.save(whole, tmp_path / "last.ckpt")
    graph = load_checkpoint(tmp_path / "last.ckpt")
    found = tensors(graph)
    assert found.keys() >= net.state_dict().keys()
    assert sum(p.numel for p in graph.parameters if not p.buffer) == sum(p.numel() for p in net.parameters())
    states = [node for node in graph.nodes if node.name == "optimizer"]
    assert len(states) == 1
    assert len(states[0].parameters or {}) == 3 * len(moments)
    notes = " ".join(graph.source.notes)  # type: ignore[union-attr]
    assert "under 'state_dict'" in notes
    assert "optimiser's" in notes


def test_nested_mappings_and_lists(tmp_path: Path) -> None:
    tensor = torch.zeros(2, 3)
    torch.save(
        {"a": {"x": tensor}, "b": [torch.zeros(4), {"y": tensor}], 3: torch.zeros(1)}, tmp_path / "x.pt"
    )
    graph = load_checkpoint(tmp_path / "x.pt")
    assert {name: p.shape for name, p in tensors(graph).items()} == {
        "a.x": (2, 3),
        "b.0": (4,),
        "b.1.y": (2, 3),
        "3": (1,),
    }
    assert tensors(graph)["a.x"] is tensors(graph)["b.1.y"]


def test_a_cycle_ends(tmp_path: Path) -> None:
    loop: dict[str, Any] = {"w": torch.zeros(2)}
    loop["self"] = loop
    torch.save(loop, tmp_path / "x.pt")
    assert list(tensors(load_checkpoint(tmp_path / "x.pt"))) == ["w"]


def test_views_and_expanded_tensors(tmp_path: Path) -> None:
    base = torch.zeros(10, 4)
    state = {
        "first": base[:2],
        "second": base[2:4],
        "wide": torch.zeros(1, 3).expand(5, 3),
        "again": base[:2],
    }
    torch.save(state, tmp_path / "x.pt")
    graph = load_checkpoint(tmp_path / "x.pt")
    found = tensors(graph)
    assert found["first"] is found["again"]
    assert found["first"] is not found["second"]
    assert (found["first"].bytes, found["wide"].numel, found["wide"].bytes) == (32, 15, 12)
    assert graph.source.data_bytes == 160 + 12  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "dtype",
    [
        torch.float64, torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2, torch.complex64,
        torch.uint8, torch.int16, torch.uint16, torch.uint32, torch.bool,
    ],
    ids=str,
)  # fmt: skip
def test_types(tmp_path: Path, dtype: torch.dtype) -> None:
    state = {"layer.weight": torch.zeros(3, 4).to(dtype)}
    torch.save(state, tmp_path / "x.pt")
    agrees(load_checkpoint(tmp_path / "x.pt"), state)


def test_quantised_meta_and_sparse_tensors(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        quantised = torch.quantize_per_tensor(torch.zeros(3, 4), 0.1, 0, torch.qint8)
    state = {
        "q": quantised,
        "meta": torch.zeros(5, 6, device="meta"),
        "sparse": torch.eye(4).to_sparse(),
    }
    torch.save(state, tmp_path / "x.pt")
    found = tensors(load_checkpoint(tmp_path / "x.pt"))
    assert (found["q"].shape, found["q"].dtype, found["q"].bytes) == ((3, 4), "qint8", 12)
    assert (found["meta"].shape, found["meta"].bytes) == ((5, 6), 0)
    assert any(name.startswith("sparse") for name in found), "indices and values are listed"


def test_a_pickle_of_a_malicious_class_runs_nothing(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> Any:
            return os.system, (f"touch {tmp_path / 'ran'}",)

    torch.save({"w": torch.zeros(2), "evil": Evil()}, tmp_path / "x.pt")
    assert list(tensors(load_checkpoint(tmp_path / "x.pt"))) == ["w"]
    torch.save({"w": torch.zeros(2), "evil": Evil()}, tmp_path / "y.pt", _use_new_zipfile_serialization=False)
    load_checkpoint(tmp_path / "y.pt")
    assert not (tmp_path / "ran").exists()


def test_an_archive_that_was_packed_anew(tmp_path: Path) -> None:
    import zipfile

    state = {"w": torch.zeros(100, 100)}
    torch.save(state, tmp_path / "x.pt")
    with (
        zipfile.ZipFile(tmp_path / "x.pt") as old,
        zipfile.ZipFile(tmp_path / "y.pt", "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            new.writestr(name, old.read(name))
    agrees(load_checkpoint(tmp_path / "y.pt"), state)


# safetensors --------------------------------------------------------------------------------------------------------


def test_safetensors(tmp_path: Path) -> None:
    save_file = pytest.importorskip("safetensors.torch").save_file
    state = {
        "layers.10.weight": torch.zeros(3, 4, dtype=torch.bfloat16),
        "layers.2.weight": torch.zeros(3, 4, dtype=torch.float8_e4m3fn),
        "layers.2.bias": torch.zeros(3),
        "empty": torch.zeros(0, 4),
        "scalar": torch.tensor(1.0),
    }
    save_file(state, tmp_path / "w.safetensors", metadata={"format": "pt"})
    graph = load_checkpoint(tmp_path / "w.safetensors")
    agrees(graph, state)
    assert [node.name for node in graph.nodes if "layers" in node.name] == ["layers.2", "layers.10"]
    assert graph.source.metadata == {"format": "pt"}  # type: ignore[union-attr]


def test_ties_that_safetensors_names(tmp_path: Path) -> None:
    save_model = pytest.importorskip("safetensors.torch").save_model
    net = Net()
    save_model(net, tmp_path / "w.safetensors")
    found = tensors(load_checkpoint(tmp_path / "w.safetensors"))
    assert found.keys() == net.state_dict().keys()
    assert found["encoder.weight"] is found["decoder.weight"]


def test_shards(tmp_path: Path) -> None:
    save_file = pytest.importorskip("safetensors.torch").save_file
    save_file({"a.weight": torch.zeros(2, 2)}, tmp_path / "m-00001-of-00002.safetensors")
    torch.save({"b.weight": torch.zeros(3)}, tmp_path / "m-00002-of-00002.bin")
    index = {
        "metadata": {"total_size": 28},
        "weight_map": {"a.weight": "m-00001-of-00002.safetensors", "b.weight": "m-00002-of-00002.bin"},
    }
    (tmp_path / "m.safetensors.index.json").write_text(json.dumps(index))
    graph = load_checkpoint(tmp_path / "m.safetensors.index.json")
    assert {name: p.shape for name, p in tensors(graph).items()} == {"a.weight": (2, 2), "b.weight": (3,)}
    assert graph.name == "m"
    assert len(graph.source.files) == 2  # type: ignore[union-attr]
    one = load_checkpoint(tmp_path / "m-00001-of-00002.safetensors")
    assert "One of 2 shards" in " ".join(one.source.notes)  # type: ignore[union-attr]


# GGUF ---------------------------------------------------------------------------------------------------------------


def test_gguf(tmp_path: Path) -> None:
    gguf = pytest.importorskip("gguf", reason="needs the gguf library to write files")
    import numpy as np

    writer = gguf.GGUFWriter(tmp_path / "q.gguf", "llama")
    writer.add_name("Tiny Llama")
    writer.add_file_type(15)
    writer.add_token_list([b"token"] * 50)
    writer.add_array("sections", [1, 2, 3])
    shapes: dict[str, tuple[tuple[int, ...], str, int]] = {}
    for kind, (block, size) in gguf.GGML_QUANT_SIZES.items():
        name = f"blk.{kind.value}.attn_q.weight"
        data = np.zeros((3, 2 * size), np.uint8)
        if kind.name in ("F32", "F16"):
            data = np.zeros((3, 2), np.float32 if kind.name == "F32" else np.float16)
            writer.add_tensor(name, data)
        else:
            writer.add_tensor(name, data, raw_dtype=kind)
        # Files never hold Q8_1, which the library gives 40 bytes a block and ggml 36.
        shapes[name] = (3, 2 * block), kind.name, 6 * size
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    graph = load_checkpoint(tmp_path / "q.gguf")
    found = tensors(graph)
    assert found.keys() == shapes.keys()
    for name, (shape, kind, size) in shapes.items():
        assert found[name].shape == shape, kind
        assert found[name].bytes == size or kind == "Q8_1"
    assert found["blk.12.attn_q.weight"].dtype == "Q4_K"
    assert graph.name == "Tiny Llama"
    assert graph.source.metadata["general.file_type"] == "Q4_K_M"  # type: ignore[union-attr]
    assert graph.source.metadata["tokenizer.ggml.tokens"] == "50 values"  # type: ignore[union-attr]


# Packed weights -----------------------------------------------------------------------------------------------------


def packed(tmp_path: Path, state: dict[str, Tensor]) -> tuple[dict[str, Parameter], str]:
    """Tensors after a way through safetensors, and the notes."""
    save_file = pytest.importorskip("safetensors.torch").save_file
    save_file(state, tmp_path / "w.safetensors")
    graph = load_checkpoint(tmp_path / "w.safetensors")
    return tensors(graph), " ".join(graph.source.notes)  # type: ignore[union-attr]


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
def test_gptq(tmp_path: Path, bits: int) -> None:
    inputs, outputs, group = 128, 96, 32
    found, notes = packed(
        tmp_path,
        {
            "m.qweight": torch.zeros(inputs * bits // 32, outputs, dtype=torch.int32),
            "m.qzeros": torch.zeros(inputs // group, outputs * bits // 32, dtype=torch.int32),
            "m.scales": torch.zeros(inputs // group, outputs, dtype=torch.float16),
            "m.g_idx": torch.zeros(inputs, dtype=torch.int32),
        },
    )
    weight = found["m.qweight"]
    assert (weight.shape, weight.dtype) == ((outputs, inputs), f"int{bits} (GPTQ)")
    assert weight.bytes == inputs * outputs * bits // 8
    assert [name for name, p in found.items() if not p.buffer] == ["m.qweight"]
    assert not notes


def test_awq(tmp_path: Path) -> None:
    found, _ = packed(
        tmp_path,
        {
            "m.qweight": torch.zeros(128, 96 // 8, dtype=torch.int32),
            "m.qzeros": torch.zeros(4, 96 // 8, dtype=torch.int32),
            "m.scales": torch.zeros(4, 96, dtype=torch.float16),
        },
    )
    assert (found["m.qweight"].shape, found["m.qweight"].dtype) == ((96, 128), "int4 (AWQ)")


def test_bitsandbytes(tmp_path: Path) -> None:
    found, _ = packed(
        tmp_path,
        {
            "four.weight": torch.zeros(64 * 32 // 2, 1, dtype=torch.uint8),
            "four.weight.absmax": torch.zeros(32, dtype=torch.uint8),
            "four.weight.quant_map": torch.zeros(16),
            "four.weight.quant_state.bitsandbytes__nf4": torch.zeros(90, dtype=torch.uint8),
            "eight.weight": torch.zeros(64, 32, dtype=torch.int8),
            "eight.SCB": torch.zeros(64),
        },
    )
    assert (found["four.weight"].numel, found["four.weight"].dtype) == (64 * 32, "nf4")
    assert (found["eight.weight"].shape, found["eight.weight"].buffer) == ((64, 32), False)
    assert sum(p.numel for p in found.values() if not p.buffer) == 2 * 64 * 32


def test_microscaling_in_four_bits(tmp_path: Path) -> None:
    found, _ = packed(
        tmp_path,
        {
            "e.up_blocks": torch.zeros(4, 6, 3, 16, dtype=torch.uint8),
            "e.up_scales": torch.zeros(4, 6, 3, dtype=torch.uint8),
            "n.weight": torch.zeros(8, 32, dtype=torch.uint8),
            "n.weight_scale": torch.zeros(8, 4, dtype=torch.float8_e4m3fn),
        },
    )
    assert (found["e.up_blocks"].shape, found["e.up_blocks"].dtype) == ((4, 6, 96), "MXFP4")
    assert (found["n.weight"].shape, found["n.weight"].dtype) == ((8, 64), "NVFP4")
    assert found["e.up_scales"].buffer
    assert found["n.weight_scale"].buffer


def test_what_no_rule_knows_is_counted_as_stored_and_named(tmp_path: Path) -> None:
    found, notes = packed(
        tmp_path,
        {
            "m.weight_packed": torch.zeros(8, 4, dtype=torch.int32),
            "m.weight_scale": torch.zeros(8, 2),
            "m.positions": torch.arange(7),
        },
    )
    assert (found["m.weight_packed"].numel, found["m.weight_packed"].buffer) == (32, False)
    assert found["m.positions"].buffer
    assert "Counted as the numbers that are stored" in notes
    assert "m.weight_packed (int32)" in notes


# What is no checkpoint ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("x.pth", b"", "it is empty"),
        ("x.pth", b"hello", "it begins with 'hello'"),
        ("x.safetensors", b"version https://git-lfs.github.com/spec/v1\n", "a pointer of Git LFS"),
        ("x.bin", b"version https://git-lfs.github.com/spec/v1\n", "a pointer of Git LFS"),
        ("x.pt", pickle.dumps({"a": 1}), "a pickle that torch.save did not write"),
    ],
)
def test_other_files(tmp_path: Path, name: str, content: bytes, reason: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ArchinspectError, match=reason) as caught:
        load_checkpoint(tmp_path / name)
    assert caught.value.diagnostics[0].code == "A501"


def test_a_checkpoint_without_tensors(tmp_path: Path) -> None:
    torch.save({"epoch": 3}, tmp_path / "x.pt")
    with pytest.raises(ArchinspectError, match="holds no tensor, but a dict"):
        load_checkpoint(tmp_path / "x.pt")


def test_no_file_a_folder_and_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.pth")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "w.safetensors").write_bytes(b"")
    for path, text in (
        (tmp_path / "absent.pth", "No such file"),
        (tmp_path / "pipe.pth", "is not a file"),
        (tmp_path / "folder", "w.safetensors"),
        (Path("/dev/zero"), "is not a file"),
        ("a\0b.pth", "cannot name a file"),
    ):
        with pytest.raises(ArchinspectError, match=text) as caught:
            load_checkpoint(path)
        assert caught.value.diagnostics[0].code == "A102"
