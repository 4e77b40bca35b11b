"""Calls written into the code of a function that goes on running as the same object."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from types import CodeType, FunctionType
from typing import Any

from .provenance import NotUnderstoodError

_NAME = "_archinspect_mark"

#: finds statements of a function's body: (the list that it stands in, the statement), in order
Find = Callable[[list[ast.stmt]], Sequence[tuple[list[ast.stmt], ast.stmt]]]


class MarkedCode:
    """A function, and the text of the module that it comes from."""

    def __init__(self, function: FunctionType, text: str) -> None:
        """Raises NotUnderstoodError when the text is not that of the function."""
        self._function = function
        self._text = text
        self._plain = function.__code__
        if self._compiled(ast.parse(text)) != self._plain:
            raise NotUnderstoodError("the code that runs is not the code that was written")

    @property
    def text(self) -> str:
        return self._text

    @property
    def namespace(self) -> dict[str, Any]:
        """What the names in the code stand for."""
        return self._function.__globals__

    def body(self, tree: ast.Module | None = None) -> list[ast.stmt]:
        """The function's statements."""
        scope: ast.AST = tree or ast.parse(self._text)
        for name in self._function.__qualname__.split("."):
            found = [
                child
                for child in ast.iter_child_nodes(scope)
                if isinstance(child, (ast.ClassDef, ast.FunctionDef)) and child.name == name
            ]
            if not found:
                raise self._missing()
            scope = found[0]
        if not isinstance(scope, ast.FunctionDef):
            raise self._missing()
        return scope.body

    def mark(
        self,
        find: Find,
        marks: dict[int, int],
        belonging: tuple[type[ast.stmt], ...],
        note: Callable[[int], None],
    ) -> Callable[[bool], None]:
        """A switch: on, the function calls `note(0)` first and `note(marks[i])` after the i-th statement; off, nothing.

        Statements of the types `belonging` that follow stand before the call.  The function stays the same object, so
        that all that holds it runs the code that is switched on.
        """
        tree = ast.parse(self._text)
        body = self.body(tree)
        for number, (statements, statement) in enumerate(list(find(body))):
            if number in marks:
                at = statements.index(statement) + 1
                while at < len(statements) and isinstance(statements[at], belonging):
                    at += 1
                statements.insert(at, _call(marks[number]))
        body.insert(0, _call(0))
        marked = self._compiled(ast.fix_missing_locations(tree))
        self.namespace[_NAME] = note

        def switch(on: bool) -> None:
            self._function.__code__ = marked if on else self._plain

        return switch

    def _compiled(self, tree: ast.Module) -> CodeType:
        """The function's code in a module's tree, nothing of which is run."""
        todo = [compile(tree, self._plain.co_filename, "exec", dont_inherit=True)]
        while todo:
            code = todo.pop()
            if code.co_qualname == self._plain.co_qualname:
                return code
            todo += [each for each in code.co_consts if isinstance(each, CodeType)]
        raise self._missing()

    def _missing(self) -> NotUnderstoodError:
        return NotUnderstoodError(f"there is no function {self._plain.co_qualname} in the compiled code")


def _call(number: int) -> ast.stmt:
    return ast.parse(f"{_NAME}({number})").body[0]
