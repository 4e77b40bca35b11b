"""What the figures say, in words: vanishes, explodes, symmetric, dead, or healthy.

Each verdict names a layer, or none where it is about the whole depth.  The thresholds are factors that no sampling
error of three seeds comes near: a hundred over the whole depth, five in one layer beyond what its neighbours do.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..units import scientific, significant
from .results import Row, Symmetry, Verdict

#: change of the signal or the gradient along the whole depth that is told, as a power of ten
WHOLE = 2.0
#: and how much of it a layer must have on average: 20 % a layer, which 26 layers make a hundred
EACH = math.log10(1.2)
#: factor between a layer's output and its input that is told, where the network's layers usually have about 1
ONE = 5.0
#: share of units that never fire; with biases of 0 and inputs that are all alike half of them do not
DEAD = 0.8


def verdicts(rows: Sequence[Row], symmetric: Sequence[Symmetry], constant: bool) -> tuple[Verdict, ...]:
    """All verdicts on a network; `healthy` alone where there is no other."""
    found = [*_symmetric(symmetric, constant), *_broken(rows)]
    if not symmetric:  # whose signal is 0 or the same everywhere
        found += [*_jumps(rows), *_along(rows), *_dead(rows)]
    if not found:
        found.append(_healthy(rows))
    return tuple(found)


def power(value: float) -> str:
    """0.0034 as 10^−2.5: how many powers of ten."""
    exponent = math.log10(value)
    return f"10^{'−' if exponent < 0 else ''}{abs(exponent):.1f}"


def _symmetric(found: Sequence[Symmetry], constant: bool) -> list[Verdict]:
    made = []
    for each in found:
        start = f"all {each.units:,} units start with the same weights"
        if each.learns:
            after = (
                "and get the same gradient: one step leaves them equal, so they compute one feature, not many"
            )
        else:
            after = "and no gradient reaches them: a step changes nothing"
        made.append(Verdict("symmetric", each.name, f"{start} {after}"))
    if constant and made:
        last = made[-1]
        made[-1] = Verdict(
            "symmetric",
            last.name,
            f"{last.message}; after a step the network still puts out the same for every input: a constant, which is "
            "less than a linear model",
        )
    return made


def _broken(rows: Sequence[Row]) -> list[Verdict]:
    """The first layer whose output, or gradient, is no number."""
    for row in rows:
        if row.forward_std is not None and not math.isfinite(row.forward_std):
            return [Verdict("explodes", row.name, "its output is not finite")]
    for row in reversed(rows):
        if row.gradient_std is not None and not math.isfinite(row.gradient_std):
            return [Verdict("explodes", row.name, "its gradient is not finite")]
    return []


def _dense(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if row.dense]


def _jumps(rows: Sequence[Row]) -> list[Verdict]:
    """Layers that alone change the signal by much more than the network's others do."""
    gains = [(row, row.gain) for row in _dense(rows) if row.gain is not None and math.isfinite(row.gain)]
    usual = _median([gain for _, gain in gains if gain > 0]) or 1.0
    made = []
    for row, gain in gains:
        words = f"alone multiplies the signal by {scientific(gain)}; usual is {scientific(usual)}"
        if gain > ONE * max(usual, 1.0):
            made.append(Verdict("explodes", row.name, words))
        elif 0 < gain < min(usual, 1.0) / ONE and len(gains) > 2:
            made.append(Verdict("vanishes", row.name, words))
    return made


def _along(rows: Sequence[Row]) -> list[Verdict]:
    """How signal and gradient change from one end of the network to the other, over its weighted layers."""
    made = []
    dense = _dense(rows)
    for what, towards in (("signal", 1), ("gradient", -1)):
        known = [
            (row, value)
            for row in dense[::towards]
            if (value := row.forward_std if what == "signal" else row.gradient_std) is not None
        ]
        if what == "gradient" and len(known) > 2:
            known = known[1:]  # how much the output layer hands back depends on how many outputs there are
        if len(known) < 2:
            continue
        (first, start), (last, end) = known[0], known[-1]
        if not (math.isfinite(start) and math.isfinite(end)) or start == 0:
            continue
        layers = f"over {len(known)} layers, from {first.name} to {last.name}"
        if end == 0:
            made.append(Verdict("vanishes", last.name, f"the {what} is 0 there, {layers}"))
            continue
        change = math.log10(end / start)
        if abs(change) < EACH * (len(known) - 1):
            continue
        if change <= -WHOLE:
            made.append(
                Verdict("vanishes", last.name, f"the {what} vanishes by {power(end / start)} {layers}")
            )
        elif change >= WHOLE:
            made.append(
                Verdict("explodes", last.name, f"the {what} explodes by {power(end / start)} {layers}")
            )
    return made


def _dead(rows: Sequence[Row]) -> list[Verdict]:
    made = []
    for row in rows:
        units = row.units
        if units is None or row.dead is None:
            continue
        where = scientific(units.at).replace("-", "−")
        if row.dead > DEAD:
            words = f"{row.dead:.0%} of {units.units:,} units are 0 for every input of the batch"
            made.append(
                Verdict(
                    "dead", row.name, f"{words}; their inputs lie around {where}" if units.below else words
                )
            )
        elif units.below:
            count = max(1, round(units.below * units.units))
            words = f"{count:,} of {units.units:,} units are 0 for every input: theirs lie around {where}"
            made.append(
                Verdict("dead", row.name, f"{words}, those of the others within ±{scientific(units.usual)}")
            )
    return made


def _healthy(rows: Sequence[Row]) -> Verdict:
    parts = []
    for what, values in (
        ("the signal", [row.forward_std for row in _dense(rows)]),
        ("the gradient", [row.gradient_std for row in _dense(rows)]),
    ):
        known = [value for value in values if value]
        if len(known) > 1:
            parts.append(f"{what} stays within a factor of {significant(max(known) / min(known), 2)}")
    layers = f" over {len(_dense(rows))} layers" if parts else ""
    return Verdict("healthy", "", (", ".join(parts) or "nothing found") + layers)


def _median(values: Sequence[float]) -> float | None:
    ordered = sorted(values)
    return ordered[len(ordered) // 2] if ordered else None
