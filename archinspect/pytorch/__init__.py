"""The second engine: a graph as a real PyTorch module, or as a PyTorch program of its own.

`build` makes the module, `export_source` the program.  torch is imported when a module is built, and not before.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from ..errors import fail

if TYPE_CHECKING:
    from .graph_module import build
    from .source import export_source

__all__ = ["build", "export_source"]


def __getattr__(name: str) -> Any:
    if name == "build":
        if find_spec("torch") is None:
            raise fail("A404", "building a module needs torch", help="pip install 'archinspect[torch]'")
        from .graph_module import build

        return build
    if name == "export_source":
        from .source import export_source

        return export_source
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
