"""What instances of a class have in common, and what they must be told.

Constructor expressions of the same place in several instances are laid over one another.  Where all are equal they
stand in the class; where they differ a parameter takes their place, named after the block's own argument if that had
the same values.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from .expressions import Call, Expr, Literal, Name, Sequential, identity

Vector = tuple[Expr, ...]

#: what a parameter cannot be called, because the body of the class needs the name
_TAKEN = frozenset({"self", "x", "nn", "torch", "F", "math", "super", "sequential", "range", "Tensor"})


@dataclass
class Parameter:
    """A parameter of a class and its value for each instance."""

    name: str
    values: Vector
    default: Expr | None = None

    @property
    def is_module(self) -> bool:
        return any(isinstance(value, (Call, Sequential)) for value in self.values)

    @property
    def annotation(self) -> str:
        if self.is_module:
            return "nn.Module | None" if self.default is not None else "nn.Module"
        kinds = {_kind(value.value) for value in self.values if isinstance(value, Literal)}
        if "float" in kinds:
            kinds.discard("int")
        return " | ".join(sorted(kinds, key=lambda kind: (kind == "None", kind.startswith("tuple"), kind)))


def _kind(value: object) -> str:
    if isinstance(value, tuple):
        return f"tuple[{', '.join(_kind(v) for v in value)}]"
    return "None" if value is None else type(value).__name__


@dataclass
class Unifier:
    """The parameters of one class, found one after another.

    `known` are values with a name of their own, such as the arguments of the block, one for each instance; `taken` are
    names that a parameter must not hide.
    """

    known: Mapping[str, Vector]
    taken: frozenset[str] = frozenset()
    parameters: dict[str, Parameter] = field(default_factory=dict)

    def unify(self, exprs: Sequence[Expr], label: str, default: Expr | None = None) -> Expr:
        """One expression for all instances; `label` names a parameter where nothing better does."""
        first = exprs[0]
        if all(expr == first for expr in exprs):
            return first
        if all(isinstance(expr, Literal) for expr in exprs):
            return self._literal(tuple(exprs), label, default)
        calls = [expr for expr in exprs if isinstance(expr, Call)]
        if len(calls) == len(exprs) and _same_form(calls):
            return self._call(calls, label)
        sequences = [expr for expr in exprs if isinstance(expr, Sequential)]
        if len(sequences) == len(exprs) and len({tuple(n for n, _ in s.layers) for s in sequences}) == 1:
            rows = zip(*(s.layers for s in sequences), strict=True)
            return Sequential(tuple((row[0][0], self.unify([e for _, e in row], row[0][0])) for row in rows))
        return self._module(tuple(exprs), label)

    def _call(self, calls: list[Call], label: str) -> Call:
        args = tuple(
            self.unify(column, f"{label}_{_POSITIONS[index] if index < len(_POSITIONS) else index}")
            for index, column in enumerate(zip(*(call.args for call in calls), strict=True))
        )
        defaults = {name: value for call in calls for name, value in call.defaults.items()}
        kwargs = {
            name: self.unify([_argument(call, name) for call in calls], f"{label}_{name}", defaults.get(name))
            for name in dict.fromkeys(name for call in calls for name in call.kwargs)
        }
        return Call(calls[0].head, args, kwargs, defaults)

    def _literal(self, values: Vector, label: str, default: Expr | None) -> Name:
        """A parameter with these values: one that there is, a block's argument, a multiple of one, or a new one."""
        for name, parameter in self.parameters.items():
            if parameter.values == values:
                self._settle(parameter, default)
                return Name(name)
        for name, known in self.known.items():
            if known == values:
                return Name(self._add(name, values, default).name)
        for name, known in self.known.items():
            factor = _factor(values, known)
            if factor:
                base = self.parameters.get(self._spelt(name)) or self._add(name, known, None)
                self._settle(base, None)
                return Name(factor.format(base.name))
        return Name(self._add(label, values, default).name)

    def _settle(self, parameter: Parameter, default: Expr | None) -> None:
        """A parameter has a default only where all its uses agree on one."""
        if parameter.default != default:
            parameter.default = None

    def _module(self, values: Vector, label: str) -> Name:
        """A whole module is handed in; never the same one for two places, since they would share its weights."""
        parameter = self._add(label, values, identity() if identity() in values else None)
        if parameter.default is not None:
            return Name(f"{parameter.default.head}() if {parameter.name} is None else {parameter.name}")  # type: ignore[union-attr]
        return Name(parameter.name)

    def _spelt(self, name: str) -> str:
        return f"{name}_" if name in _TAKEN or name in self.taken else name

    def _add(self, name: str, values: Vector, default: Expr | None) -> Parameter:
        stem = name = self._spelt(name.lstrip("_") or "value")
        number = 1
        while name in self.parameters:
            number += 1
            name = f"{stem}_{number}"
        parameter = self.parameters[name] = Parameter(name, values, default)
        return parameter

    def ordered(self) -> list[Parameter]:
        """Parameters as a signature wants them: the block's own order, those with a default last."""
        order = {self._spelt(name): index for index, name in enumerate(self.known)}
        found = sorted(self.parameters.values(), key=lambda p: order.get(p.name, len(order)))
        return [p for p in found if p.default is None] + [p for p in found if p.default is not None]


#: what the first positional arguments of a layer say, for parameters that no block argument names
_POSITIONS = ("in", "out", "size")


def _argument(call: Call, name: str) -> Expr:
    return call.kwargs[name] if name in call.kwargs else call.defaults[name]


def _same_form(calls: Sequence[Call]) -> bool:
    """Whether calls differ only in the values of their arguments."""
    if len({(call.head, len(call.args)) for call in calls}) > 1:
        return False
    names = {name for call in calls for name in call.kwargs}
    return all(name in call.kwargs or name in call.defaults for call in calls for name in names)


def _factor(values: Vector, known: Vector) -> str:
    """`4 * {}` or `{} // 4` where the values are that of the known ones, else ""."""
    pairs = list(zip(_integers(values), _integers(known), strict=False))
    if len(pairs) != len(values) or any(value < 1 or base < 1 for value, base in pairs):
        return ""
    value, base = pairs[0]
    if value % base == 0 and all(v == b * (value // base) for v, b in pairs):
        return f"{value // base} * {{}}"
    if base % value == 0 and all(b % (base // value) == 0 and v == b // (base // value) for v, b in pairs):
        return f"{{}} // {base // value}"
    return ""


def _integers(values: Iterable[Expr]) -> list[int]:
    return [v.value for v in values if isinstance(v, Literal) and type(v.value) is int]
