"""What follows from a graph by arithmetic alone, without torch: counts, memory, receptive fields, depth."""

from __future__ import annotations

from .analyse import analyse
from .depth import depth
from .memory import peak_activation_bytes
from .results import Analysis, Row, Totals

__all__ = ["Analysis", "Row", "Totals", "analyse", "depth", "peak_activation_bytes"]
