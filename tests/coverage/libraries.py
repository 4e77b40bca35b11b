"""The models of torchvision, timm, transformers and diffusers, by the names that MODEL takes."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from archinspect.frontends.torch.build import with_torchvision

LIBRARIES = ("timm", "torchvision", "transformers", "diffusers")


def installed() -> list[str]:
    """The libraries that are there."""
    return [library for library in LIBRARIES if find_spec(library)]


def models(library: str, folder: Path) -> Iterator[str]:
    """Every model of a library as MODEL names it; configs of transformers and diffusers are written below `folder`."""
    yield from {
        "timm": _timm,
        "torchvision": _torchvision,
        "transformers": _transformers,
        "diffusers": _diffusers,
    }[library](folder)


def complete_torchvision() -> None:
    """Give torchvision a kernel for non-maximum suppression where its compiled library does not load.

    Detection models ask for it; their other operators have definitions in Python.
    """
    import torch

    vision = with_torchvision(lambda: import_module("torchvision"))
    if vision.extension._has_ops() or _KERNELS:
        return
    library = torch.library.Library("torchvision", "FRAGMENT")
    library.impl("nms", _suppressed, "CPU")
    import_module("torchvision.ops.boxes")._assert_has_ops = lambda: None
    _KERNELS.append(library)


_KERNELS: list[Any] = []  # a kernel lives as long as the library that registers it


def _suppressed(boxes: Any, scores: Any, threshold: float) -> Any:
    """Indices of the boxes that are kept, best first: none overlaps a better one by more than the threshold."""
    import torch

    overlap = import_module("torchvision.ops.boxes").box_iou(boxes, boxes) > threshold
    kept: list[int] = []
    for index in scores.argsort(descending=True).tolist():
        if not overlap[index, kept].any():
            kept.append(index)
    return torch.tensor(kept, dtype=torch.int64)


def _timm(folder: Path) -> Iterator[str]:
    timm = with_torchvision(lambda: import_module("timm"))
    yield from (f"timm:{name}" for name in timm.list_models())


def _torchvision(folder: Path) -> Iterator[str]:
    found = with_torchvision(lambda: import_module("torchvision.models"))
    yield from (f"torchvision:{name}" for name in found.list_models())


def _transformers(folder: Path) -> Iterator[str]:
    """Default configs of all model types, as `config.json` files that name the base class."""
    with_torchvision(lambda: import_module("torchvision"))  # which configs of some models import
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING
    from transformers.models.auto.modeling_auto import MODEL_MAPPING_NAMES

    for kind, architecture in MODEL_MAPPING_NAMES.items():
        names = architecture if isinstance(architecture, (tuple, list)) else [architecture]
        try:
            config = CONFIG_MAPPING[kind]().to_dict()
        except Exception as error:  # noqa: BLE001  a config that has no defaults is listed with its reason
            yield f"transformers:{kind}!{type(error).__name__}: {error}"
            continue
        config["architectures"], config["model_type"] = [names[0]], kind
        yield f"transformers:{_written(folder / 'transformers' / kind, config)}"


def _diffusers(folder: Path) -> Iterator[str]:
    """Default configs of all models that diffusers exports: denoisers, autoencoders, control nets."""
    with_torchvision(lambda: import_module("torchvision"))  # which most of its modules import
    import diffusers

    for name in sorted(diffusers._import_structure["models"]):
        found = getattr(diffusers, name)
        if not inspect.isclass(found) or not issubclass(found, diffusers.ModelMixin):
            continue
        # Those of several nets are made of nets that are there, by no configuration.
        if hasattr(found, "from_config") and "Multi" not in name:
            yield f"diffusers:{_written(folder / 'diffusers' / name, {'_class_name': name})}"


def _written(folder: Path, config: dict[str, Any]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "config.json"
    file.write_text(json.dumps(config, default=str), encoding="utf-8")
    return file
