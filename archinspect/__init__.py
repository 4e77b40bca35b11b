"""archinspect: say a network once, in a short spec; get every number, picture, program and timing of it.

    import archinspect

    vgg16 = archinspect.load("vgg16", num_classes=10)
    vgg16.analyse().totals.params
    vgg16.build()                  # a torch.nn.Module

`import archinspect` imports nothing else; each verb imports what it needs when it is called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .errors import ArchinspectError
    from .frontends.spec import shipped
    from .network import Network, from_text, load

__version__ = "0.1.0"
__all__ = ["ArchinspectError", "Network", "from_text", "load", "shipped"]

_HOMES = {
    "ArchinspectError": "errors",
    "Network": "network",
    "from_text": "network",
    "load": "network",
    "shipped": "frontends.spec",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES and name != "torch":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    if name == "torch":  # a module; it sets itself as an attribute
        return import_module(".torch", __name__)
    value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    special = {name for name in globals() if name.startswith("__")}
    return sorted({*special, *__all__})
