"""Captures a module: one forward pass, recorded, after which the module is exactly what it was."""

from __future__ import annotations

import contextlib
import inspect
import os
import random
import sys
import traceback
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import is_
from types import TracebackType
from typing import Any

import torch
from torch import Tensor, nn

from ...errors import ArchinspectError, Diagnostic, Span, fail, suggestion
from .recorder import (
    CPU,
    META,
    SMALL,
    ExternalValue,
    ModuleCall,
    NeedsValuesError,
    Operation,
    Recorder,
    TensorValue,
    below_versions,
    random_like,
)

__all__ = [
    "ModuleState",
    "OwnTensor",
    "Recording",
    "capture",
    "named_tensors",
    "real_input",
    "tensors_of",
    "user_line",
]

_ORIGINAL_CALL = nn.Module.__call__
#: what a module may hold state in, beside tensors and modules
_CONTAINERS = frozenset((dict, list, set, OrderedDict))
_TORCH = os.path.dirname(torch.__file__) + os.sep
_OURSELVES = os.path.dirname(os.path.dirname(os.path.dirname(__file__))) + os.sep


@dataclass(frozen=True, slots=True)
class OwnTensor:
    """A parameter, a buffer or another tensor of the module ("constant") with all its paths."""

    kind: str
    names: tuple[str, ...]
    tensor: Tensor


@dataclass(frozen=True)
class Recording:
    """One forward pass of a module.

    `others` are outputs that are no tensors, by name and type.  `paths` has the class of every module by its path.
    `error` is what ended the pass, where only its beginning was recorded.
    """

    operations: Sequence[Operation]
    calls: Sequence[ModuleCall]
    inputs: Sequence[ExternalValue]
    outputs: Sequence[tuple[str, TensorValue]]
    others: Sequence[tuple[str, str]]
    owned: Sequence[OwnTensor]
    paths: Mapping[str, str]
    externals: Sequence[ExternalValue] = field(repr=False)
    real: bool = False
    error: ArchinspectError | None = None


def capture(
    module: nn.Module,
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    real: bool = False,
    partial: bool = False,
) -> Recording:
    """Record one forward pass of `module` in evaluation mode, on abstract tensors: nothing large is computed.

    `real` computes everything, for a forward that looks at values: on the tensors that are given (random ones in the
    place of those on meta), with the module's own weights (small random ones in the place of those on meta).
    `partial` keeps what was recorded before an exception in the place of raising it.

    Raises ArchinspectError for an exception inside forward (A601), a forward that looks at values of abstract tensors
    (A602) and inputs that forward does not take (A402).
    """
    kwargs = dict(kwargs or {})
    _refuse_what_is_lazy(module)
    owned, by_id, modules, paths = _inventory(module)
    recorder = Recorder(by_id, real=real)
    names = _argument_names(module, args, kwargs)
    state = ModuleState(module)
    guard = _ForwardErrors(recorder, type(module).__name__, partial)
    outputs: list[tuple[str, TensorValue]] = []
    others: list[tuple[str, str]] = []
    inputs: list[ExternalValue] = []
    fast_path = torch.backends.mha.get_fastpath_enabled()
    try:
        # The fast path hides a whole encoder layer behind one operation.
        torch.backends.mha.set_fastpath_enabled(False)
        prepared = tensors_of((tuple(args), kwargs), real_input(module) if real else _abstract_input)
        with contextlib.ExitStack() as stack:
            stack.enter_context(guard)
            stack.enter_context(torch.inference_mode())
            stack.enter_context(below_versions())
            seen: set[int] = set()
            for name, value in zip(names, (*prepared[0], *prepared[1].values()), strict=True):
                for path, tensor in named_tensors(value, name):
                    if id(tensor) not in seen:
                        seen.add(id(tensor))
                        inputs.append(recorder.declare(tensor, path))
            stack.enter_context(_scopes(recorder, modules))
            with recorder:
                out = module(*prepared[0], **prepared[1])
            bare = isinstance(out, Tensor)
            outputs += [
                ("output" if bare else name, recorder.current(recorder.value(tensor)))
                for name, tensor in named_tensors(out)
            ]
            others += _others(out)
    finally:
        state.restore()
        recorder.restore()
        recorder.release()
        torch.backends.mha.set_fastpath_enabled(fast_path)
    if guard.error is not None:
        outputs = _last_values(recorder.operations)
    return Recording(
        recorder.operations,
        recorder.calls,
        inputs,
        outputs,
        others,
        owned,
        paths,
        recorder.externals,
        real,
        guard.error,
    )


def _last_values(operations: Sequence[Operation]) -> list[tuple[str, TensorValue]]:
    for operation in reversed(operations):
        for value in operation.outputs:
            if value is not None:
                return [("", value)]
    return []


# What the module has.


def _refuse_what_is_lazy(module: nn.Module) -> None:
    for name, parameter in module.named_parameters():
        if isinstance(parameter, (nn.UninitializedParameter, nn.UninitializedBuffer)):
            raise fail(
                "A601",
                f"{type(module).__name__} has parameters without a shape: '{name}'",
                notes=["a lazy module takes its shapes from the first real forward pass, which changes it"],
                help="run the module once on a real input before it is loaded",
            )


def _inventory(
    module: nn.Module,
) -> tuple[list[OwnTensor], dict[int, tuple[str, str, Tensor]], dict[int, list[str]], dict[str, str]]:
    """Parameters, buffers and other tensors by identity with all their paths, and modules with theirs."""
    found: dict[int, tuple[str, list[str], Tensor]] = {}
    modules: dict[int, list[str]] = {}
    paths: dict[str, str] = {}
    for path, part in module.named_modules(remove_duplicate=False):
        modules.setdefault(id(part), []).append(path)
        paths[path] = type(part).__name__
        prefix = f"{path}." if path else ""
        scripted = isinstance(part, torch.jit.ScriptModule)
        for kind, tensors in (
            ("parameter", part.named_parameters(recurse=False) if scripted else part._parameters.items()),
            ("buffer", part.named_buffers(recurse=False) if scripted else part._buffers.items()),
        ):
            for name, tensor in tensors:
                if tensor is not None:
                    found.setdefault(id(tensor), (kind, [], tensor))[1].append(prefix + name)
        for name, value in part.__dict__.items():
            if isinstance(value, Tensor):
                found.setdefault(id(value), ("constant", [], value))[1].append(prefix + name)
    owned = [OwnTensor(kind, tuple(dict.fromkeys(names)), tensor) for kind, names, tensor in found.values()]
    by_id = {id(own.tensor): (own.kind, own.names[0], own.tensor) for own in owned}
    return owned, by_id, modules, paths


# What goes in and what comes out.


def named_tensors(value: Any, name: str = "") -> Iterator[tuple[str, Tensor]]:
    """The tensors in whatever forward takes or gives, with paths such as `past_key_values.0.keys`."""
    return _walk(value, name, set(), 0)


def _walk(value: Any, name: str, seen: set[int], depth: int) -> Iterator[tuple[str, Tensor]]:
    if isinstance(value, Tensor):
        yield name, value
        return
    parts = _parts(value, depth)
    if parts is None or id(value) in seen:
        return
    seen.add(id(value))
    for key, part in parts:
        yield from _walk(part, f"{name}.{key}" if name else str(key), seen, depth + 1)


def _parts(value: Any, depth: int) -> list[tuple[Any, Any]] | None:
    """What a container, a dataclass or a plain object holds, by name."""
    if isinstance(value, Mapping):
        return list(value.items())
    if isinstance(value, (list, tuple)):
        return list(zip(getattr(value, "_fields", None) or range(len(value)), value, strict=True))
    if value is None or isinstance(value, (int, float, complex, str, bytes, type, nn.Module)):
        return None
    # Caches and results of libraries; what they hold in turn soon is no part of the network.
    return list(vars(value).items()) if hasattr(value, "__dict__") and depth < 6 else None


def _others(value: Any, name: str = "", depth: int = 0) -> list[tuple[str, str]]:
    """Outputs that are no tensors, by name and type."""
    if isinstance(value, Tensor):
        return []
    parts = _parts(value, depth) if isinstance(value, (Mapping, list, tuple)) and depth < 4 else None
    if parts is None:
        return [(name, type(value).__name__)]
    return [
        other
        for key, part in parts
        for other in _others(part, f"{name}.{key}" if name else str(key), depth + 1)
    ]


def tensors_of(value: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """Arguments with each tensor in lists, tuples and dicts changed; other objects stay what they are."""
    if isinstance(value, Tensor):
        return change(value)
    kind = type(value)
    if kind is dict:
        return {key: tensors_of(part, change) for key, part in value.items()}
    if kind is list or kind is tuple:
        return kind([tensors_of(part, change) for part in value])
    return value


def _abstract_input(tensor: Tensor) -> Tensor:
    """Floats become abstract; whole numbers (token ids, masks, lengths) keep their values while they are small."""
    if tensor.device == META:
        if tensor.is_floating_point() or tensor.is_complex() or tensor.numel() > SMALL:
            return tensor.detach()
        return torch.zeros(tensor.shape, dtype=tensor.dtype)
    if not (tensor.is_floating_point() or tensor.is_complex()) and tensor.numel() <= SMALL:
        return tensor.detach().to(CPU, copy=True)
    if tensor.layout is not torch.strided:
        return tensor.detach()
    return torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device=META)


def real_input(module: nn.Module) -> Callable[[Tensor], Tensor]:
    """Gives an input values, always the same ones where it has none, on the device of the module's weights."""
    device = next((p.device for p in module.parameters() if p.device != META), CPU)

    def change(tensor: Tensor) -> Tensor:
        if tensor.device == META:
            return random_like(tensor, f"input {tuple(tensor.shape)}").to(device)
        return tensor.detach().to(device, copy=True)

    return change


def _argument_names(module: nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[str]:
    """What forward calls its arguments.  Raises ArchinspectError (A402) where it does not take them."""
    try:
        signature = inspect.signature(module.forward)
    except (TypeError, ValueError):  # forward of TorchScript
        return [*(f"input.{at}" if at else "input" for at in range(len(args))), *kwargs]
    try:
        bound = signature.bind(*args, **kwargs)
    except TypeError as error:
        misspelt = [name for name in kwargs if name not in signature.parameters]
        if misspelt:
            help = call_help = suggestion(misspelt[0], signature.parameters, otherwise="leave it out")
        elif args or kwargs:
            help = "name them, as in --input mask=bool:1x128"
            call_help = "name them, as in load(net, mask=torch.ones(1, 128, dtype=torch.bool))"
        else:
            help = "give --input 1x3x224x224"
            call_help = "give example inputs or shapes: archinspect.load(net, (1, 3, 224, 224))"
        raise fail(
            "A402",
            f"forward of {type(module).__name__} does not take these inputs: {error}",
            notes=[f"forward{signature}"],
            help=help,
            call_help=call_help,
        ) from None
    names: list[str] = []
    for name in bound.arguments:
        if signature.parameters[name].kind is inspect.Parameter.VAR_POSITIONAL:
            names += [f"{name}.{at}" for at in range(len(bound.arguments[name]))]
        else:
            names.append(name)
    return [*names[: len(args)], *kwargs]


# Scopes.


@contextlib.contextmanager
def _scopes(recorder: Recorder, modules: Mapping[int, list[str]]) -> Iterator[None]:
    """Let every call of a module open a scope in the recording.

    `nn.Module.__call__` is what runs the user's hooks, too, so it is replaced while the pass runs.
    """
    stack, calls = recorder.stack, recorder.calls

    def call(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
        parent = stack[-1]
        scope = ModuleCall(
            _path(self, modules, calls[parent].path if parent >= 0 else ""), type(self).__name__, parent, self
        )
        if parent >= 0:
            calls[parent].children += 1
        stack.append(len(calls))
        calls.append(scope)
        try:
            return _ORIGINAL_CALL(self, *args, **kwargs)
        except BaseException:
            if recorder.failed_call < 0:
                recorder.failed_call = stack[-1]
            raise
        finally:
            stack.pop()

    nn.Module.__call__ = call  # type: ignore[method-assign]
    try:
        yield
    finally:
        nn.Module.__call__ = _ORIGINAL_CALL  # type: ignore[method-assign]


def _path(module: nn.Module, modules: Mapping[int, list[str]], parent: str) -> str:
    """The path of a module: of several the one inside the module that calls it.

    One that is made in forward, or held where PyTorch does not look, is called after its class.
    """
    paths = modules.get(id(module))
    prefix = f"{parent}." if parent else ""
    if paths is None:
        return prefix + type(module).__name__
    if len(paths) == 1:
        return paths[0]
    inside = [path for path in paths if path.startswith(prefix)]
    direct = [path for path in inside if "." not in path[len(prefix) :]]
    return (direct or inside or paths)[0]


# Afterwards everything is as it was.


class ModuleState:
    """All that a forward pass may set on a module or draw from generators, put back by `restore`."""

    def __init__(self, module: nn.Module) -> None:
        self._modules: list[tuple[dict[str, Any], dict[str, Any]]] = []
        self._containers: list[tuple[Any, Any]] = []
        for part in module.modules():
            if isinstance(part, torch.jit.ScriptModule):
                continue  # its attributes live in C++; forward of TorchScript in evaluation mode sets none
            own = part.__dict__
            self._modules.append((own, dict(own)))
            for value in own.values():
                if type(value) in _CONTAINERS:
                    self._keep(value)
            own["training"] = False
        self._scripted = [
            part for part in module.modules() if isinstance(part, torch.jit.ScriptModule) and part.training
        ]
        for part in self._scripted:
            part.eval()
        self._torch, self._python = torch.get_rng_state(), random.getstate()
        numpy = sys.modules.get("numpy.random")
        self._numpy = (numpy, numpy.get_state()) if numpy is not None else None
        self._cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else None

    def _keep(self, value: Any) -> None:
        """Copy a container, and those inside it."""
        self._containers.append((value, value.copy()))
        if value and type(value) is not set:
            for inner in value.values() if isinstance(value, dict) else value:
                if type(inner) in _CONTAINERS:
                    self._keep(inner)

    def restore(self) -> None:
        for part in self._scripted:
            part.train()
        for own, before in self._modules:
            if not _same_items(own, before):
                own.clear()
                own.update(before)
        for value, before in self._containers:
            if not value and not before:
                continue
            if isinstance(value, list):
                if len(value) != len(before) or not all(map(is_, value, before)):
                    value[:] = before
            elif isinstance(value, set):
                if value != before:
                    value.clear()
                    value.update(before)
            elif not _same_items(value, before):
                value.clear()
                value.update(before)
        torch.set_rng_state(self._torch)
        random.setstate(self._python)
        if self._numpy is not None:
            self._numpy[0].set_state(self._numpy[1])
        if self._cuda is not None:
            torch.cuda.set_rng_state_all(self._cuda)


def _same_items(now: Mapping[Any, Any], before: Mapping[Any, Any]) -> bool:
    """Whether two mappings have the same objects under the same keys in the same order."""
    return (
        len(now) == len(before) and list(now) == list(before) and all(map(is_, now.values(), before.values()))
    )


# Errors.


class _ForwardErrors:
    """Turns an exception inside the user's forward into one of ours, or keeps it in `error` if `partial`."""

    def __init__(self, recorder: Recorder, model: str, partial: bool) -> None:
        self.error: ArchinspectError | None = None
        self._recorder, self._model, self._partial = recorder, model, partial

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if not isinstance(error, Exception) or isinstance(error, ArchinspectError):
            return False
        ours = ArchinspectError(self._diagnostic(error))
        if not self._partial:
            raise ours from error
        self.error = ours
        return True

    def _diagnostic(self, error: Exception) -> Diagnostic:
        recorder = self._recorder
        call = recorder.calls[recorder.failed_call] if recorder.failed_call >= 0 else None
        path = f"{call.path} ({call.kind})" if call is not None and call.path else ""
        notes = []
        if recorder.failed is not None:
            function, specs = recorder.failed
            notes.append(f"{function} met " + ", ".join(f"{tuple(spec.shape)}" for spec in specs))
        if _needs_values(error) and not recorder.real:
            return Diagnostic(
                "A602",
                f"forward of {self._model} looks at the values of a tensor, and abstract tensors have none",
                user_line(error),
                path,
                tuple(notes),
                "--real (in Python real=True) runs it on small real tensors; --partial shows the part before it",
                call_help="real=True runs it on small real tensors; partial=True shows the part before it",
            )
        first = str(error).strip().partition("\n")[0]
        return Diagnostic(
            "A601",
            f"forward of {self._model} raised {type(error).__name__}" + (f": {first}" if first else ""),
            user_line(error),
            path,
            tuple(notes),
            "--partial (in Python partial=True) shows the part before it",
            call_help="partial=True shows the part before it",
        )


#: what PyTorch says where the values of a tensor on meta are asked for past its dispatcher (`.numpy()`, `.tolist()`)
_NO_VALUES = ("meta tensor", "device meta", "meta device", "unallocated storage")


def _needs_values(error: BaseException | None) -> bool:
    """Whether an exception comes from values that were wanted of an abstract tensor."""
    while error is not None:
        says = str(error).lower()
        if isinstance(error, NeedsValuesError) or any(sign in says for sign in _NO_VALUES):
            return True
        error = error.__cause__ or error.__context__
    return False


def user_line(error: BaseException) -> Span | None:
    """The line of the user's code that the exception comes from: the innermost that is neither torch's nor ours."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        file = os.path.abspath(frame.filename)
        if frame.filename.startswith("<") or file.startswith((_TORCH, _OURSELVES)) or frame.lineno is None:
            continue
        import linecache

        text = linecache.getline(frame.filename, frame.lineno).rstrip("\n")
        column = len(text) - len(text.lstrip()) if frame.colno is None else frame.colno
        end = frame.end_colno if frame.end_lineno == frame.lineno and frame.end_colno else len(text)
        return Span(_shown_path(file), frame.lineno, column + 1, max(1, end - column), text)
    return None


def _shown_path(file: str) -> str:
    relative = os.path.relpath(file)
    return file if relative.startswith("..") else relative
