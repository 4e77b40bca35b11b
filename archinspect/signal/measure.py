"""Runs a network forward and back over several seeds, and notes figures of each layer on the way.

A spec's network is built.  A user's module is copied, or built again where the frontend knows how, and the original is
not touched; the calls of PyTorch's functions in its forward are watched, so that `F.relu` has a row as `nn.ReLU` has.
Random states of torch, Python and NumPy are put back, whatever happens.
"""

from __future__ import annotations

import copy
import math
import random
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_flatten, tree_leaves, tree_unflatten

from ..analysis.batch import input_batches, is_spec
from ..errors import ArchinspectError, fail
from ..graph import width_dimension
from ..latency.measure.capacity import OutOfMemoryError, refuse_what_cannot_fit
from ..latency.measure.own_module import own_module
from .results import Symmetry, Units
from .theory import Moments, Weights, is_dense, scheme_weights

if TYPE_CHECKING:
    from ..graph import Graph

__all__ = [
    "Measured",
    "Record",
    "Settings",
    "explained",
    "measure",
    "modules",
    "moments",
    "random_inputs",
    "undisturbed",
    "with_inputs",
]

#: what running a network that does not fit together, or cannot train, raises
_MISFITS = (RuntimeError, ValueError, TypeError, IndexError)
_STEP = 0.1
#: where the seeds of inputs and of labels begin
_INPUTS, _LABELS = 1_000_000, 2_000_000


@dataclass(frozen=True, slots=True)
class Settings:
    """How a network is run.  `init`: a scheme; empty for its own start.  `activation` and `without` change a module."""

    seeds: int = 3
    batch: int = 8
    training: bool = True
    init: str = ""
    activation: str = ""
    without: tuple[str, ...] = ()
    images: Sequence[str] = ()


@dataclass(slots=True)
class Record:
    """One call of a layer in one pass."""

    name: str
    op: str
    index: int | None = None
    dense: bool = False
    forward: Moments | None = None
    entry: Moments | None = None
    gradient: Moments | None = None
    weight_gradient: Moments | None = None
    saturated: float | None = None
    units: Units | None = None
    weights: list[tuple[str, nn.Parameter]] = field(default_factory=list)
    starts: Weights | None = None


@dataclass(frozen=True, slots=True)
class Measured:
    """The records of each seed's pass, in order; the loss in words; layers whose units stay the same."""

    passes: tuple[tuple[Record, ...], ...]
    inputs: tuple[Moments | None, ...]
    loss: str
    symmetric: tuple[Symmetry, ...]
    constant: bool = False


def moments(tensor: Tensor) -> Moments | None:
    """Mean and second moment of a tensor of real numbers; None of an empty one.

    Sums are in fp32, and in fp64, which takes twenty times as long, where squares are too small or too large for fp32
    or the mean is much larger than what it is to be subtracted from.
    """
    count = tensor.numel()
    if not count or not tensor.is_floating_point():
        return None
    x = tensor.detach()
    mean = float(x.sum()) / count
    square = float(torch.linalg.vector_norm(x)) ** 2 / count
    if not 1e-28 < square < 1e28 or square - mean * mean < 1e-3 * square:
        mean = float(x.sum(dtype=torch.float64)) / count
        square = float(torch.linalg.vector_norm(x, dtype=torch.float64)) ** 2 / count
    if square - mean * mean < 1e-13 * square and bool((x == x.flatten()[0]).all()):
        mean = math.copysign(math.sqrt(square), mean)  # a constant has no variance, not one of rounding
        square = mean * mean
    return Moments(mean, square)


# A pass that is watched.


class _Watch:
    """Takes figures of what layers put out, and hangs a hook on each for its gradient."""

    def __init__(self, graph: Graph, owned: Mapping[int, str]) -> None:
        self.graph = graph
        self.owned = owned
        self.records: list[Record] = []
        self._by_name: dict[str, Record] = {}

    def saw(self, record: Record, entry: Sequence[Any], made: Any) -> None:
        """Note a call that made `made` of `entry`; of several outputs the first."""
        output = next((leaf for leaf in tree_leaves(made) if isinstance(leaf, Tensor)), None)
        if output is None or not output.is_floating_point():
            return
        first = next((leaf for leaf in entry if isinstance(leaf, Tensor)), None)
        record.forward = moments(output)
        kind = record.op.strip("_")
        if kind in ("sigmoid", "tanh", "relu", "relu6"):
            self._activation(record, kind, output)
        if first is not None and record.entry is None:
            record.entry = moments(first)
        if output.requires_grad:

            def arrived(gradient: Tensor) -> None:
                record.gradient = moments(gradient)

            output.register_hook(arrived)
        if record.name in self._by_name:  # a join of several branches adds them one by one
            self.records.remove(self._by_name[record.name])
        self._by_name[record.name] = record
        self.records.append(record)

    def before(self, record: Record, entry: Sequence[Any]) -> None:
        """Note what an activation reads, which it may overwrite."""
        first = next((leaf for leaf in entry if isinstance(leaf, Tensor)), None)
        if first is None or not first.is_floating_point():
            return
        record.entry = moments(first)
        if record.op.strip("_") in ("relu", "relu6") and first.dim() > 1:
            record.units = _units(first.detach(), self._unit_dimension(record, first))

    def _unit_dimension(self, record: Record, tensor: Tensor) -> int:
        if record.index is not None:
            axes, node = self.graph.axes[record.index], self.graph.nodes[record.index]
            if len(node.output_shape) == tensor.dim():
                return width_dimension(axes, tuple(tensor.shape))
        return width_dimension((), tuple(tensor.shape))

    def _activation(self, record: Record, kind: str, output: Tensor) -> None:
        made = output.detach()
        if kind in ("sigmoid", "tanh"):
            slope = made * (1 - made) / 0.25 if kind == "sigmoid" else 1 - made * made
            record.saturated = int((slope < 0.05).sum()) / max(1, slope.numel())

    def finish(self) -> None:
        """Take the gradients of weights, after the backward pass."""
        for record in self.records:
            found = [p.grad for name, p in record.weights if p.grad is not None and not _is_bias(name)]
            if found:
                record.weight_gradient = moments(torch.cat([grad.flatten() for grad in found]))


_FAR = 5.0


def _units(inputs: Tensor, dimension: int) -> Units:
    """Which units of a ReLU never fire on this batch, by what comes in, and how many of them lie far below the rest."""
    others = tuple(dim for dim in range(inputs.dim()) if dim != dimension)
    top = float(inputs.abs().max()) or 1.0  # whose square may be too small for fp32
    inputs = inputs / top
    silent = inputs.amax(others) <= 0
    each = inputs.numel() // max(1, len(silent))
    squares = (torch.linalg.vector_norm(inputs, dim=others).double() ** 2 / each)[~silent]
    usual = float(squares.mean().sqrt()) if len(squares) else 0.0
    means = inputs.sum(others) / each
    far = silent & (means < -_FAR * usual)
    at = float(means[far].mean()) if bool(far.any()) else 0.0
    return Units(
        len(silent), float(silent.double().mean()), float(far.double().mean()), at * top, usual * top
    )


def _is_bias(name: str) -> bool:
    return name.rpartition(".")[2].startswith("bias") or name.endswith("bias")


def _starts(weights: Sequence[tuple[str, nn.Parameter]]) -> Weights | None:
    """Second moments of a layer's weights and biases."""

    def square(of: list[Tensor]) -> float:
        count = sum(tensor.numel() for tensor in of)
        return sum(float(torch.linalg.vector_norm(t.detach(), dtype=torch.float64)) ** 2 for t in of) / count

    biases: list[Tensor] = [p for name, p in weights if _is_bias(name)]
    others: list[Tensor] = [p for name, p in weights if not _is_bias(name)]
    return Weights(square(others), square(biases) if biases else 0.0) if others else None


class _Steps(fx.Interpreter):
    """Runs a built module step by step; each step knows its layer."""

    def __init__(self, module: fx.GraphModule, watch: _Watch) -> None:
        super().__init__(module)
        self.watch = watch
        self._own = module

    def run_node(self, n: fx.Node) -> Any:
        layer = n.meta.get("layer")
        index = self.watch.graph.index.get(layer) if layer is not None else None
        if index is None or n.name.startswith("getitem"):
            return super().run_node(n)
        node = self.watch.graph.nodes[index]
        args, kwargs = self.fetch_args_kwargs_from_env(n)
        record = Record(node.name, node.op.type, index, is_dense(node.op))
        if n.op == "call_module":
            part = self._own.get_submodule(str(n.target))
            record.weights = list(part.named_parameters())
            record.starts = _starts(record.weights)
        entry = tree_leaves(args)
        self.watch.before(record, entry)
        made = getattr(self, n.op)(n.target, args, kwargs)
        if node.op.type != "identity":
            self.watch.saw(record, entry, made)
        return made


#: functions that compute nothing: they look, move, or make tensors of something else
_MOVING = frozenset(
    (
        *(
            "chunk",
            "clone",
            "contiguous",
            "detach",
            "dim",
            "double",
            "expand",
            "flatten",
            "float",
            "getitem",
            "half",
        ),
        *(
            "is_contiguous",
            "item",
            "permute",
            "repeat",
            "requires_grad",
            "reshape",
            "size",
            "split",
            "squeeze",
        ),
        *("stride", "to", "tolist", "transpose", "type", "unflatten", "unsqueeze", "view"),
    )
)


class _Calls(TorchFunctionMode):
    """Watches the calls of PyTorch's functions in a module's forward; may replace activations or batch normalisation.

    Calls get the names that they have in the captured graph: a module's path where nothing else ran in it, else the
    path and the function.
    """

    def __init__(self, watch: _Watch, settings: Settings) -> None:
        super().__init__()
        self.watch = watch
        self.settings = settings
        self.replaced = 0
        self._scopes: list[_Scope] = [_Scope("", "")]
        self._all: list[_Scope] = [self._scopes[0]]
        self._times: dict[str, int] = {}
        self._found: list[tuple[_Scope, Record, str]] = []

    @contextmanager
    def inside(self, module: nn.Module) -> Iterator[None]:
        """Note which part of the module is running."""
        handles = []
        for path, part in module.named_modules():
            if path and not isinstance(part, torch.jit.ScriptModule):
                handles.append(
                    part.register_forward_pre_hook(lambda _, __, at=path: self._enter(at), prepend=True)
                )
                handles.append(
                    part.register_forward_hook(lambda _, __, ___: self._leave(), always_call=False)
                )
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _enter(self, path: str) -> None:
        above = self._scopes[-1]
        inner = path[len(above.path) + 1 :] if above.path and path.startswith(f"{above.path}.") else path
        label = f"{above.label}.{inner}" if above.label and inner != path else path
        self._times[label] = self._times.get(label, 0) + 1
        if self._times[label] > 1:
            label = f"{label}#{self._times[label]}"
        above.inner += 1
        self._scopes.append(_Scope(path, label))

    def _leave(self) -> None:
        self._scopes.pop()

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        name = getattr(func, "__name__", "")
        plain = name.strip("_")
        if name == "__get__" or plain in _MOVING:
            return func(*args, **kwargs)
        plain = _OPERATORS.get(plain, plain)
        entry = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        if not any(tensor.requires_grad for tensor in entry):
            return func(*args, **kwargs)
        base = plain
        func, plain, args, kwargs = self._as_wanted(func, plain, args, kwargs)
        record = Record("", plain)
        record.weights = [
            (self.watch.owned[id(t)], t)
            for t in entry
            if id(t) in self.watch.owned and isinstance(t, nn.Parameter)
        ]
        record.dense = plain == "linear" or bool(re.fullmatch(r"conv(_transpose)?[123]d", plain))
        record.starts = _starts(record.weights)
        data = [tensor for tensor in entry if id(tensor) not in self.watch.owned]
        places = {tensor.data_ptr() for tensor in data}
        self.watch.before(record, data)
        made = args[0] if plain == "identity" else func(*args, **kwargs)
        output = next((leaf for leaf in tree_leaves(made) if isinstance(leaf, Tensor)), None)
        changes = (
            (name.endswith("_") and not name.startswith("__"))
            or name.startswith("__i")
            or kwargs.get("inplace")
        )
        if output is None or not output.requires_grad or output.dim() == 0:
            return made
        if output.data_ptr() in places and not changes and plain not in ("relu", "dropout"):
            return made
        if plain != "identity":
            scope = self._scopes[-1]
            scope.calls += 1
            self._name(scope, record, base)
            self.watch.saw(record, data, made)
        return made

    def _as_wanted(
        self, func: Any, plain: str, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[Any, str, tuple[Any, ...], dict[str, Any]]:
        """The call, or the one that stands in for it in this variant."""
        if self.settings.activation and plain in _ACTIVATIONS:
            self.replaced += 1
            wanted = self.settings.activation
            inplace = func in (torch.relu_, Tensor.relu_)  # whose result may be left unused
            made = getattr(torch, f"{wanted}_" if inplace else wanted)
            return made, wanted, args[:1] or (kwargs["input"],), {}
        if "batch_norm" in self.settings.without and plain == "batch_norm":
            self.replaced += 1
            return func, "identity", args[:1] or (kwargs["input"],), {}
        return func, plain, args, kwargs

    def _name(self, scope: _Scope, record: Record, base: str) -> None:
        """A provisional name; `settle` gives the final ones, when it is known what else ran in the same module."""
        record.name = f"{scope.label or ''}\0{len(self._found)}"
        self._found.append((scope, record, base))

    def settle(self) -> None:
        """Name the calls as the captured graph does, and tell each its node."""
        used = {scope.label for scope, _, _ in self._found}
        for scope, record, base in self._found:
            if scope.label and scope.calls == 1 and not scope.inner:
                record.name = scope.label
            else:
                record.name = _unused(f"{scope.label}.{base}" if scope.label else base, used)
                used.add(record.name)
            index = self.watch.graph.index.get(record.name)
            if index is not None:
                record.index = index
                if record.op == base:
                    record.op = self.watch.graph.nodes[index].op.type


@dataclass(slots=True)
class _Scope:
    """A call of a module: its path, its name in the graph, how many functions ran in it, and how many modules."""

    path: str
    label: str
    calls: int = 0
    inner: int = 0


_OPERATORS = {"iadd": "add", "radd": "add", "imul": "mul", "rmul": "mul", "isub": "sub", "truediv": "div"}
_ACTIVATIONS = frozenset(
    ("relu", "relu6", "leaky_relu", "elu", "gelu", "silu", "tanh", "sigmoid", "hardswish", "mish", "selu")
)


def _unused(name: str, used: set[str]) -> str:
    number, found = 0, name
    while found in used:
        number += 1
        found = f"{name}_{number}"
    return found


# The module and its weights.


def modules(graph: Graph, settings: Settings) -> Iterator[nn.Module]:
    """The module for each seed, with the weights that it starts with."""
    if graph.source is None:
        from ..pytorch import build
        from ..pytorch.initialization import initialize

        built = build(graph)
        for seed in range(settings.seeds):
            initialize(built, graph, settings.init or "as-published", seed=seed)
            built.zero_grad(set_to_none=True)
            yield built
        return
    module = own_module(graph)
    for seed in range(settings.seeds):
        torch.manual_seed(seed)
        own = _own(graph, module)
        if settings.init not in ("", "as-published"):
            _start(own, graph, settings.init)
        yield own


def _own(graph: Graph, module: nn.Module) -> nn.Module:
    """A copy of a user's module, or the module built again by its class where that is known."""
    source: Any = graph.source
    if source.again is not None:
        made: nn.Module = source.again()
    else:
        try:
            made = copy.deepcopy(module)
        except Exception as error:
            raise fail(
                "A403",
                f"{type(module).__name__} cannot be copied, and the original is not to be changed",
                notes=[f"copy.deepcopy raised {type(error).__name__}: {str(error).partition(chr(10))[0]}"],
                help="keep what cannot be copied (files, locks, sockets) out of the module, or give it a __deepcopy__",
            ) from error
    if any(tensor.is_meta for tensor in (*made.parameters(), *made.buffers())):
        made = _reset(made)
    made = made.float()
    for parameter in made.parameters():
        if parameter.is_floating_point():
            parameter.requires_grad_(True)
    return made


def _reset(module: nn.Module) -> nn.Module:
    """A module of the meta device with values, as its layers' own `reset_parameters` set them."""
    module = module.to_empty(device="cpu")
    with torch.no_grad():
        for tensor in (*module.parameters(), *module.buffers()):
            tensor.fill_(math.nan) if tensor.is_floating_point() else tensor.zero_()
        for part in module.modules():
            reset: Any = getattr(part, "reset_parameters", None)
            if callable(reset):
                reset()
    for name, tensor in (*module.named_parameters(), *module.named_buffers()):
        if tensor.is_floating_point() and bool(tensor.isnan().any()):
            raise fail(
                "A403",
                f"'{name}' has no value: the module was built on the meta device",
                notes=["no reset_parameters of its layers sets it"],
                help="build the module on the CPU, or name its class (net.py:Net)",
            )
    return module


def _start(module: nn.Module, graph: Graph, scheme: str) -> None:
    """Start the linear layers and convolutions of a captured module by a scheme; biases 0, all else as it is."""
    held = dict(module.named_parameters())
    with torch.no_grad():
        for node in graph.layers:
            weights = scheme_weights(node, scheme)
            own = node.parameters or {}
            if weights is None or "weight" not in own or own["weight"].name not in held:
                continue
            weight = held[own["weight"].name]
            if scheme == "orthogonal":
                nn.init.orthogonal_(weight)
            elif scheme in ("default", "xavier"):
                bound = math.sqrt(3 * weights.weight)
                weight.uniform_(-bound, bound)
            else:
                weight.normal_(0.0, math.sqrt(weights.weight))
            if "bias" in own and own["bias"].name in held:
                bound = math.sqrt(3 * weights.bias)
                held[own["bias"].name].uniform_(-bound, bound)


# The inputs and the loss.


def random_inputs(graph: Graph, settings: Settings, seed: int) -> list[Tensor]:
    """Random inputs at the batch: normal numbers, and token ids below the size of the table they are looked up in."""
    # Not the seed of the weights: the same stream would make inputs that are like rows of them.
    generator = torch.Generator().manual_seed(_INPUTS + seed)
    made = []
    for at, (node, batch) in enumerate(
        zip(graph.nodes[: graph.inputs], _batch_dimensions(graph), strict=True)
    ):
        value = node.values[0]
        shape = list(value.shape)
        if batch is not None:
            shape[batch] = settings.batch
        kind = getattr(torch, value.dtype)
        if settings.images and at == 0:
            from .images import read_images

            made.append(read_images(settings.images, shape, generator))
        elif kind.is_floating_point:
            made.append(torch.randn(shape, generator=generator))
        elif kind is torch.bool or (most := _table_size(graph, at)) is None:
            made.append(torch.ones(shape, dtype=kind))
        else:
            made.append(torch.randint(0, most, shape, generator=generator).to(kind))
    return made


def _batch_dimensions(graph: Graph) -> tuple[int | None, ...]:
    return (0,) * graph.inputs if is_spec(graph) or graph.source is None else input_batches(graph)


def _table_size(graph: Graph, index: int) -> int | None:
    """The rows of the smallest table that an input is looked up in, as it is or through operations without work."""
    found: list[int] = []
    todo, seen = [index], {index}
    while todo:
        for reader in graph.consumers[todo.pop()]:
            node = graph.nodes[reader]
            if node.op.reads_integers or node.op.type == "embedding":
                found += [shape[0] for name, shape in node.weights.items() if name == "weight"]
            elif node.cost is not None and node.cost.macs == 0 and reader not in seen:
                seen.add(reader)
                todo.append(reader)
    return min(found, default=None)


def with_inputs(graph: Graph, inputs: Sequence[Tensor]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments of forward: the inputs, or of a user's module its example inputs with these in their place."""
    if graph.source is None:
        return tuple(inputs), {}
    source: Any = graph.source
    leaves, form = tree_flatten((tuple(source.args), dict(source.kwargs)))
    distinct = list(dict.fromkeys(id(leaf) for leaf in leaves if isinstance(leaf, Tensor)))
    places = dict(zip(distinct, inputs, strict=False))
    filled = [
        places.get(id(leaf), leaf) if isinstance(leaf, Tensor) else copy.deepcopy(leaf) for leaf in leaves
    ]
    args, kwargs = tree_unflatten(filled, form)
    return args, kwargs


def _outputs(made: Any) -> list[Tensor]:
    """The outputs that a gradient can come from."""
    leaves = [leaf for leaf in tree_leaves(made) if isinstance(leaf, Tensor)]
    return [leaf for leaf in leaves if leaf.is_floating_point() and leaf.requires_grad and leaf.numel()]


def _loss(outputs: Sequence[Tensor], logits: bool, generator: torch.Generator) -> tuple[Tensor, str]:
    """Cross-entropy on random labels of outputs (N, classes); of others the mean of a random projection."""
    total: Tensor | None = None
    words = []
    for output in outputs:
        if logits and output.dim() == 2 and output.shape[1] > 1:
            labels = torch.randint(0, output.shape[1], (output.shape[0],), generator=generator)
            part = functional.cross_entropy(output, labels)
            words.append("cross-entropy on random labels")
        else:
            direction = torch.randn(output.shape, generator=generator)
            count = output.shape[0] if output.dim() else 1
            part = (output * direction).sum() / (count * math.sqrt(output.numel() / count))
            words.append("a random projection of the output")
        total = part if total is None else total + part
    assert total is not None
    return total, " and ".join(dict.fromkeys(words))


# The measurement.


@contextmanager
def undisturbed() -> Iterator[None]:
    """Put back random states and global flags, after errors too."""
    python = random.getstate()
    numpy: Any = sys.modules.get("numpy")
    drawn = numpy.random.get_state() if numpy is not None else None
    fast_path = torch.backends.mha.get_fastpath_enabled()
    try:
        torch.backends.mha.set_fastpath_enabled(False)
        with torch.random.fork_rng(devices=[]), torch.inference_mode(False), torch.enable_grad():
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast_path)
        random.setstate(python)
        if drawn is not None:
            numpy.random.set_state(drawn)


def measure(graph: Graph, settings: Settings, tell: Callable[[int], None] | None = None) -> Measured:
    """Forward and backward passes of a network, a seed each; `tell` is told how many are done.

    Raises ArchinspectError: A403 for a network that cannot be run so, A601 for what a user's forward raises.
    """
    _refuse_what_is_too_large(graph, settings.batch)
    passes: list[tuple[Record, ...]] = []
    inputs: tuple[Moments | None, ...] = ()
    loss = ""
    symmetric: tuple[Symmetry, ...] = ()
    constant = False
    with undisturbed():
        for seed, module in enumerate(modules(graph, settings)):
            torch.manual_seed(seed)
            random.seed(seed)
            module.train(settings.training)
            given = random_inputs(graph, settings, seed)
            run = _Run(graph, module, settings, given)
            records, loss = run.forward_and_back(seed)
            passes.append(records)
            inputs = tuple(moments(tensor) for tensor in given)
            if seed == settings.seeds - 1:
                symmetric, constant = run.after_a_step(records)
            if tell is not None:
                tell(seed + 1)
    return Measured(tuple(passes), inputs, loss, symmetric, constant)


class _Run:
    """One module with its inputs."""

    def __init__(self, graph: Graph, module: nn.Module, settings: Settings, given: Sequence[Tensor]) -> None:
        self.graph, self.module, self.settings = graph, module, settings
        self.inputs = [tensor.requires_grad_(tensor.is_floating_point()) for tensor in given]
        owned = {id(p): name for name, p in module.named_parameters()}
        owned.update({id(b): name for name, b in module.named_buffers()})
        self.watch = _Watch(graph, owned)

    def forward_and_back(self, seed: int) -> tuple[tuple[Record, ...], str]:
        """The records of a pass, and its loss in words."""
        with explained(self.module, self.settings, self.graph):
            made = self._forward()
            outputs = _outputs(made)
            if not outputs:
                raise fail(
                    "A403",
                    f"no gradient comes from the outputs of {self.graph.name}",
                    notes=[
                        "its outputs do not depend on floating-point inputs or weights in a differentiable way"
                    ],
                )
            ends = [self.graph.nodes[at].op.type for at in self.graph.outputs]
            logits = not any("softmax" in end for end in ends)
            loss, words = _loss(outputs, logits, torch.Generator().manual_seed(_LABELS + seed))
            loss.backward()
        self.watch.finish()
        return tuple(self.watch.records), words

    def _forward(self) -> Any:
        if isinstance(self.module, fx.GraphModule) and self.graph.source is None:
            return _Steps(self.module, self.watch).run(*self.inputs)
        args, kwargs = with_inputs(self.graph, self.inputs)
        calls = _Calls(self.watch, self.settings)
        with calls.inside(self.module), calls:
            made = self.module(*args, **kwargs)
        wanted = self.settings.activation or "batch_norm" in self.settings.without
        if wanted and not calls.replaced:
            what = "activation" if self.settings.activation else "batch normalisation"
            raise fail("A403", f"{self.graph.name} has no {what} to replace", help="leave the option out")
        calls.settle()
        return made

    def after_a_step(self, records: Sequence[Record]) -> tuple[tuple[Symmetry, ...], bool]:
        """Which layers' units were equal and still are after one gradient step; whether outputs are constant then.

        The weights are changed: this comes last.
        """
        equal = [record for record in records if record.dense and _are_equal(_units_of(record))]
        if not equal:
            return (), False
        with torch.no_grad():
            for parameter in self.module.parameters():
                if parameter.grad is not None:
                    parameter.sub_(parameter.grad, alpha=_STEP)
        found = []
        for record in equal:
            rows = _units_of(record)
            if _are_equal(rows):
                learns = any(p.grad is not None and bool(p.grad.any()) for _, p in record.weights)
                found.append(Symmetry(record.name, len(rows), learns))
        with torch.no_grad(), explained(self.module, self.settings, self.graph):
            args, kwargs = with_inputs(self.graph, self.inputs)
            again = [leaf for leaf in tree_leaves(self.module(*args, **kwargs)) if isinstance(leaf, Tensor)]
        constant = bool(found) and all(_are_equal(out.flatten(1)) for out in again if out.dim() > 1)
        return tuple(found), constant


def _units_of(record: Record) -> Tensor:
    """A row for each unit of a linear layer or convolution: its weights and its bias."""
    parts = []
    for name, parameter in record.weights:
        tensor = parameter.detach()
        if not _is_bias(name) and "transpose" in record.op and tensor.dim() > 1:
            tensor = tensor.transpose(0, 1)
        parts.append(tensor.flatten(1) if tensor.dim() > 1 else tensor[:, None])
    fits = bool(parts) and len({len(part) for part in parts}) == 1
    return torch.cat(parts, 1) if fits else torch.empty(0, 0)


def _are_equal(rows: Tensor) -> bool:
    """Whether there are several rows and all are the same, as far as sums in another order can tell."""
    if rows.dim() < 2 or len(rows) < 2:
        return False
    near = 1e-6 * float(rows.abs().max())
    return bool(torch.allclose(rows, rows[:1].expand_as(rows), rtol=1e-4, atol=near))


@contextmanager
def explained(module: nn.Module, settings: Settings, graph: Graph) -> Iterator[None]:
    """Turn what a forward raises into an error of ours."""
    try:
        yield
    except ArchinspectError:
        raise
    except Exception as error:
        first = str(error).strip().partition("\n")[0]
        more = " or --mode eval" if settings.training else ""
        how = f"in {'training' if settings.training else 'evaluation'} mode at batch {settings.batch}"
        if graph.source is not None:
            told = f"forward of {type(module).__name__} raised {type(error).__name__}{f': {first}' if first else ''}"
            raise fail(
                "A601", told, notes=[f"while it was run {how}"], help=f"try another --batch{more}"
            ) from error
        if not isinstance(error, _MISFITS):
            raise
        told = f"{graph.name} cannot be run {how}"
        raise fail(
            "A403", told, notes=[f"PyTorch says: {first}"], help=f"try another --batch{more}"
        ) from error


def _refuse_what_is_too_large(graph: Graph, batch: int) -> None:
    """Raises ArchinspectError (A103) where weights, gradients and kept activations do not fit into memory."""
    elements = sum(math.prod(node.output_shape) for node in graph.nodes)
    own = max(1, graph.nodes[0].output_shape[0]) if graph.inputs and graph.nodes[0].output_shape else 1
    size = 4 * (2 * sum(p.numel for p in graph.parameters) + 2 * elements * batch // own)
    try:
        refuse_what_cannot_fit(size, torch.device("cpu"))
    except OutOfMemoryError as error:
        raise fail(
            "A103",
            f"{graph.name} is too large to be run at batch {batch}",
            notes=[str(error)],
            help="a smaller --batch",
        ) from None
