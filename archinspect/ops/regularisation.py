"""Layers that work in training only.  In evaluation they pass their input on and cost nothing."""

from __future__ import annotations

from typing import ClassVar

from .attributes import number
from .base import Shape, Shapes, TorchCall, attr, module_call, need_map, register
from .shaping import Moving


class _TrainingOnly(Moving):
    aliases: ClassVar[bool] = True

    def shape(self, inputs: Shapes) -> Shape:
        return inputs[0]


@register("dropout", category="regularisation", samples=[({}, ((1, 4096),)), ({"p": 0.2}, ((2, 3, 5, 4),))])
class Dropout(_TrainingOnly):
    """In training each element is zeroed with probability p and the others are scaled by 1/(1 − p).

    Sources: PyTorch `nn.Dropout`; Hinton et al. 2012, arXiv:1207.0580.
    """

    p: float = attr(number(0, 1), "probability of an element to be zeroed", 0.5)

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return module_call(self, "nn.Dropout")


class ChannelDropout(_TrainingOnly):
    """In training each channel is zeroed with probability p, and the others are scaled by 1/(1 − p).

    Source: PyTorch `nn.Dropout{n}d`.
    """

    p: float = attr(number(0, 1), "probability of a channel to be zeroed", 0.5)

    def shape(self, inputs: Shapes) -> Shape:
        need_map(self, inputs[0])
        return inputs[0]

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return module_call(self, f"nn.Dropout{self.spatial}d")


@register("dropout1d", category="regularisation", samples=[({}, ((1, 64, 400),)), ({"p": 0.2}, ((2, 3, 5),))])
class Dropout1d(ChannelDropout):
    spatial: ClassVar[int] = 1


@register(
    "dropout2d", category="regularisation", samples=[({}, ((1, 64, 28, 28),)), ({"p": 0.2}, ((2, 3, 5, 4),))]
)
class Dropout2d(ChannelDropout):
    spatial: ClassVar[int] = 2


@register(
    "dropout3d",
    category="regularisation",
    samples=[({}, ((1, 64, 8, 28, 28),)), ({"p": 0.2}, ((2, 3, 2, 5, 4),))],
)
class Dropout3d(ChannelDropout):
    spatial: ClassVar[int] = 3


@register(
    "drop_path",
    category="regularisation",
    samples=[({"p": 0.1}, ((2, 64, 28, 28),)), ({"p": 0}, ((2, 5, 8),))],
)
class DropPath(_TrainingOnly):
    """In training the whole branch is zeroed, per image, with probability p (stochastic depth).

    Source: Huang et al. 2016, arXiv:1603.09382.
    """

    p: float = attr(number(0, 1), "probability of an image to go without the branch")

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return module_call(self, "archinspect.DropPath")
