"""The graph witness: what the network itself says of a claim's quantity."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from math import prod

from ..analysis.memory import activation_bytes
from ..analysis.receptive_field import receptive_fields
from ..graph import Graph, Node, width_dimension
from .printed import Agreement, Printed, show
from .roles import SHARES, SIZES
from .select import Selection, has_weights

BYTES = 4  # fp32
_FLOAT_STEP = Fraction(1, 2**52)  # distance of neighbouring floats of 64 bits, relatively
_COUNTER = "num_batches_tracked"


@dataclass(frozen=True)
class Reading:
    """Another figure that a quantity's name may mean, and the words for it: FLOPs as 2 per multiply-accumulate."""

    value: int
    words: str
    key: str = ""  # the name of this way of counting among the hypotheses


@dataclass(frozen=True)
class Truth:
    """A computed figure: one value, or the readings that a printed shape, kernel or sequence may have.

    `readings[0]` is the one to show.  `others` are figures of the same name that are as right where they are meant.
    `mixed` tells that the selected layers do not agree with each other.  `words` are the truth about words, `types` the
    names of the layers' ops, `share` the truth in %, `first_share` that with shared weights counted in the layer that
    uses them first.
    """

    readings: tuple[tuple[int, ...], ...]
    size: bool
    mixed: bool = False
    others: tuple[Reading, ...] = ()
    words: tuple[str, ...] = ()
    types: frozenset[str] = frozenset()
    share: Fraction | None = None
    first_share: Fraction | None = None

    @property
    def value(self) -> int | Fraction | None:
        """The figure when it is a single number."""
        if self.share is not None:
            return self.share
        first = self.readings[0]
        return first[0] if len(first) == 1 and not self.mixed else None

    def meant(self, stated: Printed) -> Reading | None:
        """The other reading of the quantity that the printed number agrees with, where the first does not."""
        if self.mixed or not self.others or self._agrees(stated) is not None:
            return None
        return next((other for other in self.others if stated.agrees(other.value)), None)

    def agrees(self, stated: Printed) -> Agreement | None:
        """How the printed number agrees with one of the readings, or None."""
        other = self.meant(stated)
        return self._agrees(stated) if other is None else stated.agrees(other.value)

    def _agrees(self, stated: Printed) -> Agreement | None:
        if self.mixed:
            return None
        if self.share is not None:
            shares = (share for share in (self.share, self.first_share) if share is not None)
            # CSV prints all digits of a float, whose last ones are the rounding of its division.
            right = (abs(stated.value - s) <= max(stated.step / 2, s * _FLOAT_STEP) for s in shares)
            return "rounded" if stated.form == "number" and any(right) else None
        if stated.form == "words":
            if re.split(r"\W", stated.text.strip(), maxsplit=1)[0] in self.types:
                return "exact"  # an op's own name, and perhaps its settings
            return None if set(kinds(stated.text)) - set(self.words) else "exact"
        if stated.form != "number":
            figures = tuple(int(value) for value in stated.values)
            return "exact" if figures in self.readings else None
        true = self.readings[0]
        if len(true) != 1:
            # "3" for a 3×3 kernel, "112" for maps of 112×112
            return "exact" if any(set(reading) == {stated.value} for reading in self.readings) else None
        agreement = stated.agrees(true[0])
        if agreement == "rounded" and not self.size and not (stated.about or stated.over or stated.under):
            return None
        return agreement

    @property
    def text(self) -> str:
        if self.words:
            return " + ".join(self.words)
        if self.share is not None:
            return f"{show(self.share)} %"
        joined = " or " if self.mixed else "×"
        return joined.join(show(value) for value in self.readings[0])


def measure(graph: Graph, chosen: Selection, quantity: str, stated: Printed) -> Truth | None:
    """The quantity over the selected layers; None when it cannot be computed.

    `stated` only says in which form the number is printed (a sequence `192 → 128`, a kernel with its depth).
    """
    if quantity in SIZES:
        value = size(chosen.nodes, quantity)
        if value is None:
            return None
        return Truth(((value,),), size=True, others=tuple(_others(graph, chosen, quantity, value)))
    if quantity in SHARES:
        return _share(graph, chosen, SHARES[quantity])
    if quantity == "count":
        return Truth(((len(chosen.paths),),), size=False)
    if quantity == "depth":
        return Truth(((depth(graph, chosen),),), size=False)
    if quantity in ("input_shape", "output_shape"):
        shapes = {_shape(graph, chosen, path, quantity) for path in chosen.paths}
        return (
            _orders(shapes.pop())
            if len(shapes) == 1
            else Truth((tuple(0 for _ in shapes),), False, mixed=True)
        )
    if quantity == "receptive_field":
        return _field(graph, chosen)
    if quantity == "type":
        types = frozenset(node.op.type for node in chosen.nodes)
        return Truth(((),), size=False, words=_types(graph, chosen), types=types)
    return _attribute(graph, chosen, quantity, stated)


def params(nodes: Iterable[Node]) -> int:
    """Learnable parameters of these layers; what several of them share counts once."""
    return sum(map(prod, _learnt(nodes)))


def weights(nodes: Iterable[Node]) -> int:
    return sum(prod(shape) for shape in _learnt(nodes) if len(shape) >= 2)


def _learnt(nodes: Iterable[Node]) -> Iterator[tuple[int, ...]]:
    """Shapes of the learnable tensors, each once."""
    seen: set[int] = set()
    for node in nodes:
        if node.parameters is None:
            yield from node.weights.values()
            continue
        for parameter in node.parameters.values():
            if not parameter.buffer and id(parameter) not in seen:
                seen.add(id(parameter))
                yield parameter.shape


def _macs(nodes: Iterable[Node]) -> int | None:
    costs = [node.cost for node in nodes]
    return None if None in costs else sum(cost.macs for cost in costs if cost)


def _flops(nodes: Iterable[Node]) -> int | None:
    costs = [node.cost for node in nodes]
    return None if None in costs else sum(cost.flops for cost in costs if cost)


def statistics(nodes: Iterable[Node]) -> int:
    """Running means and variances, and tables of indices: what Keras counts as parameters that are not trained.

    PyTorch's counter of batches has no counterpart there.
    """
    return sum(prod(shape) for node in nodes for name, shape in node.buffers.items() if name != _COUNTER)


def kept_beside(nodes: Iterable[Node]) -> str:
    """What the `statistics` of these layers are, in words."""
    names = {name for node in nodes for name in node.buffers if name != _COUNTER}
    running = all(name.startswith("running_") for name in names)
    return "BatchNorm's running statistics" if running else "buffers"


def frozen(nodes: Iterable[Node]) -> int:
    """Parameters that are not trained.  A spec freezes nothing."""
    tensors = [p for node in nodes for p in (node.parameters or {}).values()]
    return sum(p.numel for p in tensors if not (p.buffer or p.trainable))


def outputs(nodes: Iterable[Node]) -> int:
    """Values that the layers put out, none where they are another layer's (flatten, dropout in evaluation).

    Of a recurrent layer these are its last states, too, as in our own tables.
    """
    return sum(prod(value.shape) for node in nodes if not node.op.aliases for value in node.values)


def first_outputs(nodes: Iterable[Node]) -> int:
    """The same without what a layer puts out beside its first output."""
    return sum(prod(node.output_shape) for node in nodes if not node.op.aliases)


_SIZES: dict[str, Callable[[tuple[Node, ...]], int | None]] = {
    "params": params,
    "weights": weights,
    "trainable": lambda nodes: params(nodes) - frozen(nodes),
    "frozen": frozen,
    "non_trainable": frozen,
    "non_trainable_bytes": lambda nodes: frozen(nodes) * BYTES,
    "weight_bytes": lambda nodes: params(nodes) * BYTES,
    "activations": outputs,
    "activation_bytes": lambda nodes: sum(map(activation_bytes, nodes)),
    "forward_backward_bytes": lambda nodes: 2 * outputs(nodes) * BYTES,
    "macs": _macs,
    "flops": _flops,
}


def size(nodes: tuple[Node, ...], quantity: str) -> int | None:
    """One of the SIZES, summed over layers; None when it cannot be counted."""
    return _SIZES[quantity](nodes)


def _others(graph: Graph, chosen: Selection, quantity: str, value: int) -> Iterator[Reading]:
    """What else the name of a quantity is used for; none of it is an error."""
    nodes = chosen.nodes
    if quantity in ("params", "weight_bytes") and any(node.parameters for node in nodes):
        first = _first_used(graph, nodes) * (BYTES if quantity == "weight_bytes" else 1)
        if first != value:
            yield Reading(
                first, "weights that it shares are counted in the layer that uses them first", "shared"
            )
    if quantity == "flops":
        macs = _macs(nodes)
        if macs and 2 * macs != value:
            words = f"2 FLOPs for each of its {show(macs)} multiply-accumulates, and no other operation"
            yield Reading(2 * macs, f"{words}; with them {show(value)}", "2 MACs")
    kept = statistics(nodes)
    if quantity in ("non_trainable", "non_trainable_bytes") and kept:
        each = BYTES if quantity.endswith("bytes") else 1
        yield Reading(kept * each, f"non-trainable as in Keras: {kept_beside(nodes)}", "statistics")
    if quantity in ("activations", "activation_bytes", "forward_backward_bytes"):
        # Of ways that come to the same, the first is enough; what comes to our own figure is no other way.
        known = {value}
        for reading in _stored(graph, chosen, quantity):
            if reading.value not in known:
                known.add(reading.value)
                yield reading


def _stored(graph: Graph, chosen: Selection, quantity: str) -> Iterator[Reading]:
    """Which outputs are counted: activations in place, the input and layers without weights in or out."""
    each = {"activations": 1, "activation_bytes": BYTES}.get(quantity, 2 * BYTES)
    placed = outputs(node for node in chosen.nodes if node.op.category != "activation")
    yield Reading(placed * each, "activation functions work in place")
    if quantity == "activation_bytes":
        yield Reading(outputs(chosen.nodes) * each, f"{BYTES} bytes are counted for each value")
    yield Reading(first_outputs(chosen.nodes) * each, "only the first output of each layer is counted")
    if chosen.whole:
        image = prod(graph.input_shape)
        yield Reading((placed + image) * each, "activation functions work in place, and the input is counted")
        yield Reading((outputs(chosen.nodes) + image) * each, "the input is counted, too")
    if quantity == "forward_backward_bytes":
        learnt = outputs(node for node in chosen.nodes if node.weights)
        yield Reading(learnt * each, "outputs of layers with parameters only, as torchinfo counts")


def _share(graph: Graph, chosen: Selection, quantity: str) -> Truth | None:
    """The selected layers' part of the network's figure."""
    part, whole = size(chosen.nodes, quantity), size(graph.layers, quantity)
    if not whole or part is None:
        return None
    first = None
    if quantity in ("params", "weight_bytes") and any(node.parameters for node in chosen.nodes):
        first = Fraction(100 * _first_used(graph, chosen.nodes), params(graph.layers))
    return Truth(((),), size=False, share=Fraction(100 * part, whole), first_share=first)


def _first_used(graph: Graph, nodes: tuple[Node, ...]) -> int:
    """Learnable parameters of these layers that no layer before them uses."""
    inside = {node.name for node in nodes}
    return sum(graph.learnt[i] for i, node in enumerate(graph.nodes) if node.name in inside)


class _Fields:
    """The receptive fields of the network that was asked for last: a table asks for those of every layer."""

    def __init__(self) -> None:
        self._last: tuple[Graph, Sequence[int | tuple[int, ...] | None]] | None = None

    def of(self, graph: Graph) -> Sequence[int | tuple[int, ...] | None]:
        if self._last is None or self._last[0] is not graph:
            self._last = graph, receptive_fields(graph)
        return self._last[1]


_FIELDS = _Fields()


def _field(graph: Graph, chosen: Selection) -> Truth | None:
    """The receptive field of the last selected layer."""
    found = _FIELDS.of(graph)[graph.index[chosen.nodes[-1].name]]
    if found is None:
        return None
    return Truth(((found,) if isinstance(found, int) else tuple(found),), size=False)


#: words that tables and the names of ops use for kinds of layers → the kind; the first that matches
_KINDS: tuple[tuple[str, str], ...] = (
    (r"depth-?wise", "depthwise convolution"),
    (r"transposed?[- _]*conv|conv[- _]*([123][- _]*d)?[- _]*transposed?|deconv", "transposed convolution"),
    (r"conv", "convolution"),
    (r"fully[- ]connected|\bfc\b|dense|(?<!bi)linear|inner product", "fully connected"),
    (r"(global|adaptive)[a-z ]*(average|avg|mean)[a-z ]*pool|\bgap\b", "average pooling"),
    (r"(average|avg|mean)[- _a-z]*pool", "average pooling"),
    (r"max[- _a-z]*pool", "max pooling"),
    (r"batch[- _]*norm|\bbn\b", "batch normalisation"),
    (r"layer[- _]*norm|\bln\b", "layer normalisation"),
    (r"local[_ ]response|\blrn\b", "local response normalisation"),
    (r"relu6", "ReLU6"),
    (r"leaky[- _]*relu", "LeakyReLU"),
    (r"prelu|parametric relu", "PReLU"),
    (r"relu", "ReLU"),
    (r"hard[- _]*sigmoid", "hard sigmoid"),
    (r"log[- _]*sigmoid", "log sigmoid"),
    (r"sigmoid|logistic", "sigmoid"),
    (r"\btanh\b|hyperbolic tangent", "tanh"),
    (r"log[- _]*soft-?max", "log softmax"),
    (r"soft-?max", "softmax"),
    (r"gelu", "GELU"),
    (r"hard[- _]*swish", "hard swish"),
    (r"swish|silu", "SiLU"),
    (r"drop-?out", "dropout"),
    (r"(?<!un)flatten", "flatten"),
)


def kinds(text: str) -> tuple[str, ...]:
    """The kinds of layers that a text names, in its order: `Conv + ReLU`."""
    found: dict[int, str] = {}
    left = text.lower()
    for pattern, kind in _KINDS:
        for match in re.finditer(pattern, left):
            found.setdefault(match.start(), kind)
            left = left[: match.start()] + "·" * len(match[0]) + left[match.end() :]
    return tuple(found[place] for place in sorted(found))


def kind_of(op: str) -> str:
    """The kind of layers that an op is, by its name; the name itself where tables have no other words for it."""
    found = kinds(op.replace("_", " "))
    return found[0] if found else op


def _types(graph: Graph, chosen: Selection) -> tuple[str, ...]:
    """The kinds of the selected layers, and of the activations and other layers without weights right behind them."""
    nodes = list(chosen.nodes)
    last = graph.index[chosen.nodes[-1].name]
    for node in graph.nodes[last + 1 :]:
        if node.op.category not in ("activation", "normalisation", "regularisation", "dropout"):
            break
        nodes.append(node)
    found: dict[str, None] = {}
    for node in nodes:
        kind = kind_of(node.op.type)
        if kind == "convolution" and node.input_shapes[0][1] == getattr(node.op, "groups", 1):
            found["depthwise convolution"] = None
        found[kind] = None
    return tuple(found)


def depth(graph: Graph, chosen: Selection) -> int:
    """Layers with weights on the longest path through the selected layers."""
    inside = {node.name for node in chosen.nodes}
    longest: list[int] = []
    for node in graph.nodes:
        before = max((longest[source] for source in node.inputs), default=0)
        longest.append(before + (node.name in inside and has_weights(node)))
    return max(longest)


def _shape(graph: Graph, chosen: Selection, path: str, quantity: str) -> tuple[int, ...]:
    nodes = [
        node for node in chosen.nodes if not path or node.name == path or node.name.startswith(path + ".")
    ]
    if quantity == "output_shape":
        return nodes[-1].output_shape[1:]
    return nodes[0].input_shapes[0][1:] if path else graph.input_shape[1:]


def _orders(shape: tuple[int, ...]) -> Truth:
    """Channels last, as Keras and the lecture print shapes, or channels first; a batch of 1 may stand before them.

    A flat shape may be printed as 1×1×C, maps by their size alone (LeNet's 28×28), a vector of 1×1 maps as C.
    """
    if len(shape) == 1:
        return Truth((shape, (1, 1, *shape), (*shape, 1, 1), (1, *shape), (*shape, 1)), size=False)
    last = (*shape[1:], shape[0])
    maps = () if len(shape) < 3 else (shape[1:],)
    vector = ((shape[0],), (shape[0], 1), (1, shape[0])) if maps and prod(shape[1:]) == 1 else ()
    return Truth((last, shape, (1, *last), (1, *shape), *maps, *vector), size=False)


def kernel(node: Node) -> tuple[int, ...]:
    """Kernel height and width; empty for a layer without one."""
    size = getattr(node.op, "kernel_size", None)
    return tuple(size) if isinstance(size, tuple) else () if size is None else (size, size)


def _pair(node: Node, name: str) -> tuple[int, ...]:
    value = getattr(node.op, name, None)
    if value is None and name == "stride":  # pooling: the kernel size
        value = getattr(node.op, "kernel_size", None)
    if isinstance(value, tuple) and all(isinstance(item, int) for item in value):
        return value
    return (value, value) if isinstance(value, int) else ()


def _in_channels(graph: Graph, node: Node) -> tuple[int, ...]:
    shape = node.input_shapes[0]
    return (shape[width_dimension(graph.axes[node.inputs[0]], shape)],)


def _out_channels(graph: Graph, node: Node) -> tuple[int, ...]:
    shape = node.output_shape
    return (shape[width_dimension(graph.axes[graph.index[node.name]], shape)],)


_ATTRIBUTES: dict[str, Callable[[Graph, Node], tuple[int, ...]]] = {
    "in_channels": _in_channels,
    "out_channels": _out_channels,
    "kernel_size": lambda graph, node: kernel(node),
    "filter": lambda graph, node: (*kernel(node), *_out_channels(graph, node)),
    "stride": lambda graph, node: _pair(node, "stride"),
    "padding": lambda graph, node: _pair(node, "padding"),
    "groups": lambda graph, node: (int(getattr(node.op, "groups", 1)),),
}


def _attribute(graph: Graph, chosen: Selection, quantity: str, stated: Printed) -> Truth | None:
    """An attribute that all the selected layers share; of a scope, that of its layers with weights."""
    read = partial(_ATTRIBUTES[quantity], graph)
    nodes = chosen.weighted or chosen.nodes
    nodes = tuple(node for node in nodes if read(node))
    if not nodes:
        return None
    if stated.form == "sequence":
        whole = tuple(value for node in nodes for value in read(node))
        firsts = tuple(read(node)[0] for node in nodes)  # "1 → 3" for kernels of 1×1 and 3×3
        return Truth((whole,) if len(stated.values) == len(whole) else (firsts, whole), size=False)
    if quantity == "in_channels":
        nodes = tuple(first(chosen, nodes))
    if quantity == "out_channels":
        return _shared([_out_channels(graph, _end(chosen, path)) for path in chosen.paths])
    found = [read(node) for node in nodes]
    if quantity == "kernel_size" and len(stated.values) == 3:
        found = [(*read(node), *_in_channels(graph, node)) for node in nodes]
    return _shared(found)


def first(chosen: Selection, nodes: tuple[Node, ...]) -> Iterable[Node]:
    """Of each selected path the first of the nodes."""
    for path in chosen.paths:
        yield next(n for n in nodes if not path or n.name == path or n.name.startswith(path + "."))


def _end(chosen: Selection, path: str) -> Node:
    """The last layer of a selected path."""
    nodes = [
        node for node in chosen.nodes if not path or node.name == path or node.name.startswith(path + ".")
    ]
    return nodes[-1]


def _shared(found: list[tuple[int, ...]]) -> Truth:
    """One value where all agree, else every value that occurs."""
    distinct = list(dict.fromkeys(found))
    if len(distinct) == 1:
        return Truth((distinct[0],), size=False)
    return Truth((tuple(value for item in distinct for value in item[:1]),), size=False, mixed=True)
