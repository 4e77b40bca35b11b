"""Hand-made models: operators of old and new versions, branches, loops, functions, quantisation, unknown operators."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import AttributeProto, TensorProto, helper, numpy_helper

from archinspect.analysis import analyse
from archinspect.frontends.onnx import load_onnx
from archinspect.ops import Cost
from archinspect.ops.tensor import TensorOp

from .models import constant, graph_of, macs, model_of, node, params, stored

X = {"x": [1, 6, 8, 8]}


def only(
    operator: Any, inputs: dict[str, Any], *tensors: TensorProto, opset: int = 17, **domains: int
) -> Any:
    """The node of a model with one operator."""
    graph = load_onnx(model_of(graph_of([operator], inputs, operator.output[:1], tensors), opset, **domains))
    return graph.nodes[-1]


@pytest.mark.parametrize(
    ("operator", "tensors", "op"),
    [
        (node("Conv", ["x", "w"], ["y"], pads=[1, 1, 1, 1]), ["w 4 6 3 3"], "conv2d(4, 3, padding=1, bias=False)"),
        (
            node("Conv", ["x", "w", "b"], ["y"], strides=[2, 1], group=6, auto_pad="VALID"),
            ["w 6 1 3 1", "b 6"],
            "conv2d(6, (3, 1), stride=(2, 1), groups=6)",
        ),
        (
            node("Conv", ["x", "w"], ["y"], auto_pad="SAME_UPPER", dilations=[2, 2]),
            ["w 4 6 3 3"],
            "conv2d(4, 3, padding=2, dilation=2, bias=False)",
        ),
        (
            node("Conv", ["x", "w"], ["y"], auto_pad="SAME_UPPER"),
            ["w 4 6 2 2"],
            "conv2d(4, 2, padding='same', bias=False)",
        ),
        (
            node("ConvTranspose", ["x", "w"], ["y"], strides=[2, 2], output_padding=[1, 1], pads=[1, 1, 1, 1]),
            ["w 6 4 3 3"],
            "conv_transpose2d(4, 3, stride=2, padding=1, output_padding=1, bias=False)",
        ),
        (
            node("BatchNormalization", ["x", "s", "b", "m", "v"], ["y"], epsilon=1e-3),
            ["s 6", "b 6", "m 6", "v 6"],
            "batch_norm2d(eps=0.001)",
        ),
        (node("InstanceNormalization", ["x", "s", "b"], ["y"]), ["s 6", "b 6"], "instance_norm2d(affine=True)"),
        (node("LRN", ["x"], ["y"], size=5, bias=2.0), [], "local_response_norm(5, k=2)"),
        (node("MaxPool", ["x"], ["y"], kernel_shape=[3, 3], strides=[2, 2]), [], "max_pool2d(3, stride=2)"),
        (
            node("AveragePool", ["x"], ["y"], kernel_shape=[3, 3], strides=[1, 1], pads=[1, 1, 1, 1]),
            [],
            "avg_pool2d(3, stride=1, padding=1, count_include_pad=False)",
        ),
        (node("GlobalAveragePool", ["x"], ["y"]), [], "adaptive_avg_pool2d(1)"),
        (node("PRelu", ["x", "a"], ["y"]), ["a 6 1 1"], "prelu(num_parameters=6)"),
        (node("LeakyRelu", ["x"], ["y"], alpha=0.1), [], "leaky_relu(negative_slope=0.1)"),
        (node("HardSigmoid", ["x"], ["y"], alpha=1 / 6), [], "hardsigmoid()"),
        (node("Softmax", ["x"], ["y"], axis=1), [], "softmax()"),
        (node("Flatten", ["x"], ["y"]), [], "flatten()"),
        (node("Transpose", ["x"], ["y"], perm=[0, 2, 3, 1]), [], "permute((0, 2, 3, 1))"),
        (node("Add", ["x", "x"], ["y"]), [], "add()"),
        (node("Concat", ["x", "x"], ["y"], axis=1), [], "concat()"),
        (node("DepthToSpace", ["x2"], ["y"], blocksize=2, mode="CRD"), [], "pixel_shuffle(2)"),
    ],
)  # fmt: skip
def test_what_is_exactly_a_layer_is_that_layer(operator: Any, tensors: list[str], op: str) -> None:
    inputs = {"x2": [1, 8, 5, 5]} if "x2" in operator.input else X
    made = [stored(name, *map(int, sizes)) for name, *sizes in map(str.split, tensors)]
    found = only(operator, inputs, *made)
    assert str(found.op) == op
    assert sum(p.numel for p in found.parameters.values()) == sum(int(np.prod(t.dims)) for t in made)
    assert {name for name, p in found.parameters.items() if p.buffer} <= {"running_mean", "running_var"}


def test_padding_that_the_language_cannot_say_costs_the_same() -> None:
    found = only(
        node("Conv", ["x", "w"], ["y"], pads=[0, 0, 1, 1], strides=[2, 2]), X, stored("w", 4, 6, 3, 3)
    )
    assert isinstance(found.op, TensorOp)
    assert (found.op.type, found.cost, found.weights) == (
        "conv2d",
        Cost(macs=54 * 4 * 16),
        {"weight": (4, 6, 3, 3)},
    )


def test_weights_that_are_computed_make_no_layer() -> None:
    found = only(node("Conv", ["x", "w"], ["y"]), {**X, "w": [4, 6, 3, 3]})
    assert isinstance(found.op, TensorOp)
    assert (found.inputs, found.weights, found.cost.macs) == ((0, 1), {}, 54 * 4 * 36)


@pytest.mark.parametrize("opset", [9, 12])
def test_softmax_before_version_13_sums_all_dimensions_from_its_axis(opset: int) -> None:
    found = only(node("Softmax", ["x"], ["y"], axis=1), X, opset=opset)
    assert found.cost == Cost(elementwise=4 * 384 - 1, comparisons=383)


@pytest.mark.parametrize(("opset", "given"), [(9, {"axes": [2]}), (13, {}), (17, {})])
def test_shapes_of_shapes_are_worked_out_in_every_version(opset: int, given: dict[str, Any]) -> None:
    squeeze = [] if given else ["two"]
    nodes = [
        constant("two", np.array([0], np.int64)),
        constant("axis", np.array(1, np.int64)),
        constant("rest", np.array([-1], np.int64)),
        node("Shape", ["x"], ["s"]),
        node("Gather", ["s", "axis"], ["c"]),
        node("Unsqueeze", ["c", *squeeze], ["cs"], **({"axes": [0]} if given else {})),
        node("Concat", ["cs", "rest"], ["to"], axis=0),
        node("Reshape", ["x", "to"], ["y"]),
    ]
    graph = load_onnx(model_of(graph_of(nodes, X, ["y"]), opset))
    assert [n.output_shape for n in graph.layers] == [(6, 64)]


def test_a_product_and_the_sum_behind_it_are_one_linear_layer() -> None:
    nodes = [
        node("MatMul", ["x", "w"], ["p"], name="/head/MatMul"),
        node("Add", ["b", "p"], ["y"], name="/head/Add"),
    ]
    graph = load_onnx(model_of(graph_of(nodes, {"x": [2, 3, 4]}, ["y"], [stored("w", 4, 5), stored("b", 5)])))
    (layer,) = graph.layers
    assert (layer.name, str(layer.op), layer.cost) == ("head", "linear(5)", Cost(macs=120, bias_adds=30))


def test_a_product_that_others_read_stays_one() -> None:
    nodes = [node("MatMul", ["x", "w"], ["p"]), node("Add", ["p", "b"], ["y"]), node("Relu", ["p"], ["z"])]
    graph = load_onnx(
        model_of(graph_of(nodes, {"x": [2, 4]}, ["y", "z"], [stored("w", 4, 5), stored("b", 5)]))
    )
    assert [n.op.type for n in graph.layers] == ["linear", "add", "relu"]
    assert params(graph) == 25


def test_stored_tensors_are_counted_once_and_looked_through() -> None:
    nodes = [
        node("Transpose", ["w"], ["t"], perm=[1, 0]),
        node("MatMul", ["x", "t"], ["a"]),
        node("Relu", ["a"], ["r"]),
        node("MatMul", ["r", "w"], ["y"]),
    ]
    graph = load_onnx(model_of(graph_of(nodes, {"x": [1, 4]}, ["y"], [stored("w", 5, 4)])))
    assert [n.op.type for n in graph.layers] == ["linear", "relu", "linear"]
    assert (params(graph), macs(graph)) == (20, 40)
    assert analyse(graph).totals.params == 20


def test_constants_of_formulas_are_no_parameters_and_unread_numbers_are() -> None:
    nodes = [constant("two", np.float32(2)), node("Mul", ["x", "two"], ["a"]), node("Div", ["a", "s"], ["y"])]
    tensors = [stored("s"), stored("layer.unused", 3), stored("ids", 7, dtype=np.int64)]
    graph = load_onnx(model_of(graph_of(nodes, X, ["y"], tensors)))
    assert [p.names for p in graph.parameters] == [("layer.unused",)]
    assert graph.nodes[-1].values == ()


# Branches, loops, functions.


def branches() -> Any:
    then = graph_of([node("Relu", ["x"], ["a"])], {}, ["a"])
    other = graph_of([node("MatMul", ["x", "inner"], ["b"])], {}, ["b"], [stored("inner", 4, 4)])
    return node("If", ["c"], ["y"], then_branch=then, else_branch=other)


def test_a_branch_whose_condition_is_known_is_taken() -> None:
    graph = load_onnx(model_of(graph_of([constant("c", False), branches()], {"x": [1, 4]}, ["y"])))
    assert [n.op.type for n in graph.layers] == ["linear"]


def test_a_branch_that_depends_on_values_is_opaque_with_its_shape_and_parameters() -> None:
    graph = load_onnx(model_of(graph_of([branches()], {"x": [1, 4], "c": (TensorProto.BOOL, [])}, ["y"])))
    (found,) = graph.layers
    assert (found.output_shape, found.cost) == ((1, 4), None)
    assert params(graph) == 16
    assert not analyse(graph).totals.complete


def loop(count: Any) -> Any:
    body = graph_of(
        [
            node("MatMul", ["state", "w"], ["next"]),
            node("Identity", ["going"], ["goes_on"]),
            node("Identity", ["next"], ["each"]),
        ],
        {"i": (TensorProto.INT64, []), "going": (TensorProto.BOOL, []), "state": [1, 4]},
        ["goes_on", "next", "each"],
    )
    nodes = [constant("true", True), node("Loop", ["count", "true", "x"], ["y", "all"], body=body)]
    inputs: dict[str, Any] = {"x": [1, 4]}
    if count is None:
        inputs["count"] = (TensorProto.INT64, [])
    else:
        nodes.insert(0, constant("count", np.int64(count)))
    return load_onnx(model_of(graph_of(nodes, inputs, ["y", "all"], [stored("w", 4, 4)])))


def test_a_loop_is_unrolled_where_its_turns_are_known() -> None:
    graph = loop(3)
    assert (macs(graph), params(graph)) == (48, 16)
    assert [graph.nodes[i].output_shape for i in graph.outputs] == [(1, 4), (3, 1, 4)]
    unknown = loop(None)
    assert (macs(unknown), params(unknown)) == (0, 16)
    assert not analyse(unknown).totals.complete


def test_functions_are_followed_with_their_attributes() -> None:
    inside = [node("MatMul", ["a", "b"], ["m"]), node("LeakyRelu", ["m"], ["r"], name="act")]
    function = helper.make_function(
        "ours", "Block", ["a", "b"], ["r"], inside, [helper.make_opsetid("", 17)], ["slope"]
    )
    named = AttributeProto(name="alpha", ref_attr_name="slope", type=AttributeProto.FLOAT)
    function.node[1].attribute.append(named)
    nodes = [
        node("Block", ["x", "w"], ["p"], domain="ours", name="first", slope=0.3),
        node("Block", ["p", "w"], ["y"], domain="ours", name="second", slope=0.2),
    ]
    model = model_of(graph_of(nodes, {"x": ["N", 4]}, ["y"], [stored("w", 4, 4)]), ours=1)
    model.functions.append(function)
    graph = load_onnx(model)
    assert [(n.name, str(n.op)) for n in graph.layers] == [
        ("first.linear", "linear(4, bias=False)"),
        ("first.act", "leaky_relu(negative_slope=0.3)"),
        ("second.linear", "linear(4, bias=False)"),
        ("second.act", "leaky_relu(negative_slope=0.2)"),
    ]


def test_sequences_of_known_tensors_are_followed() -> None:
    nodes = [
        node("SplitToSequence", ["x"], ["parts"], axis=1),
        constant("one", np.int64(1)),
        node("SequenceAt", ["parts", "one"], ["second"]),
        node("ConcatFromSequence", ["parts"], ["y"], axis=0),
    ]
    graph = load_onnx(model_of(graph_of(nodes, {"x": [2, 3, 4]}, ["y", "second"])))
    assert [graph.nodes[i].values[port].shape for i, port in zip(graph.outputs, graph.output_ports, strict=True)] == [
        (6, 1, 4), (2, 1, 4),
    ]  # fmt: skip


# Quantised and unknown operators, sizes that depend on values.


def test_quantised_convolutions_count_and_keep_scales_as_buffers() -> None:
    weights = [
        numpy_helper.from_array(np.float32(0.1), "scale"),
        numpy_helper.from_array(np.uint8(0), "zero"),
        stored("w", 4, 6, 3, 3, dtype=np.int8),
        stored("ws", 4),
        stored("wz", 4, dtype=np.int8),
        stored("b", 4, dtype=np.int32),
    ]
    separate = [
        node("QuantizeLinear", ["x", "scale", "zero"], ["q"]),
        node("DequantizeLinear", ["q", "scale", "zero"], ["d"]),
        node("DequantizeLinear", ["w", "ws", "wz"], ["wd"], axis=0),
        node("DequantizeLinear", ["b", "ws"], ["bd"]),
        node("Conv", ["d", "wd", "bd"], ["y"]),
    ]
    graph = load_onnx(model_of(graph_of(separate, X, ["y"], weights)))
    assert [n.op.type for n in graph.layers] == ["quantize", "dequantize", "conv2d"]
    assert (params(graph), macs(graph)) == (4 * 54 + 4, 54 * 4 * 36)
    assert {p.dtype for p in graph.parameters if not p.buffer} == {"int8", "int32"}

    fused = node("QLinearConv", ["x", "scale", "zero", "w", "ws", "wz", "scale", "zero", "b"], ["y"])
    found = only(fused, {"x": (TensorProto.UINT8, [1, 6, 8, 8])}, *weights)
    assert str(found.op) == "conv2d(4, 3)"
    assert found.cost.macs == 54 * 4 * 36


def test_packed_types_count_numbers_and_take_bits() -> None:
    packed = helper.make_tensor("w", TensorProto.INT4, [4, 8], [1] * 32)
    nodes = [node("DequantizeLinear", ["w", "s"], ["d"]), node("MatMul", ["x", "d"], ["y"])]
    graph = load_onnx(model_of(graph_of(nodes, {"x": [1, 4]}, ["y"], [packed, stored("s")]), 21))
    weight = next(p for p in graph.parameters if not p.buffer)
    assert (weight.numel, weight.bytes) == (32, 16)


def test_an_operator_of_a_runtime_has_the_shapes_that_are_known() -> None:
    nodes = [
        node("SkipLayerNormalization", ["x", "x2", "g", "b"], ["n"], domain="com.microsoft"),
        node(
            "MatMulNBits", ["n", "w", "s"], ["y"], domain="com.microsoft", K=64, N=32, bits=4, block_size=32
        ),
    ]
    tensors = [stored("g", 64), stored("b", 64), stored("w", 32, 2, 16, dtype=np.uint8), stored("s", 64)]
    inputs = {"x": [1, 5, 64], "x2": [1, 5, 64]}
    graph = load_onnx(model_of(graph_of(nodes, inputs, ["y"], tensors), com_microsoft=1))
    assert graph.output_shape == (1, 5, 32)
    assert macs(graph) == 5 * 64 * 32


def test_an_unknown_operator_is_opaque_and_what_depends_on_it_is_not_counted() -> None:
    nodes = [node("Mystery", ["x"], ["a"], domain="elsewhere"), node("Relu", ["a"], ["y"])]
    graph = load_onnx(model_of(graph_of(nodes, X, ["y"]), elsewhere=1))
    assert [(n.op.type, n.cost) for n in graph.layers] == [("mystery", None), ("relu", None)]
    assert "the first is Mystery" in graph.metadata["notes"][1]


def test_a_shape_that_the_file_declares_is_taken_for_an_unknown_operator() -> None:
    model = model_of(
        graph_of([node("Mystery", ["x"], ["a"], domain="elsewhere"), node("Relu", ["a"], ["y"])], X, ["y"]),
        elsewhere=1,
    )
    model.graph.value_info.append(helper.make_tensor_value_info("a", TensorProto.FLOAT, [1, 9]))
    graph = load_onnx(model)
    assert (graph.output_shape, graph.nodes[-1].cost) == ((1, 9), Cost(comparisons=9))


def test_sizes_that_depend_on_values_are_not_counted() -> None:
    nodes = [
        node("NonZero", ["x"], ["places"]),
        node("Cast", ["places"], ["f"], to=TensorProto.FLOAT),
        node("Transpose", ["f"], ["t"], perm=[1, 0]),
        node("MatMul", ["t", "w"], ["y"]),
    ]
    graph = load_onnx(model_of(graph_of(nodes, {"x": [5, 6]}, ["y"], [stored("w", 2, 8)])))
    assert (graph.output_shape, graph.nodes[-1].cost, params(graph)) == ((1, 8), None, 16)


# Inputs.


def tokens() -> onnx.ModelProto:
    nodes = [node("Gather", ["table", "ids"], ["e"]), node("Mul", ["e", "mask"], ["y"])]
    inputs = {"ids": (TensorProto.INT64, ["batch", "length"]), "mask": ["batch", "length", 1]}
    return model_of(graph_of(nodes, inputs, ["y"], [stored("table", 30, 4)]))


@pytest.mark.parametrize(
    "inputs", [{"ids": (1, 7)}, [(1, 7)], {"length": 7}, {"length": (7,)}, {"ids": (1, 7), "mask": (1, 7, 1)}]
)
def test_one_shape_says_what_names_of_sizes_mean(inputs: Any) -> None:
    graph = load_onnx(tokens(), inputs=inputs)
    assert [n.output_shape for n in graph.nodes] == [(1, 7), (1, 7, 1), (1, 7, 4), (1, 7, 4)]


def test_another_batch_doubles_what_depends_on_it() -> None:
    one, two = (load_onnx(tokens(), inputs={"ids": (batch, 7)}) for batch in (1, 2))
    assert params(one) == params(two) == 120
    assert analyse(two).totals.flops == 2 * analyse(one).totals.flops


def test_weights_that_are_cut_and_joined_before_a_layer_reads_them_are_counted() -> None:
    """PyTorch's exporter puts the gates of a recurrent layer into ONNX's order by `Slice` and `Concat`."""
    nodes = [constant("axes", np.asarray([0], np.int64))]
    for name in ("lstm.weight_ih_l0", "lstm.weight_hh_l0"):
        for part, (start, end) in enumerate([(0, 3), (9, 12), (3, 6), (6, 9)]):
            begin, stop = (np.asarray([place], np.int64) for place in (start, end))
            nodes += [constant(f"{name}{part}from", begin), constant(f"{name}{part}to", stop)]
            cut = [name, f"{name}{part}from", f"{name}{part}to", "axes"]
            nodes.append(node("Slice", cut, [f"{name}{part}"]))
        nodes.append(node("Concat", [f"{name}{part}" for part in range(4)], [f"{name}joined"], axis=0))
        nodes.append(node("Unsqueeze", [f"{name}joined", "axes"], [f"{name}whole"]))
    read = ["x", "lstm.weight_ih_l0whole", "lstm.weight_hh_l0whole"]
    nodes.append(node("LSTM", read, ["y"], hidden_size=3))
    tensors = [stored("lstm.weight_ih_l0", 12, 4), stored("lstm.weight_hh_l0", 12, 3)]
    graph = load_onnx(model_of(graph_of(nodes, {"x": [5, 1, 4]}, ["y"], tensors)))
    assert params(graph) == 12 * 4 + 12 * 3
    assert macs(graph) == 5 * (12 * 4 + 12 * 3)
