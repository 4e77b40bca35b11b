"""Limits that a network must keep, and a lock that pins its figures and structure.

A lock is a JSON file with one line for each layer, so that version control shows what an edit did as well as `budget`
does.  `hold` judges a network by limits and a lock; the command, `Network.budget` and test suites call it.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from fractions import Fraction
from typing import Any, Literal

from . import units
from .analysis import Analysis, Row, analyse
from .analysis.memory import Storages, peak_activation_bytes, without_rule
from .errors import fail
from .files import read_json, write
from .graph import Graph, refuse_parameters_only
from .records import Form, FormError, count, listed, mapping, optional, text
from .shown import Shown, counted

Change = Literal["added", "removed", "changed", "renamed"]

#: what can be limited → what it is in words
QUANTITIES = {
    "params": "learnable parameters",
    "macs": "multiply-accumulates",
    "flops": "FLOPs",
    "memory": "weights and peak activations of inference",
}
FORMAT = 1
_KEYS = ("params", "buffers", "macs", "flops", "activation_bytes")
_BLAMED = 3  # layers or changes that an exceeded limit names
_DECIMAL = {"": 0, "k": 1, "K": 1, "M": 2, "G": 3, "B": 3, "T": 4, "P": 5}
_BYTES = {"B": 1, "kB": 10**3, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12} | {
    f"{prefix}iB": 1024**power for power, prefix in enumerate("KMGT", 1)
}
_NUMBER = re.compile(r"(\d[\d_,]*(?:\.\d+)?(?:[eE]\d{1,2})?)\s*([A-Za-z]*)", re.ASCII)


@dataclass(frozen=True)
class Layer:
    """A layer as a lock has it: what it is, what it reads, and its figures.  None is a figure that nobody knows."""

    name: str
    op: str
    reads: tuple[str, ...]
    output_shape: tuple[int, ...]
    params: int
    buffers: int
    macs: int | None
    flops: int | None
    activation_bytes: int

    def to_dict(self) -> dict[str, object]:
        return {**vars(self), "reads": list(self.reads), "output_shape": list(self.output_shape)}


@dataclass(frozen=True)
class Lock:
    """The figures and structure of a network at one time, and the limits that were set then."""

    model: str
    input: tuple[int, ...]
    totals: Mapping[str, int]
    limits: Mapping[str, int]
    layers: tuple[Layer, ...]

    def to_json(self) -> str:
        """The text of the file: one line for each layer."""
        head = {
            "archinspect_lock": FORMAT,
            "model": self.model,
            "input": list(self.input),
            "limits": dict(self.limits),
            "totals": dict(self.totals),
        }
        lines = [
            f"  {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}," for key, value in head.items()
        ]
        rows = [f"    {json.dumps(layer.to_dict(), ensure_ascii=False)}" for layer in self.layers]
        return "\n".join(["{", *lines, '  "layers": [', ",\n".join(rows), "  ]", "}"]) + "\n"


@dataclass(frozen=True)
class Edit:
    """One layer that is not what the lock has, and what that adds to the totals."""

    name: str
    change: Change
    what: str
    params: int
    macs: int
    flops: int
    activation_bytes: int

    def to_dict(self) -> dict[str, object]:
        return dict(vars(self))


@dataclass(frozen=True)
class Blame:
    """What an exceeded limit is spent on: a layer or an edit, with its figure."""

    name: str
    what: str
    figure: int


@dataclass(frozen=True)
class Finding:
    """One limit: the figure, the limit, and what to blame if it is exceeded."""

    quantity: str
    found: int
    limit: int
    complete: bool
    blame: tuple[Blame, ...]

    @property
    def ok(self) -> bool:
        return self.found <= self.limit

    def to_dict(self) -> dict[str, object]:
        return {**vars(self), "ok": self.ok, "blame": [dict(vars(one)) for one in self.blame]}


@dataclass(frozen=True)
class Budget(Shown):
    """A network held against its limits and its lock.  `bool(budget)` is whether it keeps them."""

    model: str
    findings: tuple[Finding, ...]
    #: what differs from the lock; None where no lock was given
    edits: tuple[Edit, ...] | None
    #: figures of the lock and of the network, where they differ
    moved: Mapping[str, tuple[int, int]]
    lock: Lock = field(repr=False, compare=False)
    against: str = ""

    @property
    def ok(self) -> bool:
        return all(one.ok for one in self.findings) and not self.edits and not self.moved

    def __bool__(self) -> bool:
        return self.ok

    def __repr__(self) -> str:
        over = [one.quantity for one in self.findings if not one.ok]
        says = [f"over its limit of {', '.join(over)}"] if over else []
        if self.edits or self.moved:
            says.append(f"{counted(len(self.edits or ()), 'layer')} not as locked")
        return f"<Budget of {self.model}: {'; '.join(says) or 'kept'}>"

    def to_dict(self) -> dict[str, Any]:
        edits = None if self.edits is None else [edit.to_dict() for edit in self.edits]
        return {
            "model": self.model,
            "ok": self.ok,
            "limits": [finding.to_dict() for finding in self.findings],
            "lock": self.against or None,
            "moved": {key: {"locked": old, "found": new} for key, (old, new) in self.moved.items()},
            "edits": edits,
            "totals": dict(self.lock.totals),
        }


def budget(
    graph: Graph,
    given: Mapping[str, str | float | None],
    lock: str | os.PathLike[str] | None = None,
    *,
    update: bool = False,
    option: str = "max_{}",
) -> Budget:
    """The network by these limits (`{"params": "25M"}`) and a lock file, which `update` writes first.

    An update keeps the limits that the file has and that are not given.  `option` is how limits are called in errors.
    Raises ArchinspectError: A403 for an unusable limit or no lock, A102 for a file that cannot be read.
    """
    limits = {
        key: amount(key, value, option.format(key)) for key, value in given.items() if value is not None
    }
    if lock is None:
        return hold(graph, limits)
    if update:
        before = read_lock(lock).limits if os.path.exists(lock) else {}
        write_lock(lock_of(graph, {**before, **limits}), lock)
    return hold(graph, limits, read_lock(lock), against=os.fspath(lock))


def hold(
    graph: Graph, limits: Mapping[str, int] | None = None, lock: Lock | None = None, *, against: str = ""
) -> Budget:
    """The network by these limits, those of the lock where it has others, and by what the lock pins.

    `against` is how the lock is called in reports, its path.  Raises ArchinspectError (A403) for a limit that a
    checkpoint has no figure for.
    """
    for key in limits or {}:
        if key != "params":
            refuse_parameters_only(graph, QUANTITIES[key])
    analysis = analyse(graph)
    limits = {**(lock.limits if lock else {}), **(limits or {})}
    now = lock_of(graph, limits, analysis)
    edits = None if lock is None else edits_of(lock.layers, now.layers)
    moved = {} if lock is None else _moved(lock, now)
    findings = [_finding(key, limit, now, analysis, edits) for key, limit in limits.items()]
    return Budget(graph.name, tuple(findings), edits, moved, now, against)


def lock_of(graph: Graph, limits: Mapping[str, int] | None = None, analysis: Analysis | None = None) -> Lock:
    """The network as a lock pins it."""
    analysis = analysis or analyse(graph)
    totals = analysis.totals
    peak = peak_activation_bytes(graph) if graph.inputs else 0
    figures = {
        key: getattr(totals, key)
        for key in ("params", "trainable", "buffers", "macs", "flops", "weight_bytes")
    }
    figures |= {"peak_activation_bytes": peak, "memory": totals.weight_bytes + peak}
    layers = tuple(_layer(graph, index, row) for index, row in enumerate(analysis.rows, graph.inputs))
    return Lock(
        graph.name, tuple(graph.input_shape) if graph.inputs else (), figures, dict(limits or {}), layers
    )


def _layer(graph: Graph, index: int, row: Row) -> Layer:
    node = graph.nodes[index]
    reads = tuple(graph.nodes[source].name for source in node.inputs)
    figures = {key: getattr(row, key) for key in _KEYS}
    return Layer(row.name, str(node.op), reads, tuple(row.output_shape), **figures)


def _moved(old: Lock, new: Lock) -> dict[str, tuple[int, int]]:
    return {
        key: (old.totals[key], new.totals[key]) for key in new.totals if old.totals[key] != new.totals[key]
    }


def edits_of(old: Sequence[Layer], new: Sequence[Layer]) -> tuple[Edit, ...]:
    """What became of the layers of a lock: those of one name are one layer, others that read alike were renamed."""
    before, after = {layer.name: layer for layer in old}, {layer.name: layer for layer in new}
    renamed = _renamed(
        [one for one in old if one.name not in after], [one for one in new if one.name not in before]
    )
    back = {then: now for now, then in renamed.items()}
    found = [_removed(one) for one in old if one.name not in after and one.name not in back]
    for layer in new:
        then = before.get(renamed.get(layer.name, layer.name))
        if then is None:
            found.append(_edit(layer.name, "added", layer.op, None, layer))
            continue
        reads = tuple(back.get(name, name) for name in then.reads)
        said = _differences(then, reads, layer)
        if layer.name in renamed:
            found.append(_edit(layer.name, "renamed", "; ".join([f"was {then.name}", *said]), then, layer))
        elif said:
            found.append(_edit(layer.name, "changed", "; ".join(said), then, layer))
    return tuple(found)


def _renamed(gone: Sequence[Layer], new: Sequence[Layer]) -> dict[str, str]:
    """New names → the names that layers of the same kind and figures had before, in order."""
    one, other = ([(layer.op, layer.output_shape, layer.params) for layer in side] for side in (gone, new))
    blocks = SequenceMatcher(None, one, other, autojunk=False).get_matching_blocks()
    pairs = [(gone[block.a + step], new[block.b + step]) for block in blocks for step in range(block.size)]
    return {now.name: then.name for then, now in pairs}


def _differences(old: Layer, reads: tuple[str, ...], new: Layer) -> list[str]:
    """In words what is not as it was; `reads` are the old layer's, by their names of today."""
    said = [] if old.op == new.op else [f"{old.op} → {new.op}"]
    if reads != new.reads:
        said.append(f"reads {', '.join(new.reads)} instead of {', '.join(reads)}")
    if old.output_shape != new.output_shape:
        said.append(f"{units.shape_text(old.output_shape)} → {units.shape_text(new.output_shape)}")
    if not said:
        said += [_moved_figure(key, old, new) for key in _KEYS if getattr(old, key) != getattr(new, key)]
    return said


def _moved_figure(key: str, old: Layer, new: Layer) -> str:
    one, other = (getattr(side, key) for side in (old, new))
    before, now = ("unknown" if figure is None else f"{figure:,}" for figure in (one, other))
    return f"{key.replace('_', ' ')} {before} → {now}"


def _removed(layer: Layer) -> Edit:
    return _edit(layer.name, "removed", layer.op, layer, None)


def _edit(name: str, change: Change, what: str, old: Layer | None, new: Layer | None) -> Edit:
    def added(key: str) -> int:
        one, other = (getattr(side, key) or 0 if side else 0 for side in (new, old))
        return int(one) - int(other)

    keys = ("params", "macs", "flops", "activation_bytes")
    return Edit(name, change, what, *(added(key) for key in keys))


def _finding(
    quantity: str, limit: int, lock: Lock, analysis: Analysis, edits: tuple[Edit, ...] | None
) -> Finding:
    found = lock.totals[quantity]
    complete = quantity not in ("macs", "flops") or analysis.totals.complete
    if quantity == "memory" and analysis.graph.inputs:
        complete = not without_rule(Storages(analysis.graph))
    blame = () if found <= limit else _blame(quantity, lock, edits)
    return Finding(quantity, found, limit, complete, blame)


def _blame(quantity: str, lock: Lock, edits: tuple[Edit, ...] | None) -> tuple[Blame, ...]:
    """The edits that added most since the lock; without such, the layers that have most."""

    def figure(one: Layer | Edit) -> int:
        if quantity == "memory":
            return one.params * _bytes_of_a_weight(lock) + one.activation_bytes
        return getattr(one, quantity) or 0

    of_edits = [Blame(one.name, f"{one.change}: {one.what}", figure(one)) for one in edits or ()]
    grown = [one for one in of_edits if one.figure > 0]
    if grown:
        return tuple(sorted(grown, key=lambda one: -one.figure)[:_BLAMED])
    layers = [Blame(one.name, one.op, figure(one)) for one in lock.layers]
    return tuple(one for one in sorted(layers, key=lambda one: -one.figure)[:_BLAMED] if one.figure)


def _bytes_of_a_weight(lock: Lock) -> int:
    return lock.totals["weight_bytes"] // lock.totals["params"] if lock.totals["params"] else 0


def amount(quantity: str, given: str | float, option: str = "") -> int:
    """A limit as people write it: `25M`, `4.2G`, `25_557_032`; for memory `2GiB`, `553 MB`, a number of bytes.

    Raises ArchinspectError (A403).
    """
    option = option or f"max_{quantity}"
    match = _NUMBER.fullmatch(str(given).strip())
    scale = None
    if match is not None:
        scale = _scale(quantity, match[2])
    if match is None or scale is None:
        example = "2GiB, 553MB or a number of bytes" if quantity == "memory" else "25M, 4.2G or 25557032"
        raise fail(
            "A403", f"{option} needs an amount, and got '{str(given)[:40]}'", help=f"{option} {example}"
        )
    exact = Fraction(match[1].replace(",", "").replace("_", "")) * scale
    return int(exact)


def _scale(quantity: str, unit: str) -> int | None:
    if quantity == "memory":
        return _BYTES.get(unit or "B")
    return 1000 ** _DECIMAL[unit] if unit in _DECIMAL else None


def _known(value: Any, place: str) -> None:
    if value != FORMAT:
        raise FormError(f"{place} is {value!r}, and this version reads {FORMAT}")


_COUNTS = mapping(dict.fromkeys(("params", "trainable", "buffers", "macs", "flops", "weight_bytes"), count))
_LAYER: Form = mapping(
    {
        "name": text,
        "op": text,
        "reads": listed(text),
        "output_shape": listed(count),
        "params": count,
        "buffers": count,
        "macs": optional(count),
        "flops": optional(count),
        "activation_bytes": count,
    }
)
_LIMITS = mapping({}, dict.fromkeys(QUANTITIES, count))
_FORM = mapping(
    {
        "archinspect_lock": _known,
        "model": text,
        "input": listed(count),
        "limits": _LIMITS,
        "totals": mapping({"peak_activation_bytes": count, "memory": count}),
        "layers": listed(_LAYER),
    }
)


def read_lock(path: str | os.PathLike[str]) -> Lock:
    """A lock from its file.  Raises ArchinspectError: A102 unreadable, A403 no lock."""
    way_out = "archinspect budget MODEL --lock FILE --update writes one"
    if not os.path.exists(path):
        raise fail("A102", f"there is no lock '{os.fspath(path)}'", help=way_out)
    document = read_json(path, refused="is no lock", way_out=way_out, what="the lock", help=way_out)
    try:
        _FORM(document, "")
        _COUNTS(document["totals"], "totals")
    except FormError as error:
        raise fail("A403", f"'{os.fspath(path)}' is no lock", notes=[str(error)], help=way_out) from None
    layers = tuple(
        Layer(
            **{key: one[key] for key in ("name", "op", *_KEYS)},
            reads=tuple(one["reads"]),
            output_shape=tuple(one["output_shape"]),
        )
        for one in document["layers"]
    )
    limits = {key: document["limits"][key] for key in QUANTITIES if key in document["limits"]}
    return Lock(document["model"], tuple(document["input"]), document["totals"], limits, layers)


def write_lock(lock: Lock, path: str | os.PathLike[str]) -> None:
    """Write a lock whole or not at all.  Raises ArchinspectError (A405)."""
    write(lock.to_json(), path)
