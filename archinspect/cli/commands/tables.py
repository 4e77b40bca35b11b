"""`params`, `shapes`, `flops`: one aspect of each layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from ...analysis import analyse
from ...graph import refuse_parameters_only
from ...report import layers
from ..options import Convention, Depth, Explain, Format, Input, Model, Output, Partial, Real, Set, load
from ..output import emit

if TYPE_CHECKING:
    from ...analysis import Analysis
    from ...graph import Graph
    from ...report import Report


def params(
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
    """Count the parameters of each layer.

    Learnable parameters, per layer and in all; buffers such as running statistics are told apart.
    """
    if convention is not None:
        graph = load(model, input, set, real=real, partial=partial)
        emit(as_counted_by(convention, graph, "params", explain=explain, depth=depth), format, output)
        return
    graph, analysis = _analyse(load(model, input, set, real=real, partial=partial), depth)
    emit(layers.params(graph, analysis, explain=explain), format, output)


def shapes(
    model: Model,
    input: Input = None,
    set: Set = None,
    real: Real = False,
    partial: Partial = False,
    depth: Depth = None,
    explain: Explain = False,
    format: Format = None,
    output: Output = None,
) -> None:
    """Show the output shape and receptive field of each layer.

    Shapes are batch first, N×C×H×W.
    """
    graph, analysis = _analyse(load(model, input, set, real=real, partial=partial), depth)
    emit(layers.shapes(graph, analysis, explain=explain), format, output)


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


def _analyse(graph: Graph, depth: int | None) -> tuple[Graph, Analysis]:
    analysis = analyse(graph)
    return graph, analysis if depth is None else analysis.fold(depth)
