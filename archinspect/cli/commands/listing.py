"""`list`: the networks that ship."""

from __future__ import annotations

from typing import Annotated

import click
import typer

from ...analysis import analyse
from ...errors import fail, suggestion
from ...report.networks import networks
from ...spec import load_graph, shipped
from ..options import Format, Output
from ..output import emit


def list_networks(
    sort: Annotated[
        str,
        typer.Option(click_type=click.Choice(["name", "year", "params", "macs"]), help="Order of the list."),
    ] = "name",
    family: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only the networks of one family, such as ResNet.")
    ] = None,
    format: Format = None,
    output: Output = None,
) -> None:
    """List the networks that ship.

    With the paper each comes from, its input, parameters and multiply-accumulates.
    """
    graphs = [load_graph(name) for name in shipped()]
    if family is not None:
        families = {str(graph.metadata.get("family") or "") for graph in graphs} - {""}
        chosen = [g for g in graphs if str(g.metadata.get("family") or "").lower() == family.lower()]
        if not chosen:
            help = suggestion(family, families) or f"families: {', '.join(sorted(families))}"
            raise fail("A403", f"no network that ships is of the family '{family}'", help=help)
        graphs = chosen
    pairs = [(graph, analyse(graph)) for graph in graphs]
    if sort == "year":
        pairs.sort(key=lambda pair: pair[0].metadata.get("year") or 0)
    elif sort != "name":
        pairs.sort(key=lambda pair: getattr(pair[1].totals, sort))
    emit(networks(pairs), format, output)
