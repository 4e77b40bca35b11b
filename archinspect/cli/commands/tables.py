"""`params`, `shapes`, `flops`: one aspect of each layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from ...errors import fail
from ...graph import refuse_parameters_only
from ...report import layers
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

if TYPE_CHECKING:
    from ...graph import Graph
    from ...report import Report


@with_view
def params(
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
    """Count the parameters of each layer.

    Learnable parameters, per layer and in all; buffers such as running statistics are told apart.
    """
    graph = load(model, input, set, real=real, partial=partial, batch=batch)
    if convention is not None:
        refuse_precision(dtype, freeze)
        emit(as_counted_by(convention, graph, "params", explain=explain, depth=depth), format, output, view)
        return
    analysis = analysed(graph, dtype, depth, freeze)
    emit(layers.params(graph, analysis, explain=explain, also=view.keys), format, output, view)


@with_view
def shapes(
    model: Model,
    input: Input = None,
    set: Set = None,
    real: Real = False,
    partial: Partial = False,
    batch: Batch = None,
    dtype: Dtype = None,
    depth: Depth = None,
    explain: Explain = False,
    *,
    view: View,
    format: Format = None,
    output: Output = None,
) -> None:
    """Show the output shape and receptive field of each layer.

    Shapes are batch first, N×C×H×W.
    """
    graph = load(model, input, set, real=real, partial=partial, batch=batch)
    analysis = analysed(graph, dtype, depth)
    emit(layers.shapes(graph, analysis, explain=explain, also=view.keys), format, output, view)


def as_counted_by(
    convention: str,
    graph: Graph,
    which: Literal["params", "cost", "both"],
    *,
    explain: bool,
    depth: int | None,
) -> Report:
    """The table by another tool's rules.  Raises ArchinspectError (A403) for an unknown tool."""
    refuse_parameters_only(graph, "figures by another tool's rules")
    from ...check.own_module import count
    from ...report.conventions import by_convention

    return by_convention(graph, count(graph, convention), which=which, explain=explain, depth=depth)


def refuse_precision(dtype: str | None, freeze: list[str] | None = None) -> None:
    """Raises ArchinspectError (A403) for `--dtype` or `--freeze` beside `--convention`."""
    if dtype is not None:
        raise fail("A403", "--dtype is about bytes, and --convention shows none", help="leave one out")
    if freeze:
        raise fail(
            "A403", "--freeze is about training, and --convention shows none of it", help="leave one out"
        )
