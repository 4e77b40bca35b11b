"""Modules for ops that torch.nn has no class for.

Each is self-contained (it needs `math`, `torch`, `nn` and `F` only), because exported programs carry its source.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F  # noqa: N812 - PyTorch's own name for it
from torch import Tensor, nn


class ShiftBatchNorm2d(nn.Module):
    """Batch normalisation that learns a shift and no scale (Keras' `scale=False`)."""

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float | None = 0.1) -> None:
        super().__init__()
        self.eps = eps
        self.momentum = momentum
        self.bias = nn.Parameter(torch.zeros(num_features))
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_var", torch.ones(num_features))
        self.register_buffer("num_batches_tracked", torch.tensor(0, dtype=torch.long))

    def forward(self, x: Tensor) -> Tensor:
        momentum = 0.0 if self.momentum is None else self.momentum
        if self.training:
            self.num_batches_tracked.add_(1)
            if self.momentum is None:  # the average of all batches
                momentum = 1.0 / float(self.num_batches_tracked)
        return F.batch_norm(
            x, self.running_mean, self.running_var, None, self.bias, self.training, momentum, self.eps
        )


class LayerNorm2d(nn.Module):
    """Layer normalisation of the channels at every position of (N, C, H, W)."""

    def __init__(self, channels: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        last = x.permute(0, 2, 3, 1)
        return F.layer_norm(last, self.weight.shape, self.weight, self.bias, self.eps).permute(0, 3, 1, 2)


class LayerScale(nn.Module):
    """A learnt factor per channel; `shape` is (C, 1, 1) for maps and (C,) for tokens."""

    def __init__(self, shape: int | tuple[int, ...], init: float = 1e-6) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.full((shape,) if isinstance(shape, int) else shape, init))

    def forward(self, x: Tensor) -> Tensor:
        return self.gamma * x


class DropPath(nn.Module):
    """Zeroes the whole branch of an image with probability p in training (stochastic depth)."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p == 0:
            return x
        if self.p == 1:
            return torch.zeros_like(x)
        keep = x.new_empty((x.shape[0],) + (1,) * (x.dim() - 1)).bernoulli_(1 - self.p)
        return x * keep / (1 - self.p)


class Tokens(nn.Module):
    """(N, C, H, W) as (N, H·W, C)."""

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(2).transpose(1, 2)


class ClassToken(nn.Module):
    """A learnt token before those of (N, L, width)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.zeros(1, 1, width))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1)


class PositionEmbedding(nn.Module):
    """A learnt vector for each place of (N, L, width)."""

    def __init__(self, length: int, width: int) -> None:
        super().__init__()
        self.embedding = nn.Parameter(torch.empty(1, length, width).normal_(std=0.02))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.embedding


class SelfAttention(nn.Module):
    """Multi-head self-attention, batch first, with the weights of `nn.MultiheadAttention`.

    The products are written out, so that every counter of operations sees them.
    """

    def __init__(self, embed_dim: int, num_heads: int, dropout: float = 0.0, bias: bool = True) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.dropout = dropout
        self.in_proj_weight = nn.Parameter(torch.empty(3 * embed_dim, embed_dim))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * embed_dim)) if bias else None
        self.out_proj = nn.Linear(embed_dim, embed_dim, bias)
        nn.init.xavier_uniform_(self.in_proj_weight)
        if bias:
            nn.init.zeros_(self.out_proj.bias)

    def forward(self, x: Tensor) -> Tensor:
        batch, length, width = x.shape
        heads = (batch, length, self.num_heads, width // self.num_heads)
        projected = F.linear(x, self.in_proj_weight, self.in_proj_bias)
        query, key, value = projected.chunk(3, 2)  # one by one, so that torch.fx can trace it
        query, key = query.reshape(heads).transpose(1, 2), key.reshape(heads).transpose(1, 2)
        value = value.reshape(heads).transpose(1, 2)
        scores = torch.matmul(
            query / math.sqrt(self.out_proj.in_features // self.num_heads), key.transpose(2, 3)
        )
        attention = F.dropout(scores.softmax(3), self.dropout, self.training)
        mixed = torch.matmul(attention, value).transpose(1, 2).reshape(batch, length, width)
        output: Tensor = self.out_proj(mixed)
        return output
