"""Modules of PyTorch as graphs: any `nn.Module`, by one abstract forward pass that allocates no weight."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ...errors import ArchinspectError, fail
from ...graph import Graph
from ...input_size import InputText

if TYPE_CHECKING:
    from torch import Tensor, nn

    from .build import ExampleInput

__all__ = ["load_module", "load_named", "load_objects"]


def load_module(
    module: nn.Module,
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    name: str | None = None,
    real: bool = False,
    partial: bool = False,
    again: Callable[[], nn.Module] | None = None,
) -> Graph:
    """The graph of a module, by one forward pass on these arguments in evaluation mode; the module is left as it was.

    An argument is whatever forward takes.  A tuple of whole numbers is a shape: a float tensor of the module's type,
    without values.  `real` runs forward on small real tensors, for one that looks at values; `partial` keeps what was
    recorded up to an exception (`graph.metadata["partial"]` then says which).  `again` builds the module with weights,
    where `module` has none.

    Raises ArchinspectError (A402, A601, A602).
    """
    from .capture import capture
    from .lower import lower

    args = [_tensor(module, value) for value in args]
    kwargs = {key: _tensor(module, value) for key, value in (kwargs or {}).items()}
    try:
        recording = capture(module, args, kwargs, real=real, partial=partial)
    except ArchinspectError as error:
        raise _with_a_word_on_lists(error, [*args, *kwargs.values()]) from error.__cause__
    return lower(recording, name or type(module).__name__, module, args, kwargs, again)


def _with_a_word_on_lists(error: ArchinspectError, inputs: Sequence[Any]) -> ArchinspectError:
    """A list of numbers is passed on as it is; somebody whose forward fails on one may have meant a shape."""
    for given in inputs:
        if isinstance(given, list) and given and all(type(size) is int for size in given):
            shape = tuple(given)
            help = f"is {given} a shape? Write it as a tuple: {shape}"
            return ArchinspectError([replace(d, help=help, call_help=help) for d in error.diagnostics])
    return error


def load_objects(
    module: nn.Module,
    inputs: Sequence[Any],
    arguments: Mapping[str, Any] | None = None,
    *,
    real: bool = False,
    partial: bool = False,
) -> Graph:
    """`load_module`, of inputs that may also be texts or `InputText`: "3x224x224", "mask=bool:1x128"."""
    args, kwargs = _arguments(module, inputs, ())
    return load_module(module, args, {**kwargs, **(arguments or {})}, real=real, partial=partial)


def load_named(
    text: str,
    inputs: Sequence[Any] = (),
    arguments: Mapping[str, Any] | None = None,
    *,
    real: bool = False,
    partial: bool = False,
) -> Graph:
    """The graph of the module that a text names (`build.build`), built without weights.

    `arguments` go to what makes the module.  Inputs that are not given are those that its library says.
    """
    from .build import build

    built = build(text, arguments)
    args, kwargs = _arguments(built.module, inputs, built.inputs)
    real = real or built.needs_real
    return load_module(
        built.module, args, kwargs, name=built.name, real=real, partial=partial, again=built.again
    )


def _arguments(
    module: nn.Module, inputs: Sequence[Any], defaults: Sequence[ExampleInput]
) -> tuple[list[Any], dict[str, Any]]:
    """Positional and keyword arguments of forward, of what was given and of what is usual.

    An input without a name takes the place of the usual one at its position.
    """
    from ..models import texts_read

    plain: list[Any] = []
    named: dict[str, Any] = {}
    for one in texts_read(inputs):
        if isinstance(one, InputText) and one.name is not None:
            named[one.name] = one
        else:
            plain.append(one)
    if not defaults:
        args = [_given(module, one, None) for one in plain]
        return args, {name: _given(module, one, None) for name, one in named.items()}
    if len(plain) > len(defaults):
        names = ", ".join(usual.name for usual in defaults)
        raise fail(
            "A402",
            f"{len(plain)} inputs are too many",
            notes=[f"usual inputs: {names}"],
            help="give fewer, or name those beside the usual ones",
        )
    found: dict[str, Any] = {}
    for at, usual in enumerate(defaults):
        if usual.name in named:
            found[usual.name] = _given(module, named.pop(usual.name), usual)
        else:
            found[usual.name] = _given(module, plain[at], usual) if at < len(plain) else _usual(module, usual)
    return [], found | {name: _given(module, one, None) for name, one in named.items()}


def _usual(module: nn.Module, usual: ExampleInput) -> Any:
    return usual.tensor if usual.tensor is not None else example(module, usual.shape, usual.dtype)


def _given(module: nn.Module, one: Any, usual: ExampleInput | None) -> Any:
    """An input as it was given, of the type that is usual where none was."""
    import torch

    if not isinstance(one, InputText):
        one = InputText(one, "") if _is_shape(one) else one
    if not isinstance(one, InputText):
        return one
    dtype = usual.dtype if usual is not None else None
    if one.dtype is not None:
        dtype = getattr(torch, one.dtype, None)
        if not isinstance(dtype, torch.dtype):
            raise fail(
                "A402", f"PyTorch has no type '{one.dtype}'", help="float32, float16, int64, bool, ..."
            )
    shape = one.sizes if usual is not None and len(one.sizes) == len(usual.shape) else one.shape
    if min(shape) < 1:
        raise fail("A402", f"{shape} is no shape: every size must be at least 1")
    if usual is not None and isinstance(usual.tensor, list):
        return [torch.rand(shape[-3:])]
    return example(module, shape, dtype)


def _is_shape(value: Any) -> bool:
    """A tuple of whole numbers, or a `torch.Size`; a tuple with names of its own is an argument as it is."""
    return (
        isinstance(value, tuple)
        and not hasattr(value, "_fields")
        and bool(value)
        and all(type(size) is int for size in value)
    )


def _tensor(module: nn.Module, value: Any) -> Any:
    return _given(module, value, None)


def example(module: nn.Module, shape: tuple[int, ...], dtype: Any = None) -> Tensor:
    """An input of a shape: floats without values, of the module's type unless told, whole numbers real and small.

    Whole numbers count up from 1, within what any vocabulary has; booleans are true.
    """
    import torch

    if dtype is None or dtype == torch.float32:
        own = (p.dtype for p in module.parameters() if p.dtype.is_floating_point)
        dtype = next(own, torch.float32) if dtype is None else dtype
    if dtype.is_floating_point or dtype.is_complex:
        return torch.empty(shape, dtype=dtype, device="meta")
    if dtype == torch.bool:
        return torch.ones(shape, dtype=dtype)
    count = 1
    for size in shape:
        count *= size
    return (torch.arange(count) % 7 + 1).to(dtype).reshape(shape)
