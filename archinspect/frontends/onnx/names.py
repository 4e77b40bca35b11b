"""Paths of modules for the calls of an ONNX file, from what exporters write into names.

Three ways are known: notes of torch's exporter (`pkg.torch.onnx.name_scopes`), names of nodes with slashes (its older
exporter, tf2onnx: `/layer1/layer1.0/conv1/Conv`), and names of stored tensors (`layer1.0.conv1.weight`).
"""

from __future__ import annotations

import ast
import re
from collections import Counter, defaultdict
from collections.abc import Sequence

from .site import Lowered

_LONGEST = 20_000  # characters of a note that is read
_DEEPEST = 40  # parts of a path
_NUMBERED = re.compile(r"(.+)_(\d+)\Z")
_OF_WEIGHTS = re.compile(
    r"(.+)\.(weight|bias|gamma|beta|kernel|running_mean|running_var|weight_[\w]+|bias_[\w]+)\Z"
)
_TORCH = "torch.nn.modules."
_CONTAINERS = "torch.nn.modules.container."


def name_calls(rows: Sequence[Lowered]) -> tuple[list[tuple[str, str]], dict[str, str]]:
    """For each row its name and the module that it is a part of, and the classes of modules where they are written.

    Names are those of `Graph`: a module that is one call has its path, a call inside a module `path.op`, another call
    of the same module `path#2`.
    """
    classes: dict[str, str] = {}
    paths = _from_neighbours(rows, [_path(row, classes) for row in rows])
    modules = _without_numbers(rows, paths)
    placed = _into_leaves(rows, modules, paths, classes)
    scopes = {scope for path, leaf in placed for scope in _above(path, leaf)}
    taken: set[str] = set()
    named: list[tuple[str, str]] = []
    turns: dict[str, dict[str, int]] = defaultdict(dict)
    counts: Counter[str] = Counter()
    for row, raw, (module, leaf) in zip(rows, paths, placed, strict=True):
        if leaf and module not in scopes:
            counts[module] += 1
            name = module if counts[module] == 1 else f"{module}#{counts[module]}"
        else:
            seen = turns[module]
            turn = seen.setdefault(raw, len(seen) + 1) if raw else 1
            scope = f"{module}#{turn}" if turn > 1 and module else module
            label = _label(row)
            name = f"{scope}.{label}" if scope else label
        if name in taken:
            number = counts[f"{name} "] = counts[f"{name} "] or 1
            while f"{name}_{number}" in taken:
                number += 1
            counts[f"{name} "] = number + 1
            name = f"{name}_{number}"
        taken.add(name)
        named.append((name, module))
    return named, {path: name.rpartition(".")[2] for path, name in classes.items() if path}


def _label(row: Lowered) -> str:
    return _clean(row.op.type) or "call"


def _clean(part: str) -> str:
    """A part of a path in letters that a path can have."""
    return re.sub(r"[^\w\-()\[\]:+]+", "_", part).strip("_")[:120]


def _joined(parts: Sequence[str]) -> str:
    """Parts as a path.  What the older exporter writes as `layer1/layer1.0/conv1` is `layer1.0.conv1`."""
    path: list[str] = []
    for part in parts:
        if path and part.startswith(f"{path[-1]}."):
            path.pop()
        path.append(part)
    words = [_clean(word) for part in path for word in part.split(".")]
    words = [word for word in words if word]
    if len(words) > _DEEPEST:
        words = [*words[: _DEEPEST - 1], "_".join(words[_DEEPEST - 1 :])[:120]]
    return ".".join(words)


def _path(row: Lowered, classes: dict[str, str]) -> str | None:
    """The path of the module that a call is in, with the numbers of repeated calls as the file writes them.

    None where the file says nothing of it.
    """
    call = row.call
    scopes = _list(call.notes.get("pkg.torch.onnx.name_scopes", ""))
    # A convolution that a batch normalisation was folded into has the notes of that.
    folded = "FuseBatchNorm" in call.notes.get("pkg.onnxscript.rewriter.rule_name", "")
    if len(scopes) > 1 and not (folded and _of_weights(row)) and not scopes[0]:
        names = _list(call.notes.get("pkg.torch.onnx.class_hierarchy", ""))
        for scope, name in zip(scopes[:-1], names[:-1], strict=False):
            classes.setdefault(_joined([scope]), name)
        return _joined([scopes[-2]])
    outer = [part for function in call.functions for part in function.split("/") if part]
    if "/" in call.name:
        return _joined([*outer, *[part for part in call.name.split("/")[:-1] if part]])
    owner = _of_weights(row)
    if owner:
        return _joined([*outer, owner])
    generated = re.fullmatch(rf"(node_)?(n\d+|{re.escape(call.op)})?[._]?\d*", call.name, re.IGNORECASE)
    if call.name and not generated and not call.name.startswith("node_"):
        return _joined([*outer, call.name])
    return _joined(outer) or None


def _from_neighbours(rows: Sequence[Lowered], paths: Sequence[str | None]) -> list[str]:
    """The paths, with the scope that its neighbours share for each call that the file says nothing of.

    A sum between a layer of `block1.residual` and one of `block1` is in `block1`.
    """
    makers = {id(tensor): index for index, row in enumerate(rows) for tensor in row.outputs}
    sources = [[makers[id(t)] for t in row.reads if id(t) in makers] for row in rows]
    readers: list[list[int]] = [[] for _ in rows]
    for index, made in enumerate(sources):
        for source in made:
            readers[source].append(index)
    after: list[str] = [""] * len(rows)  # the nearest path behind each call
    for index in reversed(range(len(rows))):
        path = paths[index]
        after[index] = path if path is not None else next((after[r] for r in readers[index] if after[r]), "")
    before: list[list[str]] = []  # the nearest paths before each call
    found: list[str] = []
    for index, path in enumerate(paths):
        if path is not None:
            found.append(path)
            before.append([path])
            continue
        known = list(dict.fromkeys(p for source in sources[index] for p in before[source]))[:4]
        before.append(known)
        found.append(max((_common(p, after[index]) for p in known), key=len, default=""))
    return found


def _common(one: str, other: str) -> str:
    """The innermost scope that two modules are in."""
    shared = []
    for a, b in zip(one.split(".")[:-1], other.split(".")[:-1], strict=False):
        if a != b:
            break
        shared.append(a)
    return ".".join(shared)


def _of_weights(row: Lowered) -> str:
    """The module that a call's stored tensors are called after."""
    for _, tensor, _ in row.weights:
        found = _OF_WEIGHTS.match(tensor.stored[0].name)
        if found and "/" not in found[1] and "::" not in found[1]:
            return found[1]
    return ""


def _list(text: str) -> list[str]:
    """A list of texts as Python writes it; empty for anything else."""
    if not text.startswith("[") or len(text) > _LONGEST:
        return []
    try:
        found = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return []
    return found if all(isinstance(part, str) for part in found) else []


def _without_numbers(rows: Sequence[Lowered], paths: Sequence[str]) -> list[str]:
    """The paths with `relu` for `relu_1` where that is a second call of the same module.

    It is where a `relu` stands beside it that reads the same stored tensors, or none as well.
    """
    reads: dict[str, set[str]] = defaultdict(set)
    for row, path in zip(rows, paths, strict=True):
        stored = {entry.name for _, tensor, _ in row.weights for entry in tensor.stored}
        for prefix in (path, *_above(path, True)):
            reads[prefix] |= stored
    known: dict[str, str] = {}

    def plain(path: str) -> str:
        if path in known or not path:
            return known.get(path, "")
        above, _, last = path.rpartition(".")
        numbered = _NUMBERED.match(last)
        if numbered:
            first = f"{above}.{numbered[1]}" if above else numbered[1]
            if first in reads and reads[first] == reads[path]:
                last = numbered[1]
        outer = plain(above)
        known[path] = f"{outer}.{last}" if outer else last
        return known[path]

    return [plain(path) for path in paths]


def _into_leaves(
    rows: Sequence[Lowered], modules: Sequence[str], raw: Sequence[str], classes: dict[str, str]
) -> list[tuple[str, bool]]:
    """For each row its module, and whether it is the whole of the module's call."""
    inside: dict[str, list[int]] = defaultdict(list)
    for index, module in enumerate(modules):
        inside[module].append(index)
    holders = {scope for module in inside for scope in _above(module, True)}
    placed = [(module, False) for module in modules]
    for module, indices in inside.items():
        if not module or module in holders:
            continue
        mains = [index for index in indices if rows[index].op.category != "shape"] or indices
        name = classes.get(module, "")
        if name.startswith(_TORCH) and not name.startswith(_CONTAINERS):
            # Reshapes before and after a layer are written down as its own, and are its caller's.
            if len({rows[index].op.type for index in mains}) == 1:
                outer = module.rpartition(".")[0]
                for index in indices:
                    placed[index] = (module, True) if index in mains else (outer, False)
        elif not name and len(indices) == len({raw[index] for index in indices}):
            for index in indices:
                placed[index] = (module, True)
    return placed


def _above(path: str, leaf: bool) -> list[str]:
    """The scopes around a path; the path among them unless it is a leaf."""
    found = [] if leaf or not path else [path]
    while "." in path:
        path = path.rpartition(".")[0]
        found.append(path)
    return found
