"""The user's own module made ready for timing: a copy with real weights, and its example inputs at the batch asked for.

The copy runs the code of the user's classes.  The module itself is only read: its weights, mode, hooks and buffers stay
what they are.  Where it was built without weights (on the device `meta`) the copy gets small random ones.
"""

from __future__ import annotations

import copy
import linecache
import math
import os
import random
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.utils._pytree import tree_flatten, tree_leaves, tree_map, tree_unflatten

from ...analysis.batch import batch_dimensions
from ...errors import ArchinspectError, Diagnostic, Span, fail
from .capacity import is_out_of_memory

if TYPE_CHECKING:
    from ...graph import Graph, Node

_SEED = 0
#: types that a precision replaces; narrower ones (float8), complex and whole numbers stay what they are
_CONVERTED = frozenset({torch.float64, torch.float32, torch.float16, torch.bfloat16})
#: random numbers drawn for one tensor; a larger one repeats them, because drawing takes longer than copying
_DRAWN = (1 << 22) + 1
_TORCH = os.path.dirname(torch.__file__) + os.sep
_OURSELVES = os.path.dirname(os.path.dirname(os.path.dirname(__file__))) + os.sep


def own_module(graph: Graph) -> nn.Module:
    """The module that a graph was captured from.

    Raises ArchinspectError (A403) for a graph that comes from something else than a module.
    """
    module = getattr(graph.source, "module", None)
    if isinstance(module, nn.Module):
        return module
    kind = graph.source.kind if graph.source is not None else "graph"
    raise fail(
        "A403",
        f"{graph.name} has no code that PyTorch runs, so it cannot be timed",
        notes=[_KINDS.get(kind, f"it was read from a graph of kind '{kind}'")],
        help="--predict DEVICE without --device needs no code; or name the module, as in net.py:Net",
    )


_KINDS = {
    "onnx": "an ONNX file describes operations; what runs them is another library's choice",
    "checkpoint": "a checkpoint has parameters only",
}


# The copy.


def copy_of(module: nn.Module, device: torch.device, dtype: torch.dtype) -> tuple[nn.Module, bool]:
    """(a copy in evaluation mode on that device, floats in that type; whether it had to be given weights).

    Raises ArchinspectError (A403) where a module cannot be copied.
    """
    filled = False
    generator = torch.Generator().manual_seed(_SEED)

    def converted(name: str, tensor: torch.Tensor) -> torch.Tensor:
        nonlocal filled
        wanted = dtype if tensor.dtype in _CONVERTED else tensor.dtype
        if tensor.is_meta:
            filled = True
            return random_weight(name, tensor, wanted, generator).to(device)
        return tensor.detach().to(device, wanted, copy=True)

    # What stands in the memo is taken as it is: weights are never in memory twice, and shared ones stay shared.
    memo: dict[int, Any] = {}
    for name, tensor in _own_tensors(module):
        if id(tensor) not in memo:
            made = converted(name, tensor)
            memo[id(tensor)] = nn.Parameter(made, False) if isinstance(tensor, nn.Parameter) else made
    try:
        own = copy.deepcopy(module, memo)
    except Exception as error:
        raise fail(
            "A403",
            f"{type(module).__name__} cannot be copied, and the original is not to be changed by timing",
            notes=[f"copy.deepcopy raised {type(error).__name__}: {str(error).partition(chr(10))[0]}"],
            help="keep what cannot be copied (files, locks, sockets) out of the module, or give it a __deepcopy__",
        ) from error
    own.eval()
    for part in own.modules():
        if isinstance(part, nn.RNNBase):
            part.flatten_parameters()
        elif isinstance(part, torch.jit.ScriptModule):
            part.to(device, dtype)
    return own, filled


def _own_tensors(module: nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    """Parameters, buffers, and plain tensors that a copy needs other ones for: without values, or with a gradient."""
    for part in module.modules():
        if isinstance(part, torch.jit.ScriptModule):
            continue  # is copied in C++
        for table in (part._parameters, part._buffers):
            yield from ((name, tensor) for name, tensor in table.items() if tensor is not None)
        for name, value in vars(part).items():
            if name not in ("_parameters", "_buffers", "_modules"):
                plain = (leaf for leaf in tree_leaves(value) if isinstance(leaf, torch.Tensor))
                yield from (
                    (name, tensor) for tensor in plain if tensor.is_meta or tensor.grad_fn is not None
                )


def random_weight(
    name: str, tensor: torch.Tensor, dtype: torch.dtype, generator: torch.Generator
) -> torch.Tensor:
    """Values for a tensor that has none, about as large as those that modules start with."""
    shape = tensor.shape
    if not (dtype.is_floating_point or dtype.is_complex):
        return torch.zeros(shape, dtype=dtype)
    if tensor.dim() < 2:
        still = name.endswith(("bias", "mean", "beta"))
        return torch.zeros(shape, dtype=dtype) if still else torch.ones(shape, dtype=dtype)
    fan_in = max(1, tensor.numel() // max(1, shape[0]))
    gain = 2.0 if tensor.dim() > 2 else 1.0  # convolutions are mostly followed by a ReLU
    drawn = (
        torch.randn(min(tensor.numel(), _DRAWN), generator=generator).mul_(math.sqrt(gain / fan_in)).to(dtype)
    )
    if tensor.numel() > _DRAWN:
        made = torch.empty(tensor.numel(), dtype=dtype)
        for at in range(0, tensor.numel(), _DRAWN):
            part = made[at : at + _DRAWN]
            part.copy_(drawn[: part.numel()])
        drawn = made
    return drawn.reshape(shape)


def calibrate(module: nn.Module, forward: Callable[[], object]) -> None:
    """Set the running statistics of a module with random weights to those of its inputs.

    With 0 and 1 the activations of a deep network grow or fade layer by layer.  Where a batch of one position has no
    variance they stay.
    """
    norms = [part for part in module.modules() if isinstance(part, nn.modules.batchnorm._BatchNorm)]
    if not norms:
        return
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = None  # the plain average: one pass sets them
        norm.train()
    try:
        forward()
    except ValueError:  # "Expected more than 1 value per channel when training"
        for norm in norms:
            norm.reset_running_stats()
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
            norm.eval()


# The inputs.


def inputs_at(
    graph: Graph, batch: int, device: torch.device, dtype: torch.dtype
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The example inputs on that device, floats in that type, each that has a batch dimension at that batch.

    Tensors without values (on the device `meta`) get random ones that the module can take: token ids below the size of
    the table that they are looked up in, masks that let everything pass.
    """
    source: Any = graph.source
    leaves, form = tree_flatten((tuple(source.args), dict(source.kwargs)))
    tensors = list({id(leaf): leaf for leaf in leaves if isinstance(leaf, torch.Tensor)}.values())
    nodes = graph.nodes[: graph.inputs]
    known: list[Node | None] = [*nodes] if len(nodes) == len(tensors) else [None] * len(tensors)
    axes = [None if node is None else node.values[0].axes for node in known]
    dimensions = batch_dimensions([(tuple(t.shape), its) for t, its in zip(tensors, axes, strict=True)])
    generator = torch.Generator().manual_seed(_SEED)
    made: dict[int, torch.Tensor] = {}
    for at, (tensor, dimension) in enumerate(zip(tensors, dimensions, strict=True)):
        value = tensor.detach()
        if dimension is not None and value.shape[dimension] != batch:
            # Of a tensor on meta this only sets the shape.
            value = value.index_select(
                dimension, torch.arange(batch, device=value.device) % value.shape[dimension]
            )
        if value.is_meta:
            value = _values(value, _table_size(graph, at) if known[at] is not None else None, generator)
        made[id(tensor)] = value.to(device, dtype if value.dtype in _CONVERTED else value.dtype, copy=True)
    # Objects that are no tensors (a cache) may be written to by forward: the user's stay as they are.
    args, kwargs = tree_unflatten(
        [made[id(leaf)] if isinstance(leaf, torch.Tensor) else copy.deepcopy(leaf) for leaf in leaves], form
    )
    return args, kwargs


def _values(tensor: torch.Tensor, most: int | None, generator: torch.Generator) -> torch.Tensor:
    """Values for an input that has none; whole numbers below `most` where that is known, else ones."""
    if tensor.dtype.is_floating_point or tensor.dtype.is_complex:
        return torch.randn(tensor.shape, generator=generator).to(tensor.dtype)
    if most is None or tensor.dtype is torch.bool:
        return torch.ones(tensor.shape, dtype=tensor.dtype)
    return torch.randint(0, most, tensor.shape, generator=generator).to(tensor.dtype)


def _table_size(graph: Graph, index: int) -> int | None:
    """The rows of the smallest table that an input is looked up in, as it is or through operations without work."""
    found: list[int] = []
    todo, seen = [index], {index}
    while todo:
        for reader in graph.consumers[todo.pop()]:
            node = graph.nodes[reader]
            if node.op.type == "embedding":
                found += [p.shape[0] for p in (node.parameters or {}).values()]
            elif node.cost is not None and node.cost.macs == 0 and reader not in seen:
                seen.add(reader)
                todo.append(reader)
    return min(found, default=None)


# The pass.


@contextmanager
def kept_random_state(device: torch.device) -> Iterator[None]:
    """What forward draws from torch's and Python's generators is drawn again by the caller."""
    before = random.getstate()
    try:
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed(_SEED)
            yield
    finally:
        random.setstate(before)


@contextmanager
def errors_of(module: nn.Module, batch: int) -> Iterator[None]:
    """Turn an exception of the user's forward into one of ours, with the line it comes from (A601).

    What this package itself raises stays what it is, and so does an exception because memory ran out.
    """
    try:
        yield
    except ArchinspectError:
        raise
    except Exception as error:
        if is_out_of_memory(error) or traceback.extract_tb(error.__traceback__)[-1].filename.startswith(
            _OURSELVES
        ):
            raise
        first = str(error).strip().partition("\n")[0]
        raise ArchinspectError(
            Diagnostic(
                "A601",
                f"forward of {type(module).__name__} raised {type(error).__name__}{f': {first}' if first else ''}",
                _span(error),
                notes=(f"while it was run for timing, at batch {batch}",),
            )
        ) from error


def _span(error: BaseException) -> Span | None:
    """The line of the user's code that an exception comes from: the innermost that is neither torch's nor ours."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        file = os.path.abspath(frame.filename)
        if frame.lineno is None or frame.filename.startswith("<") or file.startswith((_TORCH, _OURSELVES)):
            continue
        text = linecache.getline(frame.filename, frame.lineno).rstrip("\n")
        column = len(text) - len(text.lstrip())
        return Span(os.path.relpath(file), frame.lineno, column + 1, max(1, len(text) - column), text)
    return None


def channels_last(
    module: nn.Module, inputs: tuple[tuple[Any, ...], dict[str, Any]]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The inputs with images in that memory format; the module's weights are brought into it, too.

    Raises ArchinspectError (A403) where no input is an image.
    """

    def is_image(leaf: Any) -> bool:
        return isinstance(leaf, torch.Tensor) and leaf.dim() == 4

    if not any(map(is_image, tree_leaves(inputs))):
        raise fail("A403", "--memory-format channels_last needs images, N×C×H×W")
    module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    args, kwargs = tree_map(
        lambda leaf: leaf.contiguous(memory_format=torch.channels_last) if is_image(leaf) else leaf, inputs
    )
    return args, kwargs
