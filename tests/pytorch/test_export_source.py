"""The exported program: the same module as `build` makes, without archinspect, in text worth reading."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings

from archinspect.frontends.spec import load_graph, shipped
from archinspect.graph import Graph
from archinspect.pytorch import build, export_source
from tests.spec.support import graph_of
from tests.strategies_networks import networks
from tests.support import one_in

from .programs import exported, outputs, same

#: weights of gigabytes are built on the meta device alone
LARGE = ("llama3_1b", "mixtral_8x7b")
SMALL = ("lenet5", "mobilenet_v1", "squeezenet1_1", "resnet18")

pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")


@pytest.mark.parametrize("name", one_in(2, shipped()))
def test_a_network_and_its_program_have_the_same_state(name: str) -> None:
    graph = load_graph(name)
    with torch.device("meta"):
        theirs = exported(graph).state_dict()
    ours = build(graph, device="meta").state_dict()
    assert [(k, v.shape, v.dtype) for k, v in ours.items()] == [
        (k, v.shape, v.dtype) for k, v in theirs.items()
    ]


@pytest.mark.parametrize("name", SMALL)
def test_a_network_and_its_program_compute_the_same(name: str) -> None:
    same(load_graph(name))


@pytest.mark.slow
@pytest.mark.parametrize("name", one_in(3, [name for name in shipped() if name not in (*SMALL, *LARGE)]))
def test_every_network_and_its_program_compute_the_same(name: str) -> None:
    same(load_graph(name))


@pytest.mark.parametrize("setting", [{"aux": True}, {"num_classes": 7}])
def test_side_outputs_and_arguments_are_exported(setting: dict[str, object]) -> None:
    graph = load_graph("googlenet", arguments=setting)
    with torch.device("meta"):
        module = exported(graph)
        found = outputs(module, torch.empty(2, 3, 224, 224))
    assert [tuple(x.shape) for x in found] == [(2, graph.nodes[i].output_shape[1]) for i in graph.outputs]


@settings(max_examples=20)
@given(networks(max_layers=40))
def test_random_networks_and_their_programs_are_the_same(graph: Graph) -> None:
    same(graph)


@pytest.mark.slow
@settings(max_examples=150)
@given(networks(max_layers=60))
def test_hundreds_of_networks_and_their_programs_are_the_same(graph: Graph) -> None:
    same(graph)


@pytest.mark.parametrize("name", one_in(2, shipped()))
def test_the_text_is_the_same_each_time_and_reads_well(name: str) -> None:
    source = export_source(load_graph(name))
    assert source == export_source(load_graph(name))
    imported = {
        getattr(node, "module", None) or node.names[0].name
        for node in ast.walk(ast.parse(source))
        if isinstance(node, (ast.Import, ast.ImportFrom))
    }
    assert imported <= {"__future__", "collections", "math", "torch", "torch.nn.functional"}
    assert max(map(len, source.splitlines())) <= 110
    assert not any(line != line.rstrip() for line in source.splitlines())


def test_the_program_runs_where_archinspect_is_not(tmp_path: Path) -> None:
    program = tmp_path / "net.py"
    program.write_text(export_source(load_graph("lenet5")), encoding="utf-8")
    blocker = "import runpy, sys; sys.modules['archinspect'] = None; runpy.run_path(sys.argv[1], run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-I", "-c", blocker, str(program)], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("(1, 10)\n", "")


def test_blocks_become_classes_and_what_differs_a_parameter() -> None:
    source = export_source(load_graph("resnet50"))
    classes = [node.name for node in ast.parse(source).body if isinstance(node, ast.ClassDef)]
    assert classes == ["ConvBN", "Bottleneck", "ResNet50"]
    assert "block1=Bottleneck(64, 64, shortcut=ConvBN(64, 256, 1))," in source
    assert '**{f"block{i}": Bottleneck(1024, 256) for i in range(2, 7)},' in source
    assert "x = self.residual(x) + self.shortcut(x)" in source
    assert len(source.splitlines()) < 150


AWKWARD = """
name: awkward
title: An "awkward" \\ network
input: 4x8x8
init: {linear: normal(std=0.01), multihead_attention: xavier_uniform}
blocks:
  unit(torch, nn=1, self_=2):
    - __mangled: conv2d(torch, 3, padding=nn, groups=self_)
    - print: relu() if self_ > 1 else hardswish()
  pick(super):
    - concat:
        list: slice_channels(0, super)
        F: slice_channels(super, in_channels)
layers:
  - append:
      - extend: unit(4)
      - math: unit(8, 1, 1)
  - side_output:
      x: identity
      torch: adaptive_avg_pool2d(1) -> flatten
  - pick1: pick(2)
  - pick2: pick(3)
  - initialise: dropout(0.1)
  - tokens: tokens()
  - attention: multihead_attention(2)
  - sequential: linear(3)
"""


def test_names_that_mean_something_in_python_or_pytorch() -> None:
    graph = graph_of(AWKWARD)
    same(graph)
    keys = exported(graph).state_dict()
    assert "append.extend.__mangled.weight" in keys
    assert "sequential.weight" in keys


def test_initialisers_are_exported_for_the_layers_of_their_op_only() -> None:
    torch.manual_seed(0)
    graph = graph_of(
        "name: n\ninput: 64x4x4\ninit: {linear: constant(val=0.5)}\nlayers:\n"
        "  - tokens: tokens()\n  - attention: multihead_attention(2)\n  - fc: linear(3)"
    )
    for module in (exported(graph), build(graph)):
        assert set(module.get_parameter("fc.weight").flatten().tolist()) == {0.5}
        assert len(set(module.get_parameter("fc.bias").tolist())) == 3
        assert len(set(module.get_parameter("attention.out_proj.weight").flatten().tolist())) > 100
