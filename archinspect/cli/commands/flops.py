"""`flops`: what each layer computes."""

from __future__ import annotations

from ...report.layers import flops as table
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
    load,
)
from ..output import emit
from ..views import View, with_view
from .tables import as_counted_by, refuse_precision


@with_view
def flops(
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
    convention: Convention = None,
    *,
    view: View,
    format: Format = None,
    output: Output = None,
) -> None:
    """Count the multiply-accumulates and FLOPs of each layer.

    MACs are those of convolutions and matrix products, without bias; FLOPs count every operation.
    """
    graph = load(model, input, set, real=real, partial=partial, batch=batch)
    if convention is not None:
        refuse_precision(dtype, freeze)
        emit(as_counted_by(convention, graph, "cost", explain=explain, depth=depth), format, output, view)
        return
    analysis = analysed(graph, dtype, depth, freeze)
    emit(table(graph, analysis, explain=explain, also=view.keys), format, output, view)
