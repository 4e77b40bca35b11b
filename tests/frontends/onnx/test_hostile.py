"""Damaged and hostile files are errors of ours, and take bounded time."""

from __future__ import annotations

import contextlib
import random
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper

from archinspect.errors import ArchinspectError
from archinspect.frontends.onnx import load_onnx
from archinspect.graph import Graph
from tests.support import run_cli

from .models import constant, graph_of, model_of, node, stored

X = {"x": [1, 4]}


def error_of(model: Any, **options: Any) -> Any:
    with pytest.raises(ArchinspectError) as caught:
        load_onnx(model, **options)
    (found,) = caught.value.diagnostics
    return found


@pytest.mark.parametrize(
    "content", [b"", b"no network", b"\x08\x07", b"PK\x03\x04" + bytes(60), bytes(range(256))]
)
def test_what_is_no_model_says_so(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(content)
    assert error_of(tmp_path / "net.onnx").code == "A605"
    done = run_cli("params", "net.onnx", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error[A605]")


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ([node("Relu", ["b"], ["a"]), node("Relu", ["a"], ["b"]), node("Relu", ["x"], ["y"])], "circle"),
        ([node("Relu", ["a"], ["a"]), node("Relu", ["x"], ["y"])], "circle"),
        ([node("Relu", ["nothing"], ["y"])], "reads 'nothing', which nothing computes"),
        ([node("Relu", ["x"], ["z"])], "nothing computes the output 'y'"),
        ([node("Relu", ["x"], ["y"]), node("Relu", ["x"], ["y"])], "two nodes compute 'y'"),
        ([node("Relu", ["x"], ["y"], domain="elsewhere")], "not imported"),
        ([node("Relu", ["x"], ["y"], strength=3)], "strength"),
        ([node("If", ["x"], ["y"])], "lacks a condition or a branch"),
        ([node("Loop", ["x"], ["y"])], "no body"),
    ],
)
def test_flows_that_cannot_be(nodes: list[Any], message: str) -> None:
    found = error_of(model_of(graph_of(nodes, X, ["y"])))
    assert found.code == "A605"
    assert message in " ".join(found.notes)


def test_nodes_in_any_order_are_read() -> None:
    nodes = [node("Relu", [f"v{i}"], [f"v{i + 1}"]) for i in reversed(range(500))]
    graph = load_onnx(model_of(graph_of([*nodes, node("Relu", ["x"], ["v0"])], X, ["v500"])))
    assert len(graph.layers) == 501


def test_shapes_that_do_not_suit_name_the_node() -> None:
    found = error_of(
        model_of(graph_of([node("MatMul", ["x", "w"], ["y"], name="head")], X, ["y"], [stored("w", 5, 3)]))
    )
    assert (found.code, "head" in found.message) == ("A305", True)
    assert "(1, 4), (5, 3)" in found.notes[0]


@pytest.mark.parametrize("location", ["/etc/passwd", "../secret", "a/../../b", ""])
def test_data_outside_the_folder_is_refused(location: str, tmp_path: Path) -> None:
    tensor = TensorProto(
        name="w", data_type=TensorProto.FLOAT, dims=[4, 3], data_location=TensorProto.EXTERNAL
    )
    tensor.external_data.add(key="location", value=location)
    model = model_of(graph_of([node("MatMul", ["x", "w"], ["y"])], X, ["y"], [tensor]))
    (tmp_path / "net.onnx").write_bytes(model.SerializeToString())
    assert error_of(tmp_path / "net.onnx").code == "A605"


def test_data_behind_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    (tmp_path / "secret").write_bytes(bytes(48))
    (inside / "w.data").symlink_to(tmp_path / "secret")
    tensor = TensorProto(
        name="w", data_type=TensorProto.FLOAT, dims=[4, 3], data_location=TensorProto.EXTERNAL
    )
    tensor.external_data.add(key="location", value="w.data")
    model = model_of(graph_of([node("MatMul", ["x", "w"], ["y"])], X, ["y"], [tensor]))
    (inside / "net.onnx").write_bytes(model.SerializeToString())
    assert error_of(inside / "net.onnx").code == "A605"


@pytest.mark.parametrize("dims", [[-1, 4], [2**62, 2**62], [2**40, 2**40]])
def test_impossible_sizes(dims: list[int]) -> None:
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=dims)
    assert error_of(model_of(graph_of([node("Add", ["x", "w"], ["y"])], X, ["y"], [tensor]))).code == "A605"


def test_data_that_do_not_fill_their_shape() -> None:
    tensor = TensorProto(name="w", data_type=TensorProto.INT64, dims=[4], raw_data=bytes(3))
    found = error_of(model_of(graph_of([node("Reshape", ["x", "w"], ["y"])], X, ["y"], [tensor])))
    assert (found.code, found.notes) == ("A605", ("the data of 'w' do not fill its shape [4]",))


def quickly(model: ModelProto) -> Graph | ArchinspectError:
    start = time.process_time()
    try:
        return load_onnx(model)
    except ArchinspectError as error:
        return error
    finally:
        assert time.process_time() - start < 30


def test_functions_that_call_themselves() -> None:
    model = model_of(graph_of([node("F", ["x"], ["y"], domain="d")], X, ["y"]), d=1)
    inside = [node("F", ["a"], ["b"], domain="d")]
    model.functions.append(
        helper.make_function("d", "F", ["a"], ["b"], inside, [helper.make_opsetid("d", 1)])
    )
    found = quickly(model)
    assert isinstance(found, ArchinspectError)


@pytest.mark.slow
def test_functions_that_double() -> None:
    # 2⁵⁰ nodes in a file of fifty functions.
    model = model_of(graph_of([node("F50", ["x"], ["y"], domain="d")], X, ["y"]), d=1)
    opsets = [helper.make_opsetid("d", 1), helper.make_opsetid("", 17)]
    for depth in range(1, 51):
        inside = [
            node(f"F{depth - 1}", ["a"], ["m"], domain="d"),
            node(f"F{depth - 1}", ["m"], ["b"], domain="d"),
        ]
        if depth == 1:
            inside = [node("Relu", ["a"], ["m"]), node("Relu", ["m"], ["b"])]
        model.functions.append(helper.make_function("d", f"F{depth}", ["a"], ["b"], inside, opsets))
    found = quickly(model)
    assert isinstance(found, ArchinspectError)
    assert found.diagnostics[0].code == "A103"


def test_constants_that_would_be_huge_are_not_made() -> None:
    big = np.array([2**20, 2**20], np.int64)
    nodes = [
        constant("sizes", big),
        node("ConstantOfShape", ["sizes"], ["zeros"]),
        constant("one", np.ones((1, 1), np.float32)),
        node("Expand", ["one", "sizes"], ["ones"]),
        node("Add", ["zeros", "ones"], ["sum"]),
        node("ReduceSum", ["sum"], ["all"], keepdims=1),
        node("Add", ["x", "all"], ["y"]),
    ]
    found = quickly(model_of(graph_of(nodes, X, ["y"])))
    assert isinstance(found, Graph)


def test_deep_and_unprintable_names_are_bounded() -> None:
    nodes = [
        node("Relu", ["x"], ["a"], name="/" + "/".join("s" * 1 for _ in range(3000)) + "/Relu"),
        node("Relu", ["a"], ["y"], name="/\x1b[31mred\n/../Relu"),
    ]
    graph = load_onnx(model_of(graph_of(nodes, X, ["y"])))
    assert all(n.name.isprintable() and n.name.count(".") < 50 for n in graph.nodes)


def test_sizes_that_the_file_does_not_say_are_asked_for() -> None:
    model = model_of(
        graph_of([node("Relu", ["image"], ["y"])], {"image": ["batch", 3, "height", "width"]}, ["y"])
    )
    found = error_of(model)
    assert found.code == "A402"
    assert found.notes == ("the file says image: batch × 3 × height × width", "missing: 'height', 'width'")
    assert load_onnx(model, inputs=[(1, 3, 5, 7)]).output_shape == (1, 3, 5, 7)
    for inputs in ({"picture": (1, 3, 5, 7)}, [(3, 5, 7)], [(1, 3, 5, 7)] * 2, [(1, 3, -1, 7)]):
        assert error_of(model, inputs=inputs).code == "A402"


def test_damage_of_any_kind_is_an_error_of_ours(tmp_path: Path) -> None:
    nodes = [
        node("Conv", ["x", "w"], ["a"], pads=[1, 1, 1, 1], name="/stem/Conv"),
        node("Shape", ["a"], ["s"]),
        constant("zero", np.array(0, np.int64)),
        node("Gather", ["s", "zero"], ["n"]),
        constant("axes", np.array([0], np.int64)),
        node("Unsqueeze", ["n", "axes"], ["ns"]),
        constant("rest", np.array([-1], np.int64)),
        node("Concat", ["ns", "rest"], ["to"], axis=0),
        node("Reshape", ["a", "to"], ["f"]),
        node("Gemm", ["f", "v", "b"], ["y"], transB=1),
    ]
    tensors = [stored("w", 4, 3, 3, 3), stored("v", 5, 64), stored("b", 5)]
    whole = model_of(graph_of(nodes, {"x": ["N", 3, 4, 4]}, ["y"], tensors)).SerializeToString()
    rng = random.Random(0)
    file = tmp_path / "net.onnx"
    for _ in range(300):
        damaged = bytearray(whole)
        for _ in range(rng.choice([1, 2, 5, 20])):
            place = rng.randrange(len(damaged))
            match rng.randrange(3):
                case 0:
                    damaged[place] = rng.randrange(256)
                case 1:
                    del damaged[place : place + rng.randrange(1, 20)]
                case _:
                    damaged[place:place] = rng.randbytes(rng.randrange(1, 9))
        file.write_bytes(damaged)
        with contextlib.suppress(ArchinspectError):
            load_onnx(file)
