"""Two engines on random networks: closed-form shapes, weights and MACs equal those of the module as it runs."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from torch.utils.flop_counter import FlopCounterMode

from archinspect.graph import Graph
from archinspect.pytorch import build
from tests.strategies_networks import networks

pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")


def agree(graph: Graph) -> None:
    """The module, run on the meta device and watched from outside, is what the graph says."""
    module = build(graph, device="meta").eval()
    shapes: dict[str, tuple[int, ...]] = {}

    def note(name: str) -> Any:
        return lambda _module, _inputs, output: shapes.__setitem__(name, tuple(output.shape))

    for node in graph.layers:
        if node.op.torch_call(node.input_shapes).is_module:
            module.get_submodule(node.name).register_forward_hook(note(node.name))
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        outputs = module(torch.empty(graph.input_shape, device="meta"))
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)

    assert [tuple(output.shape) for output in outputs] == [graph.nodes[i].output_shape for i in graph.outputs]
    assert shapes == {name: graph.by_name[name].output_shape for name in shapes}
    assert len(shapes) == sum(node.op.torch_call(node.input_shapes).is_module for node in graph.layers)
    parameters = {name: tuple(p.shape) for name, p in module.named_parameters()}
    assert parameters == {
        f"{node.name}.{w}": shape for node in graph.layers for w, shape in node.weights.items()
    }
    buffers = {name: tuple(b.shape) for name, b in module.named_buffers()}
    assert buffers == {
        f"{node.name}.{b}": shape for node in graph.layers for b, shape in node.buffers.items()
    }
    assert counter.get_total_flops() == 2 * sum(node.cost.macs for node in graph.layers if node.cost)


@given(networks())
def test_closed_form_and_module_agree(graph: Graph) -> None:
    agree(graph)


@pytest.mark.slow
@settings(max_examples=250)
@given(networks(max_layers=60))
def test_closed_form_and_module_agree_on_hundreds(graph: Graph) -> None:
    agree(graph)


@pytest.mark.many
@settings(max_examples=20_000)
@given(networks(max_layers=60))
def test_closed_form_and_module_agree_on_tens_of_thousands(graph: Graph) -> None:
    agree(graph)
