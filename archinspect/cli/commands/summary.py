"""`summary`: everything about each layer in one table."""

from __future__ import annotations

from typing import Annotated

import typer

from ...analysis import analyse
from ...errors import fail
from ..options import (
    Convention,
    Depth,
    Explain,
    Format,
    Input,
    Model,
    Output,
    Partial,
    Real,
    Set,
    choice,
    load,
)
from ..output import emit
from .tables import as_counted_by


def summary(
    model: Model,
    input: Input = None,
    set: Set = None,
    real: Real = False,
    partial: Partial = False,
    depth: Depth = None,
    explain: Explain = False,
    style: Annotated[
        str, typer.Option(**choice("--style", ("full", "keras")), help="`keras` prints what Keras would.")
    ] = "full",
    convention: Convention = None,
    format: Format = None,
    output: Output = None,
) -> None:
    """Show shapes, parameters, MACs and memory in one table.

    `--style keras` prints what Keras' model.summary() prints: channels last, activations inside their layer.
    """
    graph = load(model, input, set, real=real, partial=partial)
    for name, given in (("--convention", convention is not None), ("--explain", explain)):
        if given and style == "keras":
            raise fail("A403", f"--style keras and {name} do not go together", help="leave one out")
    if convention is not None:
        emit(as_counted_by(convention, graph, "both", explain=explain, depth=depth), format, output)
        return
    analysis = analyse(graph)
    if depth is not None:
        analysis = analysis.fold(depth)
    if style == "keras":
        from ...report.keras import keras

        emit(keras(graph, analysis), format, output)
        return
    from ...report.layers import summary

    emit(summary(graph, analysis, explain=explain), format, output)
