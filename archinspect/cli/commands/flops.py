"""`flops`: what each layer computes."""

from __future__ import annotations

from ...analysis import analyse
from ...report.layers import flops as table
from ..options import Convention, Depth, Explain, Format, Input, Model, Output, Partial, Real, Set, load
from ..output import emit
from .tables import as_counted_by


def flops(
    model: Model,
    input: Input = None,
    set: Set = None,
    real: Real = False,
    partial: Partial = False,
    depth: Depth = None,
    explain: Explain = False,
    convention: Convention = None,
    format: Format = None,
    output: Output = None,
) -> None:
    """Count the multiply-accumulates and FLOPs of each layer.

    MACs are those of convolutions and matrix products, without bias; FLOPs count every operation.
    """
    graph = load(model, input, set, real=real, partial=partial)
    if convention is not None:
        emit(as_counted_by(convention, graph, "cost", explain=explain, depth=depth), format, output)
        return
    analysis = analyse(graph)
    emit(table(graph, analysis if depth is None else analysis.fold(depth), explain=explain), format, output)
