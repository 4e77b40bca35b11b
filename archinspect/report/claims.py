"""`check`: judged claims as tables, one for each section of their source, and their counts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from ..check.printed import show
from ..check.verdicts import MEANING
from .table import Cells, Column, Report, Table, Tone, Toned
from .waterfall import waterfalls

if TYPE_CHECKING:
    from ..check.claims import Checked
    from ..check.verdicts import Judgement

_COLUMNS = (
    Column("claim", "Claim"),
    Column("quantity", "Quantity", optional=1),
    Column("stated", "Printed"),
    Column("computed", "Computed"),
    Column("verdict", "Verdict"),
    Column("cause", "Cause", "detail"),
)
_FLAT = tuple(
    Column(key, key)
    for key in (
        "id",
        "section",
        "quote",
        "model",
        "quantity",
        "stated",
        "formula",
        "formula_value",
        "computed",
        "verdicts",
        "wrong",
        "cause",
        "source",
    )
)
_WIDEST = 44  # characters of a sentence that stand for it
_MOST = 3  # errors named in the last line


def claims(checked: Checked) -> Report:
    """A table per section, the counts per verdict, and the errors that matter most."""
    tables = [_section(number, found) for number, found in by_section(checked.judgements).items()]
    return Report((*tables, _counts(checked)), checked.to_dict)


def flat(checked: Checked) -> Report:
    """All claims in one table, for spreadsheets."""
    return Report((Table(_FLAT, tuple(map(_record, checked.judgements)), listed="claims"),), checked.to_dict)


def chosen(checked: Checked) -> Report:
    """All claims in one table, to be sorted and filtered."""
    columns = (Column("id", "Id", "name"), Column("section", "Section"), *_COLUMNS)
    rows = tuple((j.claim.id, j.claim.section, *_row(j)) for j in checked.judgements)
    return Report((Table(columns, rows, title="Claims", listed="claims"),), checked.to_dict)


def reconciliation(checked: Checked) -> Report:
    """Only the waterfalls."""
    made = waterfalls(checked.waterfalls)
    shown = made or (_agreeing(checked),)
    return Report(shown, lambda: {"waterfalls": [_waterfall_record(table) for table in made]})


def _agreeing(checked: Checked) -> Table:
    """What stands in print where there is nothing to reconcile."""
    counted = [j for j in checked.judgements if j.claim.quantity == "params" and not j.wrong]
    notes = ("There is nothing to reconcile: no printed number of parameters leads to another total.",)
    if not counted:
        return replace(_counts(checked), title="Reconciliation", notes=notes)
    return Table(_COLUMNS[:-1], tuple(_row(j)[:-1] for j in counted), title="Reconciliation", notes=notes)


def by_section(judgements: Iterable[Judgement]) -> dict[str, list[Judgement]]:
    found: dict[str, list[Judgement]] = {}
    for judgement in judgements:
        found.setdefault(judgement.claim.section, []).append(judgement)
    return found


def _section(number: str, judgements: list[Judgement]) -> Table:
    title = f"Section {number}" if number else "Claims"
    wrong = sum(judgement.wrong for judgement in judgements)
    subtitle = f"{_counted(len(judgements))}, " + (f"{wrong} wrong" if wrong else "all right")
    return Table(_COLUMNS, tuple(map(_row, judgements)), title=title, subtitle=subtitle)


def _counted(claims: int) -> str:
    return "1 claim" if claims == 1 else f"{claims} claims"


def _row(judgement: Judgement) -> Cells:
    claim = judgement.claim
    return (
        what(judgement),
        claim.quantity.replace("_", " "),
        claim.stated.text.strip(),
        computed(judgement),
        Toned(judgement.word, tone(judgement)),
        explanation(judgement),
    )


def what(judgement: Judgement) -> str:
    """What the claim speaks of, in a few words."""
    claim = judgement.claim
    if claim.label and not claim.table:
        return f"{claim.label} ({claim.stated.text.strip()})"
    text = claim.label or claim.quote or claim.id
    if claim.label and len(claim.layers) == 1 and _plain(claim.layers[0]) != _plain(claim.label):
        layer = claim.layers[0]
        text = text if layer.startswith("?") else f"{text} ({layer})"
    if len(text) <= _WIDEST:
        return text
    place = max(0, text.find(claim.stated.text.strip()) - _WIDEST // 2)
    part = text[place : place + _WIDEST].strip()
    return f"{'…' if place else ''}{part}{'…' if place + _WIDEST < len(text) else ''}"


def _plain(name: str) -> str:
    """A name without what is written in several ways: `Conv 1` as conv1."""
    return "".join(filter(str.isalnum, name.lower()))


def computed(judgement: Judgement) -> str:
    """The figure that the number is held against, in the printed form."""
    value = judgement.computed
    if value is None:
        return "—"
    if isinstance(value, tuple):
        truth = judgement.evidence.truth
        if truth is not None and truth.words:
            return truth.text
        joined = " or " if truth is not None and truth.mixed else "×"
        if judgement.claim.stated.form == "sequence":
            return _sequence(value, judgement.claim.stated.text)
        return joined.join(map(str, value))
    if judgement.claim.quantity.endswith("year"):
        return str(value)
    if judgement.claim.quantity.endswith("_bytes") and judgement.claim.stated.scales[0] > 1:
        stated = judgement.claim.stated
        return f"{show(value / stated.meant(value))} {stated.unit}"
    unit = judgement.claim.stated.unit if judgement.claim.stated.unit == "%" else ""
    return show(value) + unit


def _sequence(value: tuple[int, ...], text: str) -> str:
    """`192 → 96`, or `1×1 → 3×3` where the printed sequence has as many figures in each member."""
    members = text.count("→") + 1
    size = len(value) // members if len(value) % members == 0 else 1
    parts = [value[i : i + size] for i in range(0, len(value), size)]
    return " → ".join("×".join(map(str, part)) for part in parts)


def explanation(judgement: Judgement) -> str:
    """The cause of what is wrong, or a remark on what is right."""
    failed = derivation(judgement) if "slip" in judgement.verdicts else ""
    return "; ".join(filter(None, [failed, judgement.cause, *judgement.notes]))


def derivation(judgement: Judgement) -> str:
    """`(3×3×64×128) + 128 = 73,856`: the printed derivation with its true value."""
    value = judgement.formula_value
    return f"{judgement.claim.formula} = {show(value)}" if value is not None else ""


def tone(judgement: Judgement) -> Tone:
    if judgement.wrong:
        return "bad"
    unsure = judgement.verdicts == ("cited",) and judgement.refuted is None
    return "fair" if unsure or judgement.verdicts == ("rounded",) else "good"


def _counts(checked: Checked) -> Table:
    columns = (
        Column("verdict", "Verdict"),
        Column("claims", "Claims", "int"),
        Column("meaning", "Meaning", "detail"),
    )
    rows = tuple((verdict, checked.counts[verdict], MEANING[verdict]) for verdict in MEANING)
    total = len(checked.judgements)
    notes = [f"{_counted(total)}, {len(checked.wrong)} of them wrong.  A claim can bear several verdicts."]
    most = weightiest(checked)
    notes += [f"Explains several numbers: {shared.words}." for shared in checked.shared]
    if most:
        notes.append("What matters most: " + "; ".join(map(headline, most)) + ".")
    return Table(columns, rows, title="Verdicts", notes=tuple(notes))


def weightiest(checked: Checked) -> list[Judgement]:
    """The errors that are no part of another wrong sum and repeat no other number, farthest off first."""
    parts = {m.id for j in checked.wrong for related in j.evidence.related for m in related.members}
    found: dict[tuple[str, str], Judgement] = {}
    for judgement in sorted(checked.wrong, key=lambda j: -(deviation(j) or 0)):
        repeats = judgement.claim.same and "contradiction" not in judgement.verdicts
        if deviation(judgement) and judgement.claim.id not in parts and not repeats:
            found.setdefault((judgement.claim.model, judgement.claim.stated.text), judgement)
    return list(found.values())[:_MOST]


def deviation(judgement: Judgement) -> float | None:
    """How far a printed count is off, relative to the computed one."""
    value, stated = judgement.computed, judgement.claim.stated
    if value is None or isinstance(value, tuple) or stated.form != "number" or not value:
        return None
    if judgement.claim.subject:
        return None
    return float(abs(stated.value - value) / value)


def headline(judgement: Judgement) -> str:
    """`section 4.3 prints 102,400 for 204,800 (slip)`."""
    claim = judgement.claim
    where = f"section {claim.section}" if claim.section else claim.id
    return f"{where} prints {claim.stated.text.strip()} for {computed(judgement)} ({', '.join(judgement.verdicts)})"


def _record(judgement: Judgement) -> Cells:
    claim = judgement.claim
    value = judgement.formula_value
    return (
        claim.id,
        claim.section,
        claim.quote,
        claim.model or claim.subject,
        claim.quantity,
        claim.stated.text.strip(),
        claim.formula,
        "" if value is None else show(value).replace(",", ""),
        "" if judgement.computed is None else computed(judgement).replace(",", ""),
        " + ".join(judgement.verdicts),
        "yes" if judgement.wrong else "no",
        judgement.cause,
        judgement.source,
    )


def _waterfall_record(table: Table) -> dict[str, object]:
    return {
        "title": table.title,
        "steps": [
            {column.key: cell for column, cell in zip(table.columns, row, strict=True) if cell != ""}
            for row in table.rows
        ],
    }
