"""MODEL to `Graph`, whatever it is: tells which frontend a text, path or object belongs to, and imports only that one.

| MODEL | frontend |
| --- | --- |
| `resnet50`, `resnet50:num_classes=10`, `net.yaml`, `-`, `"conv2d(96, 11) -> relu"` | spec |
| `net.py:Net`, `net.py:make(width=64)`, `package.module:attr`, an `nn.Module` | torch |
| `torchvision:NAME`, `timm:NAME`, `transformers:DIR`, `diffusers:DIR`, `config.json` | torch |
| `net.onnx`, an ONNX `ModelProto` | onnx |
| `net.pt2`, an `ExportedProgram` | torch |
| `.safetensors`, `.index.json`, `.gguf`, `.pth`, `.pt`, `.bin` | checkpoint |
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import fail
from ..graph import Graph
from ..input_size import INPUT_HELP, InputText, parse_inputs

__all__ = ["FILES", "LIBRARIES", "kind_of", "load"]

LIBRARIES = ("torchvision", "timm", "transformers", "diffusers")
#: endings of files that hold a network, beside those of specs
FILES = (".onnx", ".pt2", ".safetensors", ".index.json", ".gguf", ".pth")
_CHECKPOINTS = (".safetensors", ".index.json", ".gguf", ".pth", ".pt", ".bin", ".ckpt")
#: `package.module:attr` and `package.module:make(width=64)`; a setting of a spec has an equals sign instead
_ATTRIBUTE = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_][\w.]*\s*(?:\(.*\))?", re.DOTALL)


def load(
    model: Any,
    *,
    inputs: Sequence[Any] | str | int | None = None,
    arguments: Mapping[str, Any] | None = None,
    real: bool = False,
    partial: bool = False,
) -> Graph:
    """The network that `model` names or is, with every shape known.

    `inputs` are those of forward in order: texts such as "3x224x224" or "mask=bool:1x128", shapes, or (for a module)
    tensors; one shape or text may stand alone.  `arguments` are those of a spec, of the class or function that makes
    a module, or, for a module itself, forward's keyword arguments.  `real` and `partial` are for modules: see
    `archinspect.frontends.torch.load_module`.

    Raises ArchinspectError.
    """
    kind = kind_of(model)
    given = _listed(inputs)
    if kind in ("spec", "checkpoint", "onnx"):
        _refuse(kind, {"--real": real, "--partial": partial})
    if kind == "spec":
        return _spec(model, given, arguments)
    if kind == "checkpoint":
        from .checkpoint import load_checkpoint

        _refuse(kind, {"--input": bool(given), "--set": bool(arguments)})
        return load_checkpoint(model)
    if kind == "onnx":
        return _onnx(model, given, arguments)
    _need_torch()
    if kind == "exported":
        from .torch.exported import load_exported

        return load_exported(model, inputs=_shapes(given))
    from .torch import load_named, load_objects

    if kind == "module":
        return load_objects(model, given, arguments, real=real, partial=partial)
    if kind == "configuration":
        model = f"transformers:{os.fspath(model)}"
    return load_named(os.fspath(model), given, arguments, real=real, partial=partial)


def kind_of(model: Any) -> str:
    """Which frontend a MODEL belongs to.

    One of `spec`, `checkpoint`, `onnx`, `exported`, `module` (an object), `configuration` and `named` (a module by a
    text).  Looks at the text alone, and reads nothing.
    """
    if not isinstance(model, (str, os.PathLike)):
        return _kind_of_object(model)
    text = str(os.fspath(model))
    if "->" in text.partition(":")[0]:
        return "spec"
    library, colon, _ = text.partition(":")
    if colon and library in LIBRARIES and isinstance(model, str):
        return "named"
    lower = text.lower()
    if lower.endswith(".onnx"):
        return "onnx"
    if lower.endswith(".pt2"):
        return "exported"
    if lower.endswith(_CHECKPOINTS):
        return "checkpoint"
    if lower.endswith(".json"):
        return "configuration"
    if isinstance(model, str):
        if ".py:" in text:
            return "named"
        if _ATTRIBUTE.fullmatch(text) and not os.path.exists(text):
            return "named"
    return "spec"


def _kind_of_object(model: Any) -> str:
    """The kind of an object, by libraries that are imported already: an object of theirs has imported them."""
    torch = sys.modules.get("torch")
    if torch is not None:
        if isinstance(model, torch.nn.Module):
            return "module"
        exported = sys.modules.get("torch.export")
        if exported is not None and isinstance(model, exported.ExportedProgram):
            return "exported"
    onnx = sys.modules.get("onnx")
    if onnx is not None and isinstance(model, onnx.ModelProto):
        return "onnx"
    raise fail(
        "A101",
        f"{model.__name__} is a class, not a module"
        if isinstance(model, type)
        else f"{type(model).__name__} objects are no networks",
        notes=["a network is a name, a path, an nn.Module, an ExportedProgram or an ONNX ModelProto"],
        help="a class makes one when it is called: load(Net(), (1, 3, 224, 224))"
        if isinstance(model, type)
        else "",
    )


def _listed(inputs: Sequence[Any] | str | int | None) -> list[Any]:
    """Inputs as a list, texts among them read; one text, number or shape may stand alone."""
    if inputs is None:
        return []
    alone = isinstance(inputs, tuple) and len(inputs) > 0 and all(type(size) is int for size in inputs)
    if alone or isinstance(inputs, (str, int)):
        return [inputs]
    return list(inputs)


def texts_read(inputs: Sequence[Any]) -> list[Any]:
    """The inputs, with texts as `InputText`.  Raises ArchinspectError (A402)."""
    try:
        parsed = iter(parse_inputs([one for one in inputs if isinstance(one, str)]))
    except ValueError as error:
        raise fail(
            "A402",
            str(error),
            help=f"{INPUT_HELP}; a name and a type as in mask=bool:1x128",
            call_help="give tensors or shapes, such as (1, 3, 224, 224)",
        ) from None
    return [next(parsed) if isinstance(one, str) else one for one in inputs]


def _spec(model: Any, inputs: list[Any], arguments: Mapping[str, Any] | None) -> Graph:
    from .spec import load_graph

    named = [one for one in inputs if isinstance(one, str) and ("=" in one or ":" in one)]
    if named or len(inputs) > 1:
        read = [
            one if isinstance(one, InputText) else tuple(getattr(one, "shape", one))
            for one in texts_read(inputs)
        ]
        several = [one if isinstance(one, InputText) else InputText(one) for one in read]
        return load_graph(model, arguments=arguments, input=several)
    given = inputs[0] if inputs else None
    return load_graph(model, arguments=arguments, input=tuple(getattr(given, "shape", ())) or given)


def _onnx(model: Any, inputs: list[Any], arguments: Mapping[str, Any] | None) -> Graph:
    from .onnx import load_onnx

    _refuse("onnx", {"--set": bool(arguments)})
    return load_onnx(model, inputs=_shapes(inputs))


def _shapes(inputs: list[Any]) -> Any:
    """The shapes of inputs, by name where they have names; None where there are none."""
    read = texts_read(inputs)
    named = {one.name: one.sizes for one in read if isinstance(one, InputText) and one.name is not None}
    plain = [one.shape if isinstance(one, InputText) else one for one in read]
    if named and len(named) < len(read):
        raise fail("A402", "some inputs have a name and others have none", help="name all of them, or none")
    return named or plain or None


_KINDS = {"spec": "a spec", "checkpoint": "a checkpoint", "onnx": "an ONNX model"}


#: what options are about, and how a Python call has them
_OPTIONS = {
    "--real": ("is not run on real tensors", "real"),
    "--partial": ("is not run, so no part of it either", "partial"),
    "--input": ("takes no inputs", "the inputs"),
    "--set": ("takes no arguments", "the keyword arguments"),
}


def _refuse(kind: str, options: Mapping[str, bool]) -> None:
    """Say of options that mean nothing here that they do not, in the place of passing over them."""
    for option, given in options.items():
        if given:
            why, in_call = _OPTIONS[option]
            raise fail(
                "A403", f"{_KINDS[kind]} {why}", help=f"leave {option} out", call_help=f"leave {in_call} out"
            )


def _need_torch() -> None:
    from importlib.util import find_spec

    if find_spec("torch") is None:
        raise fail("A404", "reading a module needs torch", help="pip install 'archinspect[torch]'")
