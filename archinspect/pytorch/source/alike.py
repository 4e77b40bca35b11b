"""Which modules of a network can be instances of one class."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from .plan import Child, Function, Merge, Module, Sides, Step

_ABSENT = "absent"  # a branch that passes its input on; a class is told whether it does
Key = tuple[Any, ...]


def alike(root: Module) -> list[list[Module]]:
    """The modules of each class, inner classes first.

    A block gets a class, and so does a scope with branches or functions.  A scope that is a plain sequence is written
    where it stands, and so is a stage, whose uses differ in depth.
    """
    groups: dict[Key, list[Module]] = defaultdict(list)
    for module in root.descend():
        inlined = module.sequential and (module.block is None or _is_stage(module))
        if module is not root and not inlined:
            groups[_key(module)].append(module)
    merged: list[tuple[Key, list[Module]]] = []
    for key, members in groups.items():
        for index, (other, present) in enumerate(merged):
            both = _merge(key, other)
            if both is not None:
                merged[index] = both, [*present, *members]
                break
        else:
            merged.append((key, members))
    return sorted((members for _, members in merged), key=lambda members: members[0].height)


def _is_stage(module: Module) -> bool:
    """Whether it is a series of modules: block1, block2 ..."""
    children = list(module.children())
    stems = {child.name.rstrip("0123456789") for child in children}
    return all(isinstance(c.what, Module) and c.name[-1].isdigit() for c in children) and len(stems) == 1


def _key(module: Module) -> Key:
    """What instances of one class share: block, or name and the block around it, names of submodules, and wiring."""
    name = (
        ("block", module.block.name)
        if module.block
        else ("scope", module.within, module.name.rstrip("0123456789_"))
    )
    return (*name, module.height, *map(_of_step, module.steps))


def _of_step(step: Step) -> Key:
    if isinstance(step, Child):
        inside: Any = ()
        if step.what is None:
            inside = _ABSENT
        elif isinstance(step.what, Module) and step.what.block is None and step.what.sequential:
            inside = tuple(map(_of_step, step.what.steps))
        return ("child", step.name, step.sides, inside)
    if isinstance(step, Sides):
        return ("sides", *map(_of_step, step.branches))
    call = step.node.op.torch_call(step.node.input_shapes)
    if isinstance(step, Function):
        return ("function", call.target, len(call.args), *call.kwargs)
    assert isinstance(step, Merge)
    return ("merge", call.target, call.args, *map(_of_step, step.branches))


def _merge(one: Any, other: Any) -> Any:
    """The key that both are, where what is absent in one may be present in the other; else None."""
    if one == other:
        return one
    if not (isinstance(one, tuple) and isinstance(other, tuple) and len(one) == len(other)):
        return None
    if one[:1] == ("child",) and one[:3] == other[:3] and _ABSENT in (one[3], other[3]):
        return other if one[3] == _ABSENT else one
    parts = [_merge(a, b) for a, b in zip(one, other, strict=True)]
    return None if None in parts else tuple(parts)
