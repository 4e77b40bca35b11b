"""A network made ready for timing: weights, statistics and inputs like real ones, in the precision asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import fx, nn

from ...errors import fail
from ..ceilings import Precision
from ..plan import Options
from ..sampling import Samples
from . import inspection
from .compiled import Compiled, compiled

if TYPE_CHECKING:
    from ...graph import Graph

_DTYPES = {"fp16": torch.float16, "bf16": torch.bfloat16}
_SEED = 0


@dataclass(frozen=True, slots=True)
class Prepared:
    """The module on its device, its input, and the function that is timed: the module's own, or what was compiled."""

    module: fx.GraphModule
    input: torch.Tensor
    compiled: Compiled | None = None

    @property
    def function(self) -> Callable[[torch.Tensor], object]:
        return self.module if self.compiled is None else self.compiled.function

    def forward(self) -> object:
        return self.function(self.input)

    def with_first(self, samples: Samples) -> Samples:
        """The samples, their first forward the one that compiled, where one did."""
        if self.compiled is None:
            return samples
        values = (self.compiled.first_s, *samples.warmth.values)
        return replace(samples, warmth=replace(samples.warmth, values=values))

    def peak_memory(self) -> tuple[int | None, int | None]:
        """(most bytes of one forward, bytes that the allocator holds); None where nobody keeps an account."""
        if self.compiled is None:
            return inspection.peak_memory(self.module, self.input)
        if self.input.device.type != "cuda":
            return None, None  # compiled code allocates past what counts on a CPU
        return inspection.peak_memory(self.module, self.input, self.forward)


def network(graph: Graph) -> fx.GraphModule:
    """The real module with seeded weights, in evaluation mode, its running statistics those of random images.

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
    if options.channels_last:
        if image.dim() != 4:
            raise fail("A403", "--memory-format channels_last needs images, N×C×H×W")
        module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        image = image.contiguous(memory_format=torch.channels_last)
    return Prepared(module, image, compiled(module, image) if options.compile else None)


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
