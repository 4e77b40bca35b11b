"""The results of an analysis: rows, totals, and both folded to a depth.  Plain values; every count an exact integer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from ..errors import fail, suggestion
from ..graph import Graph, Join, Node, Parameter, Scope, SideOutputs, below
from ..ops.derivation import sum_of_products
from ..ops.tensor import TensorOp
from ..shown import Shown, counted
from .depth import depth
from .experts import Experts, experts
from .memory import FP32_BYTES, peak_activation_bytes

if TYPE_CHECKING:
    from ..ops.base import Axes, Shape
    from .receptive_field import Field, Proof, Sight


#: the commands whose table an analysis may be
TableName = Literal["params", "shapes", "flops", "summary"]

_WILD = frozenset("*?[")


class Fields:
    """The receptive fields of a graph's nodes, computed when first asked for."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph

    @cached_property
    def all(self) -> tuple[Sight, ...]:
        from .receptive_field import sights  # followed where they are looked at

        return sights(self._graph)

    def axes(self, index: int) -> Axes:
        return self._graph.axes[index]


@dataclass(frozen=True, init=False)
class Row:
    """One layer, or a folded scope: sums over its layers, shape and field of its end.

    `macs` and `flops` are None where nothing of the row can be counted; `complete` is False where something cannot.
    `activation_bytes` are those of the outputs, in fp32 where the network does not know its types (a spec).
    """

    name: str
    op: str
    output_shape: Shape
    params: int
    trainable: int
    buffers: int
    macs: int | None
    flops: int | None
    activation_bytes: int
    complete: bool
    _end: int = field(repr=False)
    _parts: tuple[Node, ...] | tuple[Row, ...] = field(repr=False, compare=False)
    _fields: Fields = field(repr=False, compare=False)
    #: of a call that says which parameters it reads: those that are counted here, by the op's names for them
    _own: Mapping[str, Parameter] | None = field(default=None, repr=False, compare=False)

    def __init__(self, **values: Any) -> None:
        # A frozen dataclass's own sets each of these through object.__setattr__: a third of the time of an analysis.
        self.__dict__.update(values)

    def __repr__(self) -> str:
        shape = "×".join(map(str, self.output_shape))
        macs = "unknown" if self.macs is None else f"{self.macs:,}"
        return f"<Row {self.name}: {self.op}, {shape}, {self.params:,} parameters, {macs} MACs>"

    @property
    def receptive_field(self) -> Field:
        """Input pixels per side that an output element depends on; (height, width) where they differ."""
        return self._fields.all[self._end].field

    @property
    def receptive_field_proof(self) -> Proof:
        """Whether the field is exact, an upper bound, that of a layer that reads the whole input, or unknown."""
        return self._fields.all[self._end].proof

    @property
    def tensors(self) -> dict[str, Parameter]:
        """Parameters and buffers that are counted here, by their names below the row's; none for rows of a spec."""
        if self._own is not None:
            return dict(self._own)
        found: dict[str, Parameter] = {}
        for part in self._parts:
            if isinstance(part, Row):
                inside = part.name[len(self.name) + 1 :]
                found.update({below(inside, name): tensor for name, tensor in part.tensors.items()})
        return found

    @property
    def is_view(self) -> bool:
        """Whether it is one call that only looks at memory in another way, and no layer of the language."""
        first = self._parts[0]
        return (
            len(self._parts) == 1
            and isinstance(first, Node)
            and isinstance(first.op, TensorOp)
            and first.op.aliases
        )

    @property
    def axes(self) -> Axes:
        """What the dimensions of `output_shape` mean, as `Graph.axes` says."""
        return self._fields.axes(self._end)

    @cached_property
    def derivations(self) -> dict[str, str]:
        """A formula for each of shape, params, macs and flops; evaluating it gives the figure."""
        first = self._parts[0]
        if isinstance(first, Node):
            op, inputs, output = first.op, first.input_shapes, first.output_shape
            return {
                "shape": op.derive_shape(inputs, output),
                "params": op.derive_params(inputs) if self._own is None else _params_of(first, self._own),
                "macs": op.derive_macs(inputs, output),
                "flops": op.derive_flops(inputs, output),
            }
        parts: Sequence[Any] = self._parts
        sums = {key: _sum_of(getattr(part, key) for part in parts) for key in ("params", "macs", "flops")}
        return {"shape": "(" + ", ".join(map(str, self.output_shape)) + ")", **sums}

    def to_dict(self) -> dict[str, object]:
        from ..formula import equation  # not every table shows derivations

        field = self.receptive_field
        first = self._parts[0]
        values = first.outputs or () if isinstance(first, Node) else ()
        more: dict[str, object] = {"dtype": values[0].dtype} if values else {}
        if len(values) > 1:
            more["outputs"] = [{"shape": list(value.shape), "dtype": value.dtype} for value in values]
        return {
            "name": self.name,
            "op": self.op,
            "output_shape": list(self.output_shape),
            **more,
            "params": self.params,
            "trainable": self.trainable,
            "buffers": self.buffers,
            "macs": self.macs,
            "flops": self.flops,
            "activation_bytes": self.activation_bytes,
            "receptive_field": list(field) if isinstance(field, tuple) else field,
            "receptive_field_proof": self.receptive_field_proof,
            "derivation": equation(self.derivations["params"], self.params),
            "derivations": self.derivations,
        }


@dataclass(frozen=True)
class Totals:
    """Sums over all layers.  `macs` and `flops` are lower bounds where `complete` is False.

    `params` are learnable numbers and `buffers` what is saved beside them (running statistics); bytes are in fp32.
    `peak_activation_bytes` is the most alive at once during inference, `depth` the layers with weights on the longest
    path.  `experts` says what a token uses of a network with mixtures of experts.
    """

    params: int
    trainable: int
    buffers: int
    macs: int
    flops: int
    weight_bytes: int
    activation_bytes: int
    peak_activation_bytes: int
    depth: int
    complete: bool
    experts: Experts | None = None

    @property
    def non_trainable(self) -> int:
        return self.params - self.trainable

    def to_dict(self) -> dict[str, object]:
        return {
            "params": self.params,
            "trainable": self.trainable,
            "non_trainable": self.non_trainable,
            "buffers": self.buffers,
            "macs": self.macs,
            "flops": self.flops,
            "weight_bytes": self.weight_bytes,
            "activation_bytes": self.activation_bytes,
            "peak_activation_bytes": self.peak_activation_bytes,
            "depth": self.depth,
            "complete": self.complete,
            **({} if self.experts is None else {"experts": self.experts.to_dict()}),
        }


@dataclass(frozen=True)
class Analysis(Shown):
    """The figures of a network, layer by layer and in all, for the batch of `input`.

    `print(analysis)` is the table of the command named by `table`, `analysis["conv1"]` the row of a layer or scope, and
    `analysis["layer1.*.conv?"]` all that a pattern matches.

    >>> analysis = archinspect.load("alexnet").analyse()
    >>> analysis["conv1"].macs
    105415200
    >>> [row.name for row in analysis["fc*"]]
    ['fc6', 'fc7', 'fc8']
    >>> "conv9" in analysis
    False
    """

    model: str
    input: Shape
    rows: tuple[Row, ...]
    graph: Graph = field(repr=False, compare=False)
    table: TableName = field(default="summary", repr=False, compare=False)
    explain: bool = field(default=False, repr=False, compare=False)

    def __repr__(self) -> str:
        totals = self.totals
        what = f"{counted(len(self.rows), 'row')}, {totals.params:,} parameters"
        least = "" if totals.complete else "at least "
        return f"<Analysis of {self.model}: {what}" + (
            f", {least}{totals.macs:,} MACs>" if self.graph.inputs else ">"
        )

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __contains__(self, path: object) -> bool:
        return isinstance(path, str) and bool(self._found(path))

    def __getitem__(self, path: str) -> Any:
        """The row of a layer or a whole scope by its path; for a pattern (`*`, `?`, `[...]`) a tuple of rows.

        Raises ArchinspectError (A208) where there is none.
        """
        found = self._found(path)
        if not found:
            names = [row.name for row in self.rows]
            listed = f"rows: {', '.join(names[:_NAMED])}{', …' if len(names) > _NAMED else ''}"
            raise fail(
                "A208",
                f"'{self.model}' has no layer '{path}'",
                help=suggestion(path, names, otherwise=listed),
            )
        return found if _WILD & set(path) else found[0]

    def _found(self, path: str) -> tuple[Row, ...]:
        if _WILD & set(path):
            from fnmatch import fnmatchcase  # no command needs it

            return tuple(row for row in self.rows if fnmatchcase(row.name, path))
        rows = [row for row in self.rows if row.name == path or row.name.startswith(f"{path}.")]
        if not rows or rows[0].name == path:
            return tuple(rows[:1])
        return (_folded(path, _blocks(self.graph).get(path, "scope"), rows, self.graph),)

    def as_table(self, table: TableName, *, explain: bool = False) -> Analysis:
        """The same figures, shown as the table of another command, with their derivations if wanted."""
        return replace(self, table=table, explain=explain)

    @cached_property
    def totals(self) -> Totals:
        rows, graph = self.rows, self.graph
        params = sum([row.params for row in rows])
        macs = sum([row.macs or 0 for row in rows])
        return Totals(
            params=params,
            trainable=sum([row.trainable for row in rows]),
            buffers=sum([row.buffers for row in rows]),
            macs=macs,
            flops=sum([row.flops or 0 for row in rows]),
            weight_bytes=_weight_bytes(graph, params),
            activation_bytes=sum([row.activation_bytes for row in rows]),
            peak_activation_bytes=peak_activation_bytes(graph),
            depth=depth(graph),
            complete=all(row.complete for row in rows),
            experts=experts(graph, params, macs),
        )

    def fold(self, depth: int) -> Analysis:
        """One row for each scope `depth` levels below the top; totals stay what they are.

        A row is called after the scope's block where it comes from one.  Raises ValueError for a depth below 1.
        """
        if depth < 1:
            raise ValueError(f"depth must be at least 1, and is {depth}")
        groups: dict[str, list[Row]] = {}
        for row in self.rows:
            groups.setdefault(".".join(row.name.split(".", depth)[:depth]), []).append(row)
        if len(groups) == len(self.rows):
            return self
        blocks = _blocks(self.graph)
        rows = tuple(
            # A scope may have a row of its own beside those inside it.
            rows[0]
            if len(rows) == 1 and rows[0].name == name
            else _folded(name, blocks.get(name, "scope"), rows, self.graph)
            for name, rows in groups.items()
        )
        return replace(self, rows=rows)

    def to_pandas(self) -> Any:
        """A `pandas.DataFrame` with a row per layer, indexed by name."""
        import pandas

        return pandas.DataFrame([row.to_dict() for row in self.rows]).set_index("name")

    def to_dict(self) -> dict[str, object]:
        return {
            "model": self.model,
            "input": list(self.input),
            **_interface(self.graph),
            "rows": [row.to_dict() for row in self.rows],
            "totals": self.totals.to_dict(),
        }


#: names in an error, of many
_NAMED = 8


def _weight_bytes(graph: Graph, params: int) -> int:
    """Bytes of the learnable parameters by their types; in fp32 for a spec, which has none."""
    if graph.source is None:
        return params * FP32_BYTES
    return sum(parameter.bytes for parameter in graph.parameters if not parameter.buffer)


def _interface(graph: Graph) -> dict[str, object]:
    """Inputs and outputs with their names and types, for a network that has several of either."""
    if graph.inputs == 1 and len(graph.outputs) == 1:
        return {}
    ports = graph.output_ports or (0,) * len(graph.outputs)
    names = graph.output_names or tuple(graph.nodes[index].name for index in graph.outputs)
    inputs = [(node.name, node.values[0]) for node in graph.nodes[: graph.inputs]]
    outputs = [
        (name, graph.nodes[index].values[port])
        for name, index, port in zip(names, graph.outputs, ports, strict=True)
    ]
    return {
        key: [{"name": name, "shape": list(value.shape), "dtype": value.dtype} for name, value in found]
        for key, found in (("inputs", inputs), ("outputs", outputs))
    }


def _params_of(node: Node, own: Mapping[str, Parameter]) -> str:
    """The derivation of a call's parameters: the layer's own where it is the first to read them all."""
    learnt = {name: parameter for name, parameter in own.items() if not parameter.buffer}
    if (
        learnt
        and len(learnt) == len(node.weights)
        and node.op.weights(node.input_shapes).keys() == learnt.keys()
    ):
        return node.op.derive_params(node.input_shapes)
    return sum_of_products(parameter.shape for parameter in learnt.values())


def row_of(figures: Mapping[str, Any], node: Node, index: int, fields: Fields) -> Row:
    """The row of one layer, with figures that it may share with others."""
    row = Row()
    own = row.__dict__
    own.update(figures)
    own["name"], own["_end"], own["_parts"], own["_fields"] = node.name, index, (node,), fields
    return row


def _folded(name: str, op: str, rows: list[Row], graph: Graph) -> Row:
    counted = [row for row in rows if row.macs is not None]
    end = _end(rows, graph)
    return Row(
        name=name,
        op=op,
        output_shape=end.output_shape,
        params=sum(row.params for row in rows),
        trainable=sum(row.trainable for row in rows),
        buffers=sum(row.buffers for row in rows),
        macs=sum(row.macs or 0 for row in counted) if counted else None,
        flops=sum(row.flops or 0 for row in counted) if counted else None,
        activation_bytes=sum(row.activation_bytes for row in rows),
        complete=all(row.complete for row in rows),
        _end=end._end,
        _parts=tuple(rows),
        _fields=end._fields,
    )


def _end(rows: list[Row], graph: Graph) -> Row:
    """The row whose output leaves the scope.  Where side outputs leave it too, the main path leaves last."""
    inside = {row._end for row in rows}
    leaving = [r for r in rows if r._end in graph.outputs or not inside.issuperset(graph.consumers[r._end])]
    return max(leaving, key=lambda row: row._end, default=rows[-1])


def _blocks(graph: Graph) -> dict[str, str]:
    """The name of the block that each scope came from, by the scope's path."""
    found: dict[str, str] = {}
    for path, item in graph.walk():
        branches = item.branches if isinstance(item, (Join, SideOutputs)) else (item,)
        for scope in branches:
            if isinstance(scope, Scope) and scope.block is not None:
                found[below(path, scope.name)] = scope.block.name
    return found


def _sum_of(values: Iterable[int | None]) -> str:
    """The sum of figures as a formula, equal ones as a product: `9,472 + 3×70,400`."""
    counts = Counter(value for value in values if value)
    return " + ".join(f"{n}×{value:,}" if n > 1 else f"{value:,}" for value, n in counts.items()) or "0"
