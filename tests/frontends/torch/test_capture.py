"""A module becomes a graph by one abstract forward pass, and is afterwards exactly what it was."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from archinspect.analysis import analyse
from archinspect.check.witnesses.execute import execute
from archinspect.errors import ArchinspectError
from archinspect.frontends.torch import load_module
from archinspect.graph import Graph


class Of(nn.Module):
    """A module whose forward is a function of its own parts."""

    def __init__(self, forward: Callable[..., Any], **parts: Any) -> None:
        super().__init__()
        for name, part in parts.items():
            setattr(self, name, part)
        self._function = forward

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self._function(self, *args, **kwargs)


def names(graph: Graph) -> list[str]:
    return [node.name for node in graph.layers]


def macs(graph: Graph) -> int:
    return sum(node.cost.macs for node in graph.nodes if node.cost is not None)


def params(graph: Graph) -> int:
    return sum(parameter.numel for parameter in graph.parameters if not parameter.buffer)


def error_of(module: nn.Module, *args: Any, **options: Any) -> ArchinspectError:
    with pytest.raises(ArchinspectError) as caught:
        load_module(module, args, **options)
    return caught.value


# What a graph says.


def test_a_layer_is_named_by_its_module_and_a_function_by_what_it_is() -> None:
    module = Of(
        lambda m, x: torch.relu(m.conv(x) + m.conv(x)) + x, conv=nn.Conv2d(3, 3, 3, padding=1, bias=False)
    )
    graph = load_module(module, [(1, 3, 8, 8)])
    assert names(graph) == ["conv", "conv#2", "add", "relu", "add_1"]
    assert [str(node.op) for node in graph.layers][:2] == ["conv2d(3, 3, padding=1, bias=False)"] * 2
    assert [node.module for node in graph.layers] == ["conv", "conv", "", "", ""]
    assert graph.nodes[0].name == "args.0"
    assert graph.nodes[-1].inputs == (4, 0)


def test_inside_a_module_that_is_called_again_names_say_which_call() -> None:
    block = nn.Sequential(nn.Linear(4, 4), nn.ReLU())
    graph = load_module(Of(lambda m, x: m.block(m.block(x)), block=block), [(2, 4)])
    assert names(graph) == ["block.0", "block.1", "block#2.0", "block#2.1"]
    assert params(graph) == 20
    first, _, again, _ = graph.layers
    assert first.parameters["weight"] is again.parameters["weight"]


def test_shared_parameters_are_one_with_several_names() -> None:
    module = nn.Sequential(nn.Embedding(10, 4), nn.Linear(4, 10, bias=False))
    module[1].weight = module[0].weight
    module[1].weight.requires_grad_(False)
    graph = load_module(module, [torch.ones(1, 3, dtype=torch.int64)])
    (weight,) = graph.parameters
    assert weight.names == ("0.weight", "1.weight")
    assert not weight.trainable
    assert params(graph) == 40


def test_parameters_that_no_call_reads_are_held_by_a_node_without_outputs() -> None:
    module = Of(lambda m, x: m.used(x), used=nn.Linear(2, 2), spare=nn.Linear(3, 3))
    graph = load_module(module, [(1, 2)])
    holder = graph.nodes[-1]
    assert (holder.name, holder.outputs, holder.op.type) == ("spare", (), "parameters")
    assert params(graph) == sum(p.numel() for p in module.parameters())


def test_a_view_and_a_write_in_place_lie_in_the_memory_of_another_node() -> None:
    graph = load_module(Of(lambda m, x: (x * 2).view(2, 8).relu_().add_(1)), [(4, 4)])
    assert [node.memory for node in graph.layers] == [None, 1, 1, 1]
    assert [node.inputs for node in graph.layers] == [(0,), (1,), (2,), (3,)]


def test_a_read_after_a_write_through_another_view_sees_the_writer() -> None:
    def forward(m: Any, x: Tensor) -> Tensor:
        made = torch.zeros(4, 8)
        made[:2] = m.a(x)
        made[2:] = m.b(x)
        return torch.tanh(made)

    graph = load_module(Of(forward, a=nn.Linear(3, 8), b=nn.Linear(3, 8)), [(2, 3)])
    nodes = {node.name: at for at, node in enumerate(graph.nodes)}
    needed: set[int] = set()
    waiting = [graph.outputs[0]]
    while waiting:
        at = waiting.pop()
        if at not in needed:
            needed.add(at)
            waiting += graph.nodes[at].inputs
    assert {nodes["a"], nodes["b"]} <= needed
    assert execute(graph).status == "equal"


def test_several_inputs_and_outputs_have_names() -> None:
    @dataclass
    class Result:
        logits: Tensor
        cache: dict[str, list[Tensor]]
        steps: int = 3

    class Net(nn.Module):
        def forward(self, ids: Tensor, *, scale: Tensor, flag: bool = True) -> Result:
            x = ids.float() * scale
            return Result(x, {"keys": [x + 1, x + 2]})

    arguments = {"scale": (1, 4), "flag": False}
    graph = load_module(Net(), [torch.ones(1, 4, dtype=torch.int64)], arguments)
    assert [node.name for node in graph.nodes[: graph.inputs]] == ["ids", "scale"]
    assert [node.values[0].dtype for node in graph.nodes[:2]] == ["int64", "float32"]
    assert graph.output_names == ("logits", "cache.keys.0", "cache.keys.1")


def test_masks_and_positions_are_no_nodes_and_what_weights_alone_need_depends_on_no_input() -> None:
    def forward(m: Any, x: Tensor) -> Tensor:
        mask = torch.ones(5, 5).tril() > 0
        if mask.all():
            raise AssertionError
        table = nn.functional.interpolate(m.table[None], 5, mode="linear")[0]
        return (x + table).masked_fill(~mask, 0)

    graph = load_module(Of(forward, table=nn.Parameter(torch.zeros(5, 3))), [(5, 5)])
    assert [node.op.type for node in graph.layers] == ["upsample_linear1d", "add", "masked_fill"]
    assert graph.layers[0].inputs == ()
    assert [p.name for p in graph.layers[0].parameters.values()] == ["table"]


def test_a_layer_whose_weight_is_computed_is_no_layer_of_the_language() -> None:
    module = Of(
        lambda m, x: nn.functional.conv2d(x, m.weight / m.weight.norm()),
        weight=nn.Parameter(torch.ones(4, 3, 3, 3)),
    )
    graph = load_module(module, [(1, 3, 8, 8)])
    assert [node.op.type for node in graph.layers] == ["linalg_vector_norm", "div", "conv2d"]
    assert graph.layers[-1].op.__class__.__name__ == "TensorOp"
    assert macs(graph) == 4 * 27 * 36


# Counts.

CELLS = [nn.LSTM(6, 5, 2, bidirectional=True), nn.GRU(6, 5), nn.RNN(6, 5), nn.LSTM(6, 5, proj_size=3)]
COUNTED: dict[str, tuple[nn.Module, tuple[tuple[int, ...], ...]]] = {
    "convolutions": (
        nn.Sequential(nn.Conv2d(4, 8, 3, groups=2), nn.ConvTranspose2d(8, 6, 3, stride=2, groups=2)),
        ((2, 4, 9, 9),),
    ),
    "volumes": (nn.Sequential(nn.Conv3d(2, 4, 3), nn.MaxPool3d(2), nn.BatchNorm3d(4)), ((1, 2, 8, 8, 8),)),
    "signals": (nn.Sequential(nn.Conv1d(2, 4, 3), nn.BatchNorm1d(4), nn.AvgPool1d(2)), ((1, 2, 16),)),
    "attention": (nn.MultiheadAttention(8, 2, batch_first=True), ((2, 5, 8), (2, 5, 8), (2, 5, 8))),
    "encoder": (nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), ((2, 5, 8),)),
    "matmul": (Of(lambda m, a, b: a @ b), ((2, 3, 4, 5), (3, 5, 6))),
    "einsum": (Of(lambda m, a, b: torch.einsum("bhid,bhjd->bhij", a, b)), ((2, 3, 4, 5), (2, 3, 6, 5))),
    "baddbmm": (Of(lambda m, a, b, c: torch.baddbmm(a, b, c)), ((2, 3, 4), (2, 3, 5), (2, 5, 4))),
    "three factors": (
        Of(lambda m, a, b: torch.einsum("bi,oij,bj->bo", a, m.w, b), w=nn.Parameter(torch.ones(7, 3, 4))),
        ((2, 3), (2, 4)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", COUNTED)
def test_macs_are_those_of_flop_counter_mode_and_the_recording_is_the_module(case: str) -> None:
    module, shapes = COUNTED[case]
    graph = load_module(module.eval(), shapes)
    assert execute(graph).status == "equal"
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        torch.backends.mha.set_fastpath_enabled(False)
        module.to("meta")(*[torch.empty(shape, device="meta") for shape in shapes])
        torch.backends.mha.set_fastpath_enabled(True)
    assert macs(graph) == counter.get_total_flops() // 2
    assert all(node.cost is not None for node in graph.layers)


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_recurrent_layers_multiply_by_every_matrix_at_every_step(cell: nn.RNNBase) -> None:
    graph = load_module(cell, [(7, 2, 6)])
    assert macs(graph) == 7 * 2 * sum(p.numel() for p in cell.parameters() if p.dim() == 2)
    cost = graph.layers[0].cost
    assert cost is not None
    assert cost.bias_adds == 7 * 2 * sum(p.numel() for p in cell.parameters() if p.dim() == 1)
    units = cell.hidden_size * cell.num_layers * (2 if cell.bidirectional else 1)
    assert cost.elementwise == 7 * 2 * units * {"LSTM": 27, "GRU": 19, "RNN_TANH": 6}[cell.mode]
    assert execute(graph).status == "equal"


def test_weights_without_memory_are_enough() -> None:
    with torch.device("meta"):
        module = nn.Sequential(nn.Linear(1 << 20, 1 << 20), nn.ReLU())
    graph = load_module(module, [(1, 1 << 20)])
    assert macs(graph) == 1 << 40


# Errors.


class Wrong(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(4, 8)
        self.second = nn.Linear(4, 8)

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.first(x))


def test_an_exception_of_forward_shows_the_users_line_the_module_and_the_shapes() -> None:
    (found,) = error_of(Wrong(), (2, 4)).diagnostics
    assert found.code == "A601"
    assert found.span is not None
    assert found.span.text.strip() == "return self.second(self.first(x))"
    assert found.span.file.endswith("test_capture.py")
    assert found.path == "second (Linear)"
    assert found.notes == ("linear met (2, 8), (8, 4), (8,)",)


def test_a_partial_graph_keeps_what_came_before_the_exception() -> None:
    graph = load_module(Wrong(), [(2, 4)], partial=True)
    assert names(graph)[0] == "first"
    assert graph.output_shape == (2, 8)
    assert "forward of Wrong raised RuntimeError" in graph.metadata["partial"]
    assert params(graph) == 80


@pytest.mark.parametrize(
    "forward",
    [
        lambda m, x: x if x.sum() > 0 else -x,
        lambda m, x: x[x > 0],
        lambda m, x: x[: int(x.max())],
        lambda m, x: x.nonzero(),
        lambda m, x: torch.tensor(x.tolist()),
        lambda m, x: torch.from_numpy(x.numpy()),
    ],
)
def test_a_forward_that_looks_at_values_says_so_and_runs_with_real_ones(forward: Any) -> None:
    (found,) = error_of(Of(forward), (3, 4)).diagnostics
    assert found.code == "A602"
    assert found.span is not None
    assert "lambda m, x" in found.span.text
    graph = load_module(Of(forward), [(3, 4)], real=True)
    assert graph.outputs


def test_inputs_that_forward_does_not_take_are_refused_before_it_runs() -> None:
    (found,) = error_of(nn.Linear(2, 2), (1, 2), (1, 2)).diagnostics
    assert (found.code, found.notes) == ("A402", ("forward(input: torch.Tensor) -> torch.Tensor",))


def test_a_lazy_module_is_refused_and_stays_lazy() -> None:
    module = nn.LazyLinear(3)
    assert error_of(module, (1, 2)).diagnostics[0].code == "A601"
    assert isinstance(module.weight, nn.UninitializedParameter)


# The module is left as it was.


class Stateful(nn.Module):
    """Does to itself all that a forward may do."""

    def __init__(self, fails: bool, in_place: bool) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(4)
        self.linear = nn.Linear(4, 4)
        self.drop = nn.Dropout()
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))
        self.register_buffer("mean", torch.zeros(4))
        self.plain = torch.ones(4)
        self.cache: dict[str, Any] = {"deep": {"list": [1, 2]}}
        self.history: list[Any] = []
        self.count = 0
        self.fails, self.in_place = fails, in_place

    def forward(self, x: Tensor) -> Tensor:
        self.count += 1
        self.history.append(x)
        self.cache["new"] = x
        self.cache["deep"]["list"].append(3)
        self.steps += 1
        self.extra = x
        torch.rand(3)
        random.random()
        self.train()
        if self.in_place:
            self.mean.mul_(0.5).add_(x.mean(0))
            self.plain.mul_(2)
            self.mean[1:] = 7
        self.register_forward_hook(lambda *_: None)
        y: Tensor = self.drop(self.norm(self.linear(x)))
        if self.fails:
            raise ValueError("no more")
        return y


@settings(max_examples=20)
@given(
    fails=st.booleans(),
    in_place=st.booleans(),
    training=st.booleans(),
    frozen=st.booleans(),
    real=st.booleans(),
    hooked=st.booleans(),
)
def test_the_module_is_left_as_it_was(
    fails: bool, in_place: bool, training: bool, frozen: bool, real: bool, hooked: bool
) -> None:
    module = Stateful(fails, in_place).train(training)
    module.norm.eval()
    module.linear.requires_grad_(not frozen)
    if not frozen:
        module.linear(torch.ones(1, 4)).sum().backward()
    if hooked:
        module.linear.register_forward_hook(lambda part, args, out: out * 2)
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    identities = {name: id(t) for name, t in [*module.named_parameters(), *module.named_buffers()]}
    versions = {name: t._version for name, t in [*module.named_parameters(), *module.named_buffers()]}
    gradient = None if frozen else module.linear.weight.grad.clone()
    attributes = {k: v for k, v in module.__dict__.items() if not k.startswith("_")}
    hooks = len(module._forward_hooks), len(module.linear._forward_hooks)
    torch_state, python_state = torch.get_rng_state(), random.getstate()
    x = torch.randn(3, 4)
    torch.set_rng_state(torch_state)
    given_x = x.clone()
    if fails:
        error_of(module, x, real=real)
    else:
        load_module(module, [x], real=real)
    assert module.training is training
    assert module.norm.training is False
    for name, tensor in module.state_dict().items():
        assert torch.equal(tensor, before[name]), name
    assert {n: id(t) for n, t in [*module.named_parameters(), *module.named_buffers()]} == identities
    if not real:
        now = {n: t._version for n, t in [*module.named_parameters(), *module.named_buffers()]}
        assert now == versions
    assert frozen or torch.equal(module.linear.weight.grad, gradient)
    assert {k: v for k, v in module.__dict__.items() if not k.startswith("_")} == attributes
    assert (module.count, module.history, module.cache) == (0, [], {"deep": {"list": [1, 2]}})
    assert torch.equal(module.plain, torch.ones(4))
    assert (len(module._forward_hooks), len(module.linear._forward_hooks)) == hooks
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert random.getstate() == python_state
    assert torch.equal(x, given_x)
    assert nn.Module.__call__.__qualname__ == "Module._wrapped_call_impl"
    assert torch.backends.mha.get_fastpath_enabled()


def test_a_second_capture_gives_the_same_graph() -> None:
    module = Stateful(False, True)
    first, second = (load_module(module, [(3, 4)]) for _ in range(2))
    assert [(n.name, str(n.op), n.inputs, n.values) for n in first.nodes] == [
        (n.name, str(n.op), n.inputs, n.values) for n in second.nodes
    ]


# Execution.


def test_execution_names_the_call_that_differs() -> None:
    graph = load_module(nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 4)), [(2, 4)])
    assert execute(graph).status == "equal"
    recording: Any = graph.source
    operation = recording.recording.operations[1]
    operation.function = torch.ops.aten.sigmoid.default
    found = execute(graph)
    assert (found.status, found.where) == ("differs", "1")


def test_a_function_with_the_name_of_a_layer_has_memory_too() -> None:
    """`F.group_norm` by one group with a scale of another shape is no layer of the language."""

    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.ones(4, 1, 1))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return nn.functional.dropout(nn.functional.group_norm(x, 1) * self.scale, 0.1, self.training)

    totals = analyse(load_module(Scaled(), [torch.zeros(1, 4, 6, 6)])).totals
    assert totals.peak_activation_bytes >= 2 * 4 * 36 * 4
