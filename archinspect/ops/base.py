"""What an op is: one frozen dataclass that holds everything archinspect knows about a layer type.

Its fields are the attributes a spec may give, with PyTorch's names and defaults; its methods say the output shape,
the weights (as named shapes), the cost, the window (for receptive fields), the derivation of each figure, and how
PyTorch spells the layer.  To add a layer type, write one such class under `@register(...)`; the parser, the tables,
the documentation and the conformance tests pick it up.

No op file imports torch: `torch_call` only *names* what to construct.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, FrozenInstanceError, dataclass
from importlib import import_module
from typing import Any, ClassVar, Self, TypeVar, dataclass_transform

from ..errors import OpError
from ..geometry import Axis, Reach
from .attributes import SPACES, Kind
from .cost import NO_COST, Cost
from .torch_call import TorchCall

__all__ = [
    "CATEGORIES",
    "NO_COST",
    "REGISTRY",
    "Attribute",
    "Axes",
    "Cost",
    "Op",
    "Positions",
    "Shape",
    "Shapes",
    "TorchCall",
    "attr",
    "joined_axes",
    "joined_reaches",
    "module_call",
    "need_map",
    "need_rank",
    "numel",
    "register",
    "show_shape",
    "unknown_axes",
]

Shape = tuple[int, ...]
Shapes = tuple[Shape, ...]
#: what each dimension of a tensor means: "batch", "channel", "space", "sequence", "feature"; "" where nobody knows
Axes = tuple[str, ...]
#: for each dimension of a tensor the axes of the image, 0 vertical and 1 horizontal, that lie along it
Positions = tuple[frozenset[int], ...]


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute of an op, as the parser and the documentation need it."""

    name: str
    kind: Kind
    doc: str
    default: Any = MISSING

    @property
    def required(self) -> bool:
        return self.default is MISSING

    def show(self, value: Any) -> str:
        """The value as a spec writes it."""
        return self.kind.show(value)


@dataclass(frozen=True, slots=True)
class _Declaration:
    """An attribute as an op's class states it; `register` makes it an `Attribute`."""

    kind: Kind | Callable[[int], Kind]
    doc: str
    default: Any


def attr(kind: Kind | Callable[[int], Kind], doc: str, default: Any = MISSING) -> Any:
    """Declare an attribute: what values it takes, what it means, and PyTorch's default (none: required).

    In a family of ops the kind may depend on the number of spatial dimensions.
    """
    return _Declaration(kind, doc, default)


@dataclass_transform(frozen_default=True, field_specifiers=(attr,))
class Op:
    """Base of all ops.  Shapes are full PyTorch shapes, batch first: (N, C, H, W).

    Ops that differ in nothing but their number of spatial dimensions are one class, the family, which declares
    attributes and methods for any number, and a member for each: `Conv2d` is a `Convolution` with `spatial = 2`.
    The documentation of a family is a template, which `attributes.SPACES` has the words for.
    """

    type: ClassVar[str] = ""
    #: in a family of ops the number of spatial dimensions, and the type without them: "conv" of conv2d
    spatial: ClassVar[int] = 0
    family: ClassVar[str] = ""
    category: ClassVar[str] = ""
    attributes: ClassVar[tuple[Attribute, ...]] = ()
    kinds: ClassVar[dict[str, Kind]] = {}  # of the attributes, by name
    _defaults: ClassVar[dict[str, Any]] = {}  # of all attributes in order; MISSING where there is none
    _required: ClassVar[tuple[str, ...]] = ()
    #: number of inputs: 1, or None for a join of two or more branches
    arity: ClassVar[int | None] = 1
    #: names of further inputs that a call may give, in order: `multihead_attention(8, key=memory)`
    reads: ClassVar[tuple[str, ...]] = ()
    #: names of learnt tensors that may be those of another layer: `linear(30522, weight=embedding)`
    tied: ClassVar[tuple[str, ...]] = ()
    #: what the outputs are called where there are several: `lstm.h_n`
    output_names: ClassVar[tuple[str, ...]] = ()
    #: whether other tools' figures for it follow from rules of ours; else from what they see of the built module
    predicted: ClassVar[bool] = True
    #: whether PyTorch's FlopCounterMode has a rule for its products
    seen_by_torch: ClassVar[bool] = True
    #: whether it looks up integers, as an embedding does
    reads_integers: ClassVar[bool] = False
    #: attributes that may be given as names of dimensions
    named_dimensions: ClassVar[tuple[str, ...]] = ()
    #: what an input of a network of such layers is: 1 a sequence or signal, 2 an image, 3 a volume; 0 says nothing
    layout: ClassVar[int] = 0
    #: whether the output is the input's own memory in evaluation (a view, or the tensor itself)
    aliases: ClassVar[bool] = False
    #: sample attributes for the conformance test: (keyword attributes, input shapes)
    samples: ClassVar[tuple[tuple[dict[str, Any], Shapes], ...]] = ()

    # What `dataclass(frozen=True)` would generate for each of some fifty classes, written once: generating it takes
    # 0.3 ms a class, at every start of the command line.

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        defaults, values = self._defaults, self.__dict__
        if len(args) > len(defaults):
            raise TypeError(f"{self.type} takes {len(defaults)} attributes, got {len(args)}")
        given = dict(zip(defaults, args, strict=False)) if args else {}
        values.update(defaults)  # so that their order is that of the class
        values.update(given)
        values.update(kwargs)
        if len(values) > len(defaults) or given.keys() & kwargs.keys():
            name = next(name for name in kwargs if name in given or name not in defaults)
            raise TypeError(f"{self.type} has no free attribute '{name}'")
        for name in self._required:
            if values[name] is MISSING:
                raise TypeError(f"{self.type} needs '{name}'")
        self.__post_init__()

    def __post_init__(self) -> None:
        """Refuse attribute values that do not suit each other."""

    def __setattr__(self, name: str, value: Any) -> None:
        raise FrozenInstanceError(f"cannot assign to '{name}' of the op {self}")

    def __delattr__(self, name: str) -> None:
        raise FrozenInstanceError(f"cannot delete '{name}' of the op {self}")

    def __eq__(self, other: object) -> bool:
        return self.__dict__ == other.__dict__ if self.__class__ is other.__class__ else NotImplemented

    def __hash__(self) -> int:
        return hash((self.__class__, *self.__dict__.values()))

    def __repr__(self) -> str:
        return str(self)

    @classmethod
    def of(cls, *args: Any, **kwargs: Any) -> Self:
        """The op with attributes as a spec would write them: `Conv2d.of(64, 3, padding=1)`.

        Raises OpError for values that the attributes do not take, TypeError for a wrong number or name.
        """
        given = dict(zip((a.name for a in cls.attributes), args, strict=False), **kwargs)
        kinds = cls.kinds
        return cls(
            **{name: kinds[name].parse(value) if name in kinds else value for name, value in given.items()}
        )

    def replace(self, **attributes: Any) -> Self:
        """The op with other values for some attributes."""
        return type(self)(**{**self.__dict__, **attributes})

    def shape(self, inputs: Shapes) -> Shape:
        """Output shape.  Raises OpError when the inputs do not suit the op."""
        raise NotImplementedError

    def outputs(self, inputs: Shapes) -> Shapes:
        """Shapes of the outputs beside the first."""
        return ()

    def weights(self, inputs: Shapes) -> dict[str, Shape]:
        """Learnable parameters by PyTorch's names."""
        return {}

    def active(self, inputs: Shapes) -> int | None:
        """How many of its parameters one token uses, where it does not use all of them."""
        return None

    def buffers(self, inputs: Shapes) -> dict[str, Shape]:
        """State that is saved but not learned (running statistics)."""
        return {}

    def cost(self, inputs: Shapes, output: Shape) -> Cost | None:
        """Work of one forward pass in evaluation mode; None when it cannot be counted."""
        raise NotImplementedError

    def windows(self, inputs: Shapes) -> tuple[Axis, ...] | None:
        """An axis for each spatial dimension, for the receptive field; None for an op that keeps positions apart.

        An axis is one of `geometry`: `Window` (convolution, pooling), `TransposedWindow`, `AdaptiveWindow` or
        `Resampling`.  Each has a `reach`: n neighbouring outputs read at most `reach.inputs(n)` neighbouring inputs.
        For a whole network go from the layer back to the input; a join reads the union of what its branches read.
        """
        return None

    def mixes(self, inputs: Shapes) -> tuple[int, ...]:
        """Dimensions that each output reads from end to end: features of a linear layer, channels of a convolution.

        Where positions of the image lie along such a dimension, each output sees all of them.  Means and variances of
        a normalisation do not count (`docs/counting.md`).
        """
        return ()

    def positions(self, before: Sequence[Positions], inputs: Shapes, output: Shape) -> Positions | None:
        """Where the image's positions lie in the output, when they lie in the inputs as `before` says.

        By default where they lie in the inputs, dimension by dimension; for an op that moves dimensions elsewhere.
        None where nobody knows.
        """
        first, *others = before
        for other in others:
            first = tuple([a | b for a, b in zip(first, other, strict=True)])
        return first

    def reaches(self, before: Sequence[Positions], inputs: Shapes) -> Mapping[int, Reach]:
        """How far neighbouring outputs see along an axis of the image where dimensions are joined."""
        return {}

    def reads_whole(self, before: Sequence[Positions], inputs: Shapes) -> frozenset[int]:
        """The axes of the image that each output reads from end to end, as what it `mixes` says."""
        mixed = self.mixes(inputs)
        return frozenset[int]().union(*[place[dim] for place in before for dim in mixed])

    def axes(self, before: Sequence[Axes], inputs: Shapes, output: Shape) -> Axes:
        """What the dimensions of the output mean, when those of the inputs mean what `before` says.

        The members of a family read and write channels and space.  Others keep the meaning of each dimension by
        default; an op that moves dimensions elsewhere says so.
        """
        if self.spatial and len(output) == self.spatial + 2:
            return ("batch", "channel", *("space",) * self.spatial)
        first, *others = before
        for other in others:
            if len(other) == len(first):
                first = tuple([mine or theirs for mine, theirs in zip(first, other, strict=True)])
        return first if len(first) == len(output) else unknown_axes(first, output)

    def torch_call(self, inputs: Shapes) -> TorchCall:
        """The PyTorch module or function that does the same."""
        raise NotImplementedError

    # Derivations: a formula with its figures in it; evaluating it gives the cell.

    def derive_shape(self, inputs: Shapes, output: Shape) -> str:
        return _tuple(str(d) for d in output)

    def derive_params(self, inputs: Shapes) -> str:
        from .derivation import sum_of_products

        return sum_of_products(self.weights(inputs).values())

    def derive_macs(self, inputs: Shapes, output: Shape) -> str:
        cost = self.cost(inputs, output)
        return str(cost.macs) if cost else ""

    def derive_flops(self, inputs: Shapes, output: Shape) -> str:
        """Σ of the kinds of work: `2×MACs + bias additions + elementwise + comparisons`."""
        cost = self.cost(inputs, output)
        if cost is None:
            return ""
        macs = [f"2×{cost.macs:,}"] if cost.macs else []
        rest = [f"{n:,}" for n in (cost.bias_adds, cost.elementwise, cost.comparisons) if n]
        return " + ".join(macs + rest) or "0"

    def __str__(self) -> str:
        """The op as a spec writes it: required attributes first, then those that differ from their default."""
        parts = []
        keyword = False
        for a in self.attributes:
            value = getattr(self, a.name)
            if not a.required and value == a.default:
                keyword = True
                continue
            parts.append(f"{a.name}={a.show(value)}" if keyword or not a.required else a.show(value))
        return f"{self.type}({', '.join(parts)})"


OpType = TypeVar("OpType", bound=type[Op])


class Registry(Mapping[str, "type[Op]"]):
    """The ops by their spec names.

    Most networks need few of them: files of the others, in `later` by the names of their ops, are imported when one of
    them is asked for, or all where the whole registry is.  `read` are those of files that have been imported.
    """

    def __init__(self) -> None:
        self.read: dict[str, type[Op]] = {}
        self.later: dict[str, str] = {}
        self._declared: list[str] = []

    def declare(self, files: Mapping[str, Sequence[str]]) -> None:
        """Name ops whose files are imported later: names by file."""
        self.later.update({name: file for file, names in files.items() for name in names})
        self._declared += [name for names in files.values() for name in names]

    def _load(self, file: str) -> None:
        self.later = {name: place for name, place in self.later.items() if place != file}
        import_module(f"{__package__}.{file}")

    def __getitem__(self, name: str) -> type[Op]:
        if name in self.later:
            self._load(self.later[name])
        return self.read[name]

    def __contains__(self, name: object) -> bool:
        return name in self.read or name in self.later

    def __iter__(self) -> Iterator[str]:
        for file in dict.fromkeys(self.later.values()):
            self._load(file)
        # The same order whichever file was asked for first.
        later = set(self._declared)
        return iter([*(name for name in self.read if name not in later), *self._declared])

    def __len__(self) -> int:
        return len(self.read) + len(self.later)


REGISTRY = Registry()
CATEGORIES = (
    "convolution",
    "linear",
    "pooling",
    "normalisation",
    "activation",
    "attention",
    "sequence",
    "merge",
    "shape",
    "regularisation",
)


def register(type: str, *, category: str, samples: Any = ()) -> Callable[[OpType], OpType]:
    """Enter the class in the registry under its spec name, with the attributes that it and its family declare."""

    def decorate(cls: OpType) -> OpType:
        if type in REGISTRY.read:
            raise ValueError(f"op '{type}' is registered twice: {REGISTRY[type].__name__} and {cls.__name__}")
        if category not in CATEGORIES:
            raise ValueError(f"op '{type}' has an unknown category '{category}'")
        words = SPACES.get(cls.spatial)
        cls.type = type
        cls.family = type.removesuffix(f"{cls.spatial}d")
        cls.category = category
        cls.layout = cls.layout or cls.spatial
        cls.samples = tuple(samples)
        if words and cls.__doc__ is None:
            cls.__doc__ = (cls.__mro__[1].__doc__ or "").format_map(words)
        cls.attributes = tuple(_attributes(cls, words))
        cls.kinds = {a.name: a.kind for a in cls.attributes}
        cls._defaults = {a.name: a.default for a in cls.attributes}
        cls._required = tuple(a.name for a in cls.attributes if a.required)
        REGISTRY.read[type] = cls
        return cls

    return decorate


def _attributes(cls: type[Op], words: Mapping[str, str] | None) -> Iterator[Attribute]:
    """The attributes that a class and those above it declare; those of the class above come first."""
    for owner in reversed(cls.__mro__):
        for name, declared in owner.__dict__.items():
            if isinstance(declared, _Declaration):
                kind, doc, default = declared.kind, declared.doc, declared.default
                if not isinstance(kind, Kind):
                    kind = kind(cls.spatial)
                yield Attribute(
                    name,
                    kind,
                    doc.format_map(words) if words else doc,
                    default if default is MISSING else kind.parse(default),
                )


def unknown_axes(before: Axes, output: Shape) -> Axes:
    """Axes of which nothing is known but that the batch stays in front, where it was."""
    rest = ("",) * (len(output) - 1)
    return () if not output else ("batch", *rest) if before[:1] == ("batch",) else ("", *rest)


def joined_reaches(places: Sequence[frozenset[int]], sizes: Shape) -> dict[int, Reach]:
    """By axis of the image how far neighbours see along a dimension that dimensions of these sizes are joined to.

    The outermost changes slowest.  Along any other, two neighbours may stand at the end of one row and the beginning of
    the next one, a whole row apart.
    """
    found: dict[int, Reach] = {}
    for number, (along, size) in enumerate(zip(places, sizes, strict=True)):
        inner = math.prod(sizes[number + 1 :])
        wraps = math.prod(sizes[:number]) > 1
        for axis in along:
            if wraps:
                found[axis] = Reach(max(size - 1, 0), 0)
            elif inner > 1:
                found[axis] = Reach(1, inner - 1, inner)
    return found


def joined_axes(parts: Sequence[str]) -> str:
    """What one dimension means that several are joined to: positions stay positions, the rest are features."""
    meanings = dict.fromkeys(part for part in parts if part)
    if len(meanings) == 1:
        (only,) = meanings
        return "sequence" if only == "space" and len(parts) > 1 else only
    if not meanings or "batch" in meanings:
        return ""
    return "sequence" if set(meanings) <= {"space", "sequence"} else "feature"


def need_rank(op: Op, shape: Shape, rank: int, layout: str) -> None:
    """Refuse an input that has another number of dimensions than the op works on."""
    if len(shape) != rank:
        raise OpError(
            "A301",
            f"{op.type} needs a {rank}-D input {layout}, and gets {len(shape)}-D {show_shape(shape)}",
            notes=[f"{len(shape)} dimensions ≠ {rank}"],
            help=_WAY_OUT.get((rank, len(shape)), ""),
        )


def need_map(op: Op, shape: Shape) -> None:
    """Refuse an input that is no map of as many spatial dimensions as the family's member works on."""
    rank = len(shape)
    if rank == op.spatial + 2:
        return
    try:
        need_rank(op, shape, op.spatial + 2, SPACES[op.spatial]["layout"])
    except OpError as error:
        sibling = op.type.replace(f"{op.spatial}d", f"{rank - 2}d")
        if op.spatial != 2 and rank == 2:
            error.help = "is it placed after flatten?"
        elif sibling in REGISTRY and (op.spatial, rank) != (2, 3):
            error.help = f"use {sibling}"
        raise


#: by the number of dimensions that an op works on, and the number that it gets
_WAY_OUT = {
    (2, 3): "put select_token or mean_tokens before it",
    (2, 4): "put flatten before it",
    (3, 2): "is it placed after flatten?",
    (3, 4): "put tokens before it",
    (4, 2): "is it placed after flatten?",
    (4, 3): "is it placed after tokens?",
}


def module_call(op: Op, target: str, *inferred: int | Shape) -> TorchCall:
    """PyTorch's constructor call: inferred arguments, then the op's attributes, defaults left out."""
    args: list[Any] = list(inferred)
    kwargs = {}
    for a in op.attributes:
        value = getattr(op, a.name)
        if isinstance(value, tuple) and len(set(value)) == 1:
            value = value[0]  # nn.Conv2d(64, 64, 3) reads better than nn.Conv2d(64, 64, (3, 3))
        if a.required:
            args.append(value)
        elif getattr(op, a.name) != a.default:
            kwargs[a.name] = value
    return TorchCall(target, tuple(args), kwargs)


def show_shape(shape: Shape) -> str:
    return "(" + ", ".join(map(str, shape)) + ("," if len(shape) == 1 else "") + ")"


def numel(shape: Shape) -> int:
    """Number of elements."""
    return math.prod(shape)


def _tuple(parts: Iterable[str]) -> str:
    found = list(parts)
    return f"({found[0]},)" if len(found) == 1 else f"({', '.join(found)})"
