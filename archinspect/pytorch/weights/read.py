"""A checkpoint's tensors by name.  Only tensors are read: no code of a file is ever run."""

from __future__ import annotations

import os
import pickle
import re
import zipfile
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

from ...errors import ArchinspectError, fail
from ...files import open_file

#: under which names training programs keep the weights inside a checkpoint of many things
_WRAPPERS = ("state_dict", "model_state_dict", "model")


def read_state(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """The tensors of a `.pth` (a `state_dict` saved by torch) or a `.safetensors` file, on the CPU.

    A checkpoint that holds the weights under "state_dict" or "model" is unwrapped, and the "module." that
    DataParallel puts before every name is taken off.  Raises ArchinspectError: A501 for a file that cannot be read so,
    A404 for a safetensors file without the package.
    """
    file = Path(path)
    opened, _ = open_file(path, code="A501", what="the weights", pipes=False, help="weights are a file")
    with opened:
        found = _safetensors(file) if file.suffix == ".safetensors" else _torch(opened, file)
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
    odd = next((what for what in (_oddity(*item) for item in found.items()) if what), "")
    if odd or not found:
        what = odd or "it is empty"
        raise fail("A501", f"the weights '{where}' are no state_dict: {what}", help="save model.state_dict()")
    if all(name.startswith("module.") for name in found):
        return {name.removeprefix("module."): tensor for name, tensor in found.items()}
    return dict(found)


def _oddity(name: Any, value: Any) -> str:
    """What keeps an entry from being a weight; nothing for a plain tensor with a name."""
    if not isinstance(name, str) or not isinstance(value, Tensor):
        return f"'{name}' is of type {type(value).__name__}"
    for kind, is_so in (
        ("without data", value.is_meta),
        ("complex", value.is_complex()),
        ("quantised", value.is_quantized),
        ("sparse", value.layout != torch.strided),
    ):
        if is_so:
            return f"'{name}' is a tensor that is {kind}"
    return ""


def _torch(opened: BinaryIO, file: Path) -> Any:
    help = "weights are what torch.save(model.state_dict(), FILE) writes"
    try:
        return torch.load(opened, map_location="cpu", weights_only=True)
    except OSError as error:
        raise _unreadable(file, error.strerror or str(error), help) from None
    except Exception as error:  # noqa: BLE001  a damaged file may raise anything
        # What torch says of other files is about its own reader, down to a bare KeyError, struct.error or assertion.
        code = _GLOBAL.search(str(error)) if isinstance(error, pickle.UnpicklingError) else None
        if code is not None:
            help = "save model.state_dict(): a pickled module is code, and is not run"
            raise _unreadable(file, f"it holds {code[1]}, which is no tensor", help) from None
        raise _unreadable(file, _diagnosis(opened), help) from None


_GLOBAL = re.compile(r"GLOBAL (\S+)")
_BEGINNING = 24  # characters of a text that are shown


def _diagnosis(file: BinaryIO) -> str:
    """Why a file cannot be what torch.save writes (an archive, or a pickle in its older form)."""
    file.seek(0)
    start = file.read(200)
    if not start:
        return "it is empty"
    if start.startswith(b"PK"):
        whole = zipfile.is_zipfile(file)
        return (
            "it is an archive of other things" if whole else "it is an archive that is damaged or cut short"
        )
    if start.startswith(b"version https://git-lfs"):
        return "it is a pointer of Git LFS: the weights themselves were not fetched"
    text = start.splitlines()[0].decode("utf-8", "replace")
    if text.isprintable() and "\ufffd" not in text:
        return f"it begins with '{text[:_BEGINNING]}'"
    return "it is damaged or of another kind"


def _safetensors(file: Path) -> Any:
    if find_spec("safetensors") is None:
        raise fail(
            "A404", "reading .safetensors needs safetensors", help="pip install 'archinspect[safetensors]'"
        )
    from safetensors.torch import load_file

    try:
        return load_file(file)
    except Exception as error:  # noqa: BLE001  SafetensorError, and what a damaged header makes Python raise
        reason = " ".join(str(error).split()) or type(error).__name__
        raise _unreadable(file, reason[:200], "is it a safetensors file?") from None


def _unreadable(file: Path, reason: str, help: str) -> ArchinspectError:
    return fail("A501", f"cannot read the weights '{file}'", notes=[reason], help=help)
