"""`list`: the networks that ship."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from .. import units
from .table import AtLeast, Cell, Column, Report, Table

if TYPE_CHECKING:
    from ..analysis import Analysis
    from ..check.ledger import Figure
    from ..graph import Graph

_COLUMNS = (
    Column("name", "Name", "name"),
    Column("year", "Year"),
    Column("paper", "Paper"),
    Column("input", "Input"),
    Column("params", "Params", "int"),
    Column("macs", "MACs", "int"),
    Column("depth", "Depth", "int", optional=1),
    Column("ilsvrc", "ILSVRC top-5", optional=2),
    Column("entry", "Entry and source", optional=3),
)
_NOTES = (
    "Input C×H×W; MACs for one image; depth: convolutional and linear layers on the longest way.",
    "ILSVRC: top-5 error of the entry that the network stood for, in most cases an ensemble.",
)


#: what a network is for whose spec says nothing else
CLASSIFICATION = "image classification"


class Listed(NamedTuple):
    """A network, what follows from it, and the figure of its entry in ImageNet's challenge where there is one."""

    graph: Graph
    analysis: Analysis
    result: Figure | None = None


def networks(found: Iterable[Listed]) -> Report:
    """Name, year, paper, input, parameters, MACs, depth and result of each network, in the order given, by task."""
    listed = list(found)
    results = any(one.result for one in listed)
    tasks: dict[str, list[Listed]] = {}
    for one in sorted(
        listed, key=lambda one: one.graph.metadata.get("task", CLASSIFICATION) != CLASSIFICATION
    ):
        tasks.setdefault(one.graph.metadata.get("task", CLASSIFICATION), []).append(one)
    notes = f"{len(listed)} network{'s' * (len(listed) != 1)}. {_NOTES[0]}", *_NOTES[1 : 1 + results]
    tables = [
        Table(
            _COLUMNS if results else _COLUMNS[:-2],
            tuple(_row(one)[: None if results else -2] for one in alike),
            title=f"{task[0].upper()}{task[1:]}" if len(tasks) > 1 else "",
            notes=notes if number == len(tasks) else (),
        )
        for number, (task, alike) in enumerate(tasks.items(), 1)
    ]
    return Report(tuple(tables), lambda: {"networks": [_record(one) for one in listed]})


def challenge_results(figures: Iterable[Figure]) -> dict[str, Figure]:
    """Of each subject the top-5 error that counts: the first one in a contest, else the first one at all."""
    first: dict[str, Figure] = {}
    for figure in figures:
        if figure.quantity == "top5_error":
            known = first.get(figure.subject)
            if known is None or (figure.event and not known.event):
                first[figure.subject] = figure
    return first


def _row(one: Listed) -> tuple[Cell, ...]:
    graph, totals, result = one.graph, one.analysis.totals, one.result
    return (
        graph.name,
        str(graph.metadata.get("year") or ""),
        paper(str(graph.metadata.get("source") or "")),
        " and ".join(units.shape_text(node.output_shape[1:]) for node in graph.nodes[: graph.inputs]),
        totals.params,
        totals.macs if totals.complete else AtLeast(totals.macs),
        totals.depth,
        _result(result) if result else "",
        " · ".join(_words(result)) if result else "",
    )


def _result(result: Figure) -> str:
    return result.value.text if result.event else f"{result.value.text} (no entry)"


def _words(result: Figure) -> Iterator[str]:
    if result.event:
        yield result.event
    if result.entry:
        yield result.entry
    yield result.source


def paper(source: str) -> str:
    """The short form of a citation: its arXiv number where it has one, else where it appeared, else its author."""
    number = re.search(r"arXiv:([\w./-]*\w)", source)
    if number:
        return number[1]
    venue = re.search(r"\b(?:19|20)\d\d, ([^,;]+)", source)
    return venue[1] if venue else source.partition(",")[0]


def _record(one: Listed) -> dict[str, object]:
    graph, totals, result = one.graph, one.analysis.totals, one.result
    return {
        "name": graph.name,
        "title": graph.metadata.get("title"),
        "year": graph.metadata.get("year"),
        "family": graph.metadata.get("family"),
        "task": graph.metadata.get("task", CLASSIFICATION),
        "source": graph.metadata.get("source"),
        "input": list(graph.input_shape),
        "params": totals.params,
        "macs": totals.macs,
        "complete": totals.complete,
        "depth": totals.depth,
        "ilsvrc": None
        if result is None
        else {
            "top5_error": result.value.text,
            "event": result.event or None,
            "entry": result.entry or None,
            "source": result.source,
        },
    }
