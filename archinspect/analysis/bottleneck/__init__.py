"""What a 1×1 bottleneck saves: for one convolution, and for every reduction of a network."""

from __future__ import annotations

from .break_even import Bound, BreakEven, break_even
from .convolution import Convolution, Figures, Reduction

__all__ = ["Bound", "BreakEven", "Convolution", "Figures", "Reduction", "break_even"]
