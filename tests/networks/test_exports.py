"""A network, written out as a program or as a spec, is the same network."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from archinspect.frontends.spec import dump, lay_out
from archinspect.frontends.spec.load import read_text
from archinspect.graph import Graph
from archinspect.initializers import called, initialization, starting_rules
from archinspect.pytorch import build
from tests.pytorch.programs import exported, outputs, random_state
from tests.support import one_in

from .zoo import NAMES, network

#: one of each kind of block, small enough to run: inputs are smaller than published
RUN = [
    ("lenet5:original=true", None),
    ("squeezenet1_1:num_classes=10", "3x64x64"),
    ("mobilenet_v3_large:num_classes=10", "3x64x64"),
    ("googlenet:aux=true,num_classes=10", "3x224x224"),
    ("resnet18:option_a=true,num_classes=10", "3x64x64"),
    ("se_resnet50:num_classes=10", "3x64x64"),
    ("efficientnet_b0:num_classes=10", "3x64x64"),
    ("convnext_tiny:num_classes=10", "3x64x64"),
    ("vit_b_16:num_classes=10", "3x64x64"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("model", "input"), RUN)
def test_programs_compute_the_same(model: str, input: str | None) -> None:
    graph = network(model, input)
    module, program = build(graph), exported(graph)
    state = random_state(module)
    module.load_state_dict(state)
    program.load_state_dict(state)
    x = torch.rand(2, *graph.input_shape[1:], generator=torch.Generator().manual_seed(1))
    for ours, theirs in zip(outputs(module, x), outputs(program, x), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=0)


def plain(graph: Graph) -> dict[str, Any]:
    """What a network says of itself; initialisers and rules for checkpoints' names as plain values."""
    found = dict(graph.metadata)
    rules = starting_rules(graph).items()
    started = {path: called(r.function, r.written(graph.arguments)) if r else "" for path, r in rules}
    found["init"] = started, initialization(graph).source
    found["weights"] = [(w.ours, w.theirs) for w in found.get("weights", ())]
    return found


@pytest.mark.parametrize("name", one_in(3, NAMES))
def test_specs_round_trip(name: str) -> None:
    graph = network(name)
    again = lay_out(read_text(dump(graph), f"{name}.yaml"))
    assert again == graph
    assert plain(again) == plain(graph)
