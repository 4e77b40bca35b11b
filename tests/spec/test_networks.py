"""Networks inside networks: whole, up to a layer, shared, with several inputs, and mistakes with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from archinspect.errors import ArchinspectError
from archinspect.frontends.spec import dump, load_graph
from archinspect.graph import Scope

from ..support import run_cli
from .support import graph_of, layers, names, refused

HEAD = "name: net\ninput: 3x64x64\nlayers:\n"


def test_a_network_is_a_scope_with_its_own_arguments() -> None:
    graph = layers("  - backbone: resnet18(num_classes=512)\n  - fc: linear(10)\n", "3x64x64")
    alone = load_graph("resnet18", arguments={"num_classes": 512}, input="3x64x64")
    assert names(graph) == [*(f"backbone.{name}" for name in names(alone)), "fc"]
    assert sum(graph.learnt) == sum(alone.learnt) + 513 * 10
    assert [n.weights for n in graph.layers[:-1]] == [n.weights for n in alone.layers]
    assert names(graph_of(dump(graph))) == names(graph)


def test_each_use_has_its_own_arguments_and_blocks() -> None:
    graph = layers(
        "  - a: resnet18(num_classes=4)\n  - b: input -> resnet50(num_classes=5)\n"
        "  - c: input -> resnet18(num_classes=6)\n  - all: concat(a, b, c)\n",
        "3x64x64",
    )
    assert graph.output_shape == (1, 4 + 5 + 6)


def test_a_network_ends_where_until_says() -> None:
    for place, width in (("conv5_x", 512), ("conv4_x.block1", 256), ("conv1.conv", 64), ("pool", 512)):
        graph = layers(f"  - body: resnet18(until={place})\n  - head: relu\n", "3x64x64")
        assert graph.nodes[-2].name.startswith(f"body.{place}")
        assert graph.output_shape[1] == width
        assert all(graph.consumers[i] or i in graph.outputs for i in range(len(graph.nodes)))
    assert load_graph("resnet18(until=conv2_x) -> relu", input="3x64x64").output_shape == (1, 64, 16, 16)


def test_a_network_is_shared_and_reads_several_values() -> None:
    twice = layers("  - a: resnet18\n  - b: input -> same_as(a)\n  - d: subtract(a, b)\n", "3x64x64")
    assert sum(twice.learnt) == sum(load_graph("resnet18", input="3x64x64").learnt)
    pair = graph_of("name: n\ninputs: {x: 1x105x105, y: 1x105x105}\nlayers:\n  - s: siamese(y, right=x)\n")
    assert sum(pair.learnt) == sum(load_graph("siamese").learnt)


def test_a_file_beside_the_spec_is_a_network(tmp_path: Path) -> None:
    (tmp_path / "tail.yaml").write_text(
        "name: tail\ninput: 8\narguments: {n: 3}\nlayers:\n  - f: linear(n)\n"
    )
    (tmp_path / "net.yaml").write_text("name: net\ninput: 8\nlayers:\n  - t: tail(n=5)\n")
    assert load_graph(tmp_path / "net.yaml").output_shape == (1, 5)
    (tmp_path / "net.yaml").write_text("name: net\ninput: 8\nlayers:\n  - t: tail\n")
    (tmp_path / "tail.yaml").write_text("name: tail\ninput: 8\nlayers:\n  - f: net\n")
    with pytest.raises(ArchinspectError) as caught:
        load_graph(tmp_path / "tail.yaml")
    (error,) = caught.value.diagnostics
    assert (error.code, error.notes) == ("A211", ("tail → net → tail",))


def test_an_error_inside_shows_where_the_network_is_used() -> None:
    (error, *_) = refused("name: net\ninput: 3x4x4\nlayers:\n  - v: vgg16\n")
    assert (error.code, error.path) == ("A302", "v.pool3")
    assert error.span is not None
    assert error.span.file == "specs/vgg16.yaml"
    assert error.related[-1][0].file == "net.yaml"


@pytest.mark.parametrize(
    ("layer", "code", "help"),
    [
        ("resnet18(num_clases=5)", "A203", "did you mean 'num_classes'?"),
        ("resnet18(num_classes=True)", "A206", "give an integer, as in num_classes=1000"),
        ("resnet18(until=conv9_x)", "A208", "conv1, relu, conv2_x"),
        ("resnet18(until=conv5_x.block1.residual)", "A208", "main path"),
        ("siamese", "A204", "siamese(left, right)"),
    ],
)
def test_mistakes_with_networks(layer: str, code: str, help: str) -> None:
    (error,) = refused(f"{HEAD}  - a: {layer}\n")
    assert error.code == code
    assert help in error.help


def test_commands_take_networks_inside_networks(tmp_path: Path) -> None:
    (tmp_path / "net.yaml").write_text(f"{HEAD}  - body: resnet18(until=conv2_x)\n  - f: conv2d(4, 1)\n")
    for command in (["summary"], ["diagram", "-o", "net.svg"], ["export", "-o", "net.py"]):
        done = run_cli(command[0], str(tmp_path / "net.yaml"), *command[1:], cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    assert "nn.Conv2d" in (tmp_path / "net.py").read_text()


def test_a_network_inline_has_the_names_of_its_own_layers() -> None:
    bare, inline = load_graph("vgg11:batch_norm=true"), load_graph("vgg11_bn")
    assert [(n.name, n.op, n.output_shape) for n in inline.nodes] == [
        (n.name, n.op, n.output_shape) for n in bare.nodes
    ]
    text = "name: n\ninput: 3x64x64\nlayers:\n  - inline: resnet18(until=conv2_x)\n  - boxes: conv2d(4, 1)\n"
    cut = graph_of(text)
    assert [item.name for item in cut.structure.items if isinstance(item, Scope)] == ["conv1", "conv2_x"]
    assert cut.output_shape == (1, 4, 16, 16)
