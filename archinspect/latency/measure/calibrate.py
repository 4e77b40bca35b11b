"""Time synthetic kernels of each family on the device at hand: what `archinspect calibrate` saves as a profile.

No network is run.  A kernel runs as it does inside of one: in eager mode, its input written by another kernel just
before, its weights out of the caches, its output newly allocated.
"""

from __future__ import annotations

import copy
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from ..ceilings import Precision
from ..kernels import ACTIVATIONS, IN_PLACE, Kernel
from ..profile import Profile, Sample
from ..stats import median
from ..timers import pipelined
from . import environment
from .prepare import arithmetic
from .roofs import measure_ceilings
from .runtime import TorchRuntime, find_device, runtime_for, threads
from .sentinel import Sentinel, settle_allocator

#: told while measuring: kernels timed so far, and of how many
Tell = Callable[[int, int], None]

_SEED = 0
#: every eighth kernel is timed twice, to tell how much measurements minutes apart differ
_AGAIN = 8
#: of the time, what measuring takes where nothing disturbs it
_SHARE = 0.5
_MOST_SAMPLES = 1000
_MANY = 200
_LEAST_SAMPLES = 3
#: runs of a quick kernel that are left out
_WARM = 20
#: weights of a kernel are held so often that together they do not fit a cache
_COLD_BYTES = 48 << 20
_COPIES = 64
#: smaller weights stay in a cache anyway
_SMALL_BYTES = 1 << 14
#: weights that a kernel has at most
_MOST_WEIGHTS = 40 << 20
#: elements of an input or output, and multiply-accumulates, that a kernel has at most
_MOST = {"cpu": (10 << 20, 2.2e9), "cuda": (1 << 26, 1e11), "mps": (1 << 25, 2e10)}
_DTYPES = {"fp16": torch.float16, "bf16": torch.bfloat16}


# Which kernels are timed.


def synthetic(device: str = "cpu", seed: int = _SEED) -> list[Kernel]:
    """The kernels that are timed, of all families: the same for the same seed.

    Sizes are drawn from what layers of networks have (many channels where the map is small), spread out so that each
    is far from those before it.
    """
    most, macs = _MOST[device]
    rng = random.Random(seed)
    largest = 8 if device == "cpu" else 64
    found: list[Kernel] = []
    for family, count in _COUNTS.items():
        draw = _DRAWS[family]
        chosen: list[Kernel] = []
        places: list[Sequence[float]] = []
        while len(chosen) < count:
            candidates: list[Kernel] = []
            while len(candidates) < 4:
                kernel = Kernel(family, draw(rng, largest))
                terms = kernel.terms
                if _is_small(terms, most, macs):
                    candidates.append(kernel)
            kernel = max(candidates, key=lambda kernel: _apart(kernel, places))
            chosen.append(kernel)
            places.append(kernel.axes)
        found += chosen
    for family in (*ACTIVATIONS, *IN_PLACE, *_ELEMENTWISE):
        elements = 64
        while elements <= most:
            found.append(Kernel(family, (elements,)))
            elements *= 2
    return [*found, Kernel("view"), Kernel("module")]


def _is_small(terms: Sequence[float], most: float, macs: float) -> bool:
    """Whether it is quick enough and fits: operations, elements, and weights where a family has some."""
    if len(terms) < 4:
        return max(terms) <= most
    return terms[0] <= macs and max(terms[1:3]) <= most and max(terms[3:]) <= _MOST_WEIGHTS


def _apart(kernel: Kernel, places: Sequence[Sequence[float]]) -> float:
    """How far it is from the nearest of other places, along the axes."""
    mine = kernel.axes
    return min((sum((a - b) ** 2 for a, b in zip(mine, place, strict=True)) for place in places), default=0.0)


def _batch(rng: random.Random, largest: int) -> int:
    return rng.choice((1, 1, 1, 2, 4, 8) if largest <= 8 else (1, 1, 2, 4, 8, 16, 32, 64))


def _map(rng: random.Random) -> tuple[int, float]:
    """A side of a map, and the channels that are usual with it."""
    side = rng.choice((7, 14, 28, 56, 112)) if rng.random() < 0.5 else round(7 * 2 ** rng.uniform(0, 4))
    return side, 3600 / side


def _channels(rng: random.Random, centre: float, low: float = -3.0, high: float = 2.0) -> int:
    """Channels about `centre`, mostly in eights."""
    count = min(4096, max(8, centre * 2 ** rng.uniform(low, high)))
    return round(count / 8) * 8 if rng.random() < 0.85 else round(count)


Sizes = tuple[int, ...]


def _sizes(
    n: int, c_in: int, c_out: int, side: int, kernel: tuple[int, int], stride: int, groups: int = 1
) -> Sizes:
    """Sizes of a convolution that keeps the map but for its stride."""
    before = side * stride
    return (n, c_in, before, before, c_out, side, side, *kernel, stride, groups, 1)


def _first(rng: random.Random, largest: int) -> Sizes:
    kernel, stride = rng.choice(
        ((3, 1), (3, 2), (3, 2), (5, 1), (7, 2), (7, 2), (11, 4), (4, 4), (7, 4), (16, 16), (14, 14), (7, 7))
    )
    side = max(4, round(rng.choice((32, 96, 160, 224, 224, 299)) / stride))
    width = round(2 ** rng.uniform(4, 10 if stride > 3 else 6.6) / 8) * 8
    return _sizes(_batch(rng, largest), rng.choice((1, 3, 3, 3)), width, side, (kernel, kernel), stride)


def _pointwise(rng: random.Random, largest: int) -> Sizes:
    if rng.random() < 0.12:  # gates of squeeze-and-excitation
        c_in, c_out = _channels(rng, 300, -4, 3), _channels(rng, 300, -4, 3)
        return _sizes(_batch(rng, largest), c_in, c_out, 1, (1, 1), 1)
    side, usual = _map(rng)
    c_in, c_out = _channels(rng, usual, -3, 2.5), _channels(rng, usual, -3, 2.5)
    return _sizes(_batch(rng, largest), c_in, c_out, side, (1, 1), 2 if rng.random() < 0.1 else 1)


def _dense(rng: random.Random, largest: int) -> Sizes:
    kernel = rng.choice(((3, 3),) * 7 + ((5, 5), (5, 5), (1, 7), (7, 1), (1, 3), (3, 1), (2, 2), (7, 7)))
    stride = kernel[0] if kernel == (2, 2) else 2 if kernel[0] == kernel[1] and rng.random() < 0.25 else 1
    side, usual = _map(rng)
    return _sizes(_batch(rng, largest), _channels(rng, usual), _channels(rng, usual), side, kernel, stride)


def _depthwise(rng: random.Random, largest: int) -> Sizes:
    side, usual = _map(rng)
    channels = _channels(rng, usual, -2, 1.5)
    kernel, stride = rng.choice((3, 3, 3, 5, 5, 7, 9)), rng.choice((1, 1, 2))
    return _sizes(_batch(rng, largest), channels, channels, side, (kernel, kernel), stride, channels)


def _grouped(rng: random.Random, largest: int) -> Sizes:
    side, usual = _map(rng)
    inside = rng.choice((2, 4, 8, 16, 16, 24, 32, 48, 64))
    groups = max(2, round(usual * 2 ** rng.uniform(-1, 1.5) / inside))
    kernel, stride = rng.choice((1, 3, 3, 3, 3, 5)), rng.choice((1, 1, 1, 2))
    channels = inside * groups
    return _sizes(_batch(rng, largest), channels, channels, side, (kernel, kernel), stride, groups)


def _product(rng: random.Random, largest: int) -> Sizes:
    if rng.random() < 0.3:  # classifiers
        return _batch(rng, largest), round(2 ** rng.uniform(6, 14)), round(2 ** rng.uniform(3, 12.2))
    rows = _batch(rng, largest) * rng.choice((49, 64, 128, 196, 197, 784, 3136))
    return rows, round(2 ** rng.uniform(6, 12)), round(2 ** rng.uniform(6, 12))


def _batched(rng: random.Random, largest: int) -> Sizes:
    tokens = rng.choice((16, 49, 64, 128, 197))
    width = rng.choice((16, 32, 64, 96))
    count = _batch(rng, largest) * rng.choice((3, 12, 48, 192, 384))
    return (count, tokens, width, tokens) if rng.random() < 0.5 else (count, tokens, tokens, width)


def _heads(rng: random.Random, largest: int) -> Sizes:
    tokens = rng.choice((16, 49, 64, 128, 197, 256, 384))
    return (
        _batch(rng, largest) * rng.choice((1, 3, 4, 6, 8, 12, 16)),
        tokens,
        tokens,
        rng.choice((32, 64, 128)),
    )


def _pool(rng: random.Random, largest: int) -> Sizes:
    side, usual = _map(rng)
    kernel, stride = rng.choice(((2, 2), (3, 1), (3, 1), (3, 2), (3, 2), (5, 1), (7, 7)))
    return (
        _batch(rng, largest) * _channels(rng, usual, -2, 1),
        side * stride,
        side * stride,
        side,
        side,
        (kernel * kernel),
        stride,
    )


def _adaptive(rng: random.Random, largest: int) -> Sizes:
    after = rng.choice((2, 4, 6, 7))
    side = after * rng.choice((1, 1, 2))
    planes = _batch(rng, largest) * _channels(rng, 400, -2, 1)
    return planes, side, side, after, after, (side // after) ** 2, side // after


def _planes(rng: random.Random, largest: int) -> Sizes:
    side, usual = _map(rng)
    return _batch(rng, largest) * _channels(rng, usual, -3, 2), side * side


def _tokens(rng: random.Random, largest: int) -> Sizes:
    return _batch(rng, largest) * rng.choice((1, 49, 196, 784, 3136)), _channels(rng, 300, -2, 2)


def _scores(rng: random.Random, largest: int) -> Sizes:
    length = rng.choice((49, 64, 128, 197))
    return _batch(rng, largest) * rng.choice((3, 12, 48, 192)) * length, length


def _images(rng: random.Random, largest: int) -> Sizes:
    return _batch(rng, largest), round(2 ** rng.uniform(14, 20))


def _parts(rng: random.Random, largest: int) -> Sizes:
    side, usual = _map(rng)
    parts = rng.choice((2, 2, 3, 4, 4, 6, 12, 24))
    return parts, _batch(rng, largest), side * side * _channels(rng, usual, -1, 2)


def _pieces(rng: random.Random, largest: int) -> Sizes:
    return _batch(rng, largest) * round(2 ** rng.uniform(2, 10)) * 8, rng.choice(
        (7, 14, 28, 32, 64, 96, 196, 384, 768)
    )


_ELEMENTWISE = ("add", "add_", "multiply", "scale", "addcmul")
_DRAWS: dict[str, Callable[[random.Random, int], Sizes]] = {
    "conv_first": _first,
    "conv_pointwise": _pointwise,
    "conv_dense": _dense,
    "conv_depthwise": _depthwise,
    "conv_grouped": _grouped,
    "linear": _product,
    "matmul": _batched,
    "attention": _heads,
    "max_pool": _pool,
    "avg_pool": _pool,
    "adaptive_avg_pool": _adaptive,
    "mean": _planes,
    "multiply_planes": _planes,
    "batch_norm": _planes,
    "layer_norm": _tokens,
    "group_norm": _images,
    "softmax": _scores,
    "concat": _parts,
    "copy": _pieces,
    "upsample": lambda rng, largest: (round(2 ** rng.uniform(8, 21)) * 4,),
    "local_response_norm": lambda rng, largest: (
        _batch(rng, largest) * round(2 ** rng.uniform(14, 18)) * 64,
    ),
}
_COUNTS = {
    "conv_first": 50,
    "conv_pointwise": 170,
    "conv_dense": 180,
    "conv_depthwise": 90,
    "conv_grouped": 70,
    "linear": 70,
    "matmul": 20,
    "attention": 24,
    "max_pool": 36,
    "avg_pool": 30,
    "adaptive_avg_pool": 10,
    "mean": 24,
    "multiply_planes": 24,
    "batch_norm": 40,
    "layer_norm": 20,
    "group_norm": 12,
    "softmax": 14,
    "concat": 36,
    "copy": 24,
    "upsample": 8,
    "local_response_norm": 8,
}


# How a kernel is run.


@dataclass(frozen=True, slots=True)
class _Prepared:
    """The operands that another kernel writes just before, and functions of them, each with weights of its own."""

    sources: tuple[torch.Tensor, ...]
    functions: tuple[Callable[..., object], ...]


class _Bench:
    """Makes kernels on a device, in a type."""

    def __init__(self, device: torch.device, dtype: torch.dtype) -> None:
        self.device, self.dtype = device, dtype
        drawn = torch.randn((1 << 20) + 1, generator=torch.Generator().manual_seed(_SEED)) * 0.1
        self._drawn = drawn.repeat(16).to(device, dtype)

    def tensor(self, *shape: int) -> torch.Tensor:
        """Random numbers; a large tensor repeats them."""
        made = torch.empty(shape, device=self.device, dtype=self.dtype)
        flat = made.view(-1)
        for at in range(0, flat.numel(), self._drawn.numel()):
            part = flat[at : at + self._drawn.numel()]
            part.copy_(self._drawn[: part.numel()])
        return made

    def module(self, make: Callable[[], nn.Module], at: int = 0) -> nn.Module:
        """A module in evaluation mode whose weights are random numbers, from `at` on of those that were drawn."""
        with torch.device("meta"):
            return self._filled(make().eval(), at)

    def modules(self, make: Callable[[], nn.Module]) -> tuple[nn.Module, ...]:
        """The module with as many different weights as no cache holds together."""
        with torch.device("meta"):
            empty = make().eval()
        numel = sum(p.numel() for p in empty.parameters())
        size = numel * self._drawn.element_size()
        count = min(_COPIES, max(1, -(-_COLD_BYTES // max(size, 1)))) if size > _SMALL_BYTES else 1
        return tuple(self._filled(empty, number * numel) for number in range(count))

    def _filled(self, empty: nn.Module, at: int) -> nn.Module:
        module = copy.copy(empty)
        module._parameters = {}
        for name, value in empty._parameters.items():
            if value is not None:
                module._parameters[name] = nn.Parameter(self._weights(value.shape, at), requires_grad=False)
                at += value.numel()
            else:
                module._parameters[name] = None
        module._buffers = {
            name: torch.ones(value.shape, device=self.device, dtype=self.dtype)
            for name, value in empty._buffers.items()
            if value is not None
        }
        return module

    def _weights(self, shape: torch.Size, at: int) -> torch.Tensor:
        """Drawn numbers as they lie in memory, where there are so many; else some that repeat them."""
        numel = shape.numel()
        if numel > self._drawn.numel():
            return self.tensor(*shape)
        at %= self._drawn.numel() - numel + 1
        return self._drawn[at : at + numel].view(shape)

    def prepare(self, kernel: Kernel) -> _Prepared:
        """The kernel, ready to be run."""
        family, sizes = kernel.family, kernel.sizes
        if family.startswith("conv_"):
            return self._convolution(sizes)
        if family in ACTIVATIONS:
            module = self.module(lambda: _ACTIVATIONS[family](False))
            return _Prepared((self.tensor(*_flat(sizes[0])),), (module,))
        if family in IN_PLACE:
            module = self.module(lambda: _ACTIVATIONS[family[:-1]](True))
            return _Prepared((self.tensor(*_flat(sizes[0])),), (module,))
        return getattr(self, f"_{family}")(*sizes)  # type: ignore[no-any-return]

    def _convolution(self, sizes: Sizes) -> _Prepared:
        n, c_in, h_in, w_in, c_out, h, w, kh, kw, stride, groups, dilation = sizes
        same = kh % 2 and kw % 2 and (h_in, w_in) == (h * stride, w * stride) and kh < 12
        padding = (kh // 2, kw // 2) if same and stride < max(kh, kw) else (0, 0)
        make = lambda: nn.Conv2d(  # noqa: E731
            c_in, c_out, (kh, kw), stride, padding, dilation, groups, bias=False
        )
        return _Prepared((self.tensor(n, c_in, h_in, w_in),), self.modules(make))

    def _linear(self, m: int, k: int, n: int) -> _Prepared:
        return _Prepared((self.tensor(m, k),), self.modules(lambda: nn.Linear(k, n)))

    def _matmul(self, b: int, m: int, k: int, n: int) -> _Prepared:
        return _Prepared((self.tensor(b, m, k), self.tensor(b, k, n)), (torch.matmul,))

    def _attention(self, heads: int, queries: int, keys: int, width: int) -> _Prepared:
        q, k, v = (self.tensor(1, heads, length, width) for length in (queries, keys, keys))
        return _Prepared((q, k, v), (functional.scaled_dot_product_attention,))

    def _max_pool(
        self, planes: int, h_in: int, w_in: int, h: int, w: int, kernel: int, stride: int
    ) -> _Prepared:
        return self._pooled(nn.MaxPool2d, planes, h_in, w_in, kernel, stride)

    def _avg_pool(
        self, planes: int, h_in: int, w_in: int, h: int, w: int, kernel: int, stride: int
    ) -> _Prepared:
        return self._pooled(nn.AvgPool2d, planes, h_in, w_in, kernel, stride)

    def _pooled(self, pool: Any, planes: int, h: int, w: int, kernel: int, stride: int) -> _Prepared:
        side = round(kernel**0.5)
        padding = side // 2 if side % 2 and stride < side else 0
        if side > min(h, w):
            side = min(h, w)
        return _Prepared((self.tensor(1, planes, h, w),), (pool(side, stride, padding),))

    def _adaptive_avg_pool(self, planes: int, h_in: int, w_in: int, h: int, w: int, *_: int) -> _Prepared:
        return _Prepared((self.tensor(1, planes, h_in, w_in),), (nn.AdaptiveAvgPool2d((h, w)),))

    def _mean(self, rows: int, width: int) -> _Prepared:
        return _Prepared((self.tensor(1, rows, 1, width),), (nn.AdaptiveAvgPool2d(1),))

    def _softmax(self, rows: int, width: int) -> _Prepared:
        return _Prepared((self.tensor(rows, width),), (nn.Softmax(-1),))

    def _layer_norm(self, rows: int, width: int) -> _Prepared:
        return _Prepared((self.tensor(rows, width),), (self.module(lambda: nn.LayerNorm(width)),))

    def _group_norm(self, rows: int, width: int) -> _Prepared:
        channels = 64
        return _Prepared(
            (self.tensor(rows, channels, max(1, width // channels)),),
            (self.module(lambda: nn.GroupNorm(1, channels)),),
        )

    def _batch_norm(self, rows: int, width: int) -> _Prepared:
        return _Prepared((self.tensor(1, rows, width, 1),), (self.module(lambda: nn.BatchNorm2d(rows)),))

    def _multiply_planes(self, rows: int, width: int) -> _Prepared:
        return _Prepared((self.tensor(1, rows, width, 1), self.tensor(1, rows, 1, 1)), (torch.mul,))

    def _copy(self, rows: int, width: int) -> _Prepared:
        source = self.tensor(8, rows // 8, width)
        return _Prepared((source,), (lambda x: x.transpose(0, 1).contiguous(),))

    def _concat(self, parts: int, rows: int, width: int) -> _Prepared:
        pieces = [self.tensor(rows, max(1, width // parts)) for _ in range(parts)]
        return _Prepared(tuple(pieces), (lambda *x: torch.cat(x, 1),))

    def _local_response_norm(self, elements: int) -> _Prepared:
        norm = nn.LocalResponseNorm(5)
        return _Prepared((self.tensor(1, 64, elements // 64, 1),), (norm,))

    def _upsample(self, elements: int) -> _Prepared:
        side = 14
        planes = max(1, elements // (4 * side * side))
        return _Prepared((self.tensor(1, planes, side, side),), (nn.Upsample(scale_factor=2),))

    def _add(self, elements: int) -> _Prepared:
        return _Prepared((self.tensor(*_flat(elements)), self.tensor(*_flat(elements))), (torch.add,))

    def _add_(self, elements: int) -> _Prepared:
        operands = self.tensor(*_flat(elements)), self.tensor(*_flat(elements))
        return _Prepared(operands, (torch.Tensor.add_,))

    def _multiply(self, elements: int) -> _Prepared:
        return _Prepared((self.tensor(*_flat(elements)), self.tensor(*_flat(elements))), (torch.mul,))

    def _scale(self, elements: int) -> _Prepared:
        return _Prepared((self.tensor(*_flat(elements)),), (lambda x: x * 0.5,))

    def _addcmul(self, elements: int) -> _Prepared:
        rows, width = _flat(elements)[-2:]
        a, b = self.tensor(1, width), self.tensor(1, width)
        return _Prepared((self.tensor(rows, width),), (lambda x: torch.addcmul(a, b, x),))

    def _view(self) -> _Prepared:
        return _Prepared((self.tensor(1, 8, 4, 4),), (lambda x: x.flatten(1),))

    def _module(self) -> _Prepared:
        return _Prepared((self.tensor(1, 8, 4, 4),), (nn.Dropout().eval(),))


_ACTIVATIONS: dict[str, Callable[[bool], nn.Module]] = {
    "relu": nn.ReLU,
    "relu6": nn.ReLU6,
    "leaky_relu": lambda inplace: nn.LeakyReLU(0.1, inplace),
    "silu": nn.SiLU,
    "gelu": lambda _: nn.GELU(),
    "sigmoid": lambda _: nn.Sigmoid(),
    "tanh": lambda _: nn.Tanh(),
    "hardswish": nn.Hardswish,
    "hardsigmoid": nn.Hardsigmoid,
}


def _flat(elements: int) -> tuple[int, ...]:
    return (1, max(1, elements // 64), 64) if elements >= 64 else (1, 1, elements)


# The measuring.


def calibrate(
    device: str | None = None,
    *,
    minutes: float = 5.0,
    dtype: Precision,
    thread_count: int | None = None,
    tell: Tell | None = None,
    kernels: Sequence[Kernel] | None = None,
) -> Profile:
    """A profile of the device: the roofs, and the time of each synthetic kernel, in about so many minutes.

    Raises ArchinspectError (A403, A406) for a device that is not here.
    """
    place = find_device(device)
    runtime = runtime_for(place)
    wanted = list(kernels if kernels is not None else synthetic(place.type))
    begin = time.perf_counter()
    with arithmetic(dtype, place), threads(thread_count) as count, torch.inference_mode(), runtime.chosen():
        facts = environment.environment(place, count)
        settle_allocator(runtime)
        bench = _Bench(place, _DTYPES.get(dtype.name, torch.float32))
        end = begin + 60 * minutes
        sentinel = Sentinel(runtime, end)
        sentinel.wait()
        ceilings = measure_ceilings(runtime, [dtype])
        visits = _timed(wanted, bench, runtime, sentinel, end, tell)
        facts["sentinel_us"] = 1e6 * sentinel.best
    samples = [
        Sample(kernel, 1000 * min(seconds), max(seconds) / min(seconds) - 1 if len(seconds) > 1 else None)
        for kernel, (seconds, _) in zip(wanted, visits, strict=True)
    ]
    doubtful = sum(not undisturbed for _, undisturbed in visits)
    flags = [f"{doubtful} of {len(wanted)} kernels were timed while the machine was slower than at best"]
    made = Profile(
        runtime.name(), dtype.name, facts, ceilings, tuple(samples), tuple(flags if doubtful else ())
    )
    return replace(made, fits={family: surface.fit for family, surface in made.families.items()})


def _timed(
    kernels: Sequence[Kernel],
    bench: _Bench,
    runtime: TorchRuntime,
    sentinel: Sentinel,
    end: float,
    tell: Tell | None,
) -> list[tuple[list[float], bool]]:
    """For each kernel the seconds of each visit, and whether the machine was undisturbed during these.

    The order is another at each visit, so that a drift meets all alike.  Where the machine was disturbed during all
    visits of a kernel, these stand.
    """
    good: list[list[float]] = [[] for _ in kernels]
    bad: list[list[float]] = [[] for _ in kernels]
    left = [*range(len(kernels)), *range(0, len(kernels), _AGAIN)]
    random.Random(_SEED).shuffle(left)
    total = len(left)
    each_s = _SHARE * (end - time.perf_counter()) / len(left)
    tries = 0
    while left and (time.perf_counter() < end or tries < total):
        index = left.pop()
        tries += 1
        before = sentinel.wait()
        seconds = _once(bench.prepare(kernels[index]), runtime, each_s)
        if before and sentinel.undisturbed():
            good[index].append(seconds)
        else:
            bad[index].append(seconds)
            if time.perf_counter() < end:
                left.insert(0, index)
        if tell is not None:
            tell(sum(map(len, good)), total)
    return [(kept or other, bool(kept)) for kept, other in zip(good, bad, strict=True)]


def _once(prepared: _Prepared, runtime: TorchRuntime, budget_s: float) -> float:
    """The median seconds of a kernel within about that time."""
    if runtime.asynchronous:
        return _queued(prepared, runtime, budget_s)
    samples: list[float] = []
    begin = time.perf_counter()
    for number, seconds in enumerate(_runs(prepared)):
        if number > 0:  # the first prepares what later ones find ready
            samples.append(seconds)
        if number == _WARM:
            samples.clear()
        spent = time.perf_counter() - begin
        enough = len(samples) >= _LEAST_SAMPLES and spent > budget_s
        if enough or (spent > 0.2 * budget_s and len(samples) >= _MANY) or len(samples) >= _MOST_SAMPLES:
            return median(samples)
    raise AssertionError("runs do not end")


def _runs(prepared: _Prepared) -> Iterator[float]:
    """Seconds of one run after the other, each with operands that were just written and with other weights."""
    clock = time.perf_counter
    while True:
        for function in prepared.functions:
            operands = [source.clone() for source in prepared.sources]
            begin = clock()
            result = function(*operands)
            spent = clock() - begin
            del operands, result
            yield spent


def _queued(prepared: _Prepared, runtime: TorchRuntime, budget_s: float) -> float:
    """On a device with a queue: the slower of the host that fills it and the device that empties it."""
    position = 0

    def forward() -> object:
        nonlocal position
        position = (position + 1) % len(prepared.functions)
        return prepared.functions[position](*prepared.sources)

    forward()
    runtime.synchronize()
    timer = pipelined(forward, runtime)
    begin = runtime.clock()
    samples = timer(1)
    while runtime.clock() - begin < budget_s and len(samples) < _MOST_SAMPLES:
        samples += timer(2)
    return median(samples)
