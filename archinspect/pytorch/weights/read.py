"""A checkpoint's tensors by name.  Only tensors are read: no code of a file is ever run."""

from __future__ import annotations

import os
import pickle
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...errors import ArchinspectError, fail

#: under which names training programs keep the weights inside a checkpoint of many things
_WRAPPERS = ("state_dict", "model_state_dict", "model")


def read_state(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """The tensors of a `.pth` (a `state_dict` saved by torch) or a `.safetensors` file, on the CPU.

    A checkpoint that holds the weights under "state_dict" or "model" is unwrapped, and the "module." that
    DataParallel puts before every name is taken off.  Raises ArchinspectError: A501 for a file that cannot be read so,
    A404 for a safetensors file without the package.
    """
    file = Path(path)
    if not file.is_file():
        raise fail("A501", f"cannot read the weights '{path}': no such file", help="check the path")
    found = _safetensors(file) if file.suffix == ".safetensors" else _torch(file)
    for name in _WRAPPERS:
        if isinstance(found, Mapping) and isinstance(found.get(name), Mapping):
            found = found[name]
            break
    return as_state(found, os.fspath(path))


def as_state(found: Any, where: str) -> dict[str, Tensor]:
    """A mapping of names and tensors, checked.  Raises ArchinspectError (A501)."""
    if not isinstance(found, Mapping):
        raise fail(
            "A501",
            f"the weights '{where}' hold a {type(found).__name__}, not a state_dict",
            help="save model.state_dict()",
        )
    odd = next(
        (name for name, value in found.items() if not (isinstance(name, str) and isinstance(value, Tensor))),
        None,
    )
    if odd is not None or not found:
        what = f"'{odd}' is a {type(found[odd]).__name__}" if odd is not None else "it is empty"
        raise fail("A501", f"the weights '{where}' are no state_dict: {what}", help="save model.state_dict()")
    if all(name.startswith("module.") for name in found):
        return {name.removeprefix("module."): tensor for name, tensor in found.items()}
    return dict(found)


def _torch(file: Path) -> Any:
    try:
        return torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise _unreadable(
            file, error, "save model.state_dict(): a pickled module is code, and is not run"
        ) from None
    except (
        OSError,
        RuntimeError,
        ValueError,
        EOFError,
        KeyError,
        AttributeError,
        IndexError,
        TypeError,
    ) as error:
        raise _unreadable(
            file, error, "weights are what torch.save(model.state_dict(), FILE) writes"
        ) from None


def _safetensors(file: Path) -> Any:
    if find_spec("safetensors") is None:
        raise fail(
            "A404", "reading .safetensors needs safetensors", help="pip install 'archinspect[safetensors]'"
        )
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(file)
    except (SafetensorError, OSError, ValueError) as error:
        raise _unreadable(file, error, "is it a safetensors file?") from None


def _unreadable(file: Path, error: Exception, help: str) -> ArchinspectError:
    reason = " ".join(str(error).split()) or type(error).__name__
    return fail("A501", f"cannot read the weights '{file}'", notes=[reason[:200]], help=help)
