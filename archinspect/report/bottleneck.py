"""`bottleneck` of one convolution: both sides with their derivations, what is saved, where the saving ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .. import units
from .table import Cells, Column, Report, Table, Toned

if TYPE_CHECKING:
    from ..analysis import Analysis
    from ..analysis.bottleneck import Bound, Convolution, Reduction

_LAYERS = (
    Column("side", "Side"),
    Column("name", "Layer"),
    Column("output_shape", "Output shape", "shape", optional=1),
    Column("params", "Params", "int"),
    Column("macs", "MACs", "int"),
    Column("activation_bytes", "Activations", "bytes"),
    Column("params_derivation", "Params from", "formula"),
    Column("macs_derivation", "MACs from", "formula"),
)
_SAVING = (
    Column("what", "What"),
    Column("direct", "Direct", "int"),
    Column("reduced", "Reduced", "int"),
    Column("saved", "Saved", "int"),
    Column("ratio", "Times fewer", "ratio"),
)
_CURVE = (
    Column("reduce", "Reduced to", "int"),
    Column("params", "Params", "int"),
    Column("params_ratio", "Times fewer", "ratio"),
    Column("macs", "MACs", "int"),
    Column("macs_ratio", "Times fewer", "ratio"),
    Column("activation_bytes", "Activations", "bytes"),
    Column("verdict", "Verdict"),
)


def reduction(found: Reduction) -> Report:
    """One width: the layers of both sides, the saving, the break-even."""
    rows = (*_side("direct", found.before), *_side("reduced", found.after))
    layers = Table(
        _LAYERS, rows, title=title(found.convolution), subtitle=f"Reduced to {found.width} channels"
    )
    direct, reduced = found.direct, found.reduced
    saving = Table(
        _SAVING,
        (
            ("Params", direct.params, reduced.params, direct.params - reduced.params, found.params_ratio),
            ("MACs", direct.macs, reduced.macs, direct.macs - reduced.macs, found.macs_ratio),
        ),
        title="What the reduction saves",
        notes=(
            f"Its output takes {units.binary_bytes(found.extra_activation_bytes)} more of activations: "
            f"{units.binary_bytes(reduced.activation_bytes)} instead of {units.binary_bytes(direct.activation_bytes)}"
            f" in fp32.",
            *break_even(found.convolution),
        ),
    )
    return Report((layers, saving), found.to_dict)


def curve(convolution: Convolution, found: Sequence[Reduction]) -> Report:
    """Several widths, one a row."""
    direct = found[0].direct
    rows = tuple(
        (
            one.width,
            one.reduced.params,
            one.params_ratio,
            one.reduced.macs,
            one.macs_ratio,
            one.reduced.activation_bytes,
            _verdict(one),
        )
        for one in found
    )
    table = Table(
        _CURVE,
        rows,
        title=title(convolution),
        subtitle=f"Directly: {direct.params:,} parameters, {direct.macs:,} MACs, "
        f"{units.binary_bytes(direct.activation_bytes)} of activations",
        notes=tuple(break_even(convolution)),
    )

    def document() -> dict[str, object]:
        first = found[0].to_dict()
        kept = {key: first[key] for key in ("input", "convolution", "direct", "break_even", "break_even_by")}
        points = [one.to_dict() for one in found]
        return {
            **kept,
            "curve": [{key: point[key] for key in ("reduce", "reduced", "saving")} for point in points],
        }

    return Report((table,), document)


def break_even(convolution: Convolution) -> list[str]:
    """Where the saving ends, by formula, and what both sides are on either side of it."""
    found = convolution.break_even
    lines = [_bound("parameters", found.params)]
    if convolution.direct.rows[0].output_shape[2:] == convolution.input_shape[2:] and not convolution.op.bias:
        lines[0] = _bound("parameters, and MACs alike", found.params)
    else:
        lines.append(_bound("MACs", found.macs))
    return lines + _checked(convolution)


def _bound(what: str, bound: Bound) -> str:
    quotient = (
        f"{bound.numerator:,}/{bound.denominator:,} = {units.fixed(bound.numerator, bound.denominator)}"
    )
    ends = f"{bound.width:,} is the widest that saves" if bound.width else "no width saves"
    return f"Break-even in {what}: r < {bound.formula} = {quotient}, so that {ends}."


def _checked(convolution: Convolution) -> list[str]:
    """Both sides computed at the break-even and one step beyond it."""
    lines = []
    direct = convolution.at(convolution.op.groups).direct
    for what, bound in (("params", convolution.break_even.params), ("macs", convolution.break_even.macs)):
        there = [convolution.at(w) for w in (bound.width, bound.width + convolution.op.groups) if w]
        sides = [
            f"{getattr(one.reduced, what):,} {_sign(getattr(one.reduced, what), getattr(direct, what))} "
            f"{getattr(direct, what):,} at {one.width}"
            for one in there
        ]
        lines.append(f"Computed, {'parameters' if what == 'params' else 'MACs'}: {', '.join(sides)}.")
    return lines


def _sign(one: int, other: int) -> str:
    return "<" if one < other else "=" if one == other else ">"


def _verdict(one: Reduction) -> Toned:
    params, macs = one.reduced.params < one.direct.params, one.reduced.macs < one.direct.macs
    if params and macs:
        return Toned("saves", "good")
    if params or macs:
        return Toned(f"{'params' if params else 'MACs'} only", "fair")
    return Toned("costs", "bad")


def _side(side: str, analysis: Analysis) -> list[Cells]:
    rows: list[Cells] = [
        (
            side,
            row.name,
            row.output_shape,
            row.params,
            row.macs,
            row.activation_bytes,
            f"{row.derivations['params']} = {row.params:,}",
            f"{row.derivations['macs']} = {row.macs:,}",
        )
        for row in analysis.rows
    ]
    if len(rows) > 1:
        totals = analysis.totals
        parts = [" + ".join(f"{getattr(row, key):,}" for row in analysis.rows) for key in ("params", "macs")]
        rows.append(
            (
                side,
                "both",
                analysis.rows[-1].output_shape,
                totals.params,
                totals.macs,
                totals.activation_bytes,
                f"{parts[0]} = {totals.params:,}",
                f"{parts[1]} = {totals.macs:,}",
            )
        )
    return rows


def title(convolution: Convolution) -> str:
    """`A 5×5 convolution, 256 → 128 channels, on 32×32`."""
    op, shape = convolution.op, convolution.input_shape
    kernel = "×".join(map(str, op.kernel_size))
    groups = f" in {op.groups} groups" if op.groups > 1 else ""
    return (
        f"A {kernel} convolution{groups}, {shape[1]} → {op.out_channels} channels, on {shape[2]}×{shape[3]}"
    )
