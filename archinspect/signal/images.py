"""Image files as inputs: random crops, scaled as networks for ImageNet expect them."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ..errors import fail

#: mean and standard deviation of ImageNet's colours, which torchvision's and timm's networks expect to be taken out
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
#: the smallest crop, as a share of an image's shorter side
_LEAST = 0.6


def read_images(files: Sequence[str], shape: Sequence[int], generator: torch.Generator) -> Tensor:
    """A batch N×3×H×W of random square crops of the files, in turn, mirrored or not.

    Raises ArchinspectError: A404 without Pillow, A102 for a file that is no image, A402 for another kind of input.
    """
    try:
        image: Any = importlib.import_module("PIL.Image")
    except ImportError:
        raise fail("A404", "reading an image needs Pillow", help="pip install pillow") from None
    if len(shape) != 4 or shape[1] not in (1, 3):
        raise fail(
            "A402",
            f"an image is no input of shape {'×'.join(map(str, shape))}",
            help="leave --input-image out",
        )
    opened = []
    for file in files:
        try:
            with image.open(file) as found:
                opened.append(found.convert("RGB" if shape[1] == 3 else "L"))
        except (OSError, ValueError) as error:
            raise fail("A102", f"cannot read '{file}' as an image", notes=[str(error)]) from None
    rows, columns = shape[2:]
    batch = []
    for number in range(shape[0]):
        whole = opened[number % len(opened)]
        draw = torch.rand(4, generator=generator).tolist()
        side = min(whole.size) * (_LEAST + (1 - _LEAST) * draw[0])
        left, top = (
            room * share
            for room, share in zip((whole.width - side, whole.height - side), draw[1:3], strict=True)
        )
        crop = whole.resize((columns, rows), box=(left, top, left + side, top + side))
        values = torch.frombuffer(bytearray(crop.tobytes()), dtype=torch.uint8).float().div_(255)
        pixels = values.reshape(rows, columns, shape[1]).permute(2, 0, 1)
        batch.append(pixels.flip(2) if draw[3] < 0.5 else pixels)
    mean, std = (torch.tensor(part[: shape[1]])[:, None, None] for part in (_MEAN, _STD))
    return (torch.stack(batch) - mean) / std
