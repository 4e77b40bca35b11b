"""Random networks as the texts of specs: branches, residuals, gates, groups, strides, dilations, blocks, repeats.

`specs()` draws a valid spec, `networks()` the same laid out.  The shape is followed while the text is drawn, so that
what must fit (shortcuts, branches, groups) does, and nothing is thrown away.
"""

from __future__ import annotations

from typing import Any

import yaml
from hypothesis import strategies as st

from archinspect.errors import OpError
from archinspect.frontends.spec import lay_out
from archinspect.frontends.spec.load import read_text
from archinspect.graph import Graph
from archinspect.ops import REGISTRY, Op, Shape

Item = dict[str, Any] | str
Drawn = tuple[list[Item], Shape]

CHANNELS = st.sampled_from([1, 2, 3, 4, 6, 8, 12])
FLAG = st.booleans()
ACTIVATIONS = [
    "relu",
    "relu6",
    "leaky_relu",
    "sigmoid",
    "tanh",
    "gelu",
    "silu",
    "hardswish",
    "hardsigmoid",
    "elu",
    "mish",
    "identity",
    "dropout",
]
#: Names of layers and scopes: usual ones, and ones that mean something else in Python, PyTorch or the spec language.
NAMES = [
    "conv",
    "stem",
    "block",
    "x",
    "nn",
    "torch",
    "F",
    "math",
    "self_",
    "weight",
    "bias",
    "cat",
    "super",
    "print",
    "list",
    "width",
    "in_",
    "_private",
    "__mangled",
]


@st.composite
def specs(draw: st.DrawFn, *, max_layers: int = 24) -> str:
    """The text of a valid spec with at most about `max_layers` layers."""
    return _Writer(draw, max_layers).spec()


def networks(*, max_layers: int = 24) -> st.SearchStrategy[Graph]:
    """A random network, laid out."""
    return specs(max_layers=max_layers).map(graph_of)


def graph_of(text: str) -> Graph:
    return lay_out(read_text(text, "random.yaml"))


class _Writer:
    """Draws one spec; `left` counts the layers that may still be drawn."""

    def __init__(self, draw: st.DrawFn, left: int) -> None:
        self.draw = draw
        self.left = left
        self.blocks: dict[str, list[Item]] = {}

    def spec(self) -> str:
        batch = self.draw(st.sampled_from([1, 1, 2, 3]))
        shape = (batch, self.draw(CHANNELS), self.int(4, 20), self.int(4, 20))
        document: dict[str, Any] = {"name": "random", "input": "x".join(map(str, shape))}
        layers, shape = self.sequence(shape, 3, {"input"})
        layers += self.tail(shape)
        if self.blocks:
            document["blocks"] = self.blocks
        return yaml.safe_dump({**document, "layers": layers}, sort_keys=False, width=1000)

    def sequence(self, shape: Shape, depth: int, taken: set[str] | None = None) -> Drawn:
        """One to four items; inner sequences (depth 0) hold layers only."""
        taken = set() if taken is None else taken
        kinds = [self.layer] * 4
        if depth:
            kinds += [self.scope, self.residual, self.gate, self.concat, self.split, self.unit, self.chain]
            kinds += [self.side_output]
        items: list[Item] = []
        for _ in range(self.int(1, 4)):
            if self.left <= 0 and items:
                break
            kind = self.draw(st.sampled_from(kinds))
            made, shape = kind(shape, depth - 1, taken) if kind != self.layer else self.layer(shape, taken)
            items += made
        return items, shape

    # Layers

    def layer(self, shape: Shape, taken: set[str]) -> Drawn:
        call, shape = self.call(shape)
        return [{self.name(taken): call} if self.draw(FLAG) else call], shape

    def call(self, shape: Shape) -> tuple[str, Shape]:
        """A random op that suits the shape, as a call; a 1×1 convolution where the one drawn does not."""
        self.left -= 1
        kinds = (
            self.convolution,
            self.convolution,
            self.transposed,
            self.pool,
            self.normalisation,
            self.other,
        )
        try:
            op = self.draw(st.sampled_from(kinds))(shape)
            after = op.shape((shape,))
            if max(after[2:]) <= 40:
                return str(op), after
        except OpError:
            pass
        op = REGISTRY["conv2d"].of(self.draw(CHANNELS), 1)
        return str(op), op.shape((shape,))

    def convolution(self, shape: Shape) -> Op:
        out = self.draw(CHANNELS)
        groups = self.draw(st.sampled_from([d for d in range(1, 13) if shape[1] % d == 0 and out % d == 0]))
        if self.draw(st.integers(0, 4)) == 0:  # depthwise
            out, groups = shape[1] * self.int(1, 2), shape[1]
        same = self.int(0, 3) == 0
        return REGISTRY["conv2d"].of(
            out,
            self.pair(1, 5),
            stride=1 if same else self.pair(1, 3),
            padding=self.draw(st.sampled_from(["same", "valid"])) if same else self.pair(0, 3),
            dilation=self.pair(1, 2),
            groups=groups,
            bias=self.draw(FLAG),
        )

    def transposed(self, shape: Shape) -> Op:
        out = self.draw(CHANNELS)
        groups = self.draw(st.sampled_from([d for d in range(1, 13) if shape[1] % d == 0 and out % d == 0]))
        return REGISTRY["conv_transpose2d"].of(
            out,
            self.pair(1, 3),
            stride=self.pair(1, 2),
            padding=self.int(0, 1),
            groups=groups,
            bias=self.draw(FLAG),
        )

    def pool(self, shape: Shape) -> Op:
        if self.int(0, 3) == 0:
            kind = self.draw(st.sampled_from(["adaptive_avg_pool2d", "adaptive_max_pool2d"]))
            return REGISTRY[kind].of(self.pair(1, 5))
        kind = self.draw(st.sampled_from(["max_pool2d", "avg_pool2d"]))
        stride = self.draw(st.none()) or self.pair(1, 3)
        return REGISTRY[kind].of(
            self.pair(2, 4), stride=stride, padding=self.int(0, 1), ceil_mode=self.draw(FLAG)
        )

    def normalisation(self, shape: Shape) -> Op:
        groups = self.draw(st.sampled_from([d for d in range(1, 13) if shape[1] % d == 0]))
        return self.draw(
            st.sampled_from(
                [
                    REGISTRY["batch_norm2d"].of(affine=self.draw(FLAG)),
                    REGISTRY["batch_norm2d"].of(scale=False),
                    REGISTRY["group_norm"].of(groups),
                    REGISTRY["layer_norm2d"].of(),
                    REGISTRY["local_response_norm"].of(3),
                    REGISTRY["layer_scale"].of(),
                ]
            )
        )

    def other(self, shape: Shape) -> Op:
        channels = shape[1]
        divisors = [d for d in range(1, 13) if channels % d == 0]
        return self.draw(
            st.sampled_from(
                [
                    *(REGISTRY[name].of() for name in ACTIVATIONS),
                    REGISTRY["zero_pad2d"].of((0, 1, 2, 1)),
                    REGISTRY["channel_shuffle"].of(self.draw(st.sampled_from(divisors))),
                    REGISTRY["slice_channels"].of(0, (channels + 1) // 2),
                    REGISTRY["pad_channels"].of(1, 2),
                    REGISTRY["upsample"].of(scale_factor=2),
                    REGISTRY["scale"].of(0.5),
                ]
            )
        )

    # Structure

    def scope(self, shape: Shape, depth: int, taken: set[str]) -> Drawn:
        items, shape = self.sequence(shape, depth)
        return [{self.name(taken): items}], shape

    def chain(self, shape: Shape, depth: int, taken: set[str]) -> Drawn:
        """`name: a -> b -> c`"""
        calls = []
        for _ in range(self.int(2, 3)):
            call, shape = self.call(shape)
            calls.append(call)
        return [{self.name(taken): " -> ".join(calls)}], shape

    def unit(self, shape: Shape, depth: int, taken: set[str]) -> Drawn:
        """Uses of a block, one or repeated, with a stride where the map is large enough."""
        self.blocks.setdefault(
            "unit(width, stride=1)",
            [
                {"conv": "conv2d(width, 3, stride=stride, padding=1, bias=False)"},
                {"bn": "batch_norm2d()"},
                {"relu": "relu()"},
            ],
        )
        width, stride, times = self.draw(CHANNELS), self.int(1, 2), self.int(1, 3)
        name = self.name(taken, *map(str, range(1, times + 1))) if times > 1 else self.name(taken)
        self.left -= 3 * times
        rows, columns = shape[2:]
        for _ in range(times):
            rows, columns = ((size - 1) // stride + 1 for size in (rows, columns))
        call = f"unit({width}, stride={stride})" if stride > 1 else f"unit({width})"
        return [{f"{name}[1..{times}]" if times > 1 else name: call}], (shape[0], width, rows, columns)

    def residual(self, shape: Shape, depth: int, taken: set[str]) -> Drawn:
        """A body and a shortcut that fits it: the input itself, or pooled and projected; sometimes a third branch."""
        body, after = self.sequence(shape, depth)
        branches: dict[str, Any] = {self.name(taken): body}
        for _ in range(self.int(1, 2)):
            branches[self.name(taken)] = self.fit(shape, after)
        return [{"add": branches}], after

    def gate(self, shape: Shape, depth: int, taken: set[str]) -> Drawn:
        self.left -= 3
        gate = f"adaptive_avg_pool2d(1) -> conv2d({shape[1]}, 1) -> sigmoid"
        branches = {self.name(taken): None, self.name(taken): gate}
        return [{"multiply": dict(self.draw(st.permutations(list(branches.items()))))}], shape

    def concat(self, shape: Shape, depth: int, taken: set[str]) -> Drawn:
        first, after = self.sequence(shape, depth)
        branches: dict[str, Any] = {self.name(taken): first}
        channels = after[1]
        for _ in range(self.int(1, 3)):
            if shape[2:] == after[2:] and self.draw(FLAG):
                branches[self.name(taken)] = "identity"
                channels += shape[1]
                continue
            branch, end = self.sequence(shape, 0)
            if end[2:] != after[2:]:
                branch.append(f"adaptive_avg_pool2d({after[2:]})")
            branches[self.name(taken)] = branch
            channels += end[1]
        return [{"concat": branches}], (after[0], channels, *after[2:])

    def split(self, shape: Shape, depth: int, taken: set[str]) -> Drawn:
        """Branches that are one function each: parts of the channels, or what is scaled."""
        self.left -= 3
        names = [self.name(taken) for _ in range(2)]
        if shape[1] == 1 or self.draw(FLAG):
            calls = ["scale(0.5)", self.draw(st.sampled_from(["identity", "scale(-2)", "relu"]))]
            kind = self.draw(st.sampled_from(["add", "multiply"]))
            return [{kind: dict(zip(names, self.draw(st.permutations(calls)), strict=True))}], shape
        at = self.int(1, shape[1] - 1)
        calls = [f"slice_channels({at}, {shape[1]})", f"slice_channels(0, {at})"]
        return [{"concat": dict(zip(names, calls, strict=True))}], shape

    def side_output(self, shape: Shape, depth: int, taken: set[str]) -> Drawn:
        self.left -= 3
        if self.int(0, 4) == 0:
            return [{"side_output": {self.name(taken): "identity"}}], shape
        return [
            {
                "side_output": {
                    self.name(taken): f"adaptive_avg_pool2d(1) -> flatten -> linear({self.int(1, 5)})"
                }
            }
        ], shape

    def fit(self, shape: Shape, after: Shape) -> Any:
        if shape == after and self.draw(FLAG):
            return self.draw(st.sampled_from([None, "identity", []]))
        calls = [] if shape[2:] == after[2:] else [f"adaptive_max_pool2d({after[2:]})"]
        self.left -= 2
        return " -> ".join([*calls, f"conv2d({after[1]}, 1)"])

    def tail(self, shape: Shape) -> list[Item]:
        """Nothing, a classifier, or tokens with attention."""
        kind = self.int(0, 2)
        if kind == 0:
            return []
        if kind == 1:
            return [
                "flatten",
                f"linear({self.draw(CHANNELS)})",
                "relu",
                "dropout",
                f"linear({self.draw(CHANNELS)}, bias=False)",
            ]
        heads = self.draw(st.sampled_from([d for d in range(1, 5) if shape[1] % d == 0]))
        attention = {"attend": ["layer_norm", f"multihead_attention({heads})"], "skip": None}
        return [
            "tokens",
            "class_token",
            "position_embedding",
            {"add": attention},
            "select_token",
            f"linear({self.int(1, 9)})",
        ]

    # Draws

    def int(self, least: int, most: int) -> int:
        return self.draw(st.integers(least, most))

    def pair(self, least: int, most: int) -> Any:
        one = st.integers(least, most)
        return self.draw(one | st.tuples(one, one))

    def name(self, taken: set[str], *suffixes: str) -> str:
        """A name that is free, with each of the suffixes too."""
        name = self.draw(st.sampled_from(NAMES))
        number = 0
        while {name + suffix for suffix in suffixes or ("",)} & taken or (suffixes and name[-1].isdigit()):
            number += 1
            name = f"{name.rstrip('_0123456789') or 'n'}_{number}_"
        taken.update(name + suffix for suffix in suffixes or ("",))
        return name


# Networks of other kinds: their texts are short, since their ops have tests of their own.


@st.composite
def other_specs(draw: st.DrawFn) -> str:
    """A network of words, of a signal or of a volume, or one of two inputs whose towers share their weights."""
    kind = draw(st.sampled_from([_words, _recurrent, _signal, _volume, _two_inputs]))
    return yaml.safe_dump({"name": "random", **kind(draw)}, sort_keys=False, width=1000)


def _one(draw: st.DrawFn, *values: Any) -> Any:
    return draw(st.sampled_from(values))


def _words(draw: st.DrawFn) -> dict[str, Any]:
    """A transformer whose layers may be repeated, and whose last layer may have the table of the first."""
    heads, width, length = _one(draw, 1, 2, 4), _one(draw, 4, 8), draw(st.integers(2, 9))
    words, masked, times = draw(st.integers(3, 12)), draw(FLAG), draw(st.integers(1, 3))
    norm, activation = _one(draw, "layer_norm()", "rms_norm()"), _one(draw, "gelu", "relu", "silu")
    places = _one(draw, "position_embedding()", "sinusoidal_position_encoding()", "identity()")
    block = [
        {"norm": norm},
        {"attention": f"multihead_attention(heads, is_causal={masked}, bias={draw(FLAG)})"},
        {"add": ["input", "attention"]},
        {"again": norm},
        {"mlp": f"linear(2 * in_channels) -> {activation} -> linear(in_channels // 2)"},
        {"add": ["add", "mlp"]},
    ]
    last = f"linear({words}, bias=False, weight=words)" if draw(FLAG) else f"linear({draw(CHANNELS)})"
    return {
        "input": f"{_one(draw, 1, 2)}x{length}xint64",
        "blocks": {"block(heads)": block},
        "layers": [
            {"words": f"embedding({words}, {width})"},
            {"places": places},
            {f"layer[1..{times}]": f"block({heads})"},
            {"norm": norm},
            {"last": last},
        ],
    }


def _recurrent(draw: st.DrawFn) -> dict[str, Any]:
    kind, hidden = _one(draw, "rnn", "lstm", "gru"), draw(st.integers(2, 6))
    options = f"num_layers={draw(st.integers(1, 3))}, bidirectional={draw(FLAG)}, bias={draw(FLAG)}"
    if kind == "lstm" and draw(FLAG):
        options += ", proj_size=1"
    return {
        "input": f"{_one(draw, 1, 2)}x{draw(st.integers(2, 9))}xint64",
        "layers": [
            {"words": f"embedding({draw(st.integers(3, 12))}, {draw(CHANNELS)})"},
            {"steps": f"{kind}({hidden}, {options})"},
            _one(draw, "select_token(-1)", "mean_tokens()", "mean(1)"),
            "dropout",
            {"last": f"linear({draw(CHANNELS)})"},
        ],
    }


def _signal(draw: st.DrawFn) -> dict[str, Any]:
    return _maps(draw, 1, f"{draw(st.integers(9, 40))}")


def _volume(draw: st.DrawFn) -> dict[str, Any]:
    return _maps(draw, 3, "x".join(str(draw(st.integers(5, 9))) for _ in range(3)))


def _maps(draw: st.DrawFn, rank: int, size: str) -> dict[str, Any]:
    """Convolutions along one dimension or three, normalised and pooled."""
    layers: list[Item] = []
    for _ in range(draw(st.integers(1, 4))):
        taps = draw(st.integers(1, 2)) if rank == 3 else draw(st.integers(1, 4))
        call = f"conv{rank}d({draw(CHANNELS)}, {(taps,) * rank}, padding={taps // 2}, bias={draw(FLAG)})"
        after = _one(
            draw, f"batch_norm{rank}d", f"instance_norm{rank}d(affine=True)", "relu", f"dropout{rank}d", "elu"
        )
        layers += [call, after]
    layers += _one(
        draw,
        [],
        [f"adaptive_avg_pool{rank}d(1)", "flatten", f"linear({draw(CHANNELS)})"],
        [f"max_pool{rank}d(2)"],
        [f"zero_pad{rank}d(1)", f"avg_pool{rank}d(2, ceil_mode={draw(FLAG)})"],
        [f"conv_transpose{rank}d(2, 2, stride=2)"],
    )
    return {"input": f"{_one(draw, 1, 2)}x{draw(CHANNELS)}x{size}", "layers": layers}


def _two_inputs(draw: st.DrawFn) -> dict[str, Any]:
    """One tower on two inputs of one shape; what they become is joined by name."""
    shape = f"{draw(CHANNELS)}x{draw(st.integers(5, 9))}x{draw(st.integers(5, 9))}"
    tower = [
        "left",
        {"conv": f"conv2d({draw(CHANNELS)}, 3, padding=1, bias={draw(FLAG)}) -> batch_norm2d -> relu"},
        _one(draw, "max_pool2d(2)", "identity", "conv2d(4, 1)"),
        {"fc": f"flatten -> linear({draw(CHANNELS)})"},
    ]
    return {
        "inputs": {"left": shape, "right": shape},
        "layers": [
            {"tower": tower},
            {"twin": "right -> same_as(tower)"},
            _one(
                draw,
                {"join": "subtract(tower, twin) -> absolute"},
                {"concat": ["tower", "twin"]},
                {"add": ["tower", "twin"]},
                {"multiply": ["tower", "twin"]},
            ),
            {"score": f"linear({draw(CHANNELS)})"},
        ],
    }
