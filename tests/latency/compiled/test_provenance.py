"""Which nodes of the compiler's graph an operation computes: by dataflow, on graphs whose answer is known."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import fx

from archinspect.frontends.spec import load_graph
from archinspect.latency.measure.instrument import segments
from archinspect.latency.measure.provenance import (
    Lines,
    NotUnderstoodError,
    Operation,
    computed,
    layers_of,
    only_in_parts,
    viewed,
)
from archinspect.pytorch import build

ATEN = torch.ops.aten


class Net:
    """x → conv (w1) → sub → relu → conv2 (w2) → view → mean, as a compiler's graph has it."""

    def __init__(self) -> None:
        self.graph = fx.Graph()
        self.x, self.w1, self.w2, self.m = map(self.graph.placeholder, ("x", "w1", "w2", "m"))
        self.conv = self.call(ATEN.convolution.default, self.x, self.w1)
        self.sub = self.call(ATEN.sub.Tensor, self.conv, self.m)
        self.relu = self.call(ATEN.relu.default, self.sub)
        self.conv2 = self.call(ATEN.convolution.default, self.relu, self.w2)
        self.view = self.call(ATEN.view.default, self.conv2, [1, -1])
        self.mean = self.call(ATEN.mean.dim, self.view, [1])
        self.all = frozenset(self.graph.nodes)

    def call(self, target: Any, *args: Any) -> fx.Node:
        return self.graph.call_function(target, args)


NET = Net()


@pytest.mark.parametrize(
    ("operation", "whole", "part"),
    [
        # its own value from what lies before
        (Operation(NET.relu, True, NET.all, (NET.sub,)), {NET.relu}, set()),
        # and what was inlined on the way
        (Operation(NET.relu, True, NET.all, (NET.conv, NET.m)), {NET.sub, NET.relu}, set()),
        # weights in another layout: the convolution's input was once made of all this, and nothing of it is computed
        (Operation(NET.conv2, False, NET.all, (NET.w2,)), set(), {NET.conv2}),
        # an input in another layout, made on the way
        (Operation(NET.conv2, False, NET.all, (NET.conv, NET.m)), {NET.sub, NET.relu}, {NET.conv2}),
        # a part of a sum, and the sum from its parts
        (Operation(NET.mean, False, NET.all, (NET.conv2,)), set(), {NET.mean}),
        (Operation(NET.mean, True, NET.all, (), (NET.mean,)), {NET.mean}, set()),
        # the rest of a layer whose first part a library did (a GPU's convolution, its bias added with what follows)
        (Operation(NET.relu, True, NET.all, (NET.m,), (NET.conv,)), {NET.conv, NET.sub, NET.relu}, set()),
        # a view is its base, unless it has to be copied
        (Operation(NET.view, True, NET.all, (NET.relu, NET.w2)), {NET.conv2}, set()),
        (Operation(NET.view, True, NET.all, (NET.conv2,)), {NET.view}, set()),
        # a library's call has its inputs ready, and inductor's notes name what they were made of
        (Operation(NET.conv2, True, frozenset([NET.conv2]), (NET.relu, NET.w2)), {NET.conv2}, set()),
    ],
)
def test_an_operation_computes_what_lies_between_what_it_reads_and_what_it_is_for(
    operation: Operation, whole: set[fx.Node], part: set[fx.Node]
) -> None:
    assert computed(operation) == (frozenset(whole), frozenset(part))


def test_views_are_seen_through() -> None:
    assert viewed(NET.view) is NET.conv2
    assert viewed(NET.relu) is NET.relu


def test_a_value_that_is_read_is_not_computed_again_though_another_branch_recomputes_it() -> None:
    """relu was inlined here and written for conv2: what reads both the relu's input and conv2 computes the relu."""
    net = Net()
    add = net.call(ATEN.add.Tensor, net.relu, net.conv2)
    everything = frozenset(net.graph.nodes)
    recomputing = Operation(add, True, everything, (net.conv, net.m, net.conv2))
    assert computed(recomputing)[0] == {net.sub, net.relu, add}
    reading = Operation(add, True, everything, (net.relu, net.conv2))
    assert computed(reading)[0] == {add}


@st.composite
def programs(draw: st.DrawFn) -> tuple[list[tuple[int, int]], list[bool]]:
    """Steps that each read two earlier values, and whether each value is written to memory."""
    count = draw(st.integers(1, 9))
    steps = [(draw(st.integers(0, i)), draw(st.integers(0, i))) for i in range(count)]
    return steps, [True, *(draw(st.booleans()) for _ in range(count - 1)), True]


@given(programs())
def test_whatever_is_written_and_inlined_the_answer_is_what_running_it_would_do(
    program: tuple[list[tuple[int, int]], list[bool]],
) -> None:
    steps, written = program
    graph = fx.Graph()
    values = [graph.placeholder("x")]
    for left, right in steps:
        values.append(graph.call_function(ATEN.add.Tensor, (values[left], values[right])))

    def inlined(index: int) -> tuple[set[int], set[int]]:
        """(steps that computing a value runs, values that it reads from memory)."""
        runs, reads = {index}, set[int]()
        for source in steps[index - 1]:
            if written[source]:
                reads.add(source)
            else:
                more, behind = inlined(source)
                runs |= more
                reads |= behind
        return runs, reads

    for index in range(1, len(values)):
        if written[index]:
            runs, reads = inlined(index)
            operation = Operation(
                values[index], True, frozenset(values), tuple(values[i] for i in sorted(reads))
            )
            assert computed(operation) == ({values[i] for i in runs}, frozenset())


# From nodes to layers

LINE = load_graph("conv2d(8, 3) -> relu -> flatten -> linear(4)", input="3x8x8")
MODULE = build(LINE)


def traced(line: int, file: str | None = None) -> fx.Node:
    """A node that was traced while that line ran."""
    node = fx.Graph().placeholder("x")
    file = file or MODULE.forward.__code__.co_filename
    node.meta["stack_trace"] = (
        f'  File "{file}", line {line}, in forward\n    conv2d = self.conv2d(x);  x = None\n'
        '  File "torch/nn/modules/conv.py", line 553, in forward\n    return self._conv_forward(input)'
    )
    return node


def first_line() -> int:
    lines = MODULE.code.splitlines()
    return next(number for number, text in enumerate(lines, 1) if "self.conv2d(" in text)


def test_a_step_belongs_to_the_layer_whose_line_it_was_traced_at() -> None:
    lines = Lines(MODULE, segments(MODULE, LINE))
    at = first_line()
    assert [lines.layer(traced(at + i)) for i in range(4)] == ["conv2d", "relu", "flatten", "linear"]


@pytest.mark.parametrize("node", [traced(1), traced(5, "elsewhere.py"), fx.Graph().placeholder("x")])
def test_a_step_from_elsewhere_is_refused_and_not_guessed(node: fx.Node) -> None:
    lines = Lines(MODULE, segments(MODULE, LINE))
    with pytest.raises(NotUnderstoodError, match="no layer is known for the step"):
        lines.layer(node)


def test_a_kernel_computes_the_layers_of_its_operations_and_prepares_the_others() -> None:
    lines = Lines(MODULE, segments(MODULE, LINE))
    graph = fx.Graph()
    weight = graph.placeholder("weight")
    relu, linear = (graph.call_function(ATEN.relu.default, (weight,)) for _ in range(2))
    for node, line in ((relu, first_line() + 1), (linear, first_line() + 3)):
        node.meta["stack_trace"] = traced(line).meta["stack_trace"]
    kernel = [
        Operation(relu, True, frozenset([relu]), (weight,)),
        Operation(linear, False, frozenset([linear]), (weight,)),
        Operation(relu, False, frozenset([relu]), (weight,)),
    ]
    assert layers_of(kernel, lines) == ({"relu"}, {"linear"})


def test_a_layer_of_which_there_are_only_parts_is_computed_by_them() -> None:
    none = frozenset[str]()
    kernels = [
        (frozenset({"a"}), frozenset({"concat"})),
        (none, frozenset({"concat", "b"})),
        (frozenset({"b"}), none),
    ]
    assert only_in_parts(kernels) == {0: {"concat"}, 1: {"concat"}, 2: none}
