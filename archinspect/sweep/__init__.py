"""Many variants of a network: a grid of arguments and input sizes, its figures, and its Pareto front."""

from __future__ import annotations

from .grid import Grid, grid
from .pareto import DEFAULT, Objective, front, objectives
from .run import Sweep, sweep
from .variants import Evaluator, Figures, Variant

__all__ = [
    "DEFAULT",
    "Evaluator",
    "Figures",
    "Grid",
    "Objective",
    "Sweep",
    "Variant",
    "front",
    "grid",
    "objectives",
    "sweep",
]
