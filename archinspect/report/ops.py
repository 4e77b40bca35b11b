"""`ops`: the catalogue of layer types, and the page of one of them."""

from __future__ import annotations

from typing import Any

from .. import units
from ..ops import REGISTRY, Attribute, Op, Shapes
from ..ops.base import CATEGORIES
from ..ops.reference import figures, paragraphs, signature
from .table import Cell, Column, Report, Table


def catalogue() -> Report:
    """All layer types by category, one line each."""
    types = sorted(REGISTRY, key=lambda name: (CATEGORIES.index(REGISTRY[name].category), name))
    columns = (
        Column("op", "Op", "name"),
        Column("category", "Category"),
        Column("doc", "What it does", "detail"),
    )
    rows = tuple((name, REGISTRY[name].category, _first_sentence(REGISTRY[name])) for name in types)
    notes = ("archinspect ops NAME documents one of them.",)
    return Report(
        (Table(columns, rows, notes=notes),),
        lambda: {"ops": [_record(REGISTRY[name]) for name in types]},
    )


def page(op: type[Op]) -> Report:
    """Everything about one layer type: attributes, and its figures on a sample with their derivations."""
    columns = (
        Column("attribute", "Attribute", "name"),
        Column("default", "Default"),
        Column("doc", "Meaning", "detail"),
    )
    rows = tuple((a.name, _default(a), f"{a.doc} [{a.kind.schema}]") for a in op.attributes)
    first, *rest = paragraphs(op)
    tables = [Table(columns, rows, title=signature(op), subtitle=first, notes=tuple(rest))]
    tables += [_sample(op, attributes, inputs) for attributes, inputs in op.samples[:1]]
    return Report(tuple(tables), lambda: _record(op))


def _sample(op: type[Op], attributes: dict[str, Any], inputs: Shapes) -> Table:
    rows: tuple[tuple[Cell, ...], ...] = tuple(figures(op, attributes, inputs))
    columns = (Column("figure", "Figure"), Column("value", "Derivation", "formula"))
    shapes = ", ".join(map(units.shape_text, inputs))
    return Table(columns, rows, title=f"{op.of(**attributes)} on {shapes}")


def _record(op: type[Op]) -> dict[str, Any]:
    return {
        "op": op.type,
        "category": op.category,
        "doc": " ".join((op.__doc__ or "").split()),
        "signature": signature(op),
        "attributes": [
            {
                "name": a.name,
                "values": a.kind.schema,
                "required": a.required,
                "default": None if a.required else a.default,
                "doc": a.doc,
            }
            for a in op.attributes
        ],
    }


def _first_sentence(op: type[Op]) -> str:
    paragraph = " ".join((op.__doc__ or "").strip().partition("\n\n")[0].split())
    return paragraph.partition(". ")[0].rstrip(".") + "."


def _default(attribute: Attribute) -> str:
    return "required" if attribute.required else attribute.show(attribute.default)
