"""Other people's weights in our modules.

The way of the data: `read` (a file to tensors) → `names` (which of theirs is which of ours) → `load` (into a module).
"""

from __future__ import annotations

from .load import Weights, converted, load_weights

__all__ = ["Weights", "converted", "load_weights"]
