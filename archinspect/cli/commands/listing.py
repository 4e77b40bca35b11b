"""`list`: the networks that ship."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ...analysis import analyse
from ...check.reading import published
from ...errors import fail, suggestion
from ...frontends.spec import load_graph, shipped
from ...report.networks import Listed, challenge_results, networks
from ..options import Format, Output, Width, choice
from ..output import emit


def list_networks(
    sort: Annotated[
        str,
        typer.Option(
            **choice("--sort", ("name", "year", "params", "macs", "depth")), help="Order of the list."
        ),
    ] = "name",
    family: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only the networks of one family, such as ResNet.")
    ] = None,
    width: Width = None,
    format: Format = None,
    output: Output = None,
) -> None:
    """List the networks that ship.

    With the paper each comes from, its input, parameters, multiply-accumulates and depth, and the result of its entry
    in ImageNet's challenge.
    """
    graphs = [load_graph(name) for name in shipped()]
    if family is not None:
        families = {str(graph.metadata.get("family") or "") for graph in graphs} - {""}
        chosen = [g for g in graphs if str(g.metadata.get("family") or "").lower() == family.lower()]
        if not chosen:
            help = suggestion(family, families) or f"families: {', '.join(sorted(families))}"
            raise fail("A403", f"no network that ships is of the family '{family}'", help=help)
        graphs = chosen
    results = challenge_results(figure for ledger in published() for figure in ledger.figures)
    found = [Listed(g, analyse(g), results.get(g.metadata.get("ilsvrc", ""))) for g in graphs]
    emit(networks(sorted(found, key=lambda one: _key(one, sort))), format, output, width=width)


def _key(one: Listed, sort: str) -> tuple[bool, Any, str]:
    """What is unknown comes last; equals are in alphabetical order."""
    values = {"name": one.graph.name, "year": one.graph.metadata.get("year")}
    value = values[sort] if sort in values else getattr(one.analysis.totals, sort)
    return value is None, value, one.graph.name
