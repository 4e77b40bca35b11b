"""A captured network as a spec: blocks for what repeats, the same layers and figures, and names for weights."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from torch import nn

import archinspect
from archinspect import ArchinspectError
from archinspect.cli.app import run


class Residual(nn.Module):
    def __init__(self, width: int, stride: int = 1, wide: bool = False) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, 2 * width, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(2 * width)
        self.conv2 = nn.Conv2d(2 * width, width, 3, padding=1)
        self.shortcut = nn.Conv2d(width, width, 1, stride) if stride > 1 else nn.Identity()
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.conv2(self.relu(self.bn1(self.conv1(x))))
        return self.relu(y + self.shortcut(x))


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU())
        self.stage = nn.Sequential(Residual(8, 2), *(Residual(8) for _ in range(3)))
        self.head = nn.Linear(8, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stage(self.stem(x))
        return self.head(x.mean((2, 3), keepdim=True).flatten(1))


def test_a_module_becomes_a_spec_with_blocks_and_counts() -> None:
    net = Net().eval()
    captured = archinspect.load(net, (1, 3, 16, 16))
    text = captured.dump()
    assert "      - block[1..3]: residual()\n" in text
    assert text.count("conv2d(16, 3, padding=1, bias=False)") == 1
    again = archinspect.from_text(text)
    ours, theirs = captured.analyse(), again.analyse()
    assert [(r.params, r.macs, r.flops, r.output_shape) for r in ours.rows] == [
        (r.params, r.macs, r.flops, r.output_shape) for r in theirs.rows
    ]
    assert ours.totals.params == theirs.totals.params
    assert ours.totals.macs == theirs.totals.macs


def test_the_module_s_weights_fit_the_spec(tmp_path: Path) -> None:
    net = Net().eval()
    torch.save(net.state_dict(), tmp_path / "net.pth")
    built = archinspect.from_text(archinspect.load(net, (1, 3, 16, 16)).dump()).build(
        weights=str(tmp_path / "net.pth")
    )
    x = torch.rand(1, 3, 16, 16)
    assert torch.equal(built.eval()(x), net(x))


class Fire(nn.Module):
    def __init__(self, wide: int, narrow: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(wide, narrow, 1)
        self.left = nn.Conv2d(narrow, 4 * narrow, 1)
        self.right = nn.Conv2d(narrow, 4 * narrow, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.squeeze(x).relu()
        return torch.cat([self.left(x), self.right(x)], 1)


def test_what_differs_between_modules_is_an_argument_of_their_block() -> None:
    net = nn.Sequential(Fire(3, 4), Fire(32, 6), Fire(48, 8))
    text = archinspect.load(net, (1, 3, 8, 8)).dump()
    assert "  fire(out_channels):\n    - squeeze: conv2d(out_channels, 1)\n" in text
    assert "left: conv2d(4 * out_channels, 1)" in text
    assert "  - block2: fire(8)\n" in text


class Odd(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(x).cumsum(1)


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.fc(x))


def _frozen() -> nn.Module:
    net = nn.Sequential(nn.Linear(4, 4))
    net[0].weight.requires_grad_(False)
    return net


class Dense(nn.Module):
    """Each layer reads all before it: no branches that join again."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 1)
        self.layers = nn.ModuleList([nn.Conv2d(4 * n, 4, 3, padding=1) for n in (1, 2, 3)])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found = [self.first(x)]
        for layer in self.layers:
            found.append(layer(torch.cat(found, 1)))
        return torch.cat(found, 1)


class Unit(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.right = nn.Sequential(nn.Conv2d(4, 4, 1), nn.ReLU())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        a, b = x.chunk(2, dim=1)
        x = torch.cat([a, self.right(b)], 1)
        return x.view(x.shape[0], 2, 4, *x.shape[2:]).transpose(1, 2).contiguous().view(x.shape)


class Pair(nn.Module):
    """Two inputs, one tower for both, and two outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.tower = nn.Sequential(nn.Linear(4, 8), nn.ReLU())
        self.head = nn.Linear(8, 1)

    def forward(self, left: torch.Tensor, right: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        a, b = self.tower(left), self.tower(right)
        return self.head(a * b), a - b


class Words(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.norm = nn.LayerNorm(8)
        self.head = nn.Linear(8, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.norm(x)
        return self.head(x + self.attention(y, y, y, need_weights=False)[0])


@pytest.mark.parametrize(
    ("make", "shapes"),
    [
        (Dense, [(1, 3, 8, 8)]),
        (lambda: nn.Sequential(nn.Conv2d(3, 8, 1), Unit(), Unit()), [(1, 3, 8, 8)]),
        (Pair, [(1, 4), (1, 4)]),
        (Words, [(1, 5, 8)]),
        (Tied, [(1, 4)]),
    ],
    ids=["dense", "shuffled", "pair", "words", "tied"],
)
def test_values_by_name_say_any_flow(
    make: Callable[[], nn.Module], shapes: list[tuple[int, ...]], tmp_path: Path
) -> None:
    net = make().eval()
    captured = archinspect.load(net, *shapes)
    again = archinspect.from_text(captured.dump())
    assert captured.analyse().totals.params == again.analyse().totals.params
    assert captured.analyse().totals.macs == again.analyse().totals.macs
    torch.save(net.state_dict(), tmp_path / "net.pth")
    built = again.build(weights=str(tmp_path / "net.pth")).eval()
    values = [torch.rand(shape) for shape in shapes]
    with torch.no_grad():
        ours, theirs = built(*values), net(*values)
    for a, b in zip(*[o if isinstance(o, tuple) else (o,) for o in (ours, theirs)], strict=True):
        torch.testing.assert_close(a, b)


class Unread(nn.Module):
    """An auxiliary head that evaluation leaves out."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.aux = nn.Linear(4, 4), nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(x)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (Unread, "'aux' holds parameters"),
        (Odd, "there is no layer 'cumsum': 'cumsum'"),
        (_frozen, "'0.weight' is frozen"),
        (lambda: nn.Linear(4, 4).half(), "in float16"),
    ],
)
def test_what_the_language_lacks_is_named_and_nothing_written(
    make: Callable[[], nn.Module], said: str, tmp_path: Path
) -> None:
    network = archinspect.load(make(), (1, 4))
    with pytest.raises(ArchinspectError) as raised:
        network.export(tmp_path / "net.yaml")
    assert said in str(raised.value)
    assert not (tmp_path / "net.yaml").exists()


def test_the_command_writes_a_spec(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(
        "from torch import nn\ndef make(): return nn.Sequential(nn.Linear(4, 4), nn.ReLU())\n"
    )
    target = tmp_path / "net.yaml"
    assert run(["export", f"{tmp_path}/net.py:make", "--input", "1x4", "-o", str(target)]) == 0
    assert archinspect.load(target).analyse().totals.params == 20
    assert run(["export", "alexnet", "-o", str(tmp_path / "alexnet.yaml")]) == 0
    assert archinspect.load(tmp_path / "alexnet.yaml").graph == archinspect.load("alexnet").graph


@pytest.mark.slow
@pytest.mark.parametrize(
    "model",
    [
        "torchvision:resnet50",
        "torchvision:mobilenet_v3_small",
        "torchvision:googlenet(aux_logits=False)",
        "torchvision:squeezenet1_0",
        "timm:resnetv2_50",
        "timm:ghostnet_100",
        "timm:mixer_s16_224",
    ],
)
def test_models_of_libraries(model: str) -> None:
    if find_spec(model.partition(":")[0]) is None:
        pytest.skip("the library is not installed")
    captured = archinspect.load(model)
    text = captured.dump()
    again = archinspect.from_text(text).analyse().totals
    ours = captured.analyse().totals
    assert (ours.params, ours.macs, ours.flops, ours.buffers) == (
        again.params,
        again.macs,
        again.flops,
        again.buffers,
    )
    assert text.count("\n") < len(captured.graph.layers)
