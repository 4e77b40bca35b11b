"""Work per layer from the closed form, the time it takes at least, and what a measured time means.  Pure.

The model is the roofline of Williams, Waterman and Patterson (2009): a layer takes at least as long as its
multiply-accumulates at the device's peak, and at least as long as its bytes at the device's bandwidth.  The bytes are
input + weights + output, each once; arithmetic other than MACs hides behind them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .ceilings import Ceilings, Precision
from .sizes import Sizes

if TYPE_CHECKING:
    from ..graph import Graph, Node

COMPUTE, MEMORY, LAUNCH = "compute-bound", "memory-bound", "launch-bound"
BELOW, BEATS, IDLE = "below both roofs", "beats the roof", "no work"
#: of a compiled kernel that only brings values into another layout or place: the network does not ask for it
OVERHEAD = "overhead"
#: a layer that takes at most twice its floor is bound by that roof; a launch that is half of its time, by launching
NEAR = 0.5
#: measured ceilings and times are not better than this
SLACK = 1.03


@dataclass(frozen=True, slots=True)
class Work:
    """What one layer has to do for one batch.  `macs` None: cannot be counted, so floors are of the bytes alone."""

    name: str
    op: str
    macs: int | None
    input_bytes: int
    weight_bytes: int
    output_bytes: int
    convolution: bool

    @property
    def bytes(self) -> int:
        return self.input_bytes + self.weight_bytes + self.output_bytes

    @property
    def idle(self) -> bool:
        return self.bytes == 0

    @property
    def intensity(self) -> float:
        """FLOPs (2 per MAC) per byte."""
        return 2 * (self.macs or 0) / self.bytes if self.bytes else 0.0


@dataclass(frozen=True, slots=True)
class Floor:
    """The least time in seconds, and the roof that sets it (most of it, for several layers)."""

    seconds: float
    bound: str


def works(graph: Graph, batch: int, element_bytes: int) -> tuple[Work, ...]:
    """The work of each layer of `graph` at that batch, in execution order, the inputs left out.

    Parameters that several calls read are moved once, by the first of them.
    """
    sizes = Sizes(graph, batch, element_bytes)
    return tuple(_work(sizes, index, node) for index, node in enumerate(graph.nodes) if index >= graph.inputs)


def _work(sizes: Sizes, index: int, node: Node) -> Work:
    if node.op.aliases or not node.values:
        return Work(node.name, node.op.type, 0, 0, 0, 0, convolution=False)
    return Work(
        name=node.name,
        op=node.op.type,
        macs=sizes.macs(index),
        input_bytes=sizes.read_bytes(index),
        weight_bytes=sizes.weight_bytes[index],
        output_bytes=sizes.written_bytes(index),
        convolution=node.op.category == "convolution",
    )


def floor(work: Work, ceilings: Ceilings, precision: Precision) -> Floor:
    """The least time of that work under those roofs."""
    compute, memory = 0.0, work.bytes / ceilings.bandwidth
    if work.macs:
        compute = 2 * work.macs / ceilings.flops(precision, convolution=work.convolution)
    return Floor(compute, COMPUTE) if compute >= memory > 0 else Floor(memory, MEMORY)


def floor_of_all(layers: Iterable[Work], ceilings: Ceilings, precision: Precision) -> Floor:
    """The least time of layers that run one after the other."""
    return floor_in_turn(floor(work, ceilings, precision) for work in layers)


def floor_in_turn(floors: Iterable[Floor]) -> Floor:
    """The least time of what runs one after the other."""
    spent = {COMPUTE: 0.0, MEMORY: 0.0}
    for least in floors:
        spent[least.bound] += least.seconds
    return Floor(sum(spent.values()), max(spent, key=spent.__getitem__))


def verdict(seconds: float, least: Floor, launch_s: float) -> str:
    """What bounds a layer that takes `seconds`, in words.

    "beats the roof" is not clamped: Winograd convolutions need fewer multiplications than are counted, and what lies
    in a cache is faster than memory.
    """
    if least.seconds == 0:
        return IDLE
    if seconds * SLACK < least.seconds:
        return BEATS
    if least.seconds >= NEAR * seconds:
        return least.bound
    if launch_s >= NEAR * seconds:
        return LAUNCH
    return BELOW


def attainable(intensity: float, peak: float, bandwidth: float) -> float:
    """FLOP/s under the roof at that intensity (FLOPs per byte)."""
    return min(peak, intensity * bandwidth)


def total_floor(layers: Iterable[Work], ceilings: Ceilings, precision: Precision) -> float:
    """Seconds that a network takes at least when its layers run one after the other."""
    return floor_of_all(layers, ceilings, precision).seconds
