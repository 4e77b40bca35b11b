"""`check --errata`: the page of errata in Markdown, ready to stand in documentation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import neutral
from ..check.verdicts import MEANING
from .claims import by_section, computed, explanation, headline, weightiest, what
from .formats import render
from .table import Column, Report, Table
from .waterfall import waterfalls

if TYPE_CHECKING:
    from ..check.claims import Checked
    from ..check.verdicts import Judgement

_COLUMNS = (
    Column("claim", "Where"),
    Column("stated", "Printed"),
    Column("computed", "Should be"),
    Column("verdict", "Verdict"),
    Column("cause", "Why", "detail"),
)


def errata(checked: Checked) -> str:
    """What is wrong, section by section, and the reconciliations."""
    blocks = [
        "# Errata",
        "Written by `archinspect check --errata`; do not edit.",
        f"Source: {checked.ledgers.source}.",
        f"{len(checked.judgements)} printed numbers were judged; {len(checked.wrong)} are wrong.",
    ]
    most = weightiest(checked)
    if most:
        blocks.append("What matters most:\n\n" + "\n".join(f"- {headline(judgement)}" for judgement in most))
    counted = [f"{verdict} {checked.counts[verdict]} ({MEANING[verdict]})" for verdict in MEANING]
    blocks.append("Verdicts: " + "; ".join(counted) + ". A number can bear several.")
    for number, found in by_section(checked.wrong).items():
        titles = [s.title for part in checked.ledgers.parts for s in part.sections if s.number == number]
        blocks.append(f"## {number} {titles[0] if titles else ''}".rstrip())
        blocks.append(_table(found))
    if checked.waterfalls:
        blocks.append("## From the printed totals to the true ones")
        blocks.append(render(Report(waterfalls(checked.waterfalls)), "markdown").strip())
    return neutral.text("\n\n".join(blocks)) + "\n"


def _table(found: list[Judgement]) -> str:
    rows = tuple((what(j), j.claim.stated.text.strip(), computed(j), j.word, explanation(j)) for j in found)
    return render(Table(_COLUMNS, rows), "markdown").strip()
