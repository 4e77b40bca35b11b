"""Exported programs (`.pt2`, `torch.export.ExportedProgram`) as graphs.

A program is a list of ATen operators with the modules that they were called in.  It is laid out again as a tree of
modules, which is then captured like any other: each operator runs once, on abstract tensors.

A file is read as what it is, JSON in a zip archive: unlike with `torch.export.load`, no pickle is opened and no text
of it is evaluated.  Operators are looked up by name among those that torch has registered; ones that read files are
refused.
"""

from __future__ import annotations

import json
import math
import operator
import os
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind, OutputKind

from ...collector import uncollected
from ...errors import ArchinspectError, fail
from ...files import open_file
from ...graph import Graph
from .capture import capture
from .lower import ModuleSource, lower

__all__ = ["load_exported"]

_LARGEST = 1 << 29  # bytes of a program's JSON
_SMALL = 1 << 16  # elements of whole numbers whose values are read
_DEEPEST = 64

#: types of elements by their numbers in the file
_DTYPES = {
    1: torch.uint8,
    2: torch.int8,
    3: torch.int16,
    4: torch.int32,
    5: torch.int64,
    6: torch.float16,
    7: torch.float32,
    8: torch.float64,
    9: torch.complex32,
    10: torch.complex64,
    11: torch.complex128,
    12: torch.bool,
    13: torch.bfloat16,
    28: torch.uint16,
    29: torch.float8_e4m3fn,
    30: torch.float8_e5m2,
    31: torch.float8_e4m3fnuz,
    32: torch.float8_e5m2fnuz,
}
_MEMORY_FORMATS = {
    1: torch.contiguous_format,
    2: torch.channels_last,
    3: torch.channels_last_3d,
    4: torch.preserve_format,
}


#: given shapes by the input's name, or by its place
_Shapes = Mapping[str | int, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class _Ref:
    """A value that an input or an earlier step made."""

    name: str


@dataclass(slots=True)
class _Step:
    """One operator: the function, its arguments, what its results are called, and the modules around it.

    `stack` are (key of the call, path, class) from the outermost module on; None where the program does not say.
    """

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    outputs: Any
    stack: tuple[tuple[str, str, str], ...] | None


@dataclass
class _Program:
    """What a program consists of, wherever it was read from."""

    name: str
    steps: list[_Step] = field(default_factory=list)
    #: of tensors: (name in the steps, kind, path, tensor); of an equal storage the tensor is one object
    owned: list[tuple[str, str, str, Tensor]] = field(default_factory=list)
    inputs: list[tuple[str, Any]] = field(default_factory=list)
    outputs: list[_Ref] = field(default_factory=list)
    #: makes what forward returns of the outputs
    returned: Callable[[list[Any]], Any] = tuple


def load_exported(
    source: str | os.PathLike[str] | ExportedProgram,
    *,
    inputs: Sequence[Sequence[int]] | Mapping[str, Sequence[int]] | None = None,
) -> Graph:
    """The graph of an exported program, or of a `.pt2` file with one.

    `inputs` are shapes, in order or by name; sizes that the program leaves open are those of its example otherwise, and
    1 for the first dimension.

    Raises ArchinspectError: A101 and A102 for a file that cannot be read, A605 for one that holds no sound program,
    A402 for shapes that do not suit it, A601 and A602 where an operator cannot run on abstract tensors.
    """
    named = inputs if isinstance(inputs, Mapping) else dict(enumerate(inputs or ()))
    shapes: _Shapes = {name: tuple(shape) for name, shape in named.items()}
    read = _of_object if isinstance(source, ExportedProgram) else _of_file
    program = read(source, shapes)  # type: ignore[arg-type]
    _refuse_unknown(program, shapes)
    graph = _captured(program)
    assert isinstance(graph.source, ModuleSource)
    stored = {id(tensor): path for _, _, path, tensor in program.owned}
    return replace(
        graph,
        source=replace(graph.source, kind="exported", program=lambda: _program_of(source), stored=stored),
    )


def _program_of(source: str | os.PathLike[str] | ExportedProgram) -> ExportedProgram:
    """The program with its weights.  Unlike reading its graph, this opens the file as torch does."""
    if isinstance(source, ExportedProgram):
        return source
    try:
        return torch.export.load(os.fspath(source))
    except (RuntimeError, ValueError, OSError, KeyError, AttributeError, zipfile.BadZipFile) as error:
        first = str(error).partition("\n")[0]
        raise _broken(str(source), f"torch.export.load raised {type(error).__name__}: {first}") from error


def _refuse_unknown(program: _Program, shapes: _Shapes) -> None:
    names = [name for name, value in program.inputs if isinstance(value, Tensor)]
    unknown = [key for key in shapes if key not in names and not (isinstance(key, int) and key < len(names))]
    if unknown:
        wanted = f"'{unknown[0]}'" if isinstance(unknown[0], str) else f"number {int(unknown[0]) + 1}"
        listed = ", ".join(names[:8]) or "none"
        raise fail("A402", f"the program has no input {wanted}", notes=[f"its inputs are {listed}"])


@uncollected
def _captured(program: _Program) -> Graph:
    _recompose(program)
    module = _laid_out(program)
    args = tuple(value for _, value in program.inputs)
    recording = capture(module, args)
    names = [name for name, value in program.inputs if isinstance(value, Tensor)]
    for value, name in zip(recording.inputs, names, strict=True):
        value.name = name
    return lower(recording, program.name, module, args, {})


# What decomposition took apart.

_aten = torch.ops.aten


def _batch_norm(x: Any, weight: Any, bias: Any, mean: Any, var: Any, momentum: float, eps: float) -> Any:
    return _aten.batch_norm.default(x, weight, bias, mean, var, False, momentum, eps, False), None, None


def _layer_norm(x: Any, sizes: Any, weight: Any, bias: Any, eps: float) -> Any:
    return _aten.layer_norm.default(x, sizes, weight, bias, eps), None, None


def _group_norm(x: Any, weight: Any, bias: Any, n: int, c: int, hw: int, groups: int, eps: float) -> Any:
    return _aten.group_norm.default(x, groups, weight, bias, eps), None, None


def _convolution(
    x: Any,
    w: Any,
    bias: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    transposed: bool,
    extra: Any,
    groups: int,
) -> Any:
    axes = w.dim() - 2
    if transposed:
        function = getattr(_aten, f"conv_transpose{axes}d")
        overload = function.default if axes == 1 else function.input
        return overload(x, w, bias, stride, padding, extra, groups, dilation)
    return getattr(_aten, f"conv{axes}d").default(x, w, bias, stride, padding, dilation, groups)


def _attention(
    q: Any, k: Any, v: Any, dropout: float = 0.0, causal: bool = False, *rest: Any, **options: Any
) -> Any:
    scale, mask = options.get("scale"), options.get("attn_mask")
    return _aten.scaled_dot_product_attention.default(q, k, v, mask, 0.0, causal, scale=scale), None


#: operators of decomposed programs, and the layer that each is again
_COMPOSED: dict[str, Callable[..., Any]] = {
    "_native_batch_norm_legit_no_training": _batch_norm,
    "native_layer_norm": _layer_norm,
    "native_group_norm": _group_norm,
    "convolution": _convolution,
    "_scaled_dot_product_flash_attention_for_cpu": _attention,
    "_scaled_dot_product_flash_attention": _attention,
}


def _recompose(program: _Program) -> None:
    """Make linear layers of products with a transposed parameter, as decomposition writes them."""
    owned = {name: tensor for name, kind, _, tensor in program.owned if kind == "parameter"}
    transposed: dict[str, _Ref] = {}
    for step in program.steps:
        args = step.args
        if step.function in _TRANSPOSING and isinstance(args[0], _Ref) and isinstance(step.outputs, str):
            parameter = owned.get(args[0].name)
            if (
                parameter is not None
                and parameter.dim() == 2
                and list(args[1:]) in ([], [[1, 0]], [0, 1], [1, 0])
            ):
                transposed[step.outputs] = args[0]
        elif step.function in (_aten.mm.default, _aten.addmm.default) and not step.kwargs:
            *bias, x, matrix = args
            weight = transposed.get(matrix.name) if isinstance(matrix, _Ref) else None
            row = owned.get(bias[0].name) if bias and isinstance(bias[0], _Ref) else None
            if weight is not None and (not bias or (row is not None and row.dim() == 1)):
                step.function, step.args = _aten.linear.default, (x, weight, *bias)


_TRANSPOSING = (_aten.t.default, _aten.permute.default, _aten.transpose.int)


# The tree of modules.


class _Scope(nn.Module):
    """A module of the program.  Its forward runs steps, and the modules inside it that steps are of."""

    def forward(self, items: Sequence[_Item], values: dict[str, Any]) -> None:
        for item in items:
            if isinstance(item, _Step):
                _run(item, values)
            else:
                item.module(item.items, values)


@dataclass(slots=True)
class _Call:
    """One call of a module, with what runs inside."""

    module: _Scope
    items: list[_Item]


_Item = _Step | _Call


class _Root(_Scope):
    """The whole program as a module."""

    def __init__(self, program: _Program) -> None:
        super().__init__()
        self._program = program
        self._items: list[_Item] = []

    def forward(self, *inputs: Any) -> Any:
        program = self._program
        values = {name: tensor for name, _, _, tensor in program.owned}
        values.update(zip((name for name, _ in program.inputs), inputs, strict=True))
        super().forward(self._items, values)
        return program.returned([values[output.name] for output in program.outputs])


def _run(step: _Step, values: dict[str, Any]) -> None:
    args = _filled(step.args, values)
    kwargs = {name: _filled(value, values) for name, value in step.kwargs.items()}
    _assign(step.outputs, step.function(*args, **kwargs), values)


def _filled(value: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(value, _Ref):
        return values[value.name]
    if isinstance(value, (list, tuple)):
        return type(value)(_filled(part, values) for part in value)
    return value


def _assign(names: Any, result: Any, values: dict[str, Any]) -> None:
    """Name results: one, or a list of them."""
    if isinstance(names, str):
        values[names] = result
    elif isinstance(names, list) and isinstance(result, (list, tuple)):
        for name, part in zip(names, result, strict=False):
            _assign(name, part, values)


def _laid_out(program: _Program) -> _Root:
    """The program as modules at the paths that it names, with its parameters and buffers."""
    classes = {path: kind for step in program.steps for _, path, kind in step.stack or ()}
    root: _Root = _class_of(classes.get("", program.name), _Root)(program)
    for _, kind, path, tensor in program.owned:
        owner, _, name = path.rpartition(".")
        module = _module_at(root, owner, classes)
        if kind == "parameter":
            module.register_parameter(name, tensor if isinstance(tensor, nn.Parameter) else None)
        elif kind == "buffer":
            module.register_buffer(name, tensor)
    root._items = _nested(program.steps, root, classes)
    return root


def _class_of(name: str, base: type[Any]) -> type[Any]:
    """A class that is called so; the tree of scopes shows it."""
    last = name.rpartition(".")[2][:100]
    return type(last if last.isidentifier() else "Module", (base,), {})


def _module_at(root: _Scope, path: str, classes: Mapping[str, str]) -> _Scope:
    module, here = root, ""
    for part in filter(None, path.split(".")):
        here = f"{here}.{part}" if here else part
        inner = module._modules.get(part)
        if not isinstance(inner, _Scope):
            inner = _class_of(classes.get(here, "Module"), _Scope)()
            module.add_module(part, inner)
        module = inner
    return module


def _nested(steps: Sequence[_Step], root: _Root, classes: Mapping[str, str]) -> list[_Item]:
    """The steps inside calls of the modules that they were made in: steps side by side of one call are one call."""
    items: list[_Item] = []
    opened: list[tuple[tuple[str, str, str], list[_Item]]] = []
    for step in steps:
        if step.stack is not None:
            stack = [scope for scope in step.stack if scope[1]][:_DEEPEST]
            shared = 0
            while shared < min(len(stack), len(opened)) and opened[shared][0] == stack[shared]:
                shared += 1
            del opened[shared:]
            for scope in stack[shared:]:
                inside: list[_Item] = []
                (opened[-1][1] if opened else items).append(
                    _Call(_module_at(root, scope[1], classes), inside)
                )
                opened.append((scope, inside))
        (opened[-1][1] if opened else items).append(step)
    return items


# From an object.


def _of_object(exported: ExportedProgram, shapes: _Shapes) -> _Program:
    signature = exported.graph_signature
    program = _Program("exported")
    sizes = _Sizes(shapes)
    states = {**exported.state_dict, **exported.constants}
    own: dict[tuple[Any, ...], Tensor] = {}
    placeholders = {node.name: node for node in exported.graph.nodes if node.op == "placeholder"}
    for spec in signature.input_specs:
        name = spec.arg.name
        node = placeholders[name]
        if spec.kind is InputKind.USER_INPUT:
            value = node.meta.get("val")
            if isinstance(value, Tensor):
                declared = [_size_of(size) for size in value.shape]
                program.inputs.append((name, _example(sizes.shape(name, declared), value.dtype)))
            else:
                program.inputs.append((name, int(value) if isinstance(value, torch.SymInt) else value))
        elif isinstance(states.get(spec.target), Tensor):
            tensor = states[spec.target]
            kind = {InputKind.PARAMETER: "parameter", InputKind.BUFFER: "buffer"}.get(spec.kind, "constant")
            if not tensor.is_meta:
                tensor = own.setdefault((tensor.data_ptr(), tensor.shape, tensor.stride(), kind), tensor)
            program.owned.append((name, kind, str(spec.target), tensor))
    _add_nodes(program.steps, exported.graph_module, exported.graph.nodes, "", {})
    output = next(node for node in exported.graph.nodes if node.op == "output")
    kept = [spec.kind is OutputKind.USER_OUTPUT for spec in signature.output_specs]
    ends = [arg for arg, is_kept in zip(output.args[0], kept, strict=True) if is_kept]
    constants = [None if isinstance(end, fx.Node) else end for end in ends]
    program.outputs = [_Ref(end.name) for end in ends if isinstance(end, fx.Node)]

    def returned(made: list[Any]) -> Any:
        values = iter(made)
        flat = [next(values) if isinstance(end, fx.Node) else constants[at] for at, end in enumerate(ends)]
        tree = exported.call_spec.out_spec
        return flat if tree is None else torch.utils._pytree.tree_unflatten(flat, tree)

    program.returned = returned
    if exported.graph.nodes and "" in _classes(program.steps):
        program.name = _classes(program.steps)[""].rpartition(".")[2]
    return program


def _classes(steps: Sequence[_Step]) -> dict[str, str]:
    return {path: kind for step in steps for _, path, kind in step.stack or ()}


def _size_of(size: Any) -> tuple[str | None, int]:
    """A size as the name of what it depends on, and its value in the example."""
    if isinstance(size, torch.SymInt):
        return str(size.node.expr), int(size.node.hint if size.node.hint is not None else 1)
    return None, int(size)


def _add_nodes(steps: list[_Step], module: nn.Module, nodes: Any, prefix: str, known: dict[str, _Ref]) -> Any:
    """Add the nodes of a graph, called with `prefix`; gives what it returns."""

    def value(arg: Any) -> Any:
        if isinstance(arg, fx.Node):
            return known.get(arg.name) or _Ref(prefix + arg.name)
        if isinstance(arg, (list, tuple)):
            return [value(part) for part in arg]
        return torch.device("cpu") if isinstance(arg, torch.device) else arg

    for node in nodes:
        if node.op == "output":
            return value(node.args[0])
        if node.op != "call_function":
            continue
        scopes = node.meta.get("nn_module_stack")
        stack = (
            None if not scopes else _stack((key, *_path_and_class(entry)) for key, entry in scopes.items())
        )
        function = _function_for(node.target)
        if function is None:
            graph, operands = _inner_graph(node)
            inner = getattr(module, str(graph.target))
            names = [n.name for n in inner.graph.nodes if n.op == "placeholder"]
            bound = dict(zip(names, [value(operand) for operand in operands], strict=True))
            results = _add_nodes(steps, inner, inner.graph.nodes, f"{prefix}{node.name}/", bound)
            gather, parts = (_together, tuple(results)) if isinstance(results, list) else (_first, (results,))
            steps.append(_Step(gather, parts, {}, prefix + node.name, stack))
            continue
        kwargs = {name: value(arg) for name, arg in node.kwargs.items()}
        steps.append(_Step(function, tuple(map(value, node.args)), kwargs, prefix + node.name, stack))
    return []


def _path_and_class(entry: Any) -> tuple[str, str]:
    path, kind = entry[0], entry[1]
    name = kind if isinstance(kind, str) else f"{kind.__module__}.{kind.__qualname__}"
    return str(path), str(name)


def _stack(scopes: Iterator[tuple[str, str, str]]) -> tuple[tuple[str, str, str], ...] | None:
    """The modules around a node; None for nodes that a pass of torch added."""
    found = tuple(scopes)
    if any(key.startswith("_empty_nn_module_stack") for key, _, _ in found):
        return None
    return found


def _inner_graph(node: fx.Node) -> tuple[fx.Node, Sequence[Any]]:
    """The graph that an operator runs as it is (under no_grad, under autocast), and the operands."""
    if getattr(node.target, "__name__", "") not in _WRAPPERS:
        raise _has_branches(str(node.target))
    at = next(i for i, arg in enumerate(node.args) if isinstance(arg, fx.Node) and arg.op == "get_attr")
    graph = node.args[at]
    assert isinstance(graph, fx.Node)
    return graph, node.args[at + 1 :]


# From a file.


def _broken(name: str, note: str) -> ArchinspectError:
    return fail("A605", f"'{name}' is not a sound exported program", notes=[note])


def _of_file(source: str | os.PathLike[str], shapes: _Shapes) -> _Program:
    path = Path(source)
    if not os.path.lexists(path):
        raise fail("A101", f"there is no file '{path}'")
    file, _ = open_file(path, help="an exported program is a file", pipes=False)
    try:
        with file, zipfile.ZipFile(file) as archive:
            return _FileReader(archive, path, shapes).read()
    except OSError as error:
        raise fail("A102", f"cannot read '{path}'", notes=[str(error)]) from None
    except (zipfile.BadZipFile, NotImplementedError, EOFError, zlib.error, struct.error) as error:
        raise _broken(str(path), f"it is no zip archive: {error}") from None
    except (
        AssertionError,
        AttributeError,
        IndexError,
        KeyError,
        RecursionError,
        RuntimeError,
        TypeError,
        ValueError,
    ) as error:
        raise _broken(
            str(path), f"its program has another form than expected: {type(error).__name__}"
        ) from None


class _FileReader:
    """Reads the program of an archive: its JSON, and the values of small tensors of whole numbers."""

    def __init__(self, archive: zipfile.ZipFile, path: Path, shapes: _Shapes) -> None:
        self.archive = archive
        self.path = path
        self.sizes = _Sizes(shapes)
        names = archive.namelist()
        programs = [
            name for name in names if name.endswith(("models/model.json", "serialized_exported_program.json"))
        ]
        if not programs:
            models = [Path(name).stem for name in names if "/models/" in name and name.endswith(".json")]
            held = f"only {', '.join(models[:5])}" if models else "and no other"
            raise _broken(str(path), f"it holds no program called 'model', {held}")
        self.root = programs[0].removesuffix("models/model.json") if "models/" in programs[0] else ""
        self.content = self._json(programs[0])["graph_module"]
        self.graph = self.content["graph"]
        self.program = _Program(path.stem)

    def _json(self, name: str) -> Any:
        if self.archive.getinfo(name).file_size > _LARGEST:
            raise _broken(str(self.path), f"{name} is larger than {_LARGEST:,} bytes")
        return json.loads(self.archive.read(name))

    def _config(self, kind: str) -> dict[str, Any]:
        """What the archive says of its weights or constants by name; nothing in archives of older versions."""
        name = f"{self.root}data/{kind}/model_{kind}_config.json"
        return dict(self._json(name)["config"]) if name in self.archive.NameToInfo else {}

    def read(self) -> _Program:
        program, signature = self.program, self.content["signature"]
        weights, constants = self._config("weights"), self._config("constants")
        shared: dict[tuple[str, str], Tensor] = {}
        for spec in signature["input_specs"]:
            ((kind, entry),) = ((key, value) for key, value in spec.items() if value is not None)
            if kind == "user_input":
                self._user_input(entry["arg"])
            elif kind == "constant_input":
                program.inputs.append((entry["name"], None))
            elif kind in ("parameter", "buffer", "tensor_constant"):
                name = entry["arg"]["name"]
                target = entry[f"{kind}_name"]
                stored = weights.get(target) or constants.get(target) or {}
                place = stored.get("path_name") or target
                tensor = self._tensor(name, kind, stored)
                # Tied tensors are stored once.
                tensor = shared.setdefault((kind, place), tensor)
                program.owned.append(
                    (name, "constant" if kind == "tensor_constant" else kind, target, tensor)
                )
            else:
                raise _broken(str(self.path), f"it takes a {kind.replace('_', ' ')}, which is no tensor")
        self._add(self.graph["nodes"], "", {})
        for spec in signature["output_specs"]:
            ((kind, entry),) = ((key, value) for key, value in spec.items() if value is not None)
            if kind in ("user_output", "loss_output") and entry["arg"].get("as_tensor"):
                program.outputs.append(_Ref(entry["arg"]["as_tensor"]["name"]))
        if len(program.outputs) == 1:
            program.returned = lambda made: made[0]
        self._must_be_made()
        return program

    def _must_be_made(self) -> None:
        """Refuse steps that read what nothing made before them."""
        made = {name for name, *_ in (*self.program.owned, *self.program.inputs)}
        for step in self.program.steps:
            missing = [
                ref.name for ref in _refs((step.args, list(step.kwargs.values()))) if ref.name not in made
            ]
            if missing:
                raise _broken(
                    str(self.path), f"a node reads '{missing[0]}', which nothing computes before it"
                )
            made.update(_names(step.outputs))
        missing = [output.name for output in self.program.outputs if output.name not in made]
        if missing:
            raise _broken(str(self.path), f"nothing computes the output '{missing[0]}'")

    def _user_input(self, arg: Mapping[str, Any]) -> None:
        ((kind, entry),) = arg.items()
        if kind == "as_tensor":
            name = entry["name"]
            meta = self.graph["tensor_values"][name]
            declared = [self._size(size) for size in meta["sizes"]]
            self.program.inputs.append(
                (name, _example(self.sizes.shape(name, declared), _DTYPES[meta["dtype"]]))
            )
        elif kind == "as_sym_int" and "as_name" in entry:
            size = self.graph["sym_int_values"][entry["as_name"]]
            self.program.inputs.append((entry["as_name"], self.sizes.size(*self._size(size), first=False)))

    def _size(self, size: Mapping[str, Any]) -> tuple[str | None, int]:
        if "as_int" in size:
            return None, int(size["as_int"])
        hint = size["as_expr"].get("hint") or {}
        return str(size["as_expr"]["expr_str"]), int(hint.get("as_int") or 1)

    def _tensor(self, name: str, kind: str, stored: Mapping[str, Any]) -> Tensor:
        """A parameter, buffer or constant; with its values where these are few whole numbers."""
        meta = self.graph["tensor_values"][name]
        dtype = _DTYPES[meta["dtype"]]
        shape = [self._size(size)[1] for size in meta["sizes"]]
        count = math.prod(shape)
        if min(shape, default=0) < 0 or count > 2**53:
            raise _broken(str(self.path), f"'{name}' has the impossible sizes {shape}")
        whole = not (dtype.is_floating_point or dtype.is_complex)
        folder = "constants" if kind == "tensor_constant" else "weights"
        place = f"{self.root}data/{folder}/{stored.get('path_name')}"
        tensor = torch.empty(shape, dtype=dtype, device="meta")
        if whole and count <= _SMALL and place in self.archive.NameToInfo and not stored.get("use_pickle"):
            info = self.archive.getinfo(place)
            if info.file_size == count * dtype.itemsize and count:
                tensor = torch.frombuffer(bytearray(self.archive.read(place)), dtype=dtype).reshape(shape)
        if kind == "parameter":
            learnt = bool(meta.get("requires_grad")) and not whole
            return nn.Parameter(tensor, requires_grad=learnt)
        return tensor

    # Nodes.

    def _add(self, nodes: Sequence[Mapping[str, Any]], prefix: str, known: dict[str, Any]) -> None:
        for node in nodes:
            note = (node.get("metadata") or {}).get("nn_module_stack", "")
            scopes = [entry.split(",", 2) for entry in note.split(";") if entry.count(",") >= 2]
            stack = _stack((key, path, kind) for key, path, kind in scopes) if scopes else None
            names = self._outputs(node["outputs"], prefix)
            function = _named_function(node["target"], str(self.path))
            given = {}
            for position, argument in enumerate(node["inputs"]):
                value = self._argument(argument["arg"], prefix, known)
                given[argument.get("name") or position] = value
            if function is None:
                self._inline(node, list(given.values()), prefix, names, stack)
                continue
            args, kwargs = _by_schema(node["target"], given)
            self.program.steps.append(_Step(function, args, kwargs, names, stack))

    def _inline(self, node: Mapping[str, Any], args: list[Any], prefix: str, names: Any, stack: Any) -> None:
        """The steps of a graph that an operator runs as it is."""
        at = next(i for i, argument in enumerate(node["inputs"]) if "as_graph" in argument["arg"])
        graph = args[at]
        inner = f"{prefix}{node.get('name') or len(self.program.steps)}/"
        inputs = [next(iter(entry.values()))["name"] for entry in graph["inputs"]]
        known = dict(zip(inputs, args[at + 1 :], strict=True))
        self._add(graph["nodes"], inner, known)
        results = [self._argument(entry, inner, known) for entry in graph["outputs"]]
        gather = _first if isinstance(names, str) else _together
        self.program.steps.append(_Step(gather, tuple(results), {}, names, stack))

    def _outputs(self, outputs: Sequence[Mapping[str, Any]], prefix: str) -> Any:
        names: list[Any] = []
        for output in outputs:
            ((kind, entry),) = output.items()
            if kind in ("as_tensor", "as_optional_tensor"):
                inner = entry.get("as_tensor", entry) if isinstance(entry, dict) else {}
                names.append(prefix + inner.get("name", " "))
            elif kind == "as_tensors":
                names.append([prefix + one["name"] for one in entry])
            elif kind in ("as_sym_int", "as_sym_bool", "as_sym_float"):
                names.append(prefix + str(entry.get("as_name", " ")))
            else:
                names.append(" ")
        return names[0] if len(names) == 1 else names

    def _argument(self, arg: Mapping[str, Any], prefix: str, known: Mapping[str, Any]) -> Any:
        """An argument's value; names of tensors and sizes as references."""
        ((kind, value),) = arg.items()

        def ref(name: str) -> Any:
            return known[name] if name in known else _Ref(name if self._is_outer(name) else prefix + name)

        def one(entry: Mapping[str, Any]) -> Any:
            ((inner, content),) = entry.items()
            if inner == "as_name":
                return ref(content)
            if inner == "as_tensor":
                return ref(content["name"])
            return None if inner == "as_none" else content

        match kind:
            case "as_none":
                return None
            case "as_tensor":
                return ref(value["name"])
            case "as_tensors":
                return [ref(entry["name"]) for entry in value]
            case "as_optional_tensor" | "as_sym_int" | "as_sym_bool" | "as_sym_float":
                return one(value)
            case "as_optional_tensors" | "as_sym_ints" | "as_sym_bools" | "as_sym_floats":
                return [one(entry) for entry in value]
            case "as_scalar_type":
                return _DTYPES[value]
            case "as_memory_format":
                return _MEMORY_FORMATS[value]
            case "as_layout":
                return torch.strided
            case "as_device":
                return torch.device("cpu")
            case "as_complex":
                return complex(value["real"], value["imag"])
            case "as_graph":
                return value["graph"]
            case "as_float":
                return float(value)  # infinities are written as texts
            case "as_int" | "as_ints" | "as_floats" | "as_string" | "as_strings" | "as_bool" | "as_bools":
                return value
        raise _broken(str(self.path), f"a node has an argument of the kind '{kind}'")

    def _is_outer(self, name: str) -> bool:
        return any(name == given for given, *_ in (*self.program.owned, *self.program.inputs))


def _refs(value: Any) -> Iterator[_Ref]:
    if isinstance(value, _Ref):
        yield value
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from _refs(part)


def _names(outputs: Any) -> Iterator[str]:
    if isinstance(outputs, str):
        yield outputs
    else:
        for part in outputs:
            yield from _names(part)


# Sizes and functions.


class _Sizes:
    """What open sizes stand for: what given shapes say, else 1 for first dimensions, and those of the example."""

    def __init__(self, shapes: _Shapes) -> None:
        self._shapes = shapes
        self._known: dict[str, int] = {}
        self._count = 0

    def shape(self, name: str, declared: Sequence[tuple[str | None, int]]) -> tuple[int, ...]:
        self._count += 1
        given = self._shapes.get(name, self._shapes.get(self._count - 1))
        if given is not None:
            fits = len(given) == len(declared)
            for size, (symbol, fixed) in zip(given, declared, strict=False):
                fits = fits and size >= 0 and self._known.get(symbol or "", size if symbol else fixed) == size
                if symbol:
                    self._known.setdefault(symbol, size)
            if not fits:
                raise fail(
                    "A402",
                    f"the input '{name}' cannot have the shape {'x'.join(map(str, given))}",
                    notes=[f"the program takes {' × '.join(_shown(s) or str(n) for s, n in declared)}"],
                )
            return given
        return tuple([self.size(symbol, size, first=not at) for at, (symbol, size) in enumerate(declared)])

    def size(self, symbol: str | None, example: int, *, first: bool) -> int:
        if symbol is None:
            return example
        return self._known.setdefault(symbol, 1 if first else example)


def _shown(symbol: str | None) -> str:
    """The name of a size; in files it is written as a call: `Symbol('s77', positive=True)`."""
    named = re.match(r"Symbol\('(\w+)'", symbol or "")
    return named[1] if named else (symbol or "")[:40]


def _example(shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """An input: abstract, or zeros where values may be looked at."""
    whole = not (dtype.is_floating_point or dtype.is_complex)
    if whole and math.prod(shape) <= _SMALL:
        return torch.zeros(shape, dtype=dtype)
    return torch.empty(shape, dtype=dtype, device="meta")


#: operators that run a graph as it is
_WRAPPERS = frozenset(["wrap_with_set_grad_enabled", "wrap_with_autocast"])
#: functions of numbers that sizes are worked out with
_OF_SIZES = {
    **{
        f"{home}.{name}": getattr(operator, name)
        for home in ("_operator", "operator")
        for name in (
            "add", "sub", "mul", "floordiv", "truediv", "mod", "neg", "pow", "eq", "ne", "lt", "le", "gt", "ge",
            "and_", "or_", "not_", "getitem",
        )
    },
    **{f"math.{name}": getattr(math, name) for name in ("ceil", "floor", "trunc", "sqrt")},
    **{
        f"torch.{name}": getattr(torch, name)
        for name in ("sym_max", "sym_min", "sym_int", "sym_float", "sym_not", "sym_ite", "sym_sum")
        if hasattr(torch, name)
    },
}  # fmt: skip
_SIZES_OF_TENSORS: dict[str, Callable[..., Any]] = {
    "sym_size": lambda tensor, dim: tensor.shape[dim],
    "sym_stride": lambda tensor, dim: tensor.stride()[dim],
    "sym_numel": lambda tensor: tensor.numel(),
    "sym_storage_offset": lambda tensor: tensor.storage_offset(),
}
#: checks of values that abstract tensors do not have
_CHECKS = frozenset(
    [
        "_assert_scalar", "_assert_async", "_assert_tensor_metadata", "sym_constrain_range",
        "sym_constrain_range_for_size", "_functional_assert_async", "_functional_assert_scalar",
    ]
)  # fmt: skip
_READING_FILES = frozenset(["from_file"])


def _function_for(target: Any) -> Callable[..., Any] | None:
    """What runs a node; None for an operator that runs a graph."""
    if isinstance(target, torch._ops.OpOverload):
        name = target._schema.name.partition("::")[2]
        if name in _CHECKS:
            return _nothing
        return _COMPOSED.get(name) or _SIZES_OF_TENSORS.get(name) or target
    if isinstance(target, torch._ops.HigherOrderOperator):
        return target if target.__name__ == "flex_attention" else None
    found: Callable[..., Any] = target
    return found


def _first(*parts: Any) -> Any:
    return parts[0]


def _together(*parts: Any) -> Any:
    return parts


def _nothing(*args: Any, **kwargs: Any) -> None:
    return None


def _has_branches(name: str) -> ArchinspectError:
    return fail(
        "A602",
        f"the program runs '{name}', whose graph depends on values",
        help="capture the module itself, in the place of the program: archinspect summary net.py:Net",
    )


def _named_function(target: str, file: str) -> Callable[..., Any] | None:
    """The function of this name; None for an operator that runs a graph."""
    if target in _OF_SIZES:
        function: Callable[..., Any] = _OF_SIZES[target]
        return function
    parts = target.removeprefix("torch.ops.").split(".")
    if parts[0] == "higher_order" and len(parts) == 2:
        if parts[1] not in _WRAPPERS:
            raise _has_branches(parts[1])
        return None
    found: Any = torch.ops
    if (
        target.startswith("torch.ops.")
        and len(parts) in (2, 3)
        and all(part.isidentifier() for part in parts)
    ):
        for part in (*parts, "default")[:3]:
            found = getattr(found, part, None)
    if not isinstance(found, torch._ops.OpOverload):
        raise _broken(file, f"torch {torch.__version__} has no operator '{target[:200]}'")
    if parts[1] in _READING_FILES or not torch._C._dispatch_has_kernel(found.name()):
        raise _broken(file, f"it calls '{target[:200]}', which is no operator on tensors alone")
    return _function_for(found)


def _by_schema(target: str, given: Mapping[Any, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Arguments by name as the positions and names that an operator takes them by."""
    overload: Any = torch.ops
    for part in (*target.removeprefix("torch.ops.").split("."), "default")[:3]:
        overload = getattr(overload, part, None)
    schema = getattr(overload, "_schema", None)
    if schema is None or not target.startswith("torch.ops."):
        return tuple(given.values()), {}
    positional = [argument for argument in schema.arguments if not argument.kwarg_only]
    last = max((at for at, argument in enumerate(positional) if argument.name in given), default=-1)
    args = tuple(given.get(argument.name, argument.default_value) for argument in positional[: last + 1])
    names = {argument.name for argument in positional}
    return args, {str(name): value for name, value in given.items() if name not in names}
