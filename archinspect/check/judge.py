"""Judging a ledger: verdicts first (`assess`), then their causes (`causes`)."""

from __future__ import annotations

from .assess import Assessor
from .causes import Explainer
from .ledger import Claim, Ledgers
from .networks import Networks
from .verdicts import Judgement


def judge(ledgers: Ledgers) -> tuple[Judgement, ...]:
    """Every claim of the ledgers, judged, in their order.

    Raises ArchinspectError for a claim about a network or layer that does not exist.
    """
    return Judge(ledgers).all()


class Judge(Assessor):
    """Gives verdicts and explains them.  `networks` may be shared by several judges."""

    def __init__(self, ledgers: Ledgers, networks: Networks | None = None) -> None:
        super().__init__(ledgers, networks)
        self.causes = Explainer(self)

    def all(self) -> tuple[Judgement, ...]:
        return tuple(map(self.explained, self.ledgers.claims))

    def explained(self, claim: Claim) -> Judgement:
        """The claim's verdicts with their causes."""
        return self.causes.explained(self.of(claim))
