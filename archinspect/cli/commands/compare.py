"""`compare`: networks side by side."""

from __future__ import annotations

from typing import Annotated

import typer

from ...analysis.compare import compare as hold_beside
from ...errors import fail
from ...report.compare import comparison
from ...spec import load_graph
from .. import completion
from ..options import Format, Input, Output
from ..output import emit


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
    depth: Annotated[
        int | None,
        typer.Option("--depth", metavar="N", min=1, help="Sum the differences of scopes N levels down."),
    ] = None,
    all_layers: Annotated[
        bool, typer.Option("--all", help="List layers whose change costs no parameters and no MACs too.")
    ] = False,
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
    graphs = [load_graph(model, input=input) for model in models]
    names = [graph.name for graph in graphs]
    labels = [model if names.count(name) > 1 else "" for model, name in zip(models, names, strict=True)]
    found = [
        hold_beside(graphs[0], graph, labels=(labels[0], label))
        for graph, label in zip(graphs[1:], labels[1:], strict=True)
    ]
    emit(comparison(found, all_layers=all_layers, depth=depth), format, output)
