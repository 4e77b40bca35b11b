"""Integer arithmetic over names, as the call syntax allows it: parsed with Python's `ast`, never evaluated by Python.

An expression is compiled once into closures; evaluating it costs a few calls.  What is allowed: numbers, True,
False, None, strings, tuples, lists, names, paths (`encoder.norm`), `+ - * // / % **`, comparisons, `and or not`,
`a if b else c`, `a[i]`, and the functions of `functions`.
"""

from __future__ import annotations

import ast
import keyword
import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from .functions import FUNCTIONS, OF_LISTS
from .syntax import ExpressionError, parse_python, place

Environment = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Ref:
    """A value of the network where an expression names one: the layer that makes it, and which of its outputs."""

    index: int
    port: int
    outputs: int  # how many that layer has
    name: str

    def __repr__(self) -> str:
        return f"the output of {self.name}"


_Compiled = Callable[[Environment], Any]

#: results beyond this are no attribute of any network, and would let a short text ask for much work
LARGEST = 2**53


@dataclass(slots=True, eq=False)
class Expression:
    """A compiled expression: the names it reads, its place in its text, and `evaluate(environment)`."""

    evaluate: _Compiled
    names: frozenset[str]
    places: tuple[tuple[str, int, int], ...]  # name, column, length
    column: int
    length: int
    text: str
    work: int  # parts to evaluate

    def __reduce__(self) -> tuple[Callable[[str], Expression], tuple[str]]:
        """What is compiled does not pickle; its text compiles to the same."""
        return parse_expression, (self.text,)


def _power(a: float, b: float) -> float:
    """a ** b, refused before it is worked out where it would be too large."""
    if a < 0 and isinstance(b, float):
        raise ValueError("a negative number has no such root")
    if a == 0 and b < 0:
        raise ValueError("division by zero")
    if a not in (0, 1, -1) and abs(b) * abs(math.log2(abs(a))) > 60:
        return math.inf
    result: float = a**b
    return result


_BINARY: dict[type[ast.operator], tuple[str, Callable[[Any, Any], Any]]] = {
    ast.Add: ("+", operator.add),
    ast.Sub: ("-", operator.sub),
    ast.Mult: ("*", operator.mul),
    ast.FloorDiv: ("//", operator.floordiv),
    ast.Div: ("/", operator.truediv),
    ast.Mod: ("%", operator.mod),
    ast.Pow: ("**", _power),
}
_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


def compile_expression(node: ast.expr, text: str) -> Expression:
    """Compile a parsed expression.  Raises ExpressionError for anything outside the language."""
    column, length = place(node, text)
    if isinstance(node, ast.Name) and node.id.isascii():
        return word(node.id, column)
    compiler = _Compiler(text)
    evaluate = compiler.compile(node)
    names = frozenset(name for name, _, _ in compiler.places)
    written = text[column : column + length]
    return Expression(evaluate, names, tuple(compiler.places), column, length, written, compiler.parts)


@lru_cache(maxsize=4096)
def parse_expression(text: str) -> Expression:
    """Parse and compile the text of an expression."""
    match = _LONE_WORD.match(text)
    if match is not None and match[1] not in NO_NAMES:
        return word(match[1], match.start(1))
    return compile_expression(parse_python(text), text)


#: a name or a whole number as the language has it, short enough to be no larger than LARGEST
WORD = r"[A-Za-z_][A-Za-z0-9_]*|0|[1-9][0-9]{0,14}"
_LONE_WORD = re.compile(rf" *({WORD}) *\Z")
_CONSTANTS = {"True": True, "False": False, "None": None}
#: words that Python keeps for itself, and which are no value
NO_NAMES = frozenset({*keyword.kwlist, "__debug__"}).difference(_CONSTANTS)


def word(text: str, column: int) -> Expression:
    """The expression that is one name, one of Python's constants, or one whole number: what most expressions are.

    What `compile_expression` makes of it too, without the way through Python's parser.
    """
    evaluate, names = _word(text)
    places = ((text, column, len(text)),) if names else ()
    return Expression(evaluate, names, places, column, len(text), text, 1)


@lru_cache(maxsize=4096)
def _word(text: str) -> tuple[_Compiled, frozenset[str]]:
    if text[0].isdigit() or text in _CONSTANTS:
        value = int(text) if text[0].isdigit() else _CONSTANTS[text]
        return lambda env: value, _NO_NAME
    return operator.itemgetter(text), frozenset((text,))


_NO_NAME = frozenset[str]()


class _Compiler:
    def __init__(self, text: str) -> None:
        self.text = text
        self.places: list[tuple[str, int, int]] = []
        self.depth = 0
        self.parts = 0

    def error(self, code: str, message: str, node: ast.AST, help: str = "") -> ExpressionError:
        return ExpressionError(code, message, *place(node, self.text), help=help)

    def compile(self, node: ast.expr) -> _Compiled:
        self.parts += 1
        self.depth += 1
        if self.depth > 50:
            raise self.error("A103", "the expression is nested too deep", node, help="compute it by hand")
        compiled = self._dispatch(node)
        self.depth -= 1
        return compiled

    def _dispatch(self, node: ast.expr) -> _Compiled:
        if isinstance(node, ast.Constant):
            return self._constant(node)
        if isinstance(node, ast.Name):
            name = node.id
            self.places.append((name, *place(node, self.text)))
            return operator.itemgetter(name)
        if isinstance(node, ast.BinOp):
            return self._binary(node)
        if isinstance(node, ast.UnaryOp):
            return self._unary(node)
        if isinstance(node, ast.Attribute):
            path = dotted(node)
            if path:
                self.places.append((path, *place(node, self.text)))
                return operator.itemgetter(path)
        if isinstance(node, ast.Subscript):
            return self._index(node)
        if isinstance(node, (ast.Tuple, ast.List)):
            parts = [self.compile(item) for item in node.elts]
            return lambda env: tuple([part(env) for part in parts])
        if isinstance(node, ast.Compare):
            return self._compare(node)
        if isinstance(node, ast.BoolOp):
            return self._logic(node)
        if isinstance(node, ast.IfExp):
            test, then, otherwise = map(self.compile, (node.test, node.body, node.orelse))
            return lambda env: then(env) if test(env) else otherwise(env)
        if isinstance(node, ast.Call):
            return self._function(node)
        what = _FORBIDDEN.get(type(node), "this expression")
        raise self.error("A213", f"{what} is not part of the language", node, help=_ALLOWED)

    def _constant(self, node: ast.Constant) -> _Compiled:
        value = node.value
        if not (value is None or isinstance(value, (bool, int, float, str))):
            raise self.error(
                "A213", f"{type(value).__name__} is not part of the language", node, help=_ALLOWED
            )
        if isinstance(value, (int, float)) and not -LARGEST <= value <= LARGEST:
            raise self.error("A213", "the number is too large", node, help=_SMALLER)
        return lambda env: value

    def _binary(self, node: ast.BinOp) -> _Compiled:
        found = _BINARY.get(type(node.op))
        if found is None:
            raise self.error("A213", "this operator is not part of the language", node, help=_ALLOWED)
        symbol, apply = found
        left, right = self.compile(node.left), self.compile(node.right)
        column, length = place(node, self.text)

        def evaluate(env: Environment) -> Any:
            a, b = left(env), right(env)
            if not (_is_number(a) and _is_number(b)):
                message = f"cannot compute {a!r} {symbol} {b!r}: not numbers"
                raise ExpressionError("A206", message, column, length, _NUMBERS)
            if symbol in "//%" and b == 0:
                message = f"cannot compute {a} {symbol} 0: division by zero"
                raise ExpressionError("A213", message, column, length, "give the divisor another value")
            try:
                result = apply(a, b)
            except ValueError as error:
                message = f"cannot compute {a} {symbol} {b}: {error}"
                raise ExpressionError("A213", message, column, length, "give it another value") from None
            if not -LARGEST <= result <= LARGEST:
                raise ExpressionError("A213", f"{a} {symbol} {b} is too large", column, length, _SMALLER)
            return result

        return evaluate

    def _unary(self, node: ast.UnaryOp) -> _Compiled:
        inner = self.compile(node.operand)
        if isinstance(node.op, ast.Not):
            return lambda env: not inner(env)
        if not isinstance(node.op, ast.USub):
            raise self.error("A213", "this operator is not part of the language", node, help=_ALLOWED)
        column, length = place(node, self.text)

        def negate(env: Environment) -> Any:
            value = inner(env)
            if not _is_number(value):
                message = f"cannot compute -{value!r}: not a number"
                raise ExpressionError("A206", message, column, length, _NUMBERS)
            return -value

        return negate

    def _index(self, node: ast.Subscript) -> _Compiled:
        """One of a list's values, or one of a layer's outputs."""
        whole, which = self.compile(node.value), self.compile(node.slice)
        column, length = place(node, self.text)

        def evaluate(env: Environment) -> Any:
            value, index = whole(env), which(env)
            count = value.outputs if isinstance(value, Ref) else len(value) if isinstance(value, tuple) else 0
            if type(index) is not int or not -count <= index < count:
                if not isinstance(value, (Ref, tuple)):
                    message, help = f"{value!r} is no list and has no parts", "write a list: [64, 128, 256]"
                else:
                    what = "outputs" if isinstance(value, Ref) else "values"
                    message = f"there is no [{index!r}] among {count} {what}"
                    help = f"count from 0 to {count - 1}"
                raise ExpressionError("A213", message, column, length, help)
            if isinstance(value, Ref):
                return Ref(value.index, index % count, 1, f"{value.name}[{index}]")
            return value[index]

        return evaluate

    def _logic(self, node: ast.BoolOp) -> _Compiled:
        parts = [self.compile(item) for item in node.values]
        decided = isinstance(
            node.op, ast.Or
        )  # `or` ends at the first true value, `and` at the first false one

        def evaluate(env: Environment) -> Any:
            value: Any = None
            for part in parts:
                value = part(env)
                if bool(value) is decided:
                    break
            return value

        return evaluate

    def _compare(self, node: ast.Compare) -> _Compiled:
        if any(type(op) not in _COMPARE for op in node.ops):
            raise self.error("A213", "this comparison is not part of the language", node, help=_ALLOWED)
        parts = [self.compile(item) for item in [node.left, *node.comparators]]
        tests = [_COMPARE[type(op)] for op in node.ops]
        column, length = place(node, self.text)

        def evaluate(env: Environment) -> bool:
            values = [part(env) for part in parts]
            try:
                return all(test(a, b) for test, a, b in zip(tests, values, values[1:], strict=False))
            except TypeError:
                shown = " and ".join(map(repr, values))
                help = "compare numbers with numbers"
                raise ExpressionError("A206", f"cannot compare {shown}", column, length, help) from None

        return evaluate

    def _function(self, node: ast.Call) -> _Compiled:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        function = FUNCTIONS.get(name)
        if function is None or node.keywords or any(isinstance(a, ast.Starred) for a in node.args):
            known = ", ".join(sorted(FUNCTIONS))
            help = f"e.g. {_EXAMPLES[name]}" if function else "a value is a number, a name or arithmetic"
            raise self.error("A213", "only these functions can be called here: " + known, node, help)
        parts = [self.compile(item) for item in node.args]
        column, length = place(node, self.text)

        def evaluate(env: Environment) -> Any:
            values = [part(env) for part in parts]
            if name in OF_LISTS and len(values) == 1 and isinstance(values[0], tuple):
                values = list(values[0])
                if name == "len":
                    return len(values)
            if not values or not all(map(_is_number, values)):
                shown = ", ".join(map(repr, values))
                message = f"cannot compute {name}({shown}): it needs numbers"
                raise ExpressionError("A206", message, column, length, _NUMBERS)
            try:
                return function(*values)
            except (TypeError, ValueError, ZeroDivisionError, OverflowError) as error:
                message = f"cannot compute {name}({', '.join(map(str, values))}): {error}"
                raise ExpressionError("A213", message, column, length, f"e.g. {_EXAMPLES[name]}") from None

        return evaluate


def dotted(node: ast.expr) -> str:
    """`relu` or `encoder.norm` as text; empty for anything else."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""


def _is_number(value: Any) -> bool:
    return type(value) is int or type(value) is float


_EXAMPLES = {
    "int": "int(width / 2)",
    "max": "max(width, 8)",
    "min": "min(width, 8)",
    "round": "round(1.5 * width)",
    "make_divisible": "make_divisible(0.75 * width, 8)",
    "len": "len(widths)",
    "sum": "sum(widths)",
}
_NUMBERS = "arithmetic takes whole and decimal numbers only"
_SMALLER = f"no width or size is beyond {LARGEST:,}"
_ALLOWED = (
    "allowed are numbers, names, strings, lists, + - * // / % **, comparisons, and/or/not, a if b else c"
)
_FORBIDDEN: dict[type[ast.expr], str] = {
    ast.Attribute: "an attribute access",
    ast.Lambda: "lambda",
    ast.Dict: "a dict",
    ast.Set: "a set",
    ast.ListComp: "a comprehension",
    ast.GeneratorExp: "a comprehension",
    ast.JoinedStr: "an f-string",
    ast.Await: "await",
    ast.NamedExpr: "an assignment",
    ast.Starred: "a starred argument",
}
