"""Builds the module that a text names, without its weights: `net.py:Net`, `net.py:make(width=64)`, `timm:resnet50`.

Importing a user's file runs it, as pytest does.  Arguments are literals; nothing else of the text is evaluated.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import importlib.util
import inspect
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from ...errors import ArchinspectError, Diagnostic, fail, suggestion
from .capture import user_line
from .recorder import CPU, META, Facts, factory_numel

__all__ = ["Built", "Call", "ExampleInput", "build", "parse_call", "user_code", "without_weights"]

#: the largest tensors that are made for real while a module is built: of floats, and of whole numbers
REAL_FLOATS, REAL_WHOLES = 1 << 10, 1 << 16

#: they change what a tensor is, not its contents
_METADATA = frozenset(
    ["resize_", "set_", "as_strided_", "t_", "transpose_", "squeeze_", "unsqueeze_", "detach_", "resize_as_"]
)


@dataclass(frozen=True)
class ExampleInput:
    """An input that a model takes when nobody asks for another: its name in forward, shape, type, and contents.

    `tensor` is what to pass where contents matter (token ids), or where forward wants a list of images.
    """

    name: str
    shape: tuple[int, ...]
    dtype: torch.dtype = torch.float32
    tensor: Any = None


@dataclass(frozen=True)
class Built:
    """A module without weights, what to call it, what it takes, and how to build it again with weights."""

    module: nn.Module
    name: str
    inputs: Sequence[ExampleInput] = ()
    again: Callable[[], nn.Module] | None = None
    #: forward looks at values, so that only a real run can follow it
    needs_real: bool = False


@dataclass(frozen=True)
class Call:
    """`name(arguments)`: a name, dotted or not, with literal arguments."""

    name: str
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] | None = None

    @property
    def has_arguments(self) -> bool:
        return self.kwargs is not None


def parse_call(text: str, what: str) -> Call:
    """`make(width=64)` as a call.  Raises ArchinspectError (A403) for anything but a name and literals."""
    text = text.strip()
    if re.fullmatch(r"[\w.\-/]+", text):
        return Call(text)
    name, bracket, rest = text.partition("(")
    try:
        tree = ast.parse(f"f({rest}", mode="eval").body if bracket else None
        if not isinstance(tree, ast.Call) or not re.fullmatch(r"[\w.\-/]+", name.strip()):
            raise ValueError
        args = tuple(ast.literal_eval(a) for a in tree.args)
        kwargs = {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in tree.keywords}
        if any(keyword.arg is None for keyword in tree.keywords):
            raise ValueError
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        raise fail(
            "A403",
            f"'{what}' is not a name with literal arguments",
            help="write it as in net.py:make(width=64, pool='max')",
        ) from None
    return Call(name.strip(), args, kwargs)


def build(text: str, arguments: Mapping[str, Any] | None = None) -> Built:
    """The module that `text` names: `FILE.py:NAME`, `package.module:NAME` or `library:NAME`, each with arguments.

    `arguments` are keyword arguments beside those of the text.  Raises ArchinspectError (A101, A403, A404, A603).
    """
    from . import libraries

    place, _, rest = text.rpartition(":") if ".py:" not in text else text.partition(".py:")
    if ".py:" in text:
        place += ".py"
    elif "(" in place:  # a colon inside the arguments
        place, _, rest = text.partition(":")
    call = parse_call(rest, text)
    if arguments:
        call = Call(call.name, call.args, {**(call.kwargs or {}), **arguments})
    if place in libraries.LIBRARIES:
        return libraries.build(place, call)
    if place.endswith(".py"):
        with user_code(place) as found:
            return _from_module(found, call, text)
    try:
        found = with_torchvision(lambda: importlib.import_module(place))
    except ModuleNotFoundError as error:
        raise fail(
            "A101",
            f"there is no Python module '{error.name}'",
            help=suggestion(place, libraries.LIBRARIES, otherwise="a file is named as in path/net.py:Net"),
        ) from None
    return _from_module(found, call, text)


Made = TypeVar("Made")
_DECLARED: list[Any] = []  # an operator lives as long as the library that declares it


def with_torchvision(importing: Callable[[], Made]) -> Made:
    """Import something, also where torchvision's compiled library does not load beside the installed torch.

    Wheels of torchvision are built for CUDA.  Beside a CPU build of torch the import fails while it describes two
    operators that the library did not bring.  No architecture needs them to be built: they are declared, and the
    import is tried again.
    """
    try:
        return importing()
    except (ImportError, RuntimeError) as error:
        cause: BaseException | None = error
        while cause is not None and "operator torchvision::" not in str(cause):
            cause = cause.__cause__
        if cause is None or _DECLARED:
            raise
    library = torch.library.Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _DECLARED.append(library)
    for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        del sys.modules[name]  # what was imported halfway
    return importing()


@contextlib.contextmanager
def user_code(path: str) -> Iterator[Any]:
    """The module of a user's file, imported as if it were run from its folder."""
    file = os.path.abspath(path)
    if not os.path.isfile(file):
        raise fail("A101", f"there is no file '{path}'", help="a module is named as in path/net.py:Net")
    name = os.path.splitext(os.path.basename(file))[0]
    known = sys.modules.get(name)
    if known is not None and getattr(known, "__file__", None) != file:
        name = f"archinspect_user_{name}"  # not in the place of a module that is imported already
    folder = os.path.dirname(file)
    sys.path.insert(0, folder)
    try:
        spec = importlib.util.spec_from_file_location(name, file)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        loader = spec.loader
        with building(f"importing {path}"):
            with_torchvision(lambda: loader.exec_module(module))
        yield module
    finally:
        with contextlib.suppress(ValueError):
            sys.path.remove(folder)


def _from_module(found: Any, call: Call, text: str) -> Built:
    target = found
    for part in call.name.split("."):
        try:
            target = getattr(target, part)
        except AttributeError:
            modules = [name for name, value in vars(found).items() if _makes_module(value, found)]
            known = ", ".join(modules) or "none"
            raise fail(
                "A101",
                f"{getattr(found, '__file__', found.__name__)} has no '{call.name}'",
                notes=[f"classes and instances of nn.Module in it: {known}"],
                help=suggestion(call.name, vars(found)),
            ) from None
    name = call.name.rpartition(".")[2]
    if isinstance(target, nn.Module):
        if call.has_arguments:
            raise fail(
                "A603", f"'{text}' is a module already and takes no arguments", help=f"write {call.name}"
            )
        return Built(target, name)
    if not callable(target):
        raise fail(
            "A603",
            f"'{text}' is a {type(target).__name__}, neither an nn.Module nor something that makes one",
            help="name a class, a function or an instance",
        )
    return construct(target, call.args, call.kwargs or {}, name, text)


def _makes_module(value: Any, home: Any) -> bool:
    if isinstance(value, nn.Module):
        return True
    return isinstance(value, type) and issubclass(value, nn.Module) and value.__module__ == home.__name__


def construct(
    make: Callable[..., Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    name: str,
    text: str,
    inputs: Sequence[ExampleInput] = (),
) -> Built:
    """Call what makes a module, without weights.  Raises ArchinspectError (A603) where it does not."""
    with building(text, make), without_weights():
        module = make(*args, **kwargs)
    if not isinstance(module, nn.Module):
        raise fail(
            "A603",
            f"'{text}' made a {type(module).__name__}, not an nn.Module",
            help="name a class or function that gives a module",
        )
    return Built(module, name, inputs, lambda: make(*args, **kwargs))


class building:  # noqa: N801 - used as a function: `with building(...)`
    """Turns an exception of code that builds a module into one of ours, with the line of that code."""

    def __init__(
        self, what: str, make: Callable[..., Any] | None = None, *, code: str = "A603", help: str = ""
    ) -> None:
        self._what, self._make, self._code, self._help = what, make, code, help

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if not isinstance(error, Exception) or isinstance(error, ArchinspectError):
            return
        notes, close = [], ""
        if isinstance(error, TypeError) and self._make is not None:
            close = _misspelt(error, self._make)
            with contextlib.suppress(TypeError, ValueError):
                notes = [f"{getattr(self._make, '__name__', 'it')}{inspect.signature(self._make)}"]
        first = str(error).strip().partition("\n")[0]
        raise ArchinspectError(
            Diagnostic(
                self._code,
                f"'{self._what}' raised {type(error).__name__}" + (f": {first}" if first else ""),
                user_line(error),
                "",
                tuple(notes),
                close or ("give arguments as in net.py:make(width=64)" if notes else self._help),
                call_help=close or ("give arguments as in load(..., width=64)" if notes else ""),
            )
        ) from error


_UNEXPECTED = re.compile(r"(\w+)(?:\.__init__)?\(\) got an unexpected keyword argument '(\w+)'")


def _misspelt(error: TypeError, make: Callable[..., Any]) -> str:
    """A help line for an argument that what was called does not have.

    Builders of libraries hand their arguments on: the class that refuses one is seen where the exception passed.
    """
    found = _UNEXPECTED.search(str(error))
    if found is None:
        return ""
    name, word = found.groups()
    known: list[str] = []
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    for target in (make, *(frame.f_globals.get(name) for frame in frames)):
        if callable(target):
            with contextlib.suppress(TypeError, ValueError):
                known += inspect.signature(target).parameters
    return suggestion(word, known)


@contextlib.contextmanager
def without_weights() -> Iterator[None]:
    """While it is open, large tensors that are made have no memory; torch's generator stays where it was."""
    state = torch.get_rng_state()
    try:
        with _WithoutWeights():  # type: ignore[no-untyped-call]
            yield
    finally:
        torch.set_rng_state(state)


class _WithoutWeights(TorchDispatchMode):
    """Makes large tensors on meta.  Small ones and whole numbers are real.

    `torch.device("meta")` alone makes everything abstract, and breaks what reads values while it is built:
    `torch.linspace(0, rate, depth).tolist()` for stochastic depth, tables of indices.
    """

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        facts = _FACTS.get(func)
        if facts is None:
            facts = _FACTS[func] = Facts(func)
        writes = facts.mutates and facts.name.endswith("_") and facts.name not in _METADATA
        if writes and args and isinstance(args[0], Tensor) and args[0].device == META:
            return args[0]  # initialising what has no memory
        if facts.factory:
            return func(*args, **self._place(facts, args, kwargs))
        if any(map(_abstract, args)) or any(map(_abstract, kwargs.values())):
            if any(at < len(args) and isinstance(args[at], Tensor) for at in facts.mutates):
                return args[
                    facts.mutates[0]
                ]  # a real tensor that is written from an abstract one keeps what it has
            args = tuple(map(_to_meta, args))
            kwargs = {name: _to_meta(value) for name, value in kwargs.items()}
            if kwargs.get("device") is not None:
                kwargs["device"] = META
        elif kwargs.get("device") == META:
            kwargs = {**kwargs, "device": CPU}
        return func(*args, **kwargs)

    @staticmethod
    def _place(facts: Facts, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """The arguments of a factory, on the device where its tensor belongs."""
        dtype = kwargs.get("dtype")
        if dtype is None:
            whole = facts.name == "arange" and all(isinstance(a, int) for a in args)
        else:
            whole = not (dtype.is_floating_point or dtype.is_complex)
        if factory_numel(facts.name, args) > (REAL_WHOLES if whole else REAL_FLOATS):
            kwargs = {**kwargs, "device": META}
            kwargs.pop("pin_memory", None)
        elif kwargs.get("device") == META and not whole:
            kwargs = {**kwargs, "device": CPU}
        return kwargs


_FACTS: dict[Any, Facts] = {}


def _abstract(value: Any) -> bool:
    if isinstance(value, Tensor):
        return value.device == META
    return isinstance(value, (list, tuple)) and any(map(_abstract, value))


def _to_meta(value: Any) -> Any:
    if isinstance(value, Tensor):
        if value.device == META or value.layout is not torch.strided:
            return value
        return torch.empty_strided(value.shape, value.stride(), dtype=value.dtype, device=META)
    if isinstance(value, (list, tuple)):
        return type(value)([_to_meta(v) for v in value])
    return value
