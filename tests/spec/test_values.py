"""Values by name, several inputs and outputs, shared weights, and what numbers are called."""

from __future__ import annotations

import pytest
import torch

from archinspect.analysis import analyse
from archinspect.check.verify import verify
from archinspect.errors import ArchinspectError
from archinspect.frontends.spec import dump, load_graph
from archinspect.graph import Graph
from archinspect.pytorch import build, export_source
from archinspect.pytorch.names import class_name

from .support import graph_of, refused


def totals(layers: str, input: str = "input: 100x64", more: str = "") -> tuple[int, int]:
    found = analyse(graph_of(f"name: n\n{input}\n{more}layers:\n{layers}")).totals
    return found.params, found.macs


#: what could not be said before, with its right figures: PyTorch's, and where they were asked for
COUNTED = {
    "lstm": ("  - lstm(64)\n", "input: 100x64", (33280, 3276800)),  # onnx-tool#64
    "gru": ("  - gru(64)\n", "input: 100x64", (24960, 100 * 3 * 64 * 128)),
    "bidirectional gru": ("  - gru(32, bidirectional=True)\n", "input: 1x16", (9600, 9216)),  # calflops#55
    "projected lstm": ("  - lstm(64, proj_size=16, bidirectional=True)\n", "input: 1x32", (27648, 26624)),
    "a linear layer twice": (  # pytorch-summary#37
        "  - e: embedding(10, 10)\n  - a: linear(10)\n  - b: same_as(a)\n",
        "input: 1xint64",
        (210, 200),
    ),
    "attention with widths": (  # pytorch#95712
        "  - a: q -> multihead_attention(8, kdim=32, vdim=48, key=k, value=v)\n",
        "inputs: {q: Nx1x64, k: Nx1x32, v: Nx1x48}",
        (13568, 64 * 64 * 2 + 64 * 80 + 128),
    ),
    "attention with a learnt key": (
        "  - multihead_attention(8, add_bias_kv=True)\n",
        "input: Nx1x64",
        (16768, 4 * 64 * 64 + 2 * 2 * 64),
    ),
    "a learnt number": (  # torchinfo#137
        "  - fc: linear(3)\n  - alpha: parameter(1)\n  - multiply: [fc, alpha]\n",
        "input: 3",
        (13, 9),
    ),
    "experts": (  # maxtext#678
        "  - logits: linear(8, bias=False)\n  - moe: input -> mixture_of_experts(8, 2, 256, logits=logits)\n",
        "input: Nx1x64",
        (264704 + 8 * 64, 2 * 2 * 64 * 256 + 8 * 64),
    ),
    "a video": (  # MFNet#12
        "  - conv3d(64, 7, stride=(1, 2, 2), padding=3, bias=True)\n",
        "input: 3x16x112x112",
        (65920, 3304390656),
    ),
}


@pytest.mark.parametrize("name", COUNTED)
def test_counts(name: str) -> None:
    layers, input, expected = COUNTED[name]
    assert totals(layers, input) == expected


NETWORKS = {
    "twins": """name: twins
inputs: {left: 1x12x12, right: 1x12x12}
layers:
  - tower: left -> conv2d(4, 5) -> relu -> flatten -> linear(8)
  - twin: right -> same_as(tower)
  - score: subtract(tower, twin) -> absolute -> linear(1)
outputs: {score: score, features: tower}
""",
    "text": """name: text
input: 7xint64
arguments: {widths: [4, 8]}
layers:
  - let:
      last: widths[len(widths) - 1]
  - words: embedding(11, last, padding_idx=0)
  - lstm: lstm(last, bidirectional=True)
  - states: concat(lstm.h_n, lstm.c_n, dim=0)
  - parts: lstm -> chunk(2, dim=feature)
  - mixed: dot_product_attention(parts[0], parts[1], words, 2, is_causal=True)
  - add: [mixed, words]
  - head: linear(11, bias=False, weight=words)
outputs: [head, states]
""",
    "blocks": """name: blocks
input: 2x8x8
blocks:
  twice(width):
    - conv[1..2]: conv2d(width, 3, padding=1) -> relu
  up(width, skip):
    - up: conv_transpose2d(width, 2, stride=2)
    - concat: [skip, up]
    - convs: twice(width)
  gate():
    - weights: mean((2, 3), keepdim=True) -> sigmoid
    - multiply: [input, weights]
layers:
  - down: twice(4)
  - bottom: max_pool2d(2) -> twice(8)
  - gate: gate()
  - up: up(4, down)
""",
}


def inputs_of(graph: Graph) -> list[torch.Tensor]:
    values = [node.values[0] for node in graph.nodes[: graph.inputs]]
    return [torch.rand(v.shape) if v.dtype == "float32" else torch.randint(1, 9, v.shape) for v in values]


@pytest.mark.parametrize("name", NETWORKS)
def test_spec_module_and_program_are_one_network(name: str) -> None:
    graph = graph_of(NETWORKS[name])
    assert not verify(graph, (1, 3), witnesses=()).mismatches
    assert graph_of(dump(graph)).nodes == graph.nodes
    torch.manual_seed(0)
    module, given = build(graph).eval(), inputs_of(graph)
    space: dict[str, object] = {"__name__": "program"}
    exec(export_source(graph), space)
    program: torch.nn.Module = space[class_name(graph)]().eval()  # type: ignore[operator]
    program.load_state_dict(module.state_dict())
    ours, theirs = module(*given), program(*given)
    pairs = zip(ours, theirs, strict=True) if isinstance(ours, tuple) else [(ours, theirs)]
    assert all(torch.equal(a, b) for a, b in pairs)


def test_other_tools_are_predicted_on_sequences_too() -> None:
    found = verify(graph_of(NETWORKS["text"].partition("outputs")[0]), (1,), witnesses=("torch",))
    assert not found.mismatches, found.mismatches[:3]


def test_shared_weights_are_one_parameter() -> None:
    graph = graph_of(NETWORKS["text"])
    module = build(graph)
    assert module.get_parameter("head.weight") is module.get_parameter("words.weight")
    assert sum(p.numel() for p in module.parameters()) == analyse(graph).totals.params


#: what people write, and a part of what is said to it
REFUSED = {
    ("input: 64x224x224", "  - conv2d(64, 128, 3)\n"): ("A205", "did you mean conv2d(128, 3)"),
    ("input: 28x28", "  - flatten\n  - linear(10)\n"): ("A301", "1x28x28"),
    ("input: 224x224x3", "  - conv2d(8, 3)\n"): ("A402", "write 3x224x224"),
    ("input: 8xint64", "  - linear(4)\n"): ("A305", "put embedding before it"),
    ("input: Nx8x4", "  - a: linear(4)\n  - b: linear(4)\n  - concat: [a, b]\n"): ("A304", "dim=feature"),
    ("input: Nx8x4", "  - slice_channels(0, 2)\n"): ("A305", "slice(start, stop, dim=sequence)"),
    ("input: 3x8x8", "  - a: conv2d(8, 3)\n  - add: [a, later]\n  - later: relu\n"): (
        "A208",
        "stands before",
    ),
    ("input: 3x8x8", "  - a: conv2d(8, 3)\n  - b: same_as(c)\n"): ("A208", "'c'"),
    ("input: 3x8x8", "  - a: conv2d(8, 3)\n  - b: same_as(a)\n"): ("A305", "its weights are for"),
    ("input: [1x4x4, 1x4x4]", "  - relu\n"): ("A206", "inputs: {a: 1x4x4, b: 1x4x4}"),
    ("input: 3x8x8xint65", "  - relu\n"): ("A402", "int64"),
}


@pytest.mark.parametrize(("input", "layers"), REFUSED)
def test_mistakes_have_a_way_out(input: str, layers: str) -> None:
    code, text = REFUSED[input, layers]
    error = refused(f"name: n\n{input}\nlayers:\n{layers}")[0]
    said = " ".join([error.message, *error.notes, error.help])
    assert (error.code, text in said) == (code, True), said


def test_a_sequence_has_a_letter_for_its_batch() -> None:
    assert load_graph("linear(3)", input="Nx5x4").output_shape == (1, 5, 3)
    assert load_graph("lstm(3)", input="5x4").output_shape == (1, 5, 3)
    assert load_graph("gpt2:n_layer=1", input="16xint64").output_shape == (1, 16, 50257)
    with pytest.raises(ArchinspectError):
        load_graph("gpt2:n_layer=1", input="2000")
