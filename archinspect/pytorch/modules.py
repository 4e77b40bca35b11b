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
        return x + self.embedding[:, : x.shape[1]]


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


class Attention(nn.Module):
    """Multi-head attention, batch first, of tokens or of queries and a memory.

    Its weights have the names of `nn.MultiheadAttention`'s.

    The products are written out, so that every counter of operations sees them.
    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        kv_heads: int | None = None,
        is_causal: bool = False,
        window: int | None = None,
    ) -> None:
        super().__init__()
        self.num_heads, self.kv_heads = num_heads, kv_heads or num_heads
        self.dropout, self.is_causal, self.window = dropout, is_causal, window
        shared = embed_dim // num_heads * self.kv_heads
        widths = (embed_dim, kdim or embed_dim, vdim or embed_dim)
        self.together = shared == embed_dim and widths == (embed_dim,) * 3
        self.sizes = (embed_dim, shared, shared)
        if self.together:
            self.in_proj_weight = nn.Parameter(torch.empty(3 * embed_dim, embed_dim))
            nn.init.xavier_uniform_(self.in_proj_weight)
        else:
            for i, name in enumerate("qkv"):
                weight = nn.Parameter(torch.empty(self.sizes[i], widths[i]))
                nn.init.xavier_uniform_(weight)
                self.register_parameter(f"{name}_proj_weight", weight)
        self.in_proj_bias = nn.Parameter(torch.zeros(sum(self.sizes))) if bias else None
        self.bias_k = nn.Parameter(torch.zeros(1, 1, shared)) if add_bias_kv else None
        self.bias_v = nn.Parameter(torch.zeros(1, 1, shared)) if add_bias_kv else None
        self.out_proj = nn.Linear(embed_dim, embed_dim, bias)

    def forward(self, x: Tensor, key: Tensor | None = None, value: Tensor | None = None) -> Tensor:
        key = x if key is None else key
        value = key if value is None else value
        rows = list(self.sizes)
        biases = [None] * 3 if self.in_proj_bias is None else self.in_proj_bias.split(rows)
        if self.together:
            weights = list(self.in_proj_weight.chunk(3))
        else:
            weights = [self.get_parameter(f"{name}_proj_weight") for name in "qkv"]
        values = (x, key, value)
        q, k, v = (F.linear(values[i], weights[i], biases[i]) for i in range(3))
        if self.bias_k is not None and self.bias_v is not None:
            k = torch.cat([k, self.bias_k.expand(k.shape[0], -1, -1)], 1)
            v = torch.cat([v, self.bias_v.expand(v.shape[0], -1, -1)], 1)
        output: Tensor = self.out_proj(self.mix(q, k, v))
        return output

    def mix(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        q, k, v = (
            part.unflatten(2, (heads, -1)).transpose(1, 2)
            for part, heads in ((q, self.num_heads), (k, self.kv_heads), (v, self.kv_heads))
        )
        group = self.num_heads // self.kv_heads
        if group > 1:
            k, v = k.repeat_interleave(group, 1), v.repeat_interleave(group, 1)
        scores = torch.matmul(q / math.sqrt(q.shape[3]), k.transpose(2, 3))
        if self.is_causal or self.window is not None:
            ago = torch.arange(scores.shape[2], device=q.device)[:, None] - torch.arange(
                scores.shape[3], device=q.device
            )
            hidden = ago < 0
            if self.window is not None:
                hidden = hidden | (ago >= self.window)
            scores = scores.masked_fill(hidden, float("-inf"))
        mixed = torch.matmul(F.dropout(scores.softmax(3), self.dropout, self.training), v)
        return mixed.transpose(1, 2).flatten(2)


class DotProductAttention(nn.Module):
    """Attention of projected queries, keys and values (N, L, heads·dim); `bias` is added to the scores."""

    def __init__(
        self,
        num_heads: int,
        kv_heads: int | None = None,
        is_causal: bool = False,
        window: int | None = None,
        scale: float | None = None,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.num_heads, self.kv_heads = num_heads, kv_heads or num_heads
        self.is_causal, self.window, self.scale, self.dropout = is_causal, window, scale, dropout

    def forward(self, q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None = None) -> Tensor:
        q, k, v = (
            part.unflatten(2, (heads, -1)).transpose(1, 2)
            for part, heads in ((q, self.num_heads), (k, self.kv_heads), (v, self.kv_heads))
        )
        group = self.num_heads // self.kv_heads
        if group > 1:
            k, v = k.repeat_interleave(group, 1), v.repeat_interleave(group, 1)
        if self.scale != 1:
            q = q * (1 / math.sqrt(q.shape[3]) if self.scale is None else self.scale)
        scores = torch.matmul(q, k.transpose(2, 3))
        if bias is not None:
            scores = scores + bias
        if self.is_causal or self.window is not None:
            ago = torch.arange(scores.shape[2], device=q.device)[:, None] - torch.arange(
                scores.shape[3], device=q.device
            )
            hidden = ago < 0
            if self.window is not None:
                hidden = hidden | (ago >= self.window)
            scores = scores.masked_fill(hidden, float("-inf"))
        mixed = torch.matmul(F.dropout(scores.softmax(3), self.dropout, self.training), v)
        return mixed.transpose(1, 2).flatten(2)


class ShiftedWindowAttention(nn.Module):
    """Attention inside windows of a map's tokens (N, H·W, C), with the names of torchvision's weights."""

    relative_position_index: Tensor

    def __init__(
        self,
        width: int,
        num_heads: int,
        window_size: int = 7,
        shift_size: int = 0,
        height: int | None = None,
    ) -> None:
        super().__init__()
        self.num_heads, self.window_size, self.shift_size, self.height = (
            num_heads,
            window_size,
            shift_size,
            height,
        )
        table = torch.empty((2 * window_size - 1) ** 2, num_heads)
        self.relative_position_bias_table = nn.Parameter(nn.init.trunc_normal_(table, std=0.02))
        places = torch.arange(window_size**2)
        row, column = places // window_size, places % window_size
        rows = row[:, None] - row + window_size - 1
        columns = column[:, None] - column + window_size - 1
        self.register_buffer("relative_position_index", (rows * (2 * window_size - 1) + columns).flatten())
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        w, heads = self.window_size, self.num_heads
        batch, length, width = x.shape
        rows = self.height or math.isqrt(length)
        columns = length // rows
        x = F.pad(x.reshape(batch, rows, columns, width), (0, 0, 0, -columns % w, 0, -rows % w))
        high, wide = x.shape[1], x.shape[2]
        shift = [0 if w >= side else self.shift_size for side in (high, wide)]
        if sum(shift):
            x = torch.roll(x, (-shift[0], -shift[1]), (1, 2))
        windows = high // w * (wide // w)
        x = x.reshape(batch, high // w, w, wide // w, w, width).transpose(2, 3)
        x = x.reshape(batch * windows, w * w, width)
        q, k, v = self.qkv(x).unflatten(2, (3, heads, -1)).permute(2, 0, 3, 1, 4).unbind(0)
        scores = torch.matmul(q * (width // heads) ** -0.5, k.transpose(2, 3))
        bias = self.relative_position_bias_table[self.relative_position_index]
        scores = scores + bias.reshape(w * w, w * w, heads).permute(2, 0, 1)
        if sum(shift):
            scores = scores + self.mask(high, wide, shift, x)[:, None].repeat(batch, 1, 1, 1)
        x = self.proj(torch.matmul(scores.softmax(3), v).transpose(1, 2).flatten(2))
        x = x.reshape(batch, high // w, wide // w, w, w, width).transpose(2, 3)
        x = x.reshape(batch, high, wide, width)
        if sum(shift):
            x = torch.roll(x, (shift[0], shift[1]), (1, 2))
        return x[:, :rows, :columns].reshape(batch, length, width)

    def mask(self, high: int, wide: int, shift: list[int], x: Tensor) -> Tensor:
        """-100 between tokens of a window that were not neighbours before the shift."""
        w = self.window_size
        parts = x.new_zeros(high, wide)
        edges = [((0, -w), (-w, -s), (-s, None)) for s in shift]
        for number, (top, bottom) in enumerate(edges[0]):
            for more, (left, right) in enumerate(edges[1]):
                parts[top:bottom, left:right] = number * 3 + more
        parts = parts.reshape(high // w, w, wide // w, w).transpose(1, 2).reshape(-1, w * w)
        apart = parts[:, None] - parts[:, :, None]
        return apart.masked_fill(apart != 0, -100.0).masked_fill(apart == 0, 0.0)


class MergePatches(nn.Module):
    """Two by two neighbours of a map's tokens as one: (N, H·W, C) to (N, H/2·W/2, 4·C)."""

    def __init__(self, height: int | None = None) -> None:
        super().__init__()
        self.height = height

    def forward(self, x: Tensor) -> Tensor:
        rows = self.height or math.isqrt(x.shape[1])
        x = x.unflatten(1, (rows, -1))
        x = F.pad(x, (0, 0, 0, x.shape[2] % 2, 0, x.shape[1] % 2))
        parts = [x[:, row::2, column::2] for column in (0, 1) for row in (0, 1)]
        return torch.cat(parts, -1).flatten(1, 2)


class MixtureOfExperts(nn.Module):
    """Experts of two linear layers, or three, of which each token uses the top_k that a router chooses.

    The chosen experts' weights are gathered for each token: right, and as much work as is counted, but slow.
    """

    def __init__(
        self,
        width: int,
        num_experts: int,
        top_k: int,
        hidden_features: int,
        activation: str = "gelu",
        gated: bool = False,
        bias: bool = True,
        router: bool = True,
    ) -> None:
        super().__init__()
        self.top_k = top_k
        self.activation = activation
        shapes: dict[str, tuple[int, ...]] = {"router": (num_experts, width)} if router else {}
        shapes["w1"] = (num_experts, hidden_features, width)
        if gated:
            shapes["w3"] = (num_experts, hidden_features, width)
        shapes["w2"] = (num_experts, width, hidden_features)
        if bias:
            shapes["b1"] = (num_experts, hidden_features)
            if gated:
                shapes["b3"] = (num_experts, hidden_features)
            shapes["b2"] = (num_experts, width)
        for name in ("router", "w1", "w3", "w2", "b1", "b3", "b2"):
            if name in shapes:
                start = torch.empty(shapes[name]).uniform_(-1, 1) * shapes[name][-1] ** -0.5
                self.register_parameter(name, nn.Parameter(start))
            else:
                self.register_parameter(name, None)

    def layer(self, x: Tensor, name: str, chosen: Tensor) -> Tensor:
        made = torch.matmul(self.get_parameter(f"w{name}")[chosen], x.unsqueeze(-1)).squeeze(-1)
        return made if self.b1 is None else made + self.get_parameter(f"b{name}")[chosen]

    def forward(self, x: Tensor, logits: Tensor | None = None) -> Tensor:
        if logits is None:
            logits = F.linear(x, self.get_parameter("router"))
        best, chosen = logits.topk(self.top_k, -1)
        inner = x.unsqueeze(2).expand(-1, -1, self.top_k, -1)
        hidden = self.layer(inner, "1", chosen)
        if self.activation == "relu":
            hidden = F.relu(hidden)
        else:
            hidden = F.gelu(hidden) if self.activation == "gelu" else F.silu(hidden)
        if self.w3 is not None:
            hidden = hidden * self.layer(inner, "3", chosen)
        weighted = self.layer(hidden, "2", chosen) * best.softmax(-1).unsqueeze(-1)
        output: Tensor = weighted.sum(2)
        return output


class SinusoidalPositionEncoding(nn.Module):
    """Adds sines and cosines of each place of (N, L, width)."""

    def forward(self, x: Tensor) -> Tensor:
        place = torch.arange(x.shape[1], device=x.device)[:, None]
        rate = 10000 ** (torch.arange(0, x.shape[2], 2, device=x.device) / x.shape[2])
        return x + torch.stack([(place / rate).sin(), (place / rate).cos()], -1).flatten(1).to(x.dtype)


class RotaryEmbedding(nn.Module):
    """Turns halves of each head of (N, L, heads·dim) by an angle that grows with the place."""

    def __init__(self, num_heads: int, base: float = 10000.0) -> None:
        super().__init__()
        self.num_heads, self.base = num_heads, base

    def forward(self, x: Tensor) -> Tensor:
        heads = x.unflatten(2, (self.num_heads, 2, -1))
        half = heads.shape[-1]
        rate = self.base ** (-torch.arange(half, device=x.device) / half)
        angle = (torch.arange(x.shape[1], device=x.device)[:, None] * rate)[:, None, None].to(x.dtype)
        turned = torch.cat([-heads[..., 1:, :], heads[..., :1, :]], -2)
        made: Tensor = heads * angle.cos() + turned * angle.sin()
        return made.flatten(2)


class RelativePositionBias(nn.Module):
    """A learnt number for each head and bucket of distances, as (1, heads, L, L)."""

    def __init__(
        self, num_heads: int, num_buckets: int = 32, max_distance: int = 128, bidirectional: bool = True
    ) -> None:
        super().__init__()
        self.num_buckets, self.max_distance, self.bidirectional = num_buckets, max_distance, bidirectional
        self.weight = nn.Parameter(torch.empty(num_buckets, num_heads).normal_(std=0.02))

    def forward(self, x: Tensor) -> Tensor:
        place = torch.arange(x.shape[1], device=x.device)
        distance = place - place[:, None]
        count, bucket = self.num_buckets, torch.zeros_like(distance)
        if self.bidirectional:
            count //= 2
            bucket = bucket + (distance > 0) * count
            distance = distance.abs()
        else:
            distance = (-distance).clamp(min=0)
        exact = max(1, count // 2)
        far = (
            (distance.clamp(min=1) / exact).log()
            / max(math.log(self.max_distance / exact), 1e-6)
            * (count - exact)
        )
        far = (exact + far.long()).clamp(max=count - 1)
        bucket = bucket + torch.where(distance < exact, distance, far)
        return F.embedding(bucket, self.weight).permute(2, 0, 1)[None]


class FreeParameter(nn.Module):
    """A learnt tensor, or a buffer, for each image of a batch."""

    def __init__(self, sizes: tuple[int, ...], init: float = 0.0, trainable: bool = True) -> None:
        super().__init__()
        value = torch.full(sizes, init)
        if trainable:
            self.value = nn.Parameter(value)
        else:
            self.register_buffer("value", value)

    def forward(self, x: Tensor) -> Tensor:
        return self.value.expand(x.shape[0], *self.value.shape).clone()


class SwiGLU(nn.Module):
    """silu(a)·b of the halves of a dimension."""

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, x: Tensor) -> Tensor:
        a, b = x.chunk(2, self.dim)
        return F.silu(a) * b


class Reshape(nn.Module):
    """The same elements in other sizes, image by image."""

    def __init__(self, sizes: tuple[int, ...]) -> None:
        super().__init__()
        self.sizes = sizes

    def forward(self, x: Tensor) -> Tensor:
        return x.reshape(x.shape[0], *self.sizes)


class CenterCrop(nn.Module):
    """The middle of a map."""

    def __init__(self, size: tuple[int, int]) -> None:
        super().__init__()
        self.size = size

    def forward(self, x: Tensor, like: Tensor | None = None) -> Tensor:
        top, left = (x.shape[2] - self.size[0]) // 2, (x.shape[3] - self.size[1]) // 2
        return x[:, :, top : top + self.size[0], left : left + self.size[1]]


class Einsum(nn.Module):
    """Sums of products by an equation of letters."""

    def __init__(self, equation: str) -> None:
        super().__init__()
        self.equation = equation

    def forward(self, *values: Tensor) -> Tensor:
        return torch.einsum(self.equation, *values)
