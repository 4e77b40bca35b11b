"""Our modules against others' of the same networks: equal layers, and with the same weights equal outputs.

Others are torchvision's and timm's, where these are installed, and `written`, by hand from the papers.  Weights go over
by their order, which is that of the layers in both.  CI does without the packages; run this after changing a spec:
`pip install torchvision timm`, then `pytest -m slow tests/networks/test_released.py`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from archinspect.analysis import analyse
from archinspect.frontends.torch.build import with_torchvision
from archinspect.graph import Graph
from archinspect.pytorch import build
from tests.pytorch.programs import outputs
from tests.support import one_in

from .written import DCGAN, M5, NIN, VAE, CifarResNet, Darknet53, OverFeat, YOLOv3
from .zoo import network

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
    ("mobilenet_v3_small", "torchvision.models", "mobilenet_v3_small", {}, "3x96x96"),
    ("efficientnet_v2_s", "torchvision.models", "efficientnet_v2_s", {}, "3x96x96"),
    ("regnet_y_400mf", "torchvision.models", "regnet_y_400mf", {}, "3x64x64"),
    ("shufflenet_v2", "torchvision.models", "shufflenet_v2_x1_0", {}, "3x64x64"),
    ("shufflenet_v2:width=244", "torchvision.models", "shufflenet_v2_x2_0", {}, "3x64x64"),
]

#: our network, the same by hand, and an input size that is quick to run
WRITTEN: list[tuple[str, Callable[[], nn.Module], str | None]] = [
    ("nin", NIN, "3x64x64"),
    ("resnet20_cifar", lambda: CifarResNet(20), None),
    ("resnet20_cifar:depth=56", lambda: CifarResNet(56), "3x8x8"),
    ("darknet53", Darknet53, "3x64x64"),
    ("yolov3", YOLOv3, "3x64x64"),
    ("dcgan:width=8", lambda: DCGAN(8), None),
    ("dcgan_generator", lambda: DCGAN(score=False), None),
    ("dcgan_discriminator", lambda: DCGAN(noise=False), None),
    ("vae", VAE, None),
    ("m5", M5, None),
    ("overfeat", OverFeat, None),
    ("overfeat_accurate", lambda: OverFeat(accurate=True), None),
]
#: those of few weights; the others' outputs are left to the slow tests
SMALL = {"resnet20_cifar", "dcgan:width=8", "vae", "m5"}


@pytest.mark.parametrize(
    ("model", "package", "name", "options", "size"),
    [
        pytest.param(*one, id=one[0], marks=[pytest.mark.slow, *[pytest.mark.many] * (i % 2)])
        for i, one in enumerate(RELEASED)
    ],
)
def test_released_networks(
    model: str, package: str, name: str, options: dict[str, Any], size: str | None
) -> None:
    if find_spec(package.partition(".")[0]) is None:
        pytest.skip(f"{package} is not installed")
    make: Callable[..., nn.Module] = getattr(with_torchvision(lambda: import_module(package)), name)
    theirs = make(**options)
    same_outputs(network(model, size), theirs, name)
    if name != "vit_b_16":  # whose attention runs in one kernel that torch does not count
        same_layers(network(model), theirs)


@pytest.mark.parametrize(
    ("model", "make", "size"),
    [pytest.param(*w, id=w[0], marks=() if w[0] in SMALL else pytest.mark.slow) for w in WRITTEN],
)
def test_outputs_of_networks_written_by_hand(
    model: str, make: Callable[[], nn.Module], size: str | None
) -> None:
    same_outputs(network(model, size), make(), model)


@pytest.mark.parametrize("number", one_in(4, range(len(WRITTEN))))
def test_layers_of_networks_written_by_hand(number: int) -> None:
    model, make, _ = WRITTEN[number]
    with torch.device("meta"):
        same_layers(network(model), make())


def same_layers(graph: Graph, theirs: nn.Module) -> None:
    """As many parameters and MACs as PyTorch counts, and to each tensor of weights an output of the same size."""
    theirs = theirs.to("meta").eval()
    totals = analyse(graph).totals
    assert totals.params == sum(parameter.numel() for parameter in theirs.parameters())
    found: Counter[tuple[tuple[int, ...], int]] = Counter()

    def note(module: nn.Module, given: Any, output: Tensor) -> None:
        found[_shape(module.weight.shape), output.numel()] += 1

    for module in theirs.modules():
        if isinstance(getattr(module, "weight", None), Tensor):
            module.register_forward_hook(note)
    with FlopCounterMode(display=False) as counter:
        theirs(*[torch.empty(node.output_shape, device="meta") for node in graph.nodes[: graph.inputs]])
    assert counter.get_total_flops() == 2 * totals.macs
    ours = [(node.weights["weight"], node.output_shape) for node in graph.layers if "weight" in node.weights]
    assert Counter((_shape(weight), torch.Size(shape).numel()) for weight, shape in ours) == found


def _shape(sizes: Iterable[int]) -> tuple[int, ...]:
    """Those that are not one: 1×1 convolutions are linear layers in some."""
    return tuple(n for n in sizes if n != 1)


def same_outputs(graph: Graph, theirs: nn.Module, name: str) -> None:
    """Our module and theirs, with one set of random weights, on one input."""
    ours = build(graph)
    weights = _weights(theirs)
    theirs.load_state_dict(weights)
    wanted = ours.state_dict()
    given = sorted(weights, key=lambda key: order(name, key))
    for key, other in zip(wanted, given, strict=True):
        assert _shape(wanted[key].shape) == _shape(weights[other].shape), (key, other)
    ours.load_state_dict(
        {key: weights[o].reshape(wanted[key].shape) for key, o in zip(wanted, given, strict=True)}
    )
    generator = torch.Generator().manual_seed(1)
    x = [torch.rand(2, *node.output_shape[1:], generator=generator) for node in graph.nodes[: graph.inputs]]
    for found, expected in zip(outputs(ours, *x), outputs(theirs, *x), strict=True):
        assert expected[0].numel() == 1 or expected.std() > 0.01  # the weights do reach it
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))


def order(name: str, key: str) -> tuple[int, ...]:
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
