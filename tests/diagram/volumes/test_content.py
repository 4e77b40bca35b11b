"""What is drawn is the network: its tensors, their order, branches, skips and captions."""

from __future__ import annotations

import pytest

from archinspect.diagram.options import Options
from archinspect.diagram.volumes import arranged
from archinspect.diagram.volumes.compose import Picture, compose
from archinspect.diagram.volumes.scene import Line, Sign, Words
from archinspect.errors import ArchinspectError
from archinspect.frontends.spec import lay_out, load_graph
from archinspect.frontends.spec.load import read_text
from archinspect.graph import Graph


def picture(model: str | Graph, **options: object) -> Picture:
    graph = load_graph(model) if isinstance(model, str) else model
    (one, *_) = arranged(graph, Options(style="volume", **options))  # type: ignore[arg-type]
    return one


def captions(drawn: Picture) -> list[tuple[str, ...]]:
    """Title and lines of each stage, from left to right."""
    columns: dict[float, list[str]] = {}
    for thing in drawn.things:
        if isinstance(thing, Words) and thing.role in ("title", "caption") and thing.y > 100:
            columns.setdefault(thing.x, []).append(thing.text)
    return [tuple(columns[x]) for x in sorted(columns)]


def test_vgg_is_drawn_as_its_paper_has_it() -> None:
    drawn = picture("vgg16")
    maps = [(s.kind, s.extent.channels, s.extent.height) for s in drawn.solids if not s.extent.flat]
    stages = [(64, 224, 2), (128, 112, 2), (256, 56, 3), (512, 28, 3), (512, 14, 3)]
    expected = [("input", 3, 224)]
    for channels, size, count in stages:
        expected += [("convolution", channels, size)] * count + [("pooling", channels, size // 2)]
    assert maps == expected
    assert [(s.kind, s.extent.channels) for s in drawn.solids if s.extent.flat] == [
        ("linear", 4096), ("linear", 4096), ("output", 1000),
    ]  # fmt: skip
    assert captions(drawn)[3] == ("conv3_1–3", "3 × Conv 3×3, 256", "MaxPool 2×2, /2")
    assert all(s.active for s in drawn.solids if s.kind == "convolution")


def test_alexnet_shows_each_convolution_with_its_kernel() -> None:
    drawn = picture("alexnet")
    windows = [t for t in drawn.things if isinstance(t, Line) and t.way == "kernel" and t.closed]
    assert len(windows) == 5
    assert captions(drawn)[1] == ("conv1", "Conv 11×11, /4, 96", "MaxPool 3×3, /2")


def test_a_kernels_window_has_its_true_share_of_the_map() -> None:
    text = "name: n\ninput: 1x20x20\nlayers:\n  - conv: conv2d(4, 5)\n"
    drawn = picture(lay_out(read_text(text, "n.yaml")))
    (window,) = [t for t in drawn.things if isinstance(t, Line) and t.way == "kernel" and t.closed]
    tallest = next(t for t in compose([drawn]).placed()).prism.height
    assert abs(window.points[0][1] - window.points[3][1]) == pytest.approx(tallest * 5 / 20)


def test_inception_modules_are_branches_and_bands() -> None:
    drawn = picture("googlenet")
    modules = [s for s in drawn.solids if s.bands]
    assert [s.name for s in modules] == [
        f"inception_{n}" for n in ("3a", "3b", "4a", "4b", "4c", "4d", "4e", "5a", "5b")
    ]
    assert [(b.kind, b.channels) for b in modules[0].bands] == [
        ("1", 64),
        ("3", 128),
        ("5", 32),
        ("pool", 32),
    ]
    assert {"inception_3a.branch2.reduce", "inception_3a.branch4.pool"} <= {s.name for s in drawn.solids}
    assert ("inception_4a–e", "5 × inception, 512–832", "MaxPool 3×3, /2") in captions(drawn)


def test_a_branch_that_pools_and_convolves_is_no_pooling_branch() -> None:
    text = (
        "name: n\ninput: 3x32x32\nlayers:\n"
        "  - join:\n"
        "      - concat:\n"
        "          skip: identity\n"
        "          below: max_pool2d(2) -> conv2d(8, 3, padding=1) -> upsample(scale_factor=2)\n"
        "          pool: max_pool2d(3, stride=1, padding=1) -> conv2d(4, 1)\n"
    )
    (join,) = (s for s in picture(lay_out(read_text(text, "n.yaml"))).solids if s.bands)
    assert [(b.kind, b.channels) for b in join.bands] == [("identity", 3), ("3", 8), ("pool", 4)]


def test_residual_stages_have_a_way_around_each_block() -> None:
    drawn = picture("resnet50")
    blocks = [s for s in drawn.solids if s.kind == "residual"]
    assert len(blocks) == 15  # the first is drawn in full
    assert sum(isinstance(thing, Sign) for thing in drawn.things) == 1
    arcs = [
        t
        for t in drawn.things
        if isinstance(t, Line) and t.way in ("skip", "projection") and len(t.points) == 4
    ]
    assert sum(t.way == "projection" for t in arcs if t.arrow) >= 3
    assert ("conv4_x", "6 × bottleneck, 1024") in captions(drawn)


def test_dense_layers_pass_on_what_they_read() -> None:
    drawn = picture("densenet121")
    layer = next(s for s in drawn.solids if s.name == "denseblock1.denselayer2")
    assert layer.skip == "identity"
    assert [(b.kind, b.channels) for b in layer.bands] == [("identity", 96), ("3", 32)]


def test_what_is_left_out_is_counted() -> None:
    drawn = picture("resnet200")
    assert any(isinstance(thing, Words) and thing.text == "…" for thing in drawn.things)
    lines = next(lines for title, *lines in captions(drawn) if title == "conv4_x")
    assert len(lines) == 1
    assert lines[0].startswith("36 × ")


def test_auxiliary_outputs_are_bars_below() -> None:
    drawn = picture(load_graph("googlenet", arguments={"aux": True}))
    assert [s.name for s in drawn.solids if s.kind == "output"] == ["aux1", "aux2", "classifier"]


def test_tokens_are_a_map_of_as_many_positions() -> None:
    drawn = picture("vit_b_16")
    encoder = next(s for s in drawn.solids if s.kind == "residual")
    assert (encoder.size_text, encoder.extent.channels, encoder.extent.height) == ("197 tokens", 768, 15)


def test_scopes_and_other_networks_below_each_other() -> None:
    graph = load_graph("googlenet")
    pictures = arranged(graph, Options(only=("inception_3a", "inception_5b")))
    assert [p.outline.scope for p in pictures] == ["inception_3a", "inception_5b"]
    assert {s.kind for s in pictures[0].solids} == {"input", "convolution", "pooling", "concat"}
    both = arranged(load_graph("alexnet"), Options(beside=(load_graph("vgg16"),)))
    headings = [t.text for t in compose(both).things if isinstance(t, Words) and t.role == "heading"]
    assert headings == ["AlexNet (single tower)", "VGG-16"]
    with pytest.raises(ArchinspectError) as caught:
        arranged(graph, Options(only=("inception_9z",)))
    assert caught.value.diagnostics[0].code == "A403"


def test_depth_closes_and_expand_opens() -> None:
    closed = picture("resnet50", depth=1)
    assert [s.name for s in closed.solids if s.kind in ("block", "residual")] == [
        "conv2_x",
        "conv3_x",
        "conv4_x",
        "conv5_x",
    ]
    opened = picture("resnet50", expand=("conv5_x.block3",))
    assert "conv5_x.block3.residual.conv2" in {s.name for s in opened.solids}
    assert "conv5_x.block3.residual.conv2" not in {s.name for s in picture("resnet50").solids}
