"""Checking claims: the whole way from ledgers to what a report needs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any

from ..errors import fail, nearest, suggestion
from ..files import read_text as text_of
from ..frontends.spec import shipped
from ..graph import Graph
from ..shown import Shown, counted
from .align import ledger_of
from .causes.columns import Shared
from .judge import Judge
from .ledger import Claim, Ledgers
from .networks import Networks
from .reading import lecture, published, read_ledgers, read_text
from .reconcile import Waterfall
from .reconciliation import reconcile
from .select import all_paths
from .verdicts import MEANING, Judgement

_YAML = (".yaml", ".yml")
MAX_TABLE = 1 << 20  # bytes of a printed table; the longest network has some thousand rows

#: `--only` also takes these
GROUPS = {
    "wrong": "every claim that is wrong",
    "refuted": "cited and refuted",
    "confirmed": "cited and confirmed",
}


@dataclass(frozen=True)
class Checked(Shown):
    """The judged claims of some ledgers, perhaps filtered; `every` are all of them."""

    ledgers: Ledgers
    every: tuple[Judgement, ...]
    judgements: tuple[Judgement, ...]
    waterfalls: tuple[Waterfall, ...] = ()
    shared: tuple[Shared, ...] = ()
    left_out: tuple[str, ...] = ()

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

    def __repr__(self) -> str:
        return f"<Checked: {counted(len(self.judgements), 'claim')}, {len(self.wrong)} wrong>"

    def to_dict(self) -> dict[str, Any]:
        """The JSON contract."""
        return {
            "source": self.ledgers.source,
            "claims": [_record(judgement) for judgement in self.judgements],
            "shared": [{"cause": s.words, "claims": [claim.id for claim in s.claims]} for s in self.shared],
            "left_out": list(self.left_out),
            "counts": self.counts,
            "wrong": len(self.wrong),
        }


def check(
    names: Iterable[str] = (),
    *,
    claims: Iterable[str | Path] = (),
    pasted: str | None = None,
    model: str = "",
    only: Iterable[str] = (),
    waterfalls: bool = False,
    network: Graph | None = None,
) -> Checked:
    """Judge the lecture's claims, or those of files, or a table as it was pasted.

    A file that is no YAML is read as a pasted table; `model` names its network where it does not say itself, or
    `network` is it.

    `names` keep the claims about these networks, in these sections or with these ids; `only` keeps verdicts.  Raises
    ArchinspectError for an unreadable file, an unknown name or verdict, and claims about layers that do not exist.
    """
    if network is not None:
        model = network.name
    ledgers, left_out = _read([Path(path) for path in claims], pasted, model, network)
    names, only = tuple(names), tuple(only)
    for word in only:
        if word not in MEANING and word not in GROUPS:
            words = (*MEANING, *GROUPS)
            help = suggestion(word, words, otherwise=", ".join(words))
            raise fail("A403", f"'{word}' is no verdict", help=help)
    networks = Networks(ledgers.models, {} if network is None else {network.name: network})
    judge = Judge(ledgers, networks)
    every = judge.all()
    kept = [j for j in every if not names or any(_named(judge, j.claim, name) for name in names)]
    for name in names:
        if not any(_named(judge, j.claim, name) for j in every):
            raise fail("A101", f"no claim is about '{name}'", help=_subjects(judge, every, name))
    kept = [j for j in kept if not only or any(_is(j, word) for word in only)]
    made = reconcile(judge, {j.claim.id for j in kept}) if waterfalls else ()
    ids = {j.claim.id for j in kept}
    shared = tuple(s for s in judge.causes.shared() if ids.issuperset(claim.id for claim in s.claims))
    return Checked(judge.ledgers, every, tuple(kept), made, shared, left_out)


def table_text(path: Path) -> str:
    """The text of a file that holds a printed table.  Raises ArchinspectError (A102, A103)."""
    return text_of(path, MAX_TABLE, kind="a table", inside="name a file of claims inside it")


def _read(
    files: list[Path], pasted: str | None, model: str, network: Graph | None = None
) -> tuple[Ledgers, tuple[str, ...]]:
    """The ledgers to judge, and what could not be read of pasted tables."""
    if not files and pasted is None:
        return lecture(), ()
    tabular = [path for path in files if path.suffix not in _YAML]
    parts = list(read_ledgers([path for path in files if path.suffix in _YAML]).parts)
    left_out: list[str] = []
    tables = [(path.name, table_text(path)) for path in tabular]
    for name, text in tables if pasted is None else [*tables, ("a pasted table", pasted)]:
        aligned = ledger_of(text, model=model, source=name, graph=network)
        left_out += aligned.left_out
        parts += read_text(aligned.text, f"{name} (as it was understood)").parts
    return Ledgers((*parts, *published())), tuple(left_out)


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
        "layer": [layer.removeprefix("?") for layer in claim.layers] or None,
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
