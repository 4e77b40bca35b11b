"""`check`: judge the numbers that a lecture, or a table of one's own, prints."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ...check.claims import check as judge_claims
from ...check.verdicts import MEANING
from ...errors import EXIT_FAILED
from ...report.claims import claims as claims_report
from ...report.claims import flat, reconciliation
from ..options import Format, Output
from ..output import chosen_format, emit, emit_text


def check(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME]...",
            help="Only claims about these networks or layers, in these sections (4.3.4), or with these ids.",
            show_default=False,
        ),
    ] = None,
    claims: Annotated[
        list[Path] | None,
        typer.Option("--claims", metavar="FILE", help="Judge this file of claims instead of the lecture's."),
    ] = None,
    only: Annotated[
        str | None,
        typer.Option(metavar="VERDICT,...", help=f"Show only these: {', '.join(MEANING)}; or wrong."),
    ] = None,
    reconcile: Annotated[
        bool, typer.Option("--reconcile", help="Show how printed totals lead to the network's, step by step.")
    ] = False,
    errata: Annotated[
        bool, typer.Option("--errata", help="Write the page of errata, in Markdown: what is wrong, and why.")
    ] = False,
    exit_zero: Annotated[
        bool, typer.Option("--exit-zero", help="Exit with 0 even if a claim is wrong.")
    ] = False,
    format: Format = None,
    output: Output = None,
) -> int:
    """Judge every number that the lecture prints, and say why.

    Each number is held against its own derivation, the other printed numbers, the network's graph and published
    figures.  Exits with 1 when a claim is wrong.
    """
    words = [word.strip() for word in (only or "").split(",") if word.strip()]
    found = judge_claims(names or (), claims=claims or (), only=words, waterfalls=True)
    wanted = chosen_format(format, output)
    if errata:
        from ...report.claims_errata import errata as errata_page

        emit_text(errata_page(found), output)
    elif reconcile:
        emit(reconciliation(found), format, output)
    elif wanted == "html":
        from ...report.claims_page import page

        emit_text(page(found), output)
    else:
        emit((flat if wanted == "csv" else claims_report)(found), format, output)
    return EXIT_FAILED if found.wrong and not exit_zero else 0
