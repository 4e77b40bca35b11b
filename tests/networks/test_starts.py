"""How built and exported networks start: tensor by tensor as torchvision's module does, or as the paper's rule says."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from archinspect.frontends.spec.load import specs_folder
from archinspect.frontends.torch.build import with_torchvision
from archinspect.graph import Graph
from archinspect.initializers import initialization, starting_rules
from archinspect.pytorch import build
from archinspect.pytorch.initialization import initialize
from tests.pytorch.programs import exported

from .test_released import order
from .zoo import NAMES, network

#: standard errors that two deviations or means may differ by; thousands of tensors are compared
_ERRORS = 5.5
_SLOW = pytest.mark.slow


def alike(ours: Mapping[str, Tensor], theirs: Mapping[str, Tensor]) -> None:
    """Two starts are of the same rules: mean, deviation and shape of the distribution of each tensor."""
    assert ours.keys() == theirs.keys()
    for name, one in ours.items():
        other = theirs[name]
        assert one.shape == other.shape, name
        count = one.numel()
        if count < 2 or not one.is_floating_point():
            assert torch.equal(one, other) or count == 1, name
            continue
        found, expected = one.std().item(), other.std().item()
        if not expected or not found:
            assert torch.equal(one, other), (name, found, expected)
            continue
        assert abs(found - expected) < _ERRORS * expected / math.sqrt(count), (name, found, expected)
        error = expected * math.sqrt(2 / count)
        assert abs(one.mean().item() - other.mean().item()) < _ERRORS * error, (
            name,
            one.mean(),
            other.mean(),
        )
        if count >= 2000:  # uniform or normal: the fourth moment is 1.8 or 3 squares of the variance
            moments = [((t - t.mean()) / t.std()).pow(4).mean().item() for t in (one, other)]
            assert (moments[0] < 2.3) == (moments[1] < 2.3), (name, moments)


def state(module: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach() for name, tensor in module.named_parameters()}


def released(model: str, name: str, options: dict[str, Any]) -> dict[str, Tensor]:
    """torchvision's own start of a network, under our names."""
    if find_spec("torchvision") is None:
        pytest.skip("torchvision is not installed")
    make: Callable[..., nn.Module] = getattr(
        with_torchvision(lambda: import_module("torchvision.models")), name, None
    ) or getattr(with_torchvision(lambda: import_module("torchvision.models.video")), name)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        theirs = state(make(weights=None, **options))
    wanted = build(network(model), device="meta").state_dict(keep_vars=True)
    names = [key for key, tensor in wanted.items() if isinstance(tensor, nn.Parameter)]
    given = sorted(theirs, key=lambda key: order(name, key))
    return {key: theirs[other].reshape(wanted[key].shape) for key, other in zip(names, given, strict=True)}


def started(graph: Graph, seed: int = 0) -> dict[str, Tensor]:
    """What `build` makes, by a seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return state(build(graph))


@pytest.mark.parametrize(
    ("model", "name", "options"),
    [
        ("squeezenet1_1", "squeezenet1_1", {}),
        *[
            pytest.param(*case, marks=_SLOW)
            for case in [
                ("alexnet_torchvision", "alexnet", {}),
                ("vgg11", "vgg11", {}),
                ("vgg16:batch_norm=true", "vgg16_bn", {}),
                ("googlenet_torchvision", "googlenet", {"aux_logits": False, "init_weights": True}),
                ("inception_v3", "inception_v3", {"aux_logits": False, "init_weights": True}),
                ("squeezenet1_0", "squeezenet1_0", {}),
                ("mobilenet_v2", "mobilenet_v2", {}),
                ("efficientnet_b0", "efficientnet_b0", {}),
                ("resnet18", "resnet18", {}),
                ("resnet50", "resnet50", {}),
                ("resnext50_32x4d", "resnext50_32x4d", {}),
                ("densenet121", "densenet121", {}),
                ("mobilenet_v3_large", "mobilenet_v3_large", {}),
                ("convnext_tiny", "convnext_tiny", {}),
                ("vit_b_16", "vit_b_16", {}),
                ("r3d_18", "r3d_18", {}),
            ]
        ],
    ],
)
def test_weights_start_as_torchvision_starts_them(model: str, name: str, options: dict[str, Any]) -> None:
    alike(started(network(model)), released(model, name, options))


#: what the papers say in closed form: for each pattern of a tensor's name mean and deviation; the last that fits counts
PAPERS: list[tuple[str, dict[str, tuple[float, float]]]] = [
    # Krizhevsky et al. 2012, section 5: deviation 0.01; biases 1 in conv2, conv4, conv5 and hidden layers, else 0
    (
        "alexnet:num_classes=10",
        {
            ".*weight": (0, 0.01),
            ".*bias": (0, 0),
            "(conv[245]|fc[67]).bias": (1, 0),
        },
    ),
    # Koch et al. 2015, section 3.2
    ("siamese", {".*weight": (0, 0.01), ".*(fc|linear).*weight": (0, 0.2), ".*bias": (0.5, 0.01)}),
    # Devlin et al. 2018 by transformers: deviation 0.02; norms 1 and 0
    (
        "bert_base:layers=1,width=96,vocabulary=500",
        {".*(weight|embedding)": (0, 0.02), ".*bias": (0, 0), r".*norm\d?.weight": (1, 0)},
    ),
    # Radford et al. 2019, section 2.3: 1/√N for N residual layers, here 2 of 2 blocks
    (
        "gpt2:n_layer=2,n_embd=96,n_head=4,vocabulary=500",
        {
            ".*(weight|embedding)": (0, 0.02),
            ".*bias": (0, 0),
            r".*ln_.\.weight": (1, 0),
            r".*(out_proj|linear_1)\.weight": (0, 0.02 / 2),
        },
    ),
    # transformers' modeling_t5.py, with d_model 64, d_kv 16 and d_ff 128
    (
        "t5_small:layers=1,width=64,heads=4,inner=128,vocabulary=500",
        {
            ".*weight": (0, 64**-0.5),
            "shared.weight": (0, 1),
            r".*norm\.weight": (1, 0),
            r".*\.q\.weight": (0, (64 * 16) ** -0.5),
            r".*\.wo\.weight": (0, 128**-0.5),
        },
    ),
]
_BIG = ("alexnet", "siamese")


@pytest.mark.parametrize(
    ("model", "said"),
    [pytest.param(*p, marks=[_SLOW] if p[0].startswith(_BIG) else []) for p in PAPERS],
)
def test_weights_start_as_the_paper_says(model: str, said: dict[str, tuple[float, float]]) -> None:
    found = started(network(model))
    for name, tensor in found.items():
        mean, deviation = [rule for pattern, rule in said.items() if re.fullmatch(pattern, name)][-1]
        count = tensor.numel()
        if not deviation:
            assert (tensor == mean).all(), name
        elif count > 1:
            padded = name == "words.weight"  # whose first row is padding
            error = deviation * (_ERRORS / math.sqrt(2 * count) + 0.002 * padded)
            assert abs(tensor.std().item() - deviation) < error, (name, tensor.std(), deviation)
            assert abs(tensor.mean().item() - mean) < _ERRORS * deviation / math.sqrt(count), name


def test_lenet_starts_within_the_papers_bounds_and_unet_by_what_a_unit_sums() -> None:
    for name, tensor in started(network("lenet5")).items():  # LeCun et al. 1998, appendix A
        fan_in = {"C1": 25, "C3": 6 * 25, "C5": 16 * 25, "F6": 120, "output": 84}[name.split(".")[0]]
        assert tensor.abs().max().item() <= 2.4 / fan_in, name
        if tensor.numel() > 100:
            assert tensor.abs().max().item() > 0.9 * 2.4 / fan_in, name
    rules = starting_rules(
        network("unet")
    )  # Ronneberger et al. 2015, section 3: a transposed 2×2 of stride 2 sums C
    assert str(rules["up1.up.weight"]) == "normal(std=(2 / fan_in) ** 0.5)"


@pytest.mark.parametrize(
    "model",
    [
        "lenet5",
        "squeezenet1_1",
        "gpt2:n_layer=2,n_embd=96,n_head=4,vocabulary=500",
        *[
            pytest.param(name, marks=_SLOW)
            for name in (
                "bert_base:layers=1,width=96,vocabulary=500",
                "t5_small:layers=1,width=64,heads=4,vocabulary=500",
                "vit_b_16",
                "unet",
                "googlenet:aux=true",
                "swin_t",
                "inception_v4",
            )
        ],
    ],
)
def test_the_exported_program_starts_alike(model: str) -> None:
    graph = network(model)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        theirs = state(exported(graph))
    alike(started(graph), theirs)


@pytest.mark.parametrize("name", NAMES)
def test_every_network_says_where_its_start_comes_from_and_each_rule_has_a_tensor(name: str) -> None:
    graph = network(name)
    start = initialization(graph)
    assert start.source or start.rules, f"specs/{name}.yaml does not say how it starts"
    if "\ninit:" not in Path(specs_folder(), f"{name}.yaml").read_text(encoding="utf-8"):
        return  # the network that lends its blocks says so
    switches = [k for k, v in graph.arguments.items() if v is False]
    graphs = [graph, *(network(f"{name}:{switch}=true") for switch in switches)]
    for rule in start.rules:
        assert any(
            rule in starting_rules(each).values()
            or any(rule.is_for(node, tensor) for node in each.layers for tensor in node.weights)
            for each in graphs
        ), rule.target


def logits(module: nn.Module) -> float:
    """Standard deviation of the untrained logits of one random image."""
    x = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        return float(module.eval()(x).std())


@pytest.mark.parametrize(
    ("name", "published", "spread"),
    [("squeezenet1_1", 0.405, 0.55), pytest.param("vgg16", 0.107, 0.15, marks=_SLOW)],
)
def test_untrained_logits_are_as_large_as_torchvisions(name: str, published: float, spread: float) -> None:
    """`published` is one start of torchvision 0.28's, whose logarithm has a deviation of `spread` over seeds."""
    graph = network(name)
    module = build(graph)
    found = []
    for seed in (0, 1):
        initialize(module, graph, seed=seed)
        found.append(math.log(logits(module)))
    mean = sum(found) / 2
    assert abs(mean - math.log(published)) < 3 * spread * math.sqrt(1 + 1 / 2), found
    initialize(module, graph, "default", seed=0)
    assert math.log(logits(module)) < mean - math.log(4)  # what it was where specs left it to PyTorch
