"""`summary`: everything about each layer in one table."""

from __future__ import annotations

from typing import Annotated

import typer

from ...errors import fail
from ..options import (
    Batch,
    Convention,
    Depth,
    Dtype,
    Explain,
    Format,
    Freeze,
    Input,
    Model,
    Output,
    Partial,
    Real,
    Set,
    analysed,
    choice,
    load,
)
from ..output import emit
from ..views import View, with_view
from .tables import as_counted_by, refuse_precision


@with_view
def summary(
    model: Model,
    input: Input = None,
    set: Set = None,
    real: Real = False,
    partial: Partial = False,
    batch: Batch = None,
    dtype: Dtype = None,
    freeze: Freeze = None,
    depth: Depth = None,
    explain: Explain = False,
    style: Annotated[
        str, typer.Option(**choice("--style", ("full", "keras")), help="`keras` prints what Keras would.")
    ] = "full",
    convention: Convention = None,
    *,
    view: View,
    format: Format = None,
    output: Output = None,
) -> None:
    """Show shapes, parameters, MACs and memory in one table.

    `--style keras` prints what Keras' model.summary() prints: channels last, activations inside their layer.
    """
    graph = load(model, input, set, real=real, partial=partial, batch=batch)
    for name, given in (
        ("--convention", convention is not None),
        ("--explain", explain),
        ("--dtype", dtype is not None),
    ):
        if given and style == "keras":
            raise fail("A403", f"--style keras and {name} do not go together", help="leave one out")
    if convention is not None:
        refuse_precision(dtype, freeze)
        emit(as_counted_by(convention, graph, "both", explain=explain, depth=depth), format, output, view)
        return
    analysis = analysed(graph, dtype, depth, freeze)
    if style == "keras":
        from ...report.keras import keras

        emit(keras(graph, analysis), format, output, view)
        return
    from ...report.layers import summary

    emit(summary(graph, analysis, explain=explain, also=view.keys), format, output, view)
