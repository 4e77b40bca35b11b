"""Compiled kernels as rows: which are one row, what it is called, and which layers' work it accounts for.  Pure.

A kernel computes layers, and may prepare others: bring their weights or input into another layout, add up a part.
Kernels that compute the same layers are one group: a convolution and the copies made for it alone, the steps of a
softmax.  A kernel that only prepares several layers is a group without layers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from .layers import Fused, scope_at

_MOST_NAMES = 3  # of a row; more are named by the first and the last


def grouped(kernels: Sequence[Fused]) -> tuple[tuple[Fused, ...], tuple[int, ...]]:
    """(groups of kernels that compute the same layers, the group of each kernel), of kernels in execution order."""
    alone = {kernel.layers for kernel in kernels if len(kernel.layers) == 1}

    def key(kernel: Fused) -> tuple[tuple[str, ...], tuple[str, ...]]:
        if kernel.layers:
            return kernel.layers, ()
        if kernel.prepares in alone:  # what is made for one layer only is that layer's
            return kernel.prepares, ()
        return (), kernel.prepares

    keys = [key(kernel) for kernel in kernels]
    order = {each: number for number, each in enumerate(dict.fromkeys(keys))}
    groups = []
    for each in order:
        mine = [kernel for kernel, its in zip(kernels, keys, strict=True) if its == each]
        prepares = dict.fromkeys(name for kernel in mine for name in kernel.prepares)
        groups.append(
            Fused(
                tuple(name for kernel in mine for name in kernel.kernels),
                each[0],
                tuple(name for name in prepares if name not in each[0]),
            )
        )
    return tuple(groups), tuple(order[each] for each in keys)


def row_names(
    groups: Sequence[Fused], depth: int | None, name_of: Callable[[str], str] | None = None
) -> tuple[str, ...]:
    """A name for each group's row, scopes folded `depth` levels down; groups that fold into one scope share it.

    `name_of` tells what a layer is called when it is folded, by default its path cut at that depth.
    """
    name_of = name_of or (lambda name: scope_at(name, depth))
    names: dict[tuple[tuple[str, ...], tuple[str, ...]], str] = {}
    taken: dict[str, int] = {}
    rows = []
    for group in groups:
        layers = tuple(dict.fromkeys(map(name_of, group.layers)))
        prepares = tuple(name for name in dict.fromkeys(map(name_of, group.prepares)) if name not in layers)
        if not layers and len(prepares) == 1 and depth is not None:
            layers, prepares = prepares, ()  # preparing within a folded scope is that scope's
        if len(layers) == 1 and depth is not None:
            prepares = ()  # a folded scope that also prepares the next one is still that scope
        key = (layers, prepares)
        if key not in names:
            name = _name(layers, prepares)
            taken[name] = taken.get(name, 0) + 1
            names[key] = name if taken[name] == 1 else f"{name} #{taken[name]}"
        rows.append(names[key])
    return tuple(rows)


def _name(layers: tuple[str, ...], prepares: tuple[str, ...]) -> str:
    """`a.block: conv.bn + relu, prepares conv2`: the scope that all share, and each without it."""
    if len(layers) == 1 and not prepares:
        return layers[0]
    within = _scope([*layers, *prepares])
    words = [_several([name[len(within) :] for name in layers])] if layers else []
    if prepares:
        words.append(f"prepares {_several([name[len(within) :] for name in prepares])}")
    return f"{within[:-1]}: {', '.join(words)}" if within else ", ".join(words)


def _several(names: Sequence[str]) -> str:
    """`conv + bn + relu`, or `conv … relu (5)` for many."""
    if len(names) > _MOST_NAMES:
        return f"{names[0]} … {names[-1]} ({len(names)})"
    return " + ".join(names)


def _scope(names: Iterable[str]) -> str:
    """The path of the innermost scope that holds all of them, with its point; empty at the top."""
    paths = [name.split(".")[:-1] for name in names]
    shared: list[str] = []
    for parts in zip(*paths, strict=False):
        if len(set(parts)) > 1:
            break
        shared.append(parts[0])
    return "".join(f"{part}." for part in shared)


def homes(groups: Sequence[Fused]) -> dict[str, int]:
    """The group that accounts for each layer's multiply-accumulates and weights: each layer once.

    A layer that several groups compute (one recomputes it, or each does a part) is at home in the one with the fewest
    layers, the first of those.
    """
    found: dict[str, int] = {}
    for number, group in enumerate(groups):
        for name in group.layers:
            best = found.get(name)
            if best is None or len(group.layers) < len(groups[best].layers):
                found[name] = number
    return found
