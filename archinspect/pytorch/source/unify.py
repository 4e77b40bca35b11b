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
        values = self.values if self.default is None else (*self.values, self.default)
        kinds = {_kind(value.value) for value in values if isinstance(value, Literal)}
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
        words = calls[0].words
        args = tuple(
            self.unify(column, self._label(label, words[index]))
            for index, column in enumerate(zip(*(call.args for call in calls), strict=True))
        )
        defaults = {name: value for call in calls for name, value in call.defaults.items()}
        kwargs = {
            name: self.unify(
                [_argument(call, name) for call in calls], self._label(label, name), defaults.get(name)
            )
            for name in dict.fromkeys(name for call in calls for name in call.kwargs)
        }
        return Call(calls[0].head, args, kwargs, defaults, words)

    def _label(self, layer: str, word: str) -> str:
        """An argument's own word, or with its layer's name before it where that is taken."""
        return f"{layer}_{word}" if word in self.parameters or word in self.known else word

    def _literal(self, values: Vector, label: str, default: Expr | None) -> Name:
        """A parameter with these values, or what is computed of one."""
        for name, parameter in self.parameters.items():
            if parameter.values == values:
                self._settle(parameter, default)
                return Name(name)
        for name, known in self.known.items():
            if known == values:
                return Name(self._add(name, values, default).name)
        found = self._multiple(values) or self._tuple(values)
        return found or Name(self._add(label, values, default).name)

    def _multiple(self, values: Vector) -> Name | None:
        """A multiple or a part of a known width."""
        for name, known in self.known.items():
            factor = _factor(values, known)
            if factor:
                base = next((p for p in self.parameters.values() if p.values == known), None)
                base = base or self._add(name, known, None)
                self._settle(base, None)
                return Name(factor.format(base.name))
        return None

    def _tuple(self, values: Vector) -> Name | None:
        """A tuple of constants and known widths, such as `(in_channels, 1, 1)`."""
        rows = [
            value.value for value in values if isinstance(value, Literal) and isinstance(value.value, tuple)
        ]
        if len(rows) < len(values) or len(set(map(len, rows))) > 1:
            return None
        columns = [tuple(map(Literal, column)) for column in zip(*rows, strict=True)]
        constant = [all(value == column[0] for value in column) for column in columns]
        if not all(
            same or column in self.known.values() for same, column in zip(constant, columns, strict=True)
        ):
            return None
        parts = [
            str(column[0] if same else self._literal(column, "", None))
            for same, column in zip(constant, columns, strict=True)
        ]
        return Name(f"({', '.join(parts)}{',' * (len(parts) == 1)})")

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
