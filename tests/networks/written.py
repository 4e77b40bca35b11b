"""Networks written by hand from their papers' tables: what shipped specs are held against where no package has them.

Modules are registered in the order in which a specification lists them, so that weights go over by their order.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional


class NIN(nn.Sequential):
    """mavenlin's nin_imagenet (arXiv:1312.4400 section 3): a convolution, and two of 1×1, four times."""

    def __init__(self) -> None:
        layers: list[nn.Module] = []
        channels = 3
        for width, kernel, stride, padding, last in (
            (96, 11, 4, 0, 96),
            (256, 5, 1, 2, 256),
            (384, 3, 1, 1, 384),
            (1024, 3, 1, 1, 1000),
        ):
            layers += [nn.Conv2d(channels, width, kernel, stride, padding), nn.ReLU()]
            layers += [nn.Conv2d(width, width, 1), nn.ReLU(), nn.Conv2d(width, last, 1), nn.ReLU()]
            layers += (
                [nn.MaxPool2d(3, 2, ceil_mode=True)]
                if last != 1000
                else [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
            )
            channels = last
        super().__init__(*layers)


class OverFeat(nn.Sequential):
    """arXiv:1312.6229 tables 1 (fast) and 3 (accurate): filters, kernel, stride, padding, and the pool behind."""

    def __init__(self, accurate: bool = False) -> None:
        fast = (
            (96, 11, 4, 0, 2),
            (256, 5, 1, 0, 2),
            (512, 3, 1, 1, 0),
            (1024, 3, 1, 1, 0),
            (1024, 3, 1, 1, 2),
        )
        slow = (
            (96, 7, 2, 0, 3), (256, 7, 1, 0, 2), (512, 3, 1, 1, 0), (512, 3, 1, 1, 0), (1024, 3, 1, 1, 0),
            (1024, 3, 1, 1, 3),
        )  # fmt: skip
        layers: list[nn.Module] = []
        channels = 3
        for width, kernel, stride, padding, pool in slow if accurate else fast:
            layers += [nn.Conv2d(channels, width, kernel, stride, padding), nn.ReLU()]
            layers += [nn.MaxPool2d(pool, pool)] if pool else []
            channels = width
        features, hidden = (5 * 5 * 1024, 4096) if accurate else (6 * 6 * 1024, 3072)
        layers += [nn.Flatten(), nn.Linear(features, hidden), nn.ReLU(), nn.Linear(hidden, 4096), nn.ReLU()]
        super().__init__(*layers, nn.Linear(4096, 1000))


class CifarBlock(nn.Module):
    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.stride = width // channels
        self.conv1 = nn.Conv2d(channels, width, 3, self.stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))
        shortcut = x[:, :, :: self.stride, :: self.stride]  # option A: zeros for the channels that x has not
        return (y + functional.pad(shortcut, (0, 0, 0, 0, 0, y.shape[1] - x.shape[1]))).relu()


class CifarResNet(nn.Module):
    """arXiv:1512.03385 section 4.2: 6n + 2 layers, 2n of them for each size of map."""

    def __init__(self, depth: int) -> None:
        super().__init__()
        n = (depth - 2) // 6
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        widths = [16] * (n + 1) + [32] * n + [64] * n
        self.blocks = nn.Sequential(*(CifarBlock(*pair) for pair in pairwise(widths)))
        self.fc = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.blocks(self.bn1(self.conv1(x)).relu()).mean((2, 3)))


class DarknetConv(nn.Sequential):
    def __init__(self, channels: int, width: int, kernel: int, stride: int = 1) -> None:
        conv = nn.Conv2d(channels, width, kernel, stride, kernel // 2, bias=False)
        super().__init__(conv, nn.BatchNorm2d(width), nn.LeakyReLU(0.1))


class DarknetResidual(nn.Sequential):
    def __init__(self, width: int) -> None:
        super().__init__(DarknetConv(width, width // 2, 1), DarknetConv(width // 2, width, 3))

    def forward(self, x: Tensor) -> Tensor:
        return x + super().forward(x)


class Darknet53(nn.Module):
    """arXiv:1804.02767 table 1."""

    def __init__(self, classifier: bool = True) -> None:
        super().__init__()
        self.stages = nn.ModuleList([DarknetConv(3, 32, 3)])
        for width, depth in ((64, 1), (128, 2), (256, 8), (512, 8), (1024, 4)):
            blocks = [DarknetResidual(width) for _ in range(depth)]
            self.stages.append(nn.Sequential(DarknetConv(width // 2, width, 3, 2), *blocks))
        if classifier:
            self.connected = nn.Linear(1024, 1000)

    def maps(self, x: Tensor) -> list[Tensor]:
        found = []
        for stage in self.stages:
            x = stage(x)
            found.append(x)
        return found

    def forward(self, x: Tensor) -> Tensor:
        return self.connected(self.maps(x)[-1].mean((2, 3)))


class YOLOv3(nn.Module):
    """The sections of pjreddie's yolov3.cfg: Darknet-53, then three times five convolutions and a detector."""

    def __init__(self) -> None:
        super().__init__()
        self.darknet = Darknet53(classifier=False)
        self.scales = nn.ModuleList()
        for width, skip in ((512, 0), (256, 512), (128, 256)):
            first = 2 * width if not skip else width + skip
            channels = [first, width, 2 * width, width, 2 * width, width]
            five = [DarknetConv(*ends, 1 + 2 * (i % 2)) for i, ends in enumerate(pairwise(channels))]
            boxes = nn.Sequential(DarknetConv(width, 2 * width, 3), nn.Conv2d(2 * width, 255, 1))
            reduce = DarknetConv(2 * width, width, 1) if skip else nn.Identity()
            self.scales.append(nn.ModuleList([reduce, nn.Sequential(*five), boxes]))

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        *_, map36, map61, x = self.darknet.maps(x)
        found = []
        for (reduce, five, boxes), skip in zip(self.scales, (None, map61, map36), strict=True):
            if skip is not None:
                x = torch.cat([functional.interpolate(reduce(x), scale_factor=2), skip], 1)
            x = five(x)
            found.append(boxes(x))
        return tuple(reversed(found))  # the end of the network first


class DCGAN(nn.Module):
    """PyTorch's DCGAN tutorial, after the authors' dcgan.torch: noise to an image, and an image to a score."""

    def __init__(self, width: int = 64, noise: bool = True, score: bool = True) -> None:
        super().__init__()
        self.generator: nn.Module | None = None
        self.discriminator: nn.Module | None = None
        if noise:
            up: list[nn.Module] = []
            for channels, wide, stride, padding in (
                (100, 8, 1, 0), (8 * width, 4, 2, 1), (4 * width, 2, 2, 1), (2 * width, 1, 2, 1),
            ):  # fmt: skip
                up.append(nn.ConvTranspose2d(channels, wide * width, 4, stride, padding, bias=False))
                up += [nn.BatchNorm2d(wide * width), nn.ReLU()]
            last = nn.ConvTranspose2d(width, 3, 4, 2, 1, bias=False)
            self.generator = nn.Sequential(*up, last, nn.Tanh())
        if score:
            down: list[nn.Module] = []
            for channels, wide in ((3, 1), (width, 2), (2 * width, 4), (4 * width, 8)):
                down.append(nn.Conv2d(channels, wide * width, 4, 2, 1, bias=False))
                down += [nn.BatchNorm2d(wide * width)] if channels != 3 else []
                down.append(nn.LeakyReLU(0.2))
            score_ = nn.Conv2d(8 * width, 1, 4, bias=False)
            self.discriminator = nn.Sequential(*down, score_, nn.Sigmoid())

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        image = self.generator(x) if self.generator else x
        if self.discriminator is None:
            return image
        score = self.discriminator(image)
        return (score, image) if self.generator else score


class VAE(nn.Module):
    """arXiv:1312.6114 equations 10 and 11 with appendix C; sizes as in PyTorch's example where hidden is 400."""

    def __init__(self, hidden: int = 500) -> None:
        super().__init__()
        self.fc1 = nn.Linear(784, hidden)
        self.fc21 = nn.Linear(hidden, 20)
        self.fc22 = nn.Linear(hidden, 20)
        self.fc3 = nn.Linear(20, hidden)
        self.fc4 = nn.Linear(hidden, 784)

    def forward(self, image: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        hidden = self.fc1(image).tanh()
        mean, log_variance = self.fc21(hidden), self.fc22(hidden)
        z = mean + noise * torch.exp(log_variance / 2)
        return self.fc4(self.fc3(z).tanh()).sigmoid(), mean, log_variance


class M5(nn.Module):
    """arXiv:1610.00087 table 1, column M5; padding as TensorFlow's SAME has it."""

    def __init__(self) -> None:
        super().__init__()
        rows = ((1, 128, 80, 4, 38), (128, 128, 3, 1, 1), (128, 256, 3, 1, 1), (256, 512, 3, 1, 1))
        layers: list[nn.Module] = []
        for channels, width, kernel, stride, padding in rows:
            layers.append(nn.Conv1d(channels, width, kernel, stride, padding, bias=False))
            layers += [nn.BatchNorm1d(width), nn.ReLU()]
        self.layers = nn.Sequential(*layers)
        self.softmax = nn.Linear(512, 10)

    def forward(self, x: Tensor) -> Tensor:
        for start in range(0, 12, 3):
            x = functional.max_pool1d(self.layers[start : start + 3](x), 4, ceil_mode=True)
        return self.softmax(x.mean(2))
