"""A printed total taken apart: sums into rows, products into blocks, rows into the layers they describe."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fractions import Fraction

from ...graph import Graph, Node
from ..assess import Assessor
from ..equations import Weights, terms
from ..ledger import Claim
from ..quantities import params
from ..select import Selection
from .steps import NO_LAYER, OPAQUE, RELATIONS, REPEATS, ROWS, SLIPS, Ledgerbook

_DEEPEST = 12


@dataclass(frozen=True)
class Described:
    """A layer as a row describes it, and the layer of the network it stands for; `copy` counts a block's repeats."""

    weights: Weights
    node: Node
    copy: int = 1


@dataclass
class Account:
    """What a total describes: layers, and the names of all layers it accounts for."""

    book: Ledgerbook = field(default_factory=Ledgerbook)
    layers: list[Described] = field(default_factory=list)
    covered: set[str] = field(default_factory=set)


class Accountant:
    """Takes one printed total apart."""

    def __init__(self, judge: Assessor, graph: Graph) -> None:
        self.judge = judge
        self.graph = graph
        self.account = Account()

    def open(self, claim: Claim) -> Account:
        self._open(claim, {}, 1, root=True, depth=0)
        return self.account

    def _open(self, claim: Claim, moved: dict[str, str], copy: int, *, root: bool, depth: int) -> None:
        """Book a claim's content; `moved` maps the scope that a block's rows name to the copy meant here."""
        if claim.formula and self._derivation(claim, moved, copy):
            return
        book, value = self.account.book, claim.stated.value
        evidence = self.judge.witnesses.of(claim)
        if not evidence.related or depth > _DEEPEST:
            self._opaque(claim, moved)
            return
        related = evidence.related[0]
        label = _label(claim)
        if related.kind == "product":
            self._product(claim, moved, depth=depth)
            return
        if related.kind == "same":
            other = related.members[0]
            book.add(
                REPEATS, f"{label}: {claim.stated.text} → {other.stated.text}", other.stated.value - value
            )
        else:
            book.add(ROWS if root else RELATIONS, label, related.value - value)
        for member in related.members:
            self._open(member, moved, copy, root=False, depth=depth + 1)

    def _derivation(self, claim: Claim, moved: dict[str, str], copy: int) -> bool:
        """A row with a derivation: its slip, and the layers that it describes."""
        said = terms(claim.formula)
        nodes = self._nodes(claim, moved)
        formula = self.judge.witnesses.of(claim).formula
        if not said or len(said) != len(nodes) or formula is None:
            return False
        self.account.book.add(SLIPS, _label(claim), formula - claim.stated.value)
        for weights, node in zip(said, nodes, strict=True):
            if node is None:
                self.account.book.add(NO_LAYER, _label(claim), -weights.count)
                continue
            self.account.layers.append(Described(weights, node, copy))
            self.account.covered.add(node.name)
        return True

    def _nodes(self, claim: Claim, moved: dict[str, str]) -> list[Node | None]:
        """The layers with weights that a claim speaks of, in the copy of the block that is meant."""
        chosen = self._chosen(claim)
        found: list[Node | None] = []
        for node in chosen.weighted if chosen else ():
            name = _moved(node.name, moved)
            found.append(self.graph.by_name.get(name))
        return found

    def _chosen(self, claim: Claim) -> Selection | None:
        return self.judge.networks.selection(claim)

    def _opaque(self, claim: Claim, moved: dict[str, str]) -> None:
        """A number without a derivation: the network's figure in its place."""
        chosen = self._chosen(claim)
        nodes = [self.graph.by_name.get(_moved(n.name, moved)) for n in chosen.nodes] if chosen else []
        fresh = [node for node in nodes if node is not None and node.name not in self.account.covered]
        true = params(fresh)
        self.account.book.add(OPAQUE, f"{_label(claim)}: {claim.stated.text}", true - claim.stated.value)
        self.account.covered.update(node.name for node in fresh)

    def _product(self, claim: Claim, moved: dict[str, str], *, depth: int) -> None:
        """`n` times a block: the block's rows once for each of the network's blocks."""
        factors = self.judge.witnesses.of(claim).related[0].members
        counts = [f for f in factors if f.quantity != claim.quantity]
        blocks = [f for f in factors if f.quantity == claim.quantity]
        if len(blocks) != 1:
            self._opaque(claim, moved)
            return
        times = 1
        for count in counts:
            times *= int(count.stated.value)
        product = times * blocks[0].stated.value
        self.account.book.add(RELATIONS, _label(claim), Fraction(product) - claim.stated.value)
        copies = self._copies(claim, blocks[0])
        for index in range(times):
            scope, name = copies[0], copies[index] if index < len(copies) else f"{copies[0]}+{index}"
            self._open(blocks[0], {**moved, scope: name}, index + 1, root=False, depth=depth + 1)

    def _copies(self, stage: Claim, block: Claim) -> list[str]:
        """The scopes of a stage that are repeats of the block: block1, block2, ..."""
        outer, inner = self._chosen(stage), self._chosen(block)
        if not outer or not inner or not inner.nodes:
            return [""]
        name = inner.nodes[0].name
        path = max((p for p in outer.paths if p and name.startswith(p + ".")), key=len, default="")
        depth = path.count(".") + 1 if path else 0
        first = name.split(".")[depth]
        stem = re.sub(r"\d+\Z", "", first)
        prefix = f"{path}." if path else ""
        found: dict[str, None] = {}
        for node in self.graph.layers:
            if node.name.startswith(prefix):
                part = node.name[len(prefix) :].split(".")[0]
                if re.fullmatch(re.escape(stem) + r"\d+", part):
                    found[prefix + part] = None
        return list(found) or [prefix + first]


def _moved(name: str, moved: dict[str, str]) -> str:
    for scope, other in moved.items():
        if scope and (name == scope or name.startswith(scope + ".")):
            return other + name[len(scope) :]
    return name


def _label(claim: Claim) -> str:
    return claim.label or claim.row or claim.quote[:60] or claim.id
