"""torchinfo on any module: parameters called `weight` and `bias` of modules without children, times what they made.

Source: torchinfo/layer_info.py (`calculate_macs`, `leftover_params`), torchinfo.py and model_statistics.py.  A class
whose name contains "Conv" multiplies by batch and output positions, any other by the batch alone; other names that
contain "weight" or "bias", as those of recurrent layers, by the first two dimensions of the output.  Functions are not
seen.  A module called again counts its work again and its parameters once; a parameter that two modules share counts
twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ....ops import numel
from .account import BIAS, Finding, class_term
from .record import Module, ModuleCall, Record

RULE = "parameters × batch; classes named Conv: × output positions too; recurrent: × first two dimensions of the output"


def findings(record: Record) -> Iterator[Finding]:
    known = {id(module) for _, module in record.module.walk()}
    for index, call in enumerate(record.calls):
        if _leaf(call.module) and id(call.module) in known:
            for term, count in _work(call):
                yield Finding(index, term, count, RULE)


def _leaf(module: Module) -> bool:
    # any() asks for the truth of the children: one that has empty containers alone passes for a leaf.
    return not any(child.holds for _, child in module.children)


def _work(call: ModuleCall) -> Iterator[tuple[str, int]]:
    output = call.output
    for name, parameter in call.module.all_parameters:
        part = BIAS if "bias" in name and class_term(call.module.class_name) in _WITH_BIAS else ""
        term = class_term(call.module.class_name, part)
        if name in ("weight", "bias"):
            if "Conv" in call.module.class_name:
                yield term, parameter.numel * numel((*output[:1], *output[2:]))
            else:
                yield term, parameter.numel * output[0]
        elif "weight" in name or "bias" in name:
            yield term, parameter.numel * numel(output[:2])


_WITH_BIAS = ("convolution", "transposed convolution", "linear")


@dataclass(eq=False)
class _Layer:
    """A line of torchinfo's summary."""

    module: Module
    depth: int
    parent: _Layer | None
    index: int
    again: bool = False

    @property
    def leaf(self) -> bool:
        return _leaf(self.module)


def params(record: Record) -> tuple[dict[int, int], int]:
    """Parameters by index of the call, and the total, which is the sum over the lines of the summary."""
    layers = _with_containers(_lines(record))
    own: dict[int, int] = {}
    left: list[int] = [0] * len(layers)
    # From the last line to the first, so that what is below a line is known before it.
    for at in range(len(layers) - 1, -1, -1):
        layer = layers[at]
        left[at] = layer.module.size
        if not layer.leaf:
            below = at + 1
            while below < len(layers) and layers[below].depth > layer.depth:
                if not layers[below].again:
                    left[at] -= left[below]
                below += 1
        if not layer.again:
            counted = max(left[at], 0)
            own[layer.index] = own.get(layer.index, 0) + counted
    return own, sum(own.values())


def _lines(record: Record) -> list[_Layer]:
    """One line for each call of a module, in the order of the calls."""
    places: dict[int, _Layer] = {}
    pending: list[tuple[Module, int, _Layer | None]] = [(record.module, 0, None)]
    while pending:  # the last place of a shared module is the one that its hooks know
        module, depth, parent = pending.pop()
        place = places[id(module)] = _Layer(module, depth, parent, 0)
        pending += [(child, depth + 1, place) for _, child in reversed(module.children)]
    lines = []
    for index, call in enumerate(record.calls):
        known = places.get(id(call.module))
        if known is not None:
            lines.append(_Layer(call.module, known.depth, known.parent, index))
    return _mark_repeats(lines)


def _mark_repeats(lines: list[_Layer]) -> list[_Layer]:
    seen: set[int] = set()
    for line in lines:
        line.again = id(line.module) in seen
        seen.add(id(line.module))
    return lines


def _with_containers(lines: list[_Layer]) -> list[_Layer]:
    """The lines with those of containers that were never called themselves (`ModuleList`) before what is in them."""
    known = {id(line.module) for line in lines}
    containers: dict[int, _Layer] = {}
    current: dict[int, _Layer] = {}
    result: list[_Layer] = []
    for line in lines:
        above: dict[int, _Layer] = {}
        parent = line.parent
        while parent is not None and parent.depth > 0:
            above[parent.depth] = parent
            parent = parent.parent
        for depth in range(1, line.depth):
            container = above[depth]
            if depth in current and current[depth].module is container.module:
                continue
            # A container that is entered again is the same object, which is marked as a repeat at both places.
            fresh = _Layer(container.module, depth, container.parent, line.index)
            inserted = containers.setdefault(id(container.module), fresh)
            inserted.again = id(container.module) in known
            known.add(id(container.module))
            result.append(inserted)
            current[depth] = inserted
        result.append(line)
        current[line.depth] = line
        for depth in [depth for depth in current if depth > line.depth]:
            del current[depth]
    return result
