"""Two networks held side by side: which layers stand for each other, and what each change costs."""

from __future__ import annotations

from .comparison import Comparison, Difference, Side, compare
from .stages import Stage, stages

__all__ = ["Comparison", "Difference", "Side", "Stage", "compare", "stages"]
