"""How a network starts: signal and gradient layer by layer, measured over seeds beside what theory expects.

`signal` measures one network or several variants of it; `modes` holds training against evaluation.  `theory` and
`verdicts` are arithmetic; only `measure` and `modes` run PyTorch, and it is imported when something is measured.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import TYPE_CHECKING

from ..analysis.batch import own_batch
from ..errors import fail, suggestion
from ..graph import Graph, refuse_parameters_only
from .results import Modes, Row, Signal, Spread, Units, Variant
from .theory import Expected, Moments, Weights, backward, forward, scheme_weights
from .variants import ACTIVATIONS, PARTS, with_activation, without
from .verdicts import verdicts

if TYPE_CHECKING:
    from .measure import Measured, Record, Settings

__all__ = ["ACTIVATIONS", "INITS", "MODES", "PARTS", "Modes", "Plan", "Signal", "modes", "signal"]

#: the names of `archinspect.pytorch.initialization.SCHEMES`, which needs torch
INITS = ("as-published", "default", "zero", "small", "xavier", "he", "orthogonal")
MODES = ("train", "eval")

#: what the largest default batch may take: multiply-accumulates of a forward pass
_MOST_MACS = 64e9
_MOST_BATCH = 8

#: told what is running, how many passes are done, and the share of all
Tell = Callable[[str, int, float], None]


@dataclass(frozen=True)
class Plan:
    """What is measured.  Each of `init`, `activation` and `without` that has several entries makes variants.

    An entry of `without` is a part or several joined by +; where there are entries, the network as it is comes first.
    """

    seeds: int = 3
    batch: int | None = None
    mode: str = "train"
    init: tuple[str, ...] = ()
    activation: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    images: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raises ArchinspectError (A403) for what there is not."""
        _known("initialisation", self.init, INITS)
        _known("activation", self.activation, ACTIVATIONS)
        _known("part to leave out", [part for entry in self.without for part in entry.split("+")], PARTS)
        _known("mode", [self.mode], MODES)
        if self.seeds < 1:
            raise fail("A403", f"seeds must be at least 1, and is {self.seeds}")
        if self.batch is not None and self.batch < 1:
            raise fail("A403", f"batch must be at least 1, and is {self.batch}")


def _known(what: str, given: Iterable[str], names: Sequence[str]) -> None:
    for name in given:
        if name not in names:
            close = suggestion(name, names, otherwise=f"known: {', '.join(names)}")
            raise fail("A403", f"there is no {what} '{name[:40]}'", help=close)


@dataclass(frozen=True)
class _Form:
    """One variant to measure."""

    label: str
    graph: Graph
    init: str
    activation: str
    without: tuple[str, ...]


def signal(
    graphs: Graph | Mapping[str, Graph],
    plan: Plan | None = None,
    *,
    tell: Tell | None = None,
) -> Signal:
    """Measure a network, or several under their labels, in every variant of the plan.

    Raises ArchinspectError: A404 without torch, A403 for a variant that the network does not have or a network that
    cannot be run, A103 for one that does not fit into memory, A601 for what a user's forward raises.
    """
    plan = plan or Plan()
    given = {"": graphs} if isinstance(graphs, Graph) else dict(graphs)
    first = next(iter(given.values()))
    for graph in given.values():
        _refuse(graph)
    batch = plan.batch or min(_default_batch(graph) for graph in given.values())
    forms = [form for label, graph in given.items() for form in _forms(label, graph, plan)]
    from .measure import Settings, measure

    made: list[Variant] = []
    for number, form in enumerate(forms):
        captured = form.graph.source is not None
        settings = Settings(
            plan.seeds,
            batch,
            plan.mode == "train",
            form.init,
            form.activation if captured else "",
            form.without if captured else (),
            plan.images,
        )
        what = form.label or form.graph.name

        def done(seeds: int, what: str = what, before: int = number) -> None:
            if tell is not None:
                tell(what, seeds, (before + seeds / plan.seeds) / len(forms))

        if tell is not None:
            tell(what, 0, number / len(forms))
        made.append(_variant(form, settings, measure(form.graph, settings, done)))
    return Signal(first.name, plan.seeds, batch, plan.mode, tuple(made))


def _refuse(graph: Graph) -> None:
    if find_spec("torch") is None:
        raise fail("A404", "following a signal needs torch", help="pip install 'archinspect[torch]'")
    refuse_parameters_only(graph, "its signal")
    if graph.source is not None and graph.source.kind != "module":
        raise fail(
            "A403",
            f"the signal of '{graph.name}' cannot be followed: it comes from a file",
            notes=["its operations have no module that PyTorch trains"],
            help="give the module, such as net.py:Net, or a spec",
        )
    if graph.metadata.get("partial"):
        raise fail("A403", f"'{graph.name}' was captured only in part", help="leave --partial out")


def _default_batch(graph: Graph) -> int:
    """8, or fewer where a pass of 8 takes long."""
    macs = sum(node.cost.macs for node in graph.layers if node.cost is not None) / own_batch(graph)
    return max(2, min(_MOST_BATCH, int(_MOST_MACS // max(macs, 1.0))))


def _forms(label: str, graph: Graph, plan: Plan) -> list[_Form]:
    """Every combination of the plan's variants, with a label that tells them apart."""
    without_entries: tuple[str, ...] = ("", *plan.without) if plan.without else ("",)
    made = []
    for init in plan.init or ("",):
        for activation in plan.activation or ("",):
            for entry in without_entries:
                parts = tuple(entry.split("+")) if entry else ()
                words = [label] if label else []
                words += [init] if len(plan.init) > 1 else []
                words += [activation] if len(plan.activation) > 1 else []
                if plan.without:
                    words.append(f"without {' and '.join(map(_words, parts))}" if parts else "as it is")
                made.append(
                    _Form(", ".join(words), _changed(graph, activation, parts), init, activation, parts)
                )
    return made


def _words(part: str) -> str:
    return part.replace("_", " ")


def _changed(graph: Graph, activation: str, parts: tuple[str, ...]) -> Graph:
    if graph.source is None:
        graph = with_activation(graph, activation) if activation else graph
        return without(graph, parts) if parts else graph
    if "skips" in parts:
        raise fail(
            "A403",
            f"the skip connections of {graph.name} are in its code, and cannot be left out",
            help="only a spec's can",
        )
    return graph


def _variant(form: _Form, settings: Settings, found: Measured) -> Variant:
    """Rows over the seeds, with the theory, and the verdicts."""
    first = found.passes[0]
    groups = [
        [records[place] for records in found.passes if place < len(records)] for place in range(len(first))
    ]
    rows = [_row(records) for records in groups]
    notes: list[str] = []
    at = {record.index: place for place, record in enumerate(first) if record.index is not None}
    if at:
        expected, gradients = _theory(form, settings, found, groups, at)
        for index, place in at.items():
            told, back = expected[index], gradients[index]
            rows[place] = replace(
                rows[place],
                expected_std=told.moments.std if told.moments is not None else None,
                expected_gradient_std=math.sqrt(back) if back is not None else None,
                formula=told.formula or told.fails,
            )
        fails = dict.fromkeys(expected[index].fails for index in sorted(at) if expected[index].fails)
        if fails:
            notes.append(f"Theory has no figure where {'; '.join(fails)}. It starts again behind these.")
    return Variant(
        form.label,
        tuple(rows),
        verdicts(rows, found.symmetric, found.constant),
        found.loss,
        tuple(notes),
    )


def _theory(
    form: _Form,
    settings: Settings,
    found: Measured,
    groups: Sequence[Sequence[Record]],
    at: Mapping[int, int],
) -> tuple[list[Expected], list[float | None]]:
    graph = form.graph
    weights: dict[int, Weights] = {}
    for index, place in at.items():
        node = graph.nodes[index]
        scheme = scheme_weights(node, form.init) if form.init else None
        starts = [record.starts for record in groups[place] if record.starts is not None]
        if scheme is not None:
            weights[index] = scheme
        elif starts:
            weights[index] = Weights(_mean([s.weight for s in starts]), _mean([s.bias for s in starts]))

    def measured(index: int) -> Moments | None:
        if index < graph.inputs:
            return found.inputs[index] if index < len(found.inputs) else None
        return _average([record.forward for record in groups[at[index]]]) if index in at else None

    def gradients(index: int) -> Moments | None:
        return _average([record.gradient for record in groups[at[index]]]) if index in at else None

    expected = forward(graph, weights, measured, training=settings.training)
    return expected, backward(graph, expected, weights, measured, gradients, training=settings.training)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _average(given: Sequence[Moments | None]) -> Moments | None:
    known = [each for each in given if each is not None]
    return (
        Moments(_mean([each.mean for each in known]), _mean([each.square for each in known]))
        if known
        else None
    )


def _row(records: Sequence[Record]) -> Row:
    """A call over the seeds."""
    first = records[0]
    gains = [
        record.forward.std / math.sqrt(record.entry.square)
        for record in records
        if record.forward is not None and record.entry is not None and record.entry.square > 0
    ]
    saturated = [record.saturated for record in records if record.saturated is not None]
    units = [record.units for record in records if record.units is not None]
    return Row(
        first.name,
        first.op,
        _spread([record.forward for record in records]),
        _spread([record.gradient for record in records]),
        _spread([record.weight_gradient for record in records]),
        _mean([each.silent for each in units]) if units else None,
        _mean(saturated) if saturated else None,
        None,
        gain=_mean(gains) if gains else None,
        dense=first.dense,
        units=_units_over(units),
    )


def _units_over(units: Sequence[Units]) -> Units | None:
    """The seed in which most units lie far below."""
    return max(units, key=lambda each: each.below) if units else None


def _spread(given: Sequence[Moments | None]) -> Spread | None:
    known = [each.std for each in given if each is not None]
    return Spread.of(known) if known else None


def modes(graph: Graph, plan: Plan | None = None, *, batches: int = 10, tell: Tell | None = None) -> Modes:
    """What batch normalisation and dropout do in training and in evaluation, on the same weights and batch.

    Raises ArchinspectError as `signal` does, and A403 for a network that has neither.
    """
    plan = plan or Plan()
    _refuse(graph)
    batch = plan.batch or _default_batch(graph)
    from .both_modes import compare_modes
    from .measure import Settings

    def done(number: int) -> None:
        if tell is not None:
            tell(graph.name, number, number / batches)

    init = plan.init[0] if plan.init else ""
    return compare_modes(graph, Settings(1, batch, True, init, images=plan.images), batches, done)
