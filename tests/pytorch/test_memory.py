"""Predicted memory against PyTorch's: live storages of the real module on the CPU, and what autograd keeps."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from fnmatch import fnmatch
from math import prod
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

import archinspect
from archinspect.analysis import peak_activation_bytes
from archinspect.analysis.memory import Storages
from archinspect.analysis.step import Step, step, trained_parameters
from archinspect.graph import Graph, Node
from archinspect.ops import REGISTRY, Op, Shapes
from archinspect.ops.memory import Call, footprint, knows
from archinspect.pytorch.construct import construct, target

from ..support import SPECS
from .live_storage import LiveStorage, check_memory, key, observe_memory, own_tensors

#: networks with layers without a rule
BOUNDED = ["lstm_classifier"]
NETWORKS = sorted({path.stem for path in SPECS.glob("*.yaml")} - set(BOUNDED))
FEW = ["lecture_inception", "lenet5", "squeezenet1_1"]


def _large(kind: type[Op], attributes: dict[str, Any], inputs: Shapes) -> bool:
    weights = kind.of(**attributes).weights(inputs)
    return sum(map(prod, (*inputs, *weights.values()))) > 1 << 14


#: layers that nobody has written a rule for: totals say so
WITHOUT_RULE = {
    "rnn",
    "lstm",
    "gru",
    "maximum",
    "bilinear",
    "amax",
    "embedding_bag",
    "sinusoidal_position_encoding",
    "fold",
    "lp_pool1d",
    "lp_pool2d",
    "lp_pool3d",
    "sync_batch_norm",
}
#: makes several outputs, or reads token ids
_APART = {"split", "chunk", "embedding"}


def _ruled(kind: type[Op], attributes: dict[str, Any], inputs: Shapes) -> bool:
    op = kind.of(**attributes)
    return kind.type not in _APART and footprint(Call(op, inputs, op.shape(inputs))) is not None


SAMPLES = [
    pytest.param(
        kind,
        attributes,
        inputs,
        id=f"{name}-{number}",
        marks=pytest.mark.slow if _large(kind, attributes, inputs) else (),
    )
    for name, kind in REGISTRY.items()
    for number, (attributes, inputs) in enumerate(kind.samples)
    if _ruled(kind, attributes, inputs)
]


def test_which_layers_have_no_rule() -> None:
    assert {name for name, kind in REGISTRY.items() if not knows(kind)} == WITHOUT_RULE


def empty(module: nn.Module) -> nn.Module:
    """The module with memory for its weights, which are zero: what they are worth does not matter here."""
    module = module.to_empty(device="cpu")
    for tensor in own_tensors(module):
        tensor.data.zero_()
    return module


def inference_peak(module: nn.Module, *inputs: Tensor) -> int:
    live = LiveStorage(own_tensors(module))
    for tensor in inputs:
        live.watch(tensor)
    with torch.no_grad(), live:
        output = module(*inputs)
    del output
    return live.peak


def _on_meta(graph: Graph) -> list[Tensor]:
    values = [node.values[0] for node in graph.nodes[: graph.inputs]]
    return [torch.empty(v.shape, dtype=getattr(torch, v.dtype), device="meta") for v in values]


@pytest.mark.parametrize(
    "name",
    [
        "siamese",
        "squeezenet1_1",
        *(pytest.param(n, marks=pytest.mark.slow) for n in ("gpt2", "swin_t", "t5_small", "unet")),
        *(pytest.param(n, marks=pytest.mark.many) for n in NETWORKS),
    ],
)
def test_shipped_networks(name: str) -> None:
    """Peaks, saved activations and backward MACs are those of the built module, byte for byte, on the meta device."""
    network = archinspect.load(name)
    module = network.build(device="meta")
    checks = check_memory(network.graph, module, _on_meta(network.graph), {}, 1)
    assert [check for check in checks if check.verdict != "agrees"] == []
    assert len(checks) == 4


@pytest.mark.parametrize("name", FEW)
def test_shipped_networks_on_the_cpu(name: str) -> None:
    """The same with memory, so that the meta device is known to tell the truth."""
    network = archinspect.load(name)
    module = _trainable(network.build(device="meta"))
    checks = check_memory(network.graph, module, [torch.empty(network.graph.input_shape)], {}, 1)
    assert [check for check in checks if check.verdict != "agrees"] == []


def test_a_lower_bound_is_no_larger_than_what_the_module_takes() -> None:
    network = archinspect.load("lstm_classifier")
    checks = check_memory(network.graph, network.build(device="meta"), _on_meta(network.graph), {}, 1)
    assert [check.verdict for check in checks] == ["at least", "at least", "not run", "agrees"]


def test_an_attention_holds_its_scores() -> None:
    """Two matrices of 4,096 × 4,096 for each of 8 heads, q, k and v, and two maps of tokens more than the output."""
    network = archinspect.load("tokens -> multihead_attention(8)", input="64x64x64")
    scores, tokens = 8 * 4096 * 4096 * 4, 4096 * 64 * 4
    assert network.analyse().totals.peak_activation_bytes == 2 * scores + 6 * tokens
    assert peak_activation_bytes(network.graph, attention="fused") < 9 * tokens


class _Block(nn.Module):
    """What a captured module may do: in place, a view, a variable that outlives its last reader."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(8, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.relu = nn.ReLU(inplace=True)
        self.wide = nn.Conv2d(8, 64, 1)
        self.narrow = nn.Conv2d(64, 8, 1)

    def forward(self, x: Tensor) -> Tensor:
        first = self.relu(self.norm(self.conv(x)))
        wide = self.wide(first).flatten(2).transpose(1, 2)
        wide = torch.softmax(wide, -1) @ wide.transpose(1, 2)
        out = self.narrow(self.wide(first[:, :, ::2, ::2]))
        out += 1
        return out * wide.mean()


@pytest.mark.parametrize("batch", [1, 3])
def test_inference_peak_of_a_captured_module(batch: int) -> None:
    module = _Block().eval()
    x = torch.rand(batch, 8, 12, 12)
    graph = archinspect.load(module, x).graph
    assert peak_activation_bytes(graph) == inference_peak(module, x)
    # a network that was captured at one batch is taken at another
    assert peak_activation_bytes(archinspect.load(module, x[:1]).graph, batch=3) == peak_activation_bytes(
        archinspect.load(module, torch.rand(3, 8, 12, 12)).graph
    )


_TORCHVISION = [
    ("resnet18", 64),
    ("mobilenet_v2", 64),
    ("densenet121", 64),
    ("googlenet", 64),
    ("squeezenet1_0", 64),
    ("shufflenet_v2_x0_5", 64),
    ("mnasnet0_5", 64),
    ("efficientnet_b0", 64),
    ("regnet_y_400mf", 64),
    ("convnext_tiny", 64),
    ("inception_v3", 150),
    ("vit_b_16", 224),
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "side"), _TORCHVISION)
def test_inference_peak_of_torchvision(name: str, side: int) -> None:
    graph, module = _captured(name, side)
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # it hides a whole layer behind one operation
    try:
        assert peak_activation_bytes(graph) == inference_peak(module, torch.rand(1, 3, side, side))
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


def _captured(name: str, side: int) -> tuple[Any, nn.Module]:
    graph = archinspect.load(f"torchvision:{name}", (1, 3, side, side)).graph
    source: Any = graph.source
    return graph, empty(source.module).eval()


def _real(op: Op, inputs: Shapes) -> tuple[Callable[..., Tensor], list[Tensor], nn.Module | None]:
    call = op.torch_call(inputs)
    function: Any = None if call.is_module else target(call)
    if call.is_module:
        module = construct(call)
        return module, own_tensors(module), module
    if call.as_list:
        return lambda *x: function(list(x), *call.args, **call.kwargs), [], None
    if call.fold:
        step = functools.partial(_swapped, function, call.args, call.kwargs)
        return lambda *x: functools.reduce(step, x), [], None
    return lambda *x: function(*x, *call.args, **call.kwargs), [], None


def _swapped(function: Any, args: Any, kwargs: Any, a: Tensor, b: Tensor) -> Any:
    return function(a, b, *args, **kwargs)


@pytest.mark.parametrize(("kind", "attributes", "inputs"), SAMPLES)
@pytest.mark.filterwarnings("ignore:Using padding='same'")
def test_footprints_of_ops(kind: type[Op], attributes: dict[str, Any], inputs: Shapes) -> None:
    """Temporaries without gradients, what autograd keeps, and temporaries with gradients, in both modes."""
    op = kind.of(**attributes)
    more = tuple((2 * shape[0], *shape[1:]) if shape[0] == inputs[0][0] else shape for shape in inputs)
    for shapes in (inputs, more):
        for training, gradients in ((False, False), (False, True), (True, True)):
            _holds(op, shapes, training, gradients)


def _holds(op: Op, shapes: Shapes, training: bool, gradients: bool) -> None:
    function, own, module = _real(op, shapes)
    if module is not None:
        module.train(training)
    inputs = [torch.rand(shape, requires_grad=gradients) for shape in shapes]
    places = {key(tensor): at for at, tensor in enumerate(inputs)}
    apart = {key(tensor) for tensor in own}
    live = LiveStorage([*own, *inputs])
    saved: dict[int, Tensor] = {}

    def pack(tensor: Tensor) -> Tensor:
        if key(tensor) not in apart:
            saved[key(tensor)] = tensor
        return tensor

    with torch.set_grad_enabled(gradients), torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t), live:
        output = function(*inputs)
    at = key(output)
    made = 0 if at in places or at in apart else output.untyped_storage().nbytes()
    expected = footprint(Call(op, shapes, op.shape(shapes), training=training))
    assert expected is not None, f"no rule for {op.type}"
    kept = sum(t.untyped_storage().nbytes() for k, t in saved.items() if k not in places and k != at)
    if not gradients:
        assert live.peak - made == expected.temporary
        return
    assert tuple(sorted(places[k] for k in saved if k in places)) == expected.inputs
    assert (at in saved and made > 0) == expected.output
    assert kept == expected.kept
    assert live.peak - made - kept == expected.forward


# Training.


def predicted(graph: Graph, frozen: str = "", segments: Sequence[tuple[int, int]] = ()) -> Step:
    def trains(node: Node, name: str, parameter: Any) -> bool:
        return not frozen or not fnmatch(node.name, frozen)

    return step(
        graph,
        Storages(graph, training=True, watched=True),
        base=0,
        trained=trained_parameters(graph, trains),
        segments=segments,
    )


def _dense_weight_macs(graph: Graph, found: Step) -> int:
    """FlopCounterMode counts the gradient of a grouped convolution's weight as if it were dense."""
    return sum(
        macs * getattr(node.op, "groups", 1)
        for node, macs in zip(graph.nodes, found.weight_macs, strict=True)
        if node.op.category == "convolution" or macs
    )


def _hold_a_step(graph: Graph, module: nn.Module, *inputs: Tensor, frozen: str = "") -> None:
    if frozen:
        for name, parameter in module.named_parameters():
            parameter.requires_grad = not fnmatch(name, frozen)
    found = predicted(graph, frozen)
    seen = observe_memory(module, inputs)
    assert sum(found.saved) == seen.saved
    assert found.peak.bytes == seen.training_peak
    assert sum(macs or 0 for macs in found.forward_macs) == seen.forward_macs
    assert sum(found.input_macs) + _dense_weight_macs(graph, found) == seen.backward_macs


def _trainable(module: nn.Module) -> nn.Module:
    module = empty(module).train()
    for part in module.modules():
        if isinstance(getattr(part, "running_var", None), Tensor):
            part.running_var.fill_(1)
    return module


TINY = (
    "conv2d(8, 3, padding=1) -> batch_norm2d -> relu -> conv2d(8, 3, padding=1, groups=4) -> silu -> max_pool2d(2) "
    "-> tokens -> layer_norm -> multihead_attention(2) -> mean_tokens -> linear(4)"
)


@pytest.mark.parametrize("frozen", ["", "conv2d*", "*norm*", "multihead*", "linear*"])
def test_freezing_saves_what_nobody_needs(frozen: str) -> None:
    """Gradients go through frozen layers above the lowest one that is trained, and through no other."""
    network = archinspect.load(TINY, input=(2, 3, 8, 8))
    _hold_a_step(network.graph, network.build(), torch.rand(2, 3, 8, 8), frozen=frozen)


class _InPlace(nn.Module):
    """Activations in place, of which some keep their result and some a copy of what they overwrite; parts joined."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU6(inplace=True))
        self.second = nn.Sequential(nn.Conv2d(8, 8, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU(inplace=True))
        self.gate = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(8, 8, 1), nn.Hardsigmoid(inplace=True))
        self.head = nn.Linear(16, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        y = self.second(x)
        y = y * self.gate(y)
        x = torch.cat([x, y], 1)
        logits: Tensor = self.head(x.mean((2, 3)))
        return logits


def test_a_step_of_a_captured_module() -> None:
    module = _InPlace()
    graph = archinspect.load(module, torch.rand(2, 3, 16, 16)).graph
    _hold_a_step(graph, module.train(), torch.rand(2, 3, 16, 16))


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "resnet18",
        "mobilenet_v2",
        "densenet121",
        "squeezenet1_0",
        "shufflenet_v2_x0_5",
        "mnasnet0_5",
        "regnet_y_400mf",
    ],
)
def test_a_step_of_torchvision(name: str) -> None:
    graph = archinspect.load(f"torchvision:{name}", (2, 3, 64, 64)).graph
    source: Any = graph.source
    _hold_a_step(graph, _trainable(source.module), torch.rand(2, 3, 64, 64))


def test_checkpointing_computes_again_and_keeps_less() -> None:
    """Against torch.utils.checkpoint: what is kept is the input of the checkpointed block, and the rest as before."""

    class Checkpointed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem = nn.Conv2d(3, 8, 3, padding=1)
            self.block = nn.Sequential(
                nn.Conv2d(8, 8, 3, padding=1), nn.SiLU(), nn.Conv2d(8, 8, 1), nn.SiLU()
            )
            self.head = nn.Conv2d(8, 4, 1)

        def forward(self, x: Tensor) -> Tensor:
            x = self.stem(x)
            x = checkpoint(self.block, x, use_reentrant=False) if self.training else self.block(x)
            result: Tensor = self.head(x)
            return result

    module = Checkpointed()
    x = torch.rand(2, 3, 16, 16)
    network = archinspect.load(module, x)
    plain, again = network.memory(train="sgd"), network.memory(train="sgd", checkpoint="block")
    live = LiveStorage(own_tensors(module))
    live.watch(x)
    with live:
        output = module.train()(x)
        kept = live.now
    assert kept == again.totals["saved_bytes"] + output.untyped_storage().nbytes()
    assert again.totals["saved_bytes"] < plain.totals["saved_bytes"]
    block = sum(row.forward_macs or 0 for row in plain.rows if row.name.startswith("block."))
    assert again.totals["recomputed_macs"] == block
    assert again.peak_bytes < plain.peak_bytes


@pytest.mark.parametrize("train", ["sgd", "momentum", "adam", "adamw", "adafactor"])
def test_state_of_optimisers(train: str) -> None:
    """Bytes of gradients and of the state after a step, as torch.optim keeps it."""
    network = archinspect.load(TINY, input=(2, 3, 8, 8))
    module = network.build()
    kinds: dict[str, Callable[[Any], torch.optim.Optimizer]] = {
        "sgd": lambda p: torch.optim.SGD(p, lr=0.1),
        "momentum": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9),
        "adam": torch.optim.Adam,
        "adamw": torch.optim.AdamW,
        "adafactor": getattr(torch.optim, "Adafactor", torch.optim.Adam),
    }
    optimizer = kinds[train](module.parameters())
    module(torch.rand(2, 3, 8, 8)).sum().backward()
    optimizer.step()
    state = sum(
        tensor.untyped_storage().nbytes()
        for entry in optimizer.state.values()
        for tensor in entry.values()
        if isinstance(tensor, Tensor)
    )
    totals = network.memory(train=train).totals
    if train != "adafactor" or hasattr(torch.optim, "Adafactor"):  # it came with torch 2.5
        assert totals["optimizer_bytes"] == state
    assert totals["gradient_bytes"] == sum(
        p.grad.untyped_storage().nbytes() for p in module.parameters() if p.grad is not None
    )
    assert totals["buffer_bytes"] == sum(b.numel() * b.element_size() for b in module.buffers())


@pytest.mark.slow
def test_kv_cache_of_a_hybrid_model() -> None:
    """Gemma 3 slides in five layers of six; transformers lets go of the oldest token of a window before the next."""
    archinspect.load(
        "torchvision:squeezenet1_1", (1, 3, 64, 64)
    )  # so that torchvision is imported in its way
    transformers = pytest.importorskip("transformers")
    config = transformers.Gemma3TextConfig(
        vocab_size=512,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=6,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
        sliding_window=16,
    )
    module = transformers.Gemma3ForCausalLM(config).eval()
    tokens = torch.ones(2, 40, dtype=torch.long)
    found = archinspect.load(module, input_ids=tokens).memory(context=40)
    with torch.no_grad():
        layers = module(input_ids=tokens, use_cache=True).past_key_values.layers
    kept = sum(t.numel() * t.element_size() for layer in layers for t in (layer.keys, layer.values))
    assert found.cache is not None
    assert [layer.kind for layer in found.cache.layers] == [*["sliding"] * 5, "full"]
    token = 2 * (16 + 16) * 4
    assert found.cache.bytes(2) == kept + 2 * 5 * token
    assert found.totals["params"] == sum(p.numel() for p in module.parameters())  # the tied head once
