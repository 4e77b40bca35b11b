"""`export`: the network as a program of its own."""

from __future__ import annotations

from ...pytorch import export_source
from ...spec import load_graph
from ..options import Input, Model, OutputFile, Set, arguments
from ..output import emit_text


def export(model: Model, input: Input = None, set: Set = None, output: OutputFile = None) -> None:
    """Write the network as PyTorch source.

    The file needs torch and nothing of archinspect; its modules have the names of the spec.
    """
    graph = load_graph(model, arguments=arguments(set), input=input)
    emit_text(export_source(graph), output)
