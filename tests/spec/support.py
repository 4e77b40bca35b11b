"""Specs as text, laid out in memory."""

from __future__ import annotations

from typing import Any

import pytest

from archinspect.errors import ArchinspectError, Diagnostic
from archinspect.frontends.spec import lay_out
from archinspect.frontends.spec.load import read_text
from archinspect.graph import Graph


def graph_of(text: str, input: str | tuple[int, ...] | None = None, **arguments: Any) -> Graph:
    """The network that a spec's text says."""
    return lay_out(read_text(text, "net.yaml"), arguments, input)


def layers(body: str, input: str = "3x32x32") -> Graph:
    """A network of the layers in `body`, an indented YAML list."""
    return graph_of(f"name: net\ninput: {input}\nlayers:\n{body}")


def names(graph: Graph) -> list[str]:
    return [node.name for node in graph.layers]


def refused(text: str, **arguments: Any) -> tuple[Diagnostic, ...]:
    """The errors of a spec."""
    with pytest.raises(ArchinspectError) as caught:
        graph_of(text, **arguments)
    return caught.value.diagnostics
