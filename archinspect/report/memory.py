"""`memory`: what a pass or a training step holds, as a waterfall, layer by layer, and over the time of the step."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import TYPE_CHECKING

from .. import units
from ..plot import Axis, Chart, Line, Point, Points
from .layers import _some, _title
from .table import AtLeast, Cell, Cells, Column, Report, Table

if TYPE_CHECKING:
    from ..analysis.plan import Memory, Suggestion

_FEW_LABELS = 6


def memory_report(found: Memory) -> Report:
    """The waterfall, what makes it fit, and the layers."""
    folded = found if found.depth is None else found.fold(found.depth)
    fit = found.fit
    suggested = [_suggestions(fit.suggestions)] if fit is not None and fit.suggestions else []
    return Report((_waterfall(found), *suggested, _layers(folded)), found.document)


def _waterfall(found: Memory) -> Table:
    totals, plan = found.totals, found.plan
    least = "at least " if found.step.unknown else ""
    running = 0
    rows: list[Cells] = []

    def add(part: str, size: int, words: str) -> None:
        nonlocal running
        running += size
        if size or part == "Weights":
            rows.append((part, size, running, words))

    add("Weights", totals["weight_bytes"], f"{totals['params']:,} parameters in {found.dtype}")
    add("Buffers", totals["buffer_bytes"], "running statistics and other tensors that are saved, not learnt")
    if plan.train:
        master = totals["master_bytes"]
        words = f"for {totals['trainable']:,} trained parameters"
        if master:
            words += f"; {units.binary_bytes(master)} of it copies of the weights in fp32"
        add("Optimiser state", totals["optimizer_bytes"], words)
    if found.cache is not None:
        add(
            "KV cache", found.cache.bytes(found.batch), f"{found.cache.context:,} tokens, batch {found.batch}"
        )
    rest = totals["peak_bytes"] - running
    if plan.train:
        words = (
            f"saved activations {least}{units.binary_bytes(totals['saved_bytes'])}, gradients "
            f"{units.binary_bytes(totals['gradient_bytes'])} when all are there, and temporaries"
        )
        add("Alive at the peak", rest, words)
    else:
        add("Activations", rest, "input, activations and temporaries alive at the peak")
    at = totals["peak_at"]
    peak = AtLeast(totals["peak_bytes"]) if found.step.unknown else totals["peak_bytes"]
    total: Cells = ("Peak", peak, peak, f"{totals['peak_phase']} pass, at {at}")
    if totals["peak_phase"] == "optimizer":
        total = (*total[:3], "in the optimiser's step")
    columns = (
        Column("part", "Part"),
        Column("bytes", "Memory", "bytes"),
        Column("sum", "Sum", "bytes"),
        Column("what", "What", "detail"),
    )
    return Table(columns, tuple(rows), total, _title(found.graph), _subtitle(found), tuple(_notes(found)))


def _subtitle(found: Memory) -> str:
    plan = found.plan
    parts = [f"Batch {found.batch}", found.dtype]
    parts.append(f"training with {_optimizer(plan.train)}" if plan.train else "inference")
    if plan.freeze:
        parts.append(f"{', '.join(plan.freeze)} frozen")
    if plan.lora:
        parts.append(f"adapters of rank {plan.lora}")
    if found.checkpointed:
        parts.append(f"{len(found.checkpointed)} scopes checkpointed")
    if plan.attention:
        parts.append(f"{plan.attention} attention")
    return ", ".join(parts)


def _optimizer(train: str | None) -> str:
    from ..analysis.step import OPTIMIZERS

    return OPTIMIZERS[train].title if train else ""


def _notes(found: Memory) -> list[str]:
    totals, plan = found.totals, found.plan
    notes = []
    fit = found.fit
    if fit is not None:
        size = units.binary_bytes(fit.bytes)
        if fit.batch:
            most = " at most" if found.step.unknown else ""
            notes.append(f"Fits into {size}: a batch of {fit.batch:,}{most}.")
        else:
            notes.append(f"Does not fit into {size} even at batch 1.")
    if plan.train:
        forward, backward = totals["forward_macs"], totals["backward_macs"]
        again = totals["recomputed_macs"]
        words = (
            f"Work of a step: forward {units.si(forward, 'MACs')}, backward {units.si(backward, 'MACs')} "
            f"(inputs {units.si(totals['input_gradient_macs'])}, weights {units.si(totals['weight_gradient_macs'])})"
        )
        if again:
            words += f", computed again {units.si(again, 'MACs')}"
        ratio = units.ratio(totals["step_macs"] / forward) if forward else "–"
        notes.append(f"{words}; {ratio} the forward pass, where the rule of thumb says 3×.")
        notes.append(
            f"Parameters: {totals['trainable']:,} trained, {totals['frozen']:,} frozen. The loss is not part of it."
        )
    statistics = found.frozen_statistics
    if statistics:
        notes.append(
            f"Frozen, and changed all the same: the running statistics of {len(statistics)} batch normalisations "
            f"({_some(statistics)}). In training mode they follow the new data; call eval() on these layers."
        )
    if "active_params" in totals:
        notes.append(f"Experts: a token uses {totals['active_params']:,} of {totals['params']:,} parameters.")
    if found.cache is not None:
        cache = found.cache.to_dict(found.batch)
        kinds = [
            f"{cache[f'{kind}_layers']} {kind}"
            for kind in ("full", "sliding", "other")
            if cache[f"{kind}_layers"]
        ]
        notes.append(
            f"KV cache: layers {', '.join(kinds)}; {units.binary_bytes(cache['bytes_per_token'])} for each token that "
            "all layers keep."
        )
        if cache["decode_macs"] is not None:
            notes.append(
                f"Prefill of {cache['context']:,} tokens: {units.si(cache['prefill_macs'], 'MACs')}. The next token: "
                f"{units.si(cache['decode_macs'], 'MACs')}, {units.binary_bytes(cache['decode_bytes'])} read."
            )
    if plan.precision is not None and plan.precision.quantised:
        notes.append(f"{plan.dtype}: matrices are packed, their scales not counted; all else in 16 bits.")
    rounding = units.binary_bytes(totals["rounding_bytes"])
    notes.append(
        f"Not part of the peak: rounding up to 512 bytes a tensor (CUDA), {rounding} for weights, state and what is "
        "saved; workspaces inside kernels; what a framework takes for itself."
    )
    if found.step.unknown:
        types = tuple(dict.fromkeys(found.step.unknown.values()))
        notes.append(f"No rule of memory for: {_some(types)}; what these keep is not counted.")
    return notes


def _layers(found: Memory) -> Table:
    train = found.plan.train is not None
    columns = [Column("name", "Layer", "name"), Column("op", "Type", optional=-1)]
    columns += [Column("params", "Params", "int"), Column("weight_bytes", "Weights", "bytes")]
    if train:
        columns += [
            Column("trainable", "Trained", "int", optional=1),
            Column("gradient_bytes", "Gradients", "bytes"),
            Column("optimizer_bytes", "Optimiser", "bytes"),
            Column("saved_bytes", "Saved", "bytes"),
        ]
    columns += [Column("temporary_bytes", "Temporary", "bytes", optional=2)]
    columns += [Column("forward_macs", "MACs", "int", optional=3)]
    if train:
        columns += [Column("backward_macs", "Backward MACs", "int", optional=4)]
    rows = [tuple([getattr(row, column.key) for column in columns]) for row in found.rows]
    totals = found.totals
    total: list[Cell] = []
    for column in columns:
        if column.key in ("saved_bytes", "forward_macs") and None in map(attrgetter(column.key), found.rows):
            total.append(AtLeast(totals[column.key]))
        else:
            total.append(
                {"name": "Total", "op": "", "temporary_bytes": ""}.get(column.key, totals.get(column.key))
            )
    note = "Saved: what autograd keeps, each storage once, at the first layer that keeps it." if train else ""
    notes = (note,) if note else ()
    return Table(tuple(columns), tuple(rows), tuple(total), "Layer by layer", notes=notes, listed="rows")


def _suggestions(found: Sequence[Suggestion]) -> Table:
    columns = (
        Column("change", "Change"),
        Column("peak_bytes", "Peak", "bytes"),
        Column("fits", "Fits"),
        Column("step_macs", "MACs of a step", "int"),
    )
    rows = tuple(
        [
            (
                each.words,
                each.memory.peak_bytes,
                "yes" if each.fits else "no",
                each.memory.totals["step_macs"],
            )
            for each in found
        ]
    )
    return Table(columns, rows, None, "What makes it fit")


def memory_charts(found: Memory) -> list[Chart]:
    """Memory over the step: up in the forward pass, down in the backward, with the layers where most is alive."""
    moments = found.step.moments
    cache = found.peak_bytes - found.peak.bytes
    series: list[Line | Points] = []
    start = 0
    for phase, colour in (("forward", 0), ("backward", 1), ("optimizer", 2)):
        part = [(at, moment) for at, moment in enumerate(moments) if moment.phase == phase]
        if not part:
            continue
        points = tuple(
            Point(at, moment.bytes + cache, title=f"{moment.name or phase}: {moment.bytes + cache:,} bytes")
            for at, moment in part
        )
        start += len(points)
        series.append(Line(phase, points, colour, markers=len(points) == 1))
    series.append(Points("", _labels(found, cache), 3))
    base = sum(row.weight_bytes + row.buffer_bytes + row.optimizer_bytes for row in found.rows) + cache
    held = f"weights and state: {units.binary_bytes(base)}"
    series.append(
        Line(held, (Point(0, base), Point(len(moments) - 1 or 1, base)), 4, dashed=True, markers=False)
    )
    return [
        Chart(
            f"Memory of {found.model} over {'a training step' if found.plan.train else 'a forward pass'}",
            Axis("calls, in the order in which they run"),
            Axis("bytes alive", low=0, show=lambda value: units.binary_bytes(round(value))),
            tuple(series),
            subtitle=f"{_subtitle(found)}; peak {units.binary_bytes(found.peak_bytes)}",
        )
    ]


def _labels(found: Memory, cache: int) -> tuple[Point, ...]:
    """The peak, and the layers whose calls take most on top of the one before."""
    moments = found.step.moments
    peak = max(range(len(moments)), key=lambda at: moments[at].bytes)
    steps = sorted(
        range(1, len(moments)), key=lambda at: moments[at].bytes - moments[at - 1].bytes, reverse=True
    )
    marked = list(dict.fromkeys([peak, *steps]))[:_FEW_LABELS]
    return tuple(
        Point(
            at,
            moments[at].bytes + cache,
            (f"peak: {moments[at].name or 'optimiser'}" if at == peak else moments[at].name),
            f"{moments[at].name}: {moments[at].bytes + cache:,} bytes",
            5.0 if at == peak else 3.5,
            2.0 if at == peak else 1.0,
        )
        for at in sorted(marked)
    )
