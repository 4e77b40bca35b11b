"""`compare`: networks side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from ...analysis import analyse
from ...analysis.compare import compare as hold_beside
from ...errors import fail
from ...frontends.spec import load_graph, shipped
from ...frontends.spec.settings import split_settings
from ...report.compare import MOST_MODELS, comparison
from .. import completion
from ..options import Format, Input, Output, Partial, Real, load
from ..pictures import emit_with_charts
from ..views import View, with_view

if TYPE_CHECKING:
    from ...analysis.compare import Comparison
    from ...plot import Chart


@with_view
def compare(
    models: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL MODEL...",
            help="Two networks or more, held against the first; resnet50:num_classes=10 sets arguments.",
            autocompletion=completion.models,
            show_default=False,
        ),
    ],
    input: Input = None,
    real: Real = False,
    partial: Partial = False,
    depth: Annotated[
        int | None,
        typer.Option("--depth", metavar="N", min=1, help="Sum the differences of scopes N levels down."),
    ] = None,
    all_layers: Annotated[
        bool,
        typer.Option("--all", help="List every layer: inside new scopes, and where nothing is saved, too."),
    ] = False,
    *,
    view: View,
    format: Format = None,
    output: Output = None,
) -> None:
    """Show how networks differ, and where the difference comes from.

    Totals side by side, then every layer that was added, removed or changed with what that costs; the parts sum
    exactly to the difference of the totals.
    """
    if len(models) < 2:
        raise fail(
            "A403", "compare needs two networks or more", help="archinspect compare alexnet alexnet_grouped"
        )
    if len(models) > MOST_MODELS:
        raise fail("A403", f"compare takes {MOST_MODELS} networks at most, and not {len(models)}")
    # A size of its own, as in resnet50:input=3x192x192, goes before one for all.
    graphs = [
        load(m, None if "input" in split_settings(m)[1] else input, real=real, partial=partial)
        for m in models
    ]
    names = [graph.name for graph in graphs]
    labels = [model if names.count(name) > 1 else "" for model, name in zip(models, names, strict=True)]
    found = [
        hold_beside(graphs[0], graph, labels=(labels[0], label))
        for graph, label in zip(graphs[1:], labels[1:], strict=True)
    ]
    report = comparison(found, all_layers=all_layers, depth=depth)
    emit_with_charts(report, lambda: _charts(found), format, output, view)


def _charts(found: Sequence[Comparison]) -> Sequence[Chart]:
    """Bars by resolution; where one of the networks has a published result, all that have one are shown.

    A checkpoint has no resolutions.
    """
    if any(one.parameters_only for one in found):
        return ()
    from ...check.reading import published
    from ...report.compare_charts import comparison_charts
    from ...report.networks import Listed, challenge_results

    graphs = {side.graph.name: side.graph for side in (found[0].a, *(one.b for one in found))}
    if not any(graph.metadata.get("ilsvrc") for graph in graphs.values()):
        return comparison_charts(found)
    graphs = {name: load_graph(name) for name in shipped()} | graphs
    results = challenge_results(figure for ledger in published() for figure in ledger.figures)
    listed = [Listed(g, analyse(g), results.get(g.metadata.get("ilsvrc", ""))) for g in graphs.values()]
    return comparison_charts(found, [one for one in listed if one.result is not None])
