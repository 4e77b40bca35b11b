"""VGG-16 and ResNet-50 as one writes them in PyTorch by hand: what other tools are given to look at."""

from __future__ import annotations

import torch
from torch import nn

VGG16_STAGES = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
RESNET50_STAGES = ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2))


def vgg16() -> nn.Module:
    """Simonyan & Zisserman 2014, arXiv:1409.1556, Table 1, configuration D."""
    layers: list[nn.Module] = []
    channels = 3
    for width, count in VGG16_STAGES:
        for _ in range(count):
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
            channels = width
        layers.append(nn.MaxPool2d(2))
    layers += [nn.Flatten(), nn.Linear(512 * 7 * 7, 4096), nn.ReLU(), nn.Dropout()]
    layers += [nn.Linear(4096, 4096), nn.ReLU(), nn.Dropout(), nn.Linear(4096, 1000)]
    return nn.Sequential(*layers)


class Bottleneck(nn.Module):
    """1×1 down, 3×3 (with the stride), 1×1 up, and the shortcut."""

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * width)
        self.relu = nn.ReLU(inplace=True)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or channels != 4 * width:
            projection = nn.Conv2d(channels, 4 * width, 1, stride=stride, bias=False)
            self.shortcut = nn.Sequential(projection, nn.BatchNorm2d(4 * width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        result: torch.Tensor = self.relu(y + self.shortcut(x))
        return result


def resnet50() -> nn.Module:
    """He et al. 2015, arXiv:1512.03385, Table 1, with the stride in the 3×3 as in every framework today."""
    stem = [nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False), nn.BatchNorm2d(64), nn.ReLU(inplace=True)]
    layers: list[nn.Module] = [*stem, nn.MaxPool2d(3, stride=2, padding=1)]
    channels = 64
    for width, count, stride in RESNET50_STAGES:
        for index in range(count):
            layers.append(Bottleneck(channels, width, stride if index == 0 else 1))
            channels = 4 * width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2048, 1000))


def flop_counter(module: nn.Module) -> int:
    """What torch's FlopCounterMode counts for one 3×224×224 image, on the meta device: 2 × MACs."""
    from torch.utils.flop_counter import FlopCounterMode

    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        module(torch.empty(1, 3, 224, 224, device="meta"))
    return counter.get_total_flops()


def meta_resnet50() -> nn.Module:
    with torch.device("meta"):
        return resnet50().eval()


if __name__ == "__main__":  # what a user of torchinfo runs to see VGG-16's layers
    import torchinfo

    print(torchinfo.summary(vgg16(), (1, 3, 224, 224), verbose=0))
