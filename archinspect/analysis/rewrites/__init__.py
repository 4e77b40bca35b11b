"""Networks with some of their layers replaced, as graphs like any other."""

from __future__ import annotations

from .assemble import Changes, Part, chain, rewrite
from .catalogue import REWRITES, rewrite_called
from .site import Options, Rewrite, Site
from .substitution import Forms, Priced, Substitution, applicable, substitute

__all__ = [
    "REWRITES",
    "Changes",
    "Forms",
    "Options",
    "Part",
    "Priced",
    "Rewrite",
    "Site",
    "Substitution",
    "applicable",
    "chain",
    "rewrite",
    "rewrite_called",
    "substitute",
]
