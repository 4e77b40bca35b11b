"""A network made ready for timing: weights, statistics and inputs like real ones, in the precision asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import fx, nn

from ...errors import fail
from ..ceilings import Precision
from ..plan import Options

if TYPE_CHECKING:
    from ...graph import Graph

_DTYPES = {"fp16": torch.float16, "bf16": torch.bfloat16}
_SEED = 0


@dataclass(frozen=True, slots=True)
class Prepared:
    """The module on its device, its input, and the function that is timed (compiled where asked)."""

    module: fx.GraphModule
    input: torch.Tensor
    function: Callable[[torch.Tensor], object]

    def forward(self) -> object:
        return self.function(self.input)


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
    """Move the module and make its input.  The module is changed in place."""
    dtype = _DTYPES.get(precision.name, torch.float32)
    generator = torch.Generator().manual_seed(_SEED)
    image = torch.randn(input_shape, generator=generator).to(device, dtype)
    module.to(device, dtype)
    if options.channels_last:
        if image.dim() != 4:
            raise fail("A403", "--memory-format channels_last needs images, N×C×H×W")
        module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        image = image.contiguous(memory_format=torch.channels_last)
    function: Callable[[torch.Tensor], object] = module
    if options.compile:
        torch._dynamo.reset()  # what another configuration compiled must not count against the limit of recompiles
        function = torch.compile(module)
    return Prepared(module, image, function)


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


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether torch failed because memory ran out, on a GPU or a CPU."""
    if isinstance(error, torch.cuda.OutOfMemoryError):
        return True
    text = str(error)
    return "DefaultCPUAllocator" in text or "out of memory" in text.lower()
