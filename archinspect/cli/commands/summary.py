"""`summary`: everything about each layer in one table."""

from __future__ import annotations

from typing import Annotated

import click
import typer

from ...analysis import analyse
from ...spec import load_graph
from ..options import Depth, Explain, Format, Input, Model, Output, Set, arguments
from ..output import emit


def summary(
    model: Model,
    input: Input = None,
    set: Set = None,
    depth: Depth = None,
    explain: Explain = False,
    style: Annotated[
        str, typer.Option(click_type=click.Choice(["full", "keras"]), help="`keras` prints what Keras would.")
    ] = "full",
    format: Format = None,
    output: Output = None,
) -> None:
    """Show shapes, parameters, MACs and memory in one table.

    `--style keras` prints what Keras' model.summary() prints: channels last, activations inside their layer.
    """
    graph = load_graph(model, arguments=arguments(set), input=input)
    analysis = analyse(graph)
    if depth is not None:
        analysis = analysis.fold(depth)
    if style == "keras":
        from ...report.keras import keras

        emit(keras(graph, analysis), format, output)
        return
    from ...report.layers import summary

    emit(summary(graph, analysis, explain=explain), format, output)
