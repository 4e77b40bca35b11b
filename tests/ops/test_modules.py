"""Our own modules against torch's, where torch has something to compare with."""

from __future__ import annotations

import inspect

import pytest
import torch
from torch import nn

from archinspect.ops import REGISTRY
from archinspect.pytorch import modules

X = torch.randn(3, 6, 5, 4, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("momentum", [0.1, None])
def test_shift_batch_norm_is_batch_norm_with_a_scale_of_one(momentum: float | None) -> None:
    ours, theirs = modules.ShiftBatchNorm2d(6, momentum=momentum), nn.BatchNorm2d(6, momentum=momentum)
    for _ in range(3):
        torch.testing.assert_close(ours(X), theirs(X))
    for name, buffer in theirs.named_buffers():
        torch.testing.assert_close(dict(ours.named_buffers())[name], buffer)
    torch.testing.assert_close(ours.eval()(X), theirs.eval()(X))


def test_layer_norm_of_channels_is_layer_norm_channels_last() -> None:
    theirs = nn.LayerNorm(6)(X.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
    torch.testing.assert_close(modules.LayerNorm2d(6)(X), theirs)


@pytest.mark.parametrize("bias", [True, False])
def test_self_attention_takes_torchs_weights_and_gives_its_values(bias: bool) -> None:
    ours = modules.SelfAttention(8, 2, bias=bias).eval()
    theirs = nn.MultiheadAttention(8, 2, bias=bias, batch_first=True).eval()
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(3, 5, 8)
    torch.testing.assert_close(ours(x), theirs(x, x, x)[0])


def test_attention_dropout_works_in_training_only() -> None:
    attention = modules.SelfAttention(8, 2, dropout=1.0)
    x = torch.randn(3, 5, 8)
    assert torch.equal(attention(x), attention.out_proj.bias.expand(3, 5, 8))
    assert not torch.equal(attention.eval()(x), attention.out_proj.bias.expand(3, 5, 8))


def test_drop_path_drops_whole_images_and_keeps_the_mean() -> None:
    torch.manual_seed(0)
    drop = modules.DropPath(0.25)
    x = torch.ones(4000, 2, 3)
    kept = drop(x).flatten(1)
    assert torch.all((kept == 0).all(1) | torch.isclose(kept, torch.tensor(4 / 3)).all(1))
    assert kept.mean().item() == pytest.approx(1, abs=0.05)
    assert torch.equal(drop.eval()(x), x)
    assert modules.DropPath(1.0)(x).abs().max() == 0


def test_tokens_and_the_class_token_stand_where_they_should() -> None:
    tokens = modules.Tokens()(X)
    assert torch.equal(tokens[1, 4 * 2 + 3], X[1, :, 2, 3])
    first = modules.ClassToken(6)
    nn.init.normal_(first.token)
    joined = first(tokens)
    assert torch.equal(joined[:, 0], first.token[:, 0].expand(3, 6))
    assert torch.equal(joined[:, 1:], tokens)


def test_every_module_can_be_copied_into_a_program() -> None:
    """The source of each runs with math, torch, nn, F and Tensor alone, and each is some op's."""
    names = [
        name
        for name, value in vars(modules).items()
        if inspect.isclass(value) and value.__module__ == modules.__name__
    ]
    targets = {kind.of(**a).torch_call(i).target for kind in REGISTRY.values() for a, i in kind.samples}
    assert {f"archinspect.{name}" for name in names} == {t for t in targets if t.startswith("archinspect.")}
    imports = ["math", "torch", "torch.nn.functional as F"]
    lines = [
        "from __future__ import annotations",
        "from torch import Tensor, nn",
        *(f"import {name}" for name in imports),
    ]
    head = "\n".join(lines) + "\n"
    for name in names:
        space: dict[str, object] = {}
        exec(head + inspect.getsource(getattr(modules, name)), space)
        assert name in space
