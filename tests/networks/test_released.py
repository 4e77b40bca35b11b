"""Our modules against torchvision's and timm's, where these are installed: the same weights give the same logits.

Weights go over by their order, which is that of the layers in both.  CI does without these packages; run this after
changing a spec: `pip install torchvision timm`, then `pytest -m slow tests/networks/test_released.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest
import torch
from torch import nn

from archinspect.pytorch import build

from .zoo import network

pytestmark = pytest.mark.slow

#: our network, its package, its name there, keyword arguments there, and an input size that is quick to run
RELEASED: list[tuple[str, str, str, dict[str, Any], str | None]] = [
    ("alexnet_torchvision", "torchvision.models", "alexnet", {}, None),
    ("vgg11", "torchvision.models", "vgg11", {}, None),
    ("vgg16:batch_norm=true", "torchvision.models", "vgg16_bn", {}, None),
    (
        "googlenet_torchvision",
        "torchvision.models",
        "googlenet",
        {"aux_logits": False, "init_weights": False},
        None,
    ),
    (
        "inception_v3",
        "torchvision.models",
        "inception_v3",
        {"aux_logits": False, "init_weights": False},
        None,
    ),
    ("resnet18", "torchvision.models", "resnet18", {}, "3x64x64"),
    ("resnet50", "torchvision.models", "resnet50", {}, "3x64x64"),
    ("resnext50_32x4d", "torchvision.models", "resnext50_32x4d", {}, "3x64x64"),
    ("wide_resnet50_2", "torchvision.models", "wide_resnet50_2", {}, "3x64x64"),
    ("squeezenet1_0", "torchvision.models", "squeezenet1_0", {}, None),
    ("squeezenet1_1", "torchvision.models", "squeezenet1_1", {}, None),
    ("densenet121", "torchvision.models", "densenet121", {}, "3x64x64"),
    ("mobilenet_v2", "torchvision.models", "mobilenet_v2", {}, "3x96x96"),
    ("mobilenet_v3_large", "torchvision.models", "mobilenet_v3_large", {}, "3x96x96"),
    ("efficientnet_b0", "torchvision.models", "efficientnet_b0", {}, "3x96x96"),
    ("convnext_tiny", "torchvision.models", "convnext_tiny", {}, "3x96x96"),
    ("vit_b_16", "torchvision.models", "vit_b_16", {}, None),
    ("inception_v4", "timm.models", "inception_v4", {}, None),
    ("inception_resnet_v2", "timm.models", "inception_resnet_v2", {}, None),
    ("xception", "timm.models", "legacy_xception", {}, None),
    ("resnet200", "timm.models", "resnet200", {}, "3x64x64"),
    ("se_resnet50", "timm.models", "legacy_seresnet50", {}, "3x64x64"),
    ("senet154", "timm.models", "legacy_senet154", {}, "3x64x64"),
]


@pytest.mark.parametrize(
    ("model", "package", "name", "options", "size"),
    [
        pytest.param(*released, id=released[0], marks=[pytest.mark.many] if i % 2 else [])
        for i, released in enumerate(RELEASED)
    ],
)
def test_logits(model: str, package: str, name: str, options: dict[str, Any], size: str | None) -> None:
    pytest.importorskip(package.partition(".")[0])
    make: Callable[..., nn.Module] = getattr(import_module(package), name)
    graph = network(model, size)
    ours, theirs = build(graph), make(**options)
    weights = _weights(theirs)
    theirs.load_state_dict(weights)
    wanted = ours.state_dict()
    given = sorted(weights, key=lambda key: _order(name, key))
    for key, other in zip(wanted, given, strict=True):  # 1×1 convolutions are linear layers in some
        assert [n for n in wanted[key].shape if n != 1] == [n for n in weights[other].shape if n != 1], (
            key,
            other,
        )
    ours.load_state_dict(
        {key: weights[o].reshape(wanted[key].shape) for key, o in zip(wanted, given, strict=True)}
    )
    x = torch.rand(2, *graph.input_shape[1:], generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        found, expected = ours.eval()(x), theirs.eval()(x)
    assert expected.std() > 0.01  # the weights do reach the logits
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))


def _order(name: str, key: str) -> tuple[int, ...]:
    """Where weights belong that a released module registers elsewhere than it uses them; sorting is stable."""
    if name == "vit_b_16":  # the class token and the position embedding come after the patches' convolution
        if key.startswith("conv_proj"):
            return (0,)
        return {"class_token": (1,), "encoder.pos_embedding": (2,)}.get(key, (3,))
    if name == "convnext_tiny" and (match := re.match(r"features\.(\d+)\.(\d+)\.(layer_scale|block)", key)):
        return (int(match[1]), int(match[2]), int(match[3] == "layer_scale"))  # a block's scale comes last
    if name == "convnext_tiny":
        head = not key.startswith("features")
        return (9 if head else int(key.split(".")[1]), 0 if head else int(key.split(".")[2]), 0)
    if name == "legacy_xception":  # a block's shortcut comes last
        block = re.match(r"block(\d+)\.(skip)?", key)
        stem = key.split(".")[0] in ("conv1", "bn1", "conv2", "bn2")
        return (int(block[1]), int(bool(block[2]))) if block else (0 if stem else 99, 0)
    return (0,)


def _weights(module: nn.Module) -> dict[str, torch.Tensor]:
    """Random weights and statistics of a size that neither vanishes nor explodes on the way."""
    generator = torch.Generator().manual_seed(0)
    made = {}
    for name, tensor in module.state_dict().items():
        values = torch.rand(tensor.shape, generator=generator)
        if not tensor.is_floating_point():
            made[name] = tensor
        elif name.endswith("running_var") or (tensor.dim() == 1 and name.endswith("weight")):
            made[name] = values + 0.5
        elif tensor.dim() > 1 and tensor.shape[0] > 1:
            made[name] = (2 * values - 1) * (3 / tensor[0].numel()) ** 0.5
        else:
            made[name] = values - 0.5
    return made
