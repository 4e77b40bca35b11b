"""Pictures of captured modules: places as right as those of specs', nothing that only keeps books, flows in layers."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import pytest

from archinspect.diagram import draw
from archinspect.diagram.blocks import arrange
from archinspect.diagram.elements import Card, Net, cards_of
from archinspect.diagram.options import Options
from archinspect.diagram.outline import Folding, outline
from archinspect.graph import Graph
from tests.diagram.geometry import faults

pytest.importorskip("torch")

import torch
from torch import nn


class Stage(nn.Sequential):
    def __init__(self, width: int, out: int) -> None:
        super().__init__(nn.Conv2d(width, out, 3, padding=1), nn.BatchNorm2d(out), nn.ReLU(inplace=True))


class Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = Stage(width, width)

    def forward(self, x: Any) -> Any:
        return torch.relu(self.conv(x) + x)


class ResNet(nn.Module):
    """Frames, repeats, skips."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = Stage(3, 8)
        self.layer1 = nn.Sequential(*(Residual(8) for _ in range(4)))
        self.fc = nn.Linear(8, 10)

    def forward(self, x: Any) -> Any:
        return self.fc(self.layer1(self.stem(x)).mean((2, 3)))


class Norm(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Any) -> Any:
        return self.weight * x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6)


class Attention(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm, self.q, self.kv = Norm(width), nn.Linear(width, width), nn.Linear(width, 2 * width)
        self.heads = 2

    def forward(self, x: Any, memory: Any) -> Any:
        b, n, c = x.shape
        q = self.q(self.norm(x)).view(b, n, self.heads, -1).transpose(1, 2)
        k, v = (
            part.view(b, -1, self.heads, c // self.heads).transpose(1, 2)
            for part in self.kv(memory).chunk(2, -1)
        )
        weights = torch.softmax(q @ k.transpose(-2, -1), -1)
        return x + (weights @ v).transpose(1, 2).reshape(b, n, c)


class Decoder(nn.Module):
    """Two inputs; equal layers that all read the second."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Attention(8) for _ in range(3))
        self.head = nn.Linear(8, 5)

    def forward(self, x: Any, memory: Any) -> Any:
        for layer in self.layers:
            x = layer(x, memory)
        return self.head(x)


class Dense(nn.Module):
    """Every layer reads all before it."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Conv2d(4 * (i + 1), 4, 3, padding=1) for i in range(5))
        self.out = nn.Conv2d(24, 4, 1)

    def forward(self, x: Any) -> Any:
        found = [x]
        for layer in self.layers:
            found.append(layer(torch.cat(found, 1)))
        return self.out(torch.cat(found, 1))


class Pyramid(nn.Module):
    """A backbone of several outputs, heads on each, several outputs."""

    class Backbone(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b, self.c = Stage(3, 4), Stage(4, 8), Stage(8, 16)

        def forward(self, x: Any) -> Any:
            a = self.a(x)
            b = self.b(nn.functional.max_pool2d(a, 2))
            return a, b, self.c(nn.functional.max_pool2d(b, 2))

    def __init__(self) -> None:
        super().__init__()
        self.backbone = self.Backbone()
        self.lateral = nn.ModuleList(nn.Conv2d(width, 4, 1) for width in (4, 8, 16))
        self.boxes, self.classes = nn.Conv2d(4, 4, 1), nn.Conv2d(4, 7, 1)

    def forward(self, x: Any) -> Any:
        maps = [lateral(value) for lateral, value in zip(self.lateral, self.backbone(x), strict=True)]
        for i in (1, 0):
            maps[i] = maps[i] + nn.functional.interpolate(maps[i + 1], scale_factor=2)
        return {
            "boxes": self.boxes(maps[0]),
            "classes": self.classes(maps[0]),
            "coarse": self.classes(maps[2]),
        }


IMAGE = (1, 3, 16, 16)
MODULES: dict[str, tuple[Callable[[], Any], tuple[Any, ...]]] = {
    "residual": (ResNet, (IMAGE,)),
    "decoder": (Decoder, ((1, 6, 8), (1, 9, 8))),
    "dense": (Dense, ((1, 4, 8, 8),)),
    "pyramid": (Pyramid, (IMAGE,)),
    "transformer": (lambda: nn.Transformer(8, 2, 2, 2, 16, batch_first=True), ((1, 5, 8), (1, 4, 8))),
}
REQUESTS = {
    "default": Options(),
    "flat": Options(fold=False),
    "depth 1": Options(depth=1),
    "overview": Options(overview=True),
    "strip": Options(style="strip"),
}


def captured(name: str) -> Graph:
    from archinspect.frontends.torch import load_module

    make, inputs = MODULES[name]
    return load_module(make(), inputs)


@pytest.mark.parametrize("name", MODULES)
def test_places_are_right(name: str) -> None:
    graph = captured(name)
    for options in REQUESTS.values():
        assert list(faults(arrange(graph, options)[0], insets=options.overview)) == []


@pytest.mark.parametrize("name", MODULES)
def test_every_format_and_style_is_written(name: str) -> None:
    graph = captured(name)
    for format in ("svg", "dot", "html", "pdf"):
        assert draw(graph).render(format)
    assert draw(graph, style="volume").svg()


def cards(graph: Graph, *, fold: bool = True) -> list[Card]:
    return list(cards_of(outline(graph, Folding(repeats=fold)).body))


@pytest.mark.parametrize("name", MODULES)
def test_figures_are_those_of_the_network(name: str) -> None:
    graph = captured(name)
    figures = outline(graph).figures
    assert figures.macs == sum(node.cost.macs for node in graph.layers if node.cost)


def test_convolution_norm_and_activation_are_one_card() -> None:
    titles = [(card.title, card.detail) for card in cards(captured("residual"))]
    assert ("Conv 3×3", "3 → 8 · BN · ReLU") in titles


def test_equal_layers_fold_with_the_names_of_all() -> None:
    labels = [frame.frame.label for frame in arrange(captured("residual"), Options())[0].frames]
    assert "layer1.0–3" in labels
    decoder = arrange(captured("decoder"), Options())[0]
    assert [
        (frame.frame.label, frame.frame.repeat) for frame in decoder.frames if frame.frame.repeat > 1
    ] == [("layers.0–2", 3)]


def test_views_are_not_drawn_and_products_say_their_matrices() -> None:
    found = cards(captured("decoder"))
    titles = [card.title for card in found]
    assert "matmul 6×9 · 9×4" in titles
    assert [card.parts for card in found if card.title == "matmul 6×4 · 4×9"] == [("Softmax",)]
    assert not any(title in ("View", "Transpose", "Reshape", "Chunk") for title in titles)


def test_a_module_of_arithmetic_is_one_card_by_its_class() -> None:
    found = [card for card in cards(captured("decoder")) if card.title == "Norm"]
    assert [card.kind for card in found] == ["normalisation"]


def test_several_inputs_and_outputs_are_drawn() -> None:
    scene = arrange(captured("decoder"), Options())[0]
    assert {card.card.title for card in scene.cards if card.card.kind == "io"} == {"x", "memory", "output"}
    scene = arrange(captured("pyramid"), Options())[0]
    assert {card.card.title for card in scene.cards if card.card.kind == "io"} == {
        "input", "output boxes", "output classes", "output coarse",
    }  # fmt: skip


def test_every_way_of_a_flow_is_drawn() -> None:
    (net,) = [element for element in outline(captured("dense")).body if isinstance(element, Net)]
    concats = [
        place
        for place, branch in enumerate(net.branches)
        if isinstance(branch.body[0], Card) and branch.body[0].kind == "merge"
    ]
    assert [sum(link.target == place for link in net.links) for place in concats] == [2, 3, 4, 5, 6]


LIBRARIES = ("torchvision:resnet50", "torchvision:vit_b_16", "timm:convnext_atto")


@pytest.mark.parametrize("model", LIBRARIES)
def test_places_are_right_in_models_of_libraries(model: str) -> None:
    library = model.partition(":")[0]
    if find_spec(library) is None:
        pytest.skip(f"{library} is no dependency")
    from archinspect.frontends.models import load

    scene = arrange(load(model), Options())[0]
    assert list(faults(scene)) == []
    assert any(frame.frame.repeat > 1 for frame in scene.frames)


def test_a_flow_too_large_for_a_page_is_drawn_in_less_detail() -> None:
    class Steps(nn.Module):
        """A loop over tokens in which each step reads the one before and the input."""

        def forward(self, x: Any) -> Any:
            state, found = torch.zeros_like(x[:, 0]), []
            for i in range(x.shape[1]):
                state = torch.tanh(state * x[:, i] + x[:, i].sigmoid())
                found.append(state)
            return torch.stack(found, 1)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.steps = Steps()
            self.head = nn.Linear(8, 5)

        def forward(self, x: Any) -> Any:
            return self.head(self.steps(x))

    from archinspect.frontends.torch import load_module

    graph = load_module(Net(), ((1, 300, 8),))
    scene = arrange(graph, Options())[0]
    assert "steps" in [card.card.title for card in scene.cards]
    assert list(faults(scene)) == []
