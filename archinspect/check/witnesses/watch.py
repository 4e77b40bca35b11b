"""Records what counting tools can see of a module, in one abstract forward pass.

Hooks that are global see every call of a module without being hung on any; the functions that ptflops patches are
replaced by ones that note the call and do the same; operators come from the capture itself.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - PyTorch's own name for it
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.utils._python_dispatch import _get_current_dispatch_mode

from ...frontends.torch.capture import Recording, capture, named_tensors
from ...frontends.torch.lower import call_names
from ...frontends.torch.recorder import Operation, Recorder, TensorValue
from ...graph import Parameter
from ...ops import Shape
from ..conventions.captured import FUNCTIONS, FunctionCall, Module, ModuleCall, OperatorCall, Record, Sized

_HOMES: Mapping[str, Any] = {"F": F, "torch": torch, "Tensor": torch.Tensor}


def watch(
    module: nn.Module,
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    real: bool = False,
) -> Record:
    """Record a forward pass of `module`, which is left as it was.

    Raises ArchinspectError where the module cannot be captured (see `capture`).
    """
    watcher = _Watcher()
    with watcher.hooks(), watcher.patches():
        recording = capture(module, args, kwargs, real=real)
    return watcher.record(module, recording, _batch(args, kwargs))


def _batch(args: Sequence[Any], kwargs: Mapping[str, Any] | None) -> int:
    """What ptflops takes for the batch."""
    alone = len(args) == 1 and not kwargs and isinstance(args[0], Tensor)
    return int(args[0].shape[0]) if alone and args[0].dim() else 1


class _Watcher:
    def __init__(self) -> None:
        self.stack: list[int] = []
        self.inputs: list[tuple[Shape | None, ...]] = []
        self.outputs: list[tuple[Shape, ...]] = []
        self.functions: list[FunctionCall] = []

    @contextlib.contextmanager
    def hooks(self) -> Iterator[None]:
        def enter(module: nn.Module, args: Any) -> None:
            self.stack.append(len(self.inputs))
            self.inputs.append(tuple(tuple(a.shape) if isinstance(a, Tensor) else None for a in args))
            self.outputs.append(())

        def leave(module: nn.Module, args: Any, output: Any) -> None:
            self.outputs[self.stack.pop()] = tuple(tuple(tensor.shape) for _, tensor in named_tensors(output))

        handles = register_module_forward_pre_hook(enter), register_module_forward_hook(leave)
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    @contextlib.contextmanager
    def patches(self) -> Iterator[None]:
        """Note calls of functions under the names by which ptflops sees them."""
        before: list[tuple[Any, str, Any]] = []
        try:
            for known in FUNCTIONS:
                home, _, name = known.partition(".")
                place = _HOMES[home]
                if hasattr(place, name):
                    before.append((place, name, vars(place).get(name)))
                    setattr(place, name, self._noting(known, getattr(place, name)))
            yield
        finally:
            for place, name, function in before:
                if function is None:  # a method that Tensor inherits
                    delattr(place, name)
                else:
                    setattr(place, name, function)

    def _noting(self, known: str, function: Any) -> Any:
        def noting(*args: Any, **kwargs: Any) -> Any:
            # Below the recorder torch computes shapes in Python, with these functions, too.
            if isinstance(_get_current_dispatch_mode(), Recorder):
                self.functions.append(
                    FunctionCall(
                        known,
                        self.stack[-1] if self.stack else 0,
                        tuple(map(_plain, args)),
                        {name: _plain(value) for name, value in kwargs.items()},
                    )
                )
            return function(*args, **kwargs)

        return noting

    def record(self, module: nn.Module, recording: Recording, batch: int) -> Record:
        modules: dict[int, Module] = {}
        parameters: dict[int, Parameter] = {}
        root = _module(module, modules, parameters)
        calls = [
            ModuleCall(name, call.path, _module(call.module, modules, parameters), inputs, outputs)
            for name, call, inputs, outputs in zip(
                call_names(recording.calls), recording.calls, self.inputs, self.outputs, strict=True
            )
        ]
        operators = [
            _operator(operation) for operation in recording.operations if operation.function is not None
        ]
        return Record(root, tuple(calls), tuple(self.functions), tuple(operators), batch)


def _module(module: nn.Module, known: dict[int, Module], parameters: dict[int, Parameter]) -> Module:
    found = known.get(id(module))
    if found is None:
        kind = type(module)
        found = known[id(module)] = Module(
            f"{kind.__module__}.{kind.__qualname__}",
            {name: _plain(value) for name, value in vars(module).items() if not name.startswith("_")},
            {
                name: _parameter(name, tensor, parameters)
                for name, tensor in module._parameters.items()
                if tensor is not None
            },
            tuple(
                (name, _module(child, known, parameters))
                for name, child in module._modules.items()
                if child is not None
            ),
            bool(module),
        )
    return found


def _parameter(name: str, tensor: Tensor, known: dict[int, Parameter]) -> Parameter:
    if id(tensor) not in known:
        known[id(tensor)] = Parameter((name,), tuple(tensor.shape), trainable=tensor.requires_grad)
    return known[id(tensor)]


def _operator(operation: Operation) -> OperatorCall:
    name = str(operation.function._schema.name)
    if operation.facts.overload == "padding":
        name = "aten::_convolution_mode"
    arguments = tuple(_plain(operation.argument(argument)) for argument in operation.facts.names)
    results = tuple(value.spec.shape for value in operation.outputs if value is not None)
    return OperatorCall(name, max(operation.call, 0), arguments, results)


def _plain(value: Any) -> Any:
    """Shapes of tensors, and values of numbers and words; None for what no rule asks about."""
    if isinstance(value, Tensor):
        return Sized(tuple(value.shape))
    if isinstance(value, TensorValue):
        return Sized(value.spec.shape)
    if isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (list, tuple)):
        return tuple(map(_plain, value))
    return None
