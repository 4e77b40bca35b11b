"""`blocks_of: resnet50`: the blocks that one spec takes from another.

ResNet-101 is ResNet-50's blocks in another table.  A spec borrows from a network that ships, or from a file beside it;
what it borrows stands in the lender's file, and errors point there.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from ...errors import ArchinspectError, Diagnostic, nearest
from ...ops import NEWER, REGISTRY
from .calls import calls
from .document import Block, Document, Statement, statements
from .nodes import Scalar

#: what reads a spec without what it borrows
ReadSpec = Callable[[Path], Document]


def borrow(document: Document, read: ReadSpec, folder: str, shipped: Iterable[str]) -> None:
    """Add the lender's blocks that `document` uses, directly or through others; record what is wrong.

    `folder` holds the networks that ship, of the names `shipped`.
    """
    place = document.lender
    if place is None:
        return
    try:
        lender = _lender(document, place, read, folder, shipped)
    except ArchinspectError as error:
        document.errors += error.diagnostics
        return
    wanted = _called(document.layers)
    for block in document.blocks.values():
        wanted += _called(block.body)
    taken: dict[str, Block] = {}
    while wanted:
        name = wanted.pop()
        if (
            name in taken
            or name in document.blocks
            or name not in lender.blocks
            or (name in REGISTRY and name not in NEWER)
        ):
            continue
        taken[name] = block = lender.blocks[name]
        inner = _called(block.body)
        for clash in sorted(document.blocks.keys() & lender.blocks.keys() & set(inner)):
            message = f"block '{clash}' has the name of one that '{lender.name}' uses in '{name}'"
            document.errors.add("A210", message, document.blocks[clash].key.span, help="rename it")
        wanted += inner
    if not taken and not lender.errors:
        message = f"no block of '{lender.name}' is used here"
        document.errors.add("A212", message, place.span, help="leave blocks_of out")
    document.errors += lender.errors
    document.unread += lender.unread
    document.lost_blocks |= lender.lost_blocks
    document.blocks |= taken
    document.weight_names = document.weight_names or lender.weight_names  # rules are about layers of blocks
    if document.init is None and lender.init is not None:
        document.init = lender.init.within(document.argument_keys)


def _lender(
    document: Document, place: Scalar, read: ReadSpec, folder: str, shipped: Iterable[str]
) -> Document:
    name = place.value
    names = list(shipped)
    if name in names:
        path = Path(folder, f"{name}.yaml")
    elif name.endswith((".yaml", ".yml")) and name == os.path.basename(name):
        path = Path(document.source.file).parent / name
    else:
        close = nearest(name, names)
        help = (
            f"did you mean '{close}'?"
            if close
            else "name a network that ships, or a .yaml file beside this one"
        )
        raise ArchinspectError(
            Diagnostic("A101", f"no network is called '{name[:80]}'", place.span, help=help)
        )
    try:
        lender = read(path)
    except ArchinspectError as error:
        first = error.diagnostics[0]
        if first.span is not None:
            raise
        raise ArchinspectError(Diagnostic(first.code, first.message, place.span, help=first.help)) from None
    if lender.lender is not None:
        message = f"'{lender.name}' has its blocks of another network itself"
        help = f"name the one that defines them: blocks_of: {lender.lender.value}"
        raise ArchinspectError(Diagnostic("A107", message, place.span, help=help))
    return lender


def _called(body: tuple[Statement, ...]) -> list[str]:
    return [call.name for s in statements(body) for call in calls(s.body.chain or ())]
