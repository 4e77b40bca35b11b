"""Combine repeated measurements of a device's peaks: keep the maximum, warn where they disagree.

Whatever else runs lowers a measured roof, and under a roof that is too low every layer looks efficient.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..ops.tensor import TensorOp
from .ceilings import Ceilings, precision
from .flags import Flag
from .results import Run
from .roofline import Work, works

if TYPE_CHECKING:
    from ..graph import Graph, Node

#: two undisturbed measurements may differ by so much
_AGREE = 0.15
#: a row this much faster than the arithmetic's roof is no error of either figure, if such rows take that share
_FASTER, _SHARE = 1.05, 0.05


@dataclass(frozen=True, slots=True)
class PeakMeasurement:
    """The roofs as measured once; `disturbed` says what else ran meanwhile, "" when nothing did or nothing is counted.

    `seconds` is how long it took to each.
    """

    ceilings: Ceilings
    disturbed: str = ""
    seconds: float = 0.0


def best_of(measured: Sequence[PeakMeasurement]) -> Ceilings:
    """The highest roofs of all measured: what else ran during one of them lowered it."""
    seen = [each.ceilings for each in measured]
    first = seen[0]
    return Ceilings(
        first.name,
        {kind: max(each.peak[kind] for each in seen) for kind in first.peak},
        max(each.bandwidth for each in seen),
        min(each.launch_s for each in seen),
        first.origin,
    )


def peak_flags(measured: Sequence[PeakMeasurement]) -> list[Flag]:
    """Whether the roofs may be too low: every measurement was disturbed, or the undisturbed ones disagree."""
    quiet = [each.ceilings for each in measured if not each.disturbed]
    if measured and not quiet:
        return [
            Flag("low-roofs", f"the roofs may be too low: while they were measured {measured[-1].disturbed}")
        ]
    apart = [words for words, values in _figures(quiet) if max(values) > (1 + _AGREE) * min(values)]
    return [Flag("low-roofs", f"measurements of the roofs do not agree: {', '.join(apart)}")] if apart else []


def _figures(seen: Sequence[Ceilings]) -> Iterator[tuple[str, list[float]]]:
    """(what was seen in words, figures) of each roof that was looked at more than once."""
    if len(seen) < 2:
        return
    for kind in seen[0].peak:
        peaks = [each.peak[kind] for each in seen]
        yield f"{kind} {' and '.join(f'{peak / 1e12:.3g}' for peak in peaks)} TFLOP/s", peaks
    bandwidths = [each.bandwidth for each in seen]
    yield f"copy {' and '.join(f'{each / 1e9:.3g}' for each in bandwidths)} GB/s", bandwidths


def beaten_roof(run: Run, graph: Graph, ceilings: Ceilings) -> list[Flag]:
    """Whether rows are faster than the arithmetic's roof though nothing lets them do with fewer multiplications.

    A convolution of more than one position may (Winograd); a matrix product or a 1×1 convolution may not.  Rows bound
    by memory prove nothing: what lies in a cache is faster than the memory that is copied.
    """
    kind = precision(run.dtype)
    work = {each.name: each for each in works(graph, run.batch, kind.bytes)}
    plain = {node.name for node in graph.layers if all(size == 1 for size in _positions(node))}

    def least(mine: Sequence[Work]) -> float:
        flops = ((2 * each.macs, each.convolution) for each in mine if each.macs)
        return 1000 * sum(count / ceilings.flops(kind, convolution=conv) for count, conv in flops)

    faster = [
        row
        for row in run.layers
        if plain.issuperset(row.layers)
        and least([work[name] for name in row.layers if name in work]) > _FASTER * row.ms
    ]
    share = sum(row.share for row in faster)
    if share <= _SHARE:
        return []
    worst = max(faster, key=lambda row: row.ms).name
    return [
        Flag("low-roofs", f"rows with {share:.0%} of the time beat the arithmetic's roof, {worst} among them")
    ]


def _positions(node: Node) -> Iterator[int]:
    """The sizes of a layer's kernel beyond its channels.

    A convolution whose kernel is computed, and no parameter, has it as its second operand.
    """
    op = node.op
    for shape in node.weights.values():
        yield from shape[2:]
    if isinstance(op, TensorOp) and op.category == "convolution":
        for shape in op.operands[1:]:
            yield from shape[2:]
