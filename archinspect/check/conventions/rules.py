"""The form of a convention: for each op, what a tool counts and by which rule, as data.

A rule counts one *term*, such as "batch norm".  All conventions name their terms by the same words, so that the
difference between two tools is a sum over terms.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from ...graph import Node
from ...ops import REGISTRY, Op, numel

#: A count of operations.  Fractions arise where a tool divides by the batch, or multiplies by a broken scale factor.
Count = int | Fraction

#: The term under which all conventions count a family of ops; others are counted under their own name.
TERMS = {
    "conv": "convolution",
    "conv_transpose": "transposed convolution",
    "multihead_attention": "attention",
    "batch_norm": "batch norm",
    "layer_norm": "layer norm",
    "layer_norm2d": "layer norm",
    "group_norm": "group norm",
    "instance_norm": "instance norm",
    "local_response_norm": "local response norm",
    "max_pool": "max pooling",
    "adaptive_max_pool": "max pooling",
    "avg_pool": "average pooling",
    "adaptive_avg_pool": "average pooling",
    "relu": "ReLU",
    "relu6": "ReLU6",
    "leaky_relu": "leaky ReLU",
    "prelu": "PReLU",
    "elu": "ELU",
    "gelu": "GELU",
    "silu": "SiLU",
    "add": "addition",
    "multiply": "multiplication",
    "mean_tokens": "mean of tokens",
    "scale": "scaling",
    "upsample": "upsampling",
}

BIAS = " bias"
AGAIN = " counted again"


def term(op_type: str, part: str = "") -> str:
    """`term("conv2d", BIAS)` is "convolution bias"."""
    return TERMS.get(family(op_type), op_type.replace("_", " ")) + part


def family(op_type: str) -> str:
    """`conv1d`, `conv2d` and `conv3d` are of the family `conv`; other ops are one by themselves."""
    op = REGISTRY.get(op_type)
    return op_type if op is None else op.family


def once(node: Node) -> int:
    return 1


@dataclass(frozen=True, slots=True)
class Rule:
    """Something a tool counts: its rule in words, the rule as arithmetic, and the part of the op's work it is."""

    words: str
    count: Callable[[Node], Count]
    part: str = ""

    @property
    def text(self) -> str:
        return f"{self.words} ({self.part.strip()})" if self.part else self.words


@dataclass(frozen=True, slots=True)
class Zero:
    """Work that a tool does not count.

    `known` where its authors list the op as free, or restrict the tool to other work; otherwise the tool has no rule
    and adds nothing in silence.  `names` are the tool's own words for what it leaves out, `times` how often it meets
    each in one layer.  Without names it stands for the op as a whole, and only where the op computes something.
    """

    known: bool
    names: tuple[str, ...] = ()
    times: Callable[[Node], int] = once

    @property
    def text(self) -> str:
        return "ignored" if self.known else "no rule"


Pieces = tuple[Rule | Zero, ...]


@dataclass(frozen=True, slots=True)
class Note:
    """A peculiarity of a tool, to be told where a layer meets it."""

    text: str
    applies: Callable[[Node], bool]


def of_type(*op_types: str) -> Callable[[Node], bool]:
    """Whether a layer is of one of these families."""
    return lambda node: family(node.op.type) in op_types


@dataclass(frozen=True)
class Convention:
    """How one tool counts.

    `unit` is what the tool calls its figure and `per_mac` how many of them make one multiply-accumulate.  `rules` names
    ops, or families of them; an op's own rule comes first.  `default` stands for ops that `rules` does not name, and
    `functions` for operations that are no layers of the language (`ops.tensor`); None means that we do not know what
    the tool makes of them.  `params` is the tool's count of parameters for a layer, None if it has none.
    """

    name: str
    tool: str
    figure: str
    unit: str
    rules: Mapping[str, Pieces]
    default: Pieces | None = None
    functions: Pieces | None = None
    per_mac: int = 1
    params: Callable[[Node], int] | None = None
    params_text: str = ""
    source: str = ""
    notes: tuple[Note, ...] = ()

    def pieces(self, op_type: str) -> Pieces:
        """What the tool makes of a layer of that type."""
        found = self.rules.get(op_type) or self.rules.get(family(op_type), self.default)
        return _nobody_knows(op_type) if found is None else found

    def pieces_of(self, op: Op) -> Pieces:
        """What the tool makes of an op, be it a layer or not."""
        if REGISTRY.get(op.type) is type(op):
            return self.pieces(op.type)
        return _nobody_knows(op.type) if self.functions is None else self.functions


def _nobody_knows(op_type: str) -> Pieces:
    return (Zero(known=False, names=(f"{op_type} (archinspect knows no rule)",)),)


# Rules that several tools share.

MACS = Rule("MACs", lambda node: node.cost.macs if node.cost else 0)
BIASES = Rule("1 per output", lambda node: node.cost.bias_adds if node.cost else 0, BIAS)
IGNORED: Pieces = (Zero(known=True),)
UNKNOWN: Pieces = (Zero(known=False),)


def per_input(factor: int = 1, part: str = "") -> Rule:
    return Rule(f"{factor} per input", lambda node: factor * numel(node.input_shapes[0]), part)


def per_output(factor: int = 1) -> Rule:
    return Rule(f"{factor} per output", lambda node: factor * numel(node.output_shape))


def own_class(node: Node) -> bool:
    """Whether a batch norm is a class of ours, since torch.nn has none without a scale."""
    return "weight" not in node.weights and "bias" in node.weights


OWN_BATCH_NORM = Zero(known=False, names=("batch_norm2d(scale=False)",), times=own_class)


def params_of(node: Node) -> int:
    """All learnable parameters of a layer."""
    return sum(map(numel, node.weights.values()))


def joins(node: Node) -> int:
    """How often a join calls its function of two tensors."""
    return len(node.inputs) - 1
