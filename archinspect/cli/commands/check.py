"""`check`: judge the numbers that a lecture, or a table of one's own, prints."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...check.align import ledger_of
from ...check.claims import MAX_TABLE, table_text
from ...check.claims import check as judge_claims
from ...check.verdicts import MEANING
from ...errors import EXIT_FAILED, fail
from ...files import read_standard_input
from ...report.claims import chosen, flat, reconciliation
from ...report.claims import claims as claims_report
from ..options import Format, Output
from ..output import chosen_format, emit, emit_text, say
from ..views import View, with_view

if TYPE_CHECKING:
    from ...check.claims import Checked
    from ...report import Report


@with_view
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
        typer.Option(
            "--claims",
            metavar="FILE",
            help="Judge this file instead of the lecture: claims in YAML, or a table in another form.",
        ),
    ] = None,
    paste: Annotated[
        bool,
        typer.Option(
            "--paste", help="Judge a table that is pasted into standard input, in any of these forms."
        ),
    ] = False,
    model: Annotated[
        str | None,
        typer.Option("--model", metavar="MODEL", help="The network of a pasted table, if it does not say."),
    ] = None,
    only: Annotated[
        str | None,
        typer.Option(
            metavar="PATTERN",
            help=f"Show these claims only: a verdict ({', '.join(MEANING)}), wrong, or a column's (quantity:params).",
        ),
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
    *,
    view: View,
    format: Format = None,
    output: Output = None,
) -> int:
    """Judge each number that a lecture or table prints, and say why.

    Without --claims or --paste the lecture that ships is judged (6CS012, Lecture 06, sections 4.1 to 4.5).  Each number
    is held against its own derivation, the other printed numbers, the network's graph and published figures.
    With `-o FILE.yaml` what was understood of a table is written as a ledger, for editing.
    Exits with 1 when a claim is wrong.
    """
    words = [word.strip() for word in (only or "").split(",") if word.strip()]
    patterns = tuple(word for word in words if ":" in word or "*" in word)
    view = view._replace(only=patterns)
    words = [word for word in words if word not in patterns]
    pasted = read_standard_input(MAX_TABLE) if paste else None
    if output is not None and str(output).endswith((".yaml", ".yml")):
        return _write_ledger(claims or (), pasted, model, output)
    found = judge_claims(
        names or (), claims=claims or (), pasted=pasted, model=model or "", only=words, waterfalls=True
    )
    for line in found.left_out:
        say(f"not aligned, so not judged: {line}")
    wanted = chosen_format(format, output)
    if wanted == "table" and not (names or claims or paste or errata or reconcile):
        source = found.ledgers.parts[0].source
        say(f"the lecture that ships: {source}; --claims FILE and --paste judge a table of yours")
    if errata:
        from ...report.claims_errata import errata as errata_page

        emit_text(errata_page(found), output)
    elif reconcile:
        emit(reconciliation(found), format, output, view)
    elif wanted == "html":
        from ...report.claims_page import page

        emit_text(page(found), output)
    else:
        emit(_report(wanted, view)(found), format, output, view)
    return EXIT_FAILED if found.wrong and not exit_zero else 0


def _report(format: str, view: View) -> Callable[[Checked], Report]:
    """The claims in sections; in one table for spreadsheets, and where some are to be chosen."""
    if format in ("csv", "tsv"):
        return flat
    return claims_report if view.is_plain else chosen


def _write_ledger(claims: Sequence[Path], pasted: str | None, model: str | None, output: str) -> int:
    """Write what was understood of a pasted table, as a ledger to be edited."""
    text = table_text(claims[0]) if claims and pasted is None else pasted
    if text is None:
        raise fail(
            "A403", "a ledger is written of a pasted table", help="give --paste, or --claims with a table"
        )
    aligned = ledger_of(text, model=model or "", source=claims[0].name if claims else "a pasted table")
    for line in aligned.left_out:
        say(f"not aligned, so left out: {line}")
    emit_text(aligned.text, output)
    return 0
