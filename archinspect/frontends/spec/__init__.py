"""Specs: short declarative texts that say a network once.

The way of the data: `source` (text) → `nodes` (YAML values with places) → `reader` (a `Document`) → `validate` →
`expand` (a `Graph`).  `writer` dumps a graph back; `schema` publishes the YAML layer as a JSON Schema.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .load import lay_out, load_graph, parse_settings, read_document, shipped

if TYPE_CHECKING:
    from .schema import json_schema
    from .writer import dump

__all__ = ["dump", "json_schema", "lay_out", "load_graph", "parse_settings", "read_document", "shipped"]


def __getattr__(name: str) -> Any:
    # What most commands do not need is read when it is asked for.
    if name == "dump":
        from .writer import dump

        return dump
    if name == "json_schema":
        from .schema import json_schema

        return json_schema
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
