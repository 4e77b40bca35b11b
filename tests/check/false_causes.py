"""Random wrong figures: how often is a cause stated of them, though there is none?

`python -m tests.check.false_causes [COUNT]` prints the rates that docs/claims-proof.md shows.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator

from archinspect.check.judge import Judge
from archinspect.check.networks import Networks
from archinspect.check.quantities import size
from archinspect.check.reading import read_text
from archinspect.check.select import has_weights
from archinspect.check.verdicts import NO_CAUSE
from archinspect.frontends.spec import shipped

DIGITS = (2, 3, 4, 0)  # 0 for all of them
_SMALLEST = 2_000


def printed(value: int, digits: int) -> str:
    """A figure to so many digits: `25.6M`, or all of them."""
    if not digits:
        return f"{value:,}"
    scale, unit = next((s, u) for s, u in ((10**9, "G"), (10**6, "M"), (10**3, "K")) if value >= s)
    return f"{value / scale:.{max(0, digits - len(str(value // scale)))}f}{unit}"


def figures(
    kind: str, digits: int, count: int, networks: Networks, seed: int = 3
) -> Iterator[tuple[str, str]]:
    """Random wrong figures of totals or layers, and the causes that are stated of them.

    They lie between a half and twice of the right figure, a third of them near it.
    """
    rng, made, names = random.Random(f"{seed} {kind} {digits}"), 0, shipped()
    while made < count:
        name, quantity = rng.choice(names), rng.choice(("params", "macs", "flops"))
        layers = networks.graph(name).layers
        node = rng.choice([layer for layer in layers if has_weights(layer)])
        right = size(layers if kind == "total" else (node,), quantity)
        if not right or right < _SMALLEST:
            continue
        ratio = (rng.uniform(0.5, 2), rng.uniform(0.7, 1.3), 2 ** rng.uniform(-1, 1))[made % 3]
        text = printed(round(right * ratio), digits)
        where = "" if kind == "total" else f", layer: {node.name}"
        claim = f"{{id: t, model: {name}, stated: '{text}', quantity: {quantity}{where}}}"
        (judgement,) = Judge(read_text(f"source: s\nclaims:\n  - {claim}\n"), networks).all()
        if judgement.wrong:
            made += 1
            yield text, judgement.cause


def stated(cause: str) -> bool:
    """Whether a cause is stated as the cause."""
    return not cause.startswith((NO_CAUSE, "several fit"))


def table(count: int) -> str:
    """The rates as Markdown."""
    networks = Networks({})
    lines = ["| random wrong figures of | digits | tried | a cause stated |", "| --- | ---: | ---: | ---: |"]
    for kind in ("total", "layer"):
        for digits in DIGITS:
            false = sum(stated(cause) for _, cause in figures(kind, digits, count, networks))
            lines.append(f"| a {kind} | {digits or 'all'} | {count:,} | {false / count:.1%} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table(int(sys.argv[1]) if len(sys.argv) > 1 else 300))
