"""`list`: the networks that ship."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from .. import units
from .table import AtLeast, Cell, Column, Report, Table

if TYPE_CHECKING:
    from ..analysis import Analysis
    from ..graph import Graph

_COLUMNS = (
    Column("name", "Name", "name"),
    Column("year", "Year"),
    Column("input", "Input"),
    Column("params", "Params", "int"),
    Column("macs", "MACs", "int"),
    Column("paper", "Paper"),
)


def networks(found: Iterable[tuple[Graph, Analysis]]) -> Report:
    """Name, year, input, parameters, MACs and paper of each network, in the order given."""
    pairs = list(found)
    rows = tuple(_row(graph, analysis) for graph, analysis in pairs)
    notes = (f"{len(pairs)} networks; input C×H×W, MACs for one image.",)
    return Report(
        (Table(_COLUMNS, rows, title="", notes=notes),),
        lambda: {"networks": [_record(graph, analysis) for graph, analysis in pairs]},
    )


def _row(graph: Graph, analysis: Analysis) -> tuple[Cell, ...]:
    totals = analysis.totals
    return (
        graph.name,
        str(graph.metadata.get("year") or ""),
        units.shape_text(graph.input_shape[1:]),
        totals.params,
        totals.macs if totals.complete else AtLeast(totals.macs),
        _paper(str(graph.metadata.get("source") or "")),
    )


def _paper(source: str) -> str:
    """The short form of a citation: its arXiv number where it has one, else the authors."""
    number = re.search(r"arXiv:[\w./-]*\w", source)
    if number:
        return number[0]
    authors = re.sub(r"\s*\b(19|20)\d\d\b.*", "", source)
    return re.sub(r"^(\w+), .*", r"\1 et al.", authors)


def _record(graph: Graph, analysis: Analysis) -> dict[str, object]:
    totals = analysis.totals
    return {
        "name": graph.name,
        "title": graph.metadata.get("title"),
        "year": graph.metadata.get("year"),
        "family": graph.metadata.get("family"),
        "source": graph.metadata.get("source"),
        "input": list(graph.input_shape),
        "params": totals.params,
        "macs": totals.macs,
        "complete": totals.complete,
    }
