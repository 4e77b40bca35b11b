"""Networks with some of their layers replaced, as graphs like any other."""

from __future__ import annotations

from .assemble import Changes, Part, chain, rewrite

__all__ = ["Changes", "Part", "chain", "rewrite"]
