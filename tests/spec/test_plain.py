"""Calls and expressions that are read without Python's parser come out as that reads them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archinspect.frontends.spec import chains, expressions
from archinspect.frontends.spec.calls import Call
from archinspect.frontends.spec.chains import read_chain
from archinspect.frontends.spec.expressions import Expression, parse_expression
from archinspect.frontends.spec.plain import plain_call
from archinspect.frontends.spec.syntax import ExpressionError

WORDS = (
    "a",
    "width",
    "_x1",
    "True",
    "None",
    "lambda",
    "if",
    "__debug__",
    "0",
    "07",
    "64",
    "1_0",
    "9" * 15,
    "9" * 17,
    "é",
)
words = st.sampled_from(WORDS)
spaces = st.sampled_from(["", " ", "  "])


@st.composite
def calls(draw: st.DrawFn) -> str:
    """Calls of words, right and wrong."""

    def argument() -> str:
        name = draw(st.none() | words)
        left = "" if name is None else f"{name}{draw(spaces)}={draw(spaces)}"
        return f"{draw(spaces)}{left}{draw(words)}{draw(spaces)}"

    arguments = ",".join(argument() for _ in range(draw(st.integers(0, 4))))
    inside = (
        draw(st.sampled_from(["", " "]))
        if not arguments
        else arguments + draw(st.sampled_from(["", ",", ", "]))
    )
    return f"{draw(spaces)}{draw(words)}" + draw(
        st.sampled_from(["", f"({inside})", f" ({inside}) ", f"({inside}"])
    )


def seen(value: Any) -> Any:
    """What can be told of a call, an expression or an error."""
    if isinstance(value, Call):
        arguments = [(a.name, seen(a.value), a.column, a.length) for a in value.arguments]
        return value.name, arguments, value.column, value.length, value.name_length, value.text, value.work
    if isinstance(value, Expression):
        names = dict.fromkeys(value.names, 7)
        result = value.evaluate(names)
        return (
            result,
            type(result),
            value.names,
            value.places,
            value.column,
            value.length,
            value.text,
            value.work,
        )
    assert isinstance(value, ExpressionError)
    return value.code, value.message, value.column, value.length, value.help


@given(calls(), st.sampled_from(["", "relu -> "]))
@settings(max_examples=150)
def test_plain_calls_are_those_of_the_parser(text: str, before: str) -> None:
    chain, errors = read_chain.__wrapped__(before + text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chains, "plain_call", lambda text, start: None)
        patch.setattr(expressions, "word", _by_the_parser)
        expected, mistakes = read_chain.__wrapped__(before + text)
    assert list(map(seen, [*chain, *errors])) == list(map(seen, [*expected, *mistakes]))


@given(spaces, words, spaces)
def test_lone_words_are_those_of_the_parser(left: str, text: str, right: str) -> None:
    written = left + text + right
    assert _result(parse_expression.__wrapped__, written) == _result(_compiled, written)


def test_most_calls_of_a_spec_are_plain() -> None:
    """Or else the two tests above would show nothing."""
    assert plain_call("conv2d(width, 3, stride=stride, bias=False)", 4) is not None
    assert plain_call("relu") is not None
    assert plain_call("conv2d(2 * width, 3)") is None


def _by_the_parser(text: str, column: int) -> Expression:
    padded = " " * column + text
    compiler = expressions._Compiler(padded)
    evaluate = compiler.compile(expressions.parse_python(padded))
    names = frozenset(name for name, _, _ in compiler.places)
    return Expression(evaluate, names, tuple(compiler.places), column, len(text), text, compiler.parts)


def _compiled(text: str) -> Expression:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(expressions, "word", _by_the_parser)
        return expressions.compile_expression(expressions.parse_python(text), text)


def _result(read: Any, text: str) -> Any:
    try:
        return seen(read(text))
    except ExpressionError as error:
        return seen(error)
