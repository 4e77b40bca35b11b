"""Python's garbage collector, held still while many objects are made that all live on.

Each time some hundred objects more are alive than before, the collector looks through the youngest, and every so often
through all that there are.  A function that makes a hundred thousand and drops none pays for that with most of its
time, the more the larger the program around it is (with PyTorch imported, three times its own work).
"""

from __future__ import annotations

import functools
import gc
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def uncollected(function: Callable[P, R]) -> Callable[P, R]:
    """The function, run with the collector held; afterwards the collector is as it was, whatever happened."""

    @functools.wraps(function)
    def held(*args: P.args, **kwargs: P.kwargs) -> R:
        if not gc.isenabled():
            return function(*args, **kwargs)
        gc.disable()
        try:
            return function(*args, **kwargs)
        finally:
            gc.enable()

    return held
