"""How the program starts its weights where the spec does not leave it to PyTorch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod

from ...graph import Graph, Node
from ...initializers import FANS, Rule, initialization, numbers, starting_rules
from ...neutral import docstring
from .expressions import Call, Expr, Literal, Name, layout

_INDENT = "    "
_BODY = 2 * _INDENT
#: the fans of a module of the loop, for the classes that say them
_OF_CONVOLUTIONS = {
    "fan_in": "module.weight[0].numel()",
    "fan_out": "module.weight[:, 0].numel() // module.groups",
}
_FANS = {
    "nn.Linear": {"fan_in": "module.in_features", "fan_out": "module.out_features"},
    "nn.Conv1d": _OF_CONVOLUTIONS,
    "nn.Conv2d": _OF_CONVOLUTIONS,
    "nn.Conv3d": _OF_CONVOLUTIONS,
    "nn.ConvTranspose2d": {
        "fan_in": "module.weight[:, 0].numel() // (module.groups * module.stride[0] * module.stride[1])",
        "fan_out": "module.weight[0].numel()",
    },
}
_MANY = 4  # names that a condition lists on one line


@dataclass(frozen=True)
class _Start:
    """A call of torch.nn.init without its tensor; no function leaves the tensor as its module makes it."""

    function: str = ""
    arguments: tuple[tuple[str, Expr], ...] = ()
    pads: bool = False  # whether the row of padding is 0

    def lines(self, tensor: str, indent: str) -> Iterator[str]:
        yield from layout(
            "", Call(f"nn.init.{self.function}_", (Name(tensor),), dict(self.arguments)), indent
        )
        if self.pads:
            yield f"{indent}nn.init.zeros_({tensor}[module.padding_idx])"

    @property
    def reads(self) -> set[str]:
        """The fans that it computes with."""
        return {
            fan
            for fan in FANS
            for _, value in self.arguments
            if isinstance(value, Name) and fan in value.text
        }


_LEFT = _Start()
#: for each module of one class, by its path, how its tensors start
_Modules = dict[str, dict[str, _Start]]


def method(graph: Graph, name: str) -> list[str]:
    """The method that starts the weights as the spec's `init` says; nothing where it says nothing."""
    body = list(_body(graph))
    if not body:
        return []
    source = initialization(graph).source
    first, *rest = docstring(
        f"Start weights as in: {source}." if source else "Start weights as the spec says.", 88
    )
    text = [f'{_BODY}"""{first}"""'] if not rest else [f'{_BODY}"""{first}', *(_BODY + each for each in rest)]
    if rest:
        text.append(f'{_BODY}"""')
    return [f"{_INDENT}def {name}(self) -> None:", *text, *body]


def _body(graph: Graph) -> Iterator[str]:
    """A loop over the modules, with a branch for each class, and what is of no class that is known here."""
    classes, single = _classes(graph)
    branches = [lines for kind, modules in classes.items() if (lines := _branch(kind, modules))]
    if branches:
        by_name = any("name" in line.split("(")[0] or " name" in line for lines in branches for line in lines)
        yield f"{_BODY}for {'name, module in self.named_modules' if by_name else 'module in self.modules'}():"
        for number, (first, *rest) in enumerate(branches):
            yield f"{_BODY}{_INDENT}{'el' if number else ''}{first}"
            yield from rest
    for path, start in single:
        yield from start.lines(f'self.get_parameter("{path}")', _BODY)


def _classes(graph: Graph) -> tuple[dict[str, _Modules], list[tuple[str, _Start]]]:
    """How the tensors of the program's modules start, by class; and those of inner modules of other classes."""
    rules = starting_rules(graph)
    classes: dict[str, _Modules] = {}
    single: list[tuple[str, _Start]] = []
    for node in graph.layers:
        if node.module:
            continue
        kind = node.op.torch_call(node.input_shapes).target.removeprefix("archinspect.")
        for tensor, shape in node.weights.items():
            inner, _, last = tensor.rpartition(".")
            path = f"{node.name}.{tensor}"
            rule = rules.get(path)
            start = _start(rule, node, tensor, graph, "nn.Linear" if inner else kind) if rule else _LEFT
            if inner and (len(shape) != 2 and last != "bias"):
                single += [(path, start)] if rule else []
            else:
                holder = path.rpartition(".")[0]
                modules = classes.setdefault("nn.Linear" if inner else kind, {})
                modules.setdefault(holder, {})[last] = start
    return classes, single


def _start(rule: Rule, node: Node, tensor: str, graph: Graph, kind: str) -> _Start:
    """How the program writes a rule: with the module's fans where it says them, else with their values."""
    given: dict[str, Expr] = {
        name: Literal(value) for name, value in numbers(rule, node, tensor, graph).items()
    }
    crossed = kind.startswith("nn.ConvTranspose") and prod(node.op.stride) > prod(node.op.kernel_size)  # type: ignore[attr-defined]
    if kind in _FANS and not crossed:
        written = rule.written(graph.arguments)
        given |= {name: Name(written[name]) for name in rule.varying}
    return _Start(rule.function, tuple(given.items()), getattr(node.op, "padding_idx", None) is not None)


def _branch(kind: str, modules: _Modules) -> list[str]:
    """What the loop does with the modules of one class: `if isinstance(...):` and the lines below."""
    indent = _BODY + 2 * _INDENT
    lines: list[str] = []
    for tensor in dict.fromkeys(name for starts in modules.values() for name in starts):
        parts: dict[_Start, list[str]] = {}
        absent = [path for path, starts in modules.items() if tensor not in starts]
        for path, starts in modules.items():
            if tensor in starts:
                parts.setdefault(starts[tensor], []).append(path)
        if list(parts) == [_LEFT]:
            continue
        if not absent:
            lines += _chosen(f"module.{tensor}", parts, indent)
        elif tensor == "bias" and len(parts) == 1:  # PyTorch's modules have None there
            lines.append(f"{indent}if module.bias is not None:")
            lines += _chosen("module.bias", parts, indent + _INDENT)
        else:
            lines += _chosen(f"module.{tensor}", {**parts, _LEFT: [*parts.get(_LEFT, ()), *absent]}, indent)
    if not lines:
        return []
    used = {fan for starts in modules.values() for start in starts.values() for fan in start.reads}
    fans = [f"{indent}{fan} = {_FANS[kind][fan]}" for fan in FANS if fan in used]
    return [f"if isinstance(module, {kind}):", *fans, *lines]


def _chosen(tensor: str, parts: dict[_Start, list[str]], indent: str) -> Iterator[str]:
    """The start of a tensor where it depends on the module's path."""
    if len(parts) == 1:
        yield from next(iter(parts)).lines(tensor, indent)
        return
    every = [path for paths in parts.values() for path in paths]
    ordered = sorted((start for start in parts if start != _LEFT), key=lambda start: len(parts[start]))
    conditions = {start: _condition(parts[start], every) for start in parts}
    if len(ordered) == 1:
        (start,) = ordered
        other = _condition(parts[_LEFT], every, negated=True)
        yield from _if("if", min(conditions[start], other, key=lambda lines: len("".join(lines))), indent)
        yield from start.lines(tensor, indent + _INDENT)
        return
    for number, start in enumerate(ordered):
        if number == len(ordered) - 1 and _LEFT not in parts:
            yield f"{indent}else:"
        else:
            yield from _if("elif" if number else "if", conditions[start], indent)
        yield from start.lines(tensor, indent + _INDENT)


def _if(word: str, condition: Sequence[str], indent: str) -> Iterator[str]:
    first, *rest = condition
    yield f"{indent}{word} {first}{'' if rest else ':'}"
    for line in rest:
        yield f"{indent}{line}"


def _condition(paths: Sequence[str], every: Sequence[str], negated: bool = False) -> list[str]:
    """Lines of a condition on `name` that holds for these of the paths alone: the shortest of a few forms."""
    no = "not " if negated else ""
    if len(paths) == 1:
        return [f'name {"!=" if negated else "=="} "{paths[0]}"']
    others = set(every).difference(paths)
    for word, test in (("endswith", str.endswith), ("startswith", str.startswith)):
        for count in (1, 2, 3):
            split = [path.split(".") for path in paths]
            if word == "endswith":
                found = tuple(dict.fromkeys("." + ".".join(parts[-count:]) for parts in split))
            else:
                found = tuple(dict.fromkeys(".".join(parts[:count]) + "." for parts in split))
            if len(found) > _MANY or len(found) == len(paths):
                continue
            if all(test(path, found) for path in paths) and not any(test(path, found) for path in others):
                given = f'"{found[0]}"' if len(found) == 1 else str(Literal(found))
                return [f"{no}name.{word}({given})"]
    flat = f"name {no}in {Literal(tuple(paths))}"
    if len(flat) < 70:
        return [flat]
    return [f"name {no}in (", *(f'{_INDENT}"{path}",' for path in paths), "):"]
