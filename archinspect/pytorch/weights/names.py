"""Which tensor of a checkpoint is which of ours: by names, by the spec's rules, or by structure and shape."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from ...errors import ArchinspectError, fail
from ...ops import Shape, show_shape

Shapes = Mapping[str, Shape]

#: counted by batch norms in training; checkpoints older than PyTorch 0.4.1 do not have it, and it starts at zero
_COUNTER = "num_batches_tracked"
_SHOWN = 5


class WeightName(Protocol):
    """A rule of the spec: what a checkpoint calls the tensors of some layers."""

    @property
    def ours(self) -> str: ...
    @property
    def theirs(self) -> str: ...
    def rename(self, key: str) -> str | None: ...
    def knows(self, key: str) -> bool: ...


def their_name(rules: Sequence[WeightName], key: str) -> str:
    """What a checkpoint calls our key by the first rule that is for it; the same name where none is."""
    return next((name for rule in rules if (name := rule.rename(key)) is not None), key)


def pair(ours: Shapes, theirs: Shapes, rules: tuple[WeightName, ...]) -> dict[str, str]:
    """Our name of each tensor and the checkpoint's; `num_batches_tracked` may be missing there.

    First the rules of the spec, with our own name where none is for a tensor; then our own names; then structure: a
    layer that is alone in having weights of its shapes, and, among layers of equal shapes, those whose names differ in
    numbers only, in the order of these numbers.  Raises ArchinspectError: A502 where the weights are not this
    network's, A503 where more than one pairing would fit.
    """
    tried = [{name: their_name(rules, name) for name in ours}, {name: name for name in ours}]
    for names in tried:
        found = {name: theirs_name for name, theirs_name in names.items() if theirs_name in theirs}
        if any(name not in found and not name.endswith(_COUNTER) for name in ours):
            continue
        if len(set(found.values())) < len(found):
            continue  # a rule gives one name to two
        surplus = [
            n for n in theirs if n not in set(found.values()) and not _is_left_out(n, rules, names.values())
        ]
        if not surplus:
            _refuse_other_shapes(found, ours, theirs)
            return found
    named = max(tried, key=lambda names: sum(name in theirs for name in names.values()))
    if 2 * sum(name in theirs for name in named.values()) >= len(ours):
        raise _misfit(named, theirs, rules)  # these are the names; something is missing or too much
    return _by_structure(ours, theirs)


def _is_left_out(name: str, rules: Sequence[WeightName], used: Iterable[str]) -> bool:
    """Whether a tensor belongs to a layer that the spec knows and this network is without, as a switched-off head."""
    if name.endswith(_COUNTER):
        return True
    return any(rule.knows(name) and not any(map(rule.knows, used)) for rule in rules)


def _refuse_other_shapes(found: Mapping[str, str], ours: Shapes, theirs: Shapes) -> None:
    wrong = [(o, t) for o, t in found.items() if ours[o] != theirs[t]]
    if wrong:
        notes = [f"{o} {show_shape(ours[o])} ≠ {t} {show_shape(theirs[t])}" for o, t in wrong]
        raise fail(
            "A502",
            f"{_count(len(wrong), 'weight')} of the file {'has' if len(wrong) == 1 else 'have'} another shape",
            notes=_some(notes),
            help="build the network with the arguments that the weights were trained with",
        )


def _misfit(names: Mapping[str, str], theirs: Shapes, rules: Sequence[WeightName]) -> ArchinspectError:
    missing = [f"{t} (our {o})" if o != t else o for o, t in names.items() if t not in theirs]
    missing = [text for text in missing if _COUNTER not in text]
    used = set(names.values())
    surplus = [n for n in theirs if n not in used and not _is_left_out(n, rules, used)]
    notes = [
        *(f"missing: {name}" for name in _some(missing)),
        *(f"not ours: {name}" for name in _some(surplus)),
    ]
    return fail(
        "A502",
        "the weights are not those of this network",
        notes=notes,
        help="are they of another variant of it? --set changes its arguments",
    )


# By structure


def _by_structure(ours: Shapes, theirs: Shapes) -> dict[str, str]:
    mine, its = _by_signature(ours), _by_signature(theirs)
    if {key: len(layers) for key, layers in mine.items()} != {
        key: len(layers) for key, layers in its.items()
    }:
        raise _other_layers(mine, its)
    paired: dict[str, str] = {}
    for signature, layers in mine.items():
        others = its[signature]
        if len(layers) > 1:
            if len({_masked(layer) for layer in layers}) > 1 or len({_masked(layer) for layer in others}) > 1:
                raise _ambiguous(layers, others, signature)
            layers, others = sorted(layers, key=_numbers), sorted(others, key=_numbers)
        for layer, other in zip(layers, others, strict=True):
            paired |= {_join(layer, name): _join(other, name) for name, _ in signature}
    counters = {name: _join(paired[weight].rpartition(".")[0], _COUNTER) for name, weight in _counters(ours)}
    return paired | {name: other for name, other in counters.items() if other in theirs}


Signature = tuple[tuple[str, Shape], ...]


def _by_signature(shapes: Shapes) -> dict[Signature, list[str]]:
    """Layers by the names and shapes of their weights; the counters of batch norms do not tell layers apart."""
    layers: dict[str, list[tuple[str, Shape]]] = defaultdict(list)
    for path, shape in shapes.items():
        layer, _, name = path.rpartition(".")
        if name != _COUNTER:
            layers[layer].append((name, shape))
    found: dict[Signature, list[str]] = defaultdict(list)
    for layer, held in layers.items():
        found[tuple(sorted(held))].append(layer)
    return found


def _counters(ours: Shapes) -> Iterable[tuple[str, str]]:
    """Our counters, each with a weight of its layer."""
    for name in ours:
        if name.endswith(f".{_COUNTER}"):
            layer = name.removesuffix(_COUNTER)
            yield name, next(n for n in ours if n.startswith(layer) and n != name)


def _masked(layer: str) -> str:
    return re.sub("[0-9]+", "#", layer)


def _numbers(layer: str) -> list[int]:
    return [int(number) for number in re.findall("[0-9]+", layer)]


def _join(layer: str, name: str) -> str:
    return f"{layer}.{name}" if layer else name


def _ambiguous(layers: Sequence[str], others: Sequence[str], signature: Signature) -> ArchinspectError:
    shapes = ", ".join(f"{name} {show_shape(shape)}" for name, shape in signature)
    return fail(
        "A503",
        f"{len(layers)} layers have weights of the same shapes, and names do not say which is which",
        notes=[shapes, "ours: " + ", ".join(_some(layers)), "theirs: " + ", ".join(_some(others))],
        help="say in the spec what the file calls them, for example weights: {"
        + f"{layers[0]}: {others[0]}"
        + "}",
    )


def _other_layers(
    mine: Mapping[Signature, list[str]], its: Mapping[Signature, list[str]]
) -> ArchinspectError:
    notes: list[str] = []
    for signature in dict.fromkeys((*mine, *its)):
        here, there = len(mine.get(signature, ())), len(its.get(signature, ()))
        if here != there:
            shapes = ", ".join(f"{name} {show_shape(shape)}" for name, shape in signature)
            example = (mine.get(signature) or its[signature])[0]
            notes.append(f"{shapes}: {here} here, {there} in the file (such as {example})")
    return fail(
        "A502",
        "the weights are not those of this network: its layers have other shapes",
        notes=_some(notes),
        help="build the network with the arguments that the weights were trained with",
    )


def _some(texts: Sequence[str]) -> list[str]:
    rest = len(texts) - _SHOWN
    return [*texts[:_SHOWN], f"and {rest} more"] if rest > 1 else list(texts)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"
