"""Checking claims: the whole way from ledgers to what a report needs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any

from ..errors import fail, nearest, suggestion
from ..frontends.spec import shipped
from .judge import Judge
from .ledger import Claim, Ledgers
from .reading import lecture, published, read_ledgers
from .reconcile import Waterfall, reconcile
from .select import all_paths
from .verdicts import MEANING, Judgement

#: `--only` also takes these
GROUPS = {
    "wrong": "every claim that is wrong",
    "refuted": "cited and refuted",
    "confirmed": "cited and confirmed",
}


@dataclass(frozen=True)
class Checked:
    """The judged claims of some ledgers, perhaps filtered; `every` are all of them."""

    ledgers: Ledgers
    every: tuple[Judgement, ...]
    judgements: tuple[Judgement, ...]
    waterfalls: tuple[Waterfall, ...] = ()

    @cached_property
    def by_id(self) -> dict[str, Judgement]:
        return {judgement.claim.id: judgement for judgement in self.judgements}

    @property
    def wrong(self) -> tuple[Judgement, ...]:
        return tuple(judgement for judgement in self.judgements if judgement.wrong)

    @cached_property
    def counts(self) -> dict[str, int]:
        """Claims per verdict; a claim with two verdicts counts under both."""
        return {
            verdict: sum(verdict in judgement.verdicts for judgement in self.judgements)
            for verdict in MEANING
        }

    def to_dict(self) -> dict[str, Any]:
        """The JSON contract."""
        return {
            "source": self.ledgers.source,
            "claims": [_record(judgement) for judgement in self.judgements],
            "counts": self.counts,
            "wrong": len(self.wrong),
        }


def check(
    names: Iterable[str] = (),
    *,
    claims: Iterable[str | Path] = (),
    only: Iterable[str] = (),
    waterfalls: bool = False,
) -> Checked:
    """Judge the lecture's claims, or those of files.

    `names` keep the claims about these networks, in these sections or with these ids; `only` keeps verdicts.  Raises
    ArchinspectError for an unreadable file, an unknown name or verdict, and claims about layers that do not exist.
    """
    files = [Path(path) for path in claims]
    ledgers = Ledgers((*read_ledgers(files).parts, *published())) if files else lecture()
    names, only = tuple(names), tuple(only)
    for word in only:
        if word not in MEANING and word not in GROUPS:
            words = (*MEANING, *GROUPS)
            help = suggestion(word, words, otherwise=", ".join(words))
            raise fail("A403", f"'{word}' is no verdict", help=help)
    judge = Judge(ledgers)
    every = judge.all()
    kept = [j for j in every if not names or any(_named(judge, j.claim, name) for name in names)]
    for name in names:
        if not any(_named(judge, j.claim, name) for j in every):
            raise fail("A101", f"no claim is about '{name}'", help=_subjects(judge, every, name))
    kept = [j for j in kept if not only or any(_is(j, word) for word in only)]
    made = reconcile(judge, {j.claim.id for j in kept}) if waterfalls else ()
    return Checked(judge.ledgers, every, tuple(kept), made)


def _subjects(judge: Judge, every: Iterable[Judgement], name: str) -> str:
    """What could have been meant by a name that no claim is about."""
    models = sorted({j.claim.model for j in every} - {""})
    if name in shipped():  # a name well spelt, which nothing is printed about
        other = nearest(name, models) or models[0]
        return (
            f"printed are {', '.join(models)}; --claims FILE judges a table of yours, and archinspect compare "
            f"{name} {other} shows how networks differ"
        )
    sections = sorted({j.claim.section for j in every})
    paths = [path for model in models for path in all_paths(judge.networks.graph(model))]
    listed = f"networks: {', '.join(models)}; sections: {', '.join(sections)}; or a layer, such as conv1"
    return suggestion(name, [*models, *sections, *paths], otherwise=listed)


def _named(judge: Judge, claim: Claim, name: str) -> bool:
    """Whether a name on the command line means this claim: its network, section, layer, or its id or start of one."""
    if name in (claim.id, claim.section, claim.model, claim.model.partition(":")[0], claim.table):
        return True
    if claim.section.startswith(f"{name}.") or claim.id.startswith(f"{name}."):
        return True
    graph = judge.networks.of(claim)
    if graph is None:
        return False
    chosen = judge.networks.selection(claim)
    inside = chosen is not None and any(path == name or path.startswith(f"{name}.") for path in chosen.paths)
    return graph.name == name or inside


def _is(judgement: Judgement, word: str) -> bool:
    if word == "wrong":
        return judgement.wrong
    if word in GROUPS:
        return judgement.refuted is (word == "refuted")
    return word in judgement.verdicts


def _record(judgement: Judgement) -> dict[str, Any]:
    claim = judgement.claim
    return {
        "id": claim.id,
        "section": claim.section,
        "quote": claim.quote,
        "model": claim.model or None,
        "layer": list(claim.layers) or None,
        "subject": claim.subject or None,
        "quantity": claim.quantity,
        "stated": plain(claim.stated.values if claim.stated.form != "number" else claim.stated.value),
        "stated_text": claim.stated.text,
        "formula": claim.formula or None,
        "formula_value": plain(judgement.formula_value),
        "computed": plain(judgement.computed),
        "verdicts": list(judgement.verdicts),
        "wrong": judgement.wrong,
        "refuted": judgement.refuted,
        "cause": judgement.cause or None,
        "notes": list(judgement.notes),
        "source": judgement.source or None,
    }


def plain(value: Any) -> Any:
    """Exact integers as integers, shapes as lists; only a true fraction becomes a float."""
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    if isinstance(value, Fraction):
        return value.numerator if value.denominator == 1 else float(value)
    return value
