"""The networks that claims speak of, loaded once each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from fractions import Fraction

from ..errors import ArchinspectError, Diagnostic
from ..frontends.spec import load_graph, shipped
from ..frontends.spec.models import MODEL
from ..graph import Graph
from .ledger import Claim
from .quantities import params, size
from .select import NoSuchLayerError, Selection, select

_TELLING = 20  # how fine a total must be, in parts of itself, to single out a member of a family


class Networks:
    """Graphs by the names that a ledger gives them."""

    def __init__(self, own: Mapping[str, tuple[str, str]]) -> None:
        self._own = own  # the ledger's own one-line networks
        self._graphs: dict[str, Graph] = {}
        self._variants: dict[str, tuple[Graph, ...]] = {}
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
        if stated.step <= finer.step or finer.agrees(params(graph.layers)):
            return []
        return [other for other in self.variants(claim.model) if finer.agrees(params(other.layers))]

    def others(self, claim: Claim) -> list[Graph]:
        """Other networks that have the printed total: variants, else, to the last digit, any shipped one."""
        stated = claim.stated
        if stated.form != "number" or stated.about or stated.step * _TELLING > abs(stated.value):
            return []

        def has(other: Graph) -> bool:
            value = size(other.layers, claim.quantity)
            return value is not None and stated.agrees(value) is not None

        near = [other for other in self.variants(claim.model) if has(other)]
        if near or not stated.claims_all_digits:
            return near
        everything = (self.graph(name) for name in shipped() if name != claim.model)
        return [other for other in everything if size(other.layers, claim.quantity) == stated.value]

    def _find(self, model: str) -> list[Graph]:
        if model in self._own:
            return []
        graph = self.graph(model)
        names = [name for name in shipped() if name != graph.name and _family(name) == _family(graph.name)]
        family = [self.graph(name) for name in names]
        return [*_switched(graph), *family, *(turned for other in family for turned in _switched(other))]


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
