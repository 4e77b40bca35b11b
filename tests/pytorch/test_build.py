"""`build` gives a module that does all that PyTorch's modules do."""

from __future__ import annotations

import copy
import io
import pickle
from collections.abc import Iterable
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from torch import fx, nn

from archinspect.errors import ArchinspectError
from archinspect.frontends.spec import load_graph, shipped
from archinspect.graph import Graph
from archinspect.ops import REGISTRY
from archinspect.pytorch import build
from tests.check.single import network_of
from tests.spec.support import graph_of, layers
from tests.strategies_networks import networks
from tests.support import one_in

from .programs import outputs, random_state

#: Two inputs' worth of everything: branches, a residual, a gate, side outputs, functions, our own modules.
EVERYTHING = """
name: everything
title: EveryThing
input: 4x12x12
layers:
  - stem: conv2d(8, 3, padding=1) -> batch_norm2d -> relu
  - inception:
      - concat:
          left: slice_channels(0, 4)
          right: max_pool2d(3, stride=1, padding=1) -> conv2d(4, 1)
  - add:
      body: conv2d(8, 3, padding=1) -> batch_norm2d(scale=False) -> drop_path(0.2)
      shortcut: identity
      third: conv2d(8, 1)
  - multiply:
      skip:
      gate: adaptive_avg_pool2d(1) -> conv2d(8, 1) -> sigmoid
  - side_output:
      aux: flatten -> linear(3)
  - tokens: tokens -> class_token -> position_embedding -> multihead_attention(2) -> select_token
  - fc: linear(5)
"""


@pytest.fixture
def graph() -> Graph:
    return graph_of(EVERYTHING)


@pytest.fixture
def module(graph: Graph) -> fx.GraphModule:
    torch.manual_seed(0)
    return build(graph)


@pytest.mark.parametrize("name", one_in(2, shipped()))
def test_state_has_the_names_and_the_order_of_the_spec(name: str) -> None:
    graph = load_graph(name)
    module = build(graph, device="meta")
    expected = {
        f"{node.name}.{key}": shape
        for node in graph.layers
        if not node.module  # called again
        for key, shape in (node.weights | node.buffers).items()
    }
    found = {key: tuple(tensor.shape) for key, tensor in module.state_dict().items()}
    assert found == expected
    layers = [node.name for node in graph.layers if (node.weights or node.buffers) and not node.module]

    def order(keys: Iterable[str]) -> list[str]:
        return list(
            dict.fromkeys(next(name for name in layers if key.startswith(f"{name}.")) for key in keys)
        )

    assert order(found) == layers


@pytest.mark.parametrize("name", one_in(2, shipped()))
def test_on_meta_nothing_is_allocated(name: str) -> None:
    module = build(load_graph(name), device="meta")
    tensors = [*module.parameters(), *module.buffers()]
    assert tensors
    assert all(tensor.is_meta for tensor in tensors)


def test_forward_gives_the_main_output_and_the_side_outputs(module: fx.GraphModule, graph: Graph) -> None:
    for batch in (1, 2, 5):
        main, side = module(torch.randn(batch, 4, 12, 12))
        assert (tuple(main.shape), tuple(side.shape)) == ((batch, 5), (batch, 3))
    assert graph.outputs == (len(graph.nodes) - 1, graph.nodes.index(graph.by_name["aux.linear"]))


def test_a_single_output_is_a_tensor() -> None:
    assert isinstance(build(layers("  - fc: linear(3)", "7"))(torch.zeros(2, 7)), torch.Tensor)


def test_every_parameter_gets_a_gradient(module: fx.GraphModule) -> None:
    main, side = module(torch.randn(4, 4, 12, 12))
    (main.square().sum() + side.square().sum()).backward()
    assert [name for name, p in module.named_parameters() if p.grad is None] == []


def test_training_lowers_a_loss(module: fx.GraphModule) -> None:
    torch.manual_seed(1)
    x, target = torch.randn(8, 4, 12, 12), torch.randint(0, 5, (8,))
    optimizer = torch.optim.SGD(module.parameters(), lr=0.05)
    losses = []
    for _ in range(12):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(module(x)[0], target)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]


def test_train_and_eval_reach_every_layer(module: fx.GraphModule) -> None:
    x = torch.randn(4, 4, 12, 12)
    assert module.training
    before = module.stem.batch_norm2d.running_mean.clone()
    assert not torch.equal(module(x)[0], module(x)[0])  # drop_path draws
    assert not torch.equal(before, module.stem.batch_norm2d.running_mean)
    module.eval()
    assert not any(part.training for part in module.modules())
    after = module.stem.batch_norm2d.running_mean.clone()
    assert torch.equal(module(x)[0], module(x)[0])
    assert torch.equal(after, module.stem.batch_norm2d.running_mean)


def test_to_moves_and_casts_everything(module: fx.GraphModule) -> None:
    wide = copy.deepcopy(module).to(torch.float64)
    assert outputs(wide, torch.randn(2, 4, 12, 12, dtype=torch.float64))[0].dtype == torch.float64
    moved = copy.deepcopy(module).to("meta")
    assert all(tensor.is_meta for tensor in moved.state_dict().values())


@pytest.mark.gpu
def test_it_computes_the_same_on_a_gpu(module: fx.GraphModule) -> None:
    x = torch.randn(2, 4, 12, 12)
    expected = outputs(module, x)
    module.to("cuda")
    for one, other in zip(expected, outputs(module, x.cuda()), strict=True):
        torch.testing.assert_close(one, other.cpu(), rtol=1e-3, atol=1e-3)


def test_copies_are_independent(module: fx.GraphModule) -> None:
    module.load_state_dict(random_state(module))
    x = torch.randn(2, 4, 12, 12)
    twin = copy.deepcopy(module)
    expected = outputs(module, x)
    assert twin.code == module.code
    with torch.no_grad():
        module.fc.bias += 1
    assert torch.equal(outputs(twin, x)[0], expected[0])


@pytest.mark.parametrize("how", ["pickle", "torch.save", "state_dict"])
def test_saving_and_loading(module: fx.GraphModule, graph: Graph, how: str) -> None:
    module.load_state_dict(random_state(module))
    x = torch.randn(2, 4, 12, 12)
    if how == "pickle":
        twin = pickle.loads(pickle.dumps(module))
    else:
        buffer = io.BytesIO()
        torch.save(module if how == "torch.save" else module.state_dict(), buffer)
        buffer.seek(0)
        if how == "torch.save":
            twin = torch.load(buffer, weights_only=False)
        else:
            twin = build(graph)
            twin.load_state_dict(torch.load(buffer, weights_only=True))
    assert list(twin.state_dict()) == list(module.state_dict())
    for one, other in zip(outputs(module, x), outputs(twin, x), strict=True):
        assert torch.equal(one, other)


def test_export_keeps_the_batch_open(module: fx.GraphModule) -> None:
    module.eval()
    dynamic = {"x": {0: torch.export.Dim("batch")}}
    program = torch.export.export(module, (torch.zeros(2, 4, 12, 12),), dynamic_shapes=dynamic)
    for batch in (2, 7):
        x = torch.randn(batch, 4, 12, 12)
        for one, other in zip(outputs(module, x), program.module()(x), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["everything", "resnet50", "googlenet", "vit_b_16"])
def test_export_of_whole_networks(name: str) -> None:
    graph = graph_of(EVERYTHING) if name == "everything" else load_graph(name)
    with torch.device("meta"):
        program = torch.export.export(build(graph, device="meta").eval(), (torch.empty(graph.input_shape),))
    assert len(program.graph_signature.user_outputs) == len(graph.outputs)


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["eager", "aot_eager", "inductor"])
def test_compile_without_a_break(module: fx.GraphModule, backend: str) -> None:
    module.load_state_dict(random_state(module))
    x = torch.randn(2, 4, 12, 12)
    expected = outputs(module, x)
    compiled = torch.compile(module, backend=backend, fullgraph=True)
    with torch.no_grad():
        found = compiled(x)
    for one, other in zip(expected, found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


def test_the_code_is_read_line_by_line_with_the_names_of_the_spec(module: fx.GraphModule) -> None:
    lines = [line.partition(";")[0].strip() for line in module.code.strip().splitlines()]
    assert lines[0] == "def forward(self, x):"
    assert "stem_conv2d = self.stem.conv2d(x)" in lines
    assert "inception_left = torch.narrow(stem_relu, 1, 0, 4)" in lines
    assert "inception_concat = torch.cat([inception_left, inception_right_conv2d], 1)" in lines
    assert "multiply = torch.mul(add_1, gate_sigmoid)" in lines
    assert lines[-1] == "return (fc, aux_linear)"
    assert type(module).__name__ == "EveryThing"


@given(networks())
@settings(max_examples=20)
def test_random_networks_run_copy_and_pickle(graph: Graph) -> None:
    module = build(graph)
    x = torch.randn(graph.input_shape)
    expected = outputs(module, x)
    for twin in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        for one, other in zip(expected, outputs(twin, x), strict=True):
            assert torch.equal(one, other)


# How weights start


def test_weights_start_as_pytorch_starts_them_where_the_spec_says_nothing() -> None:
    torch.manual_seed(0)
    ours = build(load_graph("conv2d(8, 3) -> batch_norm2d -> flatten -> linear(5)", input="3x8x8"))
    torch.manual_seed(0)
    theirs = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Flatten(), nn.Linear(288, 5))
    for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(one, other)


def test_an_initialiser_is_for_the_weights_of_its_op_and_no_biases() -> None:
    torch.manual_seed(0)
    module = build(
        graph_of(
            "name: n\ninput: 64x8x8\n"
            "init: {conv2d: \"kaiming_normal(mode='fan_out', nonlinearity='relu')\", "
            "batch_norm2d: constant(val=0.25)}\n"
            "layers: conv2d(256, 3) -> batch_norm2d -> relu -> flatten -> linear(10)"
        )
    )
    assert module.conv2d.weight.std().item() == pytest.approx((2 / (256 * 9)) ** 0.5, rel=0.02)
    assert module.conv2d.weight.mean().item() == pytest.approx(0, abs=1e-3)
    assert module.conv2d.bias.abs().max().item() <= (64 * 9) ** -0.5  # PyTorch's own
    assert set(module.batch_norm2d.weight.tolist()) == {0.25}
    assert set(module.batch_norm2d.bias.tolist()) == {0}


def test_an_initialiser_that_does_not_suit_the_weight_is_an_error() -> None:
    graph = graph_of("name: n\ninput: 3x8x8\ninit: {batch_norm2d: xavier_uniform}\nlayers: [batch_norm2d()]")
    with pytest.raises(ArchinspectError) as caught:
        build(graph)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "A207"
    assert "batch_norm2d.weight" in diagnostic.message


# Names


@pytest.mark.parametrize("name", ["_modules", "_graph", "__class__", "__dict__", "meta"])
def test_a_name_that_would_break_the_module_is_refused(name: str) -> None:
    graph = network_of(REGISTRY["relu"].of(), (1, 3, 4, 4))
    renamed = Graph("n", (graph.nodes[0], replace(graph.nodes[1], name=name)), graph.structure, (1,))
    with pytest.raises(ArchinspectError) as caught:
        build(renamed)
    assert caught.value.diagnostics[0].code == "A209"


def test_torch_fx_traces_it_down_to_functions(module: fx.GraphModule) -> None:
    """Also in training, where drop path is at work, and into the modules that are ours."""
    x = torch.randn(3, 4, 12, 12)
    for mode in (module.eval(), module.train()):
        traced = fx.symbolic_trace(mode)
        torch.manual_seed(1)
        found = traced(x)
        torch.manual_seed(1)
        for ours, theirs in zip(mode(x), found, strict=True):
            torch.testing.assert_close(ours, theirs)
