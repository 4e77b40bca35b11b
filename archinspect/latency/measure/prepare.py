"""A network made ready for timing: weights, statistics and inputs like real ones, in the precision asked for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import fx, nn
from torch.utils._pytree import tree_leaves

from ...errors import fail
from ..ceilings import Precision
from ..plan import Options
from ..sampling import Samples
from . import inspection, own_module
from .compiled import Compiled, compiled, compiled_own
from .instrument import clone
from .module_calls import Calls, first_pass

if TYPE_CHECKING:
    from ...graph import Graph

_DTYPES = {"fp16": torch.float16, "bf16": torch.bfloat16}
_SEED = 0


@dataclass(frozen=True, slots=True)
class Prepared:
    """The module on its device, its inputs, and the function that is timed: the module's own, or what was compiled.

    `calls` are those that a first pass made, of a user's own module; it took `first_s` seconds.
    """

    module: nn.Module
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    compiled: Compiled | None = None
    calls: Calls | None = None
    first_s: float | None = None

    @property
    def function(self) -> Callable[..., object]:
        return self.module if self.compiled is None else self.compiled.function

    def forward(self) -> object:
        return self.function(*self.args, **self.kwargs)

    def plain(self) -> object:
        """A forward of the module itself, whether it was compiled or not."""
        return self.module(*self.args, **self.kwargs)

    @property
    def tensors(self) -> list[torch.Tensor]:
        """The inputs."""
        return [
            leaf for leaf in tree_leaves((self.args, dict(self.kwargs))) if isinstance(leaf, torch.Tensor)
        ]

    def with_first(self, samples: Samples) -> Samples:
        """The samples, their first forward the one that compiled or was the first to run, where one did."""
        first = self.first_s if self.compiled is None else self.compiled.first_s
        if first is None:
            return samples
        values = (first, *samples.warmth.values)
        return replace(samples, warmth=replace(samples.warmth, values=values))

    def peak_memory(self, device: torch.device) -> tuple[int | None, int | None]:
        """(most bytes of one forward, bytes that the allocator holds); None where nobody keeps an account."""
        if self.compiled is not None and device.type != "cuda":
            return None, None  # compiled code allocates past what counts on a CPU
        return inspection.peak_memory(self.module, self.tensors, device, self.forward)


def original(graph: Graph) -> nn.Module:
    """What is timed: the module that a graph was captured from, or the one that is built of a spec.

    Raises ArchinspectError (A403) where there is none.
    """
    return network(graph) if graph.source is None else own_module.own_module(graph)


def to_change(graph: Graph, module: nn.Module) -> nn.Module:
    """A copy of a spec's module, because narrowing loses digits.  A user's own is copied when it is prepared."""
    return clone(module) if graph.source is None else module


def network(graph: Graph) -> fx.GraphModule:
    """The real module of a spec with seeded weights, in evaluation mode, its running statistics those of random images.

    Statistics of 0 and 1 let activations of a deep network grow or fade layer by layer as trained ones do not.  The
    caller's random state is untouched.
    """
    from ...pytorch import build

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_SEED)
        module = build(graph)
        module.eval()
        norms = [m for m in module.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
        if norms:
            momenta = [norm.momentum for norm in norms]
            for norm in norms:
                norm.momentum = None  # the plain average: one pass sets them
                norm.train()
            with torch.no_grad():
                module(torch.randn(2, *graph.input_shape[1:]))
            for norm, momentum in zip(norms, momenta, strict=True):
                norm.momentum = momentum
                norm.eval()
    return module


def prepare(
    module: fx.GraphModule,
    input_shape: tuple[int, ...],
    precision: Precision,
    device: torch.device,
    options: Options,
) -> Prepared:
    """Move the module, make its input, and compile where that is asked for.  The module is changed in place.

    Raises ArchinspectError (A403, A407).
    """
    dtype = _DTYPES.get(precision.name, torch.float32)
    generator = torch.Generator().manual_seed(_SEED)
    image = torch.randn(input_shape, generator=generator).to(device, dtype)
    module.to(device, dtype)
    args: tuple[torch.Tensor, ...] = (image,)
    if options.channels_last:
        args, _ = own_module.channels_last(module, (args, {}))
    return Prepared(module, args, compiled=compiled(module, args[0]) if options.compile else None)


def prepare_own(
    module: nn.Module, graph: Graph, batch: int, precision: Precision, device: torch.device, options: Options
) -> Prepared:
    """A copy of the user's module with its example inputs at that batch, and its first pass; compiled where asked.

    `module` is not changed.  Raises ArchinspectError: A403 for what it cannot be run with, A407 where it cannot be
    compiled, A601 for an exception inside its forward; RuntimeError where memory runs out.
    """
    dtype = _DTYPES.get(precision.name, torch.float32)
    # Outside inference mode, or else what forward makes of the weights would be refused by the compiler.
    with torch.inference_mode(False), torch.no_grad():
        own, random_weights = own_module.copy_of(module, device, dtype)
        inputs = own_module.inputs_at(graph, batch, device, dtype)
        if random_weights:
            two = own_module.inputs_at(graph, max(2, batch), device, dtype)
            with own_module.errors_of(module, max(2, batch)):
                own_module.calibrate(own, lambda: own(*two[0], **two[1]))
        if options.channels_last:
            inputs = own_module.channels_last(own, inputs)
    args, kwargs = inputs
    begin = time.perf_counter()
    with own_module.errors_of(module, batch):
        calls = first_pass(own, lambda: own(*args, **kwargs))
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    first_s = time.perf_counter() - begin
    if not options.compile:
        return Prepared(own, args, kwargs, calls=calls, first_s=first_s)
    with own_module.errors_of(module, batch):
        return Prepared(own, args, kwargs, compiled_own(own, args, kwargs), calls, first_s)


@contextmanager
def arithmetic(precision: Precision, device: torch.device) -> Iterator[None]:
    """TF32 on or off as the precision says, and as before afterwards."""
    if precision.name in ("tf32", "strict-fp32") and device.type != "cuda":
        raise fail(
            "A403", f"--dtype {precision.name} needs a CUDA device, and this is {device}", help="--dtype fp32"
        )
    if device.type != "cuda":
        yield
        return
    convolutions, products = torch.backends.cudnn, torch.backends.cuda.matmul
    before = (convolutions.allow_tf32, products.allow_tf32)
    convolutions.allow_tf32 = precision.convolution == "tf32"
    products.allow_tf32 = precision.matmul == "tf32"
    try:
        yield
    finally:
        convolutions.allow_tf32, products.allow_tf32 = before
