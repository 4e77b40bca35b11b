"""The ledger holds every number of the lecture's sections 4.1 to 4.5, in the words of the lecture."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from archinspect.check.ledger import Ledgers, Quote, Section, Table
from archinspect.check.reading import lecture
from tests.support import ROOT

EXCERPT = (
    Path(__file__).parent / "lecture-06-section-4.txt"
)  # sections 4.1 to 4.5, as the lecture prints them
HEADING = re.compile(r"4\.[1-5](?:\.\d)* ")
WORDS = ("two", "three")  # numerals in words that state something countable


@pytest.fixture(scope="module")
def ledgers() -> Ledgers:
    return lecture()


def plain(text: str) -> str:
    """The text without Markdown and LaTeX, which are not in print, and without spaces."""
    for sign, meaning in (
        (r"\times", "×"),
        (r"\rightarrow", "→"),
        ("*", ""),
        ("$", ""),
        ("|", ""),
        ("\t", " "),
    ):
        text = text.replace(sign, meaning)
    return re.sub(r"\s+", "", text)


def once(line: str) -> str:
    """The text extraction printed some formulas twice, side by side."""
    return re.sub(r"(\$[^$]{20,}\$) \1", r"\1", line)


def numerals(text: str) -> Counter[str]:
    found = re.findall(r"\d+", text)
    return Counter(found + [w for w in re.findall(r"[a-z]+", text.lower()) if w in WORDS])


def lecture_sections() -> dict[str, str]:
    """Section number → its text with its heading but without the number; repeated headings add up."""
    sections: dict[str, str] = {}
    number = ""
    for line in EXCERPT.read_text(encoding="utf-8").splitlines():
        if HEADING.match(line):
            number, _, line = line.partition(" ")
        if number:
            sections[number] = sections.get(number, "") + once(line) + "\n"
    return sections


def written(section: Section) -> str:
    """All that the ledger transcribes of a section."""
    parts = [section.title]
    for item in section.items:
        if isinstance(item, Quote):
            parts.append(item.text)
        else:
            parts += [item.caption, *item.columns, *(cell.text for row in item.rows for cell in row)]
    return "\n".join(parts)


def ledger_sections(ledgers: Ledgers) -> dict[str, list[Section]]:
    sections: dict[str, list[Section]] = {}
    for part in ledgers.parts:
        for section in part.sections:
            sections.setdefault(section.number, []).append(section)
    return sections


SECTIONS = sorted(lecture_sections())


def test_the_excerpt_is_the_lecture() -> None:
    original = ROOT.parent / "shared" / "lecture" / "lecture-06.txt"
    if not original.exists():
        pytest.skip("the lecture lies beside the checkout only where the ledger is written")
    assert EXCERPT.read_text(encoding="utf-8").strip() in original.read_text(encoding="utf-8")


@pytest.mark.parametrize("number", SECTIONS)
def test_every_numeral_is_in_the_ledger(ledgers: Ledgers, number: str) -> None:
    transcribed: Counter[str] = Counter()
    for section in ledger_sections(ledgers).get(number, []):
        transcribed += numerals(plain_signs(written(section)))
    printed = numerals(plain_signs(lecture_sections()[number]))
    assert transcribed == printed, f"forgotten {printed - transcribed}, invented {transcribed - printed}"


def plain_signs(text: str) -> str:
    return text.replace(r"\times", "×").replace(r"\rightarrow", "→")


@pytest.mark.parametrize("number", SECTIONS)
def test_every_quotation_is_verbatim(ledgers: Ledgers, number: str) -> None:
    text = plain(lecture_sections()[number])
    for section in ledger_sections(ledgers).get(number, []):
        for item in section.items:
            if isinstance(item, Quote):
                quotations = [item.text]
            else:
                quotations = [item.caption, *(cell.text for row in item.rows for cell in row)]
                # Cells stand beside each other: the row as a whole is in the text, too.
                quotations += ["".join(cell.text for cell in row) for row in item.rows]
            for quotation in quotations:
                assert plain(quotation) in text, quotation


def test_every_numeral_is_a_claim_a_formula_or_a_name(ledgers: Ledgers) -> None:
    for part in ledgers.parts:
        for section in part.sections:
            assert not numerals(section.title) - numerals(section.names), section.title
            for item in section.items:
                if isinstance(item, Quote):
                    known = numerals(" ".join([*printed_by(ledgers, item.claims, item.text), item.names]))
                    assert not numerals(item.text) - known, item.text
                else:
                    check_table(ledgers, item)


def printed_by(ledgers: Ledgers, names: tuple[str, ...], text: str) -> list[str]:
    """What claims print inside a text: their values, and the formulas that stand in it."""
    claims = [ledgers.by_id[name] for name in names]
    formulas = {c.formula for c in claims if c.formula and plain(c.formula) in plain(text)}
    # "A → apply B" shares its numerals with claims about A and B.
    shared = {c.stated.text for c in claims for f in formulas if "onvolution" in f and c.stated.text in f}
    return [*(c.stated.text for c in claims if c.stated.text not in shared), *formulas]


def check_table(ledgers: Ledgers, table: Table) -> None:
    """Every numeral of a cell is stated by one of its claims, part of the formula, or in a label."""
    for row in table.rows:
        names = tuple(name for cell in row for name in cell.claims)
        assert names, row
        formulas = {plain(ledgers.by_id[name].formula) for name in names}
        for cell, role in zip(row, table.roles, strict=True):
            printed = printed_by(ledgers, cell.claims, cell.text)
            if role in ("layer", "-"):
                continue
            if role == "formula":
                assert plain(cell.text) in formulas or not numerals(cell.text), cell.text
                continue
            assert not numerals(cell.text) - numerals(" ".join(printed)), cell.text


def test_there_are_hundreds_of_claims(ledgers: Ledgers) -> None:
    claims = ledgers.claims
    assert len({claim.id for claim in claims}) == len(claims) > 250


def test_no_verdict_is_written_in_a_ledger() -> None:
    words = ("slip", "carried", "contradiction", "differs", "refuted", "verdict", "wrong", "should be")
    for file in (ROOT / "specs" / "lecture").glob("*.yaml"):
        text = file.read_text(encoding="utf-8").lower()
        assert not [word for word in words if word in text], file.name
