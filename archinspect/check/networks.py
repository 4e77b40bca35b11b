"""The networks that claims speak of, loaded once each."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from typing import Any

from ..errors import ArchinspectError, Diagnostic
from ..frontends.spec import load_graph, shipped
from ..frontends.spec.models import MODEL
from ..graph import Graph
from .ledger import Claim
from .quantities import params
from .select import NoSuchLayerError, Selection, select


class Networks:
    """Graphs by the names that a ledger gives them."""

    def __init__(self, own: Mapping[str, tuple[str, str]], given: Mapping[str, Graph] | None = None) -> None:
        self._own = own  # the ledger's own one-line networks
        self._given = given or {}  # networks that are at hand, and need no loading
        self._graphs: dict[str, Graph] = dict(self._given)
        self._variants: dict[str, tuple[Graph, ...]] = {}
        self._resized: dict[tuple[str, int], Graph | None] = {}
        #: what others work out about these networks and keep with them
        self.kept: dict[Any, Any] = {}
        self._selections: dict[tuple[str, tuple[str, ...]], Selection] = {}

    def graph(self, model: str) -> Graph:
        """The network.  Raises ArchinspectError for an unknown one."""
        if model not in self._graphs:
            layers, input = self._own.get(model, (model, ""))
            graph = load_graph(layers, input=input or None)
            self._graphs[model] = replace(graph, name=model) if model in self._own else graph
        return self._graphs[model]

    def of(self, claim: Claim) -> Graph | None:
        """The network that a claim speaks of.  Raises ArchinspectError with the claim's place."""
        if not claim.model or claim.subject:
            return None
        try:
            return self.graph(claim.model)
        except ArchinspectError as error:
            first = error.diagnostics[0]
            if first.span is not None and first.span.file != MODEL:
                raise  # a spec's own error has its place there
            raise ArchinspectError(
                Diagnostic(first.code, first.message, claim.span, first.path, first.notes, first.help)
            ) from None

    def selection(self, claim: Claim) -> Selection | None:
        """The layers that a claim speaks of.  Raises ArchinspectError when there are none."""
        graph = self.of(claim)
        if graph is None:
            return None
        key = (claim.model, claim.layers)
        if key not in self._selections:
            try:
                self._selections[key] = select(graph, claim.layers)
            except NoSuchLayerError as error:
                raise ArchinspectError(Diagnostic("A208", str(error), claim.span, help=error.help)) from None
        return self._selections[key]

    def variants(self, model: str) -> tuple[Graph, ...]:
        """Other shipped networks of the same family, and each of them with one of its switches turned."""
        if model not in self._variants:
            self._variants[model] = tuple(self._find(model))
        return self._variants[model]

    def lookalikes(self, claim: Claim, graph: Graph) -> list[Graph]:
        """Variants whose parameters are the printed figure too, where its digits are cut off: 60 M for 60,965,224."""
        stated = claim.stated
        if stated.claims_all_digits or claim.layers or claim.quantity != "params":
            return []
        finer = replace(stated, step=Fraction(max(stated.scales[0], 1)), about=True)

        def fits(other: Graph) -> bool:
            total = params(other.layers)
            return finer.agrees(total) is not None or finer.cut_off(total)

        if stated.step <= finer.step or fits(graph):
            return []
        return [other for other in self.variants(claim.model) if fits(other)]

    def strangers(self, model: str) -> Iterator[Graph]:
        """The shipped networks that are neither this one nor of its family."""
        near = {model, *(graph.name for graph in self.variants(model))}
        yield from (self.graph(name) for name in shipped() if name not in near)

    def resized(self, model: str, side: int) -> Graph | None:
        """The network on square images of another size; None where it does not take them, or has that size."""
        if (model, side) not in self._resized:
            layers, _ = self._own.get(model, (model, ""))
            shape = self.graph(model).input_shape
            made = None
            if model not in self._given and len(shape) == 4 and shape[2:] != (side, side):
                with suppress(ArchinspectError):
                    made = load_graph(layers, input=(1, shape[1], side, side))
            self._resized[model, side] = made
        return self._resized[model, side]

    def _find(self, model: str) -> list[Graph]:
        if model in self._own or model in self._given:
            return []
        graph = self.graph(model)
        names = [name for name in shipped() if name != graph.name and _family(name) == _family(graph.name)]
        family = [self.graph(name) for name in names]
        turned = [*_switched(graph), *(other for relative in family for other in _switched(relative))]
        # A network that ships under a name of its own may be another one with a switch turned: vgg16_bn.
        known = {_layers(other) for other in turned}
        return [*turned, *(other for other in family if _layers(other) not in known)]


def _layers(graph: Graph) -> Hashable:
    return tuple((node.op, node.inputs, node.input_shapes) for node in graph.nodes)


def _switched(graph: Graph) -> Iterator[Graph]:
    """A shipped network with one of its switches turned."""
    for name, value in graph.arguments.items():
        if isinstance(value, bool) and graph.name in shipped():
            yield load_graph(graph.name, arguments={**graph.arguments, name: not value})


def _family(name: str) -> str:
    """`resnet` for resnet50, vgg for vgg16_c, alexnet for alexnet_grouped."""
    return name.split("_")[0].rstrip("0123456789")


def title(graph: Graph) -> str:
    """A network's name with the arguments that differ from its spec's defaults unknown to the reader."""
    switched = [name for name, value in graph.arguments.items() if value is True]
    return f"{graph.name} with {', '.join(switched)}" if switched else graph.name
