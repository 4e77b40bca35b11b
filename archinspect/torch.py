"""`archinspect.torch.summary`: a module's table in torchinfo's form, by the arguments of torchinfo's `summary`.

    from archinspect.torch import summary          # was: from torchinfo import summary

    summary(net, input_size=(1, 3, 224, 224))

The figures are ours: multiply-accumulates are those of convolutions and matrix products, shared parameters count once,
attention counts, and the module is left as it was.  `docs/coming-from.md` says where the two tools differ.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from .analysis import analyse
from .errors import ArchinspectError, fail, suggestion
from .frontends.torch import example, load_module

if TYPE_CHECKING:
    from .analysis import Analysis, Row
    from .network import Network

__all__ = ["Layer", "ModelStatistics", "summary"]

_TITLES = {
    "kernel_size": "Kernel Shape",
    "input_size": "Input Shape",
    "output_size": "Output Shape",
    "num_params": "Param #",
    "params_percent": "Param %",
    "mult_adds": "Mult-Adds",
    "trainable": "Trainable",
}
_NEED_INPUT = ("input_size", "output_size", "mult_adds")
_ROW_SETTINGS = ("ascii_only", "depth", "hide_recursive_layers", "var_names")
_CALL_NUMBER = re.compile(r"#\d+")
_NAME_WIDTH = 40
_NOTHING = "--"


@dataclass(frozen=True)
class Layer:
    """One call of a module: where it stands, what it takes and gives, and what it costs with all that is inside it.

    `path` has the call's number from the second call on (`block#2.0`).  `num_params` are parameters that no earlier
    call has read; `own_params` leaves those of its children out.
    """

    path: str
    class_name: str
    depth: int
    depth_index: int
    input_size: list[int]
    output_size: list[int]
    num_params: int
    own_params: int
    trainable_params: int
    macs: int | None
    kernel_size: list[int]
    parameters: Mapping[str, tuple[int, ...]] = field(repr=False)
    is_leaf_layer: bool
    is_recursive: bool
    is_called: bool

    @property
    def var_name(self) -> str:
        return _CALL_NUMBER.sub("", self.path.rpartition(".")[2])

    @property
    def trainable(self) -> str:
        """Of all parameters inside: True, False, Partial, or -- where there are none."""
        if not self.num_params:
            return _NOTHING
        return {0: "False", self.num_params: "True"}.get(self.trainable_params, "Partial")


@dataclass(frozen=True)
class ModelStatistics:
    """The table as text (`str`, `repr`), and its figures.

    `total_mult_adds` are exact multiply-accumulates, a lower bound where `complete` is False.  `network` is the same
    module as `archinspect.load` gives it, for everything else; None where no input was given.
    """

    summary_list: list[Layer]
    input_size: list[tuple[int, ...]]
    total_params: int
    trainable_params: int
    total_mult_adds: int
    total_input: int
    total_output_bytes: int
    total_param_bytes: int
    peak_bytes: int
    complete: bool
    network: Network | None
    _columns: tuple[str, ...]
    _width: int
    _depth: int
    _rows: frozenset[str]
    _verbose: int

    @property
    def non_trainable_params(self) -> int:
        return self.total_params - self.trainable_params

    def __repr__(self) -> str:
        return str(self)

    def __str__(self) -> str:
        rule = "=" * (len(self._columns) * self._width + self._name_width)
        heads = {name: _TITLES[name] for name in self._columns}
        lines = [rule, self._line(self._heading, heads), rule]
        for layer in self._shown:
            lines.append(self._line(self._title(layer), self._cells(layer)))
            if self._verbose == 2:
                lines += [
                    self._line(
                        f"{self._indent(layer.depth + 1)}{name}",
                        {"num_params": f"{prod(shape):,}", "kernel_size": str(list(shape))},
                    )
                    for name, shape in layer.parameters.items()
                ]
        lines += [
            rule,
            f"Total params: {self.total_params:,}",
            f"Trainable params: {self.trainable_params:,}",
            f"Non-trainable params: {self.non_trainable_params:,}",
        ]
        if self.network is not None:
            least = "" if self.complete else "at least "
            lines += [
                f"Total mult-adds: {least}{self.total_mult_adds:,}",
                rule,
                f"Input size (MB): {self.total_input / 1e6:.2f}",
                f"All outputs (MB): {self.total_output_bytes / 1e6:.2f}",
                f"Params size (MB): {self.total_param_bytes / 1e6:.2f}",
                f"Peak of activations during inference (MB): {self.peak_bytes / 1e6:.2f}",
            ]
        return "\n".join([*lines, rule])

    @cached_property
    def _shown(self) -> list[Layer]:
        hide = "hide_recursive_layers" in self._rows
        return [
            layer
            for layer in self.summary_list
            if layer.depth <= self._depth and not (hide and layer.is_recursive)
        ]

    @property
    def _heading(self) -> str:
        name = " (var_name)" if "var_names" in self._rows else ""
        return f"Layer (type{name}{':depth-idx' if 'depth' in self._rows else ''})"

    @cached_property
    def _name_width(self) -> int:
        longest = max((len(self._title(layer)) for layer in self._shown), default=0)
        return _NAME_WIDTH if longest < _NAME_WIDTH else -(-(longest + 1) // 5) * 5

    def _title(self, layer: Layer) -> str:
        name = f" ({layer.var_name})" if "var_names" in self._rows and layer.var_name else ""
        place = f": {layer.depth}-{layer.depth_index}" if "depth" in self._rows and layer.depth else ""
        return f"{self._indent(layer.depth)}{layer.class_name}{name}{place}"

    def _indent(self, depth: int) -> str:
        ascii_only = "ascii_only" in self._rows
        if depth == 0:
            return ""
        if depth == 1:
            return "+ " if ascii_only else "├─"
        return ("|    " if ascii_only else "│    ") * (depth - 1) + ("+ " if ascii_only else "└─")

    def _line(self, title: str, cells: Mapping[str, str]) -> str:
        shown = " ".join(f"{cells.get(name, ''):<{self._width}}" for name in self._columns)
        return f"{title:<{self._name_width}} {shown}".rstrip()

    def _cells(self, layer: Layer) -> dict[str, str]:
        """The cells of a row; of a module whose children have rows, only what is its own."""
        whole = layer.is_leaf_layer or layer.depth == self._depth
        params = layer.num_params if whole else layer.own_params
        share = f"{params / self.total_params:.2%}" if params and self.total_params else _NOTHING
        macs = _NOTHING if not whole else "unknown" if layer.macs is None else f"{layer.macs:,}"
        return {
            "kernel_size": str(layer.kernel_size) if layer.kernel_size else _NOTHING,
            "input_size": str(layer.input_size) if layer.input_size else _NOTHING,
            "output_size": str(layer.output_size)
            if layer.output_size
            else _NOTHING
            if layer.is_called
            else "(not called)",
            "num_params": "(recursive)" if layer.is_recursive else f"{params:,}" if params else _NOTHING,
            "params_percent": "(recursive)" if layer.is_recursive else share,
            "mult_adds": macs if macs != "0" else _NOTHING,
            "trainable": layer.trainable,
        }


def summary(
    model: nn.Module,
    input_size: Sequence[Any] | None = None,
    input_data: Any = None,
    batch_dim: int | None = None,
    cache_forward_pass: bool | None = None,
    col_names: Iterable[str] | None = None,
    col_width: int = 25,
    depth: int = 3,
    device: torch.device | str | None = None,
    dtypes: Sequence[torch.dtype] | None = None,
    mode: str | None = None,
    row_settings: Iterable[str] | None = None,
    verbose: int | None = None,
    **kwargs: Any,
) -> ModelStatistics:
    """The module's calls as a table, printed unless `verbose=0`, and as figures.

    - `input_size`: a shape with its batch, or a list of shapes; `dtypes` are their types, float unless given.
    - `input_data`: what forward takes, a tensor, a list of arguments, or a dict of keyword arguments; `kwargs` are
      further ones.  Without input the table has the parameters alone.
    - `batch_dim`: where inputs that are given without a batch get one of 1.
    - `col_names`: of input_size, output_size, num_params, params_percent, kernel_size, mult_adds, trainable.
    - `row_settings`: of depth, var_names, ascii_only, hide_recursive_layers.
    - `verbose`: 0 prints nothing, 1 the table, 2 each parameter too; unless given 1, and 0 in an interactive session.
    - `device` and `cache_forward_pass` have no effect: nothing runs on a device, and there is no run to keep.

    >>> stats = summary(nn.Linear(4, 2), input_size=(1, 4), verbose=0)
    >>> stats.total_params, stats.total_mult_adds
    (10, 8)

    Raises ArchinspectError: A403 for a column, setting or mode that there is not, A402 and A601 for inputs that forward
    does not take.
    """
    given = input_size is not None or input_data is not None
    default = ("output_size", "num_params") if given else ("num_params",)
    columns = tuple(default if col_names is None else map(_word, col_names))
    rows = frozenset(("depth",) if row_settings is None else map(_word, row_settings))
    for words, known, what in ((columns, tuple(_TITLES), "column"), (rows, _ROW_SETTINGS, "row setting")):
        for word in words:
            if word not in known:
                help = suggestion(word, known, otherwise=f"one of {', '.join(known)}")
                raise fail("A403", f"a summary has no {what} '{word}'", help=help)
    if not given and (needy := [name for name in columns if name in _NEED_INPUT]):
        raise fail("A403", f"the column '{needy[0]}' needs an input", help="input_size=(1, 3, 224, 224)")
    if mode not in (None, "same", "eval"):
        raise fail("A403", f"there are no figures of mode '{mode}'", help="a pass is recorded in evaluation")
    if input_size is not None and input_data is not None:
        raise fail("A403", "input_size and input_data are both given", help="leave one out")
    style = (columns, col_width, depth, rows, 1 if verbose is None else verbose)
    if given:
        made = _of_a_pass(model, *_inputs(model, input_size, input_data, batch_dim, dtypes), kwargs, style)
    else:
        made = _of_parameters(model, style)
    if (hasattr(sys, "ps1") and verbose is None) or verbose == 0:
        return made
    sys.stdout.write(f"{made}\n")
    return made


def _word(name: Any) -> str:
    """A name, or an enumeration of torchinfo's whose value it is."""
    return str(getattr(name, "value", name))


def _inputs(
    model: nn.Module,
    input_size: Sequence[Any] | None,
    input_data: Any,
    batch_dim: int | None,
    dtypes: Sequence[torch.dtype] | None,
) -> tuple[list[Any], dict[str, Any]]:
    """Positional and keyword arguments of forward."""
    if input_size is not None:
        sizes = [input_size] if all(isinstance(size, int) for size in input_size) else list(input_size)
        types = list(dtypes or [])
        shapes = [_batched(tuple(size), batch_dim) for size in sizes]
        return [
            example(model, shape, types[at] if at < len(types) else None) for at, shape in enumerate(shapes)
        ], {}
    if isinstance(input_data, Mapping):
        return [], {name: _data(value, batch_dim) for name, value in input_data.items()}
    several = isinstance(input_data, (list, tuple))
    return [_data(value, batch_dim) for value in (input_data if several else [input_data])], {}


def _batched(shape: tuple[int, ...], batch_dim: int | None) -> tuple[int, ...]:
    return shape if batch_dim is None else (*shape[:batch_dim], 1, *shape[batch_dim:])


def _data(value: Any, batch_dim: int | None) -> Any:
    if type(value).__module__ == "numpy":
        value = torch.as_tensor(value)
    return value.unsqueeze(batch_dim) if batch_dim is not None and isinstance(value, torch.Tensor) else value


Style = tuple[tuple[str, ...], int, int, frozenset[str], int]


def _of_a_pass(
    model: nn.Module, args: list[Any], named: dict[str, Any], kwargs: Mapping[str, Any], style: Style
) -> ModelStatistics:
    from .network import Network

    try:
        graph = load_module(model, args, {**named, **kwargs})
    except ArchinspectError as error:
        help = "archinspect.load(module, ..., partial=True).summary() shows the part before it"
        found = [replace(one, help=help) if one.code == "A601" else one for one in error.diagnostics]
        raise ArchinspectError(found) from error.__cause__
    analysis = analyse(graph)
    totals = analysis.totals
    inputs = [node.values[0] for node in graph.nodes[: graph.inputs]]
    return ModelStatistics(
        _layers(model, analysis),
        [value.shape for value in inputs],
        totals.params,
        totals.trainable,
        totals.macs,
        sum(value.bytes for value in inputs),
        totals.activation_bytes,
        totals.weight_bytes,
        totals.peak_activation_bytes,
        totals.complete,
        Network(graph),
        *style,
    )


def _layers(model: nn.Module, analysis: Analysis) -> list[Layer]:
    """The calls of modules in the order in which they began; modules that nothing calls at the end."""
    modules = dict(model.named_modules(remove_duplicate=False))
    graph = analysis.graph
    inside: dict[str, list[tuple[int, Row]]] = {"": []}
    for index, row in enumerate(analysis.rows, graph.inputs):
        node = graph.nodes[index]
        inside[""].append((index, row))
        parts = row.name.split(".")
        for depth in range(1, len(parts) + 1):
            path = ".".join(parts[:depth])
            # A call by its own name is a module's only where that module made it: `relu` may be a function.
            module = _CALL_NUMBER.sub("", path)
            if module in modules and (depth < len(parts) or module == node.module):
                inside.setdefault(path, []).append((index, row))
    children = Counter(path.rpartition(".")[0] for path in inside if path)
    places: Counter[int] = Counter()
    order = sorted(inside, key=lambda path: (inside[path][0][0] if inside[path] else -1, path.count(".")))
    if order[0] != "":
        order.remove("")
        order.insert(0, "")
    seen: set[str] = set()
    layers = []
    for path in _nested(order):
        calls = inside[path]
        module = _CALL_NUMBER.sub("", path)
        depth = path.count(".") + 1 if path else 0
        places[depth] += 1
        own = [row for index, row in calls if _holder(row.name, inside) == path]
        first = graph.nodes[calls[0][0]] if calls else None
        params = sum(row.params for _, row in calls)
        macs = [row.macs for _, row in calls]
        held = modules[module].named_parameters(recurse=not children[path])
        shapes = {name: tuple(parameter.shape) for name, parameter in held}
        ran = [
            row for index, row in calls if graph.nodes[index].values
        ]  # others hold parameters that nothing reads
        layers.append(
            Layer(
                path,
                type(modules[module]).__name__,
                depth,
                places[depth],
                list(first.input_shapes[0]) if first is not None and first.input_shapes else [],
                list(ran[-1].output_shape) if ran else [],
                params,
                sum(row.params for row in own),
                sum(row.trainable for _, row in calls),
                None if None in macs else sum(n for n in macs if n is not None),
                _kernel(modules[module]),
                shapes,
                not children[path],
                module in seen and bool(shapes or children[path]),
                bool(ran),
            )
        )
        seen.add(module)
    return layers


def _nested(paths: list[str]) -> list[str]:
    """Paths in their order, each followed by those inside it."""
    below: dict[str, list[str]] = {}
    for path in paths:
        if path:
            below.setdefault(path.rpartition(".")[0], []).append(path)
    found: list[str] = []
    waiting = [""]
    while waiting:
        path = waiting.pop()
        found.append(path)
        waiting += reversed(below.get(path, ()))
    return found


def _holder(name: str, inside: Mapping[str, Any]) -> str:
    """The innermost module call that a call is a part of."""
    while name and name not in inside:
        name = name.rpartition(".")[0]
    return name


def _kernel(module: nn.Module) -> list[int]:
    kernel = getattr(module, "kernel_size", None)
    if isinstance(kernel, int):
        return [kernel]
    return list(kernel) if isinstance(kernel, tuple) else []


def _of_parameters(model: nn.Module, style: Style) -> ModelStatistics:
    """Parameters alone, of all modules, in the order of their definition."""
    counted: set[int] = set()
    places: Counter[int] = Counter()
    layers = []
    for path, module in model.named_modules():
        own = [(name, p) for name, p in module.named_parameters(recurse=False) if id(p) not in counted]
        inside = [p for p in module.parameters() if id(p) not in counted]
        counted.update(id(p) for _, p in own)
        depth = path.count(".") + 1 if path else 0
        places[depth] += 1
        layers.append(
            Layer(
                path,
                type(module).__name__,
                depth,
                places[depth],
                [],
                [],
                sum(p.numel() for p in inside),
                sum(p.numel() for _, p in own),
                sum(p.numel() for p in inside if p.requires_grad),
                None,
                _kernel(module),
                {name: tuple(p.shape) for name, p in own},
                not list(module.children()),
                False,
                False,
            )
        )
    parameters = list(model.parameters())
    params = sum(p.numel() for p in parameters)
    trainable = sum(p.numel() for p in parameters if p.requires_grad)
    stored = sum(p.numel() * p.element_size() for p in parameters)
    return ModelStatistics(layers, [], params, trainable, 0, 0, 0, stored, 0, False, None, *style)
