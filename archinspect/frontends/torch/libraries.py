"""Models of libraries by their names there: torchvision, timm, transformers, diffusers.  Nothing is downloaded.

Each library is one class: it knows the names of its models, builds one without weights, and says what its forward
takes when nobody asks for another input.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import os
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from ...errors import fail, suggestion
from ...files import read_json
from .build import Built, Call, ExampleInput, building, construct, with_torchvision
from .example_inputs import diffusers_inputs, transformers_inputs

__all__ = ["LIBRARIES", "build", "names"]

LIBRARIES = ("torchvision", "timm", "transformers", "diffusers")


def build(library: str, call: Call) -> Built:
    """A model of a library.  Raises ArchinspectError: A404 without the library, A101 for an unknown name."""
    _need(library)
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # what a library says of its own defaults is not about the user's command
        return _BUILDERS[library](call)


def names(library: str) -> list[str]:
    """The names of a library's models; none for libraries that go by configuration files, or are not installed."""
    if importlib.util.find_spec(library) is None:
        return []
    if library == "timm":
        return list(_imported("timm").list_models())
    if library == "torchvision":
        return list(_imported("torchvision.models").list_models())
    return []


def _need(library: str) -> None:
    if importlib.util.find_spec(library) is None:
        raise fail("A404", f"{library}'s models need {library}", help=f"pip install {library}")


def _imported(name: str) -> Any:
    """A module of a library that is installed.  Raises ArchinspectError (A404) where importing it fails."""
    with building(f"import {name}", code="A404", help="is it built for the torch that is installed?"):
        return with_torchvision(lambda: importlib.import_module(name))


def _unknown(library: str, name: str) -> Exception:
    help = suggestion(name, names(library), otherwise=f"its names are those of {library}.list_models()")
    return fail("A101", f"{library} has no model '{name}'", help=help)


# torchvision.


def _torchvision(call: Call) -> Built:
    models = _imported("torchvision.models")
    try:
        make = models.get_model_builder(call.name)
    except ValueError:
        raise _unknown("torchvision", call.name) from None
    kwargs = dict(call.kwargs or {})
    accepted = inspect.signature(make).parameters
    for name in ("weights", "weights_backbone"):
        if name in accepted:
            kwargs.setdefault(name, None)  # the default of some is a download
    built = construct(make, call.args, kwargs, call.name, f"torchvision:{call.name}")
    kind = type(built.module).__module__.split("torchvision.models.")[-1].partition(".")[0]
    first = next(iter(inspect.signature(built.module.forward).parameters))
    inputs = _torchvision_inputs(kind, call.name, first)
    return Built(built.module, call.name, inputs, built.again, kind == "detection")


def _torchvision_inputs(kind: str, name: str, first: str) -> list[ExampleInput]:
    """What forward takes, whose first argument is called `first`."""
    if kind == "detection":
        return [ExampleInput(first, (3, 224, 224), tensor=[torch.rand(3, 224, 224)])]
    if kind == "video":
        side = 224 if name.startswith(("mvit", "s3d")) else 112
        return [ExampleInput(first, (1, 3, 16, side, side))]
    if kind == "optical_flow":
        return [ExampleInput(image, (1, 3, 224, 224)) for image in ("image1", "image2")]
    side = 299 if name.endswith("inception_v3") else 224
    return [ExampleInput(first, (1, 3, side, side))]


# timm.


def _timm(call: Call) -> Built:
    timm = _imported("timm")
    if not timm.is_model(call.name.partition(".")[0]):
        raise _unknown("timm", call.name)
    kwargs = {"pretrained": False, **(call.kwargs or {})}
    built = construct(timm.create_model, (call.name, *call.args), kwargs, call.name, f"timm:{call.name}")
    settings = getattr(built.module, "pretrained_cfg", None) or {}
    size = tuple(settings.get("input_size") or (3, 224, 224))
    return Built(built.module, call.name, [ExampleInput("x", (1, *size))], built.again)


# transformers and diffusers: by a configuration file.


def _configuration(library: str, call: Call) -> tuple[dict[str, Any], str]:
    path = os.path.join(call.name, "config.json") if os.path.isdir(call.name) else call.name
    if not os.path.isfile(path):
        raise fail(
            "A101",
            f"there is no configuration '{path}'",
            notes=["nothing is downloaded: a model of the hub is named by its files on this machine"],
            help=f"write {library}:DIR or {library}:path/config.json",
        )
    settings = read_json(path)
    if not isinstance(settings, dict):
        raise fail("A603", f"'{path}' is no configuration of a model")
    settings.update(call.kwargs or {})
    return settings, path


def _transformers(call: Call) -> Built:
    settings, path = _configuration("transformers", call)
    if "_class_name" in settings:
        _need("diffusers")
        return _diffusers(call)
    transformers = _imported("transformers")
    auto = importlib.import_module("transformers.models.auto.configuration_auto")
    kind, wanted = settings.get("model_type"), (settings.get("architectures") or [""])[0]
    # Looking at a class imports it, and with it torchvision where that is installed.
    if kind not in auto.CONFIG_MAPPING or (
        wanted and not with_torchvision(lambda: hasattr(transformers, wanted))
    ):
        if "auto_map" in settings:
            raise fail(
                "A604",
                f"'{path}' names code that comes with the model (auto_map), which is not run",
                notes=[f"transformers {transformers.__version__} has no '{wanted or kind}' of its own"],
                help="build the module in a file of yours and name it as in net.py:make",
            )
        raise fail(
            "A101",
            f"transformers {transformers.__version__} has no model type '{kind}'"
            if kind not in auto.CONFIG_MAPPING
            else f"transformers {transformers.__version__} has no class '{wanted}'",
            notes=[f"'{path}' asks for it"],
            help=suggestion(
                str(kind), auto.CONFIG_MAPPING, otherwise="a newer version of transformers may have it"
            ),
        )
    with building(path):
        config = auto.CONFIG_MAPPING[kind].from_dict(settings)
        if wanted:
            model = getattr(transformers, wanted)
        else:
            mapping = importlib.import_module("transformers.models.auto.modeling_auto").MODEL_MAPPING
            model = with_torchvision(lambda: mapping[type(config)])
    text = f"transformers:{call.name}"
    name = _folder_name(path) or wanted or str(kind)
    built = construct(model._from_config, (config,), {}, name, text)
    return Built(built.module, name, transformers_inputs(built.module, config), built.again)


def _folder_name(path: str) -> str:
    """What to call a model: its folder, or the file where that says more than `config.json`."""
    file = os.path.splitext(os.path.basename(path))[0]
    folder = os.path.basename(os.path.dirname(os.path.abspath(path)))
    return folder if file == "config" else file


def _diffusers(call: Call) -> Built:
    settings, path = _configuration("diffusers", call)
    diffusers = _imported("diffusers")
    wanted = str(settings.get("_class_name"))
    # Its classes are imported when they are looked at.
    with building(f"import diffusers.{wanted}", code="A404"):
        found: Any = with_torchvision(lambda: getattr(diffusers, wanted, None))
    if found is None:
        raise fail(
            "A101",
            f"diffusers {diffusers.__version__} has no class '{wanted}'",
            notes=[f"'{path}' asks for it"],
            help=suggestion(wanted, dir(diffusers)),
        )
    model = found
    if not (isinstance(model, type) and issubclass(model, nn.Module)):
        raise fail(
            "A603",
            f"'{path}' describes a {wanted}, which is no module",
            help="name the configuration of one of its parts, such as DIR/unet/config.json",
        )
    from_config: Any = model.from_config  # type: ignore[attr-defined]  # of every class of diffusers
    plain = {name: value for name, value in settings.items() if not name.startswith("_")}
    name = _folder_name(path) or wanted
    built = construct(from_config, (plain,), {}, name, f"diffusers:{call.name}")
    return Built(built.module, name, diffusers_inputs(built.module), built.again)


_BUILDERS: dict[str, Callable[[Call], Built]] = {
    "torchvision": _torchvision,
    "timm": _timm,
    "transformers": _transformers,
    "diffusers": _diffusers,
}
