"""`signal` as users meet it: planted faults, verdicts, variants, and a module that is left as it was."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - PyTorch's own name for it
from torch import nn

import archinspect
from archinspect.cli.app import run
from archinspect.errors import ArchinspectError
from archinspect.signal import Signal
from archinspect.signal.variants import without
from tests.support import DOCS

EXAMPLES = DOCS / "examples"
CHAIN = " -> ".join(["linear(64) -> relu"] * 4) + " -> linear(10)"


def network(*parts: nn.Module) -> nn.Sequential:
    torch.manual_seed(1)
    made = nn.Sequential(*parts)
    for part in made:
        if isinstance(part, nn.Linear):
            nn.init.kaiming_normal_(part.weight)
            nn.init.zeros_(part.bias)
    return made


def multilayer() -> nn.Sequential:
    parts: list[nn.Module] = []
    for _ in range(4):
        parts += [nn.Linear(64, 64), nn.ReLU()]
    return network(*parts, nn.Linear(64, 10))


def followed(module: nn.Module, **options: Any) -> Signal:
    return archinspect.load(module, torch.randn(2, 64)).signal(**options)


def codes(found: Signal) -> list[tuple[str, str]]:
    return [(verdict.code, verdict.name) for verdict in found.verdicts]


# Planted faults.


def test_a_sound_network_is_healthy() -> None:
    assert codes(followed(multilayer())) == [("healthy", "")]


@pytest.mark.parametrize("place", [0, 4, 6])
def test_a_layer_scaled_by_10_is_found(place: int) -> None:
    module = multilayer()
    with torch.no_grad():
        module[place].weight.mul_(10)
    assert codes(followed(module)) == [("explodes", str(place))]


@pytest.mark.parametrize("units", [3, 20, 64])
def test_units_with_a_bias_of_minus_10_are_found(units: int) -> None:
    module = multilayer()
    with torch.no_grad():
        module[2].bias[:units] = -10
    found = followed(module, batch=16)
    assert ("dead", "3") in codes(found)
    assert found["3"].dead is not None
    assert found["3"].dead >= units / 64
    if units < 64:
        assert f"{units} of 64 units" in next(v.message for v in found.verdicts if v.code == "dead")
        assert {name for code, name in codes(found) if code == "dead"} == {"3"}


def test_zero_weights_are_found_layer_by_layer() -> None:
    found = archinspect.load(CHAIN, input="64").signal(init="zero")
    assert codes(found) == [("symmetric", name) for name in ("linear", "linear_1", "linear_2", "linear_3")]
    assert "a constant, which is less than a linear model" in found.verdicts[-1].message
    assert found["linear"].weight_gradient_std == 0


def test_equal_weights_that_learn_stay_equal() -> None:
    """The lecture's "all the layers are learning the same thing": units of one layer do; layers do not."""
    module = network(nn.Linear(64, 32), nn.Tanh(), nn.Linear(32, 10))
    nn.init.constant_(module[0].weight, 0.01)
    nn.init.constant_(module[2].weight, 0.01)
    found = followed(module)
    assert codes(found) == [("symmetric", "0")]  # the output layer's units get their own labels
    assert "one step leaves them equal" in found.verdicts[0].message


def test_one_layer_of_zeros_in_a_sound_network() -> None:
    module = multilayer()
    nn.init.zeros_(module[4].weight)
    found = followed(module)
    assert ("symmetric", "4") not in codes(found) or codes(found)[0] == ("symmetric", "4")
    assert found["4"].forward_std == 0


# What the lecture says, as figures.


def deep(activation: str, layers: int = 12) -> archinspect.Network:
    return archinspect.load(
        " -> ".join([f"linear(64) -> {activation}"] * layers) + " -> linear(10)", input="64"
    )


def test_sigmoid_vanishes_and_he_with_relu_does_not() -> None:
    found = deep("sigmoid").signal(init="xavier", seeds=2)
    assert ("vanishes", "linear") in codes(found)
    assert codes(deep("relu").signal(init="he", seeds=2)) == [("healthy", "")]


def test_small_weights_vanish_both_ways() -> None:
    found = deep("relu").signal(init="small", seeds=2)
    assert [code for code, _ in codes(found)] == ["vanishes", "vanishes"]
    assert "over 13 layers" in found.verdicts[0].message


def test_saturated_outputs_are_counted() -> None:
    module = network(nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 10))
    with torch.no_grad():
        module[0].weight.mul_(100)
    assert (followed(module)["1"].saturated or 0) > 0.9


def test_batch_norm_repairs_what_a_small_start_breaks() -> None:
    block = "conv2d(16, 3, padding=1, bias=False) -> batch_norm2d -> relu"
    net = archinspect.load(" -> ".join([block] * 6) + " -> flatten -> linear(10)", input="3x8x8")
    found = net.signal(init="small", without="batch_norm", seeds=1)
    assert [variant.label for variant in found.variants] == ["as it is", "without batch norm"]
    with_norm, without_norm = ([v.code for v in variant.verdicts] for variant in found.variants)
    assert with_norm == ["healthy"]
    assert "vanishes" in without_norm
    assert not any("batch_norm" in row.op for row in found.variants[1].rows)


def test_without_skips_the_shortcuts_are_gone() -> None:
    net = archinspect.load(EXAMPLES / "residual.yaml", depth=2, width=8, input="3x8x8")
    found = net.signal(without=["skips", "batch_norm+skips"], seeds=1, batch=2)
    names = [[row.name for row in variant.rows] for variant in found.variants]
    assert "block1.add" in names[0]
    assert not any(name.endswith(".add") for name in names[1] + names[2])
    assert {"block2.residual.conv2", "block2.residual.bn2"} <= set(names[1])
    assert not any(".bn" in name for name in names[2])


def test_a_projection_goes_with_its_skip() -> None:
    graph = archinspect.load("resnet18", input="3x32x32").graph
    assert len(graph.nodes) - len(without(graph, ["skips"]).nodes) == 6  # three convolutions and their norms
    changed = without(graph, ["skips"])
    assert not any("shortcut" in node.name for node in changed.nodes)
    assert changed.by_name["conv2_x.block1.add"].op.type == "identity"


def test_an_activation_is_replaced_in_a_spec_and_in_a_module() -> None:
    class Functional(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(64, 64), nn.Linear(64, 10)
            self.act = nn.ReLU(inplace=True)

        def forward(self, x: torch.Tensor) -> Any:
            return self.b(F.relu(self.act(self.a(x)), inplace=True))

    of_module = followed(Functional(), activation=["sigmoid", "tanh"])
    of_spec = archinspect.load(CHAIN, input="64").signal(activation="sigmoid", seeds=1)
    assert [row.op for row in of_module.rows] == ["linear", "sigmoid", "sigmoid", "linear"]
    assert [row.name for row in of_module.rows] == ["a", "act", "relu", "b"]
    assert {row.op for row in of_spec.rows} == {"linear", "sigmoid"}
    assert of_spec["relu"].op == "sigmoid"


def test_a_depth_argument_makes_variants(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["signal", str(EXAMPLES / "chain.yaml"), "--set", "width=16", "--seeds", "1", "--format", "json"]
    assert run([*words, "--depth-argument", "depth=2:8"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [variant["name"] for variant in document["variants"]] == ["depth=2", "depth=4", "depth=8"]
    assert [sum(row["op"] == "linear" for row in v["rows"]) for v in document["variants"]] == [3, 5, 9]


# The contract.


def test_json_has_what_the_contract_names(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["signal", CHAIN, "--input", "64", "--seeds", "2", "--format", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["seeds"] == 2
    keys = [
        "name",
        "op",
        "forward_std",
        "gradient_std",
        "weight_gradient_std",
        "dead",
        "saturated",
        "expected_std",
    ]
    assert all(key in row for row in document["rows"] for key in keys)
    assert document["verdicts"] == [
        {"code": "healthy", "name": "", "message": document["verdicts"][0]["message"]}
    ]
    assert "variants" not in document


def test_a_seed_is_a_figure() -> None:
    one, again = (archinspect.load(CHAIN, input="64").signal(seeds=2).to_dict() for _ in range(2))
    assert one == again
    other = archinspect.load(CHAIN, input="64").signal(seeds=3).to_dict()
    assert other != one


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--init", "hee"], "A403"),
        (["--activation", "relu6"], "A403"),
        (["--without", "batch_norm"], "A403"),
        (["--without", "skips"], "A403"),
        (["--depth-argument", "2:4"], "A401"),
        (["--modes"], "A403"),
        (["--modes", "--activation", "tanh"], "A403"),
        (["--input-image", "nowhere.png"], "A402"),
    ],
    ids=" ".join,
)
def test_what_there_is_not_is_said(
    arguments: list[str], code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["signal", CHAIN, "--input", "64", *arguments]) == 2
    assert f"error[{code}]" in capsys.readouterr().err


# The user's module.


class Guarded(nn.Module):
    """A module with all that a measurement might change; raises where it is told to."""

    def __init__(self, fails: Callable[[], bool] = lambda: False) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8)
        self.drop, self.fc = nn.Dropout(), nn.Linear(8, 4)
        self.fails = fails

    def forward(self, x: torch.Tensor) -> Any:
        x = self.drop(F.relu(self.norm(self.conv(x)))).mean((2, 3))
        if self.fails() and x.device.type == "cpu" and torch.is_grad_enabled():
            raise RuntimeError("as told")
        return self.fc(x)


def state(module: nn.Module) -> Any:
    return (
        {name: tensor.clone() for name, tensor in module.state_dict().items()},
        {
            name: (p.requires_grad, None if p.grad is None else p.grad.clone())
            for name, p in module.named_parameters()
        },
        [
            (part.training, len(part._forward_hooks), len(part._forward_pre_hooks))
            for part in module.modules()
        ],
        torch.get_rng_state(),
        random.getstate(),
        np.random.get_state(),
    )


def same(one: Any, other: Any) -> bool:
    if isinstance(one, (torch.Tensor, np.ndarray)):
        return bool((one == other).all())
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("modes", [False, True])
def test_a_module_and_the_random_states_stay_what_they_were(fails: bool, modes: bool) -> None:
    if fails and modes:
        pytest.skip("modes run without gradients, by which the module tells that it is measured")
    module = Guarded(lambda: fails)
    module.conv.weight.requires_grad_(False)
    module.fc.weight.grad = torch.ones_like(module.fc.weight)
    module.norm.eval()
    module.conv.register_forward_hook(lambda *_: None)
    network = archinspect.load(module, torch.randn(2, 3, 8, 8))
    before = state(module)
    if fails:
        with pytest.raises(ArchinspectError, match="as told") as error:
            network.signal()
        assert error.value.diagnostics[0].code == "A601"
    else:
        network.signal_modes() if modes else network.signal()
    assert same(before, state(module))


def test_a_module_of_the_meta_device_gets_its_own_start_or_an_error() -> None:
    with torch.device("meta"):
        module = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    found = archinspect.load(module, torch.empty(2, 64, device="meta")).signal()
    assert found["0"].forward_std == pytest.approx(0.58, rel=0.1)  # PyTorch's start: 1/√3
    with torch.device("meta"):
        module[0].register_parameter("extra", nn.Parameter(torch.empty(3)))
    with pytest.raises(ArchinspectError, match="'0\\.extra' has no value"):
        archinspect.load(module, torch.empty(2, 64, device="meta")).signal()


def test_a_scheme_starts_a_captured_module() -> None:
    default, he = (followed(multilayer(), init=init, seeds=1)["0"].forward_std for init in ("small", "he"))
    assert default == pytest.approx(0.08, rel=0.15)
    assert he == pytest.approx(2**0.5, rel=0.15)


def test_a_batch_of_one_position_is_an_error_of_ours() -> None:
    net = archinspect.load("linear(8) -> batch_norm1d -> linear(4)", input="8")
    with pytest.raises(ArchinspectError, match="cannot be run in training mode at batch 1"):
        net.signal(batch=1)


# Training and evaluation.


def test_modes_of_batch_norm_and_dropout() -> None:
    net = archinspect.load(
        "conv2d(16, 3) -> batch_norm2d -> relu -> dropout(0.25) -> flatten -> linear(4)", input="3x12x12"
    )
    found = net.signal_modes(batch=8)
    norm, drop = found.rows
    assert norm.train_std == pytest.approx(1, rel=1e-3)
    assert norm.running_var == pytest.approx(norm.expected_running_var, rel=1e-4)
    assert norm.running_var != pytest.approx(norm.batch_var, rel=0.1)
    assert drop.train_zero == pytest.approx(1 - (1 - drop.eval_zero) * 0.75, abs=0.02)
    assert (drop.train_flops, drop.eval_flops) == (2 * 8 * 16 * 100, 0)
    assert norm.eval_flops == 2 * 8 * 16 * 100


def test_dropout_scales_in_training_and_not_in_evaluation() -> None:
    """nn.Dropout: outputs are scaled by 1/(1 − p) during training, and evaluation is the identity."""
    x = torch.ones(10000)
    layer = nn.Dropout(0.2)
    assert set(layer(x).unique().tolist()) == {0.0, 1.25}
    assert layer.eval()(x) is x
