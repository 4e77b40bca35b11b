"""`bottleneck` of a network: what each rewrite would cost or save, site by site and in all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .. import units
from .table import AtLeast, Cell, Cells, Column, Report, Table

if TYPE_CHECKING:
    from ..analysis import Totals
    from ..analysis.receptive_field import Field
    from ..analysis.rewrites import Priced, Substitution

_SITES = (
    Column("site", "Site", "name"),
    Column("before", "Now"),
    Column("after", "Then"),
    Column("params", "Params", "int"),
    Column("macs", "MACs", "int"),
    Column("activation_bytes", "Activations", "bytes", optional=1),
    Column("receptive_field", "Field", optional=2),
)
_FORMS = (
    Column("rewrite", "Form"),
    Column("params", "Params", "int"),
    Column("params_ratio", "Ratio", "ratio"),
    Column("macs", "MACs", "int"),
    Column("macs_ratio", "Ratio", "ratio"),
    Column("activation_bytes", "Activations", "bytes", optional=2),
    Column("peak_activation_bytes", "Peak", "bytes", optional=3),
    Column("depth", "Depth", "int", optional=1),
)


def network(found: Sequence[Substitution], detailed: Sequence[Substitution]) -> Report:
    """All forms of a network side by side, and the sites of those in `detailed`."""
    tables = [_sites(one) for one in detailed if one.failure is None]
    tables.append(_forms(found))

    def document() -> dict[str, object]:
        first = found[0]
        return {
            "model": first.graph.name,
            "input": list(first.graph.input_shape),
            "totals": first.before.totals.to_dict(),
            "counterfactuals": [one.to_dict(sites=one in detailed) for one in found],
        }

    return Report(tuple(tables), document)


def substitution(found: Substitution) -> Report:
    """One rewrite: its sites, and the network before and after."""

    def document() -> dict[str, object]:
        return {
            "model": found.graph.name,
            "input": list(found.graph.input_shape),
            "totals": found.before.totals.to_dict(),
            "rewritten": found.to_dict(),
        }

    return Report((_sites(found), _forms([found])), document)


def _sites(found: Substitution) -> Table:
    rows = tuple(map(_site, found.priced))
    before, after = found.before.totals, found.after.totals
    total = (
        "Together",
        "",
        "",
        after.params - before.params,
        after.macs - before.macs,
        after.activation_bytes - before.activation_bytes,
        "",
    )
    notes = [
        found.rewrite.explanation,
        "Each row is the network with that site alone rewritten, against the network.",
    ]
    if not found.is_additive:
        notes.append("The rows do not add up to the last line: what one site changes, the next one reads.")
    notes.append(f"Source: {found.rewrite.source}.")
    return Table(
        _SITES,
        rows,
        total,
        title=f"{found.graph.name}: {found.rewrite.title[:1].lower()}{found.rewrite.title[1:]}",
        subtitle=f"{_count(found)}; input {units.shape_text(found.graph.input_shape)}",
        notes=tuple(notes),
    )


def _count(found: Substitution) -> str:
    return f"{len(found.sites)} site{'s' * (len(found.sites) != 1)}"


def _site(priced: Priced) -> Cells:
    before, after = (_field(end.receptive_field) for end in (priced.end_before, priced.end_after))
    wide, wider = (end.output_shape[1] for end in (priced.end_before, priced.end_after))
    return (
        priced.site.path,
        priced.site.before,
        priced.site.after + (f", {wide} → {wider} out" if wide != wider else ""),
        priced.params,
        priced.macs,
        priced.activation_bytes,
        before if before == after else f"{before} → {after}",
    )


def _field(field: Field) -> str:
    return "" if field is None else units.shape_text(field) if isinstance(field, tuple) else f"{field:,}"


def _forms(found: Sequence[Substitution]) -> Table:
    first = found[0]
    rows = [_form("as it is", first.before.totals, first.before.totals)]
    made = [one for one in found if one.failure is None]
    rows += [_form(one.rewrite.name, one.after.totals, one.before.totals) for one in made]
    notes = [f"{one.rewrite.name}: {one.rewrite.title} ({_count(one)})." for one in made]
    notes += [
        f"{one.rewrite.name} cannot be built here: at {one.failure.path}, {one.failure.message}."
        for one in found
        if one.failure is not None
    ]
    return Table(
        _FORMS,
        tuple(rows),
        title=f"{first.graph.name} in other forms",
        subtitle="Each is a network of its own; ratios are against the network as it is.",
        notes=tuple(notes),
    )


def _form(name: str, totals: Totals, against: Totals) -> Cells:
    macs: Cell = totals.macs if totals.complete else AtLeast(totals.macs)
    return (
        name,
        totals.params,
        totals.params / against.params if against.params else "",
        macs,
        totals.macs / against.macs if against.macs else "",
        totals.activation_bytes,
        totals.peak_activation_bytes,
        totals.depth,
    )
