"""Input sizes as people write them: `3x224x224`."""

from __future__ import annotations

import re

INPUT_HELP = "write CxHxW, for example 3x224x224, or NxCxHxW for a batch"
LARGEST_SIDE = 1 << 20


def parse_input(text: str) -> tuple[int, ...]:
    """`3x224x224` to (1, 3, 224, 224); `8x3x224x224` keeps its batch; `784` and `8x784` are vectors of features.

    Raises ValueError with what is wrong.
    """
    parts = [part.strip() for part in re.split(r"[x×X*,]", text.strip())]
    shown = text if len(text) <= 60 else f"{text[:60]}…"
    if not all(part.isascii() and part.isdigit() and len(part) < 12 for part in parts):
        raise ValueError(f"'{shown}' is not an input size")
    sizes = tuple(map(int, parts))
    if len(sizes) > 4:
        raise ValueError(f"'{shown}' has {len(sizes)} sizes; an input has 3, or 4 with the batch")
    if min(sizes) < 1 or max(sizes) > LARGEST_SIDE:
        raise ValueError(f"'{shown}' has a size outside 1 … {LARGEST_SIDE:,}")
    return sizes if len(sizes) in (2, 4) else (1, *sizes)
