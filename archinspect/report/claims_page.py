"""`check -o page.html`: a page that a teacher can hand out.

The source's sentences and tables as they are printed, every number marked with its verdict by colour and by word.  Its
derivation shows on hover, tap or keyboard focus; wrong numbers have numbered remarks that are printed, too.  One file,
no script, nothing from elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape
from typing import TYPE_CHECKING

from .. import neutral
from ..check.ledger import Cell, Quote, Section, Table
from ..check.verdicts import MEANING, Judgement
from .claims import computed, derivation, explanation, headline, weightiest
from .claims_style import CSS
from .waterfall import details, signed, whole

if TYPE_CHECKING:
    from ..check.claims import Checked
    from ..check.reconcile import Waterfall

_ORDER = ("slip", "contradiction", "carried", "differs", "cited", "rounded", "exact")


def page(checked: Checked) -> str:
    """The whole page."""
    parts = [part for part in checked.ledgers.parts if part.sections]
    titles = [part.title for part in parts if part.title]
    title = "Errata and checks" + (f": {titles[0]}" if len(titles) == 1 else "")
    writer = _Writer(checked)
    body = "\n".join(writer.section(section) for part in parts for section in part.sections)
    falls = "\n".join(map(_waterfall, checked.waterfalls))
    return neutral.text(f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>
{CSS}
</style>
</head>
<body>
<main>
<h1>{escape(title)}</h1>
<p class="source">{escape(checked.ledgers.source)}</p>
{_summary(checked)}
{body}
{"<h2>From the printed totals to the true ones</h2>" if falls else ""}
{falls}
</main>
</body>
</html>
""")


def _summary(checked: Checked) -> str:
    rows = "".join(
        f'<tr><td class="v-{verdict}">{verdict}</td><td class="right">{checked.counts[verdict]}</td>'
        f"<td>{escape(MEANING[verdict])}</td></tr>"
        for verdict in MEANING
    )
    most = weightiest(checked)
    line = (
        f"<p><strong>What matters most:</strong> {escape('; '.join(map(headline, most)))}.</p>"
        if most
        else ""
    )
    total = f"{len(checked.judgements)} printed numbers, {len(checked.wrong)} of them wrong."
    hint = "Point at a number, or tap it, to see its derivation."
    return f'<p>{total} {hint}</p>\n{line}\n<table class="key">{rows}</table>'


class _Writer:
    """Writes sections and numbers their remarks."""

    def __init__(self, checked: Checked) -> None:
        self.judged = checked.by_id
        self.number = 0
        self.remarks: list[str] = []

    def section(self, section: Section) -> str:
        """A section, or nothing when none of its claims is shown."""
        self.remarks = []
        start = self.number
        items = [item for item in section.items if self._shown(item)]
        if not items:
            return ""
        body = "\n".join(self._table(i) if isinstance(i, Table) else self._quote(i) for i in items)
        heading = escape(f"{section.number} {section.title}".strip() or "Claims")
        notes = ""
        if self.remarks:
            listed = "".join(f"<li>{remark}</li>" for remark in self.remarks)
            notes = f'\n<ol class="remarks" start="{start + 1}">{listed}</ol>'
        return f"<section>\n<h2>{heading}</h2>\n{body}{notes}\n</section>"

    def _shown(self, item: Quote | Table) -> bool:
        if isinstance(item, Quote):
            return any(name in self.judged for name in item.claims)
        return any(name in self.judged for row in item.rows for cell in row for name in cell.claims)

    def _quote(self, quote: Quote) -> str:
        judged = [self.judged[name] for name in quote.claims if name in self.judged]
        if not quote.text:
            listed = "".join(
                f"<li>{escape(j.claim.id)}: {self._number(j, j.claim.stated.text)}</li>" for j in judged
            )
            return f"<ul>{listed}</ul>"
        return f"<blockquote>{self._marked(quote.text, judged)}</blockquote>"

    def _marked(self, text: str, judged: list[Judgement]) -> str:
        """The text with each judged number marked where it stands; equal numbers in the claims' order."""
        places: list[tuple[int, int, Judgement]] = []
        for judgement in judged:
            stated = re.escape(judgement.claim.stated.text.strip())
            for match in re.finditer(rf"(?<![\w,.]){stated}(?![\w])", text, re.IGNORECASE):
                if all(match.end() <= start or match.start() >= end for start, end, _ in places):
                    places.append((match.start(), match.end(), judgement))
                    break
        out, position = [], 0
        for start, end, judgement in sorted(places, key=lambda place: place[0]):
            out += [escape(text[position:start]), self._number(judgement, text[start:end])]
            position = end
        return "".join([*out, escape(text[position:])])

    def _table(self, table: Table) -> str:
        heads = "".join(f'<th scope="col">{escape(title)}</th>' for title in table.columns)
        caption = f"<caption>{escape(table.caption)}</caption>" if table.caption else ""
        rows = "\n".join(f"<tr>{''.join(map(self._cell, row))}</tr>" for row in table.rows)
        return f"<table>{caption}\n<thead><tr>{heads}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n</table>"

    def _cell(self, cell: Cell) -> str:
        judged = [self.judged[name] for name in cell.claims if name in self.judged]
        if not judged:
            return f"<td>{escape(cell.text)}</td>"
        worst = min(judged, key=lambda j: _ORDER.index(_leading(j)))
        return f'<td class="{_class(worst)}">{self._marked(cell.text, judged)}</td>'

    def _number(self, judgement: Judgement, text: str) -> str:
        """A number with its verdict, its derivation to point at, and the number of its remark."""
        mark = ""
        if judgement.wrong:
            self.number += 1
            what = ", ".join(filter(None, [judgement.claim.label, text]))
            self.remarks.append(f"<b>{escape(what)}</b>: {escape(_remark(judgement))}")
            mark = f'<sup>{self.number}</sup><span class="word">{escape(judgement.word)}</span>'
        tip = "".join(f"<span>{escape(line)}</span>" for line in _tip(judgement))
        return (
            f'<span class="n {_class(judgement)}" tabindex="0">{escape(text)}{mark}'
            f'<span class="tip" role="tooltip">{tip}</span></span>'
        )


def _leading(judgement: Judgement) -> str:
    return min(judgement.verdicts, key=_ORDER.index)


def _class(judgement: Judgement) -> str:
    leading = _leading(judgement)
    return "v-refuted" if judgement.refuted else f"v-{leading}"


def _remark(judgement: Judgement) -> str:
    right = f"{computed(judgement)} is right" if judgement.computed is not None else ""
    told = "; ".join(filter(None, [judgement.word, right]))
    source = f" [{judgement.source}]" if judgement.source else ""
    return f"{told}: {explanation(judgement)}{source}"


def _tip(judgement: Judgement) -> Iterator[str]:
    yield judgement.word
    for line in (derivation(judgement), explanation(judgement)):
        if line:
            yield line
    if judgement.computed is not None:
        yield f"computed: {computed(judgement)}"
    if judgement.source:
        yield judgement.source


def _waterfall(made: Waterfall) -> str:
    """A waterfall as a table with bars: each bar from the running sum before to the one after."""
    sums = [made.start]
    for step in made.steps:
        sums.append(sums[-1] + step.amount)
    low, high = min(sums), max(sums)
    # The bars show the changes; they start a little below the lowest sum.
    base = low - (high - low) / 8 if high > low else low - 1
    width = (high - base) or 1

    def bar(a: object, b: object, name: str) -> str:
        first, last = sorted((float(a), float(b)))  # type: ignore[arg-type]
        left = 100 * (first - float(base)) / float(width)
        size = max(0.4, 100 * (last - first) / float(width))
        return f'<td class="bars"><i class="{name}" style="left:{left:.2f}%;width:{size:.2f}%"></i></td>'

    def row(cells: tuple[str, str, str], shape: str, where: str = "", kind: str = "") -> str:
        name, change, total = map(escape, cells)
        detail = f"<small>{escape(where)}</small>" if where else ""
        opening = f'<tr class="{kind}">' if kind else "<tr>"
        numbers = f'<td class="right">{change}</td><td class="right">{total}</td>'
        return f"{opening}<td>{name}{detail}</td>{numbers}{shape}</tr>"

    rows = [row((made.start_label, "", _text(made.start)), bar(base, made.start, "total"), kind="edge")]
    for step, before, after in zip(made.steps, sums, sums[1:], strict=False):
        shape = bar(before, after, "up" if step.amount > 0 else "down")
        rows.append(row((step.name, signed(step.amount), _text(after)), shape, details(step)))
    if made.residue:
        shape = bar(sums[-1], made.end, "down")
        rows.append(row(("not explained", signed(made.residue), _text(made.end)), shape))
    rows.append(row((made.end_label, "", _text(made.end)), bar(base, made.end, "total"), kind="edge"))
    heads = '<th>Step</th><th class="right">Change</th><th class="right">Parameters</th><th></th>'
    return (
        f'<table class="fall"><caption>{escape(made.title)}</caption>\n<thead><tr>{heads}</tr></thead>\n'
        f"<tbody>\n{chr(10).join(rows)}\n</tbody></table>"
    )


def _text(value: object) -> str:
    from fractions import Fraction

    shown = whole(value) if isinstance(value, Fraction) else value
    return f"{shown:,}" if isinstance(shown, int) else str(shown)
