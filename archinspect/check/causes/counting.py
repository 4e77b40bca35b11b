"""Hypotheses about totals: units, other tools' rules, other variants of the network, parts left out or counted twice.

All are generated from the graph, for whatever size the claim states, so that one list serves parameters, bytes, MACs,
FLOPs and activations.  Nothing here looks at the printed number: `hypotheses.weigh` does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import combinations
from math import prod

from ... import units as units_of
from ...graph import Graph, Node
from ..conventions import CONVENTIONS, count
from ..evidence import TOOLS
from ..hypotheses import Hypothesis, Kind, Step
from ..layers import described
from ..ledger import Claim
from ..networks import Networks, title
from ..printed import show
from ..quantities import BYTES, size, statistics
from ..roles import STORED
from ..select import Selection, has_weights

_CLASSES = (2, 10, 20, 100, 101, 102, 120, 200, 365, 1001, 1024, 10_450, 21_841, 21_843)
_INPUTS = (112, 128, 160, 192, 224, 227, 256, 288, 299, 320, 331, 384, 448, 512)
_USUAL_INPUTS = (224, 227, 256, 299)
_BATCHES = (2, 4, 8, 10, 16, 32, 64, 100, 128, 256)
#: quantities in which parameters are counted, and how many bytes or numbers each is
_PARAMETERS = {"params": 1, "trainable": 1, "weight_bytes": BYTES}
_WORK = ("macs", "flops")
_MOST_OF_THREE = 24  # ways that are combined three at a time


@dataclass(frozen=True)
class Way:
    """A way of counting: by what it changes the figure, what it did, and what undoes it."""

    amount: int
    words: str
    undone: str
    key: str
    tier: float = 1
    kind: Kind = "counting"

    def hypothesis(self, right: int, each: int) -> Hypothesis:
        amount = Fraction(self.amount * each)
        size = units_of.fixed(right + self.amount * each, 2**20, 2) if each == BYTES else ""
        return Hypothesis(
            right + amount,
            f"{self.words}: {size} MiB" if size else self.words,
            self.tier,
            self.kind,
            (self.key,),
            (Step(amount, self.words, self.undone),),
        )


class Counting:
    """The hypotheses about the sizes of some networks, each list made once for all that share the networks."""

    def __init__(self, networks: Networks) -> None:
        self.networks = networks

    def of(self, claim: Claim, graph: Graph, chosen: Selection) -> tuple[Hypothesis, ...]:
        """Every other figure that the claim's quantity has when it is counted in another way."""
        unit = claim.stated.text.strip() if claim.stated.unit else ""
        key = (claim.model, tuple(node.name for node in chosen.nodes), claim.quantity, unit)
        made: dict[object, tuple[Hypothesis, ...]] = self.networks.kept
        if key not in made:
            right = size(chosen.nodes, claim.quantity)
            found = list(self._all(claim, graph, chosen, right)) if right else []
            made[key] = tuple(h for h in found if h.value != right)
        return made[key]

    def _all(self, claim: Claim, graph: Graph, chosen: Selection, right: int) -> Iterator[Hypothesis]:
        quantity = claim.quantity
        single = [*units(claim, Fraction(right)), *_meanings(chosen, quantity, right)]
        if quantity.endswith("_bytes"):
            single += _widths_of_values(right)
        variants = list(self._variants(claim, chosen, quantity))
        ways: list[Hypothesis] = []
        if quantity in _PARAMETERS:
            each = _PARAMETERS[quantity]
            ways = [w.hypothesis(right, each) for w in _parameters(graph, chosen, quantity) if w.amount]
        elif quantity in (*_WORK, *STORED):
            ways = [w.hypothesis(right, 1) for w in _parts(graph, chosen, quantity) if w.amount]
            single += self._inputs(claim, chosen, quantity)
            single += _batches(right)
            if quantity in _WORK:
                single += _tools(graph, chosen, quantity)
        ways = [way for way in ways if way.value > 0]
        yield from (*single, *variants, *ways)
        yield from _together(right, ways)
        # another unit or meaning of another variant or way of counting
        for other in (*variants, *(way for way in ways if way.tier <= 1)):
            yield from units(claim, other.value, base=other)
        if quantity in _WORK:
            yield from self._meant_otherwise(claim, chosen, quantity)

    def _variants(self, claim: Claim, chosen: Selection, quantity: str) -> Iterator[Hypothesis]:
        """Other networks of the family, and arguments that are other ones, in the same part of the network."""
        for other in self.networks.variants(claim.model):
            value = _in(other, chosen, quantity)
            if value:
                where = "" if chosen.whole else f" {', '.join(chosen.paths[:2])}"
                words = f"it is {title(other)}{where}, which has {show(value)}"
                # Its own arguments come before its relatives.
                own = other.name == self.networks.graph(claim.model).name
                yield Hypothesis(
                    Fraction(value),
                    words,
                    1 if own else 1.5,
                    "variant",
                    (f"variant {_switch(other) if own else other.name}",),
                    other=other,
                )

    def _meant_otherwise(self, claim: Claim, chosen: Selection, quantity: str) -> Iterator[Hypothesis]:
        """MACs called FLOPs, or the other way round, of a variant."""
        for other in self.networks.variants(claim.model):
            nodes = _twins(other, chosen)
            if not nodes:
                continue
            there = Selection(chosen.paths, nodes, chosen.whole)
            for meaning in _meanings(there, quantity, size(nodes, quantity) or 0):
                words = f"{meaning.words}; and it is {title(other)}"
                keys = (*meaning.keys, f"variant {_switch(other) or other.name}")
                near = other.name == self.networks.graph(claim.model).name
                yield replace(meaning, words=words, tier=2 if near else 3, keys=keys, other=other, steps=())

    def _inputs(self, claim: Claim, chosen: Selection, quantity: str) -> Iterator[Hypothesis]:
        """Another size of the input."""
        for side in _INPUTS:
            other = self.networks.resized(claim.model, side)
            value = None if other is None else _in(other, chosen, quantity)
            if other is not None and value:
                words = f"counted for an input of {side}×{side}, which gives {show(value)}"
                tier = 2 if side in _USUAL_INPUTS else 2.4
                yield Hypothesis(Fraction(value), words, tier, "variant", (f"input {side}",))


def elsewhere(networks: Networks, claim: Claim) -> Iterator[Hypothesis]:
    """Any other shipped network's total, for a number that gives every digit."""
    for other in networks.strangers(claim.model):
        value = size(other.layers, claim.quantity)
        if value:
            words = f"it is {title(other)}, which has {show(value)}"
            yield Hypothesis(Fraction(value), words, 3, "variant", (f"variant {other.name}",), other=other)


def _switch(graph: Graph) -> str:
    return ", ".join(f"{name}={value}" for name, value in graph.arguments.items() if isinstance(value, bool))


def _in(graph: Graph, chosen: Selection, quantity: str) -> int | None:
    """The size of the same layers of another network; None where it has not all of them."""
    nodes = _twins(graph, chosen)
    return size(nodes, quantity) if nodes else None


def _twins(graph: Graph, chosen: Selection) -> tuple[Node, ...]:
    if chosen.whole:
        return graph.layers
    found = [graph.by_name.get(node.name) for node in chosen.nodes]
    return () if None in found else tuple(node for node in found if node is not None)


def units(claim: Claim, right: Fraction, base: Hypothesis | None = None) -> Iterator[Hypothesis]:
    """K, M and G read as powers of 1024 where powers of 1000 are meant, and the other way round."""
    stated = claim.stated
    unit = stated.unit.upper()[:1]
    words = base.words if base else ""
    keys, tier = (base.keys, base.tier + 1) if base else ((), 1.0 if claim.quantity in _PARAMETERS else 1.5)
    for power, name in enumerate(("K", "M", "G"), 1):
        own = unit == name
        if len(stated.scales) > 1 or not (
            own or (not base and _may_be(name, unit, stated.claims_all_digits))
        ):
            continue
        for ratio, text in (
            (Fraction(1000, 1024) ** power, "{} in {}i, printed as {}"),
            (Fraction(1024, 1000) ** power, "{} in {}, printed as {}i"),
        ):
            figure = text.format(show(right), name, name) if unit else _bare(right, ratio)
            if unit and not own:  # a figure in G that was worked out of one in M
                powers = [f"2{'¹²³'[power - 1]}⁰", f"10{'³⁶⁹'[power - 1]}"]
                taken, meant = powers if ratio > 1 else reversed(powers)
                figure = f"{show(right)} worked out in {name}, with {taken} for {meant}"
            said = f"{stated.text.strip()} is {figure}"
            yield Hypothesis(
                right * ratio,
                ", and ".join(filter(None, [words, said])),
                (tier if own or not unit else 4) + (2 if ratio > 1 and unit else 0),
                "unit",
                (
                    *keys,
                    f"{name} means {'2' + '¹²³'[power - 1] + '⁰' if ratio < 1 else '1000' + ' ²³'[power - 1].strip()}",
                ),
                (Step(right * (ratio - 1), said, f"{name} read as printed"),),
                base.other if base else None,
            )


def _may_be(name: str, unit: str, all_digits: bool) -> bool:
    """Whether a figure may be in K, M or G though it does not say so: a bare one in K, one in G computed from M."""
    return (name == "K" and not unit and all_digits) or (name == "M" and unit == "G")


def _bare(right: Fraction, ratio: Fraction) -> str:
    way = "K = 1024 for 1000" if ratio > 1 else "K = 1000 for 1024"
    return f"{show(right)} with {way}"


def _widths_of_values(right: int) -> Iterator[Hypothesis]:
    """Bytes of values that have another precision than fp32."""
    for each, name, tier in ((2, "fp16", 1.1), (1, "int8", 1.5), (8, "fp64", 2.5)):
        value = Fraction(right * each, BYTES)
        size = units_of.fixed(value.numerator, value.denominator * 2**20, 2)
        words = f"{each} bytes each ({name}), not {BYTES}: {size} MiB"
        step = Step(value - right, words, f"{BYTES} bytes each")
        yield Hypothesis(value, words, tier, "convention", (f"{each} bytes",), (step,))


def _meanings(chosen: Selection, quantity: str, right: int) -> Iterator[Hypothesis]:
    """FLOPs that are MACs, and the other way round."""
    macs, flops = size(chosen.nodes, "macs"), size(chosen.nodes, "flops")

    def made(value: int, words: str, key: str, undone: str) -> Hypothesis:
        amount = Fraction(value - right)
        return Hypothesis(Fraction(value), words, 0.9, "convention", (key,), (Step(amount, words, undone),))

    if quantity == "flops" and macs:
        words = f"these are multiply-accumulates, of which it has {show(macs)}"
        yield made(macs, words, "MACs", "MACs")
        words = f"twice its {show(macs)} multiply-accumulates, and no other operation"
        yield made(2 * macs, words, "2 MACs", "other operations added")
    if quantity == "macs" and macs:
        words = f"twice its {show(macs)} multiply-accumulates: FLOPs"
        yield made(2 * macs, words, "2 MACs", "FLOPs")
        if flops:
            yield made(flops, f"these are FLOPs, of which it has {show(flops)}", "FLOPs", "FLOPs")


def _tools(graph: Graph, chosen: Selection, quantity: str) -> Iterator[Hypothesis]:
    """The counts of other tools, in their own unit and in multiply-accumulates."""
    names = {node.name for node in chosen.nodes}
    right = size(chosen.nodes, quantity) or 0
    for name, convention in CONVENTIONS.items():
        counts = count(graph, name)
        macs = counts.macs if chosen.whole else sum(r.count for r in counts.rows if r.name in names)
        tool = TOOLS.get(name, name)
        figures = {macs} if quantity == "macs" else {macs, 2 * macs}
        for value in sorted({*figures, convention.per_mac * macs}):
            if value:
                words = f"{tool}'s rules give {show(value)}"
                yield Hypothesis(
                    Fraction(value),
                    words,
                    1.1,
                    "convention",
                    (f"{name} × {value // macs}",),
                    (Step(Fraction(value - right), words, f"{tool}'s rules"),),
                )


def _batches(right: int) -> Iterator[Hypothesis]:
    for batch in _BATCHES:
        words = f"counted for a batch of {batch}, not for one image ({show(right * batch)})"
        yield Hypothesis(Fraction(right * batch), words, 2.5, "convention", (f"batch {batch}",))


def _left_out(chosen: Selection, quantity: str, each: int = 1) -> Iterator[Way]:
    """Layers of one type left out, and the last layer with weights alone: the head."""
    kinds: dict[str, list[Node]] = {}
    for node in chosen.nodes:
        kinds.setdefault(node.op.type, []).append(node)
    for kind, members in kinds.items():
        amount = (size(tuple(members), quantity) or 0) // each
        if len(kinds) > 1:
            yield Way(-amount, f"{kind} is left out ({show(amount)})", f"{kind} added", f"no {kind}")
    weighted = chosen.weighted
    if chosen.whole and len(weighted) > 1 and len(kinds.get(weighted[-1].op.type, ())) > 1:
        amount = (size(weighted[-1:], quantity) or 0) // each
        words = f"without its head, {weighted[-1].name} ({show(amount)})"
        yield Way(-amount, words, "the head added", "headless")


def _parts(graph: Graph, chosen: Selection, quantity: str) -> Iterator[Way]:
    """Work and activations: what is left out, and grouped convolutions counted as full ones."""
    yield from _left_out(chosen, quantity)
    if quantity not in _WORK:
        return
    biases = sum(node.cost.bias_adds for node in chosen.nodes if node.cost)
    if quantity == "macs":
        words = f"one operation more for each bias added ({show(biases)})"
        yield Way(biases, words, "bias additions removed", "bias additions")
    grouped = [node for node in chosen.weighted if getattr(node.op, "groups", 1) > 1 and node.cost]
    per = 1 if quantity == "macs" else 2
    full = sum(per * node.cost.macs * (getattr(node.op, "groups", 1) - 1) for node in grouped if node.cost)
    yield Way(full, f"groups are ignored ({show(full)} too many)", "groups applied", "groups ignored")


def _parameters(graph: Graph, chosen: Selection, quantity: str) -> Iterator[Way]:
    """Parameters: what is left out, what is counted that is none, and what is there in another number."""
    yield from _left_out(chosen, quantity, _PARAMETERS[quantity])
    weighted = chosen.weighted
    biases = [s[0] for n in weighted for s in n.weights.values() if len(s) == 1]
    yield Way(-sum(biases), f"biases are left out ({show(sum(biases))})", "biases added", "no biases")
    if len(biases) > 1:
        amount = sum(biases) - len(biases)
        words = f"one bias is counted for a whole layer ({show(amount)} too few)"
        yield Way(-amount, words, "biases added", "one bias a layer", 2)
    bare = [n for n in weighted if "bias" not in n.weights and n.op.category == "convolution"]
    added = sum(described(node).outputs for node in bare)
    words = f"the convolutions are counted with biases, which they do not have ({show(added)})"
    yield Way(added, words, "biases removed", "biases", 1.2)
    norms = [node for node in chosen.nodes if node.op.type.startswith("batch_norm")]
    if quantity != "trainable":
        kept = statistics(norms)
        words = f"BatchNorm's running statistics are counted as parameters ({show(kept)})"
        yield Way(kept, words, "BatchNorm statistics removed", "statistics", 0.9, "convention")
        words = f"all buffers are counted, too ({show(kept + len(norms))})"
        every = kept + len(norms) if kept else 0
        yield Way(every, words, "buffers removed", "buffers", 1.2, "convention")
    half = sum(node.weights["weight"][0] for node in norms if {"weight", "bias"} <= node.weights.keys())
    words = f"BatchNorm is counted without its scale γ: one parameter a channel, not two ({show(half)} less)"
    yield Way(-half, words, "BatchNorm's scale added", "no γ")
    full = sum(map(_ungrouped, weighted))
    yield Way(full, f"groups are ignored ({show(full)} too many)", "groups applied", "groups ignored")
    if chosen.whole or len(weighted) > 1:
        first = sum(_without_inputs(node) for node in weighted if node.op.category == "convolution")
        words = f"the convolutions are counted without their input channels ({show(first)} too few)"
        yield Way(-first, words, "input channels", "no input channels", 2)
    yield from _before_pooling(graph, chosen)
    if chosen.whole:
        yield from _other_classes(graph)


def _ungrouped(node: Node) -> int:
    """What a grouped convolution has more when its groups are ignored."""
    groups = int(getattr(node.op, "groups", 1))
    return (groups - 1) * sum(prod(s) for s in node.weights.values() if len(s) >= 2) if groups > 1 else 0


def _without_inputs(node: Node) -> int:
    layer = described(node)
    return prod(layer.kernel) * (layer.inputs - 1) * layer.outputs


def _before_pooling(graph: Graph, chosen: Selection) -> Iterator[Way]:
    """Fully connected layers counted on the map before the pooling."""
    names = {node.name for node in chosen.nodes}
    for node in graph.layers:
        if node.name in names and node.op.type == "linear":
            features = unpooled(graph, node)
            if features:
                inputs = node.input_shapes[0][-1]
                amount = (features - inputs) * node.output_shape[-1]
                words = f"{node.name} is counted before the pooling: {features:,} inputs, not {inputs:,}"
                yield Way(amount, words, "input widths", "before the pooling", 2)


def unpooled(graph: Graph, node: Node) -> int:
    """The features that a fully connected layer would read if the pooling before it were left out; 0 without one."""
    while node.inputs:
        source = graph.nodes[node.inputs[0]]
        if source.op.category == "pooling":
            return prod(source.input_shapes[0][1:])
        if source.op.category not in ("shape", "regularisation", "activation"):
            return 0
        node = source
    return 0


def _other_classes(graph: Graph) -> Iterator[Way]:
    """Another number of classes in the last layer."""
    classes, last = graph.arguments.get("num_classes"), graph.layers[-1]
    for node in graph.layers:
        last = node if has_weights(node) else last
    if not isinstance(classes, int) or not has_weights(last) or described(last).outputs != classes:
        return
    layer = described(last)
    each = layer.count // layer.outputs
    for other in _CLASSES:
        if other != classes:
            words = f"{other:,} classes instead of {classes:,} in {last.name}"
            yield Way((other - classes) * each, words, "classes", f"{other} classes", 2)


def _together(right: int, ways: list[Hypothesis]) -> Iterator[Hypothesis]:
    """Two or three ways at once, of different kinds."""
    few = sorted(ways, key=lambda way: way.tier)[:_MOST_OF_THREE]
    for several in (*combinations(ways, 2), *combinations(few, 3)):
        if _exclude(several):
            continue
        amount = sum((way.value - right for way in several), Fraction(0))
        yield Hypothesis(
            right + amount,
            ", and ".join(way.words for way in several),
            max(way.tier for way in several) + len(several) - 1,
            next((way.kind for way in several if way.kind == "counting"), several[0].kind),
            tuple(key for way in several for key in way.keys),
            tuple(step for way in several for step in way.steps),
        )


#: ways that cannot be taken at once
_EXCLUSIVE = (
    {"no biases", "one bias a layer", "biases"},
    {"statistics", "buffers", "no batch_norm2d"},
    {"no γ", "no batch_norm2d"},
    {"headless", "no linear", "before the pooling"},
)


def _exclude(several: Iterable[Hypothesis]) -> bool:
    keys = [key for way in several for key in way.keys]
    if sum(key.endswith(" classes") for key in keys) + ("headless" in keys) + ("no linear" in keys) > 1:
        return True
    return len(set(keys)) < len(keys) or any(len(group & set(keys)) > 1 for group in _EXCLUSIVE)
